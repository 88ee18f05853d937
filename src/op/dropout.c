/* SPDX-License-Identifier: Apache-2.0
 *
 * dropout - y = x with probability 1-p, scaled by 1/(1-p), else 0. The draw is a hash of (seed, step, node,
 * element): no state is kept, the gradient and a recomputed clone draw the same mask from the same step.
 * It stands in training graphs alone; what derives an inference graph drops it.
 */
#include "op/axes.h"

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_dropout_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_I32, -1));
	if (cop_type_count(cop__in(g, n, 1)) != 1) return cop__fail(g, COP_SHAPE, n, "the step must be one number");
	if (!(a.p >= 0 && a.p < 1)) return cop__fail(g, COP_ARG, n, "p is %g, must be at least 0 and below 1", a.p);
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_dropout_attr, a, g, n);

	k[DK_COUNT] = cop__count32(cop__in(g, n, 0));
	k[DK_P] = cop__bits(a.p);
	k[DK_SEED] = a.seed;
	k[DK_NODE] = a.node;
	return DK_WORDS;
}

static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid dy = cop__grad_of(d, cop__res(g, n, 0)), step = cop__arg(g, n, 1);
	COP_ATTR(cop_dropout_attr, a, g, n);

	return dy ? cop__grad_put(d, cop__arg(g, n, 0), OP_dropout, &a, VIDS(dy, step)) : g->cx->code;
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	return cop__link_aligned(l, 0, max, g, cop__arg(g, n, 0), cop__res(g, n, 0));
}

static cop_nid sample(cop_graph *g, int which)
{
	static const struct { int32_t rank, dim[4]; cop_dropout_attr a; } form[] = {
		{1, {1}, {0.5f, 1, 2}},
		{2, {3, 7}, {0, 7, 0}},
		{4, {2, 3, 5, 7}, {0.25f, -5, 9}},
		{2, {9, 65}, {0.9f, 3, 1}},
	};
	if (which >= LEN(form)) return 0;
	cop_type t = cop__type(COP_I32, 1, DIMS(1));
	cop_vid x = cop__sample_input(g, "x", form[which].rank, form[which].dim);
	return cop__node(g, OP_dropout, &form[which].a, VIDS(x, cop__input(g, "step", &t)));
}

const cop_op cop_op_dropout = {
	.name = "dropout", .attrs = "p:f seed:i node:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE | COP_OP_ELTWISE,
	.infer = infer, .grad = grad, .links = links, .words = words, .sample = sample,
};
