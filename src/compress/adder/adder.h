/* SPDX-License-Identifier: Apache-2.0
 *
 * adder.h - layers of products become layers of distances (op/addconv.c), or get one behind them.
 *
 * A layer of distances behind a trained one would undo what that one has learnt. But where a weight lies beyond all that it meets, -|x - w| is
 * sign(w) x and a constant, and batch norm takes the constant out. So weights of one size and of the signs M begin as the matrix M; when the
 * layer before it has been multiplied by its inverse, the two together answer as the one did.
 */
#ifndef COP_COMPRESS_ADDER_H
#define COP_COMPRESS_ADDER_H

#include "compress/compress.h"

enum { COP_START_TRAINED, COP_START_RANDOM };
typedef struct cop_adder_options {
	int32_t start, size, samples;
	bool pair, ends;
	float eta;
} cop_adder_options;

/* M of n rows: 1 and -1, the Kronecker product of one for each prime factor of n. That of 2 is {1 1, 1 -1}; of others all ones, but -1 on the
 * diagonal. Both have inverses that are written down. */
float cop__mixing(int32_t n, int32_t row, int32_t column);
double cop__unmixing(int32_t n, int32_t row, int32_t column);

/* What samples show of the sums of a layer of n: their means and variances, [n] each, and how far they reach once they are unmixed. */
typedef struct cop_sums { int32_t n; double seen, *mean, *var, *unmixing; float reach; } cop_sums;
/* of[n_node+1]: of the layers that are chosen. Room is in mem. */
cop_status cop__look_at_sums(cop_sums *of, cop_arena *mem, const cop_graph *g, const uint8_t *chosen, const cop_means *m, int32_t samples);

/* The network with distances. of: NULL unless layers behind others begin as `trained`. */
cop_status cop__put_distances(cop_graph **out, const cop_graph *g, const uint8_t *chosen, const cop_sums *of, const cop_adder_options *o, uint64_t seed);

#endif
