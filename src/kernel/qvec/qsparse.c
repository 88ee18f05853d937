/* SPDX-License-Identifier: Apache-2.0
 *
 * qsparse - int8 convolutions and fully connected layers whose weights are mostly zero, from tiles (kernel/tiles.h): lanes are output channels,
 * each with four slots in a step, for which its four inputs are picked out of those of the tile by a permutation of bytes. Weights and columns
 * serve several pixels. Input rows are staged, padded, as those of qconv.c.
 *
 * With permutations of whole vectors (VBMI) a tile is 128 inputs wide. AVX2 permutes 16 bytes, and multiplies as qone.c does: |x| by the weight
 * with the sign of x, which cannot saturate, as tiles hold no -128.
 */
#include "kernel/qvec/qconv.h"
#include "kernel/tiles.h"

#if defined(QPLAIN) || defined(__AVX512VBMI__) || (PAIRS && VW == 8)

#if defined(QPLAIN) || defined(__AVX512VBMI__)
enum { WIDTH = 128, PIXELS = 4, STAGED = 256 };
typedef uint8_t staged;
typedef struct inputs { vi a, b; } inputs;
AI inputs fetch(const staged *x) { return (inputs){LDI(x), LDI(x + 64)}; }
AI vi step(vi acc, inputs x, vi column, vi w)
{
#if defined(QPLAIN)
	uint8_t from[128], at[64], got[64];
	memcpy(from, &x, 128), memcpy(at, &column, 64);
	for (int i = 0; i < 64; i++) got[i] = from[at[i] & 127];
	memcpy(&column, got, 64);
	return dot(acc, column, w);
#else
	return dot(acc, (vi)_mm512_permutex2var_epi8((mi)x.a, (mi)column, (mi)x.b), w);
#endif
}
AI void stage_run(staged *d, const int8_t *x, long n) { stage(d, x, n); }
AI void stage_zero(staged *d, int32_t x, long n) { stage_fill(d, x, n); }
#else
enum { WIDTH = 16, PIXELS = 2, STAGED = 64 };
typedef int8_t staged;
typedef vi inputs;
AI inputs fetch(const staged *x) { return (vi)_mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)x)); }
AI vi step(vi acc, inputs x, vi column, vi w)
{
	mi mine = _mm256_shuffle_epi8((mi)x, (mi)column), pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(mine), _mm256_sign_epi8((mi)w, mine));
	return acc + (vi)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
AI void stage_run(staged *d, const int8_t *x, long n)
{
	for (long i = 0; i < n; i += 16) STB(d + i, LDB(x + i));
}
AI void stage_zero(staged *d, int32_t x, long n) { memset(d, x, (size_t)n); }
#endif
enum { SLOTS = 4, STEP = VW * SLOTS, OFF = sizeof(staged) == 1 && (staged)-1 > 0 ? 128 : 0, CHUNK = 16 };

typedef struct layer {
	cop_tiling t;
	const uint32_t *start;
	const int32_t *sum, *bias, *m, *s;
	const uint8_t *count, *column;
	const int8_t *weight;
	long line, step; /* staged bytes from a run of a window to the next, from a pixel to the next */
	rule r;
} layer;

static cop_tiling tiling(const int32_t *k) { return (cop_tiling){k[CK_O], k[CK_KH], k[CK_KW] * k[CK_C], VW, WIDTH, SLOTS, 1}; }

static layer layer_of(const cop_tiling *t, const cop_call *c)
{
	const int32_t *k = c->k, *bias = c->buf[3], *m = c->buf[4];
	const uint32_t *start = c->pack;
	int32_t panels = cop_panels(t);
	const int32_t *sum = (const int32_t *)(start + panels + 1);
	const int8_t *weight = (const int8_t *)c->pack + cop_tile_counts(t);

	return (layer){.t = *t, .start = start, .sum = sum, .bias = bias, .m = m, .s = k[QK_TWICE] ? m + k[CK_O] : m, .count = (const uint8_t *)(sum + panels * VW),
		.weight = weight, .column = (const uint8_t *)weight + cop_tile_weights(t, start[panels]),
		.r = {.zy = k[QK_ZY], .up = k[QK_UP], .twice = k[QK_TWICE], .plain = k[QK_TWICE] && plain_shifts(m + k[CK_O], bias, k[CK_O], (long)t->runs * t->run),
			.lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]}};
}

AI void panel_pixels(const int np, const layer *l, long panel, const staged *x, int8_t *y)
{
	const uint8_t *count = l->count + panel * cop_tiles_of_panel(&l->t), *column = l->column + (long)l->start[panel] * STEP;
	const int8_t *w = l->weight + (long)l->start[panel] * STEP;
	long at = panel * VW, left = lmin(VW, l->t.rows - at);
	vi even[PIXELS], odd[PIXELS];
	inputs in[PIXELS];

	UNROLL
	for (int p = 0; p < np; p++) even[p] = LDI(l->bias + at) - OFF * LDI(l->sum + at), odd[p] = (vi){0};
	for (long r = 0; r < l->t.runs; r++, x += l->line)
		for (long i = 0; i < l->t.run; i += WIDTH) {
			long n = *count++;
			if (!n) continue;
			UNROLL
			for (int p = 0; p < np; p++) in[p] = fetch(x + p * l->step + i);
			for (; n > 1; n -= 2, w += 2 * STEP, column += 2 * STEP) {
				vi a = LDI(w), b = LDI(w + STEP), ca = LDI(column), cb = LDI(column + STEP);
				UNROLL
				for (int p = 0; p < np; p++) {
					even[p] = step(even[p], in[p], ca, a);
					odd[p] = step(odd[p], in[p], cb, b);
				}
			}
			if (n) {
				vi a = LDI(w), ca = LDI(column);
				UNROLL
				for (int p = 0; p < np; p++) even[p] = step(even[p], in[p], ca, a);
				w += STEP, column += STEP;
			}
		}
	UNROLL
	for (int p = 0; p < np; p++) even[p] += odd[p];
	requant(np, 1, even, l->m + at, l->s + at, &l->r);
	UNROLL
	for (int p = 0; p < np; p++) put(y + p * l->t.rows + at, even[p], left, &l->r);
}

static NOINLINE void one(const layer *l, long panel, const staged *x, int8_t *y) { panel_pixels(1, l, panel, x, y); }
static NOINLINE void some(const layer *l, long panel, const staged *x, int8_t *y) { panel_pixels(PIXELS, l, panel, x, y); }

/* Panels [q0, q1) of n pixels. */
static void pixels(const layer *l, long q0, long q1, const staged *x, int8_t *y, long n)
{
	for (long q = q0; q < q1; q++) {
		long p = 0;
		for (; p + PIXELS <= n; p += PIXELS) some(l, q, x + p * l->step, y + p * l->t.rows);
		for (; p < n; p++) one(l, q, x + p * l->step, y + p * l->t.rows);
	}
}

/* ---- what is staged: pixels of a 1 x 1 window that lie side by side, a few at a time, or the input rows of an output row ---- */

static bool pointwise(const int32_t *k)
{
	return k[CK_KH] == 1 && k[CK_KW] == 1 && k[CK_SW] == 1 && k[CK_SH] == 1 && !k[CK_PT] && !k[CK_PL] && k[CK_OW] == k[CK_W] && k[CK_OH] == k[CK_H];
}
static long padded(const int32_t *k) { return ((long)(k[CK_OW] - 1) * k[CK_SW] + k[CK_KW]) * k[CK_C]; }

bool VN(qsparse_fits)(const int32_t *k) { return k[CK_G] == 1 && (k[CK_DW] == 1 || k[CK_KW] == 1); }
size_t VN(qsparse_work)(const int32_t *k) { return (size_t)(pointwise(k) ? lmin(CHUNK, (long)k[CK_N] * k[CK_OH] * k[CK_OW]) * k[CK_C] : padded(k) * k[CK_KH]) + STAGED; }

int64_t VN(qsparse_steps)(const int32_t *k, const void *w)
{
	cop_tiling t = tiling(k);
	return cop_all_steps(&t, w);
}

size_t VN(qsparse_pack_bytes)(const int32_t *k)
{
	cop_tiling t = tiling(k);
	return cop_tiles_bytes(&t, k[COP_STEPS]);
}

void VN(qsparse_pack)(const cop_call *c)
{
	cop_tiling t = tiling(c->k);
	if (!c->part) cop_tiles_pack(&t, c->work, c->k[COP_STEPS], c->buf[2]);
}

/* Row h of the input, if there is one, from column `left` of a line of n. */
static void stage_line(staged *d, const int8_t *x, const int32_t *k, long h, long n)
{
	long left = (long)k[CK_PL] * k[CK_C], run = lmin((long)k[CK_W] * k[CK_C], n - left);

	if (h < 0 || h >= k[CK_H] || run <= 0) {
		stage_zero(d, k[QK_ZX], n);
		return;
	}
	stage_zero(d, k[QK_ZX], left);
	stage_run(d + left, x + h * k[CK_W] * k[CK_C], run);
	stage_zero(d + left + run, k[QK_ZX], n - left - run);
}

static void window_row(layer *l, const cop_call *c, long r)
{
	const int32_t *k = c->k;
	const int8_t *x = (const int8_t *)c->buf[1] + r / k[CK_OH] * k[CK_H] * k[CK_W] * k[CK_C];
	staged *d = c->work;

	l->line = padded(k);
	for (long kh = 0; kh < k[CK_KH]; kh++) stage_line(d + kh * l->line, x, k, r % k[CK_OH] * k[CK_SH] - k[CK_PT] + kh * k[CK_DH], l->line);
	pixels(l, 0, cop_panels(&l->t), d, (int8_t *)c->buf[0] + r * k[CK_OW] * k[CK_O], k[CK_OW]);
}

void VN(qsparse_i8)(const cop_call *c)
{
	const int32_t *k = c->k;
	cop_tiling t = tiling(k);
	layer l = layer_of(&t, c);
	int32_t all = k[CK_N] * k[CK_OH] * k[CK_OW], rows = k[CK_N] * k[CK_OH], panels = cop_panels(&t);
	bool single = all == 1;
	int32_t p0 = single ? 0 : cop_from(c, all, PIXELS), p1 = single ? 1 : cop_to(c, all, PIXELS);

	l.step = (long)k[CK_SW] * k[CK_C];
	if (pointwise(k)) {
		for (int32_t p = p0; p < p1; p += CHUNK) {
			long n = lmin(CHUNK, p1 - p);
			stage_run(c->work, (const int8_t *)c->buf[1] + (long)p * k[CK_C], n * k[CK_C]);
			pixels(&l, single ? cop_from(c, panels, 1) : 0, single ? cop_to(c, panels, 1) : panels, c->work, (int8_t *)c->buf[0] + (long)p * k[CK_O], n);
		}
		return;
	}
	for (int32_t r = cop_from(c, rows, 1); r < cop_to(c, rows, 1); r++) window_row(&l, c, r);
}

#endif
