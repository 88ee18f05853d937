/* SPDX-License-Identifier: Apache-2.0
 *
 * saliency - how much the score would change with a pixel: |d score / d pixel|, of its channels the largest.
 */
#include "explain/explain.h"

#include <math.h>

static cop_status draw(float *map, cop_look *l, const cop_explain_args *a, int32_t output, char *why)
{
	const cop_frame *f = &l->frame;
	const float *dx = cop__view_output(&l->back, l->back.dx, NULL);
	float *d = cop__arena_get(&l->mem, sizeof *d * (size_t)l->each);

	(void)a, (void)output, (void)why;
	if (!d) return COP_NOMEM;
	cop__fit_back(d, l->fit, dx);
	for (int32_t y = 0; y < f->h; y++)
		for (int32_t x = 0; x < f->w; x++)
			for (int32_t c = 0; c < f->c; c++) map[y * f->w + x] = fmaxf(map[y * f->w + x], fabsf(d[cop__frame_at(f, y, x, c)]));
	return COP_OK;
}

const cop_map_row cop_map_saliency = {
	.row = {.name = "saliency", .summary = "how much the score changes with a pixel: the size of its gradient, the largest of the channels",
		.source = "Simonyan et al. 2013, arXiv 1312.6034"},
	.gradients = true, .draw = draw,
};
