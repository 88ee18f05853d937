/* SPDX-License-Identifier: Apache-2.0
 *
 * clip, sigmoid, tanh, gelu, hswish and their gradients - functions of one element.
 * clip is every ReLU: relu is lo=0 hi=inf, relu6 is 0..6. gelu is the exact form, x (1 + erf(x / sqrt 2)) / 2.
 * A gradient reads what costs least to keep: the result (clip, sigmoid, tanh) or the input (gelu, hswish).
 */
#include "op/axes.h"

static cop_status infer_f(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_status infer_grad(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_F32, -1));
	if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "the gradient and the value it belongs to differ in shape");
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_status check_bounds(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_act_attr, act, g, n);

	if (act.lo <= act.hi) return COP_OK;
	return cop__fail(g, COP_ARG, n, "lo is %g, must be at most hi, which is %g", act.lo, act.hi);
}

static cop_status infer_clip(cop_graph *g, cop_nid n)
{
	COP_TRY(check_bounds(g, n));
	return infer_f(g, n);
}

static cop_status infer_clip_grad(cop_graph *g, cop_nid n)
{
	COP_TRY(check_bounds(g, n));
	return infer_grad(g, n);
}

static int words_f(const cop_graph *g, cop_nid n, int32_t *k)
{
	k[UK_COUNT] = cop__count32(cop__in(g, n, 0));
	k[UK_LO] = cop__bits(COP_NO_LO);
	k[UK_HI] = cop__bits(COP_NO_HI);
	return UK_WORDS;
}

static int words_clip(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_act_attr, act, g, n);

	words_f(g, n, k);
	k[UK_LO] = cop__bits(act.lo);
	k[UK_HI] = cop__bits(act.hi);
	return UK_WORDS;
}

/* op_grad(dy, kept) with the forward's attributes (none but clip's). */
static cop_status put(cop_grad *d, cop_nid n, int op, cop_vid kept)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_act_attr, act, g, n);

	return dy ? cop__grad_put(d, x, op, &act, VIDS(dy, kept)) : g->cx->code;
}

static cop_nid sample(cop_graph *g, int op, int n_in, int which)
{
	static const struct { int32_t rank, dim[4]; cop_act_attr act; } form[] = {
		{1, {1}, {0, COP_NO_HI}},
		{2, {3, 7}, {-0.5f, 0.4f}},
		{4, {2, 3, 5, 7}, {COP_NO_LO, 0.3f}},
		{3, {1, 17, 33}, {0, 6}},
		{2, {4, 16}, {COP_NO_LO, COP_NO_HI}},
	};
	if (which >= LEN(form)) return 0;
	cop_vid in[2] = {cop__sample_input(g, n_in == 2 ? "dy" : "x", form[which].rank, form[which].dim), 0};
	if (n_in == 2) in[1] = cop__sample_input(g, "kept", form[which].rank, form[which].dim);
	return cop__node(g, op, &form[which].act, n_in, in);
}

#define FLAGS (COP_OP_PURE | COP_OP_INPLACE | COP_OP_ELTWISE)

/* KEPT: what the gradient reads, cop__res for the result or cop__arg for the input. */
#define UNARY(NAME, KEPT, ATTRS, INFER, INFER_GRAD, WORDS, MORE)                                           \
	static cop_status grad_##NAME(cop_grad *d, cop_nid n)                                              \
	{                                                                                                  \
		return put(d, n, OP_##NAME##_grad, KEPT(cop__grad_graph(d), n, 0));                        \
	}                                                                                                  \
	static cop_nid sample_##NAME(cop_graph *g, int which) { return sample(g, OP_##NAME, 1, which); }   \
	static cop_nid sample_##NAME##_grad(cop_graph *g, int which)                                       \
	{                                                                                                  \
		return sample(g, OP_##NAME##_grad, 2, which);                                              \
	}                                                                                                  \
	const cop_op cop_op_##NAME = {                                                                     \
		.name = #NAME, .attrs = ATTRS, .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1, .flags = FLAGS | (MORE), \
		.infer = INFER, .grad = grad_##NAME, .links = cop__links_eltwise, .words = WORDS, .sample = sample_##NAME, \
	};                                                                                                 \
	const cop_op cop_op_##NAME##_grad = {                                                              \
		.name = #NAME "_grad", .attrs = ATTRS, .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = FLAGS, \
		.infer = INFER_GRAD, .links = cop__links_eltwise, .words = WORDS, .sample = sample_##NAME##_grad, \
	};
UNARY(clip, cop__res, "lo:f hi:f", infer_clip, infer_clip_grad, words_clip, COP_OP_ACT)
UNARY(sigmoid, cop__res, "", infer_f, infer_grad, words_f, 0)
UNARY(tanh, cop__res, "", infer_f, infer_grad, words_f, 0)
UNARY(gelu, cop__arg, "", infer_f, infer_grad, words_f, 0)
UNARY(hswish, cop__arg, "", infer_f, infer_grad, words_f, 0)
