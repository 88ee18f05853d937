/* SPDX-License-Identifier: Apache-2.0
 *
 * movement-soft - movement with a price: each number has a sum of its own that descends the loss as movement does, at `rate`, and a penalty on its
 * sigmoid, which pulls all sums down. The score is the sigmoid; with `scope: threshold` what has less than `at` goes, so that the network itself decides how much.
 */
#include "compress/prune/score.h"

#include <math.h>

typedef struct soft_options { float rate, price; } soft_options;
static const cop_option table[] = {
	COP_OPT_REAL(soft_options, rate, 0, 1e9, "100", "how far a step moves the sums"),
	COP_OPT_REAL(soft_options, price, 0, 1e9, "2e-5", "of each number that stays, in units of the loss"),
	COP_OPT_END,
};

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static float of(const cop_scored *x, const void *options)
{
	double sum = 0;

	(void)options;
	for (int64_t i = 0; i < x->n; i++) sum += sigmoid((double)x->moved[i]);
	return (float)(sum / (double)x->n);
}

static void move(float *moved, const float *d, const float *w, int64_t n, const void *options)
{
	const soft_options *o = options;

	for (int64_t i = 0; i < n; i++) {
		double p = sigmoid((double)moved[i]);
		moved[i] -= (float)((double)o->rate * ((double)d[i] * (double)w[i] + (double)o->price * p * (1 - p)));
	}
}

const cop_score_row cop_score_movement_soft = {
	.row = {"movement-soft", "movement with a price for each number that stays, for `scope: threshold`", "Sanh et al. 2020, arXiv 2005.07683", table, sizeof(soft_options)},
	.reads = COP_READS_MOVED, .returns = true, .of = of, .move = move};
