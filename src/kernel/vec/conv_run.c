/* SPDX-License-Identifier: Apache-2.0
 *
 * conv_run - runs a pass of conv.h over some rows and panels, and packs its weights.
 *
 * Loop order: panels in groups that fit the second-level cache, then blocks of output rows, then panel, row, tile.
 */
#include "kernel/vec/conv.h"
#include "kernel/vec/conv_tile.h"
#include "kernel/vec/pack.h"

/* ---- the small tiles, by size ---- */

#define ROW_FN(m, s, cc)                                                                                            \
	static NOINLINE void row_##m##_##s##_##cc(const mk_args *p, const float *a, const float *b, float *c)       \
	{                                                                                                           \
		row_tile(m, s, cc, p, a, b, c);                                                                     \
	}
#define PAIR_FN(m)                                                                                                  \
	static NOINLINE void pair_##m(const mk_args *p, const float *a, const float *b, float *c)                   \
	{                                                                                                           \
		pair_tile(m, p, a, b, c);                                                                           \
	}

ROW_FN(1, 1, 0) ROW_FN(2, 1, 0) ROW_FN(4, 1, 0) ROW_FN(8, 1, 0)
ROW_FN(1, 2, 0) ROW_FN(2, 2, 0) ROW_FN(4, 2, 0) ROW_FN(8, 2, 0)
PAIR_FN(1) PAIR_FN(2) PAIR_FN(3) PAIR_FN(4) PAIR_FN(5) PAIR_FN(6)
PAIR_FN(7) PAIR_FN(8) PAIR_FN(9) PAIR_FN(10) PAIR_FN(11) PAIR_FN(12)

typedef struct row_size { long m; mk_fn *fn[2]; } row_size; /* by stride */

#define ROWS_TO_8                                                                                                   \
	{8, {row_8_1_0, row_8_2_0}}, {4, {row_4_1_0, row_4_2_0}}, {2, {row_2_1_0, row_2_2_0}},                      \
		{1, {row_1_1_0, row_1_2_0}}

#if VW == 8
static const row_size rows_any[] = {ROWS_TO_8};
static const row_size *const rows_rgb = rows_any;
#else
ROW_FN(16, 1, 0) ROW_FN(16, 2, 0) ROW_FN(16, 1, 3) ROW_FN(16, 2, 3)
static const row_size rows_any[] = {{16, {row_16_1_0, row_16_2_0}}, ROWS_TO_8};
static const row_size rows_rgb[] = {{16, {row_16_1_3, row_16_2_3}}, ROWS_TO_8};
#endif

static mk_fn *const pairs[MK_ROWS + 1] = {
	NULL, pair_1, pair_2, pair_3, pair_4, pair_5, pair_6, pair_7, pair_8, pair_9, pair_10, pair_11, pair_12};

/* ---- packing ---- */

/* One tap row of one panel: nn columns beginning at output channel o0. */
static void pack_panel(const cv *g, float *d, const float *w, long nn, long on)
{
	long run = g->kw * g->c;

	if (g->wc == 1 && g->wj == g->c) {
		VN(transpose)(d, nn, w, g->wo, on, run, nn);
	} else {
		for (long j = 0; j < g->kw; j++, d += g->c * nn) VN(copy_rows)(d, nn, w + j * g->wj, g->wc, g->c, on);
	}
}

static void pack_row(const cv *g, float *d, const float *w)
{
	for (long c = 0; c < g->c; c++)
		for (long j = 0; j < 3; j++, d += VW)
			for (long o = 0; o < VW; o++) d[o] = o < g->o ? w[o * g->wo + j * g->wj + c * g->wc] : 0;
}

static void pack_pair(const cv *g, float *d, const float *w)
{
	for (long k = 0; k < g->kw * g->c; k++) {
		const float *s = w + k / g->c * g->wj + k % g->c * g->wc;
		for (long o = 0; o < VW / 2; o++) d[k / 2 * VW + 2 * o + k % 2] = o < g->o ? s[o * g->wo] : 0;
	}
}

void VN(cv_pack)(const cv *g, float *d, const float *w, int32_t part, int32_t parts)
{
	cv_kind kind = cv_choose(g);
	long run = g->kw * g->c, np = kind == CV_PANEL ? panels(g->o) : 1, units = np * g->kh;

	for (long u = units * part / parts; u < units * (part + 1) / parts; u++) {
		long p = u / g->kh, i = u % g->kh;
		const float *s = w + i * g->wi;
		if (kind == CV_ROW) {
			pack_row(g, d + i * run * VW, s);
		} else if (kind == CV_PAIR) {
			pack_pair(g, d + i * run * (VW / 2), s);
		} else {
			long o0 = panel_at(g->o, p) * VW, nn = panel_nv(g->o, p) * VW;
			pack_panel(g, d + o0 * g->kh * run + i * run * nn, s + o0 * g->wo, nn, lmin(nn, g->o - o0));
		}
	}
}

/* ---- running ---- */

/* m outputs side by side in one row. */
AI void run_row(cv_kind kind, const cv *g, const mk_args *p, long nv, long m, const float *a, long a_step,
	const float *b, float *y)
{
	if (kind == CV_PANEL) {
		mk_run(VN(mk_nn)[nv], mk_cap(nv), m, p, a, a_step, b, y);
	} else if (kind == CV_PAIR) {
		mk_run(pairs, 12, m, p, a, a_step, b, y);
	} else {
		const row_size *r = g->c == 3 ? rows_rgb : rows_any;
		for (long at = 0; at < m; at += r->m) {
			while (r->m > m - at) r++;
			r->fn[g->sw - 1](p, a + at * a_step, b, y + at * p->ldc);
		}
	}
}

/* Rows [r0, r1) of an image with `left` zero pixels before and `right` behind each. */
static void copy_padded(float *d, const float *x, const cv *g, long r0, long r1)
{
	long left = cv_left(g) * g->c, right = cv_right(g) * g->c, row = g->w * g->c;

	for (long r = r0; r < r1; r++, d += left + row + right) {
		vzero(d, left);
		vcopy(d + left, x + r * row, row);
		vzero(d + left + row, right);
	}
}

/* Output rows [h0, h1) of one image. */
static void run_block(const cv *g, float *y, const float *x, const float *packed, long h0, long h1, long p0, long p1,
	float *work)
{
	cv_kind kind = cv_choose(g);
	long run = g->kw * g->c, row = (cv_left(g) + g->w + cv_right(g)) * g->c;
	long r0 = lmin(lmax(0, h0 * g->sh - g->pt), g->h), r1 = lmin((h1 - 1) * g->sh - g->pt + g->kh, g->h);
	const float *base = x + r0 * row;
	mk_args p = {.n2 = 1, .a1 = row, .k = kind == CV_ROW ? g->c : run, .as = (kind == CV_ROW ? 1 : g->sw) * g->c,
		.ldc = g->yw, .act = g->act, .lo = g->lo, .hi = g->hi};

	if (cv_left(g) + cv_right(g)) {
		copy_padded(work, x, g, r0, r1);
		base = work;
	}
	base += lmax(0, -g->pl) * g->c;
	for (long q = p0; q < p1; q++) {
		long o0 = panel_at(g->o, q) * VW, nv = panel_nv(g->o, q), nn = kind == CV_PAIR ? VW / 2 : nv * VW;
		const float *b = packed + o0 * g->kh * run;
		p.ldb = nn;
		p.b1 = run * nn;
		p.cols = lmin(nv * VW, g->o - o0);
		p.bias = g->bias ? g->bias + o0 : NULL;
		for (long h = h0; h < h1; h++) {
			long r = h * g->sh - g->pt, first = lmax(0, -r), last = lmin(g->kh, g->h - r);
			p.n1 = lmax(0, last - first);
			run_row(kind, g, &p, nv, g->ow, p.n1 ? base + (r + first - r0) * row : base, g->sw * g->c,
				b + first * p.b1, y + h * g->yh + o0);
		}
	}
}

/* Panels of about 256 KB of weights; all of them where that is little. */
static long group(const cv *g, long p0, long p1)
{
	long vec = lmax(1, 65536 / (g->kh * g->kw * g->c * VW + 1));
	return vec >= vectors(g->o) ? p1 - p0 : lmax(1, vec / 2);
}

void VN(cv_run)(const cv *g, float *y, const float *x, const float *packed, long from, long to, long p0, long p1,
	float *work)
{
	long block = cv_block(g), step = group(g, p0, p1);

	for (long p = p0; p < p1; p += step)
		for (long r = from; r < to;) {
			long n = r / g->oh, h = r % g->oh, h1 = lmin(lmin(h + block, g->oh), h + to - r);
			run_block(g, y + n * g->yn, x + n * g->h * g->w * g->c, packed, h, h1, p, lmin(p + step, p1),
				work);
			r += h1 - h;
		}
}

void VN(cv_run_flat)(const cv *g, float *y, const float *x, const float *packed, long ldb, long from, long to, long p0,
	long p1)
{
	cv_kind kind = cv_choose(g);
	/* A piece of x stays in the first cache while all the weights, when few, pass by it; else in the second. */
	long chunk = lmax((g->c * g->o <= 65536 ? 4096 : 65536) / g->c / 112 * 112, 112);
	mk_args p = {.n2 = 1, .n1 = 1, .k = g->c, .as = g->c, .ldc = g->yw, .act = g->act, .lo = g->lo, .hi = g->hi};

	for (long m = from; m < to; m += chunk)
		for (long q = p0; q < p1; q++) {
			long o0 = panel_at(g->o, q) * VW, nv = panel_nv(g->o, q);
			p.ldb = ldb ? ldb : nv * VW;
			p.cols = lmin(nv * VW, g->o - o0);
			p.bias = g->bias ? g->bias + o0 : NULL;
			run_row(kind, g, &p, nv, lmin(chunk, to - m), x + m * g->c, g->c,
				packed + o0 * (ldb ? 1 : g->c), y + m * g->yw + o0);
		}
}
