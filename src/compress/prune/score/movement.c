/* SPDX-License-Identifier: Apache-2.0
 *
 * movement - what training has added up: - sum over its steps of gradient times weight. Positive: the steps have made the weight larger, and it
 * stays. (Keeping the largest sums without the minus sign would keep just the wrong ones.) The gradient is that of the whole weight, masked or not, so
 * what has gone may come back.
 */
#include "compress/prune/score.h"

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int64_t i = 0; i < x->n; i++) sum += (double)x->moved[i];
	return (float)(sum / (double)x->n);
}

static void move(float *moved, const float *d, const float *w, int64_t n, const void *options)
{
	(void)options;
	for (int64_t i = 0; i < n; i++) moved[i] -= d[i] * w[i];
}

const cop_score_row cop_score_movement = {
	.row = {"movement", "how far training has moved its numbers away from zero: for a network that is trained on for another task", "Sanh et al. 2020, arXiv 2005.07683", NULL, 0},
	.reads = COP_READS_MOVED, .returns = true, .of = of, .move = move};
