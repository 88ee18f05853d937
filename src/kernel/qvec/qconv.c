/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv - dense int8 convolution, any window, stride and padding; weights i8, or i4 and i2 widened when packed.
 */
#include "kernel/qvec/qconv.h"

typedef struct shape {
	long n, h, w, c, oh, ow, o, kh, kw, sh, sw, pt, pl;
	long groups;    /* of G in a run */
	long row;       /* staged elements of an input row */
	long block;     /* output rows (pixels when flat) whose input is staged at a time */
	bool flat;      /* pixels are independent */
} shape;

/* Bytes staged at a time: some first-level cache, or some second-level cache when weights would otherwise pass too often. */
enum { NEAR = 16384, FAR = 98304, MANY = 65536 };

static shape shape_of(const int32_t *k)
{
	shape g = {.n = k[CK_N], .h = k[CK_H], .w = k[CK_W], .c = k[CK_C], .oh = k[CK_OH], .ow = k[CK_OW], .o = k[CK_O], .kh = k[CK_KH],
		.kw = k[CK_KW], .sh = k[CK_SH], .sw = k[CK_SW], .pt = k[CK_PT], .pl = k[CK_PL]};
	long room = (g.kh * g.kw * g.c * g.o > MANY ? FAR : NEAR) / (long)sizeof(qe);

	g.groups = (g.kw * g.c + G - 1) / G;
	g.flat = g.kh == 1 && g.kw == 1 && !g.pt && !g.pl && (g.oh - 1) * g.sh < g.h && (g.ow - 1) * g.sw < g.w;
	if (g.flat) {
		g.row = g.c;
		g.block = lmin(g.n * g.oh * g.ow, lmax(24, room / (g.c + g.o / 2) / 24 * 24));
	} else {
		g.row = lmax(g.w + g.pl, (g.ow - 1) * g.sw + g.kw) * g.c;
		g.block = lmax(lmin(4, g.oh), lmin(g.oh, (room / g.row - g.kh) / g.sh + 1));
	}
	return g;
}

/* NARROW: layers that would leave half of a whole vector empty. Vectors of 8 lanes take half as long, or run two in a cycle. */
bool VN(qconv_fits)(const int32_t *k) { return k[CK_G] == 1 && k[CK_DH] == 1 && k[CK_DW] == 1 && (!NARROW || (k[CK_O] <= VW && !is_one_pixel(k))); }

size_t VN(qconv_work)(const int32_t *k)
{
	shape g = shape_of(k);
	long rows = g.flat ? g.block : (g.block - 1) * g.sh + g.kh;
	return (size_t)(rows * g.row + 64) * sizeof(qe);
}

/* ---- packing ---- */

static long panels(long o) { return (o + PANEL - 1) / PANEL; }
static long vectors(long o, long panel) { return o - panel * PANEL > VW ? 2 : 1; }
static long panel_bytes(const shape *g) { return g->kh * g->groups * PANEL * G; }

/* The weights, then for each channel what the offset of x adds to its sum. */
static size_t fix_at(const shape *g) { return (size_t)(panels(g->o) * panel_bytes(g)); }

size_t VN(qconv_pack_bytes)(const int32_t *k)
{
	shape g = shape_of(k);
	return fix_at(&g) + (size_t)(panels(g.o) * PANEL) * sizeof(int32_t);
}

static void pack(const cop_call *c, int bits)
{
	shape g = shape_of(c->k);
	int8_t *d = c->work;
	int32_t *fix = (void *)((char *)c->work + fix_at(&g));

	for (long q = cop_from(c, (int32_t)panels(g.o), 1); q < cop_to(c, (int32_t)panels(g.o), 1); q++) {
		long lanes = vectors(g.o, q) * VW, run = g.kw * g.c;
		int8_t *p = d + q * panel_bytes(&g);
		for (long l = 0; l < PANEL; l++) fix[q * PANEL + l] = 0;
		for (long kh = 0; kh < g.kh; kh++)
			for (long i = 0; i < g.groups * G; i++)
				for (long l = 0; l < lanes; l++) {
					long o = q * PANEL + l;
					int8_t w = o < g.o && i < run ? weight_at(c->buf[2], bits, (o * g.kh + kh) * g.kw + i / g.c, g.c, i % g.c) : 0;
					p[((kh * g.groups + i / G) * lanes + l / VW * VW) * G + place(l % VW, i % G)] = w;
					fix[o] += OFFSET * w;
				}
	}
}

void VN(qconv_pack)(const cop_call *c) { pack(c, 8); }
void VN(qconv_pack4)(const cop_call *c) { pack(c, 4); }
void VN(qconv_pack2)(const cop_call *c) { pack(c, 2); }

/* ---- running ---- */

/* Pixels [0, n) in tiles of nearly one size. */
static void run_tiles(const tile_args *p, long nv, long n, const qe *a, int8_t *y)
{
	long most = nv == 1 ? TILE1 : TILE2, left = (n + most - 1) / most;

	for (; left > 0; left--) {
		long m = (n + left - 1) / left;
		VN(q_tiles)[nv][m](p, a, y);
		a += m * p->a_step;
		y += m * p->ldy;
		n -= m;
	}
}

static tile_args tile_for(const shape *g, const cop_call *c)
{
	const int32_t *k = c->k, *m = c->buf[4];
	bool plain = k[QK_TWICE] && plain_shifts(m + g->o, c->buf[3], g->o, g->kh * g->kw * g->c);
	return (tile_args){.rows = g->kh, .groups = g->groups, .a_row = g->row, .a_step = (g->flat ? 1 : g->sw) * g->c, .ldy = g->o, .m = m,
		.r = {.zy = k[QK_ZY], .up = k[QK_UP], .twice = k[QK_TWICE], .plain = plain, .lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]}};
}

static void choose_panel(tile_args *p, const shape *g, const cop_call *c, long q)
{
	const int32_t *m = c->buf[4];
	long o = q * PANEL, nv = vectors(g->o, q);

	p->w = (const int8_t *)c->pack + q * panel_bytes(g);
	p->b_row = g->groups * nv * VW * G;
	p->bias = (const int32_t *)c->buf[3] + o;
	p->fix = (const int32_t *)(const void *)((const char *)c->pack + fix_at(g)) + o;
	p->m = m + o;
	p->s = p->r.twice ? m + g->o + o : p->m;
	p->cols = lmin(PANEL, g->o - o);
}

/* Output pixels [from, to) of all images, each from one pixel. */
static void run_flat(const shape *g, const cop_call *c, long from, long to, long p0, long p1)
{
	tile_args p = tile_for(g, c);
	const int8_t *x = c->buf[1];
	bool dense = g->sh == 1 && g->sw == 1 && g->h == g->oh && g->w == g->ow;

	for (long at = from, n; at < to; at += n) {
		n = lmin(g->block, to - at);
		if (dense) {
			stage(c->work, x + at * g->c, n * g->c);
		} else {
			for (long i = 0; i < n; i++) {
				long row = (at + i) / g->ow, image = row / g->oh;
				stage((qe *)c->work + i * g->c, x + ((image * g->h + row % g->oh * g->sh) * g->w + (at + i) % g->ow * g->sw) * g->c, g->c);
			}
		}
		for (long q = p0; q < p1; q++) {
			choose_panel(&p, g, c, q);
			run_tiles(&p, vectors(g->o, q), n, c->work, (int8_t *)c->buf[0] + at * g->o + q * PANEL);
		}
	}
}

/* Rows [from, to) of the output rows of all images. */
static void run_rows(const shape *g, const cop_call *c, long from, long to, long p0, long p1)
{
	tile_args p = tile_for(g, c);

	for (long r = from, h1; r < to;) {
		long image = r / g->oh, h = r % g->oh, top = h * g->sh - g->pt;
		h1 = lmin(lmin(h + g->block, g->oh), h + to - r);
		stage_rows(c->work, (const int8_t *)c->buf[1] + image * g->h * g->w * g->c, top, (h1 - 1) * g->sh - g->pt + g->kh, g->row, c->k);
		for (long q = p0; q < p1; q++) {
			choose_panel(&p, g, c, q);
			for (long i = 0; i < h1 - h; i++)
				run_tiles(&p, vectors(g->o, q), g->ow, (qe *)c->work + i * g->sh * g->row,
					(int8_t *)c->buf[0] + (r + i) * g->ow * g->o + q * PANEL);
		}
		r += h1 - h;
	}
}

/* Parts share rows, or panels when there are few rows. */
void VN(qconv_i8)(const cop_call *c)
{
	shape g = shape_of(c->k);
	int32_t m = (int32_t)(g.flat ? g.n * g.oh * g.ow : g.n * g.oh), np = (int32_t)panels(g.o);
	bool by_panel = m < 4 * c->parts && np >= c->parts;
	long from = by_panel ? 0 : cop_from(c, m, 1), to = by_panel ? m : cop_to(c, m, 1);
	long p0 = by_panel ? cop_from(c, np, 1) : 0, p1 = by_panel ? cop_to(c, np, 1) : np;

	if (g.flat) run_flat(&g, c, from, to, p0, p1);
	else run_rows(&g, c, from, to, p0, p1);
}
