/* SPDX-License-Identifier: Apache-2.0
 *
 * alike - how alike two maps are: Spearman's rank correlation of all pixels, and the part of the tenth with the highest values that both have.
 */
#include "core/need.h"
#include "explain/explain.h"

#include <math.h>
#include <stdlib.h>

typedef struct pixel { float v; int32_t at; } pixel;

static int ascending(const void *a, const void *b)
{
	const pixel *p = a, *q = b;
	return p->v < q->v ? -1 : p->v > q->v ? 1 : p->at < q->at ? -1 : p->at > q->at;
}

static void sorted(pixel *p, const float *map, int32_t n)
{
	for (int32_t i = 0; i < n; i++) p[i] = (pixel){map[i], i};
	qsort(p, (size_t)n, sizeof *p, ascending);
}

/* Equal values share the mean of their ranks. */
static void ranks(double *rank, const pixel *p, int32_t n)
{
	for (int32_t i = 0, j; i < n; i = j) {
		for (j = i; j < n && !(p[j].v > p[i].v); j++) continue;
		for (int32_t k = i; k < j; k++) rank[p[k].at] = (i + j - 1) / 2.0;
	}
}

/* Pearson's correlation; NAN where one of the two does not vary. */
static double correlation(const double *a, const double *b, int32_t n)
{
	double mean = (n - 1) / 2.0, ab = 0, aa = 0, bb = 0; /* of ranks */

	for (int32_t i = 0; i < n; i++) {
		ab += (a[i] - mean) * (b[i] - mean);
		aa += (a[i] - mean) * (a[i] - mean);
		bb += (b[i] - mean) * (b[i] - mean);
	}
	return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : (double)NAN;
}

/* Marks the tenth with the highest values, but none that is not above 0; returns how many. */
static int32_t mark(uint8_t *top, const pixel *p, int32_t n, uint8_t bit)
{
	int32_t count = 0, most = COP_MAX(n / 10, 1);

	for (int32_t i = n - 1; i >= 0 && count < most && p[i].v > 0; i--) top[p[i].at] |= bit, count++;
	return count;
}

static float shared(const uint8_t *top, int32_t n, int32_t of)
{
	int32_t both = 0;

	for (int32_t i = 0; i < n; i++) both += top[i] == 3;
	return of ? (float)both / (float)of : NAN;
}

static bool all_finite(const float *map, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		if (!isfinite(map[i])) return false;
	return true;
}

cop_status cop_map_alike(cop_likeness *out, cop_ctx *cx, const float *a, const float *b, int32_t pixels)
{
	COP_NEED(cx, out);
	COP_NEED(cx, a);
	COP_NEED(cx, b);
	if (pixels < 1) return cop__error(cx, COP_ARG, "cop_map_alike: a map has at least one pixel");
	cop_arena mem;

	*out = (cop_likeness){NAN, NAN};
	if (!all_finite(a, pixels) || !all_finite(b, pixels)) return COP_OK;
	cop__arena_init(&mem, cx);
	pixel *p = cop__arena_get(&mem, sizeof *p * (size_t)pixels);
	double *rank = cop__arena_get(&mem, sizeof *rank * 2 * (size_t)pixels);
	uint8_t *top = cop__arena_get(&mem, (size_t)pixels);
	int32_t count[2];
	for (int i = 0; p && rank && top && i < 2; i++) {
		sorted(p, i ? b : a, pixels);
		ranks(rank + (size_t)i * (size_t)pixels, p, pixels);
		count[i] = mark(top, p, pixels, (uint8_t)(1 << i));
	}
	cop_status st = p && rank && top ? COP_OK : COP_NOMEM;
	if (!st) *out = (cop_likeness){(float)correlation(rank, rank + pixels, pixels), shared(top, pixels, COP_MAX(count[0], count[1]))};
	cop__arena_free(&mem);
	return st;
}
