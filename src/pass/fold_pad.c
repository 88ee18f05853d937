/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_pad - a border of zeros that only a convolution reads becomes that convolution's padding; exact. For int8 the border
 * must hold the convolution's zx, which is what its padding reads. Average pools count cells, so they keep their pads.
 */
#include "pass/pass.h"

static int32_t conv_zero(const cop_graph *g, cop_nid n)
{
	if (g->node[n].op != OP_qconv) return 0;
	COP_ATTR(cop_qconv_attr, q, g, n);
	return q.zx;
}

/* The pad before convolution n whose border can go, or 0. */
static cop_nid border(const cop_graph *g, cop_nid n)
{
	cop_nid p = g->value[cop__arg(g, n, 0)].producer;

	if ((g->node[n].op != OP_conv && g->node[n].op != OP_qconv) || !p || g->node[p].op != OP_pad || g->node[p].guard) return 0;
	COP_ATTR(cop_pad_attr, b, g, p);
	if (b.before[0] || b.after[0] || b.before[3] || b.after[3] || b.value != (float)conv_zero(g, n)) return 0;
	for (int i = sizeof b / sizeof(int32_t); i < cop__attr_words(cop__op(g, p)); i++) /* a word behind the value is the mode, 0 for a constant */
		if (g->node[p].attr[i]) return 0;
	return p;
}

static cop_status fold(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	cop_nid p = border(g, n);
	cop_node d = g->node[n];

	if (!p) return cop__copy_node(out, g, map, n);
	COP_ATTR(cop_pad_attr, b, g, p);
	int32_t *pads = &d.attr[offsetof(cop_conv_attr, pt) / sizeof(int32_t)]; /* pt pl pb pr, at the same place in both */
	pads[0] += b.before[1], pads[1] += b.before[2], pads[2] += b.after[1], pads[3] += b.after[2];
	d.in[0] = cop__arg(g, p, 0);
	return cop__copy_as(out, g, map, n, &d);
}

cop_status cop__pass_fold_pad(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t n = 1; !st && n <= g->n_node; n++) st = fold(*out, g, map, (cop_nid)n);
	if (!st) st = cop__copy_rest(*out, g, map);
	if (!st) { /* pads that nobody reads any more */
		cop_graph *padded = *out;
		st = cop__pass_dce(out, padded);
		cop_graph_free(padded);
		return st;
	}
	return cop__pass_end(out, st);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_fold_pad(out, g);
}

const cop_pass cop_pass_fold_pad = {COP_ROW("fold_pad", "turns borders of zeros into the padding of the convolutions that read them; exact"), run};
