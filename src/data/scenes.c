/* SPDX-License-Identifier: Apache-2.0
 *
 * scenes - synth-scenes: 48x48 pictures with one to three drawn digits, half as large as those of synth-digits, for networks that say what is where.
 * The picture is divided into 6x6 cells. Target d@r,c is 1 where the middle of digit d lies in row r and column c, else 0: what a detector of
 * centres learns (FOMO: Edge Impulse 2022; CenterNet: Zhou et al. 2019, arXiv 1904.07850).
 */
#include "data/data.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 48, DIGIT = 28, HALF = DIGIT / 2, CELL = 8, CELLS = SIDE / CELL, KINDS = 10, MOST = 3, TRAIN = 12000, TEST = 2000, FIRST = 100000, TRIES = 30 };
static const int32_t shape[3] = {SIDE, SIDE, 1};

static int32_t draw(uint64_t *at, int32_t n) { return (int32_t)(cop__rand_unit(0, 0x5d161753u, (*at)++) * (float)n); }

/* Each pixel the mean of four; where digits touch, the brighter one is seen. */
static void paste(uint8_t *to, const uint8_t *digit, int32_t x, int32_t y)
{
	for (int32_t i = 0; i < HALF; i++)
		for (int32_t j = 0; j < HALF; j++) {
			const uint8_t *d = digit + 2 * i * DIGIT + 2 * j;
			const uint8_t v = (uint8_t)((d[0] + d[1] + d[DIGIT] + d[DIGIT + 1] + 2) / 4);
			uint8_t *at = to + (y + i) * SIDE + x + j;
			*at = COP_MAX(*at, v);
		}
}

static bool apart(const int32_t (*at)[2], int n)
{
	for (int k = 0; k < n; k++)
		if (abs(at[k][0] - at[n][0]) < HALF && abs(at[k][1] - at[n][1]) < HALF) return false;
	return true;
}

static cop_status make(cop_store *s, int32_t i, uint8_t *code, float *value, int32_t *label)
{
	const uint64_t scene = s->make_from + (uint64_t)i;
	float *target = s->target + (size_t)i * (size_t)s->d.targets;
	uint64_t from = scene * 1024;
	int32_t at[MOST][2];
	uint8_t digit[DIGIT * DIGIT];

	(void)value;
	*label = 0;
	for (int n = 0, wanted = 1 + draw(&from, MOST), tries = 0; n < wanted && tries < TRIES; tries++) {
		for (int k = 0; k < 2; k++) at[n][k] = draw(&from, SIDE - HALF + 1);
		if (!apart((const int32_t (*)[2])at, n)) continue;
		const int32_t kind = cop__synth_digit(digit, FIRST + scene * MOST + (uint64_t)n), x = at[n][0], y = at[n][1];
		paste(code, digit, x, y);
		target[((y + HALF / 2) / CELL * CELLS + (x + HALF / 2) / CELL) * KINDS + kind] = 1;
		n++;
	}
	return COP_OK;
}

static cop_status names(cop_store *s)
{
	cop_names n;
	char text[16];
	cop_status st = COP_OK;

	cop__names_init(&n, s->cx);
	for (int k = 0; !st && k < CELLS * CELLS * KINDS; k++) {
		snprintf(text, sizeof text, "%d@%d,%d", k % KINDS, k / KINDS / CELLS, k / KINDS % CELLS);
		st = cop__names_add(&n, text);
	}
	if (!st) st = cop__store_targets(s, &n);
	cop__names_free(&n);
	return st;
}

static cop_status open_scenes(cop_store *s, const char *path, const cop_want *w)
{
	int32_t from, count;
	const bool test = w->split & COP_SPLIT_TEST;

	(void)path;
	cop__split_range(&from, &count, w, test ? TEST : TRAIN);
	COP_TRY(cop__store_shape(s, 3, shape, false));
	COP_TRY(cop__store_room(s, count));
	COP_TRY(names(s));
	s->have = cop__alloc(s->cx, (size_t)COP_MAX(count, 1));
	if (!s->have) return COP_NOMEM;
	s->make = make;
	s->make_from = (uint64_t)from + (test ? TRAIN : 0);
	return COP_OK;
}

const cop_data_row cop_data_synth_scenes = {
	.name = "synth-scenes", .summary = "drawn scenes, 48x48 grey, 12,000 + 2,000: which of ten digits lies in which of 6x6 cells; needs no files",
	.licence = "Apache-2.0 (made by this program)", .made = true, .open = open_scenes,
};
