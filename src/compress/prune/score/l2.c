/* SPDX-License-Identifier: Apache-2.0
 *
 * l2 - the root of the mean square of an item's numbers: of a group of weights that go together, what Scalpel calls its importance.
 */
#include "compress/prune/score.h"

#include <math.h>

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int64_t i = 0; i < x->n; i++) sum += (double)x->weight[i] * (double)x->weight[i];
	return (float)sqrt(sum / (double)x->n);
}

const cop_score_row cop_score_l2 = {
	.row = {"l2", "the root of the mean square of its numbers (L2)", "Li et al. 2017, arXiv 1608.08710; Yu et al. 2017, ISCA", NULL, 0}, .reads = COP_READS_WEIGHT, .of = of};
