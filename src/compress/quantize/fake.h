/* SPDX-License-Identifier: Apache-2.0
 *
 * fake.h - the network as it will be in integers, in floats that can be trained: a `fakequant` behind every value and
 * weight that will be one, with its step as a parameter. The pass `integers` (pass/unfake.c) leads from there to the
 * graph of integers.
 */
#ifndef COP_COMPRESS_FAKE_H
#define COP_COMPRESS_FAKE_H

#include "compress/quantize/blocks.h"

typedef struct cop_faking {
	bool steps;
	float ewgs;
} cop_faking; /* steps: they are trained, too */

/* z has ranges and integers for its weights: what those would be in the graph of integers is rounded, and the rest
 * stays as it is. */
cop_status cop__fake(cop_graph **out, cop_quantizer *z, const cop_faking *how);

/* The same of one block, from its input to its output: weights and biases of its layers are STATEs, for someone else to
 * round, and a value is left as it is with probability `drop` in the steps of the STATE "drop.step" (QDrop, Wei et al.
 * 2022, arXiv 2203.05740). A drop of 0 rounds all values, 1 none. */
cop_status cop__fake_block(cop_graph **out, cop_quantizer *z, const cop_block *b, float drop);

#endif
