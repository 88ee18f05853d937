/* SPDX-License-Identifier: Apache-2.0
 *
 * wino - convolution with 3 x 3 windows at stride 1 by Winograd's F(4x4, 3x3): 36 products stand for 144.
 *
 *   Y = A^T ((G g G^T) * (B^T d B)) A     d: 6 x 6 of x, g: 3 x 3 of w, Y: 4 x 4      (Lavin & Gray 2016, section 4)
 *
 * The polynomials are taken at 0, +-P, +-Q and infinity, P = sqrt(1/2) and Q = sqrt(2), which loses half as much as the usual 1 and 2:
 * about 6e-7 of the largest sum. What is done 36 times are products of matrices, [tiles, c] by [c, o], by the tiles of mk.h.
 * A tile's bits do not depend on what is computed beside it.
 */
#include "kernel/vec/conv.h"
#include "kernel/vec/pack.h"

enum { POINTS = 36, MOVED = 40960 /* floats of transformed activations at a time: some second-level cache */ };

typedef struct wino {
	long n, h, w, c, oh, ow, o, pt, pl;
	long th, tw;  /* tiles of 4 x 4 down and across */
	long cp;      /* floats of a transformed pixel, whole vectors */
	long row;     /* floats of a padded row */
	long block;   /* tile rows transformed at a time */
	const float *bias;
	v lo, hi;
} wino;

static wino wino_of(const int32_t *k)
{
	wino g = {.n = k[CK_N], .h = k[CK_H], .w = k[CK_W], .c = k[CK_C], .oh = k[CK_OH], .ow = k[CK_OW], .o = k[CK_O], .pt = k[CK_PT], .pl = k[CK_PL],
		.lo = splat(cop_f(k[CK_LO])), .hi = splat(cop_f(k[CK_HI]))};

	g.th = (g.oh + 3) / 4;
	g.tw = (g.ow + 3) / 4;
	g.cp = vectors(g.c) * VW;
	g.row = lmax(g.w + g.pl, 4 * g.tw + 2) * g.c;
	g.block = lmax(1, lmin(g.th, MOVED / (POINTS * g.tw * g.cp)));
	return g;
}

bool VN(wino_fits)(const int32_t *k)
{
	return cv_dense(k) && k[CK_KH] == 3 && k[CK_KW] == 3 && k[CK_SH] == 1 && k[CK_SW] == 1 && k[CK_C] >= 8 && k[CK_O] >= 8 &&
	       k[CK_N] * k[CK_OH] * k[CK_OW] >= 36;
}

/* Floats from point to point of n: an odd number of cache lines, or all 36 would fall on the same few places of the cache. */
AI long apart(long n) { return ((n + 15) / 16 | 1) * 16; }

/* Scratch: padded rows, transformed activations [36][tile][cp], products [36][tile][columns of a panel]. */
static long padded(const wino *g) { return ((4 * g->block + 2) * g->row + 64) / 16 * 16; }
static long moved(const wino *g) { return POINTS * apart(g->block * g->tw * g->cp); }
size_t VN(wino_work)(const int32_t *k)
{
	wino g = wino_of(k);
	return (size_t)(padded(&g) + moved(&g) + POINTS * apart(g.block * g.tw * 3 * VW)) * sizeof(float);
}

/* ---- weights: [panel][36][c][nv * VW] ---- */

size_t VN(wino_pack_bytes)(const int32_t *k)
{
	wino g = wino_of(k);
	return (size_t)(vectors(g.o) * VW * g.c * POINTS) * sizeof(float);
}

#define P 0.70710678f
#define Q 1.41421356f

/* G g of three values. */
AI void weights6(v *y, long step, v g0, v g1, v g2)
{
	v near = g0 + 0.5f * g2, far = g0 + 2 * g2;

	y[0] = g0;
	y[step] = (near + P * g1) * (-1 / 1.5f);
	y[2 * step] = (near - P * g1) * (-1 / 1.5f);
	y[3 * step] = (far + Q * g1) * (1 / 6.f);
	y[4 * step] = (far - Q * g1) * (1 / 6.f);
	y[5 * step] = g2;
}

/* One output channel, VW input channels: point p to d + p * step. */
AI void move_weight(float *d, long step, const float *w, long c)
{
	v t[18], y[6];

	UNROLL
	for (int j = 0; j < 3; j++) weights6(t + j, 3, LD(w + j * c), LD(w + (3 + j) * c), LD(w + (6 + j) * c)); /* t[i][j] */
	UNROLL
	for (int i = 0; i < 6; i++) {
		weights6(y, 1, t[i * 3], t[i * 3 + 1], t[i * 3 + 2]);
		UNROLL
		for (int j = 0; j < 6; j++) ST(d + (i * 6 + j) * step, y[j]);
	}
}

void VN(wino_pack)(const cop_call *c)
{
	wino g = wino_of(c->k);
	const float *w = c->buf[2];
	long np = panels(g.o);
	float t[POINTS * VW * VW]; /* [36][VW of o][VW of c] */

	for (long q = cop_from(c, (int32_t)np, 1); q < cop_to(c, (int32_t)np, 1); q++) {
		long o0 = panel_at(g.o, q) * VW, nn = panel_nv(g.o, q) * VW;
		float *d = (float *)c->work + o0 * g.c * POINTS;
		for (long j = 0; j < nn; j += VW)
			for (long i = 0; i < g.c; i += VW) {
				long on = lmin(VW, g.o - o0 - j);
				for (long o = 0; o < on; o++) move_weight(t + o * VW, VW * VW, w + (o0 + j + o) * 9 * g.c + i, g.c);
				for (long p = 0; p < POINTS; p++) VN(transpose)(d + (p * g.c + i) * nn + j, nn, t + p * VW * VW, VW, on, lmin(VW, g.c - i), VW);
			}
	}
}

/* ---- activations ---- */

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

static NOINLINE void move_rows(const wino *g, float *u, const float *x, long n)
{
	long point = apart(n * g->tw * g->cp);

	for (long r = 0; r < n; r++)
		for (long t = 0; t < g->tw; t++, u += g->cp)
			for (long c = 0; c < g->c; c += VW) move_tile(u + c, point, x + 4 * r * g->row + 4 * t * g->c + c, g->row, g->c);
}

/* Rows [r0, r1) of an image with zeros where there is none. */
static void pad_rows(const wino *g, float *d, const float *x, long r0, long r1)
{
	long left = g->pl * g->c, run = g->w * g->c;

	for (long r = r0; r < r1; r++, d += g->row) {
		bool there = r >= 0 && r < g->h;
		vzero(d, there ? left : g->row);
		if (!there) continue;
		vcopy(d + left, x + r * run, run);
		vzero(d + left + run, g->row - left - run);
	}
}

/* ---- results ---- */

/* A^T m of six values. */
AI void back4(v *y, long step, const v m[6])
{
	v a = m[1] + m[2], d = m[1] - m[2], b = m[3] + m[4], e = m[3] - m[4];

	y[0] = m[0] + a + b;
	y[step] = P * d + Q * e;
	y[2 * step] = 0.5f * a + 2 * b;
	y[3 * step] = 0.5f * P * d + 2 * Q * e + m[5];
}

/* One tile, one vector of channels, cols of which exist; rows by width pixels of the tile do. */
static NOINLINE void back_tile(const wino *g, const float *m, long point, float *y, v bias, long rows, long width, long cols)
{
	v t[24], s[6], r[16];

	UNROLL
	for (int i = 0; i < 6; i++) {
		UNROLL
		for (int j = 0; j < 6; j++) s[j] = LD(m + (i * 6 + j) * point);
		back4(t + i, 6, s); /* t[column][i] */
	}
	UNROLL
	for (int j = 0; j < 4; j++) back4(r + j, 4, t + j * 6); /* r[row][column] */
	for (long i = 0; i < rows; i++)
		for (long j = 0; j < width; j++) {
			float *d = y + (i * g->ow + j) * g->o;
			v x = clamp(r[i * 4 + j] + bias, g->lo, g->hi);
			if (LIKELY(cols >= VW)) ST(d, x);
			else stn(d, x, cols);
		}
}

/* n tile rows of one image, `rows` of whose pixel rows exist; y: the first of them. */
static void run_panel(const wino *g, long q, const float *w, const float *u, float *m, float *y, long n, long rows)
{
	long o0 = panel_at(g->o, q) * VW, nv = panel_nv(g->o, q), nn = nv * VW, tiles = n * g->tw, mp = apart(tiles * nn), up = apart(tiles * g->cp);
	mk_args p = {.n2 = 1, .n1 = 1, .k = g->c, .as = g->cp, .ldb = nn, .ldc = nn, .cols = nn};

	w += o0 * g->c * POINTS;
	for (long x = 0; x < POINTS; x++)
		mk_run(VN(mk_nn)[nv], mk_cap(nv), tiles, &p, u + x * up, g->cp, w + x * g->c * nn, m + x * mp);
	for (long j = 0; j < nv; j++) {
		v bias = g->bias ? LD(g->bias + o0 + j * VW) : (v){0};
		for (long i = 0; i < tiles; i++) {
			long r = i / g->tw * 4, t = i % g->tw * 4;
			back_tile(g, m + i * nn + j * VW, mp, y + (r * g->ow + t) * g->o + o0 + j * VW, bias, lmin(4, rows - r), lmin(4, g->ow - t), g->o - o0 - j * VW);
		}
	}
}

void VN(wino_f32)(const cop_call *c)
{
	wino g = wino_of(c->k);
	long to, r, p0, p1;
	float *x = c->work, *u = x + padded(&g), *m = u + moved(&g);

	g.bias = c->buf[3];
	cv_share(c, g.n * g.th, g.o, false, &r, &to, &p0, &p1);
	for (long n; r < to; r += n) {
		long image = r / g.th, h = r % g.th, top = 4 * h - g.pt;
		n = lmin(lmin(g.block, g.th - h), to - r);
		pad_rows(&g, x, (const float *)c->buf[1] + image * g.h * g.w * g.c, top, top + 4 * n + 2);
		move_rows(&g, u, x, n);
		for (long q = p0; q < p1; q++)
			run_panel(&g, q, c->pack, u, m, (float *)c->buf[0] + (image * g.oh + 4 * h) * g.ow * g.o, n, g.oh - 4 * h);
	}
}
