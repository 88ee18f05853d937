/* SPDX-License-Identifier: Apache-2.0
 *
 * taylor-activation - the mean over samples of |mean over places of activation times gradient|, over the length of these numbers in its layer:
 * without that, layers can't be compared.
 */
#include "compress/prune/score.h"

#include <math.h>

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int32_t i = 0; i < x->samples; i++) sum += fabs((double)x->pull[i]);
	return (float)(sum / x->samples);
}

static void settle(float *score, const float *mask, int64_t n, int32_t *order)
{
	double square = 0;

	(void)order;
	for (int64_t i = 0; i < n; i++) square += mask[i] != 0 ? (double)score[i] * (double)score[i] : 0;
	for (int64_t i = 0; i < n && square > 0; i++) score[i] = (float)((double)score[i] / sqrt(square));
}

const cop_score_row cop_score_taylor_activation = {
	.row = {"taylor-activation", "what the loss would change without what the channel puts out, to first order", "Molchanov et al. 2017, arXiv 1611.06440", NULL, 0},
	.reads = COP_READS_CHANNEL | COP_READS_PULL, .of = of, .settle = settle};
