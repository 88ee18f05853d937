/* SPDX-License-Identifier: Apache-2.0
 *
 * neurons.h - the neurons of a network, which may be left out of training one by one: channels of convolutions, units of fully connected layers.
 *
 * A weight of which only some rows are trained has a list of them, "conv1.w.rows" (op/op.h): of its gradient these rows alone are computed, and
 * they alone move. A list without room leaves the whole weight out. The lists lie in the model while it is trained, so a checkpoint has them and passes
 * that remove channels renumber them; the loop takes them away at the end.
 */
#ifndef COP_NEURONS_H
#define COP_NEURONS_H

#include "train/build.h"

enum { COP_ALSO = 3 };
typedef struct cop_channels {
	cop_vid w, also[COP_ALSO]; /* rank 1, a number for each neuron: bias, scale and shift of batch norm; 0: none */
	cop_vid in, out;           /* what it reads; what its neurons put out: behind batch norm, before an activation */
	int32_t rows, first;       /* neurons, and the number of the first among those of all layers */
	int64_t each;              /* numbers of a neuron that are trained */
	int64_t mac, kept;         /* of a sample: multiply-accumulates forward, numbers of the input that wait for the gradient */
	bool head;                 /* the last layer: it is always trained */
} cop_channels;
typedef struct cop_neurons {
	cop_channels *layer;
	int32_t n_layer, count;
	int32_t hidden;            /* neurons of all layers but the head, which come first */
	int64_t numbers;           /* all that is trained of the layers but the head */
} cop_neurons;

/* Layers whose weights of reals are read by one node, have no form, and match `names`. Refused where there are none beside the head. */
cop_status cop__neurons_find(cop_neurons *out, cop_arena *mem, const cop_graph *g, const char *names, const char *who);
/* [count]: which are trained as the lists of g say. */
void cop__neurons_live(bool *live, const cop_graph *g, const cop_neurons *n);
/* The lists of the model are these; what the rule keeps of a neuron that is left out is set to 0. Values of the model are numbered anew. */
cop_status cop__neurons_list(cop_graph *model, const char *names, const char *who, const bool *live);
bool cop__has_lists(const cop_graph *g);
cop_status cop__no_lists(cop_graph *model); /* takes them away */

/* Takes away values that nobody reads, in place (carry.c). */
typedef bool cop_goes_fn(const cop_graph *g, cop_vid v, const int32_t *readers);
cop_status cop__take_away(cop_graph *model, cop_goes_fn *goes);

/* ---- count.c: what a step costs ---- */
typedef struct cop_step_cost { double forward, rest; } cop_step_cost; /* floating-point operations; rest: backward, and updates */
cop_status cop__step_cost(cop_step_cost *out, const cop_graph *step);
/* Of the backward pass what is left of it as work on neurons counts it: both products of a layer, times the part of its neurons that is trained. */
double cop__published_share(const cop_graph *model);
/* need[n_value + 1]: what the loss is computed from. */
void cop__mark_forward(bool *need, const cop_graph *step);
double cop__node_flops(const cop_graph *g, cop_nid n);

/* ---- shares.c: what of a step is there for which layer ---- */
typedef struct cop_layer_share { double reach, own; } cop_layer_share; /* to bring the error here from the layer behind it; gradients and updates */
typedef struct cop_shares {
	cop_layer_share *layer; /* [n_layer]; a step takes what is fixed, `own` of the layers that are trained, and `reach` of the first of these and all behind it */
	double fixed;           /* forward, and the last layer */
} cop_shares;
/* cost[n_node + 1]: of the nodes of a step in which all layers are trained. */
cop_status cop__step_shares(cop_shares *out, cop_arena *mem, const cop_graph *step, const double *cost, const cop_graph *model, const cop_neurons *n);

#endif
