/* SPDX-License-Identifier: Apache-2.0
 *
 * select.h - ways to choose the neurons that are trained in an epoch. A way gives each neuron a number; those with the largest are taken until the next
 * one does not fit into the budget.
 */
#ifndef COP_SELECT_H
#define COP_SELECT_H

#include "train/velocity.h"

typedef struct cop_chooser {
	const cop_neurons *n;
	const float *velocity; /* [count] where the way needs them */
	const float *square;   /* [count] squares of the norm of each neuron's gradient, on the samples that are kept out */
	const bool *layer;     /* [n_layer] of these alone, where the way chooses layers once */
	uint64_t seed;
	int32_t epoch;         /* that the choice is for, from 0 */
} cop_chooser;

enum { COP_NEEDS_VELOCITY = 1, COP_NEEDS_GRADIENT = 2, COP_NEEDS_LAYERS = 4 };
typedef struct cop_way {
	cop_row row;
	int needs;
	void (*key)(float *key, const cop_chooser *c); /* [hidden] */
} cop_way;
extern const cop_table cop_ways;
const cop_way *cop__way(int i);

/* How much may be trained: a part of the numbers before the head, or bytes of gradients and of inputs that wait for them, the head's among them. */
typedef struct cop_budget { float part; int64_t bytes; } cop_budget;
cop_status cop__budget_read(cop_budget *out, cop_ctx *cx, const char *text);
/* What is trained, and what it takes. */
typedef struct cop_taken { int32_t neurons; int64_t numbers, bytes; } cop_taken;
cop_status cop__select_neurons(bool *live, cop_taken *taken, const float *key, const cop_neurons *n, const cop_budget *b, int32_t batch, cop_ctx *cx);

/* Of the gradient of the mean loss of these samples, for each neuron: the sum of its squares; or, with `before`, its product with how the neuron's weights have
 * moved since then, which is how much the loss rises with another such move. to[count]. The model is not changed. */
cop_status cop__neuron_gradients(float *to, const cop_graph *model, const cop_graph *before, const cop_velocity *kept_out, int threads);
/* Layers with the largest gradient for the bytes that they take, until they have that part of the sum of all. */
cop_status cop__good_layers(bool *layer, const cop_neurons *n, const float *square, float mass, int32_t batch, cop_ctx *cx);

#endif
