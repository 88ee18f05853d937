/* SPDX-License-Identifier: Apache-2.0
 *
 * planes.h - what the depthwise kernels for Cortex-M share: each channel's plane, or a band of it, is widened to int16 in scratch, with
 * its padding, since multiplications take pairs of neighbours of one channel. How large planes are, for the planner too.
 */
#ifndef COP_PLANES_H
#define COP_PLANES_H

#include "kernel/cortexm/dsp.h"

enum { COP_DW_PLANE = 5248 }; /* bytes of a band, where a window leaves the choice */

/* 3x3: a row holds an even number of results' columns; a band as many rows of results as its bytes allow. */
static inline int32_t cop_dw_pitch(const int32_t *k) { return ((k[CK_OW] + 1) & ~1) * k[CK_SW] + 2; }
static inline int32_t cop_dw_rows(const int32_t *k)
{
	int32_t lines = COP_DW_PLANE / (2 * cop_dw_pitch(k)), rows = lines > 3 ? (lines - 3) / k[CK_SH] + 1 : 1;
	return rows < k[CK_OH] ? rows : k[CK_OH];
}

/* ---- any window ----
 * Pairs of taps lie along one axis: along a row or, when windows are one tap wide, down a column. Pixels that a dilated window takes
 * together become neighbours: pixel u of a line lies in part u % d at u / d. A pixel more than windows take ends each part, for
 * the second half of an odd window's last pair. */
typedef struct cop_dw_axis {
	int32_t x_n, y_n, k, s, d, p; /* pixels, results, taps, stride, dilation, padding before */
	int32_t x_step, y_step, w_step;
} cop_dw_axis;

/* A band makes rows x cols results, of the axes across and along, from lines of pitch pixels. */
typedef struct cop_dw {
	cop_dw_axis along, across;
	int32_t part, pitch, rows, cols, lines;
	int32_t apart; /* input lines from one line to the next: a band of one row leaves out those between its taps */
} cop_dw;

static inline int32_t cop_dw_part(const cop_dw_axis *a, int32_t n) { return ((n - 1) * a->s + a->k * a->d) / a->d + 1; }

static inline cop_dw cop_dw_of(const int32_t *k)
{
	cop_dw_axis w = {k[CK_W], k[CK_OW], k[CK_KW], k[CK_SW], k[CK_DW], k[CK_PL], k[CK_C], k[CK_O], 1};
	cop_dw_axis h = {k[CK_H], k[CK_OH], k[CK_KH], k[CK_SH], k[CK_DH], k[CK_PT], k[CK_W] * k[CK_C], k[CK_OW] * k[CK_O], k[CK_KW]};
	int32_t down = k[CK_KW] == 1 && k[CK_KH] > 1;
	cop_dw g = {.along = down ? h : w, .across = down ? w : h, .rows = 1};
	const cop_dw_axis *a = &g.along, *b = &g.across;
	int32_t room = COP_DW_PLANE / 2 / b->k / a->d, reach = (b->k - 1) * b->d + 1; /* room: pixels of a part, when lines are few */

	g.cols = a->y_n;
	if (cop_dw_part(a, g.cols) > room) {
		int32_t fit = ((room - 1 - a->k) * a->d / a->s) & ~3, least = a->y_n < 4 ? a->y_n : 4;
		g.cols = fit > least ? fit : least;
	}
	g.part = cop_dw_part(a, g.cols);
	g.pitch = g.part * a->d;
	int32_t lines = COP_DW_PLANE / 2 / g.pitch;
	if (g.cols == a->y_n && lines > reach) g.rows = (lines - reach) / b->s + 1;
	if (g.rows > b->y_n) g.rows = b->y_n;
	g.apart = g.rows > 1 ? 1 : b->d;
	g.lines = g.rows > 1 ? (g.rows - 1) * b->s + reach : b->k;
	return g;
}

static inline int32_t cop_dw_words(const cop_dw *g) { return g->across.k * ((g->along.k + 1) >> 1); } /* of a filter */

/* ---- both ---- */

/* An i4 weight of a channel: each has a byte of its own. */
static inline int32_t cop_dw_nibble(int32_t v) { return ((v & 15) ^ 8) - 8; }

/* The input. Where results will lie on it, from y on, channels must meet themselves alone: it moves down by less than a pixel. */
COP_OUT_OF_LINE const int8_t *cop_dw_input(const cop_call *c)
{
	const int32_t *k = c->k;
	int32_t bytes = k[CK_N] * k[CK_H] * k[CK_W] * k[CK_C], result = k[CK_N] * k[CK_OH] * k[CK_OW] * k[CK_O];
	const int8_t *y = c->buf[0];
	int8_t *x = c->buf[1];

	if (x < y || x >= y + result) return x; /* it may have other readers */
	int32_t by = (int32_t)((uintptr_t)x - (uintptr_t)y) % k[CK_C];
	for (int32_t i = 0; by && i < bytes; i++) x[i - by] = x[i];
	return x - by;
}

#endif
