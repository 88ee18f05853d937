/* SPDX-License-Identifier: Apache-2.0
 *
 * map - functions of one element (functions.h), and their gradients; the result may lie on the first operand. The function is chosen
 * once a call, so that each has a loop of its own.
 */
#include "kernel/map.h"
#include "kernel/math.h"

void cop_map_grad_f32(const cop_call *c);
void cop_map_i32(const cop_call *c);
void cop_map_u8(const cop_call *c);

/* ---- what expressions of functions.h are made of, beside math.h ---- */

static inline float softplus(float x) { return cop_maxf(x, 0.0f) + cop_log1pf(cop_expf(-cop_absf(x))); }
static inline float sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }

/* tanh(log(1 + e^x)), e^x as one quotient; past 20 it is 1. */
static inline float mish_gate(float x)
{
	float e = cop_expf(x), n = e * (e + 2.0f);
	return x > 20.0f ? 1.0f : n / (n + 2.0f);
}
static inline float mish_slope(float x)
{
	float g = mish_gate(x);
	return g + x * (1.0f - g * g) * cop_sigmoidf(x);
}
static inline float hardsigmoid_slope(float x, float alpha, float beta)
{
	float y = alpha * x + beta;
	return y > 0.0f && y < 1.0f ? alpha : 0.0f;
}

/* ---- a loop for each function ---- */

void cop_map_f32(const cop_call *c)
{
	const float *in = c->buf[1];
	float *out = c->buf[0], alpha = cop_f(c->k[FN_ALPHA]), beta = cop_f(c->k[FN_BETA]);
	int32_t from = cop_from(c, c->k[FN_COUNT], 16), to = cop_to(c, c->k[FN_COUNT], 16);

	switch (c->k[FN_FN]) {
#define FN(name, kind, onnx, n, a, b, value, gradient)                                                          \
	case MAP_##name:                                                                                        \
		for (int32_t i = from; i < to; i++) {                                                           \
			float x = in[i];                                                                        \
			out[i] = (value);                                                                       \
		}                                                                                               \
		return;
#include "kernel/functions.h"
#undef FN
	default: return;
	}
}

void cop_map_grad_f32(const cop_call *c)
{
	const float *above = c->buf[1], *in = c->buf[2];
	float *out = c->buf[0], alpha = cop_f(c->k[FN_ALPHA]), beta = cop_f(c->k[FN_BETA]);
	int32_t from = cop_from(c, c->k[FN_COUNT], 16), to = cop_to(c, c->k[FN_COUNT], 16);

	switch (c->k[FN_FN]) {
#define FN(name, kind, onnx, n, a, b, value, gradient)                                                          \
	case MAP_##name:                                                                                        \
		for (int32_t i = from; i < to; i++) {                                                           \
			float dy = above[i], x = in[i];                                                         \
			(void)dy, (void)x;                                                                      \
			out[i] = (gradient);                                                                    \
		}                                                                                               \
		return;
#include "kernel/functions.h"
#undef FN
	default: return;
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
