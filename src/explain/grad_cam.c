/* SPDX-License-Identifier: Apache-2.0
 *
 * grad_cam - where the last convolution found what speaks for the class: its channels A_k, weighted by their mean gradients, of the sum
 * what is above 0:  relu(sum_k a_k A_k),  a_k = mean over positions of d score / d A_k.  Then as large as the picture.
 */
#include "explain/explain.h"

#include <math.h>
#include <stdio.h>

/* How far element i of n lies in an axis of `of` elements whose ends are the same: the elements before and behind it, and the part of the latter. */
typedef struct between { int32_t lo, hi; float part; } between;

static between place(int32_t i, int32_t n, int32_t of)
{
	float at = ((float)i + 0.5f) * (float)of / (float)n - 0.5f;

	at = fminf(fmaxf(at, 0), (float)(of - 1));
	int32_t lo = (int32_t)at;
	return (between){lo, COP_MIN(lo + 1, of - 1), at - (float)lo};
}

/* Bilinear: from [h, w] to the size of the picture. */
static void resize(float *map, const cop_frame *f, const float *from, int32_t h, int32_t w)
{
	for (int32_t y = 0; y < f->h; y++)
		for (int32_t x = 0; x < f->w; x++) {
			between v = place(y, f->h, h), u = place(x, f->w, w);
			float top = from[v.lo * w + u.lo] * (1 - u.part) + from[v.lo * w + u.hi] * u.part;
			float low = from[v.hi * w + u.lo] * (1 - u.part) + from[v.hi * w + u.hi] * u.part;
			map[y * f->w + x] = top * (1 - v.part) + low * v.part;
		}
}

/* a, pull: [n, channels]; cam: [n] */
static void weigh(float *cam, const float *a, const float *pull, int32_t n, int32_t channels)
{
	for (int32_t k = 0; k < channels; k++) {
		double mean = 0;
		for (int32_t i = 0; i < n; i++) mean += (double)pull[i * channels + k] / n;
		for (int32_t i = 0; i < n; i++) cam[i] += (float)mean * a[i * channels + k];
	}
	for (int32_t i = 0; i < n; i++) cam[i] = fmaxf(cam[i], 0);
}

static cop_status draw(float *map, cop_look *l, const cop_explain_args *args, int32_t output, char *why)
{
	const cop_type *t = NULL;
	const float *a = cop__view_output(&l->back, l->back.feature, &t), *pull = cop__view_output(&l->back, l->back.pull, NULL);

	(void)args, (void)output;
	if (!a || !pull) return snprintf(why, COP_WHY, "it has no convolution over positions, whose channels could be weighted"), COP_OK;
	const int32_t h = t->dim[1], w = t->dim[2];
	if (h > l->frame.h || w > l->frame.w)
		return snprintf(why, COP_WHY, "its last convolution has %d x %d positions, which are not those of a picture of %d x %d", h, w, l->frame.h, l->frame.w), COP_OK;
	float *cam = cop__arena_get(&l->mem, sizeof *cam * (size_t)(h * w));
	if (!cam) return COP_NOMEM;
	weigh(cam, a, pull, h * w, t->dim[3]);
	resize(map, &l->frame, cam, h, w);
	return COP_OK;
}

const cop_map_row cop_map_grad_cam = {
	.row = {.name = "grad-cam", .summary = "where the last convolution found what speaks for the class: its channels, weighted by their mean gradients",
		.source = "Selvaraju et al. 2017, arXiv 1610.02391"},
	.gradients = true, .draw = draw,
};
