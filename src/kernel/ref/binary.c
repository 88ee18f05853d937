/* SPDX-License-Identifier: Apache-2.0
 *
 * add, sub, mul, div - y = clamp(a op b) with broadcasting. After merging, the last axis of an operand runs with
 * stride 1 or repeats with stride 0, so that four plain loops cover every shape; y may lie on a.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

typedef void row_fn(float *y, const float *a, const float *b, int32_t n, int32_t sa, int32_t sb, float lo, float hi);

static void over_rows(const cop_call *c, row_fn *row)
{
	const int32_t *k = c->k, *dim = k + BK_DIM, last = k[BK_RANK] - 1;
	const float *a = c->buf[1], *b = c->buf[2], lo = cop_f(k[BK_LO]), hi = cop_f(k[BK_HI]);
	float *y = c->buf[0];
	int32_t n = dim[last], sa = k[BK_SA + last], sb = k[BK_SB + last], rows = 1;

	if (last == 0) { /* one long row: cut along it */
		int32_t from = cop_from(c, n, 16), to = cop_to(c, n, 16);
		row(y + from, a + (sa ? from : 0), b + (sb ? from : 0), to - from, sa, sb, lo, hi);
		return;
	}
	for (int32_t i = 0; i < last; i++) rows *= dim[i];
	for (int32_t r = cop_from(c, rows, 1), end = cop_to(c, rows, 1); r < end; r++) {
		int32_t q = r, oa = 0, ob = 0;
		for (int32_t i = last - 1; i > 0; i--) {
			int32_t j = q % dim[i];
			q /= dim[i];
			oa += j * k[BK_SA + i];
			ob += j * k[BK_SB + i];
		}
		oa += q * k[BK_SA];
		ob += q * k[BK_SB];
		row(y + (size_t)r * n, a + oa, b + ob, n, sa, sb, lo, hi);
	}
}

#define LOOP(A, OP, B) \
	COP_IVDEP for (int32_t i = 0; i < n; i++) y[i] = cop_clampf((A)OP(B), lo, hi)
#define BINARY(NAME, OP)                                                                                        \
	static void NAME##_row(float *y, const float *a, const float *b, int32_t n, int32_t sa, int32_t sb, float lo, float hi) \
	{                                                                                                       \
		const float a0 = *a, b0 = *b;                                                                   \
		if (sa && sb) LOOP(a[i], OP, b[i]);                                                             \
		else if (sa) LOOP(a[i], OP, b0);                                                                \
		else if (sb) LOOP(a0, OP, b[i]);                                                                \
		else LOOP(a0, OP, b0);                                                                          \
	}                                                                                                       \
	void cop_##NAME##_f32(const cop_call *c) { over_rows(c, NAME##_row); }

void cop_add_f32(const cop_call *c);
void cop_sub_f32(const cop_call *c);
void cop_mul_f32(const cop_call *c);
void cop_div_f32(const cop_call *c);

BINARY(add, +)
BINARY(sub, -)
BINARY(mul, *)
BINARY(div, /)
