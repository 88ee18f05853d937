/* SPDX-License-Identifier: Apache-2.0
 *
 * apart - blocks of pixels moved into the batch and back.
 */
#include "io/tflite/tflite.h"

/* x under a shape of which one length is -1: it follows the batch. */
static cop_vid shaped(cop_graph *g, cop_vid x, int32_t rank, const int32_t *dim)
{
	cop_shape_attr to = {.rank = rank};

	memcpy(to.dim, dim, sizeof *dim * (size_t)rank);
	return x ? cop__apply(g, OP_reshape, &to, VIDS(x)) : 0;
}

/* [n,h bh,w bw,c] -> [bh bw n,h,w,c]; of one axis: without h. */
cop_vid cop__tfl_to_batch(cop_graph *g, const cop_tfl_apart *p)
{
	const int32_t *d = cop__t(g, p->x)->dim, *b = p->block, h = d[1] / b[0], w = d[2] / COP_MAX(1, b[1]), c = d[p->axes + 1];

	if (p->axes == 1) {
		cop_vid v = shaped(g, p->x, 4, DIMS(-1, h, b[0], c));
		return shaped(g, cop__make_transpose(g, v, DIMS(2, 0, 1, 3)), 3, DIMS(-1, h, c));
	}
	cop_vid v = shaped(g, p->x, 6, DIMS(-1, h, b[0], w, b[1], c));
	return shaped(g, cop__make_transpose(g, v, DIMS(2, 4, 0, 1, 3, 5)), 4, DIMS(-1, h, w, c));
}

cop_vid cop__tfl_from_batch(cop_graph *g, cop_vid x, const cop_tfl_apart *p)
{
	const int32_t *d = cop__t(g, x)->dim, *b = p->block, h = d[1], w = d[2], c = d[p->axes + 1];

	if (p->axes == 1) {
		cop_vid v = cop__make_transpose(g, shaped(g, x, 4, DIMS(b[0], -1, h, c)), DIMS(1, 2, 0, 3));
		return shaped(g, v, 3, DIMS(-1, h * b[0], c));
	}
	cop_vid v = cop__make_transpose(g, shaped(g, x, 6, DIMS(b[0], b[1], -1, h, w, c)), DIMS(2, 3, 0, 4, 1, 5));
	return shaped(g, v, 4, DIMS(-1, h * b[0], w * b[1], c));
}
