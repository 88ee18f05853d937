/* SPDX-License-Identifier: Apache-2.0
 *
 * rmsprop - the gradient over the root of its mean square, PyTorch's form: v = keep v + (1 - keep) d^2, m = momentum m + d / (sqrt(v) + eps),
 * w -= lr m; d = dw + decay w.
 */
#include "train/update/made.h"

typedef struct options { float keep, momentum, eps, decay; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, keep, 0, 0.9999999, "0.99", "part of the mean square that is kept"),
	COP_OPT_REAL(options, momentum, 0, 0.99999, "0", "part of the last move that is kept"),
	COP_OPT_REAL(options, eps, 0, 1, "1e-8", "added to the root, so that nothing is divided by 0"),
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, added to the gradient; not for biases and batch norm"),
	COP_OPT_END,
};

/* dw/dlr = -m; dw/dkeep = lr d (v' - d^2) / (2 root (root + eps)^2), of the v' before, through this step's move alone. */
static bool leave_slopes(const cop_param *p, cop_vid lr, cop_vid move, cop_vid d, cop_vid root, cop_vid below, cop_vid change)
{
	cop_vid u = cop__made(p, OP_div, cop__made(p, OP_div, d, below), below), half = cop__made_times(p, change, 0.5f);

	return cop__moved(p, 0, cop__made_map(p, MAP_NEG, move)) &&
		cop__moved(p, 1, cop__made(p, OP_mul, cop__made(p, OP_mul, u, cop__made(p, OP_div, half, cop__made_least(p, root, 1e-12f))), lr));
}

static cop_vid build(const cop_param *p, const void *o)
{
	const options *a = o;
	cop_vid lr = cop__param_lr(p), d = cop__made_decayed(p, p->dw, p->w, cop__param_decay(p, a->decay)), square = cop__made(p, OP_mul, d, d);
	cop_vid v = cop__param_state(p, 0), v1 = cop__learns(p, 1) ? cop__made_blend(p, cop__learnt(p, 1, 0), v, square) : cop__made_mean(p, a->keep, v, square);
	cop_vid root = cop__made_map(p, MAP_SQRT, v1), below = cop__made(p, OP_add, root, cop__made_number(p, a->eps)), move = cop__made(p, OP_div, d, below);

	if (a->momentum > 0) {
		cop_vid m = cop__param_state(p, 1);
		move = cop__made(p, OP_add, cop__made_times(p, m, a->momentum), move);
		if (!cop__made_set(p, m, move)) return 0;
	}
	if (cop__learns_any(p) && !leave_slopes(p, lr, move, d, root, below, cop__made(p, OP_sub, v, square))) return 0;
	cop_vid w = cop__made(p, OP_sub, p->w, cop__made(p, OP_mul, move, lr));
	return cop__made_set(p, v, v1) ? cop__made_set(p, p->w, w) : 0;
}

const cop_update cop_update_rmsprop = {
	.row = {"rmsprop", "the gradient over the root of its mean square",
		"Tieleman and Hinton 2012, lecture 6.5 of Neural networks for machine learning", table, sizeof(options)},
	.state = {"rmsprop.v", "rmsprop.m"}, .build = build, .learns = {{.name = "lr", .as = COP_AS_ROOT}, {"keep", offsetof(options, keep), COP_AS_TANH}}, .own_size = true};
