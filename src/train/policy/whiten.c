/* SPDX-License-Identifier: Apache-2.0
 *
 * whiten - a convolution whose filters make patches white, and which is not trained: the eigenvectors of the mean of p p', over all patches p of the first
 * samples, each over the root of its eigenvalue, and the same with the other sign. The largest come first; filters that are left over stay as they were.
 * Its bias is trained for a few epochs; after that nothing of the layer is, and no gradient goes back to it.
 */
#include "run/deploy.h"
#include "pass/pass.h"
#include "train/policy.h"
#include "train/policy/whiten.h"

#include <math.h>

typedef struct options { char layer[128]; int32_t samples, bias; float eps; } options;
typedef struct whiten { const options *o; char w[COP_FOLLOWER], b[COP_FOLLOWER]; bool due; } whiten;

static const cop_option table[] = {
	COP_OPT_NAMES(options, layer, "*", "which convolution, by the name of its weight; the first that fits"),
	COP_OPT_WHOLE(options, samples, 1, 1000000, "5000", "samples whose patches are looked at, the first of the data set"),
	COP_OPT_WHOLE(options, bias, 0, 1000000, "3", "epochs in which its bias is trained"),
	COP_OPT_REAL(options, eps, 0, 1, "5e-4", "added to eigenvalues, so that rare directions are not made too loud"),
	COP_OPT_END,
};

/* ---- eigenvectors ---- */

/* One rotation of rows and columns i and j of a, which makes a[i][j] 0; v turns with it. */
static void rotate(double *a, double *v, int n, int i, int j)
{
	const double d = (a[j * n + j] - a[i * n + i]) / (2 * a[i * n + j]), t = (d < 0 ? -1 : 1) / (fabs(d) + sqrt(d * d + 1)), c = 1 / sqrt(t * t + 1), s = t * c;

	for (int k = 0; k < n; k++) {
		const double x = a[k * n + i], y = a[k * n + j];
		a[k * n + i] = c * x - s * y, a[k * n + j] = s * x + c * y;
	}
	for (int k = 0; k < n; k++) {
		const double x = a[i * n + k], y = a[j * n + k], p = v[i * n + k], q = v[j * n + k];
		a[i * n + k] = c * x - s * y, a[j * n + k] = s * x + c * y;
		v[i * n + k] = c * p - s * q, v[j * n + k] = s * p + c * q;
	}
}

/* The sign that makes its largest number positive. */
static double sign_of(const double *v, int n)
{
	double most = 0;

	for (int i = 0; i < n; i++)
		if (fabs(v[i]) > fabs(most) + 1e-9) most = v[i];
	return most < 0 ? -1 : 1;
}

void cop__eigen(double *a, double *v, int n)
{
	for (int i = 0; i < n * n; i++) v[i] = i % (n + 1) == 0;
	for (int sweep = 0; sweep < 50; sweep++) {
		double rest = 0, all = 0;
		for (int i = 0; i < n; i++)
			for (int j = 0; j < n; j++) *(i == j ? &all : &rest) += a[i * n + j] * a[i * n + j];
		if (rest <= 1e-26 * all) break;
		for (int i = 0; i < n; i++)
			for (int j = i + 1; j < n; j++)
				if (a[i * n + j] != 0) rotate(a, v, n, i, j);
	}
	for (int i = 0; i < n; i++) { /* the largest first */
		int most = i;
		for (int j = i + 1; j < n; j++)
			if (a[j * n + j] > a[most * n + most]) most = j;
		for (int k = 0; k < n; k++) {
			const double x = v[i * n + k];
			v[i * n + k] = v[most * n + k], v[most * n + k] = x;
		}
		const double l = a[i * n + i], s = sign_of(v + i * n, n);
		a[i * n + i] = a[most * n + most], a[most * n + most] = l;
		for (int k = 0; k < n; k++) v[i * n + k] *= s;
	}
}

/* ---- patches ---- */

/* The sums of p p' over patches [kh,kw,c] of one picture [h,w,c]: the half above the diagonal. */
static void add_patches(double *sum, float *patch, const float *x, const cop_type *xt, const int32_t *w)
{
	const int32_t row = w[2] * w[3], n = w[1] * row, c = w[3];

	for (int32_t y = 0; y + w[1] <= xt->dim[1]; y++)
		for (int32_t z = 0; z + w[2] <= xt->dim[2]; z++) {
			for (int32_t k = 0; k < w[1]; k++) memcpy(patch + k * row, x + ((size_t)(y + k) * (size_t)xt->dim[2] + (size_t)z) * (size_t)c, sizeof *patch * (size_t)row);
			for (int32_t i = 0; i < n; i++)
				for (int32_t j = i; j < n; j++) sum[i * n + j] += (double)patch[i] * (double)patch[j];
		}
}

/* One run of `dep`, or none where the layer reads samples as they are. */
static cop_status look_at(double *sum, float *patch, const cop_deployed *dep, const cop_graph *g, cop_nid n, cop_dataset *d, int32_t from, int32_t to)
{
	const int64_t each = cop_type_count(&d->x), here = cop_type_count(cop__in(g, n, 0)) / cop__in(g, n, 0)->dim[0];
	cop_tensor in, out;
	int32_t label;

	COP_TRY(cop_session_io(dep->host.s, 0, 0, false, &in));
	COP_TRY(cop_session_io(dep->host.s, 0, 0, true, &out));
	for (int32_t i = from; i < to; i++) COP_TRY(d->get(d->ud, i, (float *)in.data + (i - from) * each, &label));
	COP_TRY(cop_session_run(dep->host.s, 0));
	for (int32_t i = from; i < to; i++) add_patches(sum, patch, (const float *)out.data + (i - from) * here, cop__in(g, n, 0), cop__in(g, n, 1)->dim);
	return COP_OK;
}

/* The same numbers, where nothing stands before the layer: then there is something to run. */
static cop_status read_by(cop_graph **out, const cop_graph *g, cop_nid n)
{
	const cop_vid x = cop__arg(g, n, 0);
	cop_vid *map;

	if (g->value[x].producer) return cop__cut_front(out, g, &x, 1);
	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	cop_vid y = st ? 0 : cop__apply(*out, OP_clip, &(cop_act_attr){-1e30f, 1e30f}, VIDS(map[x]));
	return cop__pass_end(out, y ? cop__output(*out, y, "patches") : cop__failed(g->cx));
}

static cop_status sums(double *sum, float *patch, const cop_graph *g, cop_nid n, cop_dataset *d, int32_t count)
{
	cop_deployed dep = {0};
	cop_graph *front;

	COP_TRY(read_by(&front, g, n));
	cop_status st = cop__deploy(&dep, front, &(cop_deploy_args){.batch = 50, .each = cop_type_count(&d->x), .threads = 1});
	for (int32_t i = 0; !st && i < count; i += dep.batch) st = look_at(sum, patch, &dep, g, n, d, i, COP_MIN(i + dep.batch, count));
	cop__deploy_free(&dep);
	cop_graph_free(front);
	return st;
}

/* ---- the layer ---- */

static cop_nid find(const cop_graph *g, const char *layer)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_value *w = &g->value[g->node[n].op == OP_conv ? g->node[n].in[1] : 0];
		if (g->node[n].op == OP_conv && w->role == COP_PARAM && w->type.dtype == COP_F32 && w->type.enc == COP_DENSE && cop__match(layer, w->name)) return n;
	}
	return 0;
}

static void fill(float *w, const double *value, const double *vector, int32_t filters, int32_t n, float eps)
{
	const int32_t pairs = COP_MIN(n, filters / 2);

	for (int32_t i = 0; i < pairs; i++)
		for (int32_t k = 0; k < n; k++) {
			w[i * n + k] = (float)(vector[i * n + k] / sqrt(value[i * (n + 1)] + (double)eps));
			w[(pairs + i) * n + k] = -w[i * n + k];
		}
}

static cop_status set_weights(const options *o, cop_graph *g, cop_nid n, cop_dataset *d)
{
	const cop_type *t = cop__in(g, n, 1);
	const int32_t count = COP_MIN(o->samples, d->count), k = (int32_t)(cop_type_count(t) / t->dim[0]);
	float *w = cop__own(g, cop__arg(g, n, 1)), *patch = cop__alloc(g->cx, sizeof *patch * (size_t)k);
	double *a = cop__alloc(g->cx, sizeof *a * 2 * (size_t)k * (size_t)k), patches = (double)count * (cop__in(g, n, 0)->dim[1] - t->dim[1] + 1) * (cop__in(g, n, 0)->dim[2] - t->dim[2] + 1);
	cop_status st = w && patch && a ? sums(a, patch, g, n, d, count) : COP_NOMEM;

	for (int32_t i = 0; !st && i < k; i++)
		for (int32_t j = i; j < k; j++) a[j * k + i] = a[i * k + j] = a[i * k + j] / patches;
	if (!st) cop__eigen(a, a + k * k, k), fill(w, a, a + k * k, t->dim[0], k, o->eps);
	cop__free(g->cx, a);
	cop__free(g->cx, patch);
	return st;
}

static void set_role(cop_graph *g, const char *name, cop_role role)
{
	cop_vid v = *name ? cop__find(g, name) : 0;
	if (v) g->value[v].role = role;
}

static cop_status begin(void *ud, cop_graph *g, cop_dataset *d)
{
	enum { MOST = 256 };
	whiten *u = ud;
	cop_nid n = find(g, u->o->layer);
	COP_ATTR(cop_conv_attr, a, g, n);

	if (cop__t(g, g->input[0])->dtype != COP_F32) return cop__error(g->cx, COP_ARG, "whiten: '%s' takes bytes; train the network with floats at its ends", g->name);
	if (!n) return cop__error(g->cx, COP_ARG, "whiten: '%s' has no convolution of floats whose weight is called '%s'", g->name, u->o->layer);
	const cop_type *t = cop__in(g, n, 1);
	if (a.groups != 1 || t->dim[0] < 2 || cop_type_count(t) / t->dim[0] > MOST)
		return cop__error(g->cx, COP_ARG, "whiten: '%s' must have two filters or more, one group, and patches of at most %d numbers", g->value[cop__arg(g, n, 1)].name, MOST);
	if (t->dim[1] > cop__in(g, n, 0)->dim[1] || t->dim[2] > cop__in(g, n, 0)->dim[2])
		return cop__error(g->cx, COP_ARG, "whiten: the picture that '%s' reads is smaller than its patches", g->value[cop__arg(g, n, 1)].name);
	cop__format(u->w, sizeof u->w, "%s", g->value[cop__arg(g, n, 1)].name);
	cop__format(u->b, sizeof u->b, "%s", g->node[n].n_in > 2 && cop__arg(g, n, 2) && g->value[cop__arg(g, n, 2)].role == COP_PARAM ? g->value[cop__arg(g, n, 2)].name : "");
	COP_TRY(set_weights(u->o, g, n, d));
	set_role(g, u->w, COP_CONST);
	if (!u->o->bias) set_role(g, u->b, COP_CONST);
	return COP_OK;
}

static cop_status epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	whiten *u = ud;

	u->due = *u->b && p->epoch + 1 == u->o->bias && p->epoch + 1 < p->epochs;
	if (u->due) *v = COP_REBUILD;
	return COP_OK;
}

static cop_status rebuild(void *ud, cop_trainer *t, cop_graph *g)
{
	whiten *u = ud;

	(void)t;
	if (u->due) set_role(g, u->b, COP_CONST);
	u->due = false;
	return COP_OK;
}

static void leave(void *ud, cop_graph *g)
{
	const whiten *u = ud;

	set_role(g, u->w, COP_PARAM);
	set_role(g, u->b, COP_PARAM);
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	whiten *u = cop__arena_get(mem, sizeof *u);

	if (!u) return COP_NOMEM;
	*u = (whiten){.o = o};
	*out = (cop_policy){.name = "whiten", .ud = u, .begin = begin, .epoch = epoch, .rebuild = rebuild, .leave = leave};
	return COP_OK;
}

const cop_policy_row cop_policy_whiten = {
	.row = {"whiten", "a convolution makes patches white, by the data, and is not trained", "Jordan 2024, arXiv 2404.00498", table, sizeof(options)}, .make = make};
