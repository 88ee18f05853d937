/* SPDX-License-Identifier: Apache-2.0
 *
 * Two operands with broadcasting: extremes, powers, remainders, comparisons and logic, and the arithmetic of I32. As in
 * binary.c the last axis of an operand runs with stride 1 or repeats. Division by 0 of integers gives 0; sums and products wrap.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

typedef void row_fn(void *y, const void *a, const void *b, int32_t n, int32_t sa, int32_t sb);

/* sy, so: bytes of an element of the result, of an operand. */
static void over_rows(const cop_call *c, row_fn *row, int32_t sy, int32_t so)
{
	const int32_t *k = c->k, *dim = k + BK_DIM, last = k[BK_RANK] - 1, n = dim[last], sa = k[BK_SA + last], sb = k[BK_SB + last];
	const char *a = c->buf[1], *b = c->buf[2];
	char *y = c->buf[0];
	int32_t rows = 1;

	if (last == 0) { /* one long row: cut along it */
		ptrdiff_t from = cop_from(c, n, 16), to = cop_to(c, n, 16);
		row(y + from * sy, a + (sa ? from * so : 0), b + (sb ? from * so : 0), (int32_t)(to - from), sa, sb);
		return;
	}
	for (int32_t i = 0; i < last; i++) rows *= dim[i];
	for (int32_t r = cop_from(c, rows, 1), end = cop_to(c, rows, 1); r < end; r++) {
		int32_t q = r;
		ptrdiff_t oa = 0, ob = 0;
		for (int32_t i = last - 1; i >= 0; i--) {
			int32_t j = i ? q % dim[i] : q;
			q /= dim[i];
			oa += (ptrdiff_t)j * k[BK_SA + i];
			ob += (ptrdiff_t)j * k[BK_SB + i];
		}
		row(y + (ptrdiff_t)r * n * sy, a + oa * so, b + ob * so, n, sa, sb);
	}
}

/* p, q: an element of each operand. */
#define PAIR(NAME, T, R, EXPR)                                                                                  \
	static void NAME##_row(void *to, const void *first, const void *second, int32_t n, int32_t sa, int32_t sb) \
	{                                                                                                       \
		const T *a = first, *b = second;                                                                \
		R *y = to;                                                                                      \
		for (int32_t i = 0; i < n; i++) {                                                               \
			T p = a[sa ? i : 0], q = b[sb ? i : 0];                                                 \
			y[i] = (R)(EXPR);                                                                       \
		}                                                                                               \
	}                                                                                                       \
	void cop_##NAME(const cop_call *c);                                                                     \
	void cop_##NAME(const cop_call *c) { over_rows(c, NAME##_row, sizeof(R), sizeof(T)); }

/* As C's fmod: the sign of p. */
static inline float fmod_of(float p, float q)
{
	float n = p / q, whole = n < 0.0f ? -cop_floorf(-n) : cop_floorf(n);
	return p - whole * q;
}
/* The sign of q. */
static inline int32_t mod_of(int32_t p, int32_t q)
{
	int32_t r = q == 0 || q == -1 ? 0 : p % q;
	return r && (r < 0) != (q < 0) ? r + q : r;
}
static inline int32_t div_of(int32_t p, int32_t q) { return q == 0 ? 0 : q == -1 ? (int32_t)(0u - (uint32_t)p) : p / q; }

PAIR(max_f32, float, float, p > q || p != p ? p : q)
PAIR(min_f32, float, float, p < q || p != p ? p : q)
PAIR(pow_f32, float, float, cop_powf(p, q))
PAIR(mod_f32, float, float, fmod_of(p, q))
PAIR(equal_f32, float, uint8_t, p == q)
PAIR(less_f32, float, uint8_t, p < q)
PAIR(greater_f32, float, uint8_t, p > q)
PAIR(lessequal_f32, float, uint8_t, p <= q)
PAIR(greaterequal_f32, float, uint8_t, p >= q)
PAIR(add_i32, int32_t, int32_t, (uint32_t)p + (uint32_t)q)
PAIR(sub_i32, int32_t, int32_t, (uint32_t)p - (uint32_t)q)
PAIR(mul_i32, int32_t, int32_t, (uint32_t)p * (uint32_t)q)
PAIR(div_i32, int32_t, int32_t, div_of(p, q))
PAIR(max_i32, int32_t, int32_t, p > q ? p : q)
PAIR(min_i32, int32_t, int32_t, p < q ? p : q)
PAIR(max_i8, int8_t, int8_t, p > q ? p : q)
PAIR(min_i8, int8_t, int8_t, p < q ? p : q)
PAIR(max_i16, int16_t, int16_t, p > q ? p : q)
PAIR(min_i16, int16_t, int16_t, p < q ? p : q)
PAIR(mod_i32, int32_t, int32_t, mod_of(p, q))
PAIR(equal_i32, int32_t, uint8_t, p == q)
PAIR(less_i32, int32_t, uint8_t, p < q)
PAIR(greater_i32, int32_t, uint8_t, p > q)
PAIR(lessequal_i32, int32_t, uint8_t, p <= q)
PAIR(greaterequal_i32, int32_t, uint8_t, p >= q)
PAIR(and_u8, uint8_t, uint8_t, p && q)
PAIR(or_u8, uint8_t, uint8_t, p || q)
PAIR(xor_u8, uint8_t, uint8_t, !p != !q)
