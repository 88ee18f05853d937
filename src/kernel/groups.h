/* SPDX-License-Identifier: Apache-2.0
 *
 * groups.h - sparse int8 weights whose kept ones stand in aligned groups of four neighbours, by rows (output channels). A step is four groups: a
 * word of their gaps, a byte each from the low end up, and a word of weights for each. A gap is what lies between a group and the end of the one
 * before, in units of `unit` bytes of staged input; one too far is bridged by a group of zeros. A row ends with groups of zeros, for which
 * as many more are staged as a step has.
 *
 *   u16 steps[rows], padded to 4
 *   u32 words[steps][1 + COP_GROUPS]
 */
#ifndef COP_GROUPS_H
#define COP_GROUPS_H

#include "kernel/kernel.h"

enum { COP_GROUP = 4, COP_GROUPS = 4, COP_GROUP_WORDS = 1 + COP_GROUPS };

static inline const uint32_t *cop_group_words(const uint16_t *steps, int32_t rows)
{
	return (const uint32_t *)(const void *)(steps + ((rows + 1) & ~1));
}

/* Group number `at` of a row: its gap and its weights (0: none). */
static inline void cop_group_put(uint32_t *to, int32_t at, int32_t gap, const int8_t *w)
{
	uint8_t *step = (uint8_t *)(to + at / COP_GROUPS * COP_GROUP_WORDS);

	step[at % COP_GROUPS] = (uint8_t)gap;
	for (int32_t i = 0; i < COP_GROUP; i++) step[4 * (1 + at % COP_GROUPS) + i] = (uint8_t)(w ? w[i] : 0);
}

/* Groups of a row of n weights with the fillers; puts them, if `to` is given. */
static inline int32_t cop_group_row(uint32_t *to, const int8_t *w, int32_t n, int32_t unit)
{
	int32_t most = 255 / unit, end = 0, groups = 0; /* end: of the last group */

	for (int32_t g = 0; g < n / COP_GROUP; g++, w += COP_GROUP) {
		if (!w[0] && !w[1] && !w[2] && !w[3]) continue;
		for (; g - end > most; end += most + 1, groups++)
			if (to) cop_group_put(to, groups, most * unit, 0);
		if (to) cop_group_put(to, groups, (g - end) * unit, w);
		end = g + 1;
		groups++;
	}
	return groups;
}

static inline int64_t cop_group_steps(const int8_t *w, int32_t rows, int32_t n, int32_t unit)
{
	int64_t steps = 0;

	for (int32_t r = 0; r < rows; r++) steps += (cop_group_row(0, w + (int64_t)r * n, n, unit) + COP_GROUPS - 1) / COP_GROUPS;
	return steps;
}

static inline size_t cop_group_bytes(int32_t rows, int64_t steps) { return (size_t)((rows + 1) & ~1) * 2 + (size_t)steps * COP_GROUP_WORDS * 4; }

static inline void cop_group_pack(void *pack, const int8_t *w, int32_t rows, int32_t n, int32_t unit)
{
	uint16_t *steps = pack;
	uint32_t *to = (uint32_t *)(void *)(steps + ((rows + 1) & ~1));

	if (rows % 2) steps[rows] = 0;
	for (int32_t r = 0; r < rows; r++, w += n) {
		int32_t groups = cop_group_row(to, w, n, unit);
		steps[r] = (uint16_t)((groups + COP_GROUPS - 1) / COP_GROUPS);
		for (; groups < steps[r] * COP_GROUPS; groups++) cop_group_put(to, groups, 0, 0);
		to += steps[r] * COP_GROUP_WORDS;
	}
}

#endif
