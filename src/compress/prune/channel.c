/* SPDX-License-Identifier: Apache-2.0
 *
 * channel - which value a layer's channels are read from: behind its bias, batch norm and activation, as far as nobody else reads what is between.
 */
#include "compress/prune/score.h"

/* The only one. */
static cop_nid reader_of(const cop_graph *g, cop_vid v)
{
	cop_nid found = 0;

	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == v) return 0;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++) {
			if (g->node[n].in[i] != v) continue;
			if (found) return 0;
			found = n;
		}
	return found;
}

static bool bounded(const cop_graph *g, cop_nid n)
{
	float lo = COP_NO_LO, hi = COP_NO_HI;

	if (cop__op(g, n)->flags & COP_OP_ACT) cop__act_get(g, n, &lo, &hi);
	return lo != COP_NO_LO || hi != COP_NO_HI;
}

static bool activates(int op) { return op == OP_clip || op == OP_sigmoid || op == OP_tanh || op == OP_gelu || op == OP_hswish || op == OP_map; }

/* A sum or product with a number for each channel, or batch norm. */
static bool by_channel(const cop_graph *g, cop_nid n)
{
	int op = g->node[n].op;
	return op == OP_bn || op == OP_dropout || ((op == OP_add || op == OP_mul) && g->value[cop__arg(g, n, 1)].role >= COP_CONST);
}

cop_channel cop__channel_of(const cop_graph *g, cop_vid weight)
{
	cop_channel c = {0, 0};
	cop_nid n = reader_of(g, weight);

	if (n && ((g->node[n].op != OP_conv && g->node[n].op != OP_fc) || cop__arg(g, n, 1) != weight)) n = 0;
	while (n) {
		c.out = cop__res(g, n, 0);
		if (g->node[n].op == OP_bn) c.bn = n;
		cop_nid next = bounded(g, n) || activates(g->node[n].op) ? 0 : reader_of(g, c.out);
		n = next && cop__arg(g, next, 0) == c.out && (by_channel(g, next) || activates(g->node[next].op)) &&
			cop__same_shape(cop__t(g, c.out), cop__outt(g, next, 0)) ? next : 0;
	}
	return c;
}
