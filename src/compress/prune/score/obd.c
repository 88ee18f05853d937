/* SPDX-License-Identifier: Apache-2.0
 *
 * obd - optimal brain damage: half of curvature times square, summed over the item's numbers. What the loss would rise without it, to second order, in a
 * network that is trained to its minimum.
 */
#include "compress/prune/score.h"

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int64_t i = 0; i < x->n; i++) sum += (double)x->curvature[i] * (double)x->weight[i] * (double)x->weight[i];
	return (float)(0.5 * sum);
}

const cop_score_row cop_score_obd = {
	.row = {"obd", "what the loss would rise without it, to second order: optimal brain damage", "LeCun et al. 1990, Optimal brain damage, NIPS 2", NULL, 0},
	.reads = COP_READS_WEIGHT | COP_READS_CURVATURE, .of = of};
