/* SPDX-License-Identifier: Apache-2.0
 *
 * lion - moves by the sign of a mean gradient: w -= lr (sign(b1 m + (1 - b1) dw) + decay w), m = b2 m + (1 - b2) dw. Rates are a tenth of adam's.
 */
#include "train/update/made.h"

typedef struct options { float b1, b2, decay; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, b1, 0, 0.99999, "0.9", "part of the mean gradient in the move"),
	COP_OPT_REAL(options, b2, 0, 0.99999, "0.99", "part of the mean gradient that is kept"),
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, apart from the gradient; not for biases and batch norm"),
	COP_OPT_END,
};

static cop_vid build(const cop_param *p, const void *o)
{
	const options *a = o;
	float decay = cop__param_decay(p, a->decay);
	cop_vid lr = cop__param_lr(p), m = cop__param_state(p, 0), move = cop__made_map(p, MAP_SIGN, cop__made_mean(p, a->b1, m, p->dw));

	if (decay > 0) move = cop__made(p, OP_add, move, cop__made_times(p, p->w, decay));
	cop_vid w = cop__made(p, OP_sub, p->w, cop__made(p, OP_mul, move, lr)), m1 = cop__made_mean(p, a->b2, m, p->dw);
	return cop__made_set(p, m, m1) ? cop__made_set(p, p->w, w) : 0;
}

const cop_update cop_update_lion = {
	.row = {"lion", "moves by the sign of a mean gradient", "Chen et al. 2023, arXiv 2302.06675", table, sizeof(options)}, .state = {"lion.m"}, .build = build, .own_size = true};
