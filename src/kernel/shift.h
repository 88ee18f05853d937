/* SPDX-License-Identifier: Apache-2.0
 *
 * shift.h - int8 weights that are 0 or a power of two up to 64, of either sign, in four bits: the sign, above one more than the
 * exponent, which is 0 for 0. Two to a byte, the low half first; each filter begins at a byte.
 *
 * Or as lists, a filter after the other: of each block of 255 taps, how many have 64, -64, 32, -32 ... 1, -1, a byte each, then where in the block
 * these taps are, in that order.
 */
#ifndef COP_SHIFT_H
#define COP_SHIFT_H

#include "kernel/kernel.h"

enum { COP_SHIFT_MINUS = 8 };

/* Longer filters could overflow twice their sum: 128 x 64 x 2 x 2^17 = 2^31. */
enum { COP_SHIFT_TAPS = (1 << 17) - 1 };

enum { COP_SHIFT_CODES = 1, COP_SHIFT_LISTS = 2 }; /* QK_SHIFT */
enum { COP_SHIFT_BLOCK = 255, COP_SHIFT_COUNTS = 14 };

static inline int32_t cop_shift_row(int32_t taps) { return (taps + 1) / 2; }

/* The code of a weight; below 0: it has none. */
static inline int32_t cop_shift_code(int32_t w)
{
	int32_t size = w < 0 ? -w : w, power = 0;

	if (size & (size - 1) || size > 64) return -1;
	for (; size; size >>= 1) power++;
	return power | (w < 0 ? COP_SHIFT_MINUS : 0);
}

#endif
