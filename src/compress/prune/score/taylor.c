/* SPDX-License-Identifier: Apache-2.0
 *
 * taylor - the square of the change of the loss, to first order, if the item's numbers were 0: (sum of gradient times weight)^2, the mean over
 * batches. Squared after the sum over the item, before the mean over batches.
 */
#include "compress/prune/score.h"

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int64_t i = 0; i < x->n; i++) sum += (double)x->gradient[i] * (double)x->weight[i];
	return (float)(sum * sum);
}

const cop_score_row cop_score_taylor = {
	.row = {"taylor", "the square of what the loss would change without it, to first order", "Molchanov et al. 2019, arXiv 1906.10771", NULL, 0},
	.reads = COP_READS_WEIGHT | COP_READS_BATCHES, .of = of};
