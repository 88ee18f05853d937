/* SPDX-License-Identifier: Apache-2.0
 *
 * oscillate.h - weights that go back and forth between two integers while a network trains with rounding. A latent
 * weight near the middle of two integers is pushed up while it rounds down and down while it rounds up, and never
 * settles. Who does so too often is fixed to the integer that it was on average (Nagel et al. 2022, arXiv 2203.11086,
 * algorithm 1).
 */
#ifndef COP_COMPRESS_OSCILLATE_H
#define COP_COMPRESS_OSCILLATE_H

#include "train/policy.h"

#define COP_OSCILLATE_KEEP 0.01f /* of the two running means: what a step counts */

/* The frequency above which a weight is fixed, at the first step and at the last; between them along a cosine. */
typedef struct cop_freezing {
	float from, to;
} cop_freezing;
float cop__freezing_at(const cop_freezing *f, double part /* of the training that is done */);

/* The policy; ud is allocated in mem and reads f. It acts on weights that fakequant rounds. */
cop_status cop__freezing(cop_policy *out, cop_arena *mem, const cop_freezing *f);

#endif
