/* SPDX-License-Identifier: Apache-2.0
 *
 * sgd - stochastic gradient descent with momentum, PyTorch's form: m = momentum m + d, w -= lr m; d = dw + decay w.
 * Learnt: dw/dlr = -m, dw/dmomentum = -lr m', of the m' before; with Nesterov's -(d + momentum m) and -lr (m + momentum m').
 */
#include "train/update/made.h"

typedef struct options { float momentum, decay; bool nesterov; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, momentum, 0, 0.99999, "0.9", "part of the last move that is kept"),
	COP_OPT_FLAG(options, nesterov, "no", "Nesterov's momentum, which looks one move ahead"),
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, added to the gradient; not for biases and batch norm"),
	COP_OPT_END,
};

/* The state that is minus how the weight moves with the rate. */
static const char *moves(const void *o, int k)
{
	const options *a = o;
	return !k && a->momentum > 0 && !a->nesterov ? "momentum" : NULL;
}

/* The same of single operators, where the momentum is learnt, or a rate with which the weight moves as no state says. */
static cop_vid learnt(const cop_param *p, const options *a)
{
	cop_vid lr = cop__param_lr(p), w = cop__made_rows(p, p->w), d = cop__made_decayed(p, p->dw, w, cop__param_decay(p, a->decay)), move = d, by = 0;

	if (a->momentum > 0) {
		cop_vid mu = cop__learnt(p, 1, a->momentum), kept = cop__param_state(p, 0), old = cop__made_rows(p, kept), m = cop__made(p, OP_add, cop__made(p, OP_mul, old, mu), d);
		move = a->nesterov ? cop__made(p, OP_add, d, cop__made(p, OP_mul, m, mu)) : m;
		by = a->nesterov ? cop__made(p, OP_add, m, cop__made(p, OP_mul, old, mu)) : old;
		if (!cop__made_set(p, kept, m)) return 0;
	}
	if ((!moves(a, 0) && !cop__moved(p, 0, cop__made_map(p, MAP_NEG, move))) || !cop__moved(p, 1, cop__made_map(p, MAP_NEG, cop__made(p, OP_mul, by, lr)))) return 0;
	return cop__made_set(p, p->w, cop__made(p, OP_sub, w, cop__made(p, OP_mul, move, lr)));
}

static cop_vid build(const cop_param *p, const void *o)
{
	const options *a = o;

	if (cop__learns(p, 1) || (cop__learns(p, 0) && !moves(a, 0))) return learnt(p, a);
	cop_vid lr = cop__param_lr(p), m = a->momentum > 0 ? cop__param_state(p, 0) : 0, rows = cop__follower(p->g, p->w, "rows");
	cop_nid n = cop__node(p->g, OP_sgd, &(cop_sgd_attr){a->momentum, a->nesterov, cop__param_decay(p, a->decay)}, VIDS(p->w, p->dw, lr, m, rows));

	if (n && m) cop__want_out(p->g, n, 1);
	return n ? cop__res(p->g, n, 0) : 0;
}

const cop_update cop_update_sgd = {
	.row = {"sgd", "gradient descent with momentum", "Sutskever et al. 2013, ICML", table, sizeof(options)}, .state = {"momentum"}, .build = build,
	.learns = {{.name = "lr"}, {"momentum", offsetof(options, momentum), COP_AS_IT_IS}}, .moves = moves, .rows = true};
