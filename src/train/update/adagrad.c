/* SPDX-License-Identifier: Apache-2.0
 *
 * adagrad - the gradient over the root of the sum of its squares, PyTorch's form: s += d^2, w -= lr d / (sqrt(s) + eps); d = dw + decay w.
 */
#include "train/update/made.h"

typedef struct options { float first, eps, decay; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, first, 0, 1e30, "0", "what the sum of squares begins with"),
	COP_OPT_REAL(options, eps, 0, 1, "1e-10", "added to the root, so that nothing is divided by 0"),
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, added to the gradient; not for biases and batch norm"),
	COP_OPT_END,
};

static cop_vid build(const cop_param *p, const void *o)
{
	const options *a = o;
	cop_vid lr = cop__param_lr(p), d = cop__made_decayed(p, p->dw, p->w, cop__param_decay(p, a->decay)), s = cop__param_state(p, 0);
	cop_vid s1 = cop__made(p, OP_add, s, cop__made(p, OP_mul, d, d)), all = a->first > 0 ? cop__made(p, OP_add, s1, cop__made_number(p, a->first)) : s1;
	cop_vid move = cop__made(p, OP_div, d, cop__made(p, OP_add, cop__made_map(p, MAP_SQRT, all), cop__made_number(p, a->eps)));

	if (!cop__moved(p, 0, cop__made_map(p, MAP_NEG, move)) || !cop__made_set(p, s, s1)) return 0;
	return cop__made_set(p, p->w, cop__made(p, OP_sub, p->w, cop__made(p, OP_mul, move, lr)));
}

const cop_update cop_update_adagrad = {
	.row = {"adagrad", "the gradient over the root of the sum of its squares", "Duchi et al. 2011, J. Mach. Learn. Res. 12", table, sizeof(options)},
	.state = {"adagrad.s"}, .build = build, .learns = {{.name = "lr"}}, .own_size = true};
