/* SPDX-License-Identifier: Apache-2.0
 *
 * zeros - the share of what a channel puts out that is not 0: the channels that are mostly 0 go (APoZ).
 */
#include "compress/prune/score.h"

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int32_t i = 0; i < x->samples; i++) sum += (double)x->live[i];
	return (float)(sum / x->samples);
}

const cop_score_row cop_score_zeros = {
	.row = {"zeros", "the share of what the channel puts out that is not 0 (1 - APoZ)", "Hu et al. 2016, arXiv 1607.03250", NULL, 0}, .reads = COP_READS_CHANNEL, .of = of};
