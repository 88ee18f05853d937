/* SPDX-License-Identifier: Apache-2.0
 *
 * sgd - stochastic gradient descent with momentum, PyTorch's form: m = momentum m + d, w -= lr m; d = dw + decay w.
 */
#include "op/op.h"
#include "train/build.h"

typedef struct options { float momentum, decay; bool nesterov; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, momentum, 0, 0.99999, "0.9", "part of the last move that is kept"),
	COP_OPT_FLAG(options, nesterov, "no", "Nesterov's momentum, which looks one move ahead"),
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, added to the gradient; not for biases and batch norm"),
	COP_OPT_END,
};

static cop_vid build(const cop_param *p, const void *o)
{
	const options *a = o;
	cop_vid lr = cop__param_lr(p), m = a->momentum > 0 ? cop__param_state(p, 0) : 0, rows = cop__follower(p->g, p->w, "rows");
	cop_nid n = cop__node(p->g, OP_sgd, &(cop_sgd_attr){a->momentum, a->nesterov, cop__param_decay(p, a->decay)}, VIDS(p->w, p->dw, lr, m, rows));

	if (n && m) cop__want_out(p->g, n, 1);
	return n ? cop__res(p->g, n, 0) : 0;
}

const cop_update cop_update_sgd = {
	.row = {"sgd", "gradient descent with momentum", "Sutskever et al. 2013, ICML", table, sizeof(options)}, .state = {"momentum"}, .build = build};
