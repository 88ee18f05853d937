/* SPDX-License-Identifier: Apache-2.0
 *
 * steps.h - weights that are whole multiples of a step.
 */
#ifndef COP_FORM_STEPS_H
#define COP_FORM_STEPS_H

#include "train/build.h"

#define COP_STEPS_SOURCE "Oktay et al. 2020, arXiv 1906.06624; Esser et al. 2020, arXiv 1902.08153"

/* start: what the step is at first, over the mean size of the numbers that are not zero. */
typedef struct cop_steps_options { float start; } cop_steps_options;
/* The latents: the number before it is rounded, and the logarithm of the step. */
#define COP_STEPS_LATENT "latent"
#define COP_STEPS_STEP "logstep"

/* The code length of the multiples, in natural units, under a prior with long tails. y: what is rounded; target: the logarithm of the step. */
typedef struct cop_rate_options { float prior; } cop_rate_options;
extern const cop_loss cop_loss_rate;

#endif
