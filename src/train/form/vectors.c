/* SPDX-License-Identifier: Apache-2.0
 *
 * vectors - weight sharing by vectors (product quantisation, Gong et al. 2014, arXiv 1412.6115): neighbours along a row are clustered together, and each such vector
 * is the centroid of its cluster. Vector 0 is that of zeros alone, of pruned weights, and never moves.
 *
 * Place j of all vectors is the result of a `palette` node of its own over the PARAM "<weight>.codebook<j>"; all of them read the CONST "<weight>.codes".
 */
#include "op/op.h"
#include "train/build.h"
#include "train/form/palette.h"

#include <math.h>
#include <stdio.h>

static double distance(const float *a, const float *b, int32_t width)
{
	double sum = 0;

	for (int32_t j = 0; j < width; j++) sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
	return sum;
}

/* The next centroid: a vector, drawn in proportion to the squared distance from the nearest one so far (k-means++, Arthur and Vassilvitskii 2007). */
static int64_t draw(const float *far, int64_t n, uint64_t seed, int32_t j)
{
	double sum = 0, at = (double)cop__rand_unit(seed, cop__hash_text("vectors"), (uint64_t)j);

	for (int64_t i = 0; i < n; i++) sum += (double)far[i];
	at *= sum;
	for (int64_t i = 0; i < n; i++)
		if ((at -= (double)far[i]) < 0) return i;
	return n - 1;
}

static void begin(float *c, int32_t k, int32_t width, const float *v, int64_t n, float *far, uint64_t seed)
{
	for (int64_t i = 0; i < n; i++) far[i] = 1;
	for (int32_t j = 0; j < k; j++, c += width) {
		memcpy(c, v + draw(far, n, seed, j) * width, sizeof *c * (size_t)width);
		for (int64_t i = 0; i < n; i++) {
			float d = (float)distance(v + i * width, c, width);
			far[i] = j ? fminf(far[i], d) : d;
		}
	}
}

static int nearest(const float *c, int32_t k, int32_t width, const float *v)
{
	double least = INFINITY;
	int best = 0;

	for (int32_t j = 0; j < k; j++) {
		double d = distance(c + (size_t)j * (size_t)width, v, width);
		if (d < least) least = d, best = j;
	}
	return best;
}

int cop__kmeans_vectors(float *c, uint8_t *code, int32_t k, int32_t width, const float *v, int64_t n, float *room, uint64_t seed)
{
	enum { ROUNDS = 50 };
	int round = 0;

	begin(c, k, width, v, n, room, seed);
	for (bool moved = true; moved && round < ROUNDS; round++) {
		double sum[256 * COP_MOST_VECTOR] = {0};
		int64_t count[256] = {0};
		moved = round == 0;
		for (int64_t i = 0; i < n; i++) {
			int j = nearest(c, k, width, v + i * width);
			moved |= code[i] != j;
			code[i] = (uint8_t)j;
			for (int32_t x = 0; x < width; x++) sum[j * width + x] += (double)v[i * width + x];
			count[j]++;
		}
		for (int32_t j = 0; j < k * width; j++)
			if (count[j / width]) c[j] = (float)(sum[j] / (double)count[j / width]);
	}
	return round;
}

static bool all_zero(const float *v, int32_t width)
{
	for (int32_t j = 0; j < width; j++)
		if (v[j] != 0) return false;
	return true;
}

/* book[width][levels], of which entry 0 is 0, and codes of the n vectors of w. */
static cop_status cluster(cop_ctx *cx, float *book, uint8_t *codes, const cop_palette_options *a, const float *w, int64_t n)
{
	const size_t width = (size_t)a->width;
	float *kept = cop__alloc(cx, ((size_t)n * (width + 1) + 256 * width) * sizeof *kept), *room = kept + (size_t)n * width, *c = room + n;
	uint8_t *code = cop__alloc(cx, (size_t)n + 1);
	int64_t m = 0;

	if (!kept || !code) return cop__free(cx, kept), cop__free(cx, code), COP_NOMEM;
	for (int64_t i = 0; i < n; i++)
		if (!all_zero(w + i * a->width, a->width)) memcpy(kept + (size_t)m++ * width, w + i * a->width, width * sizeof *w);
	if (m) cop__kmeans_vectors(c, code, a->levels - 1, a->width, kept, m, room, a->seed);
	m = 0;
	for (int64_t i = 0; i < n; i++) codes[i] = all_zero(w + i * a->width, a->width) ? 0 : (uint8_t)(1 + code[m++]);
	for (int32_t j = 0; j < a->width; j++)
		for (int32_t k = 0; k < a->levels; k++) book[j * a->levels + k] = k ? c[(k - 1) * a->width + j] : 0;
	cop__free(cx, kept);
	cop__free(cx, code);
	return COP_OK;
}

cop_vid cop__express_vectors(const cop_formed *f, cop_graph *g)
{
	const cop_palette_options *a = f->options;
	const cop_type *t = cop__t(f->model, f->w);
	const int32_t n = (int32_t)(cop_type_count(t) / a->width);
	cop_type book_t = cop__type(COP_F32, 1, &a->levels), code_t = cop__type(COP_U8, 2, DIMS(n, 1));
	cop_shape_attr shape = {.rank = t->rank};
	float book[256 * COP_MOST_VECTOR];
	cop_vid part[COP_MOST_VECTOR];

	cop_vid c = cop__latent(f, g, COP_CONST, "codes", &code_t, NULL);
	uint8_t *codes = c ? cop__own(g, c) : NULL;
	if (!codes || cluster(g->cx, book, codes, a, cop__floats(f->model, f->w), n)) return 0;
	for (int32_t j = 0; j < a->width; j++) {
		char name[16];
		snprintf(name, sizeof name, "codebook%d", j);
		part[j] = cop__apply(g, OP_palette, &(cop_palette_attr){1, 0},
			VIDS(cop__latent(f, g, COP_PARAM, name, &book_t, book + j * a->levels), c));
		if (!part[j]) return 0;
	}
	cop_nid all = cop__node(g, OP_concat, &(cop_concat_attr){1}, a->width, part);
	memcpy(shape.dim, t->dim, sizeof *shape.dim * (size_t)t->rank);
	return all ? cop__apply(g, OP_reshape, &shape, VIDS(cop__res(g, all, 0))) : 0;
}
