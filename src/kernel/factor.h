/* SPDX-License-Identifier: Apache-2.0
 *
 * factor.h - a real factor as the integer that kernels multiply by (quant.h): the same numbers while a network is
 * trained with rounding (ref/fakequant.c) and when its integers are made (op/qscale.c).
 */
#ifndef COP_FACTOR_H
#define COP_FACTOR_H

#include "kernel/quant.h"

/* Words of a fakequant behind those of kernel.h, of a value that is a sum of integers; buffers y | x p and FROM more:
 * 0 none: any value
 * 1 sx: the mean of CELLS steps sx
 * 2 sw sx: sums of steps sw[o] sx; CHANNELS: how many sw has, x's last axis or 1. ROWS above 1: a bias, in these steps
 * 4 a sa b sb: a + b, which are whole numbers of steps sa and sb */
enum { FQ_FROM = FQ_WORDS, FQ_CELLS, FQ_CHANNELS, FQ_ALL_WORDS };

static inline double cop_two_to(int32_t n)
{
	return (double)((int64_t)1 << n); /* n 0 .. 62 */
}

/* Ties away from zero; |v| < 2^62 */
static inline int64_t cop_near(double v)
{
	return (int64_t)(v < 0 ? v - 0.5 : v + 0.5);
}

/* `up` of cop_scale_single for factors of up to `most`, and the multiplier of one of them */
static inline int32_t cop_factor_up(double most)
{
	int32_t up = 0;

	while (up < 31 && most * cop_two_to(32 - up) >= 2147483647.5) up++;
	return up;
}
static inline int64_t cop_factor(double real, int32_t up)
{
	return cop_near(real * cop_two_to(32 - up));
}

/* A sum of two: (a ma + b mb + half) >> shift. Multipliers have 22 bits, so that products with bytes fit 32. */
static inline double cop_addend(double real)
{
	return real < 1 << 20 ? real : 1 << 20;
} /* beyond int8 as well */
static inline int32_t cop_sum_shift(double most)
{
	int32_t shift = 30;

	while (shift > 1 && most * cop_two_to(shift) >= (1 << 22) - 0.5) shift--;
	return shift;
}

#endif
