/* SPDX-License-Identifier: Apache-2.0
 *
 * clip, sigmoid, tanh, gelu, hswish and their gradients, element by element; the result may lie on the first
 * operand. What a gradient reads beside dy is the result (clip, sigmoid, tanh) or the input (gelu, hswish).
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

/* x: the element. */
#define UNARY(NAME, EXPR)                                                                                       \
	void cop_##NAME##_f32(const cop_call *c);                                                               \
	void cop_##NAME##_f32(const cop_call *c)                                                                \
	{                                                                                                       \
		const float *in = c->buf[1];                                                                    \
		float *out = c->buf[0];                                                                         \
		int32_t from = cop_from(c, c->k[UK_COUNT], 16), to = cop_to(c, c->k[UK_COUNT], 16);             \
		for (int32_t i = from; i < to; i++) {                                                           \
			float x = in[i];                                                                        \
			out[i] = (EXPR);                                                                        \
		}                                                                                               \
	}

/* x: the kept element; the result is dy times EXPR. */
#define UNARY_GRAD(NAME, EXPR)                                                                                  \
	void cop_##NAME##_grad_f32(const cop_call *c);                                                          \
	void cop_##NAME##_grad_f32(const cop_call *c)                                                           \
	{                                                                                                       \
		const float *dy = c->buf[1], *in = c->buf[2];                                                   \
		float *out = c->buf[0];                                                                         \
		int32_t from = cop_from(c, c->k[UK_COUNT], 16), to = cop_to(c, c->k[UK_COUNT], 16);             \
		for (int32_t i = from; i < to; i++) {                                                           \
			float x = in[i];                                                                        \
			out[i] = dy[i] * (EXPR);                                                                \
		}                                                                                               \
	}

static inline float gelu_slope(float x)
{
	return 0.5f * (1.0f + cop_erff(x * 0.707106781f)) + x * 0.398942280f * cop_expf(-0.5f * x * x);
}

/* 0 below -3, 1 above 3 and at it. */
static inline float hswish_slope(float x)
{
	float s = x * 0.333333333f + 0.5f;

	s = x <= -3.0f ? 0.0f : s;
	return x >= 3.0f ? 1.0f : s;
}

UNARY(sigmoid, cop_sigmoidf(x))
UNARY(tanh, cop_tanhf(x))
UNARY(gelu, 0.5f * x * (1.0f + cop_erff(x * 0.707106781f)))
UNARY(hswish, x * cop_clampf(x + 3.0f, 0.0f, 6.0f) * 0.166666667f)
UNARY_GRAD(sigmoid, x * (1.0f - x))
UNARY_GRAD(tanh, 1.0f - x * x)
UNARY_GRAD(gelu, gelu_slope(x))
UNARY_GRAD(hswish, hswish_slope(x))

void cop_clip_f32(const cop_call *c);
void cop_clip_grad_f32(const cop_call *c);

void cop_clip_f32(const cop_call *c)
{
	const float *x = c->buf[1], lo = cop_f(c->k[UK_LO]), hi = cop_f(c->k[UK_HI]);
	float *y = c->buf[0];
	int32_t from = cop_from(c, c->k[UK_COUNT], 16), to = cop_to(c, c->k[UK_COUNT], 16);

	COP_IVDEP for (int32_t i = from; i < to; i++) y[i] = cop_clampf(x[i], lo, hi);
}

/* dy where the result is strictly between the bounds. A choice, not a product: an infinite dy stays out. */
void cop_clip_grad_f32(const cop_call *c)
{
	const float *dy = c->buf[1], *y = c->buf[2], lo = cop_f(c->k[UK_LO]), hi = cop_f(c->k[UK_HI]);
	float *dx = c->buf[0];
	int32_t from = cop_from(c, c->k[UK_COUNT], 16), to = cop_to(c, c->k[UK_COUNT], 16);

	COP_IVDEP for (int32_t i = from; i < to; i++)
	{
		float v = y[i] > lo ? dy[i] : 0.0f;
		dx[i] = y[i] < hi ? v : 0.0f;
	}
}
