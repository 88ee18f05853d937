/* SPDX-License-Identifier: Apache-2.0
 *
 * lamp - the square of an item over the sum of the squares of those of its layer that are no smaller: what a cut at this place would cost the
 * layer. The largest of a layer has 1, so one threshold for all layers closes none.
 */
#include "compress/prune/score.h"

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int64_t i = 0; i < x->n; i++) sum += (double)x->weight[i] * (double)x->weight[i];
	return (float)(sum / (double)x->n);
}

static void settle(float *score, const float *mask, int64_t n, int32_t *order)
{
	double sum = 0;

	cop__order_of(order, score, n);
	for (int64_t i = 0; i < n; i++) {
		int32_t k = order[i];
		if (mask[k] == 0) continue;
		sum += (double)score[k];
		score[k] = sum > 0 ? (float)((double)score[k] / sum) : 0;
	}
}

const cop_score_row cop_score_lamp = {
	.row = {"lamp", "its square over the squares of all in its layer that are no smaller: made for one threshold for all layers", "Lee et al. 2021, arXiv 2010.07611", NULL, 0},
	.reads = COP_READS_WEIGHT, .of = of, .settle = settle};
