/* SPDX-License-Identifier: Apache-2.0
 *
 * layernorm - row by row: the mean, then the variance about it, then the result, which may lie on the operand.
 * lrn - each channel divided by a power of the squares around it.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

void cop_layernorm_f32(const cop_call *c);
void cop_lrn_f32(const cop_call *c);

void cop_layernorm_f32(const cop_call *c)
{
	const int32_t *k = c->k, n = k[LN_C];
	const float *gamma = c->buf[2], *beta = c->buf[3];

	for (int32_t r = cop_from(c, k[LN_ROWS], 1), end = cop_to(c, k[LN_ROWS], 1); r < end; r++) {
		const float *x = (const float *)c->buf[1] + (ptrdiff_t)r * n;
		float *y = (float *)c->buf[0] + (ptrdiff_t)r * n, mean = 0.0f, var = 0.0f;
		for (int32_t i = 0; !k[LN_RMS] && i < n; i++) mean += x[i];
		mean /= (float)n;
		for (int32_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean);
		float scale = 1.0f / cop_sqrtf(var / (float)n + cop_f(k[LN_EPS]));
		for (int32_t i = 0; i < n; i++) {
			float v = (x[i] - mean) * scale;
			v = gamma ? v * gamma[i] : v;
			y[i] = beta ? v + beta[i] : v;
		}
	}
}

void cop_lrn_f32(const cop_call *c)
{
	const int32_t *k = c->k, n = k[LR_C], before = (k[LR_SIZE] - 1) / 2;
	float share = cop_f(k[LR_ALPHA]) / (float)k[LR_SIZE];

	for (int32_t r = cop_from(c, k[LR_ROWS], 1), end = cop_to(c, k[LR_ROWS], 1); r < end; r++) {
		const float *x = (const float *)c->buf[1] + (ptrdiff_t)r * n;
		float *y = (float *)c->buf[0] + (ptrdiff_t)r * n;
		for (int32_t i = 0; i < n; i++) {
			int32_t from = i - before, to = from + k[LR_SIZE];
			float sum = 0.0f;
			for (int32_t j = from < 0 ? 0 : from; j < to && j < n; j++) sum += x[j] * x[j];
			y[i] = x[i] * cop_powf(cop_f(k[LR_K]) + share * sum, -cop_f(k[LR_BETA]));
		}
	}
}
