/* SPDX-License-Identifier: Apache-2.0
 *
 * qsgd - gradient descent on the integers of int8 layers: w -= lr dw / scale^2, rounded (Lin et al. 2022, arXiv 2206.15472, section 3.1). What is
 * float in the network, a new last layer say, takes plain steps.
 */
#include "op/qtrain.h"
#include "train/build.h"

typedef struct options { int32_t round; bool scaling; } options;

static const cop_option table[] = {
	COP_OPT_WORD(options, round, "nearest|stochastic|truncate", "stochastic",
		"how an integer moves by less than a step: to the nearest, which loses small moves; by chance, right in the mean; or cut as C does it"),
	COP_OPT_FLAG(options, scaling, "yes", "whether gradients are brought to the scale of the floats that the integers stand for"),
	COP_OPT_END,
};

/* Of each row: what its gradient is multiplied by. */
static cop_vid factors(const cop_param *p, bool scaling)
{
	cop_vid per = cop__follower(p->g, p->w, "per");
	cop_type t = cop__type(COP_F32, 1, cop__t(p->g, p->w)->dim);
	char name[32];

	if (!per) return cop__error(p->g->cx, COP_ARG, "training: '%s' has no scales: the pass trainable gives them", p->g->value[p->w].name), 0;
	if (scaling) return per;
	cop__format(name, sizeof name, "update.ones%d", t.dim[0]);
	cop_vid v = cop__find(p->g, name);
	float *one = v ? NULL : cop__arena_get(&p->g->mem, sizeof *one * (size_t)t.dim[0]);
	for (int32_t i = 0; one && i < t.dim[0]; i++) one[i] = 1;
	return v || !one ? v : cop__data(p->g, COP_CONST, name, &t, one);
}

/* The node that only gives a gradient, or 0. */
static cop_nid maker(const cop_graph *g, cop_vid dw)
{
	cop_nid n = g->value[dw].producer;
	return n && g->node[n].op == OP_qconv_dw && !g->node[n].guard ? n : 0;
}

/* That of this int8 weight's: the two are done as one then. Of errors as bytes it is multiplied by their unit. */
static cop_nid made_with(const cop_param *p, cop_vid *unit)
{
	const cop_nid n = maker(p->g, p->dw), times = p->g->value[p->dw].producer;
	const bool bytes = !n && times && p->g->node[times].op == OP_mul && !p->g->node[times].guard;
	const cop_nid m = bytes ? maker(p->g, cop__arg(p->g, times, 0)) : n;

	if (bytes && (!m || cop__in(p->g, m, 0)->dtype != COP_I8)) return 0;
	*unit = bytes ? cop__arg(p->g, times, 1) : 0;
	return m;
}

static cop_vid move(const cop_param *p, const options *o)
{
	cop_graph *g = p->g;
	cop_vid lr = cop__param_lr(p), per = factors(p, o->scaling), step = o->round == COP_Q_STOCHASTIC ? cop__param_step(p) : 0, unit;
	const int32_t seed = (int32_t)(cop__hash_text(g->value[p->w].name) & 0x7fffffff);
	cop_nid n = made_with(p, &unit);

	if (!per) return 0;
	if (!n) return cop__apply(g, OP_qstep, &(cop_qstep_attr){o->round, seed}, VIDS(p->w, p->dw, lr, per, step));
	cop_qconv_step_attr a = {.round = o->round, .seed = seed};
	memcpy(&a.w, g->node[n].attr, sizeof a.w);
	return cop__apply(g, OP_qconv_step, &a, unit ? 7 : 6, (const cop_vid[]){p->w, cop__arg(g, n, 0), cop__arg(g, n, 1), lr, per, step, unit});
}

static cop_vid build(const cop_param *p, const void *o)
{
	static const cop_sgd_attr plain = {0, 0, 0};

	if (cop__t(p->g, p->w)->dtype != COP_F32) return move(p, o);
	return cop__apply(p->g, OP_sgd, &plain, VIDS(p->w, p->dw, cop__param_lr(p), 0, cop__follower(p->g, p->w, "rows")));
}

const cop_update cop_update_qsgd = {
	.row = {"qsgd", "gradient descent on int8 weights", "Lin et al. 2022, arXiv 2206.15472", table, sizeof(options)}, .integers = true, .build = build};
