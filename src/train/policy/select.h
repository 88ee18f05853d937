/* SPDX-License-Identifier: Apache-2.0
 *
 * select.h - what is trained in an epoch, within a budget:
 *
 *   ways      give each neuron a number                                                                                     ways.c, slopes.c
 *   a budget  limits numbers, bytes, or what a step takes; prices say how much of it each layer takes                       budget.c, steps.c
 *   taking    neurons or whole layers with the largest numbers until the next does not fit; or layers with the largest sum  take.c
 */
#ifndef COP_SELECT_H
#define COP_SELECT_H

#include "train/velocity.h"

typedef struct cop_chooser {
	const cop_neurons *n;
	const float *velocity; /* [count] where the way needs them */
	const float *square;   /* [count] squares of the norm of each neuron's gradient, on the samples that are kept out */
	const float *rise;     /* [count] how much the loss rises with the next step of each neuron; below 0: it falls */
	const bool *layer;     /* [n_layer] of these alone, where the way chooses layers once */
	uint64_t seed;
	int32_t epoch;         /* that the choice is for, from 0 */
} cop_chooser;

enum { COP_NEEDS_VELOCITY = 1, COP_NEEDS_GRADIENT = 2, COP_NEEDS_LAYERS = 4, COP_NEEDS_RISE = 8 };
typedef enum cop_take { COP_TAKE_NEURONS, COP_TAKE_LAYERS, COP_TAKE_MOST } cop_take; /* MOST: layers whose numbers have the largest sum */
typedef struct cop_way {
	cop_row row;
	int needs;
	cop_take take;
	void (*key)(float *key, const cop_chooser *c); /* [hidden] */
} cop_way;
extern const cop_table cop_ways;
const cop_way *cop__way(int i);

/* ---- budget.c ---- */

/* How much may be trained. The head is always, and counts but in NUMBERS. */
typedef enum cop_budget_unit {
	COP_BUDGET_NUMBERS, /* of weights before the head */
	COP_BUDGET_BYTES,   /* of gradients and of inputs that wait for them */
	COP_BUDGET_SECONDS, /* of a step, as measured */
	COP_BUDGET_FLOPS    /* of a step */
} cop_budget_unit;
typedef struct cop_budget { cop_budget_unit unit; double amount; bool part; /* of all */ } cop_budget;
cop_status cop__budget_read(cop_budget *out, cop_ctx *cx, const char *text);

/* What a layer takes: to bring the error to it from the one behind; for the first neuron that is trained; for each; for all of them. */
typedef struct cop_layer_price { double reach, open, each, all; } cop_layer_price;
typedef struct cop_prices {
	cop_budget_unit unit;
	cop_layer_price *layer; /* [n_layer - 1] */
	double fixed, limit;    /* fixed: with the head alone */
} cop_prices;
/* Of a step: [n_layer], those of the head are 0. */
typedef struct cop_step_prices { cop_layer_price *layer; double fixed; } cop_step_prices;
/* steps: for budgets of a step. Refused where the head alone takes more, or nothing has a price. */
cop_status cop__prices(cop_prices *out, cop_arena *mem, const cop_budget *b, const cop_neurons *n, int32_t batch, const cop_step_prices *steps);
/* What the budget has too little for, though something could be taken in another way. */
cop_status cop__nothing_fits(cop_ctx *cx, const cop_prices *p, const cop_neurons *n, cop_take how);
static inline int64_t cop__kept_bytes(const cop_channels *l, int32_t batch) { return 4 * l->kept * batch; }

/* ---- steps.c ---- */

/* At the start, when all is trained: of a step as the budget counts it. parts: of layers in which only some neurons are trained, too. It takes steps. */
cop_status cop__step_prices(cop_step_prices *out, cop_arena *mem, const cop_progress *p, const char *names, const cop_budget *b, bool parts);

/* ---- take.c ---- */

/* What is trained, and what it takes: of the budget; as numbers, and bytes with those of the head. */
typedef struct cop_taken { int32_t neurons; int64_t numbers, bytes; double price; } cop_taken;
cop_status cop__take_within(bool *live, cop_taken *taken, cop_take how, const float *key, const cop_neurons *n, const cop_prices *p, int32_t batch, cop_ctx *cx);

/* ---- slopes.c ---- */

/* Of the gradient of the mean loss of these samples, for each neuron: the sum of its squares; or, with `before`, its product with how the neuron's weights have
 * moved since then, which is how much the loss rises with another such move. to[count]. The model is not changed. */
cop_status cop__neuron_gradients(float *to, const cop_graph *model, const cop_graph *before, const cop_velocity *kept_out, int threads);
/* The same of a step that is tried, of all neurons, by the rule of `like` at that rate. */
cop_status cop__neuron_rises(float *to, const cop_graph *model, const cop_trainer *like, float lr, const cop_velocity *kept_out, int threads);
/* Layers with the largest gradient for the bytes that they take, until they have that part of the sum of all. */
cop_status cop__good_layers(bool *layer, const cop_neurons *n, const float *square, float mass, int32_t batch, cop_ctx *cx);

#endif
