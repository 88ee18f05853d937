/* SPDX-License-Identifier: Apache-2.0
 *
 * wino.h - Winograd's algorithm for convolutions at stride 1: F(4x4, 3x3), where 36 products stand for 144, and F(2x2, 5x5), where they stand for 100.
 * wino.c is the pass over an image, forward and for dX; wino_dw.c is dW.
 *
 *   Y = A^T ((G g G^T) * (B^T d B)) A     d: 6 x 6 of x, g: r x r of w, Y: m x m, m + r = 7      (Lavin & Gray 2016, section 4)
 *
 * The polynomials are taken at 0, +-P, +-Q and infinity, P = sqrt(1/2) and Q = sqrt(2), which loses half as much as the usual 1 and 2:
 * about 6e-7 of the largest sum. What is done 36 times are products of matrices, by the tiles of mk.h.
 * A tile's bits do not depend on what is computed beside it.
 */
#ifndef COP_WINO_H
#define COP_WINO_H

#include "kernel/vec/conv.h"

enum { POINTS = 36 };
#define P 0.70710678f
#define Q 1.41421356f

/* Tiles of m x m of y, and rows of x with zeros around them as the tiles see them. */
typedef struct wino {
	cv g;
	long m;      /* side of a tile */
	long th, tw; /* tiles down and across */
	long cp;     /* floats of a transformed pixel, whole vectors */
	long row;    /* floats of a padded row */
} wino;

AI wino wino_of(cv g)
{
	const long m = 7 - g.kh, tw = (g.ow + m - 1) / m;
	return (wino){.g = g, .m = m, .th = (g.oh + m - 1) / m, .tw = tw, .cp = vectors(g.c) * VW, .row = lmax(g.w + g.pl, m * tw + 6 - m) * g.c};
}

/* With few channels or pixels the transformations cost more than they save. */
AI bool wino_pays(const int32_t *k)
{
	return cv_dense(k) && k[CK_KH] == k[CK_KW] && (k[CK_KH] == 3 || k[CK_KH] == 5) && k[CK_SH] == 1 && k[CK_SW] == 1 && k[CK_C] >= 8 && k[CK_O] >= 8 &&
	       k[CK_N] * k[CK_OH] * k[CK_OW] >= 36;
}

/* Results of at most 8 channels would leave half of 16 lanes empty, and such a vector takes as long as two of 8: the kernels for AVX2 have these layers. */
AI bool wino_narrow(const int32_t *k, long o) { return VW == 16 && o <= 8 && wino_pays(k); }

/* Floats from point to point of n: an odd number of cache lines, or all 36 would fall on the same few places of the cache. */
AI long apart(long n) { return ((n + 15) / 16 | 1) * 16; }

/* Floats of the padded rows of n tile rows. */
AI long padded(const wino *t, long n) { return ((t->m * n + 6 - t->m) * t->row + 64) / 16 * 16; }

/* Rows [r0, r1) of an image with zeros where there is none. */
AI void pad_rows(const wino *t, float *d, const float *x, long r0, long r1)
{
	const cv *g = &t->g;
	long left = g->pl * g->c, run = g->w * g->c;

	for (long r = r0; r < r1; r++, d += t->row) {
		bool there = r >= 0 && r < g->h;
		vzero(d, there ? left : t->row);
		if (!there) continue;
		vcopy(d + left, x + r * run, run);
		vzero(d + left + run, t->row - left - run);
	}
}

/* B^T d of six values. */
AI void move6(v *y, long step, const v d[6])
{
	v a = d[4] - 2 * d[2], b = d[3] - 2 * d[1], c = d[4] - 0.5f * d[2], e = d[3] - 0.5f * d[1];

	y[0] = (d[0] + d[4]) - 2.5f * d[2];
	y[step] = a + P * b;
	y[2 * step] = a - P * b;
	y[3 * step] = c + Q * e;
	y[4 * step] = c - Q * e;
	y[5 * step] = (d[1] + d[5]) - 2.5f * d[3];
}

/* One tile, VW channels: x points at its upper left pixel, u at point 0. */
AI void move_tile(float *u, long point, const float *x, long row, long pixel)
{
	v t[POINTS], d[6], y[6];

	UNROLL
	for (int i = 0; i < 6; i++) {
		UNROLL
		for (int j = 0; j < 6; j++) d[j] = LD(x + i * row + j * pixel);
		move6(t + i, 6, d); /* t[j][i] */
	}
	UNROLL
	for (int j = 0; j < 6; j++) {
		move6(y, 1, t + j * 6);
		UNROLL
		for (int i = 0; i < 6; i++) ST(u + (i * 6 + j) * point, y[i]);
	}
}

/* n tile rows of padded x: the first tile's point 0 to u. */
static NOINLINE void move_rows(const wino *t, float *u, long point, const float *x, long n)
{
	const long c = t->g.c;

	for (long r = 0; r < n; r++)
		for (long i = 0; i < t->tw; i++, u += t->cp)
			for (long j = 0; j < c; j += VW) move_tile(u + j, point, x + t->m * (r * t->row + i * c) + j, t->row, c);
}

/* Tile rows [r, end) of those of all images; rows: scratch for the padded ones of an image. */
AI void move_block(const wino *t, float *u, long point, const float *x, long r, long end, float *rows)
{
	const cv *g = &t->g;

	for (long n; r < end; r += n, u += n * t->tw * t->cp) {
		const long image = r / t->th, h = r % t->th;
		n = lmin(end - r, t->th - h);
		pad_rows(t, rows, x + image * g->h * g->w * g->c, t->m * h - g->pt, t->m * (h + n) - g->pt + 6 - t->m);
		move_rows(t, u, point, rows, n);
	}
}

#endif
