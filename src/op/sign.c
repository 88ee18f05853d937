/* SPDX-License-Identifier: Apache-2.0
 *
 * sign - y = 1 where x >= 0, else -1: activations and weights of one bit. It has a gradient, unlike ONNX's Sign, and no
 * zero: dy goes straight through where |x| <= 1 and stops elsewhere (Courbariaux et al. 2016, arXiv 1602.02830); with
 * `smooth` it is multiplied by 2 - 2 |x|, the slope of a parabola on either side that comes nearer to the step (Liu et
 * al. 2018, arXiv 1808.00278).
 */
#include "op/axes.h"

static cop_status check(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_sign_attr, a, g, n);

	for (int i = 0; i < g->node[n].n_in; i++) COP_TRY(cop__need(g, n, i, COP_F32, -1));
	if (a.smooth & ~1) return cop__fail(g, COP_ARG, n, "smooth=%d must be 0 or 1", a.smooth);
	if (g->node[n].n_in == 2 && !cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "gradient and value have different shapes");
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_TRY(check(g, n));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	COP_ATTR(cop_sign_attr, a, g, n);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));

	return dy ? cop__grad_put(d, x, OP_sign_grad, &a, VIDS(dy, x)) : g->cx->code;
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_sign_attr, a, g, n);

	k[SG_COUNT] = cop__count32(cop__in(g, n, 0));
	k[SG_SMOOTH] = a.smooth;
	k[UK_HI] = 0;
	return SG_WORDS;
}

static const struct {
	int32_t rank, dim[4];
	cop_sign_attr a;
} form[] = {{1, {1}, {0}}, {2, {3, 7}, {1}}, {4, {2, 3, 5, 7}, {0}}, {3, {1, 17, 33}, {1}}, {2, {16, 64}, {0}}};

static cop_nid sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	cop_vid x = cop__sample_input(g, "x", form[which].rank, form[which].dim);
	return cop__node(g, OP_sign, &form[which].a, VIDS(x));
}

static cop_nid grad_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	cop_vid dy = cop__sample_input(g, "dy", form[which].rank, form[which].dim);
	cop_vid x = cop__sample_input(g, "x", form[which].rank, form[which].dim);
	return cop__node(g, OP_sign_grad, &form[which].a, VIDS(dy, x));
}

#define FLAGS (COP_OP_PURE | COP_OP_INPLACE | COP_OP_ELTWISE)
const cop_op cop_op_sign = {
        .name = "sign",
        .attrs = "smooth:i",
        .min_in = 1,
        .max_in = 1,
        .n_out = 1,
        .must_out = 1,
        .flags = FLAGS,
        .infer = infer,
        .grad = grad,
        .links = cop__links_eltwise,
        .words = words,
        .sample = sample,
};
const cop_op cop_op_sign_grad = {
        .name = "sign_grad",
        .attrs = "smooth:i",
        .min_in = 2,
        .max_in = 2,
        .n_out = 1,
        .must_out = 1,
        .flags = FLAGS,
        .infer = infer,
        .links = cop__links_eltwise,
        .words = words,
        .sample = grad_sample,
};
