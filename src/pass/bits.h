/* SPDX-License-Identifier: Apache-2.0
 *
 * bits.h - what the files of the pass `bits` share: layers of bits, and the bounds of their sums.
 */
#ifndef COP_PASS_BITS_H
#define COP_PASS_BITS_H

#include "pass/pass.h"

typedef struct cop_bits {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map;     /* float forms, as in every pass */
	cop_vid *bit;     /* [n_value+1] forms of bits, 4 axes; rows of a flattened value as before */
	cop_vid *packed;  /* [n_node+1] the weights of a layer of bits */
	int32_t *readers; /* of g's values */
} cop_bits;

/* A convolution or fully connected layer n whose operand is bits and whose filters are plus or minus a scale each. */
typedef struct cop_blayer {
	cop_nid n;
	cop_vid x; /* bits, in the new graph */
	cop_bconv_attr a;
	int32_t dim[4]; /* of the weights, o kh kw c */
	float *scale;   /* [o] */
} cop_blayer;

/* ---- bits_layer.c ---- */
/* Is node n such a layer? l->scale lies in out's arena. */
bool cop__bits_layer(cop_blayer *l, const cop_bits *b, cop_nid n);
/* What the layer's float form makes of its sums d (f32, [.,.,.,o]), in graph `to`: scale, bias, bounds. */
cop_vid cop__bits_scaled(const cop_bits *b, cop_graph *to, cop_vid *map, const cop_blayer *l, cop_vid d);
/* The weights as bits, made once. */
cop_vid cop__bits_packed(cop_bits *b, const cop_blayer *l);
/* "fc2.w" and "t": "fc2.t", or the first such name that is free. */
void cop__bits_name(char name[128], const cop_bits *b, const cop_blayer *l, const char *what);

/* ---- bits_fold.c ---- */
/* The bits of sign node n straight from the sums of the layer behind it, with all that lies between. 0: it does
 * not come to bounds of the sums, or a failure was recorded. */
cop_vid cop__bits_fold(cop_bits *b, cop_nid n);

#endif
