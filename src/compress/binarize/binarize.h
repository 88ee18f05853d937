/* SPDX-License-Identifier: Apache-2.0
 *
 * binarize.h - which layers get weights and operands of few values, and the network with signs before them.
 */
#ifndef COP_COMPRESS_BINARIZE_H
#define COP_COMPRESS_BINARIZE_H

#include "compress/layers.h"

/* Can the weight be that of a layer of signs? A convolution without groups or a fully connected layer, of dense floats that are trained. */
bool cop__can_binarize(const cop_graph *g, cop_vid weight, cop_why *why);
/* chosen[n_node+1]: such layers whose name matches; inner: but for those beside the input and before the output. What the first ones read are no
 * activations: those stay as they are. Returns how many. */
enum { COP_BINARY_NOT, COP_BINARY_WEIGHTS, COP_BINARY_BOTH };
int cop__choose_binary(uint8_t *chosen, const cop_graph *g, const char *layers, bool inner);
/* The network in which each layer that is chosen for both reads signs, in the place of a ReLU where there is one, and its padding stands for -1. */
cop_status cop__put_signs(cop_graph **out, const cop_graph *g, const uint8_t *chosen, bool smooth);

#endif
