/* SPDX-License-Identifier: Apache-2.0
 *
 * conv_dw - dw[o,kh,kw,c] = sum over pixels of dy[n,oh,ow,o] x[its window].
 *
 * The sum runs over pixels, two of which make a word. x becomes tiles of B by windows: [output row][pair of pixels][kw * c], the rows of all taps the same
 * where the stride is 1, else rows for each. dy becomes the same, and is then turned: [o][pair], rows of A. Both are made for a block of pixels, of some
 * output rows or of several small images, and C goes on from block to block in scratch. Each image of a block ends with zeros of dy up to a whole tile.
 * Blocks depend on the geometry alone, and a part has output channels, so the bits are the same for any number of parts.
 */
#include "kernel/amx/amx.h"

typedef struct dw {
	cv g;
	long images, rows;   /* of a block */
	long pairs;          /* of an output row */
	long run;            /* words of a pair: kw * c, a multiple of 16 */
	long o;              /* channels, a multiple of 16 */
	long tap;            /* rows of B from one tap row to the next: output rows */
	long stored;         /* output rows of B of an image */
	long chunks;         /* tiles along the sum of an image */
} dw;

static dw setup(const int32_t *k)
{
	dw d = {.g = cv_forward(k)};
	cv *g = &d.g;

	if (cv_flat(g)) { /* a product in disguise: rows of pixels that are as long as is convenient */
		const long all = g->n * g->h * g->w, w = all % 64 == 0 ? 64 : all % 16 == 0 ? 16 : g->w;
		g->n = 1, g->h = g->oh = all / w, g->w = g->ow = w;
	}
	d.pairs = (g->ow + 1) / 2;
	d.run = up16(g->kw * g->c);
	d.o = up16(g->o);
	const long words = lmax(256, 16384 / (d.run + d.o)), row = 2 * d.pairs; /* pixels of a block: 64 KB of both */
	d.rows = lmax(1, lmin(g->oh, words / row));
	d.images = d.rows == g->oh ? lmax(1, lmin(g->n, words / (row * g->oh))) : 1;
	d.tap = g->sh == 1 ? 1 : d.rows;
	d.stored = g->sh == 1 ? d.rows + g->kh - 1 : d.rows * g->kh;
	d.chunks = chunks(2 * d.pairs * d.rows);
	return d;
}

/* Words of each buffer (bf of the lines); an image of B ends with what its last tile may read. */
static long b_image(const dw *d) { return ((d->g.kh - 1) * d->tap * d->pairs + d->chunks * 16) * d->run; }
static long a_row(const dw *d) { return d->images * d->chunks * 16; }
static long x_line(const dw *d) { return up32((lmax(0, d->g.pl) + d->g.w + cv_right(&d->g) + 2 * d->g.sw) * d->g.c + d->run); }
static long dy_line(const dw *d) { return up32((d->g.ow + 1) * d->g.o + d->o); }
static long sums(const dw *d) { return d->o * d->g.kh * d->run; }

/* Narrow ones are faster in floats. */
bool VN(conv_dw_fits)(const int32_t *k) { return cv_dense(k) && !k[CK_CAP] && k[CK_KW] * k[CK_C] >= AMX_PAYS_DW; }

size_t VN(conv_dw_work)(const int32_t *k)
{
	dw d = setup(k);
	return (size_t)(sums(&d) + d.images * b_image(&d) + d.o * a_row(&d) + d.rows * d.pairs * d.o + (x_line(&d) + dy_line(&d)) / 2) * sizeof(float);
}

/* ---- a block of x and of dy ---- */

/* Row r of an image, or zeros, as pairs of windows. The ends of `line` are zeros. What a pair has behind kw * c belongs to sums that nobody reads. */
static void pair_windows(const dw *d, bf2 *to, const float *x, long r, bf *line)
{
	const cv *g = &d->g;
	const long left = lmax(0, g->pl) * g->c, row = g->w * g->c, step = g->sw * g->c;

	if (r < 0 || r >= g->h) {
		memset(to, 0, (size_t)(d->pairs * d->run) * sizeof *to);
		return;
	}
	round_row(line + left, x + r * row, row);
	const bf *at = line + lmax(0, -g->pl) * g->c;
	for (long q = 0; q < d->pairs; q++, at += 2 * step, to += d->run) pair_up(to, at, at + step, d->run);
}

/* An image: output rows [h0, h1). */
static void pair_image(const dw *d, bf2 *to, const float *x, long h0, long h1, bf *line)
{
	const cv *g = &d->g;
	const long rows = h1 - h0, written = g->sh == 1 ? (rows + g->kh - 1) * d->pairs * d->run : 0;

	memset(to + written, 0, (size_t)(b_image(d) - written) * sizeof *to);
	if (g->sh == 1) {
		for (long r = 0; r < rows + g->kh - 1; r++) pair_windows(d, to + r * d->pairs * d->run, x, h0 - g->pt + r, line);
		return;
	}
	for (long i = 0; i < g->kh; i++)
		for (long h = 0; h < rows; h++)
			pair_windows(d, to + (i * d->tap + h) * d->pairs * d->run, x, (h0 + h) * g->sh - g->pt + i, line);
}

/* Channels o0.. of output rows [h0, h1) of an image: rows of A, of which this is columns to.. Pixels that are not there are zeros. */
static void pair_errors(const dw *d, bf2 *to, const float *dy, long h0, long h1, long o0, long n, bf2 *pairs, bf *line)
{
	const cv *g = &d->g;
	bf2 *p = pairs;

	for (long h = h0; h < h1; h++) {
		round_row(line, dy + h * g->ow * g->o, g->ow * g->o);
		for (long q = 0; q < d->pairs; q++, p += n) pair_up(p, line + 2 * q * g->o + o0, line + (2 * q + 1) * g->o + o0, n);
	}
	turn_words(to, a_row(d), pairs, n, (h1 - h0) * d->pairs, n, d->chunks * 16);
}

/* ---- the sums ---- */

typedef struct sum_args {
	long images, chunks;
	long a_image, b_image, lda, ldb, ldc; /* words */
	bool add;
} sum_args;

/* na tiles of channels times nb tiles of windows. */
AI void tiles(const int na, const int nb, const sum_args *p, const bf2 *a, const bf2 *b, float *c)
{
	const size_t lda = (size_t)p->lda * 4, ldb = (size_t)p->ldb * 4, ldc = (size_t)p->ldc * 4;
	float *c1 = c + 16 * p->ldc;

	tile_zero(C00);
	if (nb > 1) tile_zero(C01);
	if (na > 1) tile_zero(C10);
	if (na > 1 && nb > 1) tile_zero(C11);
	if (p->add) {
		tile_load(C00, c, ldc);
		if (nb > 1) tile_load(C01, c + 16, ldc);
		if (na > 1) tile_load(C10, c1, ldc);
		if (na > 1 && nb > 1) tile_load(C11, c1 + 16, ldc);
	}
	for (long n = p->images; n > 0; n--, a += p->a_image, b += p->b_image) {
		const bf2 *ak = a, *bk = b;
		for (long k = p->chunks; k > 0; k--, ak += 16, bk += 16 * p->ldb) {
			tile_load(A0, ak, lda);
			tile_load(B0, bk, ldb);
			tile_add(C00, A0, B0);
			if (nb > 1) {
				tile_load(B1, bk + 16, ldb);
				tile_add(C01, A0, B1);
			}
			if (na > 1) {
				tile_load(A1, ak + 16 * p->lda, lda);
				tile_add(C10, A1, B0);
				if (nb > 1) tile_add(C11, A1, B1);
			}
		}
	}
	tile_store(C00, c, ldc);
	if (nb > 1) tile_store(C01, c + 16, ldc);
	if (na > 1) tile_store(C10, c1, ldc);
	if (na > 1 && nb > 1) tile_store(C11, c1 + 16, ldc);
}

#define TILES(na, nb)                                                                                     \
	static NOINLINE void tiles_##na##nb(const sum_args *p, const bf2 *a, const bf2 *b, float *c)      \
	{                                                                                                 \
		tiles(na, nb, p, a, b, c);                                                                \
	}
TILES(1, 1) TILES(1, 2) TILES(2, 1) TILES(2, 2)

/* acc[n][kh * run], n channels. */
static void add_block(const dw *d, sum_args *p, const bf2 *a, const bf2 *b, float *acc, long n)
{
	for (long o = 0; o < n; o += 32)
		for (long i = 0; i < d->g.kh; i++)
			for (long j = 0; j < d->run; j += 32) {
				const bf2 *ao = a + o * p->lda, *bi = b + i * d->tap * d->pairs * d->run + j;
				float *c = acc + o * p->ldc + i * d->run + j;
				if (n - o > 16) (d->run - j > 16 ? tiles_22 : tiles_21)(p, ao, bi, c);
				else (d->run - j > 16 ? tiles_12 : tiles_11)(p, ao, bi, c);
			}
}

/* ---- the kernel ---- */

void VN(conv_dw_f32)(const cop_call *c)
{
	const dw d = setup(c->k);
	const cv *g = &d.g;
	const long o0 = cop_from(c, (int32_t)g->o, 16), o1 = cop_to(c, (int32_t)g->o, 16), n = up16(o1 - o0), run = g->kw * g->c;
	float *acc = c->work, *dy = c->buf[1], *x = c->buf[2], *out = c->buf[0];
	bf2 *b = (bf2 *)(void *)(acc + sums(&d)), *a = b + d.images * b_image(&d), *pairs = a + d.o * a_row(&d);
	bf *line = (bf *)(void *)(pairs + d.rows * d.pairs * d.o), *dy_line_ = line + x_line(&d);
	sum_args p = {.a_image = d.chunks * 16, .b_image = b_image(&d), .lda = a_row(&d), .ldb = d.run, .ldc = g->kh * d.run, .chunks = d.chunks};

	if (o0 >= o1) return;
	memset(line, 0, (size_t)(x_line(&d) + dy_line(&d)) * sizeof *line);
	amx_open(16);
	for (long n0 = 0; n0 < g->n; n0 += d.images)
		for (long h0 = 0; h0 < g->oh; h0 += d.rows, p.add = true) {
			const long h1 = lmin(h0 + d.rows, g->oh);
			p.images = lmin(d.images, g->n - n0);
			for (long i = 0; i < p.images; i++) {
				pair_image(&d, b + i * p.b_image, x + (n0 + i) * g->h * g->w * g->c, h0, h1, line);
				pair_errors(&d, a + i * p.a_image, dy + (n0 + i) * g->oh * g->ow * g->o, h0, h1, o0, n, pairs, dy_line_);
			}
			add_block(&d, &p, a, b, acc, n);
		}
	amx_close();
	for (long o = o0; o < o1; o++)
		for (long i = 0; i < g->kh; i++) vcopy(out + o * g->wo + i * run, acc + (o - o0) * p.ldc + i * d.run, run);
}
