/* SPDX-License-Identifier: Apache-2.0
 *
 * binary.h - weights of two or of three values for each filter (an index of their first axis), or of three for a layer.
 */
#ifndef COP_FORM_BINARY_H
#define COP_FORM_BINARY_H

#include "train/build.h"

/* scale: the two values are plus and minus the mean size of a filter's latents, else 1 and -1. */
typedef struct cop_binary_options { bool scale; } cop_binary_options;
/* Latents within this part of the mean size of their filter are 0. */
typedef struct cop_ternary_options { float threshold; } cop_ternary_options;
/* Latents within this part of the layer's largest are 0. */
typedef struct cop_ttq_options { float part; } cop_ttq_options;
#define COP_BINARY_LATENT "latent" /* of all three */
#define COP_TTQ_ABOVE "above"
#define COP_TTQ_BELOW "below"

/* ---- for both ---- */
/* The mean size of each filter's numbers, [o,1,...]. */
cop_vid cop__filter_mean(cop_graph *g, cop_vid sizes);
/* s with so many digits that every sum of n times s, minus s and 0 is exact in floats, in any order. */
cop_vid cop__short_scale(cop_graph *g, cop_vid s, int64_t n);

#endif
