/* SPDX-License-Identifier: Apache-2.0
 *
 * adam - moves divided by the root of the mean square of the gradient. adamw - the same, with weight decay apart from the gradient.
 */
#include "op/op.h"
#include "train/build.h"

typedef struct options { float b1, b2, eps, decay; } options;

#define BETAS                                                                                                      \
	COP_OPT_REAL(options, b1, 0, 0.99999, "0.9", "part of the mean gradient that is kept"),                    \
	COP_OPT_REAL(options, b2, 0, 0.9999999, "0.999", "part of the mean square that is kept"),                  \
	COP_OPT_REAL(options, eps, 0, 1, "1e-8", "added to the root, so that nothing is divided by 0")

static const cop_option adam_table[] = {BETAS,
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, added to the gradient; not for biases and batch norm"),
	COP_OPT_END};
static const cop_option adamw_table[] = {BETAS,
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, apart from the gradient; not for biases and batch norm"),
	COP_OPT_END};

static cop_vid apply(const cop_param *p, const options *a, bool decoupled)
{
	cop_vid lr = cop__param_lr(p), step = cop__param_step(p), m = cop__param_state(p, 0), v = cop__param_state(p, 1);
	cop_adam_attr attr = {a->b1, a->b2, a->eps, cop__param_decay(p, a->decay), decoupled};

	return cop__apply(p->g, OP_adam, &attr, VIDS(p->w, p->dw, lr, step, m, v));
}

static cop_vid adam(const cop_param *p, const void *o) { return apply(p, o, false); }
static cop_vid adamw(const cop_param *p, const void *o) { return apply(p, o, true); }

const cop_update cop_update_adam = {
	.row = {"adam", "moves by the mean gradient over the root of its mean square", "Kingma and Ba 2015, arXiv 1412.6980", adam_table, sizeof(options)},
	.state = {"adam.m", "adam.v"}, .build = adam};
const cop_update cop_update_adamw = {
	.row = {"adamw", "adam with weight decay apart from the gradient", "Loshchilov and Hutter 2019, arXiv 1711.05101", adamw_table, sizeof(options)},
	.state = {"adam.m", "adam.v"}, .build = adamw};
