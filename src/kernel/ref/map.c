/* SPDX-License-Identifier: Apache-2.0
 *
 * map - functions of one element, and their slopes; the result may lie on the first operand. The function is chosen once a
 * call, so that each has a loop of its own.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

void cop_map_f32(const cop_call *c);
void cop_map_grad_f32(const cop_call *c);
void cop_map_i32(const cop_call *c);
void cop_map_u8(const cop_call *c);

#define EACH(EXPR)                                                                                              \
	for (int32_t i = from; i < to; i++) {                                                                   \
		float x = in[i];                                                                                \
		out[i] = (EXPR);                                                                                \
	}                                                                                                       \
	return

static inline float softplus(float x) { return cop_maxf(x, 0.0f) + cop_log1pf(cop_expf(-cop_absf(x))); }
static inline float sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }

/* tanh(log(1 + e^x)), e^x as one quotient; past 20 it is 1. */
static inline float mish_gate(float x)
{
	float e = cop_expf(x), n = e * (e + 2.0f);
	return x > 20.0f ? 1.0f : n / (n + 2.0f);
}

void cop_map_f32(const cop_call *c)
{
	const float *in = c->buf[1];
	float *out = c->buf[0], alpha = cop_f(c->k[FN_ALPHA]), beta = cop_f(c->k[FN_BETA]);
	int32_t from = cop_from(c, c->k[FN_COUNT], 16), to = cop_to(c, c->k[FN_COUNT], 16);

	switch (c->k[FN_FN]) {
	case MAP_NEG: EACH(-x);
	case MAP_ABS: EACH(cop_absf(x));
	case MAP_EXP: EACH(cop_expf(x));
	case MAP_LOG: EACH(cop_logf(x));
	case MAP_SQRT: EACH(cop_sqrtf(x));
	case MAP_RECIPROCAL: EACH(1.0f / x);
	case MAP_ERF: EACH(cop_erff(x));
	case MAP_FLOOR: EACH(cop_floorf(x));
	case MAP_CEIL: EACH(cop_ceilf(x));
	case MAP_ROUND: EACH(cop_roundf(x));
	case MAP_SIGN: EACH(sign(x));
	case MAP_SOFTPLUS: EACH(softplus(x));
	case MAP_SOFTSIGN: EACH(x / (1.0f + cop_absf(x)));
	case MAP_ELU: EACH(x < 0.0f ? alpha * cop_expm1f(x) : x);
	case MAP_CELU: EACH(x < 0.0f ? alpha * cop_expm1f(x / alpha) : x);
	case MAP_LEAKYRELU: EACH(x < 0.0f ? alpha * x : x);
	case MAP_HARDSIGMOID: EACH(cop_clampf(alpha * x + beta, 0.0f, 1.0f));
	case MAP_MISH: EACH(x * mish_gate(x));
	case MAP_THRESHOLDEDRELU: EACH(x > alpha ? x : 0.0f);
	case MAP_SIN: EACH(cop_sinf(x));
	case MAP_COS: EACH(cop_cosf(x));
	case MAP_ATAN: EACH(cop_atanf(x));
	default: EACH(x);
	}
}

static inline float softsign_slope(float x)
{
	float d = 1.0f + cop_absf(x);
	return 1.0f / (d * d);
}
static inline float hardsigmoid_slope(float x, float alpha, float beta)
{
	float y = alpha * x + beta;
	return y > 0.0f && y < 1.0f ? alpha : 0.0f;
}
static inline float mish_slope(float x)
{
	float g = mish_gate(x);
	return g + x * (1.0f - g * g) * cop_sigmoidf(x);
}

#define SLOPE(EXPR) EACH(dy[i] * (EXPR))

void cop_map_grad_f32(const cop_call *c)
{
	const float *dy = c->buf[1], *in = c->buf[2];
	float *out = c->buf[0], alpha = cop_f(c->k[FN_ALPHA]), beta = cop_f(c->k[FN_BETA]);
	int32_t from = cop_from(c, c->k[FN_COUNT], 16), to = cop_to(c, c->k[FN_COUNT], 16);

	switch (c->k[FN_FN]) {
	case MAP_NEG:
		for (int32_t i = from; i < to; i++) out[i] = -dy[i];
		return;
	case MAP_ABS: SLOPE(sign(x));
	case MAP_EXP: SLOPE(cop_expf(x));
	case MAP_LOG: EACH(dy[i] / x);
	case MAP_SQRT: EACH(0.5f * dy[i] / cop_sqrtf(x));
	case MAP_RECIPROCAL: EACH(-dy[i] / (x * x));
	case MAP_ERF: SLOPE(1.12837917f * cop_expf(-x * x));
	case MAP_SOFTPLUS: SLOPE(cop_sigmoidf(x));
	case MAP_SOFTSIGN: SLOPE(softsign_slope(x));
	case MAP_ELU: SLOPE(x < 0.0f ? alpha * cop_expf(x) : 1.0f);
	case MAP_CELU: SLOPE(x < 0.0f ? cop_expf(x / alpha) : 1.0f);
	case MAP_LEAKYRELU: SLOPE(x < 0.0f ? alpha : 1.0f);
	case MAP_HARDSIGMOID: SLOPE(hardsigmoid_slope(x, alpha, beta));
	case MAP_MISH: SLOPE(mish_slope(x));
	case MAP_THRESHOLDEDRELU: EACH(x > alpha ? dy[i] : 0.0f);
	case MAP_SIN: SLOPE(cop_cosf(x));
	case MAP_COS: SLOPE(-cop_sinf(x));
	case MAP_ATAN: EACH(dy[i] / (1.0f + x * x));
	default: EACH(0.0f * x); /* the steps */
	}
}

void cop_map_i32(const cop_call *c)
{
	const int32_t *in = c->buf[1];
	int32_t *out = c->buf[0], fn = c->k[FN_FN];

	for (int32_t i = cop_from(c, c->k[FN_COUNT], 16), to = cop_to(c, c->k[FN_COUNT], 16); i < to; i++) {
		int32_t x = in[i], minus = (int32_t)(0u - (uint32_t)x);
		out[i] = fn == MAP_NEG ? minus : fn == MAP_ABS ? (x < 0 ? minus : x) : (x > 0) - (x < 0);
	}
}

/* not */
void cop_map_u8(const cop_call *c)
{
	const uint8_t *in = c->buf[1];
	uint8_t *out = c->buf[0];

	for (int32_t i = cop_from(c, c->k[FN_COUNT], 16), to = cop_to(c, c->k[FN_COUNT], 16); i < to; i++) out[i] = !in[i];
}
