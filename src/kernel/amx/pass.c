/* SPDX-License-Identifier: Apache-2.0
 *
 * pass - runs pass.h. Loop order: blocks of output rows, of which x is rounded once; 32 outputs; tap rows and chunks within a pair of tiles.
 */
#include "kernel/amx/pass.h"
#include "kernel/vec/vmath.h"

/* ---- packing ---- */

/* Element k of a tap row, for outputs along memory. */
static const float *tap(const cv *g, const float *w, long k) { return w + k / g->c * g->wj + k % g->c * g->wc; }

/* One tile of B from n outputs and the taps k.. of one row: outputs along memory (dX), or else taps. */
static void pack_tile(const cv *g, bf2 *d, const float *w, long k, long n)
{
	const long run = g->kw * g->c;
	bf rows[AMX_K][AMX_N] = {0}, outs[AMX_N][AMX_K] = {0};
	bf2 words[AMX_N][AMX_N];

	if (g->wo == 1) {
		for (long i = 0; i < lmin(AMX_K, run - k); i++) round_row(rows[i], tap(g, w, k + i), n);
		for (long i = 0; i < AMX_K / 2; i++) pair_up(d + i * AMX_N, rows[2 * i], rows[2 * i + 1], AMX_N);
		return;
	}
	for (long o = 0; o < n; o++) round_row(outs[o], w + o * g->wo + k, lmin(AMX_K, run - k));
	memcpy(words, outs, sizeof words);
	turn_words(d, AMX_N, words[0], AMX_N, AMX_N, AMX_N, AMX_N);
}

void VN(pass_pack)(const cv *g, bf *d, const float *w, int32_t part, int32_t parts)
{
	const long steps = g->kh * chunks(g->kw * g->c), tiles = up16(g->o) / AMX_N;

	for (long t = tiles * part / parts; t < tiles * (part + 1) / parts; t++) {
		const long panel = t / 2, wide = lmin(2, tiles - 2 * panel);
		bf *to = d + (2 * panel * steps + t % 2) * AMX_TILE;
		for (long s = 0; s < steps; s++)
			pack_tile(g, (bf2 *)(void *)(to + s * wide * AMX_TILE), w + t * AMX_N * g->wo + s / chunks(g->kw * g->c) * g->wi, s % chunks(g->kw * g->c) * AMX_K, lmin(AMX_N, g->o - t * AMX_N));
	}
}

/* ---- the tiles ---- */

typedef struct tile_args {
	long taps, chunks;        /* tap rows inside of the image, chunks of each */
	long row, step;           /* bf of A from tap row to tap row, from pixel to pixel */
	long m, ldc;              /* pixels of a tile; floats of y from pixel to pixel */
	long cols;                /* outputs that exist, 32 at most */
	const float *bias;        /* of the first, or NULL */
	bool act;
	float lo, hi;
} tile_args;

/* m rows of a tile of C that lies in t, into y. */
static void finish(const tile_args *p, const float *t, float *y, long col)
{
	const long n = lmin(AMX_N, p->cols - col);
	const v lo = splat(p->lo), hi = splat(p->hi);

	for (long i = 0; i < p->m; i++, t += AMX_N, y += p->ldc)
		for (long j = 0; j < n; j += VW) {
			const v r = p->bias ? LD(t + j) + LD(p->bias + col + j) : LD(t + j);
			put(y + col + j, p->act ? clamp(r, lo, hi) : r, lmin(VW, n - j));
		}
}

#define PUT(tile, y, col)                                                                  \
	do {                                                                               \
		if (plain && p->cols - (col) >= AMX_N) {                                   \
			tile_store(tile, (y) + (col), (size_t)p->ldc * sizeof(float));   \
		} else {                                                                   \
			tile_store(tile, t, AMX_N * sizeof(float));                      \
			finish(p, t, y, col);                                              \
		}                                                                          \
	} while (0)

/* na tiles of pixels, at a0 and a1, times nb tiles of outputs. */
AI void tiles(const int na, const int nb, const tile_args *p, const bf *a0, const bf *a1, const bf *b, float *y0, float *y1)
{
	const size_t step = (size_t)p->step * sizeof(bf);
	const bool plain = !p->bias && !p->act;
	float t[AMX_N * AMX_N];

	tile_zero(C00);
	if (nb > 1) tile_zero(C01);
	if (na > 1) tile_zero(C10);
	if (na > 1 && nb > 1) tile_zero(C11);
	for (long i = 0; i < p->taps; i++)
		for (long k = 0; k < p->chunks; k++, b += nb * AMX_TILE) {
			const long at = i * p->row + k * AMX_K;
			tile_load(A0, a0 + at, step);
			tile_load(B0, b, 64);
			tile_add(C00, A0, B0);
			if (nb > 1) {
				tile_load(B1, b + AMX_TILE, 64);
				tile_add(C01, A0, B1);
			}
			if (na > 1) {
				tile_load(A1, a1 + at, step);
				tile_add(C10, A1, B0);
				if (nb > 1) tile_add(C11, A1, B1);
			}
		}
	PUT(C00, y0, 0);
	if (nb > 1) PUT(C01, y0, AMX_N);
	if (na > 1) PUT(C10, y1, 0);
	if (na > 1 && nb > 1) PUT(C11, y1, AMX_N);
}

#define TILES(na, nb)                                                                                                                      \
	static NOINLINE void tiles_##na##nb(const tile_args *p, const bf *a0, const bf *a1, const bf *b, float *y0, float *y1)             \
	{                                                                                                                                  \
		tiles(na, nb, p, a0, a1, b, y0, y1);                                                                                       \
	}
TILES(1, 1) TILES(1, 2) TILES(2, 1) TILES(2, 2)

/* ---- running ---- */

/* A product in disguise is rows of 64 pixels, or of 16: long ones are cut anyway, and short ones leave rows of tiles empty. */
static cv shape(const cv *f)
{
	cv g = *f;
	const long all = g.n * g.h * g.w, w = all % 64 == 0 ? 64 : 16;

	if (!cv_flat(f) || all % w || g.yh != g.ow * g.yw || g.yn != g.oh * g.yh) return g;
	g.n = 1, g.h = g.oh = all / w, g.w = g.ow = w;
	g.yh = w * g.yw, g.yn = g.oh * g.yh;
	return g;
}

/* Equal tiles of pixels; where the last would be shorter, it begins earlier and computes some again. */
static long tile_rows(const cv *g) { return (g->ow + (g->ow + 15) / 16 - 1) / ((g->ow + 15) / 16); }

/* bf of a row of the copy. Behind its last window are as many zeros as that window's last tile reads: what lies in another row, which may be inf, cannot be seen. */
static long padded(const cv *g) { return (cv_left(g) + g->w + cv_right(g) - g->kw) * g->c + chunks(g->kw * g->c) * AMX_K; }

/* Output rows of a block: about 64 KB of x. */
static long block_rows(const cv *g) { return lmax(1, lmin(g->oh, (32768 / lmax(1, padded(g)) - g->kh) / g->sh + 1)); }

size_t VN(pass_work)(const cv *f)
{
	const cv g = shape(f);
	return (size_t)(((block_rows(&g) - 1) * g.sh + g.kh) * padded(&g)) * sizeof(bf);
}

/* Rows [r0, r1) of an image with zeros around each. */
static void copy_rounded(bf *d, const float *x, const cv *g, long r0, long r1)
{
	const long left = cv_left(g) * g->c, row = g->w * g->c, right = padded(g) - left - row;

	for (long r = r0; r < r1; r++, d += left + row + right) {
		memset(d, 0, (size_t)left * sizeof(bf));
		round_row(d + left, x + r * g->w * g->c, row);
		memset(d + left + row, 0, (size_t)right * sizeof(bf));
	}
}

/* A tile of pixels: where its windows begin in `x`, a copy of rows r0.. of an image, and which tap rows are inside of the image. */
typedef struct place { const bf *a; float *y; long first, taps; } place;

static place place_of(const cv *g, const tile_args *p, float *y, const bf *x, long r0, long h, long t)
{
	const long r = h * g->sh - g->pt, first = lmin(lmax(0, -r), g->kh), last = lmax(first, lmin(g->kh, g->h - r)), w = lmin(t * p->m, g->ow - p->m);
	const bf *row = x + (last > first ? r + first - r0 : 0) * p->row;

	return (place){row + lmax(0, -g->pl) * g->c + w * p->step, y + h * g->yh + w * g->yw, first, last - first};
}

/* Output rows [h0, h1); outputs of one panel, w the packed weights. Two tiles with the same taps share what they read of w. */
static void run_panel(const cv *g, tile_args *p, float *y, const bf *x, long r0, const bf *w, long h0, long h1)
{
	const long across = (g->ow + p->m - 1) / p->m, wide = p->cols > AMX_N ? 2 : 1;

	for (long i = h0 * across; i < h1 * across; i++) {
		const place one = place_of(g, p, y, x, r0, i / across, i % across);
		const place two = i + 1 < h1 * across ? place_of(g, p, y, x, r0, (i + 1) / across, (i + 1) % across) : (place){.taps = -1};
		const bf *b = w + one.first * p->chunks * wide * AMX_TILE;
		p->taps = one.taps;
		if (two.first == one.first && two.taps == one.taps) {
			(wide > 1 ? tiles_22 : tiles_21)(p, one.a, two.a, b, one.y, two.y);
			i++;
		} else {
			(wide > 1 ? tiles_12 : tiles_11)(p, one.a, one.a, b, one.y, one.y);
		}
	}
}

static void run_block(const cv *g, float *y, const float *x, const bf *packed, long h0, long h1, bf *copy)
{
	const long r0 = lmin(lmax(0, h0 * g->sh - g->pt), g->h), r1 = lmax(r0, lmin((h1 - 1) * g->sh - g->pt + g->kh, g->h));
	tile_args p = {.chunks = chunks(g->kw * g->c), .row = padded(g), .step = g->sw * g->c, .m = tile_rows(g), .ldc = g->yw, .act = g->act, .lo = g->lo, .hi = g->hi};

	copy_rounded(copy, x, g, r0, r1);
	for (long o = 0; o < g->o; o += 2 * AMX_N) {
		p.cols = lmin(2 * AMX_N, g->o - o);
		p.bias = g->bias ? g->bias + o : NULL;
		run_panel(g, &p, y + o, copy, r0, packed + o / AMX_N * g->kh * p.chunks * AMX_TILE, h0, h1);
	}
}

void VN(pass_run)(const cv *f, float *y, const float *x, const bf *packed, long from, long to, void *work)
{
	const cv g = shape(f);
	const long block = block_rows(&g);

	if (from >= to || g.ow < 1) return;
	from = from * f->ow / g.ow, to = to * f->ow / g.ow; /* rows of g, where they are others */
	amx_open(tile_rows(&g));
	for (long r = from; r < to;) {
		const long n = r / g.oh, h = r % g.oh, h1 = lmin(lmin(h + block, g.oh), h + to - r);
		run_block(&g, y + n * g.yn, x + n * g.h * g.w * g.c, packed, h, h1, work);
		r += h1 - h;
	}
	amx_close();
}
