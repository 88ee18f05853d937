/* SPDX-License-Identifier: Apache-2.0
 *
 * fakequant - rounding as the integer network will do it, in floats, with the gradients of what is rounded and of the steps. FQ_ in kernel.h.
 */
#include "kernel/kernel.h"
#include "kernel/factor.h"

enum { GRAIN = 64, BLOCK = 512 }; /* BLOCK: sums of so many first: a float would lose the small ones of a long row */

/* How row r is rounded. Steps are trained, and could become 0 or less. */
typedef struct rule { float step; int32_t lo, hi, zero; } rule;

static rule rule_of(const int32_t *k, const float *p, int32_t r)
{
	rule q = {p[k[FQ_OFFSET] ? 0 : r], k[FQ_LO], k[FQ_HI], k[FQ_ZERO]};

	q.step = q.step > cop_f(k[FQ_LEAST]) ? q.step : cop_f(k[FQ_LEAST]);
	if (k[FQ_OFFSET]) q.zero = cop_clampi(q.zero - cop_round_away(p[1] / q.step), q.lo, q.hi);
	return q;
}

void cop_fakequant_f32(const cop_call *c)
{
	const int32_t *k = c->k, run = k[FQ_RUN], n = k[FQ_ROWS] * run, to = cop_to(c, n, GRAIN);
	const float *x = c->buf[1], *p = c->buf[2];
	float *y = c->buf[0];

	for (int32_t i = cop_from(c, n, GRAIN); i < to;) {
		const int32_t r = i / run, end = to < (r + 1) * run ? to : (r + 1) * run;
		const rule q = rule_of(k, p, r);
		for (; i < end; i++) y[i] = q.step * (float)(cop_clampi(cop_round_away(x[i] / q.step) + q.zero, q.lo, q.hi) - q.zero);
	}
}

/* ---- of sums of integers ---- */

/* A float sum says how many steps it is only up to rounding. This near to the middle between two integers, it is computed with as integers are, by the
 * multipliers that the integer network will have. */
static const float UNSURE = 0.4375f;

static const float *operand(const cop_call *c, int i) { return c->buf[3 + i]; }

/* A step may be trained to anything. */
static double step_at(const float *s, int32_t i) { return s[i] > COP_LEAST_STEP ? (double)s[i] : (double)COP_LEAST_STEP; }

static int32_t steps(float x, double step)
{
	const double most = 1 << 30, u = (double)x / step;
	return (int32_t)cop_near(u > most ? most : u < -most ? -most : u == u ? u : 0);
}

/* -1: no multiplier is large enough */
static int32_t layer_up(const cop_call *c, double step)
{
	double most = 0;

	for (int32_t o = 0; o < c->k[FQ_CHANNELS]; o++) {
		const double real = step_at(operand(c, 1), 0) * step_at(operand(c, 0), o) / step;
		most = most > real ? most : real;
	}
	return most < 1 << 30 ? cop_factor_up(most) : -1;
}

static int32_t of_layer(const cop_call *c, int32_t i, double step, int32_t up)
{
	const float x = ((const float *)c->buf[1])[i];
	const double sum = step_at(operand(c, 1), 0) * step_at(operand(c, 0), i % c->k[FQ_CHANNELS]);

	if (c->k[FQ_ROWS] > 1) return steps(x, sum);
	return up < 0 ? steps(x, step) : cop_scale_single(steps(x, sum), (int32_t)cop_factor(sum / step, up), up);
}

static int32_t of_two(const cop_call *c, int32_t i, double step)
{
	const double sa = step_at(operand(c, 1), 0), sb = step_at(operand(c, 3), 0), ra = cop_addend(sa / step), rb = cop_addend(sb / step);
	const int32_t shift = cop_sum_shift(ra > rb ? ra : rb);
	const int64_t a = steps(operand(c, 0)[i], sa) * cop_near(ra * cop_two_to(shift)), b = steps(operand(c, 2)[i], sb) * cop_near(rb * cop_two_to(shift));
	return (int32_t)((a + b + ((int64_t)1 << (shift - 1))) >> shift);
}

/* Means whose range is far smaller than their operands' round as floats do. */
static int32_t of_mean(const cop_call *c, int32_t i, double step)
{
	const double sx = step_at(operand(c, 0), 0), real = sx / (step * c->k[FQ_CELLS]);
	const float x = ((const float *)c->buf[1])[i];
	return real < 0.5 ? cop_scale_double(steps(x, sx / c->k[FQ_CELLS]), (int32_t)cop_near(real * cop_two_to(31)), 0) : steps(x, step);
}

static int32_t exact(const cop_call *c, int32_t i, double step, int32_t up)
{
	const int32_t from = c->k[FQ_FROM];
	return from == 4 ? of_two(c, i, step) : from == 2 ? of_layer(c, i, step, up) : of_mean(c, i, step);
}

void cop_fakequant_sums_f32(const cop_call *c)
{
	const int32_t *k = c->k, run = k[FQ_RUN], n = k[FQ_ROWS] * run, to = cop_to(c, n, GRAIN);
	const float *x = c->buf[1], *p = c->buf[2];
	const int32_t up = k[FQ_FROM] == 2 && k[FQ_ROWS] == 1 ? layer_up(c, (double)rule_of(k, p, 0).step) : 0;
	float *y = c->buf[0];

	for (int32_t i = cop_from(c, n, GRAIN); i < to;) {
		const int32_t r = i / run, end = to < (r + 1) * run ? to : (r + 1) * run;
		const rule q = rule_of(k, p, r);
		for (; i < end; i++) {
			const float u = x[i] / q.step;
			int32_t whole = cop_round_away(u);
			const float far = u - (float)whole;
			if (k[FQ_FROM] && (far > UNSURE || far < -UNSURE)) whole = exact(c, i, (double)q.step, up);
			y[i] = q.step * (float)(cop_clampi(whole + q.zero, q.lo, q.hi) - q.zero);
		}
	}
}

/* ---- gradients ---- */

/* Where a whole number of steps lies: below what the integers reach, within, or above. */
static int side(const rule *q, int32_t whole) { return whole < q->lo - q->zero ? -1 : whole > q->hi - q->zero; }

void cop_fakequant_dx_f32(const cop_call *c)
{
	const int32_t *k = c->k, run = k[FQ_RUN], n = k[FQ_ROWS] * run, to = cop_to(c, n, GRAIN);
	const float *dy = c->buf[1], *x = c->buf[2], *p = c->buf[3], ewgs = cop_f(k[FQ_EWGS]);
	float *dx = c->buf[0];

	for (int32_t i = cop_from(c, n, GRAIN); i < to;) {
		const int32_t r = i / run, end = to < (r + 1) * run ? to : (r + 1) * run;
		const rule q = rule_of(k, p, r);
		for (; i < end; i++) {
			const float u = x[i] / q.step;
			const int32_t whole = cop_round_away(u);
			const float far = u - (float)whole;
			dx[i] = side(&q, whole) ? 0.0f : dy[i] * (1.0f + ewgs * (dy[i] < 0.0f ? -far : far));
		}
	}
}

/* What a step more of s adds to y, less x: round(u) - u within, the end beyond. */
static void add(float sum[2], const rule *q, const float *dy, const float *x, int32_t n)
{
	float step = 0, offset = 0;

	for (int32_t i = 0; i < n; i++) {
		const float u = x[i] / q->step;
		const int32_t whole = cop_round_away(u), at = side(q, whole);
		step += dy[i] * (at ? (float)((at < 0 ? q->lo : q->hi) - q->zero) : (float)whole - u);
		if (at) offset += dy[i];
	}
	sum[0] += step;
	sum[1] += offset;
}

void cop_fakequant_dp_f32(const cop_call *c)
{
	const int32_t *k = c->k, run = k[FQ_RUN];
	const float *dy = c->buf[1], *x = c->buf[2], *p = c->buf[3], by = cop_f(k[FQ_GRAD]);
	float *dp = c->buf[0];

	for (int32_t r = 0; r < k[FQ_ROWS]; r++) {
		const rule q = rule_of(k, p, r);
		float sum[2] = {0, 0};
		for (int32_t i = 0; i < run; i += BLOCK) add(sum, &q, dy + r * run + i, x + r * run + i, run - i < BLOCK ? run - i : BLOCK);
		dp[r] = sum[0] * by;
		if (k[FQ_OFFSET]) dp[1] = sum[1] * by;
	}
}
