/* SPDX-License-Identifier: Apache-2.0
 *
 * quant.h - integer arithmetic that kernels of int8 and int16 share. A real factor is an integer multiplier; there are two ways to apply it:
 *
 *   single   y = (acc * m + half) >> (32 - up)                 one rounding, ties up; one SMMLAR on a Cortex-M4
 *   double   the multiplier and shift of TFLite: a rounding doubling high product, then a rounding shift, each
 *            rounding on its own (gemmlowp; TFLite's MultiplyByQuantizedMultiplier). Bits of TFLite.
 */
#ifndef COP_QUANT_H
#define COP_QUANT_H

#include <stdint.h>

static inline int32_t cop_clampi(int32_t v, int32_t lo, int32_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* Of any numbers: a model may hold multipliers that make no sense. */
static inline int32_t cop_wrap_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

/* up: -20 .. 31; below 0 for small factors that are to keep all their digits (more than one instruction then) */
static inline int32_t cop_scale_single(int32_t acc, int32_t m, int32_t up)
{
	return (int32_t)(((int64_t)acc * m + ((int64_t)1 << (31 - up))) >> (32 - up));
}

/* (a * b * 2 + half) >> 32: what TFLite writes as a division after a nudge comes to ties up */
static inline int32_t cop_high_mul(int32_t a, int32_t b)
{
	int64_t ab = (int64_t)a * b;

	if (a == b && a == INT32_MIN) return INT32_MAX;
	return (int32_t)((ab + (1 << 30)) >> 31);
}

/* v / 2^n, ties away from zero; n 0 .. 31 */
static inline int32_t cop_round_shift(int32_t v, int32_t n)
{
	int32_t mask = (int32_t)(((uint32_t)1 << n) - 1), rest = v & mask, half = (int32_t)((uint32_t)mask >> 1) + (v < 0);
	return (v >> n) + (rest > half);
}

/* shift: positive to the left */
static inline int32_t cop_scale_double(int32_t acc, int32_t m, int32_t shift)
{
	int32_t left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
	return cop_round_shift(cop_high_mul((int32_t)((uint32_t)acc << left), m), right);
}

static inline int32_t cop_held(int64_t v) { return v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : (int32_t)v; }

/* Of sums of more than 32 bits, |acc| < 2^47, as activations of 16 bits make them: the same result, held within 32 bits, by products of no more than 64. up at
 * most 16. */
static inline int32_t cop_scale_single_wide(int64_t acc, int32_t m, int32_t up)
{
	int64_t half = (int64_t)1 << (31 - up), low = ((acc & 0xffff) * m + half) >> 16;
	return cop_held(((acc >> 16) * m + low) >> (16 - up));
}

/* TFLite takes 15 bits of the multiplier then, and rounds once, ties up. It shifts by 7 to the left at most. */
static inline int32_t cop_scale_double_wide(int64_t acc, int32_t m, int32_t shift)
{
	int32_t reduced = m < 0x7fff0000 ? (m + (1 << 15)) >> 16 : 0x7fff, right = 15 - (shift < 14 ? shift : 14);
	return cop_held((acc * reduced + ((int64_t)1 << (right - 1))) >> right);
}

/* Ties away from zero, as TFLite has it; held within +-2^30 so that every float, NaN included, has a result. */
static inline int32_t cop_round_away(float q)
{
	const float most = 1 << 30;

	q = q > most ? most : q < -most ? -most : q == q ? q : 0;
	int32_t whole = (int32_t)q; /* towards zero; q - whole is exact */
	float rest = q - (float)whole;
	return rest >= 0.5f ? whole + 1 : rest <= -0.5f ? whole - 1 : whole;
}

/* Requantisation of output channel o: m[n] and `up`, or m[2][n] when twice. */
static inline int32_t cop_requant(int32_t acc, const int32_t *m, int32_t o, int32_t n, int32_t twice, int32_t up)
{
	return twice ? cop_scale_double(acc, m[o], m[n + o]) : cop_scale_single(acc, m[o], up);
}
static inline int32_t cop_requant_wide(int64_t acc, const int32_t *m, int32_t o, int32_t n, int32_t twice, int32_t up)
{
	return twice ? cop_scale_double_wide(acc, m[o], m[n + o]) : cop_scale_single_wide(acc, m[o], up);
}

#endif
