/* SPDX-License-Identifier: Apache-2.0
 *
 * matmul - y[b,m,n] = sum over k ascending of a[b,m,k] b[b,k,n]; either operand may lie transposed or be shared.
 */
#include "kernel/kernel.h"

void cop_matmul_f32(const cop_call *c)
{
	const int32_t *k = c->k;
	float *y = c->buf[0];
	int32_t m = k[MK_M], n = k[MK_N], depth = k[MK_K], rows = k[MK_BATCH] * m, from = cop_from(c, rows, 1),
	        to = cop_to(c, rows, 1);
	int32_t ai = k[MK_TA] ? 1 : depth, ak = k[MK_TA] ? m : 1, bk = k[MK_TB] ? 1 : n, bj = k[MK_TB] ? depth : 1;

	for (int32_t r = from; r < to; r++) {
		const float *a =
		        (const float *)c->buf[1] + (size_t)(r / m) * (size_t)k[MK_SA] + (size_t)(r % m) * (size_t)ai;
		const float *b = (const float *)c->buf[2] + (size_t)(r / m) * (size_t)k[MK_SB];
		for (int32_t j = 0; j < n; j++) {
			float s = 0;
			for (int32_t i = 0; i < depth; i++)
				s += a[(size_t)i * (size_t)ak] * b[(size_t)i * (size_t)bk + (size_t)j * (size_t)bj];
			y[(size_t)r * (size_t)n + (size_t)j] = s;
		}
	}
}
