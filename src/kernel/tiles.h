/* SPDX-License-Identifier: Apache-2.0
 *
 * tiles.h - sparse weights as vector kernels read them. The rows of a weight (output channels) are taken `lanes` at a time, a panel; its
 * columns in runs that lie side by side in memory (for a window: a row of its taps with all their channels), each cut into tiles of
 * `width`. A step takes from every lane its next `slots` kept weights of the tile with their columns in it, so that the inputs of a tile,
 * which are in registers, need permuting alone. A tile takes as many steps as its fullest lane; the others' slots are padded with zeros.
 *
 *   u32 start[panels + 1]               steps before each panel
 *   i32 sum[panels][lanes]              i8 alone: of the weights of a row
 *   u8  count[panels][runs][tiles]      steps of a tile, padded to 64 in all
 *   f32 or i8 weight[step][lane][slot]
 *   u8  column[step][lane][slot]
 *
 * A weight of -128 takes two slots, as -127 and -1, so that every weight has an opposite.
 */
#ifndef COP_TILES_H
#define COP_TILES_H

#include "kernel/kernel.h"

typedef struct cop_tiling { int32_t rows, runs, run, lanes, width, slots, size; } cop_tiling; /* size: bytes of a weight */

static inline int32_t cop_panels(const cop_tiling *t) { return (t->rows + t->lanes - 1) / t->lanes; }
static inline int32_t cop_tiles_of_run(const cop_tiling *t) { return (t->run + t->width - 1) / t->width; }
static inline int32_t cop_tiles_of_panel(const cop_tiling *t) { return t->runs * cop_tiles_of_run(t); }
static inline size_t cop_tile_counts(const cop_tiling *t)
{
	size_t sums = t->size == 1 ? (size_t)cop_panels(t) * (size_t)t->lanes : 0;
	return (((size_t)(cop_panels(t) + 1) + sums) * 4 + (size_t)cop_panels(t) * (size_t)cop_tiles_of_panel(t) + 63) & ~(size_t)63;
}
static inline size_t cop_tile_weights(const cop_tiling *t, int64_t steps) { return (size_t)steps * (size_t)(t->lanes * t->slots * t->size); }
static inline size_t cop_tiles_bytes(const cop_tiling *t, int64_t steps)
{
	return cop_tile_counts(t) + (size_t)steps * (size_t)(t->lanes * t->slots * (t->size + 1)) + 64;
}

/* Slots of weight i. */
static inline int32_t cop_tile_slots(const void *w, int64_t i, int32_t size)
{
	if (size == 4) return (((const uint32_t *)w)[i] << 1) != 0;
	return (((const int8_t *)w)[i] != 0) + (((const int8_t *)w)[i] == -128);
}

/* Steps of tile `tile` of a panel. */
static inline int32_t cop_tile_steps(const cop_tiling *t, const void *w, int32_t panel, int32_t tile)
{
	int32_t tiles = cop_tiles_of_run(t), c0 = tile % tiles * t->width, c1 = c0 + t->width < t->run ? c0 + t->width : t->run, most = 0;

	for (int32_t r = panel * t->lanes; r < (panel + 1) * t->lanes && r < t->rows; r++) {
		int64_t at = ((int64_t)r * t->runs + tile / tiles) * t->run;
		int32_t n = 0;
		for (int32_t c = c0; c < c1; c++) n += cop_tile_slots(w, at + c, t->size);
		most = n > most ? n : most;
	}
	return (most + t->slots - 1) / t->slots;
}

static inline int64_t cop_all_steps(const cop_tiling *t, const void *w)
{
	int64_t n = 0;

	for (int32_t p = 0; p < cop_panels(t); p++)
		for (int32_t i = 0; i < cop_tiles_of_panel(t); i++) n += cop_tile_steps(t, w, p, i);
	return n;
}

/* The slots of one lane of a tile: columns [c0, c1) of the row whose tile's run begins at weight `at`, in m steps. Returns the weights' sum. */
static inline int32_t cop_tile_pack(const cop_tiling *t, uint8_t *weight, uint8_t *column, const void *w, int64_t at, int32_t c0, int32_t c1, int32_t m)
{
	int32_t n = 0, sum = 0;

	for (int32_t c = c0; c < c1; c++)
		for (int32_t more = cop_tile_slots(w, at + c, t->size); more > 0; more--, n++) {
			int64_t slot = (int64_t)(n / t->slots) * t->lanes * t->slots + n % t->slots;
			column[slot] = (uint8_t)(c - c0);
			if (t->size == 4) {
				((uint32_t *)(void *)weight)[slot] = ((const uint32_t *)w)[at + c];
				continue;
			}
			int32_t v = ((const int8_t *)w)[at + c];
			sum += v = v > -128 ? v : more == 2 ? -127 : -1;
			weight[slot] = (uint8_t)v;
		}
	for (; n < m * t->slots; n++) {
		int64_t slot = (int64_t)(n / t->slots) * t->lanes * t->slots + n % t->slots;
		for (int32_t i = 0; i < t->size; i++) weight[slot * t->size + i] = 0;
		column[slot] = 0;
	}
	return sum;
}

static inline void cop_tiles_pack(const cop_tiling *t, void *to, int64_t steps, const void *w)
{
	uint32_t *start = to, n = 0;
	int32_t panels = cop_panels(t), tiles = cop_tiles_of_run(t), each = cop_tiles_of_panel(t), *sum = (int32_t *)(start + panels + 1);
	uint8_t *count = (uint8_t *)(sum + (t->size == 1 ? panels * t->lanes : 0)), *weight = (uint8_t *)to + cop_tile_counts(t), *column = weight + cop_tile_weights(t, steps);

	for (int32_t i = 0; t->size == 1 && i < panels * t->lanes; i++) sum[i] = 0;
	for (int32_t p = 0; p < panels; p++) {
		start[p] = n;
		for (int32_t i = 0; i < each; i++) {
			int32_t c0 = i % tiles * t->width, c1 = c0 + t->width < t->run ? c0 + t->width : t->run, m = cop_tile_steps(t, w, p, i);
			*count++ = (uint8_t)m;
			for (int32_t l = 0; l < t->lanes; l++) {
				int32_t row = p * t->lanes + l, there = row < t->rows, add;
				size_t slot = ((size_t)n * (size_t)t->lanes + (size_t)l) * (size_t)t->slots;
				add = cop_tile_pack(t, weight + slot * (size_t)t->size, column + slot, w, ((int64_t)row * t->runs + i / tiles) * t->run, c0, there ? c1 : c0, m);
				if (t->size == 1) sum[row] += add;
			}
			n += (uint32_t)m;
		}
	}
	start[panels] = n;
}

#endif
