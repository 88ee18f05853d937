/* SPDX-License-Identifier: Apache-2.0
 *
 * sparse - fully connected layers and convolutions whose weights are mostly zero, from tiles (tiles.h): lanes are output channels, a
 * tile's inputs are two vectors, and each lane picks its own of them by a permutation. Weights and columns serve several pixels.
 *
 * Convolutions: a row of taps and all their channels is one run of memory in NHWC, as for the dense kernels; where there is padding,
 * the input rows of an output row are copied with it first. Threads take panels of a single row of pixels, else output rows.
 */
#include "kernel/tiles.h"
#include "kernel/vec/vec.h"

enum { WIDTH = 2 * VW, PIXELS = VW == 16 ? 4 : 2 };

/* Lane l: element i[l] of x0 and x1, one after the other. */
AI v pick(v x0, v x1, vi i)
{
#if VW == 16
	return (v)_mm512_permutex2var_ps((__m512)x0, (__m512i)i, (__m512)x1);
#elif VW == 8
	__m256 a = _mm256_permutevar8x32_ps((__m256)x0, (__m256i)i), b = _mm256_permutevar8x32_ps((__m256)x1, (__m256i)i);
	return (v)_mm256_blendv_ps(a, b, _mm256_castsi256_ps(_mm256_slli_epi32((__m256i)i, 28)));
#else
	v r;
	UNROLL
	for (int l = 0; l < VW; l++) r[l] = i[l] < VW ? x0[i[l]] : x1[i[l] - VW];
	return r;
#endif
}

/* VW bytes as indices. */
AI vi columns(const uint8_t *p)
{
#if VW == 16
	return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p));
#elif VW == 8
	return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p));
#else
	return (vi){p[0], p[1], p[2], p[3]};
#endif
}

typedef struct layer {
	cop_tiling t;
	const uint32_t *start;
	const uint8_t *count, *column;
	const float *weight, *bias;
	v lo, hi;
	long line, step; /* floats from a run of a window to the next, from a pixel to the next */
} layer;

static layer layer_of(const cop_tiling *t, const cop_call *c, int32_t lo, int32_t hi)
{
	const uint32_t *start = c->pack;
	int32_t panels = cop_panels(t);
	const uint8_t *weight = (const uint8_t *)c->pack + cop_tile_counts(t);

	return (layer){.t = *t, .start = start, .count = (const uint8_t *)(start + panels + 1), .weight = (const float *)(const void *)weight,
		.column = weight + cop_tile_weights(t, start[panels]), .bias = c->buf[3], .lo = splat(cop_f(lo)), .hi = splat(cop_f(hi))};
}

/* np pixels from x on; two sums each, for even and odd steps. The sums of a pixel are the same whatever its neighbours. */
AI void panel_pixels(const int np, const layer *l, long panel, const float *x, float *y)
{
	const uint8_t *count = l->count + panel * cop_tiles_of_panel(&l->t), *column = l->column + (long)l->start[panel] * VW;
	const float *w = l->weight + (long)l->start[panel] * VW;
	long left = lmin(VW, l->t.rows - panel * VW);
	v even[PIXELS], odd[PIXELS], x0[PIXELS], x1[PIXELS];

	UNROLL
	for (int p = 0; p < np; p++) even[p] = odd[p] = (v){0};
	for (long r = 0; r < l->t.runs; r++, x += l->line)
		for (long at = 0; at < l->t.run; at += WIDTH) {
			long n = *count++;
			if (!n) continue;
			UNROLL
			for (int p = 0; p < np; p++) {
				x0[p] = LD(x + p * l->step + at);
				x1[p] = at + VW < l->t.run ? LD(x + p * l->step + at + VW) : x0[p]; /* not farther behind the end than all kernels read */
			}
			for (; n > 1; n -= 2, w += 2 * VW, column += 2 * VW) {
				v a = LD(w), b = LD(w + VW);
				vi i = columns(column), j = columns(column + VW);
				UNROLL
				for (int p = 0; p < np; p++) {
					even[p] += a * pick(x0[p], x1[p], i);
					odd[p] += b * pick(x0[p], x1[p], j);
				}
			}
			if (n) {
				v a = LD(w);
				vi i = columns(column);
				UNROLL
				for (int p = 0; p < np; p++) even[p] += a * pick(x0[p], x1[p], i);
				w += VW, column += VW;
			}
		}
	v bias = l->bias ? LD(l->bias + panel * VW) : (v){0};
	UNROLL
	for (int p = 0; p < np; p++) stn(y + p * l->t.rows + panel * VW, clamp(even[p] + odd[p] + bias, l->lo, l->hi), left);
}

static NOINLINE void one(const layer *l, long panel, const float *x, float *y) { panel_pixels(1, l, panel, x, y); }
static NOINLINE void some(const layer *l, long panel, const float *x, float *y) { panel_pixels(PIXELS, l, panel, x, y); }

/* Panels [q0, q1) of a row of n pixels. */
static void row(const layer *l, long q0, long q1, const float *x, float *y, long n)
{
	for (long q = q0; q < q1; q++) {
		long p = 0;
		for (; p + PIXELS <= n; p += PIXELS) some(l, q, x + p * l->step, y + p * l->t.rows);
		for (; p < n; p++) one(l, q, x + p * l->step, y + p * l->t.rows);
	}
}

/* ---- fully connected: a row of samples ---- */

static cop_tiling fc_tiling(const int32_t *k) { return (cop_tiling){k[FK_OUT], 1, k[FK_IN], VW, WIDTH, 1, 4}; }

int64_t VN(fc_sparse_steps)(const int32_t *k, const void *w)
{
	cop_tiling t = fc_tiling(k);
	return cop_all_steps(&t, w);
}

size_t VN(fc_sparse_pack_bytes)(const int32_t *k)
{
	cop_tiling t = fc_tiling(k);
	return cop_tiles_bytes(&t, k[COP_STEPS]);
}

void VN(fc_sparse_pack)(const cop_call *c)
{
	cop_tiling t = fc_tiling(c->k);
	if (!c->part) cop_tiles_pack(&t, c->work, c->k[COP_STEPS], c->buf[2]);
}

void VN(fc_sparse_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	cop_tiling t = fc_tiling(k);
	layer l = layer_of(&t, c, k[FK_LO], k[FK_HI]);

	l.step = k[FK_IN];
	row(&l, cop_from(c, cop_panels(&t), 1), cop_to(c, cop_panels(&t), 1), c->buf[1], c->buf[0], k[FK_N]);
}

/* ---- convolutions ---- */

/* Columns of a row with the padding that its windows reach. */
static long padded(const int32_t *k) { return (long)(k[CK_OW] - 1) * k[CK_SW] + k[CK_KW]; }
static bool inside(const int32_t *k)
{
	return !k[CK_PT] && !k[CK_PL] && padded(k) <= k[CK_W] && (k[CK_OH] - 1) * k[CK_SH] + (k[CK_KH] - 1) * k[CK_DH] < k[CK_H];
}
/* Pixels side by side, rows included? */
static bool pointwise(const int32_t *k) { return inside(k) && k[CK_KH] == 1 && k[CK_KW] == 1 && k[CK_SW] == 1 && k[CK_SH] == 1; }

static cop_tiling conv_tiling(const int32_t *k) { return (cop_tiling){k[CK_O], k[CK_KH], k[CK_KW] * k[CK_C], VW, WIDTH, 1, 4}; }

bool VN(conv_sparse_fits)(const int32_t *k) { return k[CK_G] == 1 && (k[CK_DW] == 1 || k[CK_KW] == 1); }
size_t VN(conv_sparse_work)(const int32_t *k) { return inside(k) ? 0 : (size_t)(padded(k) * k[CK_C] * k[CK_KH] + 64) * sizeof(float); }

int64_t VN(conv_sparse_steps)(const int32_t *k, const void *w)
{
	cop_tiling t = conv_tiling(k);
	return cop_all_steps(&t, w);
}

size_t VN(conv_sparse_pack_bytes)(const int32_t *k)
{
	cop_tiling t = conv_tiling(k);
	return cop_tiles_bytes(&t, k[COP_STEPS]);
}

void VN(conv_sparse_pack)(const cop_call *c)
{
	cop_tiling t = conv_tiling(c->k);
	if (!c->part) cop_tiles_pack(&t, c->work, c->k[COP_STEPS], c->buf[2]);
}

/* The rows of image x that output row oh reads, with zeros beside them. */
static void copy_rows(float *d, const float *x, const int32_t *k, long oh)
{
	long n = padded(k) * k[CK_C], left = (long)k[CK_PL] * k[CK_C], run = lmin((long)k[CK_W] * k[CK_C], n - left);

	for (long kh = 0; kh < k[CK_KH]; kh++, d += n) {
		long h = oh * k[CK_SH] - k[CK_PT] + kh * k[CK_DH];
		vzero(d, n);
		if (h >= 0 && h < k[CK_H] && run > 0) vcopy(d + left, x + h * k[CK_W] * k[CK_C], run);
	}
}

static void conv_row(layer *l, const cop_call *c, long r)
{
	const int32_t *k = c->k;
	const float *x = (const float *)c->buf[1] + r / k[CK_OH] * k[CK_H] * k[CK_W] * k[CK_C];
	float *y = (float *)c->buf[0] + r * k[CK_OW] * k[CK_O];
	long oh = r % k[CK_OH];

	l->line = (long)k[CK_DH] * k[CK_W] * k[CK_C];
	if (!inside(k)) {
		copy_rows(c->work, x, k, oh);
		l->line = padded(k) * k[CK_C];
		x = c->work;
	} else {
		x += oh * k[CK_SH] * k[CK_W] * k[CK_C];
	}
	row(l, 0, cop_panels(&l->t), x, y, k[CK_OW]);
}

void VN(conv_sparse_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	cop_tiling t = conv_tiling(k);
	layer l = layer_of(&t, c, k[CK_LO], k[CK_HI]);
	int32_t pixels = k[CK_N] * k[CK_OH] * k[CK_OW], rows = k[CK_N] * k[CK_OH], p0 = cop_from(c, pixels, PIXELS);

	l.step = (long)k[CK_SW] * k[CK_C];
	if (pointwise(k))
		row(&l, 0, cop_panels(&t), (const float *)c->buf[1] + (long)p0 * k[CK_C], (float *)c->buf[0] + (long)p0 * k[CK_O], cop_to(c, pixels, PIXELS) - p0);
	else
		for (int32_t r = cop_from(c, rows, 1); r < cop_to(c, rows, 1); r++) conv_row(&l, c, r);
}
