/* SPDX-License-Identifier: Apache-2.0
 *
 * dropout - element i stays where the hash of (SEED, step, NODE, i) is at least P 2^32. y may lie on x.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

void cop_dropout_f32(const cop_call *c);

void cop_dropout_f32(const cop_call *c)
{
	const int32_t *k = c->k, *step = c->buf[2];
	const float *x = c->buf[1], p = cop_f(k[DK_P]), scale = 1.0f / (1.0f - p);
	const uint32_t below = (uint32_t)(p * 4294967296.0f), seed = (uint32_t)k[DK_SEED], node = (uint32_t)k[DK_NODE], at = (uint32_t)*step;
	float *y = c->buf[0];
	int32_t from = cop_from(c, k[DK_COUNT], 16), to = cop_to(c, k[DK_COUNT], 16);

	COP_IVDEP for (int32_t i = from; i < to; i++)
		y[i] = cop_hash32(seed, at, node, (uint32_t)i) < below ? 0.0f : x[i] * scale;
}
