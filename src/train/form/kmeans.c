/* SPDX-License-Identifier: Apache-2.0
 *
 * kmeans - clusters of single weights, for the forms that share them.
 */
#include "train/form/palette.h"

#include <math.h>
#include <stdlib.h>

/* Nearest of k ascending centroids. */
static int nearest(const float *c, int32_t k, float v)
{
	int lo = 0, hi = k - 1;

	while (hi - lo > 1) {
		int mid = (lo + hi) / 2;
		if (c[mid] <= v) lo = mid;
		else hi = mid;
	}
	return lo < hi && fabsf(v - c[hi]) < fabsf(v - c[lo]) ? hi : lo;
}

static int ascending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

void cop__first_centroids(float *c, int32_t k, const float *sorted, int64_t n, cop_beginning init, uint64_t seed)
{
	const float lo = sorted[0], hi = sorted[n - 1];

	for (int32_t j = 0; j < k; j++) {
		if (init == COP_BEGIN_LINEAR) c[j] = k > 1 ? lo + (hi - lo) * (float)j / (float)(k - 1) : (lo + hi) / 2;
		else if (init == COP_BEGIN_DENSITY) c[j] = sorted[(2 * j + 1) * n / (2 * k)]; /* the middle of the j-th k-th of all */
		else c[j] = sorted[(int64_t)((double)cop__rand_unit(seed, cop__hash_text("centroids"), (uint64_t)j) * (double)n)];
	}
	if (init == COP_BEGIN_RANDOM) qsort(c, (size_t)k, sizeof *c, ascending);
}

int cop__kmeans(float *c, uint8_t *code, int32_t k, const float *v, int64_t n)
{
	int round = 0;

	for (bool moved = true; moved && round < 200; round++) {
		double sum[256] = {0};
		int64_t count[256] = {0};
		moved = round == 0;
		for (int64_t i = 0; i < n; i++) {
			int j = nearest(c, k, v[i]);
			moved |= code[i] != j;
			code[i] = (uint8_t)j;
			sum[j] += (double)v[i];
			count[j]++;
		}
		for (int32_t j = 0; j < k; j++)
			if (count[j]) c[j] = (float)(sum[j] / (double)count[j]); /* stays ascending: clusters are intervals */
	}
	return round;
}

cop_status cop__cluster(cop_ctx *cx, float *book, uint8_t *codes, const cop_palette_options *a, const float *w, int64_t n)
{
	float *kept = cop__alloc(cx, (size_t)n * 8 + 8), *sorted = kept + n;
	uint8_t *code = cop__alloc(cx, (size_t)n + 1);
	int64_t m = 0;

	if (!kept || !code) return cop__free(cx, kept), cop__free(cx, code), COP_NOMEM;
	for (int64_t i = 0; i < n; i++)
		if (w[i] != 0) kept[m++] = w[i];
	book[0] = 0;
	memcpy(sorted, kept, sizeof *kept * (size_t)m);
	qsort(sorted, (size_t)m, sizeof *sorted, ascending);
	if (m) cop__first_centroids(book + 1, a->levels - 1, sorted, m, (cop_beginning)a->init, a->seed);
	if (m) cop__kmeans(book + 1, code, a->levels - 1, kept, m);
	m = 0;
	for (int64_t i = 0; i < n; i++) codes[i] = w[i] != 0 ? (uint8_t)(1 + code[m++]) : 0;
	cop__free(cx, kept);
	cop__free(cx, code);
	return COP_OK;
}
