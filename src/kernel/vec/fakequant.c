/* SPDX-License-Identifier: Apache-2.0
 *
 * fakequant - rounding as the integer network will do it, and its gradients, a vector at a time. Values and gradients of x are those of the portable
 * kernel; sums of the gradients of p are added in another order.
 */
#include "kernel/sums.h"
#include "kernel/vec/vmath.h"

enum { GRAIN = 64, BLOCK = 512 };

typedef struct rule { v step, lo, hi; } rule; /* lo, hi: less the zero point */

/* Ties away from zero, held within +-2^30; NaN is 0. */
AI v away(v q)
{
	q = choose(q == q, clamp(q, splat(-0x1p30f), splat(0x1p30f)), splat(0));
	const v whole = __builtin_convertvector(__builtin_convertvector(q, vi), v), rest = q - whole, one = splat(1);
	return choose(rest >= splat(0.5f), whole + one, choose(rest <= splat(-0.5f), whole - one, whole));
}

static rule rule_of(const int32_t *k, const float *p, int32_t r)
{
	const float given = p[k[FQ_OFFSET] ? 0 : r], least = cop_f(k[FQ_LEAST]), s = given > least ? given : least;
	int32_t zero = k[FQ_ZERO];

	if (k[FQ_OFFSET]) zero = cop_clampi(zero - cop_round_away(p[1] / s), k[FQ_LO], k[FQ_HI]);
	return (rule){splat(s), splat((float)(k[FQ_LO] - zero)), splat((float)(k[FQ_HI] - zero))};
}

typedef v fn(const rule *q, v dy, v x, v ewgs);

AI v rounded(const rule *q, v dy, v x, v ewgs)
{
	(void)dy, (void)ewgs;
	return q->step * clamp(away(x / q->step), q->lo, q->hi);
}

AI v through(const rule *q, v dy, v x, v ewgs)
{
	const v u = x / q->step, whole = away(u), far = u - whole;
	const vi beyond = (whole < q->lo) | (whole > q->hi);
	return choose(beyond, splat(0), dy * (splat(1) + ewgs * choose(dy < splat(0), -far, far)));
}

AI void each(const cop_call *c, float *y, const float *dy, const float *x, const float *p, fn *f)
{
	const int32_t *k = c->k, run = k[FQ_RUN], n = k[FQ_ROWS] * run, to = cop_to(c, n, GRAIN);
	const v ewgs = splat(cop_f(k[FQ_EWGS]));

	for (int32_t i = cop_from(c, n, GRAIN); i < to;) {
		const int32_t r = i / run, end = (int32_t)lmin(to, (long)(r + 1) * run);
		const rule q = rule_of(k, p, r);
		for (; i + VW <= end; i += VW) ST(y + i, f(&q, LD(dy + i), LD(x + i), ewgs));
		if (i < end) stn(y + i, f(&q, LD(dy + i), LD(x + i), ewgs), end - i);
		i = end;
	}
}

/* Near the middle between two integers, and within the range: beyond it both are clipped. */
AI vi unsure(const rule *q, v u, v whole)
{
	const v far = u - whole, most = splat(COP_UNSURE);
	return ((far > most) | (far < -most)) & (whole >= q->lo) & (whole <= q->hi);
}

void VN(fakequant_sums_f32)(const cop_call *c)
{
	const int32_t *k = c->k, run = k[FQ_RUN], n = k[FQ_ROWS] * run, to = cop_to(c, n, GRAIN);
	const float *x = c->buf[1], *p = c->buf[2];
	const unsigned of_sums = k[FQ_FROM] ? ~0u : 0; /* 0: x is any value */
	float *y = c->buf[0];

	for (int32_t i = cop_from(c, n, GRAIN); i < to;) {
		const int32_t r = i / run, end = (int32_t)lmin(to, (long)(r + 1) * run);
		const rule q = rule_of(k, p, r);
		const cop_sums sums = cop_sums_of(c, (double)q.step[0]);
		for (; i < end; i += VW) {
			const v u = ldn(x + i, lmin(end - i, VW)) / q.step;
			v whole = away(u);
			for (unsigned left = of_sums & bits_of(unsure(&q, u, whole)); left; left &= left - 1) {
				const int lane = __builtin_ctz(left);
				whole[lane] = (float)cop_sum(&sums, i + lane);
			}
			stn(y + i, q.step * clamp(whole, q.lo, q.hi), lmin(end - i, VW));
		}
		i = end;
	}
}

void VN(fakequant_f32)(const cop_call *c) { each(c, c->buf[0], c->buf[1], c->buf[1], c->buf[2], rounded); }
void VN(fakequant_dx_f32)(const cop_call *c) { each(c, c->buf[0], c->buf[1], c->buf[2], c->buf[3], through); }

void VN(fakequant_dp_f32)(const cop_call *c)
{
	const int32_t *k = c->k, run = k[FQ_RUN];
	const float *dy = c->buf[1], *x = c->buf[2], *p = c->buf[3], by = cop_f(k[FQ_GRAD]);
	float *dp = c->buf[0];

	for (int32_t r = 0; r < k[FQ_ROWS]; r++) {
		const rule q = rule_of(k, p, r);
		float step = 0, offset = 0;
		for (int32_t at = 0; at < run; at += BLOCK) {
			const long from = (long)r * run + at, n = lmin(run - at, BLOCK);
			v sum = splat(0), out = splat(0);
			for (long i = 0; i < n; i += VW) {
				const v g = ldn(dy + from + i, lmin(n - i, VW));
				const v u = ldn(x + from + i, lmin(n - i, VW)) / q.step, whole = away(u); /* lanes beyond are 0 */
				const vi below = whole < q.lo, above = whole > q.hi;
				sum += g * choose(below, q.lo, choose(above, q.hi, whole - u));
				out += choose(below | above, g, splat(0));
			}
			step += vsum(sum);
			offset += vsum(out);
		}
		dp[r] = step * by;
		if (k[FQ_OFFSET]) dp[1] = offset * by;
	}
}
