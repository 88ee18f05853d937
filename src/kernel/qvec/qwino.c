/* SPDX-License-Identifier: Apache-2.0
 *
 * qwino - int8 convolution with 3 x 3 windows at stride 1 by Winograd's F(4x4, 3x3), exact: 36 products stand for 144.
 *
 *   Y = A^T ((G g G^T) * (B^T d B)) A     d: 6 x 6 of x, g: 3 x 3 of w, Y: 4 x 4      (Lavin & Gray 2016, section 4)
 *
 * G has quarters, sixths and 24ths. Its rows are scaled to integers here, and A's columns by what 24 leaves, so that 576 Y comes
 * out, of which A's rows give up powers of two again. With |w| <= 128 and x a byte, transformed weights (<= 6272) and
 * activations (<= 12800) fit 16 bits, the pairs of i16 that the multiplier takes. The sums may overflow: all that follows is
 * right modulo 2^32, so 9 * 2^k * Y times the inverse of 9 and an arithmetic shift by k <= 6 give Y itself while |Y| < 2^25,
 * which 9 * 128 * 128 * C is up to 227 channels. No bit differs from the direct sum's.
 */
#include "kernel/qvec/qconv.h"

#if PAIRS

enum { LANES = 2 * VW, POINTS = 36, AT_ONCE = TILE2, SUMS = AT_ONCE * PANEL + 16, MOST = 227, MAX_STAGED = 98304 };

typedef uint16_t hv __attribute__((vector_size(VW * 4))); /* numbers with a sign; what lies behind the last channel is any, and wraps */
typedef uint16_t hvu __attribute__((vector_size(VW * 4), aligned(2), may_alias));
typedef uint32_t vw __attribute__((vector_size(VW * 4)));

typedef struct wino {
	long c, o, oh, ow;
	long th, tw;  /* tiles of 4 x 4 down and across */
	long cp;      /* channels of a transformed pixel, whole vectors */
	long row;     /* staged elements of an input row */
	long block;   /* tile rows transformed at a time */
} wino;

static wino wino_of(const int32_t *k)
{
	wino g = {.c = k[CK_C], .o = k[CK_O], .oh = k[CK_OH], .ow = k[CK_OW], .th = (k[CK_OH] + 3) / 4, .tw = (k[CK_OW] + 3) / 4, .cp = up_to(k[CK_C], LANES)};

	g.row = lmax(k[CK_W] + k[CK_PL], 4 * g.tw + 2) * g.c;
	g.block = lmax(1, lmin(g.th, MAX_STAGED / (POINTS * g.tw * g.cp * (long)sizeof(qe))));
	return g;
}

bool VN(qwino_fits)(const int32_t *k)
{
	return k[CK_KH] == 3 && k[CK_KW] == 3 && k[CK_SH] == 1 && k[CK_SW] == 1 && k[CK_DH] == 1 && k[CK_DW] == 1 && k[CK_G] == 1 &&
	       k[CK_C] >= 8 && k[CK_C] <= MOST && k[CK_O] >= 8 && k[CK_N] * k[CK_OH] * k[CK_OW] >= 36;
}

/* Elements from point to point of n tiles: an odd number of cache lines, or all 36 would fall on the same few places of the cache. */
static long apart(const wino *g, long n) { return ((n * g->tw * g->cp + 31) / 32 | 1) * 32; }

/* Scratch: staged rows, transformed activations [36][tile][cp], products [36][AT_ONCE][PANEL], again apart. */
static size_t staged(const wino *g) { return (size_t)up_to((4 * g->block + 2) * g->row + 64, 32) * sizeof(qe); }
static size_t moved(const wino *g) { return (size_t)(POINTS * apart(g, g->block)) * sizeof(qe); }
size_t VN(qwino_work)(const int32_t *k)
{
	wino g = wino_of(k);
	return staged(&g) + moved(&g) + POINTS * SUMS * sizeof(int32_t);
}

/* ---- weights: [panel][36][pair of c][lane][2] ---- */

static long panels(long o) { return (o + PANEL - 1) / PANEL; }
static long vectors(long o, long panel) { return o - panel * PANEL > VW ? 2 : 1; }
static long pairs(const wino *g) { return (g->c + 1) / 2; }
static long panel_size(const wino *g) { return POINTS * pairs(g) * PANEL * 2; }

size_t VN(qwino_pack_bytes)(const int32_t *k)
{
	wino g = wino_of(k);
	return (size_t)(panels(g.o) * panel_size(&g)) * sizeof(int16_t);
}

/* G g G^T, each row of G an integer multiple of Winograd's: of 24, -6, -6, 24, 24 and 6 times. */
static void move_weight(int16_t u[POINTS], const int8_t w[9])
{
	static const int8_t G6[6][3] = {{6, 0, 0}, {1, 1, 1}, {1, -1, 1}, {1, 2, 4}, {1, -2, 4}, {0, 0, 6}};
	int t[6][3];

	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 3; j++) t[i][j] = G6[i][0] * w[j] + G6[i][1] * w[3 + j] + G6[i][2] * w[6 + j];
	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 6; j++) u[i * 6 + j] = (int16_t)(G6[j][0] * t[i][0] + G6[j][1] * t[i][1] + G6[j][2] * t[i][2]);
}

static void pack(const cop_call *c, int bits)
{
	wino g = wino_of(c->k);

	for (long q = cop_from(c, (int32_t)panels(g.o), 1); q < cop_to(c, (int32_t)panels(g.o), 1); q++) {
		long nv = vectors(g.o, q);
		int16_t *p = (int16_t *)c->work + q * panel_size(&g);
		for (long i = 0; i < pairs(&g) * 2; i++)
			for (long l = 0; l < nv * VW; l++) {
				long o = q * PANEL + l;
				int8_t w[9] = {0};
				int16_t u[POINTS];
				for (long t = 0; t < 9 && o < g.o && i < g.c; t++) w[t] = weight_at(c->buf[2], bits, o * 9 + t, g.c, i);
				move_weight(u, w);
				for (long x = 0; x < POINTS; x++) p[((x * pairs(&g) + i / 2) * nv + l / VW) * LANES + place(l % VW, i % 2)] = u[x];
			}
	}
}

void VN(qwino_pack)(const cop_call *c) { pack(c, 8); }
void VN(qwino_pack4)(const cop_call *c) { pack(c, 4); }
void VN(qwino_pack2)(const cop_call *c) { pack(c, 2); }

/* ---- activations ---- */

/* B^T d of six values. */
AI void move6(hv *y, long step, const hv d[6])
{
	hv c = d[4] - d[2], f = d[3] - d[1], e = f + f, a = d[4] - d[2] * 4, b = d[3] - d[1] * 4;

	y[0] = (d[0] - d[2]) * 4 + c;
	y[step] = a + b;
	y[2 * step] = a - b;
	y[3 * step] = c + e;
	y[4 * step] = c - e;
	y[5 * step] = (d[5] - d[3]) - f * 4;
}

/* One tile, LANES channels: x points at its upper left pixel, v at point 0. */
AI void move_tile(qe *v, long point, const qe *x, long row, long pixel)
{
	hv t[POINTS], d[6];

	UNROLL
	for (int i = 0; i < 6; i++) {
		UNROLL
		for (int j = 0; j < 6; j++) d[j] = (hv)*(const hvu *)(x + i * row + j * pixel);
		move6(t + i, 6, d); /* t[j][i] */
	}
	UNROLL
	for (int j = 0; j < 6; j++) {
		hv y[6];
		move6(y, 1, t + j * 6);
		UNROLL
		for (int i = 0; i < 6; i++) *(hvu *)(v + (i * 6 + j) * point) = (hvu)y[i];
	}
}

/* The tiles of n tile rows whose input rows are staged. */
static NOINLINE void move_rows(const wino *g, qe *v, const qe *x, long n)
{
	long point = apart(g, n);

	for (long r = 0; r < n; r++)
		for (long t = 0; t < g->tw; t++, v += g->cp)
			for (long c = 0; c < g->c; c += LANES) move_tile(v + c, point, x + 4 * r * g->row + 4 * t * g->c + c, g->row, g->c);
}

/* ---- products ---- */

/* For each of the 36 points, m tiles by nv vectors of channels. */
AI void products(const int m, const int nv, const wino *g, int32_t *y, const qe *v, long point, const int16_t *u)
{
	const long np = pairs(g), cp = g->cp;

	for (int x = 0; x < POINTS; x++, v += point, y += SUMS) {
		vi acc[AT_ONCE * 2] = {0};
		const qe *a = v;
		for (long k = np; k > 0; k--, a += 2, u += nv * LANES) {
			vi w[2];
			UNROLL
			for (int j = 0; j < nv; j++) w[j] = LDI(u + j * LANES);
			UNROLL
			for (int i = 0; i < m; i++) {
				vi s = splat(*(const word *)(a + i * cp));
				UNROLL
				for (int j = 0; j < nv; j++) acc[i * nv + j] = dot_all(acc[i * nv + j], s, w[j]);
			}
		}
		UNROLL
		for (int i = 0; i < m; i++)
			UNROLL
			for (int j = 0; j < nv; j++) STI(y + i * PANEL + j * VW, acc[i * nv + j]);
	}
}

typedef void products_fn(const wino *g, int32_t *y, const qe *v, long point, const int16_t *u);
#define FN(m, n)                                                                                                    \
	static NOINLINE void products_##m##_##n(const wino *g, int32_t *y, const qe *v, long point, const int16_t *u) \
	{                                                                                                           \
		products(m, n, g, y, v, point, u);                                                                  \
	}
#define AT(m, n) [n][m] = products_##m##_##n,
#define TO6(X, n) X(1, n) X(2, n) X(3, n) X(4, n) X(5, n) X(6, n)
#if VW == 8
#define ALL(X) TO6(X, 1) TO6(X, 2)
#else
#define ALL(X) TO6(X, 1) TO6(X, 2) X(7, 1) X(7, 2) X(8, 1) X(8, 2)
#endif
ALL(FN)
static products_fn *const all_products[3][AT_ONCE + 1] = {ALL(AT)};

/* ---- results ---- */

/* A^T m of six values: rows of 1, 2, 4 and 4 times. */
AI void back4(vw *y, long step, const vw m[6])
{
	vw a = m[1] + m[2], d = m[1] - m[2], b = m[3] + m[4], e = m[3] - m[4];

	y[0] = m[0] - a * 4 + b;
	y[step] = e - (d + d);
	y[2 * step] = b - a;
	y[3 * step] = e + e - d + m[5];
}

/* The 16 sums of one tile and VW channels. */
AI void back_tile(vi y[16], const int32_t *m, vi bias)
{
	static const int powers[4] = {0, 1, 2, 2};
	const uint32_t ninth = 954437177u; /* 9 * 954437177 = 1 modulo 2^32 */
	vw t[24], s[6], r[4];

	UNROLL
	for (int i = 0; i < 6; i++) {
		UNROLL
		for (int j = 0; j < 6; j++) s[j] = (vw)LDI(m + (i * 6 + j) * SUMS);
		back4(t + i, 6, s); /* t[column][i] */
	}
	UNROLL
	for (int j = 0; j < 4; j++) {
		back4(r, 1, t + j * 6);
		UNROLL
		for (int i = 0; i < 4; i++) y[i * 4 + j] = ((vi)(r[i] * ninth) >> (6 - powers[i] - powers[j])) + bias;
	}
}

/* Scales and stores a tile's pixels that exist: rows by cols. */
static NOINLINE void finish(const tile_args *p, long nv, const int32_t *m, int8_t *y, long row, long rows, long cols)
{
	vi a[2][16];

	for (long j = 0; j < nv; j++) {
		back_tile(a[j], m + j * VW, LDI(p->bias + j * VW));
		requant(16, 1, a[j], p->m + j * VW, p->s + j * VW, &p->r);
	}
	for (long i = 0; i < rows; i++)
		for (long t = 0; t < cols; t++) {
			int8_t *d = y + i * row + t * p->ldy;
			if (nv == 2) put2(d, a[0][i * 4 + t], a[1][i * 4 + t], p->cols, &p->r);
			else put(d, a[0][i * 4 + t], p->cols, &p->r);
		}
}

/* n tile rows of one image from their transformed activations; y: their first row, first channel of the panel. */
static void run_panel(const wino *g, const tile_args *p, long nv, const int16_t *u, const qe *v, int32_t *m, int8_t *y, long n, long rows)
{
	long tiles = n * g->tw, row = g->ow * g->o;

	for (long at = 0, left = (tiles + AT_ONCE - 1) / AT_ONCE, count; left > 0; left--, at += count) {
		count = (tiles - at + left - 1) / left;
		all_products[nv][count](g, m, v + at * g->cp, apart(g, n), u);
		for (long i = 0; i < count; i++) {
			long r = (at + i) / g->tw * 4, t = (at + i) % g->tw * 4;
			finish(p, nv, m + i * PANEL, y + r * row + t * g->o, row, lmin(4, rows - r), lmin(4, g->ow - t));
		}
	}
}

/* What all panels share. */
static tile_args args_for(const wino *g, const cop_call *c)
{
	const int32_t *k = c->k, *m = c->buf[4];
	bool plain = k[QK_TWICE] && plain_shifts(m + g->o, c->buf[3], g->o, 9 * g->c);

	return (tile_args){.ldy = g->o,
		.r = {.zy = k[QK_ZY], .up = k[QK_UP], .twice = k[QK_TWICE], .plain = plain, .lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]}};
}

static void choose_panel(tile_args *p, const wino *g, const cop_call *c, long q)
{
	long o = q * PANEL;

	p->bias = (const int32_t *)c->buf[3] + o;
	p->m = (const int32_t *)c->buf[4] + o;
	p->s = p->r.twice ? p->m + g->o : p->m;
	p->cols = lmin(PANEL, g->o - o);
}

/* Parts share tile rows, or panels when there are few. */
void VN(qwino_i8)(const cop_call *c)
{
	wino g = wino_of(c->k);
	tile_args p = args_for(&g, c);
	const int32_t *k = c->k;
	int32_t all = (int32_t)(k[CK_N] * g.th), np = (int32_t)panels(g.o);
	bool by_panel = all < 2 * c->parts && np >= c->parts;
	long r = by_panel ? 0 : cop_from(c, all, 1), to = by_panel ? all : cop_to(c, all, 1);
	long p0 = by_panel ? cop_from(c, np, 1) : 0, p1 = by_panel ? cop_to(c, np, 1) : np;
	qe *x = c->work, *v = (qe *)((char *)c->work + staged(&g));
	int32_t *m = (int32_t *)(void *)((char *)v + moved(&g));

	for (long n; r < to; r += n) {
		long image = r / g.th, h = r % g.th, top = 4 * h - k[CK_PT];
		n = lmin(lmin(g.block, g.th - h), to - r);
		stage_rows(x, (const int8_t *)c->buf[1] + image * k[CK_H] * k[CK_W] * g.c, top, top + 4 * n + 2, g.row, k);
		move_rows(&g, v, x, n);
		for (long q = p0; q < p1; q++) {
			choose_panel(&p, &g, c, q);
			run_panel(&g, &p, vectors(g.o, q), (const int16_t *)c->pack + q * panel_size(&g), v, m,
				(int8_t *)c->buf[0] + (image * g.oh + 4 * h) * g.ow * g.o + q * PANEL, n, g.oh - 4 * h);
		}
	}
}

#endif
