/* SPDX-License-Identifier: Apache-2.0
 *
 * augment.h - what training does to samples: the options, and the random choices for a sample. A choice is a function of
 * (seed, epoch, sample), so it does not depend on the size of batches, on threads or on what was drawn before.
 */
#ifndef COP_DATA_AUGMENT_H
#define COP_DATA_AUGMENT_H

#include "core/core.h"
#include "core/options.h"

typedef struct cop_augment {
	bool none, flip, alternate, reflect, normalise, balance;
	int32_t shift, crop, erase;
	float mix;
} cop_augment;
extern const cop_option cop__augment_options[];
cop_status cop__augment_parse(cop_augment *a, cop_ctx *cx, const char *text);
bool cop__augment_moves(const cop_augment *a); /* pixels change their places, or go */

/* Where pixel (y, x) comes from: (y + dy, x + dx), mirrored before if flip. The erased square begins at (ey, ex). */
typedef struct cop_move { int32_t dy, dx, ey, ex; bool flip; } cop_move;
cop_move cop__augment_move(const cop_augment *a, uint64_t seed, int32_t epoch, int32_t sample, int32_t h, int32_t w);

/* share of the sample itself, 0..1, and the rest of another one of `count`. */
typedef struct cop_mix { int32_t other; float share; } cop_mix;
cop_mix cop__augment_mix(const cop_augment *a, uint64_t seed, int32_t epoch, int32_t sample, int32_t count);

#endif
