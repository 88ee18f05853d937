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
enum { TILE1 = VW == 8 ? 8 : TILE, TILE2 = VW == 8 ? 6 : 8 };

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
