/* SPDX-License-Identifier: Apache-2.0
 *
 * knapsack.h - one choice for each of many things, so that the sum of the damage is least and no sum of prices exceeds its limit.
 */
#ifndef COP_KNAPSACK_H
#define COP_KNAPSACK_H

#include "core/core.h"

enum { COP_MOST_RESOURCES = 6 };
typedef struct cop_pick { double damage, price[COP_MOST_RESOURCES]; } cop_pick; /* a price may be negative: what is saved */
typedef struct cop_lot { const cop_pick *level; int32_t n; } cop_lot;            /* exactly one of its levels is chosen */
typedef struct cop_sack {
	const cop_lot *lot;
	int32_t n_lot, n_resource;
	double limit[COP_MOST_RESOURCES];
} cop_sack;

/* choice[n_lot]: the level of each lot. Exact as long as at most a few thousand choices are better than all others in some respect; beyond that, near.
 * COP_BUDGET, without a sentence: nothing fits. */
cop_status cop__knapsack(int32_t *choice, double *damage, cop_ctx *cx, const cop_sack *s);

#endif
