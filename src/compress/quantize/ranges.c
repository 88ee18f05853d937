/* SPDX-License-Identifier: Apache-2.0
 *
 * ranges - which part of the line the integers cover. Four ways: all that was seen; a percentile of |x|; the range with
 * the least squared error; the threshold with the least divergence between the histogram and its coarse form (Migacz
 * 2017).
 */
#include "compress/quantize/quantize.h"

#include <math.h>

enum { HALF = COP_SEEN_BINS / 2, SHRINKS = 100 };
static const double percentile = 0.9999;

cop_qrange cop__qrange(float lo, float hi, int bits, bool symmetric)
{
	cop_qrange r = {.lo = -(1 << (bits - 1)), .hi = (1 << (bits - 1)) - 1};

	lo = fminf(lo, 0);
	hi = fmaxf(hi, 0);
	if (symmetric) {
		r.scale = fmaxf(-lo, hi) / (float)r.hi;
	} else {
		r.scale = (hi - lo) / (float)(r.hi - r.lo);
		if (r.scale > 0) r.zero = (int32_t)roundf((float)r.lo - lo / r.scale);
		r.zero = COP_MIN(COP_MAX(r.zero, r.lo), r.hi);
	}
	if (!(r.scale >= 1e-30f)) r.scale = 1, r.zero = 0; /* nothing but zeros was seen */
	return r;
}

static double squared_error(const cop_seen *s, const cop_qrange *r)
{
	double width = (double)s->reach / HALF, sum = 0;

	for (int i = 0; i < COP_SEEN_BINS; i++) {
		if (!s->count[i]) continue;
		float x = (float)((i - HALF + 0.5) * width);
		double e = (double)(x - r->scale * (float)(cop__quantise(x, r) - r->zero));
		sum += (double)s->count[i] * e * e;
	}
	return sum;
}

static void by_mse(float *lo, float *hi, const cop_seen *s, int bits, bool symmetric)
{
	double least = INFINITY;
	float best = 1;

	for (int i = SHRINKS; i > SHRINKS / 10; i--) {
		float a = (float)i / SHRINKS;
		cop_qrange r = cop__qrange(*lo * a, *hi * a, bits, symmetric);
		double e = squared_error(s, &r);
		if (e < least) least = e, best = a;
	}
	*lo *= best;
	*hi *= best;
}

/* Counts of |x|, [HALF]. */
static void fold(double *bins, const cop_seen *s)
{
	for (int i = 0; i < HALF; i++) bins[i] = (double)(s->count[HALF + i] + s->count[HALF - 1 - i]);
}

static float by_percentile(const double *bins, const cop_seen *s)
{
	double sum = 0;
	int i = 0;

	for (; i < HALF && sum < percentile * (double)s->n; i++) sum += bins[i];
	return s->reach * (float)i / HALF;
}

/* KL(P || Q) of the first n bins: P has what lies beyond added to its last bin, Q has not; q is Q's levels spread over
 * the bins that are not empty. Zeros of Q under a nonzero P count as a small mass. */
static double divergence(const double *bins, int32_t n, double beyond, int32_t levels, double *q)
{
	double sum_p = beyond, sum_q = 0, kl = 0;

	for (int32_t l = 0; l < levels; l++) {
		int32_t from = (int32_t)((int64_t)n * l / levels), to = (int32_t)((int64_t)n * (l + 1) / levels), filled = 0;
		double sum = 0;
		for (int32_t i = from; i < to; i++) sum += bins[i], filled += bins[i] > 0;
		for (int32_t i = from; i < to; i++) q[i] = bins[i] > 0 ? sum / filled : 0;
		sum_p += sum;
		sum_q += sum;
	}
	if (sum_q <= 0) return INFINITY;
	for (int32_t i = 0; i < n; i++) {
		double p = (bins[i] + (i == n - 1 ? beyond : 0)) / sum_p;
		if (p > 0) kl += p * log(p / fmax(q[i] / sum_q, 1e-6 / sum_q));
	}
	return kl;
}

int32_t cop__kl_threshold(const double *bins, int32_t n, int32_t levels, double *room)
{
	double least = INFINITY, beyond = 0;
	int32_t best = n;

	for (int32_t i = n; i >= levels; i--) {
		double kl = divergence(bins, i, beyond, levels, room);
		if (kl <= least) least = kl, best = i;
		beyond += bins[i - 1];
	}
	return best;
}

static float by_kl(double *bins, const cop_seen *s, int bits)
{
	/* the last bin that holds anything ends the search */
	int32_t n = HALF, levels = 1 << (bits - 1);

	/* the zeros of a ReLU are exact in every range: their spike would draw the threshold to where a level is a bin */
	bins[0] = bins[1];
	while (n > levels && bins[n - 1] <= 0) n--;
	int32_t i = cop__kl_threshold(bins, n, levels, bins + HALF);
	return i == n ? INFINITY : s->reach * ((float)i + 0.5f) / HALF;
}

cop_status cop__qrange_of(cop_qrange *out, cop_ctx *cx, const cop_seen *s, cop_range_kind kind, int bits,
	bool symmetric)
{
	float lo = s->lo, hi = s->hi;

	if (kind == COP_RANGE_MSE && s->n) by_mse(&lo, &hi, s, bits, symmetric);
	if ((kind == COP_RANGE_PERCENTILE || kind == COP_RANGE_KL) && s->n) {
		double *bins = cop__alloc(cx, sizeof *bins * 3 * HALF);
		if (!bins) return COP_NOMEM;
		fold(bins, s);
		float most = kind == COP_RANGE_KL ? by_kl(bins, s, bits) : by_percentile(bins, s);
		lo = fmaxf(lo, -most);
		hi = fminf(hi, most);
		cop__free(cx, bins);
	}
	*out = cop__qrange(lo, hi, bits, symmetric);
	return COP_OK;
}

double cop__decibels(double signal, double noise) { return 10 * log10((signal + 1e-30) / (noise + 1e-30)); }
