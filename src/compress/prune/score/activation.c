/* SPDX-License-Identifier: Apache-2.0
 *
 * activation - the mean size of what a channel puts out.
 */
#include "compress/prune/score.h"

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int32_t i = 0; i < x->samples; i++) sum += (double)x->size[i];
	return (float)(sum / x->samples);
}

const cop_score_row cop_score_activation = {
	.row = {"activation", "the mean size of what the channel puts out", "Molchanov et al. 2017, arXiv 1611.06440", NULL, 0}, .reads = COP_READS_CHANNEL, .of = of};
