/* SPDX-License-Identifier: Apache-2.0
 *
 * map - those functions of one element that networks spend time in. As in eltwise.c the result may lie on the operand.
 */
#include "kernel/map.h"
#include "kernel/vec/vmath.h"

enum { GRAIN = 64, RUN = 4 };

typedef v fn1(v x, v alpha, v beta);

AI void each(const cop_call *c, fn1 *f)
{
	const long to = cop_to(c, c->k[FN_COUNT], GRAIN);
	long i = cop_from(c, c->k[FN_COUNT], GRAIN);
	const v alpha = splat(cop_f(c->k[FN_ALPHA])), beta = splat(cop_f(c->k[FN_BETA]));
	float *y = c->buf[0];
	const float *x = c->buf[1];

	for (; i + RUN * VW <= to; i += RUN * VW) {
		UNROLL
		for (int j = 0; j < RUN * VW; j += VW) ST(y + i + j, f(LD(x + i + j), alpha, beta));
	}
	for (; i < to; i += VW) put(y + i, f(LD(x + i), alpha, beta), lmin(to - i, VW));
}

#define FN(NAME, EXPR)                                                                                          \
	AI v NAME(v x, v alpha, v beta)                                                                         \
	{                                                                                                       \
		(void)alpha, (void)beta;                                                                        \
		return (EXPR);                                                                                  \
	}
FN(negative, -x)
FN(magnitude, vabs(x))
FN(exponential, vexp(x))
FN(logarithm, vlog(x))
FN(rounded, vround(x))
FN(sign, choose(x == 0.0f, x, choose(x != x, x, vsign(splat(1.0f), x))))
FN(root, vsqrt(x))
FN(reciprocal, 1.0f / x)
FN(error, verf(x))
FN(softsign, x / (1.0f + vabs(x)))
FN(leakyrelu, choose(x < 0.0f, alpha * x, x))
FN(hardsigmoid, clamp(alpha * x + beta, splat(0.0f), splat(1.0f)))

/* tanh(log(1 + e^x)) is n / (n + 2) with n = e^x (e^x + 2), and 1 past 20. */
AI v mish(v x, v alpha, v beta)
{
	const v e = vexp(x), n = e * (e + 2.0f);

	(void)alpha, (void)beta;
	return choose(x > 20.0f, x, x * (n / (n + 2.0f)));
}

bool VN(map_fits)(const int32_t *k)
{
	switch (k[FN_FN]) {
	case MAP_NEG: case MAP_ABS: case MAP_EXP: case MAP_LOG: case MAP_ROUND: case MAP_SIGN: case MAP_SQRT: case MAP_RECIPROCAL: case MAP_ERF: case MAP_SOFTSIGN: case MAP_LEAKYRELU:
	case MAP_HARDSIGMOID: case MAP_MISH: return true;
	default: return false;
	}
}

void VN(map_f32)(const cop_call *c)
{
	switch (c->k[FN_FN]) {
	case MAP_NEG: each(c, negative); break;
	case MAP_ABS: each(c, magnitude); break;
	case MAP_EXP: each(c, exponential); break;
	case MAP_LOG: each(c, logarithm); break;
	case MAP_ROUND: each(c, rounded); break;
	case MAP_SIGN: each(c, sign); break;
	case MAP_SQRT: each(c, root); break;
	case MAP_RECIPROCAL: each(c, reciprocal); break;
	case MAP_ERF: each(c, error); break;
	case MAP_SOFTSIGN: each(c, softsign); break;
	case MAP_LEAKYRELU: each(c, leakyrelu); break;
	case MAP_HARDSIGMOID: each(c, hardsigmoid); break;
	default: each(c, mish);
	}
}

/* ---- gradients: dy times the slope at x ---- */

AI void each_slope(const cop_call *c, v (*f)(v dy, v x))
{
	const long to = cop_to(c, c->k[FN_COUNT], GRAIN);
	float *out = c->buf[0];
	const float *dy = c->buf[1], *x = c->buf[2];

	for (long i = cop_from(c, c->k[FN_COUNT], GRAIN); i < to; i += VW) {
		const long n = lmin(to - i, VW);
		put(out + i, f(n == VW ? LD(dy + i) : ldn(dy + i, n), n == VW ? LD(x + i) : ldn(x + i, n)), n);
	}
}

AI v slope_abs(v dy, v x) { return dy * sign(x, x, x); }
AI v slope_exp(v dy, v x) { return dy * vexp(x); }
AI v slope_log(v dy, v x) { return dy / x; }

bool VN(map_grad_fits)(const int32_t *k) { return k[FN_FN] == MAP_ABS || k[FN_FN] == MAP_EXP || k[FN_FN] == MAP_LOG; }

void VN(map_grad_f32)(const cop_call *c)
{
	switch (c->k[FN_FN]) {
	case MAP_ABS: each_slope(c, slope_abs); break;
	case MAP_EXP: each_slope(c, slope_exp); break;
	default: each_slope(c, slope_log);
	}
}
