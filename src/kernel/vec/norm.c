/* SPDX-License-Identifier: Apache-2.0
 *
 * layernorm - row by row, the sums in vector lanes and then over the lanes, in one order; y may lie on x.
 */
#include "kernel/vec/vmath.h"

/* Sum of x, or of the squares of x - mean, over a row; lanes behind its end do not count. */
AI float row_sum(const float *x, long n, const bool squares, v mean)
{
	v sum = {0};
	long i = 0;

	for (; i + VW <= n; i += VW) {
		const v d = LD(x + i) - mean;
		sum += squares ? d * d : d;
	}
	if (i < n) {
		const v d = LD(x + i) - mean;
		sum += (v)((vi)(squares ? d * d : d) & (lanes() < splati((int32_t)(n - i))));
	}
	return vsum(sum);
}

AI void scale_row(float *y, const float *x, long n, v mean, v scale, const float *gamma, const float *beta)
{
	for (long i = 0; i < n; i += VW) {
		v r = (LD(x + i) - mean) * scale;
		if (gamma) r *= LD(gamma + i);
		if (beta) r += LD(beta + i);
		put(y + i, r, lmin(VW, n - i));
	}
}

void VN(layernorm_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long n = k[LN_C], end = cop_to(c, k[LN_ROWS], 1);

	for (long r = cop_from(c, k[LN_ROWS], 1); r < end; r++) {
		const float *x = (const float *)c->buf[1] + r * n;
		const v mean = splat(k[LN_RMS] ? 0.0f : row_sum(x, n, false, (v){0}) / (float)n);
		const float var = row_sum(x, n, true, mean) / (float)n;
		scale_row((float *)c->buf[0] + r * n, x, n, mean, splat(1.0f / cop_sqrtf(var + cop_f(k[LN_EPS]))), c->buf[2], c->buf[3]);
	}
}
