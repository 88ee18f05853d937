/* SPDX-License-Identifier: Apache-2.0
 *
 * fisher - half the square of gradient times weight of each number, the mean over samples: optimal brain damage with
 * the empirical Fisher information in the place of the Hessian. The gradients are those of single samples; the square
 * of their mean is near 0 in a trained network.
 */
#include "compress/prune/score.h"

const cop_score_row cop_score_fisher = {
	.row = {"fisher", "what the loss would rise without it, by the empirical Fisher information of single samples", "Theis et al. 2018, arXiv 1801.05787", NULL, 0},
	.reads = COP_READS_WEIGHT | COP_READS_SAMPLES, .samples = 4096, .of = cop__second_order};
