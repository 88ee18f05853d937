/* SPDX-License-Identifier: Apache-2.0
 *
 * depth.h - rectifiers that never switch. A neuron (of a convolution: a channel, at all positions) is on where what goes into its rectifier is
 * above 0. One that is on for every sample is linear, one that is off for every sample is 0; a layer of such neurons can be merged with the next one.
 */
#ifndef COP_DEPTH_H
#define COP_DEPTH_H

#include "compress/compress.h"

typedef struct cop_rectifier {
	cop_nid node;      /* max(0, x): a clip, or a layer with that activation */
	cop_vid y, weight; /* its result; the weight of the layer that it belongs to, 0: none */
	int32_t channels;
	int64_t *on;       /* [channels] how often each was on, of `seen` */
	int64_t seen;
	double slide, code; /* mean entropy in bits, by the two readings of the paper: see entropy.c */
	double batches;
} cop_rectifier;

typedef struct cop_rectifiers { cop_rectifier *at; int32_t n; cop_arena mem; } cop_rectifiers;

cop_status cop__rectifiers(cop_rectifiers *r, const cop_graph *g); /* cop__rectifiers_free, after a failure too */
void cop__rectifiers_free(cop_rectifiers *r);
/* Runs g on the first `limit` samples (0: all) and sets on, seen and both entropies. */
cop_status cop__states_count(cop_rectifiers *r, const cop_graph *g, cop_dataset *d, int32_t limit, int threads);
/* Is every neuron always on or always off? */
bool cop__never_switches(const cop_rectifier *r);
/* Without the rectifiers that go: what is on as it is, what is off (on 0) as zeros, for which weights of g change. */
cop_status cop__straighten(cop_graph **out, cop_graph *g, const cop_rectifiers *r, const bool *goes);
double cop__norm_bits(float gamma, float beta); /* of a channel behind batch norm, whose values are about normal */
double cop__state_bits(double p); /* -p log2 p - (1-p) log2 (1-p) */

/* How many weights of each of n layers go, `cut` of all: most where entropy * mean is least; a layer whose entropy is 0 keeps what it has.
 * mean: of the magnitudes of the weights that are left; count: how many these are. */
void cop__entropy_budget(int64_t *gone, int32_t n, const double *entropy, const double *mean, const int64_t *count, double cut);

#endif
