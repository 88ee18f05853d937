/* SPDX-License-Identifier: Apache-2.0
 *
 * lower.h - what lower.c (which values are integers) and lower_ops.c (which operators they take) share.
 */
#ifndef COP_COMPRESS_QUANTIZE_LOWER_H
#define COP_COMPRESS_QUANTIZE_LOWER_H

#include "compress/quantize/quantize.h"

typedef struct cop_lower {
	const cop_quantizer *z;
	cop_graph *out;
	cop_vid *map; /* float forms, as in every pass */
	cop_vid *q;   /* integer forms */
} cop_lower;

bool cop__moves(const cop_graph *g, cop_nid n);
cop_vid cop__as_integer(cop_lower *l, cop_vid v); /* 0: no range is known, or a failure was recorded */
cop_vid cop__as_float(cop_lower *l, cop_vid v);
/* Bytes of one range as those of another, by a table. */
cop_vid cop__requantised(cop_lower *l, cop_vid v, const cop_qrange *from, const cop_qrange *to);
/* Makes node n of integers: *made, 0 after a failure. False: it has no such form here. */
bool cop__lower_op(cop_lower *l, cop_nid n, cop_vid *made);

#endif
