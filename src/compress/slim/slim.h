/* SPDX-License-Identifier: Apache-2.0
 *
 * slim.h - which channels go, for the stage `slim`. A pool holds the groups of links that lie along the same axes: the channels of a layer, or
 * of all layers whose results are added. Within a pool they are ranked, and a pool has a width.
 */
#ifndef COP_SLIM_H
#define COP_SLIM_H

#include "compress/prune/score.h"
#include "pass/pass.h"

typedef struct cop_slim_options {
	float macs, least, self, temperature;
	int32_t by, over, scope, round;
	char target[64];
} cop_slim_options;
enum { COP_OVER_MEAN, COP_OVER_L2 };
enum { COP_SLIM_GLOBAL, COP_SLIM_LAYER };

typedef struct cop_pool { int32_t first, n; } cop_pool; /* in rank[] */
typedef struct cop_ranked { int32_t group; float score; } cop_ranked;
typedef struct cop_pools {
	cop_groups groups;
	cop_pool *pool;
	cop_ranked *rank;  /* [n_rank] pool after pool, in each the most important first; scores have a mean of 1 in each pool */
	int32_t *width;    /* [n_pool] how many stay */
	uint8_t *drop;     /* [n_group] */
	int32_t n_pool, n_rank;
} cop_pools;

/* Of the groups of g that may go and hold rows of weights that match; cop__pools_free, after a failure too. */
cop_status cop__pools(cop_pools *p, const cop_graph *g, const char *layers, const cop_slim_options *o, uint64_t seed);
void cop__pools_free(cop_pools *p);

/* Sets width and drop so that what is left has at most `macs` multiply-accumulates, as close to it as that can be; each width is a multiple of
 * `round` where the pool is that wide. *got: what is left. Fails where that can't be reached. */
cop_status cop__pools_cut(cop_pools *p, const cop_slim_options *o, int32_t round, int64_t macs, int64_t *got);

int64_t cop__macs_of(const cop_graph *g);
/* The width that the kernels of an instruction set like: of a vector of floats, or of what a device loads at once. */
int32_t cop__lanes_of(uint32_t isa);

#endif
