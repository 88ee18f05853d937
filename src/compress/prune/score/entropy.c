/* SPDX-License-Identifier: Apache-2.0
 *
 * entropy - of what a channel puts out: its mean for each sample goes into bins of equal width between the least and the largest, and a channel
 * whose samples fill few of them says little.
 */
#include "compress/prune/score.h"

#include <math.h>

typedef struct entropy_options { int32_t bins; } entropy_options;
enum { MOST_BINS = 1000 };
static const cop_option table[] = {COP_OPT_WHOLE(entropy_options, bins, 2, MOST_BINS, "100", "bins between the least and the largest"), COP_OPT_END};

static float of(const cop_scored *x, const void *options)
{
	const int32_t bins = ((const entropy_options *)options)->bins;
	int32_t count[MOST_BINS] = {0};
	float lo = INFINITY, hi = -INFINITY;
	double h = 0;

	for (int32_t i = 0; i < x->samples; i++) lo = fminf(lo, x->mean[i]), hi = fmaxf(hi, x->mean[i]);
	if (!(hi > lo)) return 0;
	for (int32_t i = 0; i < x->samples; i++) count[COP_MIN((int32_t)((double)(x->mean[i] - lo) / (double)(hi - lo) * bins), bins - 1)]++;
	for (int32_t k = 0; k < bins; k++) {
		double p = (double)count[k] / x->samples;
		if (p > 0) h -= p * log(p);
	}
	return (float)h;
}

const cop_score_row cop_score_entropy = {
	.row = {"entropy", "the entropy over samples of what the channel puts out", "Luo and Wu 2017, arXiv 1706.05791", table, sizeof(entropy_options)}, .reads = COP_READS_CHANNEL, .of = of};
