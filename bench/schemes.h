/* SPDX-License-Identifier: Apache-2.0
 *
 * schemes.h - the sparse updates that were published for MobileNetV2-0.35 at 128x128 on a microcontroller, and the extra memory that their authors reckon
 * (Lin et al. 2022, arXiv 2206.15472, section 3.2). The facts are those of mit-han-lab/tiny-training: mcu_ir_gen.py, partial_backward.py.
 *
 * Convolutions count from 0, the first, to 50; the network has no last 1x1 convolution. The fully connected layer is always trained.
 */
#ifndef BENCH_SCHEMES_H
#define BENCH_SCHEMES_H

#include "op/op.h"

/* A layer whose weights are trained: which, and the part of its input channels; of a depthwise one, of its channels. part 0 ends a list. */
typedef struct scheme_layer { int conv; double part; } scheme_layer;
/* label: the name that it was published under, in KB. biases: of so many last convolutions. */
typedef struct scheme { int label, biases; scheme_layer layer[9]; } scheme;

static const scheme schemes[] = {
	{49, 16, {{36, 1}, {39, 1}, {41, 0.25}, {42, 0.125}, {45, 0.125}, {48, 0.125}, {49, 0.125}}},
	{73, 20, {{32, 0.125}, {33, 0.5}, {36, 0.5}, {39, 1}, {41, 0.25}, {42, 0.125}, {45, 0.125}, {48, 1}}},
	{99, 25, {{27, 1}, {30, 1}, {33, 1}, {36, 1}, {39, 1}, {42, 0.125}, {45, 0.5}, {48, 1}}},
	{123, 31, {{27, 1}, {30, 1}, {33, 1}, {36, 1}, {39, 1}, {42, 0.5}, {45, 1}, {48, 1}}},
	{138, 34, {{27, 1}, {30, 1}, {33, 1}, {36, 1}, {39, 1}, {42, 1}, {45, 1}, {48, 1}}},
};

/* Which part of the weights of a convolution is trained; 0: none. s NULL: all of it, of every layer. */
static inline double scheme_part(const scheme *s, int conv)
{
	if (!s) return 1;
	for (const scheme_layer *l = s->layer; l->part > 0; l++)
		if (l->conv == conv) return l->part;
	return 0;
}

/* Bits beside inference that convolution n takes, the conv-th of `convs`: a mask of its results and 32 of each bias; of its weights, where they
 * are trained, 8 of each, and 8 of each number of the input that they read. */
static inline int64_t scheme_bits(const cop_graph *g, cop_nid n, const scheme *s, int conv, int convs)
{
	const cop_type *x = cop__in(g, n, 0), *w = cop__in(g, n, 1), *y = cop__outt(g, n, 0);
	const bool depthwise = w->dim[3] == 1 && x->dim[3] > 1;
	const int64_t channels = (int64_t)(x->dim[3] * scheme_part(s, conv)), filters = depthwise ? 1 : w->dim[0];

	if (s && conv < convs - s->biases) return 0;
	return (int64_t)y->dim[1] * y->dim[2] * y->dim[3] + 32 * w->dim[0] + 8 * channels * (x->dim[1] * x->dim[2] + filters * w->dim[1] * w->dim[2]);
}

/* Of the first `convs` convolutions of g, and of what the fully connected layer reads, 8 bits a number: extra memory in bits. */
static inline int64_t scheme_extra(const cop_graph *g, const scheme *s, int convs)
{
	int64_t bits = 0;
	int conv = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node && conv < convs; n++) {
		if (g->node[n].op != OP_conv && g->node[n].op != OP_qconv) continue;
		bits += scheme_bits(g, n, s, conv++, convs);
		if (conv == convs) bits += 8 * cop__outt(g, n, 0)->dim[3];
	}
	return bits;
}

#endif
