/* SPDX-License-Identifier: Apache-2.0
 *
 * few.h - weights of 4 and 2 bits on Cortex-M with DSP instructions. A multiplication takes two of them at a time: high and low in a half of a word, so far apart that
 * both sums can be told from one of 32 bits and something else that is known.
 *
 * Of 4 bits: filters in fours, or threes with an empty fourth; a word of weights for each word of a window. Its bits, of each half:
 *   a + 8 in 0 to 3, d + 8 in 4 to 7, b + 8 in 8 to 11 but of the other half's tap, c in 12 to 15
 * Three products with the window's word, each with what a mask leaves:
 *   t0: 4096 c + 16 (d + 8) + a + 8
 *   t1: 2048 (a + 8) + 8 (b + 8), of the weights rotated by 5, which puts a on the other side, with the window's halves exchanged
 *   t2: 16 (d + 8)
 * The excess of 8 is taken off by what the sums begin with. t1 / 2048 is a's sum but for what b's adds, which is less than 2048, and t0 - t2 has the lower 12 bits of it.
 *
 * Of 2 bits: filters in pairs; a word of weights for four words of a window. Rotated by 4 i, i from 0 to 3, it has of each half
 *   a + 2 in 0 and 1, b in 14 and 15
 * One product: 16384 b + a + 2. After FEW_BLOCK words of a window a's part has not left 14 bits and is moved to a sum of its own.
 *
 * That holds for sums of FEW_MOST_FOURS or FEW_MOST_TWOS times 128, so for any FEW_WORDS words.
 */
#ifndef COP_FEW_H
#define COP_FEW_H

#include "kernel/cortexm/dsp.h"

enum { FEW_GROUP = 4, FEW_MOST_FOURS = 4094, FEW_MOST_TWOS = 1023, FEW_BLOCK = 8, FEW_WORDS = 252 };

static inline uint32_t cop_turn(uint32_t v, int32_t n) { return n ? v >> n | v << (32 - n) : v; }

/* Lower n bits as a number with a sign. */
static inline int32_t cop_low(uint32_t v, int32_t n) { return (int32_t)(v << (32 - n)) >> (32 - n); }

static inline int32_t cop_wrap_take(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }

/* What t begins with; less: the sum of a window times -8. */
static inline void cop_begin_fours(int32_t t[3], int32_t less)
{
	t[0] = (int32_t)(17u * (uint32_t)less);
	t[1] = (int32_t)(2056u * (uint32_t)less);
	t[2] = (int32_t)(16u * (uint32_t)less);
}

static inline void cop_add_fours(int32_t t[3], uint32_t w, uint32_t x)
{
	t[0] = cop_dual(w & 0xf0fff0ffu, x, t[0]);
	t[1] = cop_dual(cop_turn(w, 5) & 0x78787878u, cop_turn(x, 16), t[1]);
	t[2] = cop_dual(w & 0x00f000f0u, x, t[2]);
}

/* Adds those of four filters to s, `step` from one to the next. */
static inline void cop_end_fours(const int32_t t[3], int32_t *s, int32_t step)
{
	int32_t ca = cop_wrap_take(t[0], t[2]), near = t[1] >> 11, a = near + cop_low((uint32_t)cop_wrap_take(ca, near), 12);

	s[0] = cop_wrap_add(s[0], a);
	s[step] = cop_wrap_add(s[step], cop_wrap_take(t[1], 2048 * a) >> 3);
	s[2 * step] = cop_wrap_add(s[2 * step], cop_wrap_take(ca, a) >> 12);
	s[3 * step] = cop_wrap_add(s[3 * step], t[2] >> 4);
}

/* Four words of a window, `step` from one to the next. */
static inline int32_t cop_add_twos(int32_t t, uint32_t w, const uint32_t *x, int32_t step)
{
	for (int32_t i = 0; i < 4; i++, x += step) t = cop_dual(cop_turn(w, 4 * i) & 0xc003c003u, *x, t);
	return t;
}

/* t[1]: what of t[0] is a's */
static inline void cop_move_twos(int32_t t[2]) { t[1] = cop_wrap_add(t[1], cop_low((uint32_t)cop_wrap_take(t[0], t[1]), 14)); }

/* Adds those of two filters to s; less: the sum of a window times -2. */
static inline void cop_end_twos(const int32_t t[2], int32_t less, int32_t *s, int32_t step)
{
	s[0] = cop_wrap_add(s[0], cop_wrap_add(t[1], less));
	s[step] = cop_wrap_add(s[step], cop_wrap_take(t[0], t[1]) >> 14);
}

#endif
