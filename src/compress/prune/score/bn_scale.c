/* SPDX-License-Identifier: Apache-2.0
 *
 * bn-scale - the size of the factor by which batch norm scales a channel.
 */
#include "compress/prune/score.h"

#include <math.h>

static float of(const cop_scored *x, const void *options) { return (void)options, fabsf(x->scale); }

const cop_score_row cop_score_bn_scale = {
	.row = {"bn-scale", "the size of the factor of the batch norm behind the channel", "Liu et al. 2017, arXiv 1708.06519", NULL, 0}, .reads = COP_READS_SCALE, .of = of};
