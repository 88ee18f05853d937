/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.h - what convolution and its gradients share: sizes, words, links.
 */
#ifndef COP_OP_CONV_H
#define COP_OP_CONV_H

#include "op/axes.h"

#define COP_CONV_ATTRS "sh:i sw:i pt:i pl:i pb:i pr:i dh:i dw:i groups:i lo:f hi:f"

/* The three tensors of a convolution, whichever of them is the result. */
/* dims of [n,h,w,c], [o,kh,kw,c/g], [n,oh,ow,o] */
typedef struct cop_conv_shape { const int32_t *x, *w, *y; } cop_conv_shape;

/* Checks attributes and sizes; y receives the output's dims. */
cop_status cop__conv_check(const cop_graph *g, cop_nid n, const cop_conv_attr *a, const int32_t *x, const int32_t *w,
	int32_t y[4]);
int cop__conv_words(int32_t *k, const cop_conv_attr *a, cop_conv_shape s, int32_t rows);
/* The links of x, w, the bias (or 0) and y, of a convolution of x to y; there must be room for one more. */
typedef struct cop_conv_ends { cop_vid x, w, b, y; } cop_conv_ends;
int cop__conv_links(const cop_graph *g, const cop_conv_ends *e, int32_t groups, cop_link *l, int max);
int64_t cop__conv_macs(cop_conv_shape s);

#endif
