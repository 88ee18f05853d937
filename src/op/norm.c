/* SPDX-License-Identifier: Apache-2.0
 *
 * layernorm - rows of the last axis with mean 0 and variance 1, scaled and shifted; rms: only scaled. Group and
 * instance normalisation are this one on another shape. lrn - each channel against its neighbours, channels last.
 */
#include "op/axes.h"

#include <stdio.h>

static cop_status infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	if (x->rank < 1) return cop__fail(g, COP_SHAPE, n, "needs at least one dimension");
	for (int i = 1; i < 3; i++) {
		if (!cop__arg(g, n, i)) continue;
		COP_TRY(cop__need(g, n, i, COP_F32, 1));
		if (cop__in(g, n, i)->dim[0] != x->dim[x->rank - 1])
			return cop__fail(g, COP_SHAPE, n, "input %d has %d entries for rows of %d", i, cop__in(g, n, i)->dim[0],
				x->dim[x->rank - 1]);
	}
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_layernorm_attr, a, g, n);

	k[LN_C] = x->dim[x->rank - 1];
	k[LN_ROWS] = cop__count32(x) / k[LN_C];
	k[LN_EPS] = cop__bits(a.eps);
	k[LN_RMS] = a.rms;
	return LN_WORDS;
}

/* The last axis is one thing; the others are many of it. */
static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = 0;

	for (int i = 0; i + 1 < cop__in(g, n, 0)->rank; i++)
		at += cop__link_axis(l, at, max, g, cop__arg(g, n, 0), i, cop__res(g, n, 0), i);
	return at;
}

static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};
static cop_vid two(cop_graph *g, int op, cop_vid a, cop_vid b) { return cop__apply(g, op, &plain, VIDS(a, b)); }

/* The mean over the last axis, which stays. */
static cop_vid mean(cop_graph *g, cop_vid x)
{
	return x ? cop__apply(g, OP_reduce, &(cop_reduce_attr){REDUCE_MEAN, 1 << (cop__t(g, x)->rank - 1), 1}, VIDS(x)) : 0;
}

static cop_vid deviation(cop_graph *g, cop_vid low, float eps)
{
	char name[40];

	cop__format(name, sizeof name, "grad.eps.%.9g", (double)eps);
	return cop__apply(g, OP_map, &(cop_map_attr){MAP_SQRT, 0, 0},
		VIDS(two(g, OP_add, mean(g, two(g, OP_mul, low, low)), cop__scalar(g, name, eps))));
}

/* With s the deviation, n = (x - mean) / s and d = dy gamma: dx = (d - mean d - n mean(d n)) / s, without mean d for
 * rms. */
static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), gamma = cop__arg(g, n, 1), dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_layernorm_attr, a, g, n);

	if (!dy) return g->cx->code;
	cop_shape_attr row = {1, {cop__t(g, x)->dim[cop__t(g, x)->rank - 1]}};
	cop_vid low = a.rms ? x : two(g, OP_sub, x, mean(g, x)), s = deviation(g, low, a.eps), norm = two(g, OP_div, low, s);
	if (!norm) return g->cx->code;
	COP_TRY(cop__grad_put(d, gamma, OP_sum_to, &row, VIDS(two(g, OP_mul, dy, norm))));
	COP_TRY(cop__grad_put(d, cop__arg(g, n, 2), OP_sum_to, &row, VIDS(dy)));
	if (!cop__grad_wanted(d, x)) return COP_OK;
	cop_vid t = gamma ? two(g, OP_mul, dy, gamma) : dy, part = two(g, OP_mul, norm, mean(g, two(g, OP_mul, t, norm)));
	if (!a.rms) t = two(g, OP_sub, t, mean(g, t));
	return cop__grad_put(d, x, OP_div, &plain, VIDS(two(g, OP_sub, t, part), s));
}

static cop_nid sample(cop_graph *g, int which)
{
	static const struct { int32_t rank, dim[3], n; cop_layernorm_attr a; } form[] = {
		{2, {3, 7}, 3, {1e-5f, 0}}, {3, {2, 3, 33}, 1, {1e-5f, 0}}, {2, {5, 64}, 2, {1e-3f, 1}}, {1, {9}, 1, {1e-5f, 1}},
		{2, {4, 17}, 3, {1e-5f, 1}}};
	if (which >= LEN(form)) return 0;
	const int32_t *c = &form[which].dim[form[which].rank - 1];
	cop_vid x = cop__sample_input(g, "x", form[which].rank, form[which].dim),
		gamma = form[which].n > 1 ? cop__sample_input(g, "gamma", 1, c) : 0;
	cop_vid beta = form[which].n > 2 ? cop__sample_input(g, "beta", 1, c) : 0;
	return cop__node(g, OP_layernorm, &form[which].a, form[which].n, (const cop_vid[]){x, gamma, beta});
}

const cop_op cop_op_layernorm = {
	.name = "layernorm", .attrs = "eps:f rms:i", .min_in = 1, .max_in = 3, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE,
	.infer = infer, .grad = grad, .links = links, .words = words, .sample = sample,
};

static cop_status lrn_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_lrn_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	if (cop__in(g, n, 0)->rank < 1 || a.size < 1) return cop__fail(g, COP_ARG, n, "size %d must be positive", a.size);
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static int lrn_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_lrn_attr, a, g, n);
	const int32_t all[LR_WORDS] = {[LR_ROWS] = cop__count32(x) / x->dim[x->rank - 1], [LR_C] = x->dim[x->rank - 1],
		[LR_SIZE] = a.size, [LR_ALPHA] = cop__bits(a.alpha),
		[LR_BETA] = cop__bits(a.beta), [LR_K] = cop__bits(a.k)};
	memcpy(k, all, sizeof all);
	return LR_WORDS;
}

static cop_nid lrn_sample(cop_graph *g, int which)
{
	static const struct { int32_t dim[4]; cop_lrn_attr a; } form[] = {{{1, 2, 3, 7}, {3, 0.1f, 0.75f, 1}},
		{{2, 1, 1, 4}, {5, 0.2f, 0.5f, 2}}, {{1, 1, 2, 1}, {2, 0.1f, 0.75f, 1}}};
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_lrn, &form[which].a, VIDS(cop__sample_input(g, "x", 4, form[which].dim)));
}

const cop_op cop_op_lrn = {
	.name = "lrn", .attrs = "size:i alpha:f beta:f k:f", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = lrn_infer, .links = links, .words = lrn_words, .sample = lrn_sample,
};
