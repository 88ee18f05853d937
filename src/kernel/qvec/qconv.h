/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv.h - a dense int8 convolution as qconv.c cuts it up and qconv_tile.c computes it.
 *
 * Activations are NHWC, so the taps of one window row and all their channels are one run of kw * c elements, and no im2col is
 * made: output rows are made in blocks, whose input rows are staged (padded, and in the form the multiplier wants).
 * Fully connected layers and 1 x 1 windows are the case of one run of c elements.
 * Weights are packed as bytes [panel][kh][group of G][N * VW lanes][G], panels of two vectors, the last of one where that is enough.
 */
#ifndef COP_QCONV_H
#define COP_QCONV_H

#include "kernel/qvec/qvec.h"

enum { TILE = 12, PANEL = 2 * VW };
/* Pixels of a tile at one and two vectors of channels: accumulators and what feeds them fit the registers. */
enum { TILE1 = VW == 8 && !NARROW ? 8 : TILE, TILE2 = VW == 8 ? 6 : 8 };

/* The window is the whole input. */
AI bool is_one_pixel(const int32_t *k)
{
	return k[CK_N] == 1 && k[CK_OH] == 1 && k[CK_OW] == 1 && k[CK_G] == 1 && k[CK_KH] == k[CK_H] && k[CK_KW] == k[CK_W] && !k[CK_PT] && !k[CK_PL]
		&& (k[CK_DH] == 1 || k[CK_KH] == 1) && (k[CK_DW] == 1 || k[CK_KW] == 1);
}

/* Where a vector has element g of a lane. */
AI long place(long lane, long g)
{
#if PAIRS && VW == 4
	return g * VW + lane;
#else
	return lane * G + g;
#endif
}

/* Rows [r0, r1) of an image, `row` elements each: those beside it and the columns beside it hold the zero of x. k: words of qconv. */
AI void stage_rows(qe *d, const int8_t *x, long r0, long r1, long row, const int32_t *k)
{
	long left = (long)k[CK_PL] * k[CK_C], run = (long)k[CK_W] * k[CK_C];

	for (long r = r0; r < r1; r++, d += row) {
		if (r < 0 || r >= k[CK_H]) {
			stage_fill(d, k[QK_ZX], row);
			continue;
		}
		if (left) stage_fill(d, k[QK_ZX], left);
		stage(d + left, x + r * run, run);
		if (row > left + run) stage_fill(d + left + run, k[QK_ZX], row - left - run);
	}
}

typedef struct tile_args {
	long rows, groups;  /* runs of a window and groups of G in a run */
	long a_row, a_step; /* staged elements from run to run, from pixel to pixel */
	long b_row;         /* packed bytes from run to run */
	const int8_t *w;
	const int32_t *bias, *fix, *m, *s; /* of the panel's first channel; fix: what the offset of x adds to the sum */
	long cols, ldy;
	rule r;
} tile_args;

typedef void tile_fn(const tile_args *p, const qe *a, int8_t *y);
extern tile_fn *const VN(q_tiles)[3][TILE + 1];

#endif
