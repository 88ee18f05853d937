/* SPDX-License-Identifier: Apache-2.0
 *
 * random - a number that depends on the seed, the layer and the item alone.
 */
#include "compress/prune/score.h"

static float of(const cop_scored *x, const void *options) { return (void)options, cop__rand_unit(x->seed, x->stream, x->index); }

const cop_score_row cop_score_random = {.row = {"random", "drawn from the seed, as a control", NULL, NULL, 0}, .of = of};
