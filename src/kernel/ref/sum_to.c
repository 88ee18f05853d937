/* SPDX-License-Identifier: Apache-2.0
 *
 * sum_to - sums x over the axes on which y repeats. x is walked once, in order, so that every sum is
 * 0 + x0 + x1 + ... in ascending order: the definition of the result.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

void cop_sum_to_f32(const cop_call *c);

void cop_sum_to_f32(const cop_call *c)
{
	const int32_t *k = c->k, *dim = k + RK_DIM, *sy = k + RK_SB, last = k[RK_RANK] - 1, n = dim[last];
	const float *x = c->buf[1];
	float *y = c->buf[0];
	int32_t rows = 1;

	for (int32_t i = 0; i < k[RK_COUNT]; i++) y[i] = 0;
	for (int32_t i = 0; i < last; i++) rows *= dim[i];
	for (int32_t r = 0; r < rows; r++, x += n) {
		int32_t q = r, at = 0;
		for (int32_t i = last - 1; i > 0; i--) {
			at += q % dim[i] * sy[i];
			q /= dim[i];
		}
		float *to = y + at + (last ? q * sy[0] : 0);
		if (sy[last]) {
			COP_IVDEP for (int32_t i = 0; i < n; i++) to[i] += x[i];
		} else {
			float s = *to;
			for (int32_t i = 0; i < n; i++) s += x[i];
			*to = s;
		}
	}
}
