/* SPDX-License-Identifier: Apache-2.0
 *
 * similar - see similar.h. The saliency of j in favour of i is the mean square of the weights that read j, times their distance squared. For a given
 * j the nearest i is the best, whatever the weights that read it: so one number for each neuron is enough, and a removal changes few of them.
 */
#include "compress/similar/similar.h"

#include <math.h>

enum { MOST_NEURONS = 8192, MOST_PAIRS = 1 << 20 };

/* ---- distances ---- */

static double dot(const float *a, const float *b, int32_t n)
{
	double s = 0;
	for (int32_t i = 0; i < n; i++) s += (double)a[i] * (double)b[i];
	return s;
}

/* The norm of its weights without the bias; one without weights is as large as it is. */
static double alpha_of(const cop_neurons *x, int32_t i)
{
	const float *w = x->w + (size_t)i * (size_t)x->in;
	double a = sqrt(dot(w, w, x->in));
	return a > 0 ? a : 1;
}

static double over(double of, double by) { return of == 0 ? 0 : of / COP_MAX(by, 1e-30); }

double cop__neuron_distance(const cop_neurons *x, int32_t i, int32_t j, bool ratio)
{
	const float *wi = x->w + (size_t)i * (size_t)x->in, *wj = x->w + (size_t)j * (size_t)x->in;
	const double ai = alpha_of(x, i), aj = alpha_of(x, j), bi = x->b ? (double)x->b[i] / ai : 0, bj = x->b ? (double)x->b[j] / aj : 0;
	const double squares = dot(wi, wi, x->in) / (ai * ai) + dot(wj, wj, x->in) / (aj * aj), twice = 2 * dot(wi, wj, x->in) / (ai * aj);

	if (!ratio) return COP_MAX(squares - twice, 0) + (bi - bj) * (bi - bj);
	double d = sqrt(over(COP_MAX(squares - twice, 0), squares + twice)) + over(fabs(bi - bj), fabs(bi + bj));
	return d * d;
}

/* ---- removal ---- */

typedef struct removal {
	const cop_neurons *x;
	uint8_t *stays;
	float *apart;      /* [n,n] distances squared */
	int32_t *nearest;  /* [n] of those that stay; itself: there is none */
	float *read;       /* [n] mean square of what reads it, at the scale of its weights */
	double *alpha;     /* [n] */
} removal;

static void find_nearest(removal *r, int32_t j)
{
	const float *row = r->apart + (size_t)j * (size_t)r->x->n;

	r->nearest[j] = j;
	for (int32_t i = 0; i < r->x->n; i++)
		if (i != j && r->stays[i] && (r->nearest[j] == j || row[i] < row[r->nearest[j]])) r->nearest[j] = i;
}

static void find_read(removal *r, int32_t j)
{
	double s = 0;

	for (int32_t o = 0; o < r->x->out; o++) {
		double a = (double)r->x->next[(size_t)o * (size_t)r->x->n + (size_t)j] * r->alpha[j];
		s += a * a / r->x->out;
	}
	r->read[j] = (float)s;
}

static float saliency_of(const removal *r, int32_t j) { return r->read[j] * r->apart[(size_t)j * (size_t)r->x->n + (size_t)r->nearest[j]]; }

/* j goes in favour of its nearest. */
static void operate(removal *r, int32_t j)
{
	const int32_t i = r->nearest[j], n = r->x->n;
	const double by = r->alpha[j] / r->alpha[i];

	for (int32_t o = 0; o < r->x->out; o++) {
		float *a = r->x->next + (size_t)o * (size_t)n;
		a[i] = (float)((double)a[i] + by * (double)a[j]);
	}
	r->stays[j] = 0;
	find_read(r, i);
	for (int32_t k = 0; k < n; k++)
		if (r->stays[k] && r->nearest[k] == j) find_nearest(r, k);
}

static cop_status begin(removal *r, cop_arena *mem, bool ratio)
{
	const int32_t n = r->x->n;

	r->apart = cop__arena_get(mem, sizeof *r->apart * (size_t)n * (size_t)n);
	r->nearest = cop__arena_get(mem, sizeof *r->nearest * (size_t)n);
	r->read = cop__arena_get(mem, sizeof *r->read * (size_t)n);
	r->alpha = cop__arena_get(mem, sizeof *r->alpha * (size_t)n);
	if (!r->apart || !r->nearest || !r->read || !r->alpha) return COP_NOMEM;
	for (int32_t j = 0; j < n; j++) r->alpha[j] = alpha_of(r->x, j);
	for (int32_t j = 0; j < n; j++)
		for (int32_t i = 0; i < j; i++) {
			const double far = cop__neuron_distance(r->x, i, j, ratio);
			r->apart[(size_t)j * (size_t)n + (size_t)i] = r->apart[(size_t)i * (size_t)n + (size_t)j] = (float)COP_MIN(far, 1e30);
		}
	for (int32_t j = 0; j < n; j++) find_nearest(r, j), find_read(r, j);
	return COP_OK;
}

/* Of the saliencies of all pairs, or of some of them where there are very many. */
static cop_status mode_of(double *mode, const removal *r, cop_arena *mem)
{
	const int64_t n = r->x->n, all = n * n, by = all / MOST_PAIRS + 1;
	float *v = cop__arena_get(mem, sizeof *v * (size_t)(all / by + 1));
	int64_t m = 0;

	if (!v) return COP_NOMEM;
	for (int64_t k = 0; k < all; k += by)
		if (k / n != k % n) v[m++] = r->read[k / n] * r->apart[k];
	*mode = m ? cop__mode(v, m) : 0;
	return COP_OK;
}

static int32_t least(const removal *r)
{
	int32_t best = -1;

	for (int32_t j = 0; j < r->x->n; j++)
		if (r->stays[j] && r->nearest[j] != j && (best < 0 || saliency_of(r, j) < saliency_of(r, best))) best = j;
	return best;
}

/* until < 0: `most` of them; else while the least saliency is not above it. */
static int32_t remove_similar(removal *r, int32_t most, double until, float *saliency)
{
	int32_t gone = 0;

	for (int32_t j; gone < most && (j = least(r)) >= 0; gone++) {
		if (until >= 0 && (double)saliency_of(r, j) > until) break;
		if (saliency) saliency[gone] = saliency_of(r, j);
		operate(r, j);
	}
	return gone;
}

/* ---- controls: nobody takes over ---- */

static void remove_by_value(uint8_t *stays, float *saliency, const cop_neurons *x, const cop_similar_args *a, int32_t most, float *value)
{
	for (int32_t j = 0; j < x->n; j++) {
		double read = 0, alpha = alpha_of(x, j);
		for (int32_t o = 0; o < x->out; o++) read += pow((double)x->next[(size_t)o * (size_t)x->n + (size_t)j], 2) / x->out;
		value[j] = a->by == COP_BY_RANDOM ? cop__rand_unit(a->seed, a->stream, (uint64_t)j) : (float)(read * alpha * alpha);
	}
	for (int32_t k = 0; k < most; k++) {
		int32_t best = -1;
		for (int32_t j = 0; j < x->n; j++)
			if (stays[j] && (best < 0 || value[j] < value[best])) best = j;
		if (saliency) saliency[k] = value[best];
		stays[best] = 0;
	}
}

/* ---- the call ---- */

static cop_status remove_by(uint8_t *stays, int32_t *gone, float *saliency, cop_arena *mem, const cop_neurons *x,
	const cop_similar_args *a, int32_t most, bool rule)
{
	removal r = {.x = x, .stays = stays};
	double until = -1;

	*gone = most;
	memset(stays, 1, (size_t)x->n);
	if (a->by == COP_BY_SHARED) return cop__shared(stays, gone, saliency, mem, x, most, rule);
	if (a->by == COP_BY_NAIVE || a->by == COP_BY_RANDOM) {
		float *value = cop__arena_get(mem, sizeof *value * (size_t)x->n);
		return value ? remove_by_value(stays, saliency, x, a, most, value), COP_OK : COP_NOMEM;
	}
	COP_TRY(begin(&r, mem, a->by == COP_BY_RATIO));
	if (rule) COP_TRY(mode_of(&until, &r, mem));
	*gone = remove_similar(&r, most, until, saliency);
	return COP_OK;
}

/* A part of what the rule finds: the number is found first, and what reads the neurons put back. */
static cop_status part_of_rule(uint8_t *stays, int32_t *gone, float *saliency, cop_arena *mem, const cop_neurons *x, const cop_similar_args *a)
{
	const size_t all = (size_t)x->n * (size_t)x->out;
	float *was = cop__arena_get(mem, sizeof *was * all);

	if (!was) return COP_NOMEM;
	memcpy(was, x->next, sizeof *was * all);
	COP_TRY(remove_by(stays, gone, saliency, mem, x, a, x->n - 1, true));
	memcpy(x->next, was, sizeof *was * all);
	return remove_by(stays, gone, saliency, mem, x, a, (int32_t)(a->part * *gone + 0.5), false);
}

cop_status cop__similar(uint8_t *stays, int32_t *gone, float *saliency, cop_ctx *cx, const cop_neurons *x, const cop_similar_args *a)
{
	cop_arena mem;

	if (x->n > MOST_NEURONS) return cop__error(cx, COP_ARG, "similar: a layer of %d neurons; %d are the most", x->n, MOST_NEURONS);
	cop__arena_init(&mem, cx);
	cop_status st = !a->keep && a->part < 1 ? part_of_rule(stays, gone, saliency, &mem, x, a)
		: remove_by(stays, gone, saliency, &mem, x, a, a->keep ? COP_MAX(x->n - a->keep, 0) : x->n - 1, !a->keep);
	cop__arena_free(&mem);
	return st;
}
