/* SPDX-License-Identifier: Apache-2.0
 *
 * gate - where a part of a network that may be skipped meets the rest: y = x, or -0 while its guard reads 0. It is the
 * one operator that may read a guarded value without having the guard. x + -0 is x, bit for bit.
 */
#include "op/axes.h"

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_I32, 1));
	if (cop__in(g, n, 1)->dim[0] != 1) return cop__fail(g, COP_SHAPE, n, "the guard must be one number");
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	k[EK_COUNT] = cop__count32(cop__in(g, n, 0));
	return EK_WORDS;
}

/* While it is shut, nobody who has the guard reads the gradient. */
static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid dy = cop__grad_of(d, cop__res(g, n, 0));
	return dy ? cop__grad_add(d, cop__arg(g, n, 0), dy) : g->cx->code;
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	return cop__link_aligned(l, 0, max, g, cop__arg(g, n, 0), cop__res(g, n, 0));
}

static cop_nid sample(cop_graph *g, int which)
{
	static const int32_t form[][2] = {{1, 1}, {5, 33}, {64, 17}};
	cop_type t = cop__type(COP_I32, 1, DIMS(1));
	const int32_t one = 1;

	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_gate, NULL,
		VIDS(cop__sample_input(g, "x", 2, form[which]), cop__data(g, COP_CONST, "open", &t, &one)));
}

const cop_op cop_op_gate = {
	.name = "gate", .attrs = "", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE,
	.infer = infer, .grad = grad, .cost = cop__cost_none, .links = links, .words = words, .sample = sample,
};
