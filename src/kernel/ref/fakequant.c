/* SPDX-License-Identifier: Apache-2.0
 *
 * fakequant - rounding as the integer network will do it, in floats, with the gradients of what is rounded and of the steps. FQ_ in kernel.h.
 */
#include "kernel/kernel.h"
#include "kernel/sums.h"

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

void cop_fakequant_sums_f32(const cop_call *c)
{
	const int32_t *k = c->k, run = k[FQ_RUN], n = k[FQ_ROWS] * run, to = cop_to(c, n, GRAIN);
	const float *x = c->buf[1], *p = c->buf[2];
	float *y = c->buf[0];

	for (int32_t i = cop_from(c, n, GRAIN); i < to;) {
		const int32_t r = i / run, end = to < (r + 1) * run ? to : (r + 1) * run;
		const rule q = rule_of(k, p, r);
		const cop_sums sums = cop_sums_of(c, (double)q.step);
		for (; i < end; i++) {
			const float u = x[i] / q.step;
			int32_t whole = cop_round_away(u);
			const float far = u - (float)whole;
			if (k[FQ_FROM] && (far > COP_UNSURE || far < -COP_UNSURE) && whole + q.zero >= q.lo && whole + q.zero <= q.hi) whole = cop_sum(&sums, i);
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
