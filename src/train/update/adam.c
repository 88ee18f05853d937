/* SPDX-License-Identifier: Apache-2.0
 *
 * adam - moves divided by the root of the mean square of the gradient. adamw - the same, with weight decay apart from the gradient.
 * Learnt, with m^ = m / (1 - b1^t), root = sqrt(v / (1 - b2^t)), u = m^ / (root + eps): dw/dlr = -u, with decay apart -(u + decay w);
 *   dw/db1 = -lr ((m' - d) / (1 - b1^t) + m t b1^(t-1) / (1 - b1^t)^2) / (root + eps)
 *   dw/db2 = lr u / (2 root (root + eps)) ((v' - d^2) / (1 - b2^t) + v t b2^(t-1) / (1 - b2^t)^2)     (m', v': those before)
 */
#include "train/update/made.h"

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

/* A mean that forgets: of d, with the old one, and its own slope by the part that is kept, both without the bias of the first steps. */
typedef struct mean { cop_vid now, unbiased, slope; } mean;

static mean make_mean(const cop_param *p, cop_vid keep, cop_vid old, cop_vid d)
{
	cop_vid t = cop__made_step(p), now = cop__made_blend(p, keep, old, d), rest = cop__made_rest(p, keep, t);
	cop_vid unbiased = cop__made(p, OP_div, now, rest), first = cop__made(p, OP_div, cop__made(p, OP_sub, old, d), rest);
	cop_vid factor = cop__made(p, OP_div, cop__made(p, OP_mul, t, cop__made(p, OP_sub, cop__made_number(p, 1), rest)), cop__made(p, OP_mul, keep, rest));

	return (mean){now, unbiased, cop__made(p, OP_add, first, cop__made(p, OP_mul, unbiased, factor))};
}

/* The same of single operators, where something is learnt. A root that is 0 has a slope of 0. */
static cop_vid learnt(const cop_param *p, const options *a, bool decoupled)
{
	const float decay = cop__param_decay(p, a->decay);
	cop_vid lr = cop__param_lr(p), d = cop__made_decayed(p, p->dw, p->w, decoupled ? 0 : decay), old_m = cop__param_state(p, 0), old_v = cop__param_state(p, 1);
	mean m = make_mean(p, cop__learnt(p, 1, a->b1), old_m, d), v = make_mean(p, cop__learnt(p, 2, a->b2), old_v, cop__made(p, OP_mul, d, d));
	cop_vid root = cop__made_map(p, MAP_SQRT, v.unbiased), below = cop__made(p, OP_add, root, cop__made_number(p, a->eps)), u = cop__made(p, OP_div, m.unbiased, below);
	cop_vid move = cop__made_decayed(p, u, p->w, decoupled ? decay : 0), by_b1 = cop__made(p, OP_div, m.slope, below);
	cop_vid by_b2 = cop__made(p, OP_mul, cop__made(p, OP_div, u, below), cop__made(p, OP_div, cop__made_times(p, v.slope, 0.5f), cop__made_least(p, root, 1e-12f)));

	if (!cop__moved(p, 0, cop__made_map(p, MAP_NEG, move)) || !cop__moved(p, 1, cop__made_map(p, MAP_NEG, cop__made(p, OP_mul, by_b1, lr)))) return 0;
	if (!cop__moved(p, 2, cop__made(p, OP_mul, by_b2, lr)) || !cop__made_set(p, old_m, m.now) || !cop__made_set(p, old_v, v.now)) return 0;
	return cop__made_set(p, p->w, cop__made(p, OP_sub, p->w, cop__made(p, OP_mul, move, lr)));
}

static cop_vid apply(const cop_param *p, const options *a, bool decoupled)
{
	if (cop__learns_any(p)) return learnt(p, a, decoupled);
	cop_vid lr = cop__param_lr(p), step = cop__param_step(p), m = cop__param_state(p, 0), v = cop__param_state(p, 1);
	cop_adam_attr attr = {a->b1, a->b2, a->eps, cop__param_decay(p, a->decay), decoupled};

	return cop__apply(p->g, OP_adam, &attr, VIDS(p->w, p->dw, lr, step, m, v));
}

static cop_vid adam(const cop_param *p, const void *o) { return apply(p, o, false); }
static cop_vid adamw(const cop_param *p, const void *o) { return apply(p, o, true); }

#define LEARNS {{.name = "lr"}, {"b1", offsetof(options, b1), COP_AS_TANH}, {"b2", offsetof(options, b2), COP_AS_TANH}}

const cop_update cop_update_adam = {
	.row = {"adam", "moves by the mean gradient over the root of its mean square", "Kingma and Ba 2015, arXiv 1412.6980", adam_table, sizeof(options)},
	.state = {"adam.m", "adam.v"}, .build = adam, .learns = LEARNS, .own_size = true};
const cop_update cop_update_adamw = {
	.row = {"adamw", "adam with weight decay apart from the gradient", "Loshchilov and Hutter 2019, arXiv 1711.05101", adamw_table, sizeof(options)},
	.state = {"adam.m", "adam.v"}, .build = adamw, .learns = LEARNS, .own_size = true};
