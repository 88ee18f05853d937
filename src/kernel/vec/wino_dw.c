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
	d.block = lmax(1, lmin(g->n * d.t.th, lmax(MOVED / (POINTS * d.t.tw * (d.t.cp + vectors(g->o) * VW)), TILES / d.t.tw)));
	d.copied = k[CK_CAP] || g->oh % d.t.m || g->ow % d.t.m;
	return d;
}

static long sums(const dw *d) { return d->o * d->t.cp; }
static long copy_floats(const dw *d) { return d->copied ? d->t.m * d->t.m * d->t.tw * d->op : 0; }
static long points_of(const dw *d, long n) { return apart(d->block * d->t.tw * n); }

bool VN(wino_dw_fits)(const int32_t *k)
{
	return wino_pays(k) && POINTS * k[CK_O] * (vectors(k[CK_C]) * VW) <= SUMS && k[CK_N] * k[CK_OH] * k[CK_OW] >= 64;
}

/* Scratch: padded rows of x; rows of dy; both transformed, [36][tile][channel]; the sums, [36][o][cp]. */
size_t VN(wino_dw_work)(const int32_t *k)
{
	const dw d = setup(k);
	return (size_t)(padded(&d.t, lmin(d.block, d.t.th)) + copy_floats(&d) + POINTS * (points_of(&d, d.t.cp) + points_of(&d, d.op) + sums(&d))) * sizeof(float);
}

/* ---- dy ---- */

/* A y of n values. */
AI void spread6(const int n, v *y, long step, const v *d)
{
	v a = d[0], b = d[1], c = d[0], e = d[1];

	if (n == 4) a += 0.5f * d[2], b += 0.5f * d[3], c += 2 * d[2], e += 2 * d[3];
	y[0] = d[0];
	y[step] = a + P * b;
	y[2 * step] = a - P * b;
	y[3 * step] = c + Q * e;
	y[4 * step] = c - Q * e;
	y[5 * step] = d[n - 1];
}

/* One tile of n x n, VW channels: y points at its upper left pixel, u at point 0. */
AI void spread_tile(const int n, float *u, long point, const float *y, long row, long pixel)
{
	v t[24], d[4], s[6];

	UNROLL
	for (int i = 0; i < n; i++) {
		UNROLL
		for (int j = 0; j < n; j++) d[j] = LD(y + i * row + j * pixel);
		spread6(n, t + i, n, d); /* t[column][i] */
	}
	UNROLL
	for (int j = 0; j < 6; j++) {
		spread6(n, s, 1, t + j * n);
		UNROLL
		for (int i = 0; i < 6; i++) ST(u + (i * 6 + j) * point, s[i]);
	}
}

/* Channels [o0, o1), those of a list if there is one, of the pixel rows of a tile row: [pixel][o1 - o0], zeros where there is no pixel. */
static void copy_rows(const dw *d, float *to, const float *dy, long rows, const int32_t *list, long o0, long o1)
{
	const cv *g = &d->t.g;
	const long op = vectors(o1 - o0) * VW, width = d->t.m * d->t.tw;

	for (long r = 0; r < d->t.m; r++, dy += g->ow * g->o)
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
	const long op = vectors(o1 - o0) * VW, m = d->t.m;
	const float *y = dy + m * h * g->ow * g->o + o0;
	long pixel = g->o, row = g->ow * g->o;

	if (d->copied) {
		copy_rows(d, copy, dy + m * h * row, g->oh - m * h, list, o0, o1);
		y = copy, pixel = op, row = m * d->t.tw * op;
	}
	for (long i = 0; i < d->t.tw; i++, u += op)
		for (long o = 0; o < op; o += VW) {
			const float *from = y + m * i * pixel + o;
			if (m == 4) spread_tile(4, u + o, point, from, row, pixel);
			else spread_tile(2, u + o, point, from, row, pixel);
		}
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
AI void gather(const int r, v *y, long step, const v m[6])
{
	v a = (-1 / 1.5f) * (m[1] + m[2]), b = (-1 / 1.5f) * (m[1] - m[2]), c = (1 / 6.f) * (m[3] + m[4]), e = (1 / 6.f) * (m[3] - m[4]);

	y[0] = m[0] + a + c;
	y[step] = P * b + Q * e;
	y[2 * step] = 0.5f * a + 2 * c;
	if (r == 5) {
		y[3 * step] = 0.5f * P * b + 2 * Q * e;
		y[4 * step] = 0.25f * a + 4 * c;
	}
	y[(r - 1) * step] += m[5];
}

/* One channel of dw, [r][r][c], from its sums. */
AI void gather_taps(const int r, float *dw_, const float *sum, long point, long c)
{
	for (long i = 0; i < c; i += VW) {
		v t[5 * 6], s[6], y[5];
		UNROLL
		for (int n = 0; n < 6; n++) {
			UNROLL
			for (int m = 0; m < 6; m++) s[m] = LD(sum + (n * 6 + m) * point + i);
			gather(r, t + n, 6, s); /* t[tap column][n] */
		}
		UNROLL
		for (int m = 0; m < r; m++) {
			gather(r, y, 1, t + m * 6);
			for (int n = 0; n < r; n++) stn(dw_ + (n * r + m) * c + i, y[n], lmin(VW, c - i));
		}
	}
}
static NOINLINE void gather_3(float *dw_, const float *sum, long point, long c) { gather_taps(3, dw_, sum, point, c); }
static NOINLINE void gather_5(float *dw_, const float *sum, long point, long c) { gather_taps(5, dw_, sum, point, c); }

/* ---- the kernel ---- */

void cop_conv_dw_f32(const cop_call *c);

void VN(wino_dw_f32)(const cop_call *c)
{
	const dw d = setup(c->k);
	const wino *t = &d.t;
	const cv *g = &t->g;
	const int32_t *rows = c->buf[3];
	const long all = rows ? rows[0] : g->o;
	float *copy = (float *)c->work + padded(t, lmin(d.block, t->th)), *u = copy + copy_floats(&d);
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
	for (long o = o0; o < o1; o++) (g->kh == 3 ? gather_3 : gather_5)((float *)c->buf[0] + o * g->wo, sum + (o - o0) * t->cp, (o1 - o0) * t->cp, g->c);
}
