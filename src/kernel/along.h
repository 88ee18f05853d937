/* SPDX-License-Identifier: Apache-2.0
 *
 * along.h - directions in the space of weights: number i of one belongs to (seed, step, weight, i), and is drawn again whenever it is wanted.
 */
#ifndef COP_KERNEL_ALONG_H
#define COP_KERNEL_ALONG_H

#include "kernel/math.h"

enum { COP_DRAW_NORMAL, COP_DRAW_SIGNS };

/* Of normal numbers (Box and Muller 1958; neighbours are a pair), or of 1 and -1, 32 to a draw. stream: of the weight. */
static inline float cop_along(uint32_t seed, uint32_t step, uint32_t stream, uint32_t i, int32_t draw)
{
	if (draw == COP_DRAW_SIGNS) return cop_hash32(seed, step, stream, i / 32) >> (i % 32) & 1 ? 1.0f : -1.0f;
	const float u = ((float)(cop_hash32(seed, step, stream, i & ~1u) >> 8) + 0.5f) * 0x1p-24f, v = (float)(cop_hash32(seed, step, stream, i | 1u) >> 8) * 0x1p-24f;
	return cop_sqrtf(-2.0f * cop_logf(u)) * cop_cosf(6.28318531f * v - (i & 1 ? 1.57079633f : 0.0f));
}

#endif
