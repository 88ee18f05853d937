/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.h - where the batch lies in each value of a graph. It need not be dimension 0: recurrent networks have time first, attention
 * puts the batch beside its heads in one axis, and a linear layer on every step sees steps and samples in one. So a place is an axis and
 * what of it lies outside and within the batch. Places are carried from the inputs through every operator that treats samples
 * apart; where all operators do, the graph can be written for any number of samples, and each gets the numbers that it gets alone.
 */
#ifndef COP_PASS_BATCH_H
#define COP_PASS_BATCH_H

#include "pass/pass.h"

/* The axis has length outer * samples * inner; axis -1: the value is the same for all samples. */
typedef struct cop_spot { int32_t axis, outer, inner; } cop_spot;

typedef struct cop_batching {
	const cop_graph *g;
	cop_arena mem;
	int32_t was;       /* samples that g is for */
	cop_spot *at;     /* [n_value+1] */
	cop_spot *need;   /* [(n_node+1) * COP_MAX_IN] how a node reads an operand: the same bytes under another shape, or, of what has no batch, repeated */
	cop_nid stopped;   /* the node where samples meet; 0: they meet nowhere, but `why` may tell of an output */
	const char *why;
} cop_batching;

cop_status cop__batching_new(cop_batching *b, const cop_graph *g); /* free the arena in either case */
/* Carries the places of the inputs (`at`, set by the caller) through the graph. False: stopped and why say where and for what reason. */
bool cop__batching_carry(cop_batching *b);
/* Places in a value of that shape whose batch has `stride` elements behind it; returns how many (at most COP_MAX_DIM). */
int cop__spots(cop_spot *out, int32_t rank, const int32_t *dim, int32_t was, int64_t stride);
int64_t cop__spot_stride(const cop_spot *p, int32_t rank, const int32_t *dim);
/* The shape that a value has with n samples. */
void cop__spot_dims(int32_t *to, const cop_spot *p, int32_t rank, const int32_t *dim, int32_t n);

#endif
