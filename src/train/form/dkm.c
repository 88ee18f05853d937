/* SPDX-License-Identifier: Apache-2.0
 *
 * dkm - weight sharing that is trained through (differentiable k-means, Cho et al. 2022, arXiv 2108.12659). Each weight is a mean of all centroids, and the
 * nearer one is, the more of it: a = softmax(-(w - c)^2 / t). Centroids move to the means of the weights that attend to them, some rounds in every step,
 * and gradients go back through them all. So a weight may change sides while it trains; afterwards each takes the nearest centroid.
 *
 * The PARAM "<weight>.weights" is trained. The STATE "<weight>.centroids" is where the last step left them. Pruned weights stay 0 and attend to none.
 */
#include "op/axes.h"
#include "train/form/palette.h"

#include <math.h>

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
enum { STAYS = 1000 }; /* a centroid that nobody attends to stays where it is: by a weight of one part of so many */

static cop_vid times(cop_graph *g, cop_vid a, cop_vid b) { return a && b ? cop__apply(g, OP_mul, &none, VIDS(a, b)) : 0; }
static cop_vid plus(cop_graph *g, cop_vid a, cop_vid b) { return a && b ? cop__apply(g, OP_add, &none, VIDS(a, b)) : 0; }
static cop_vid sum(cop_graph *g, cop_vid x, int axis) { return x ? cop__apply(g, OP_reduce, &(cop_reduce_attr){REDUCE_SUM, 1 << axis, 1}, VIDS(x)) : 0; }

/* a[n][k] of w[n][1] and c[1][k]. cold: -1 / t. */
static cop_vid attention(cop_graph *g, cop_vid w, cop_vid c, cop_vid cold)
{
	cop_vid d = w && c ? cop__apply(g, OP_sub, &none, VIDS(w, c)) : 0, s = times(g, times(g, d, d), cold);
	return s ? cop__apply(g, OP_softmax, NULL, VIDS(s)) : 0;
}

/* The means of those that attend to each centroid. */
static cop_vid means(cop_graph *g, cop_vid w, cop_vid c, cop_vid a)
{
	cop_vid stays = cop__scalar(g, "dkm.stays", 1.0f / STAYS), of = plus(g, sum(g, times(g, a, w), 0), times(g, c, stays)), all = plus(g, sum(g, a, 0), stays);
	return of && all ? cop__apply(g, OP_div, &none, VIDS(of, all)) : 0;
}

cop_vid cop__attend(cop_graph *g, cop_vid w, cop_vid *c, cop_vid cold, cop_vid kept, int32_t rounds)
{
	for (int32_t i = 0; i < rounds && *c; i++) {
		cop_vid a = attention(g, w, *c, cold);
		*c = means(g, w, *c, kept ? times(g, a, kept) : a);
	}
	return sum(g, times(g, attention(g, w, *c, cold), *c), 1);
}

static cop_vid reshaped(cop_graph *g, cop_vid x, int32_t rank, const int32_t *dim)
{
	cop_shape_attr shape = {.rank = rank};

	memcpy(shape.dim, dim, sizeof *dim * (size_t)rank);
	return x ? cop__apply(g, OP_reshape, &shape, VIDS(x)) : 0;
}

/* -1 / t, with t in mean squares of the weights that are not zero. */
static float coldness(const float *w, int64_t n, float temperature)
{
	double all = 0;
	int64_t kept = 0;

	for (int64_t i = 0; i < n; i++) all += (double)w[i] * (double)w[i], kept += w[i] != 0;
	return all > 0 ? (float)(-(double)kept / all / (double)temperature) : -1;
}

/* The weight and its centroids, as the form begins: k-means of the weights that are not zero. */
static cop_status begin(const cop_formed *f, cop_graph *g, cop_vid *w, cop_vid *c)
{
	const cop_dkm_options *a = f->options;
	const cop_palette_options how = {.levels = a->levels, .init = a->init, .width = 1, .groups = 1, .seed = a->seed};
	const cop_type *t = cop__t(f->model, f->w), book = cop__type(COP_F32, 2, DIMS(1, a->levels - 1));
	const float *now = cop__floats(f->model, f->w);
	uint8_t *code = cop__alloc(g->cx, (size_t)cop_type_count(t) + 1);
	float first[256];

	cop_status st = code ? cop__cluster(g->cx, first, code, &how, now, cop_type_count(t)) : COP_NOMEM;
	cop__free(g->cx, code);
	if (st) return st;
	*w = cop__latent(f, g, COP_PARAM, "weights", t, now);
	*c = cop__latent(f, g, COP_STATE, COP_CENTROIDS, &book, first + 1);
	return *w && *c ? COP_OK : cop__failed(g->cx);
}

static cop_vid express(const cop_formed *f, cop_graph *g)
{
	const cop_dkm_options *a = f->options;
	const cop_type *t = cop__t(f->model, f->w), one = cop__type(COP_F32, 1, DIMS(1));
	const int32_t n = (int32_t)cop_type_count(t);
	const float *now = cop__floats(f->model, f->w);
	cop_vid w, c, mask = cop__follower(f->model, f->w, "mask"), kept = 0;

	if (!now) return cop__error(g->cx, COP_ARG, "'%s' has no contents that could be clustered", f->model->value[f->w].name), 0;
	const float cold = coldness(now, n, a->temperature);
	if (begin(f, g, &w, &c)) return 0;
	cop_vid state = c;
	if (mask && !(kept = reshaped(g, cop__latent(f, g, COP_CONST, "kept", t, cop__floats(f->model, mask)), 2, DIMS(n, 1)))) return 0;
	cop_vid y = cop__attend(g, reshaped(g, w, 2, DIMS(n, 1)), &c, cop__latent(f, g, COP_CONST, "cold", &one, &cold), kept, a->rounds);
	if (!y || !cop__apply(g, OP_assign, NULL, VIDS(state, c))) return 0;
	return reshaped(g, kept ? times(g, y, kept) : y, t->rank, t->dim);
}

void cop__take_nearest(float *w, int64_t n, const float *c, int32_t k)
{
	for (int64_t i = 0; i < n; i++) {
		int32_t best = 0;
		for (int32_t j = 1; j < k; j++)
			if (fabsf(w[i] - c[j]) < fabsf(w[i] - c[best])) best = j;
		if (w[i] != 0) w[i] = c[best];
	}
}

static const cop_option table[] = {
	COP_OPT_WHOLE(cop_dkm_options, levels, 2, 256, "32", "different values, the zero among them"),
	COP_OPT_WORD(cop_dkm_options, init, COP_BEGINNINGS, "linear", "where they begin"),
	COP_OPT_WHOLE(cop_dkm_options, rounds, 1, 5, "1", "how often centroids move in a step"),
	COP_OPT_REAL(cop_dkm_options, temperature, 1e-4, 10, "0.2", "how far weights attend to more than one centroid"),
	COP_OPT_END,
};

const cop_form cop_form_dkm = {
	.row = {"dkm", "a few values that weights find while they train", "Cho et al. 2022, arXiv 2108.12659", table, sizeof(cop_dkm_options)}, .express = express};
