/* SPDX-License-Identifier: Apache-2.0
 *
 * lowrank - a weight of o rows as the product of an [o, rank] and a [rank, rest] matrix. At first the product is the nearest one to the weight:
 * subspace iteration finds the directions of its largest singular values (Halko et al. 2011, arXiv 0909.4061, algorithm 4.4).
 * adapter - the weight stays as it is and the product, zero at first, is added: LoRA (Hu et al. 2021, arXiv 2106.09685).
 */
#include "op/op.h"
#include "train/build.h"

#include <math.h>

enum { ROUNDS = 30 };
typedef struct options { int32_t rank; bool adapter; } options;

static const cop_option table[] = {
	COP_OPT_WHOLE(options, rank, 1, 65536, "8", "of the product; at most the rows and the columns of the weight"),
	COP_OPT_FLAG(options, adapter, "no", "the product is added to a weight that stays as it is"),
	COP_OPT_END,
};

/* w[o,k] = a[o,r] b[r,k] */
typedef struct factors { int32_t o, k, r; const float *w; float *a, *b; } factors;

static double dot(const float *x, const float *y, int32_t n)
{
	double s = 0;
	for (int32_t i = 0; i < n; i++) s += (double)x[i] * (double)y[i];
	return s;
}

/* Gram and Schmidt, twice, which is enough; a row that is left without length becomes 0. */
static void orthonormal(const factors *f)
{
	for (int32_t i = 0; i < f->r; i++) {
		float *x = f->b + (size_t)i * (size_t)f->k;
		double before = sqrt(dot(x, x, f->k));
		for (int twice = 0; twice < 2; twice++)
			for (int32_t j = 0; j < i; j++) {
				const float *y = f->b + (size_t)j * (size_t)f->k;
				double part = dot(x, y, f->k);
				for (int32_t c = 0; c < f->k; c++) x[c] -= (float)(part * (double)y[c]);
			}
		double length = sqrt(dot(x, x, f->k));
		for (int32_t c = 0; c < f->k; c++) x[c] = length > 1e-6 * before ? (float)((double)x[c] / length) : 0;
	}
}

/* a = w b' */
static void project(const factors *f)
{
	for (int32_t i = 0; i < f->o; i++)
		for (int32_t j = 0; j < f->r; j++)
			f->a[(size_t)i * (size_t)f->r + (size_t)j] = (float)dot(f->w + (size_t)i * (size_t)f->k,
				f->b + (size_t)j * (size_t)f->k, f->k);
}

/* b = a' w */
static void back(const factors *f)
{
	memset(f->b, 0, sizeof *f->b * (size_t)f->r * (size_t)f->k);
	for (int32_t i = 0; i < f->o; i++)
		for (int32_t j = 0; j < f->r; j++) {
			const float part = f->a[(size_t)i * (size_t)f->r + (size_t)j], *row = f->w + (size_t)i * (size_t)f->k;
			float *to = f->b + (size_t)j * (size_t)f->k;
			for (int32_t c = 0; c < f->k; c++) to[c] += part * row[c];
		}
}

/* Each direction's weight is spread over both factors, so that both learn at the same pace. */
static void balance(const factors *f)
{
	for (int32_t j = 0; j < f->r; j++) {
		double sum = 0;
		for (int32_t i = 0; i < f->o; i++) sum += pow((double)f->a[(size_t)i * (size_t)f->r + (size_t)j], 2);
		float s = (float)sqrt(sqrt(sum));
		for (int32_t i = 0; i < f->o && s > 0; i++) f->a[(size_t)i * (size_t)f->r + (size_t)j] /= s;
		for (int32_t c = 0; c < f->k && s > 0; c++) f->b[(size_t)j * (size_t)f->k + (size_t)c] *= s;
	}
}

static void start(const factors *f, const char *name, bool adapter)
{
	for (int64_t i = 0; i < (int64_t)f->r * f->k; i++) f->b[i] = cop__rand_normal(1, cop__hash_text(name), (uint64_t)i) / sqrtf((float)f->k);
	if (adapter) return;
	for (int round = 0; round < ROUNDS; round++) {
		orthonormal(f);
		project(f);
		if (round < ROUNDS - 1) back(f);
	}
	balance(f);
}

static cop_vid product(const cop_formed *f, cop_graph *g, const factors *x)
{
	const cop_type *t = cop__t(f->model, f->w);
	cop_type ta = cop__type(COP_F32, 2, DIMS(x->o, x->r)), tb = cop__type(COP_F32, 2, DIMS(x->r, x->k));
	cop_vid a = cop__latent(f, g, COP_PARAM, "left", &ta, x->a), b = cop__latent(f, g, COP_PARAM, "right", &tb, x->b);
	cop_vid y = a && b ? cop__apply(g, OP_matmul, &(cop_matmul_attr){0, 0}, VIDS(a, b)) : 0;
	cop_shape_attr shape = {.rank = t->rank};

	memcpy(shape.dim, t->dim, sizeof *shape.dim * (size_t)t->rank);
	return y ? cop__apply(g, OP_reshape, &shape, VIDS(y)) : 0;
}

static cop_vid express(const cop_formed *f, cop_graph *g)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const options *o = f->options;
	const cop_value *v = &f->model->value[f->w];
	factors x = {.o = v->type.dim[0], .w = cop__floats(f->model, f->w)};

	if (v->type.rank < 2 || !x.w) return cop__error(g->cx, COP_ARG, "'%s' can't have low rank: it needs two axes or more, and contents", v->name), 0;
	x.k = (int32_t)(cop_type_count(&v->type) / x.o);
	x.r = COP_MIN(o->rank, COP_MIN(x.o, x.k));
	x.a = cop__arena_get(&g->mem, sizeof *x.a * (size_t)x.o * (size_t)x.r);
	x.b = cop__arena_get(&g->mem, sizeof *x.b * (size_t)x.r * (size_t)x.k);
	if (!x.a || !x.b) return 0;
	start(&x, v->name, o->adapter);
	cop_vid y = product(f, g, &x);
	if (!y || !o->adapter) return y;
	cop_vid w = cop__latent(f, g, COP_CONST, "fixed", &v->type, x.w);
	return w ? cop__apply(g, OP_add, &none, VIDS(w, y)) : 0;
}

const cop_form cop_form_lowrank = {
	.row = {"lowrank", "a product of two thin matrices, or a weight with such a product added",
		"Halko et al. 2011, arXiv 0909.4061; Hu et al. 2021, arXiv 2106.09685", table, sizeof(options)},
	.express = express};
