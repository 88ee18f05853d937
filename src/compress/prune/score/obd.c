/* SPDX-License-Identifier: Apache-2.0
 *
 * obd - optimal brain damage: half of curvature times square, summed over the item's numbers. What the loss would rise
 * without it, to second order, in a network that is trained to its minimum.
 *
 * LeCun et al. pass the diagonal of the Hessian back from layer to layer and leave out what the numbers of one layer
 * have to do with each other (obd-1990). obd leaves nothing out: the loss bends by H = sum_c s_c s_c' at the network's
 * answer, s_c = sqrt(p_c) (e_c - p) of a softmax, and with signs drawn at random the square of the gradient along
 * sum_c +-s_c has the mean that is wanted. In a network of pieces that are linear (ReLU) that is the diagonal of the
 * Hessian itself, in others that of Gauss and Newton. On LeNet-300-100 it ranks better (docs/results/curvature.md).
 */
#include "compress/prune/score.h"

float cop__second_order(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int64_t i = 0; i < x->n; i++) sum += (double)x->curvature[i] * (double)x->weight[i] * (double)x->weight[i];
	return (float)(0.5 * sum);
}

const cop_score_row cop_score_obd = {
	.row = {"obd", "what the loss would rise without it, to second order: optimal brain damage", "LeCun et al. 1990, Optimal brain damage, NIPS 2", NULL, 0},
	.reads = COP_READS_WEIGHT | COP_READS_HESSIAN, .samples = 4096, .of = cop__second_order};

const cop_score_row cop_score_obd_1990 = {
	.row = {"obd-1990", "the same with the curvature that is passed back without cross terms, as published", "LeCun et al. 1990, Optimal brain damage, NIPS 2", NULL, 0},
	.reads = COP_READS_WEIGHT | COP_READS_PASSED, .samples = 4096, .of = cop__second_order};
