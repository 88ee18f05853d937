/* SPDX-License-Identifier: Apache-2.0
 *
 * states - which rectifiers a network has, and how often their neurons are on.
 */
#include "compress/depth/depth.h"
#include "compress/watch.h"

#include <math.h>

enum { BATCH = 128 };

/* ---- rectifiers ---- */

static bool rectifies(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	if (!(cop__op(g, n)->flags & COP_OP_ACT) || cop__outt(g, n, 0)->dtype != COP_F32 || g->node[n].guard) return false;
	cop__act_get(g, n, &lo, &hi);
	return lo == 0 && hi == COP_NO_HI;
}

/* The weight of the layer that makes v: behind batch norm, a clip and, of a sum, on the side with more weights. */
static cop_vid weight_of(const cop_graph *g, cop_vid v, int deep)
{
	cop_nid n = g->value[v].producer;

	if (!n || !deep) return 0;
	switch (g->node[n].op) {
	case OP_conv:
	case OP_fc: return g->value[cop__arg(g, n, 1)].role == COP_PARAM ? cop__arg(g, n, 1) : 0;
	case OP_bn:
	case OP_reshape: return weight_of(g, cop__arg(g, n, 0), deep - 1);
	case OP_add: {
		cop_vid a = weight_of(g, cop__arg(g, n, 0), deep - 1), b = weight_of(g, cop__arg(g, n, 1), deep - 1);
		return a && (!b || cop_type_count(cop__t(g, a)) >= cop_type_count(cop__t(g, b))) ? a : b;
	}
	default: return 0;
	}
}

cop_status cop__rectifiers(cop_rectifiers *r, const cop_graph *g)
{
	*r = (cop_rectifiers){0};
	cop__arena_init(&r->mem, g->cx);
	if (!(r->at = cop__arena_get(&r->mem, sizeof *r->at * (size_t)(g->n_node + 1)))) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_rectifier *x = &r->at[r->n];
		if (!rectifies(g, n)) continue;
		bool apart = g->node[n].op == OP_clip;
		*x = (cop_rectifier){.node = n, .y = cop__res(g, n, 0), .weight = weight_of(g, apart ? cop__arg(g, n, 0) : cop__res(g, n, 0), 4)};
		x->channels = cop__outt(g, n, 0)->dim[cop__outt(g, n, 0)->rank - 1];
		if (!(x->on = cop__arena_get(&r->mem, sizeof *x->on * (size_t)x->channels))) return COP_NOMEM;
		r->n++;
	}
	return COP_OK;
}

void cop__rectifiers_free(cop_rectifiers *r) { cop__arena_free(&r->mem); }

/* ---- counting ---- */

double cop__state_bits(double p) { return p <= 0 || p >= 1 ? 0 : -(p * log2(p) + (1 - p) * log2(1 - p)); }

/* The published code's mean over a batch: of the neurons that switch within it, 0 if none does. */
static double of_batch(const int64_t *on, int32_t n, int64_t seen)
{
	double sum = 0;
	int32_t switching = 0;

	for (int32_t i = 0; i < n; i++)
		if (on[i] && on[i] < seen) sum += cop__state_bits(fmax((double)on[i] / (double)seen, 1e-5)), switching++;
	return switching ? sum / switching : 0;
}

/* y > 0 where the rectifier's input is. rows: of n, those that are samples. */
static void see(cop_rectifier *r, const float *y, int64_t numbers, int64_t *on)
{
	int64_t positions = numbers / r->channels;

	memset(on, 0, sizeof *on * (size_t)r->channels);
	for (int64_t i = 0; i < positions; i++)
		for (int32_t c = 0; c < r->channels; c++) on[c] += y[i * r->channels + c] > 0;
	for (int32_t c = 0; c < r->channels; c++) r->on[c] += on[c];
	r->seen += positions;
	r->code += of_batch(on, r->channels, positions);
	r->batches++;
}

static cop_status run(cop_rectifiers *r, cop_watch *w, cop_dataset *d, int32_t end, int64_t *on)
{
	cop_tensor y;
	int32_t got;

	for (int32_t i = 0; i < end; i += got) {
		if (cop__stopped(w->cx)) return cop__error(w->cx, COP_STOPPED, "stopped while counting states");
		COP_TRY(cop__watch_load(w, &d, i, end, &got));
		COP_TRY(cop_session_run(w->host.s, 0));
		for (int32_t k = 0; k < r->n; k++) {
			COP_TRY(cop__watch_value(w, r->at[k].y, &y));
			if (y.data) see(&r->at[k], y.data, cop_type_count(&y.type) / w->batch * got, on);
		}
	}
	return COP_OK;
}

static void finish(cop_rectifier *r)
{
	double sum = 0;

	for (int32_t c = 0; c < r->channels; c++) sum += cop__state_bits((double)r->on[c] / (double)COP_MAX(r->seen, 1));
	r->slide = sum / r->channels;
	r->code = r->batches > 0 ? r->code / r->batches : 0;
}

cop_status cop__states_count(cop_rectifiers *r, const cop_graph *g, cop_dataset *d, int32_t limit, int threads)
{
	cop_dataset *made = NULL;
	cop_watch w = {0};
	int32_t most = 1;

	for (int32_t k = 0; k < r->n; k++) {
		most = COP_MAX(most, r->at[k].channels);
		memset(r->at[k].on, 0, sizeof *r->at[k].on * (size_t)r->at[k].channels);
		r->at[k].seen = 0, r->at[k].code = r->at[k].batches = 0;
	}
	int64_t *on = cop__alloc(g->cx, sizeof *on * (size_t)most);
	cop_status st = on ? cop__fit_for(&d, &made, g, d) : COP_NOMEM;
	if (!st) st = cop__watch_new(&w, g, BATCH, cop_type_count(&d->x), threads);
	if (!st) st = run(r, &w, d, limit && limit < d->count ? limit : d->count, on);
	for (int32_t k = 0; k < r->n; k++) finish(&r->at[k]);
	cop__watch_free(&w);
	cop_data_free(made);
	cop__free(g->cx, on);
	return st;
}

bool cop__never_switches(const cop_rectifier *r)
{
	for (int32_t c = 0; c < r->channels; c++)
		if (r->on[c] && r->on[c] < r->seen) return false;
	return r->seen > 0;
}
