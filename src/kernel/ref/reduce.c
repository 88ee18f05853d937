/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce - x is walked once, in order, and each element joined to the result it belongs to; so every result is made in
 * ascending order of x. argmax - along one axis.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

void cop_reduce_f32(const cop_call *c);
void cop_reduce_i32(const cop_call *c);
void cop_reduce_i8(const cop_call *c);
void cop_reduce_i16(const cop_call *c);
void cop_argmax_f32(const cop_call *c);

/* Where the results of row r of x begin. */
static ptrdiff_t target(const int32_t *k, int32_t r)
{
	ptrdiff_t at = 0;

	for (int32_t i = k[RK_RANK] - 2; i >= 0; r /= k[RK_DIM + i], i--) at += (ptrdiff_t)(r % k[RK_DIM + i]) * k[RK_SB + i];
	return at;
}

static int32_t rows_of(const int32_t *k)
{
	int32_t rows = 1;

	for (int32_t i = 0; i < k[RK_RANK] - 1; i++) rows *= k[RK_DIM + i];
	return rows;
}

#define JOIN(EXPR)                                                                                              \
	for (int32_t r = 0; r < rows; r++, x += n) {                                                            \
		ptrdiff_t at = target(k, r);                                                                    \
		for (int32_t i = 0; i < n; i++, at += step) y[at] = (EXPR);                                     \
	}                                                                                                       \
	break

void cop_reduce_f32(const cop_call *c)
{
	const int32_t *k = c->k, n = k[RK_DIM + k[RK_RANK] - 1], rows = rows_of(k), fn = k[RK_FN];
	const float *x = c->buf[1];
	float *y = c->buf[0], start = fn == REDUCE_MAX ? -COP_INFF : fn == REDUCE_MIN ? COP_INFF : fn == REDUCE_PROD ? 1.0f : 0.0f;
	ptrdiff_t step = k[RK_SB + k[RK_RANK] - 1];

	for (int32_t i = 0; i < k[RK_COUNT]; i++) y[i] = start;
	switch (fn) {
	case REDUCE_MAX: JOIN(y[at] > x[i] ? y[at] : x[i]);
	case REDUCE_MIN: JOIN(y[at] < x[i] ? y[at] : x[i]);
	case REDUCE_PROD: JOIN(y[at] * x[i]);
	default: JOIN(y[at] + x[i]);
	}
	if (fn != REDUCE_MEAN) return;
	for (int32_t i = 0; i < k[RK_COUNT]; i++) y[i] = y[i] / (float)k[RK_OF];
}

void cop_reduce_i32(const cop_call *c)
{
	const int32_t *k = c->k, n = k[RK_DIM + k[RK_RANK] - 1], rows = rows_of(k), fn = k[RK_FN];
	const int32_t *x = c->buf[1];
	int32_t *y = c->buf[0], start = fn == REDUCE_MAX ? INT32_MIN : fn == REDUCE_MIN ? INT32_MAX : fn == REDUCE_PROD;
	ptrdiff_t step = k[RK_SB + k[RK_RANK] - 1];

	for (int32_t i = 0; i < k[RK_COUNT]; i++) y[i] = start;
	switch (fn) {
	case REDUCE_MAX: JOIN(y[at] > x[i] ? y[at] : x[i]);
	case REDUCE_MIN: JOIN(y[at] < x[i] ? y[at] : x[i]);
	case REDUCE_PROD: JOIN((int32_t)((uint32_t)y[at] * (uint32_t)x[i]));
	default: JOIN((int32_t)((uint32_t)y[at] + (uint32_t)x[i]));
	}
}

#define EXTREMES(NAME, T, LEAST, MOST)                                                                          \
	void cop_reduce_##NAME(const cop_call *c)                                                               \
	{                                                                                                       \
		const int32_t *k = c->k, n = k[RK_DIM + k[RK_RANK] - 1], rows = rows_of(k);                     \
		const T *x = c->buf[1];                                                                         \
		T *y = c->buf[0];                                                                               \
		ptrdiff_t step = k[RK_SB + k[RK_RANK] - 1];                                                     \
		for (int32_t i = 0; i < k[RK_COUNT]; i++) y[i] = (T)(k[RK_FN] == REDUCE_MAX ? LEAST : MOST);    \
		switch (k[RK_FN]) {                                                                             \
		case REDUCE_MAX: JOIN(y[at] > x[i] ? y[at] : x[i]);                                             \
		default: JOIN(y[at] < x[i] ? y[at] : x[i]);                                                     \
		}                                                                                               \
	}
EXTREMES(i8, int8_t, INT8_MIN, INT8_MAX)
EXTREMES(i16, int16_t, INT16_MIN, INT16_MAX)

void cop_argmax_f32(const cop_call *c)
{
	const int32_t *k = c->k, n = k[IK_N], inner = k[IK_INNER];
	const float *x = c->buf[1];
	int32_t *y = c->buf[0];

	for (int32_t o = 0; o < k[IK_OUTER]; o++, x += (ptrdiff_t)n * inner)
		for (int32_t i = 0; i < inner; i++) {
			int32_t best = 0;
			for (int32_t j = 1; j < n; j++) {
				float a = x[(ptrdiff_t)j * inner + i], b = x[(ptrdiff_t)best * inner + i];
				if (k[IK_LAST] ? a >= b : a > b) best = j;
			}
			*y++ = best;
		}
}
