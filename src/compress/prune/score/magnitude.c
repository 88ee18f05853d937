/* SPDX-License-Identifier: Apache-2.0
 *
 * magnitude - the mean size of an item's numbers. Means, not sums: items of different sizes are compared.
 */
#include "compress/prune/score.h"

#include <math.h>

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int64_t i = 0; i < x->n; i++) sum += fabs((double)x->weight[i]);
	return (float)(sum / (double)x->n);
}

const cop_score_row cop_score_magnitude = {
	.row = {"magnitude", "the mean size of its numbers (L1): the smallest go", "Han et al. 2015, arXiv 1506.02626", NULL, 0}, .reads = COP_READS_WEIGHT, .of = of};
