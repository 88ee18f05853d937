/* SPDX-License-Identifier: Apache-2.0
 *
 * wino_dw - dw of Winograd's algorithm (wino.h), backwards: dw = G^T (sum over tiles of (A dY A^T) * (B^T d B)) G.
 *
 * The 36 sums are products [o, tiles] by [tiles, c], which go on from block to block of tile rows in scratch and are transformed once, at the end. Blocks
 * depend on the geometry alone, and a part owns output channels, so the bits are the same for any number of parts, and with a row list or without.
 */
#include "kernel/vec/wino.h"

enum {
	MOVED = 98304, /* floats of transformed activations at a time: the second-level cache, */
	TILES = 48,    /* or so many tiles, since each block reads and writes all sums */
	SUMS = 4 << 20 /* most floats of the 36 sums */
};

typedef struct dw {
	wino t;
	long o;     /* channels that are computed: those of the list, or all */
	long op;    /* floats of a transformed pixel of dy */
	long block; /* tile rows transformed at a time, of one or several images */
	bool copied; /* dy goes through a copy: with zeros below and beside it, or of the channels of the list */
} dw;

static dw setup(const int32_t *k)
{
	dw d = {.t = wino_of(cv_forward(k))};
	const cv *g = &d.t.g;

	d.o = k[CK_CAP] ? k[CK_CAP] : g->o;
	d.op = vectors(d.o) * VW;
	d.block = lmax(1, lmin(g->n * d.t.th, lmax(MOVED / (POINTS * d.t.tw * (d.t.cp + d.op)), TILES / d.t.tw)));
	d.copied = k[CK_CAP] || g->oh % 4 || g->ow % 4;
	return d;
}

static long sums(const dw *d) { return d->o * d->t.cp; }
static long copy_row(const dw *d) { return 4 * d->t.tw * d->op; }
static long points_of(const dw *d, long n) { return apart(d->block * d->t.tw * n); }

bool VN(wino_dw_fits)(const int32_t *k)
{
	return wino_pays(k) && POINTS * k[CK_O] * (vectors(k[CK_C]) * VW) <= SUMS && k[CK_N] * k[CK_OH] * k[CK_OW] >= 64;
}

/* Scratch: padded rows of x; rows of dy; both transformed, [36][tile][channel]; the sums, [36][o][cp]. */
size_t VN(wino_dw_work)(const int32_t *k)
{
	const dw d = setup(k);
	return (size_t)(padded(&d.t, lmin(d.block, d.t.th)) + (d.copied ? 4 * copy_row(&d) : 0) + POINTS * (points_of(&d, d.t.cp) + points_of(&d, d.op) + sums(&d))) * sizeof(float);
}

/* ---- dy ---- */

/* A y of four values. */
AI void spread6(v *y, long step, const v d[4])
{
	v a = d[0] + 0.5f * d[2], b = P * (d[1] + 0.5f * d[3]), c = d[0] + 2 * d[2], e = Q * (d[1] + 2 * d[3]);

	y[0] = d[0];
	y[step] = a + b;
	y[2 * step] = a - b;
	y[3 * step] = c + e;
	y[4 * step] = c - e;
	y[5 * step] = d[3];
}

/* One tile, VW channels: y points at its upper left pixel, u at point 0. */
AI void spread_tile(float *u, long point, const float *y, long row, long pixel)
{
	v t[24], d[4], s[6];

	UNROLL
	for (int i = 0; i < 4; i++) {
		UNROLL
		for (int j = 0; j < 4; j++) d[j] = LD(y + i * row + j * pixel);
		spread6(t + i, 4, d); /* t[column][i] */
	}
	UNROLL
	for (int j = 0; j < 6; j++) {
		spread6(s, 1, t + j * 4);
		UNROLL
		for (int i = 0; i < 6; i++) ST(u + (i * 6 + j) * point, s[i]);
	}
}

/* Channels [o0, o1), those of a list if there is one, of the four pixel rows of a tile row: [pixel][o1 - o0], zeros where there is no pixel. */
static void copy_rows(const dw *d, float *to, const float *dy, long rows, const int32_t *list, long o0, long o1)
{
	const cv *g = &d->t.g;
	const long op = vectors(o1 - o0) * VW, width = 4 * d->t.tw;

	for (long r = 0; r < 4; r++, dy += g->ow * g->o)
		for (long i = 0; i < width; i++, to += op) {
			const float *y = dy + i * g->o;
			if (r >= rows || i >= g->ow) {
				vzero(to, op);
			} else if (list) {
				for (long o = o0; o < o1; o++) to[o - o0] = y[list[o]];
				vzero(to + o1 - o0, op - (o1 - o0));
			} else {
				vcopy(to, y + o0, o1 - o0);
				vzero(to + o1 - o0, op - (o1 - o0));
			}
		}
}

/* One tile row of an image. */
static void spread_row(const dw *d, float *u, long point, const float *dy, long h, float *copy, const int32_t *list, long o0, long o1)
{
	const cv *g = &d->t.g;
	const long op = vectors(o1 - o0) * VW;
	const float *y = dy + 4 * h * g->ow * g->o + o0;
	long pixel = g->o, row = g->ow * g->o;

	if (d->copied) {
		copy_rows(d, copy, dy + 4 * h * row, g->oh - 4 * h, list, o0, o1);
		y = copy, pixel = op, row = 4 * d->t.tw * op;
	}
	for (long i = 0; i < d->t.tw; i++, u += op)
		for (long o = 0; o < op; o += VW) spread_tile(u + o, point, y + 4 * i * pixel + o, row, pixel);
}

/* ---- the sums ---- */

/* n tiles: sum[36][n of o][cp]. */
static void add_block(const dw *d, float *sum, const float *u, long u_point, const float *e, long e_point, long o, long n, bool add)
{
	const long cp = d->t.cp;
	mk_args p = {.n2 = 1, .n1 = 1, .k = n, .as = vectors(o) * VW, .ldb = cp, .ldc = cp, .add = add};

	for (long x = 0; x < POINTS; x++)
		for (long q = 0; q < panels(cp); q++) {
			const long c0 = panel_at(cp, q) * VW, nv = panel_nv(cp, q);
			p.cols = nv * VW;
			mk_run(VN(mk_tn)[nv], mk_cap(nv), o, &p, e + x * e_point, 1, u + x * u_point + c0, sum + x * o * cp + c0);
		}
}

/* G^T m of six values. */
AI void gather3(v *y, long step, const v m[6])
{
	v a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], e = m[3] - m[4];

	y[0] = m[0] - (1 / 1.5f) * a + (1 / 6.f) * c;
	y[step] = (Q / 6.f) * e - (P / 1.5f) * b;
	y[2 * step] = m[5] - (0.5f / 1.5f) * a + (2 / 6.f) * c;
}

/* One channel of dw, [3][3][c], from its sums. */
static void gather_channel(float *dw_, const float *sum, long point, long c)
{
	for (long i = 0; i < c; i += VW) {
		v t[18], s[6], y[3];
		UNROLL
		for (int n = 0; n < 6; n++) {
			UNROLL
			for (int m = 0; m < 6; m++) s[m] = LD(sum + (n * 6 + m) * point + i);
			gather3(t + n, 6, s); /* t[tap column][n] */
		}
		UNROLL
		for (int m = 0; m < 3; m++) {
			gather3(y, 1, t + m * 6);
			for (int n = 0; n < 3; n++) stn(dw_ + (n * 3 + m) * c + i, y[n], lmin(VW, c - i));
		}
	}
}

/* ---- the kernel ---- */

void cop_conv_dw_f32(const cop_call *c);

void VN(wino_dw_f32)(const cop_call *c)
{
	const dw d = setup(c->k);
	const wino *t = &d.t;
	const cv *g = &t->g;
	const int32_t *rows = c->buf[3];
	const long all = rows ? rows[0] : g->o;
	float *copy = (float *)c->work + padded(t, lmin(d.block, t->th)), *u = copy + (d.copied ? 4 * copy_row(&d) : 0);
	float *e = u + POINTS * points_of(&d, t->cp), *sum = e + POINTS * points_of(&d, d.op);

	if (!vrows_fit(rows, c->k[CK_CAP], c->k[CK_O])) {
		cop_conv_dw_f32(c);
		return;
	}
	const long o0 = cop_from(c, (int32_t)all, 4), o1 = cop_to(c, (int32_t)all, 4), op = vectors(o1 - o0) * VW;
	if (o0 >= o1) return;
	const long up = points_of(&d, t->cp), ep = points_of(&d, op);
	for (long r = 0, end; r < g->n * t->th; r = end) {
		end = lmin(r + d.block, g->n * t->th);
		move_block(t, u, up, c->buf[2], r, end, c->work);
		for (long at = r; at < end; at++)
			spread_row(&d, e + (at - r) * t->tw * op, ep, (const float *)c->buf[1] + at / t->th * g->oh * g->ow * g->o, at % t->th, copy, rows ? rows + 1 : NULL, o0, o1);
		add_block(&d, sum, u, up, e, ep, o1 - o0, (end - r) * t->tw, r > 0);
	}
	for (long o = o0; o < o1; o++) gather_channel((float *)c->buf[0] + o * g->wo, sum + (o - o0) * t->cp, (o1 - o0) * t->cp, g->c);
}
