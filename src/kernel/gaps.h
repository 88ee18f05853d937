/* SPDX-License-Identifier: Apache-2.0
 *
 * gaps.h - sparse int8 weights as scalar kernels read them, by rows (output channels): the kept weights of a row with the distance of each
 * from the one before, the first one's from column 0. Words of two: weight, gap, weight, gap, a byte each from the low end up. Gaps are in
 * units of `unit` bytes, so that they can be added to an address; one too far is bridged by a weight of 0. A row ends with zeros up to a
 * step of COP_GAP_WORDS words.
 *
 *   u16 steps[rows], padded to 4
 *   u32 words[steps][COP_GAP_WORDS]
 */
#ifndef COP_GAPS_H
#define COP_GAPS_H

#include "kernel/kernel.h"

enum { COP_GAP_WORDS = 4, COP_GAP_STEP = 2 * COP_GAP_WORDS };

static inline const uint32_t *cop_gap_words(const uint16_t *steps, int32_t rows)
{
	return (const uint32_t *)(const void *)(steps + ((rows + 1) & ~1));
}

/* Entries of a row of n weights with the fillers; puts them, if `to` is given. */
static inline int32_t cop_gap_row(uint8_t *to, const int8_t *w, int32_t n, int32_t unit)
{
	int32_t most = 255 / unit, at = 0, entries = 0;

	for (int32_t i = 0; i < n; i++) {
		if (!w[i]) continue;
		for (; i - at > most; at += most, entries++)
			if (to) to[2 * entries] = 0, to[2 * entries + 1] = (uint8_t)(most * unit);
		if (to) to[2 * entries] = (uint8_t)w[i], to[2 * entries + 1] = (uint8_t)((i - at) * unit);
		at = i;
		entries++;
	}
	return entries;
}

static inline int64_t cop_gap_steps(const int8_t *w, int32_t rows, int32_t n, int32_t unit)
{
	int64_t steps = 0;

	for (int32_t r = 0; r < rows; r++) steps += (cop_gap_row(0, w + (int64_t)r * n, n, unit) + COP_GAP_STEP - 1) / COP_GAP_STEP;
	return steps;
}

static inline size_t cop_gap_bytes(int32_t rows, int64_t steps) { return (size_t)((rows + 1) & ~1) * 2 + (size_t)steps * COP_GAP_WORDS * 4; }

static inline void cop_gap_pack(void *pack, const int8_t *w, int32_t rows, int32_t n, int32_t unit)
{
	uint16_t *steps = pack;
	uint8_t *to = (uint8_t *)(steps + ((rows + 1) & ~1));

	if (rows % 2) steps[rows] = 0;
	for (int32_t r = 0; r < rows; r++, w += n) {
		int32_t entries = cop_gap_row(to, w, n, unit);
		steps[r] = (uint16_t)((entries + COP_GAP_STEP - 1) / COP_GAP_STEP);
		for (; entries < steps[r] * COP_GAP_STEP; entries++) to[2 * entries] = to[2 * entries + 1] = 0;
		to += 2 * entries;
	}
}

#endif
