/* SPDX-License-Identifier: Apache-2.0
 *
 * blocks.h - rounding that is learned for the layers of a block together (BRECQ, Li et al. 2021, arXiv 2102.05426). A
 * block reads one value and makes one, and whatever else is computed within is read within: a layer, or a layer's
 * branches up to their sum. Blocks are found in the graph:
 *
 *   conv --+-- conv -- conv --+-- add --+-- conv -- conv --+-- add -- pool -- fc
 *          '------------------'         '------------------'
 *   [ 1 ]  [         2              ]   [        3              ]    [   4    ]
 *
 * Layer after layer has been rounded before (weights.c); from there blocks are learned in their order, each on what those
 * before it make of the samples.
 */
#ifndef COP_COMPRESS_BLOCKS_H
#define COP_COMPRESS_BLOCKS_H

#include "compress/quantize/quantize.h"

typedef struct cop_block {
	cop_nid first, last; /* nodes of z->g */
	cop_vid in, out;     /* all that crosses the borders, but for weights */
} cop_block;

/* In order; b has room for one for each node. All nodes before the last layer are in one. */
int32_t cop__blocks(cop_block *b, const cop_quantizer *z);
/* Does node n belong to a block's layers: one that is learned? */
bool cop__is_learned(const cop_quantizer *z, cop_nid n);

cop_status cop__learn_blocks(cop_quantizer *z); /* q of all layers */

/* ---- between the files ---- */
/* to[i] = x[i] with probability `drop`, else q[i]; drawn from (seed, at + i). */
void cop__mix(float *to, const float *q, const float *x, int64_t n, float drop, uint64_t seed, uint64_t at);

/* What a block is learned on, a row for each sample. */
typedef struct cop_block_data {
	int32_t samples;
	int64_t in, out;     /* numbers of a row */
	const float *x, *q;  /* [samples,in] what it reads: in the float network, and behind the rounded blocks */
	const float *y;      /* [samples,out] what it is to make */
	const float *matter; /* [samples,out] by how much the square of each error counts, or NULL: all alike */
} cop_block_data;
/* Learns the block's q. after [samples,out]: what it then makes of q. error, if given: the mean squared error, weighted,
 * with the rounding that was there and with that which is there now. */
cop_status cop__reconstruct(cop_quantizer *z, const cop_block *b, const cop_block_data *d, float *after, double error[2]);

#endif
