/* SPDX-License-Identifier: Apache-2.0
 *
 * occlusion - how much the score falls when a part of the picture is covered: a square patch of the picture's mean colour slides
 * over it, and a pixel gets the mean fall over all patches that cover it. Below 0: covered, the score rises.
 */
#include "explain/explain.h"

#include <math.h>

typedef struct patch { int32_t h, w, stride; } patch;

/* A patch not told is an eighth of the picture's side; it moves by half of itself. */
static patch patch_of(const cop_frame *f, const cop_explain_args *a)
{
	int32_t side = a->patch ? a->patch : COP_MAX((int32_t)lround(sqrt((double)f->h * f->w) / 8), 1);
	return (patch){COP_MIN(side, f->h), COP_MIN(side, f->w), a->stride ? a->stride : COP_MAX(side / 2, 1)};
}

static void mean_colour(float *mean, const cop_frame *f, const float *sample)
{
	for (int32_t c = 0; c < f->c; c++) {
		double sum = 0;
		for (int32_t y = 0; y < f->h; y++)
			for (int32_t x = 0; x < f->w; x++) sum += (double)sample[cop__frame_at(f, y, x, c)];
		mean[c] = (float)(sum / f->h / f->w);
	}
}

/* The pixels of the patch at (top, left) get the colour, or those of `from`. */
static void paint(float *to, const cop_frame *f, const patch *p, int32_t top, int32_t left, const float *colour, const float *from)
{
	for (int32_t y = top; y < top + p->h; y++)
		for (int32_t x = left; x < left + p->w; x++)
			for (int32_t c = 0; c < f->c; c++) to[cop__frame_at(f, y, x, c)] = from ? from[cop__frame_at(f, y, x, c)] : colour[c];
}

static void spread(float *map, int32_t *times, const cop_frame *f, const patch *p, int32_t top, int32_t left, float fall)
{
	for (int32_t y = top; y < top + p->h; y++)
		for (int32_t x = left; x < left + p->w; x++) map[y * f->w + x] += fall, times[y * f->w + x]++;
}

/* The next place of a patch in an axis; the last one ends with the axis. */
static int32_t step(int32_t at, int32_t stride, int32_t side, int32_t n) { return at + side == n ? n : COP_MIN(at + stride, n - side); }

static cop_status draw(float *map, cop_look *l, const cop_explain_args *a, int32_t output, char *why)
{
	const cop_frame *f = &l->frame;
	const patch p = patch_of(f, a);
	const size_t pixels = (size_t)f->h * (size_t)f->w;
	float *covered = cop__arena_get(&l->mem, sizeof *covered * (size_t)l->each), *colour = cop__arena_get(&l->mem, sizeof *colour * (size_t)f->c);
	int32_t *times = cop__arena_get(&l->mem, sizeof *times * pixels);

	(void)why;
	if (!covered || !colour || !times) return COP_NOMEM;
	mean_colour(colour, f, l->sample);
	memcpy(covered, l->sample, sizeof *covered * (size_t)l->each);
	COP_TRY(cop__look_scores(l, l->sample));
	const float whole = l->scores[output];
	for (int32_t top = 0; top < f->h; top = step(top, p.stride, p.h, f->h))
		for (int32_t left = 0; left < f->w; left = step(left, p.stride, p.w, f->w)) {
			paint(covered, f, &p, top, left, colour, NULL);
			COP_TRY(cop__look_scores(l, covered));
			spread(map, times, f, &p, top, left, whole - l->scores[output]);
			paint(covered, f, &p, top, left, NULL, l->sample);
		}
	for (size_t i = 0; i < pixels; i++) map[i] /= (float)COP_MAX(times[i], 1);
	return COP_OK;
}

const cop_map_row cop_map_occlusion = {
	.row = {.name = "occlusion", .summary = "how much the score falls when a patch of the picture's mean colour covers a place",
		.source = "Zeiler and Fergus 2014, arXiv 1311.2901"},
	.draw = draw,
};
