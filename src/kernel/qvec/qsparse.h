/* SPDX-License-Identifier: Apache-2.0
 *
 * qsparse.h - what the int8 kernels for sparse weights share: how input is staged, and who calls for which panel and pixels. Lanes are output channels,
 * each with four slots in a step, for which its four inputs are picked out of those of a tile by a permutation of bytes. Weights and where their inputs
 * lie serve several pixels. Input rows are staged, padded, as those of qconv.c.
 */
#ifndef COP_QSPARSE_H
#define COP_QSPARSE_H

#include "kernel/qvec/qconv.h"

#if defined(QPLAIN) || defined(__AVX512VBMI__)
enum { STAGED = 256, OFF = 128 };
typedef uint8_t staged;
AI void stage_run(staged *d, const int8_t *x, long n) { stage(d, x, n); }
AI void stage_zero(staged *d, int32_t x, long n) { stage_fill(d, x, n); }
#else
enum { STAGED = 64, OFF = 0 };
typedef int8_t staged;
AI void stage_run(staged *d, const int8_t *x, long n)
{
	for (long i = 0; i < n; i += 16) STB(d + i, LDB(x + i));
}
AI void stage_zero(staged *d, int32_t x, long n) { memset(d, x, (size_t)n); }
#endif
enum { SLOTS = 4, STEP = VW * SLOTS, CHUNK = 16 };

typedef struct layer layer;
typedef void panel_fn(const layer *l, long panel, const staged *x, int8_t *y);
struct layer {
	panel_fn *one, *some;             /* of one pixel, of `many` */
	long many;
	long rows, runs, run, panels;     /* of weights: those of a window and the numbers in each; panels of VW rows */
	const int32_t *sum, *bias, *m, *s; /* sum: of the weights of a row */
	const void *pack;                 /* the kernel's own */
	long line, step; /* staged bytes from a run of a window to the next, from a pixel to the next */
	rule r;
};

static layer layer_of(const cop_call *c, panel_fn *one, panel_fn *some, long many)
{
	const int32_t *k = c->k, *bias = c->buf[3], *m = c->buf[4];
	long taps = (long)k[CK_KH] * k[CK_KW] * k[CK_C];

	return (layer){.one = one, .some = some, .many = many, .rows = k[CK_O], .runs = k[CK_KH], .run = (long)k[CK_KW] * k[CK_C], .panels = (k[CK_O] + VW - 1) / VW, .bias = bias, .m = m,
		.s = k[QK_TWICE] ? m + k[CK_O] : m, .step = (long)k[CK_SW] * k[CK_C],
		.r = {.zy = k[QK_ZY], .up = k[QK_UP], .twice = k[QK_TWICE], .plain = k[QK_TWICE] && plain_shifts(m + k[CK_O], bias, k[CK_O], taps), .lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]}};
}

/* What sums of a panel begin with. */
AI vi first_of(const layer *l, long panel) { return LDI(l->bias + panel * VW) - OFF * LDI(l->sum + panel * VW); }

/* Sums of np pixels become results. */
AI void finish(const int np, const layer *l, long panel, vi *sums, int8_t *y)
{
	long at = panel * VW, left = lmin(VW, l->rows - at);

	requant(np, 1, sums, l->m + at, l->s + at, &l->r);
	UNROLL
	for (int p = 0; p < np; p++) put(y + p * l->rows + at, sums[p], left, &l->r);
}

/* Panels [q0, q1) of n pixels. */
static void pixels(const layer *l, long q0, long q1, const staged *x, int8_t *y, long n)
{
	for (long q = q0; q < q1; q++) {
		long p = 0;
		for (; p + l->many <= n; p += l->many) l->some(l, q, x + p * l->step, y + p * l->rows);
		for (; p < n; p++) l->one(l, q, x + p * l->step, y + p * l->rows);
	}
}

/* ---- what is staged: pixels of a 1 x 1 window that lie side by side, a few at a time, or the input rows of an output row ---- */

static bool pointwise(const int32_t *k)
{
	return k[CK_KH] == 1 && k[CK_KW] == 1 && k[CK_SW] == 1 && k[CK_SH] == 1 && !k[CK_PT] && !k[CK_PL] && k[CK_OW] == k[CK_W] && k[CK_OH] == k[CK_H];
}
static long padded(const int32_t *k) { return ((long)(k[CK_OW] - 1) * k[CK_SW] + k[CK_KW]) * k[CK_C]; }

static bool fits(const int32_t *k) { return k[CK_G] == 1 && (k[CK_DW] == 1 || k[CK_KW] == 1); }
static size_t work_of(const int32_t *k) { return (size_t)(pointwise(k) ? lmin(CHUNK, (long)k[CK_N] * k[CK_OH] * k[CK_OW]) * k[CK_C] : padded(k) * k[CK_KH]) + STAGED; }

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
	pixels(l, 0, l->panels, d, (int8_t *)c->buf[0] + r * k[CK_OW] * k[CK_O], k[CK_OW]);
}

static void run(const cop_call *c, layer *l)
{
	const int32_t *k = c->k;
	int32_t all = k[CK_N] * k[CK_OH] * k[CK_OW], rows = k[CK_N] * k[CK_OH], panels = (int32_t)l->panels;
	bool single = all == 1;
	int32_t p0 = single ? 0 : cop_from(c, all, (int32_t)l->many), p1 = single ? 1 : cop_to(c, all, (int32_t)l->many);

	if (pointwise(k)) {
		for (int32_t p = p0; p < p1; p += CHUNK) {
			long n = lmin(CHUNK, p1 - p);
			stage_run(c->work, (const int8_t *)c->buf[1] + (long)p * k[CK_C], n * k[CK_C]);
			pixels(l, single ? cop_from(c, panels, 1) : 0, single ? cop_to(c, panels, 1) : panels, c->work, (int8_t *)c->buf[0] + (long)p * k[CK_O], n);
		}
		return;
	}
	for (int32_t r = cop_from(c, rows, 1); r < cop_to(c, rows, 1); r++) window_row(l, c, r);
}

#endif
