/* SPDX-License-Identifier: Apache-2.0
 *
 * eltwise_loss - sums over all elements: sumsq, mse, and the gradient of mse.
 *
 * A sum runs in blocks: eight chains of vectors within one, then the lanes, then the blocks one after the other. The order
 * follows from the count alone; nothing here is cut but the gradient.
 */
#include "kernel/vec/vmath.h"

enum { BLOCK = 8192, CHAINS = 8 };

/* The sum over n <= BLOCK elements of (x - t)^2, or x^2 without t. */
AI float block_sum(const bool with_t, const float *x, const float *t, long n)
{
	v acc[CHAINS];
	long i = 0;

	UNROLL
	for (int j = 0; j < CHAINS; j++) acc[j] = (v){0};
	for (; i + CHAINS * VW <= n; i += CHAINS * VW) {
		UNROLL
		for (int j = 0; j < CHAINS; j++) {
			const v d = with_t ? LD(x + i + j * VW) - LD(t + i + j * VW) : LD(x + i + j * VW);
			acc[j] += d * d;
		}
	}
	for (; i < n; i += VW) {
		const long left = lmin(VW, n - i);
		const v d = with_t ? ldn(x + i, left) - ldn(t + i, left) : ldn(x + i, left);
		acc[0] += d * d;
	}
	return vsum(((acc[0] + acc[1]) + (acc[2] + acc[3])) + ((acc[4] + acc[5]) + (acc[6] + acc[7])));
}

void VN(sumsq_f32)(const cop_call *c)
{
	const float *x = c->buf[1];
	float sum = 0;

	for (long i = 0; i < c->k[LK_COUNT]; i += BLOCK) sum += block_sum(false, x + i, x + i, lmin(BLOCK, c->k[LK_COUNT] - i));
	*(float *)c->buf[0] = sum;
}

void VN(mse_f32)(const cop_call *c)
{
	const float *x = c->buf[1], *t = c->buf[2];
	float sum = 0;

	for (long i = 0; i < c->k[LK_COUNT]; i += BLOCK) sum += block_sum(true, x + i, t + i, lmin(BLOCK, c->k[LK_COUNT] - i));
	*(float *)c->buf[0] = sum / (float)c->k[LK_COUNT];
}

void VN(mse_grad_f32)(const cop_call *c)
{
	const int32_t count = c->k[LK_COUNT], to = cop_to(c, count, 64);
	const v scale = splat(2.0f / (float)count * *(const float *)c->buf[3]);
	const float *x = c->buf[1], *t = c->buf[2];
	float *dx = c->buf[0];

	for (long i = cop_from(c, count, 64); i < to; i += VW) put(dx + i, (LD(x + i) - LD(t + i)) * scale, lmin(VW, to - i));
}
