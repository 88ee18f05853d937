/* SPDX-License-Identifier: Apache-2.0
 *
 * palette - shared weights while they are trained (Han 2016, section 3): w[i] = codebook[codes[i]]; the gradient of an
 * entry is the sum over the weights that use it. With `zero`, entry 0 stands for pruned weights and has none.
 */
#include "op/axes.h"

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, 1));
	COP_TRY(cop__need(g, n, 1, COP_U8, -1));
	if (cop__in(g, n, 0)->dim[0] > 256)
		return cop__fail(
		        g, COP_SHAPE, n, "a codebook has at most 256 entries, got %d", cop__in(g, n, 0)->dim[0]);
	const cop_type *codes = cop__in(g, n, 1);
	return cop__set_out(g, n, 0, COP_F32, codes->rank, codes->dim);
}

typedef struct grad_attr {
	int32_t zero, levels;
} grad_attr;

static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	COP_ATTR(cop_palette_attr, a, g, n);
	grad_attr b = {a.zero, cop__in(g, n, 0)->dim[0]};
	return cop__grad_put(
	        d, cop__arg(g, n, 0), OP_palette_grad, &b, VIDS(cop__grad_of(d, cop__res(g, n, 0)), cop__arg(g, n, 1)));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	k[TK_COUNT] = cop__count32(cop__in(g, n, 1));
	k[TK_LEVELS] = g->node[n].op == OP_palette ? cop__in(g, n, 0)->dim[0] : cop__outt(g, n, 0)->dim[0];
	k[TK_ZERO] = g->node[n].attr[0];
	return TK_WORDS;
}

static const int32_t form[][3] = {{1, 1, 2}, {5, 7, 4}, {17, 33, 32}, {50, 20, 256}}; /* rows, columns, levels */

static cop_vid codes(cop_graph *g, int which)
{
	cop_type t = cop__type(COP_U8, 2, form[which]);
	return cop__input(g, "codes", &t);
}

static cop_nid sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_palette, &(cop_palette_attr){0},
	        VIDS(cop__sample_input(g, "codebook", 1, form[which] + 2), codes(g, which)));
}

const cop_op cop_op_palette = {
	.name = "palette", .attrs = "zero:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer, .grad = grad, .words = words, .sample = sample,
};

static cop_status grad_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(grad_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_U8, -1));
	if (a.levels < 1 || a.levels > 256)
		return cop__fail(g, COP_ARG, n, "a codebook has 1 to 256 entries, got %d", a.levels);
	if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "gradient and codes have different shapes");
	return cop__set_out(g, n, 0, COP_F32, 1, &a.levels);
}

static cop_nid grad_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_palette_grad, &(grad_attr){which % 2, form[which][2]},
	        VIDS(cop__sample_input(g, "dw", 2, form[which]), codes(g, which)));
}

const cop_op cop_op_palette_grad = {
	.name = "palette_grad", .attrs = "zero:i levels:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = grad_infer, .words = words, .sample = grad_sample,
};
