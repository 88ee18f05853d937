/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce - sum, mean, extreme (of I8 too) or product along axes, named by a mask; keep: they stay, with length 1.
 * argmax - where along one axis the largest is, as I32.
 */
#include "op/axes.h"

#include <stdio.h>

/* The shape with the axes of length 1; returns how many elements go into each. */
static int32_t reduced(const cop_type *x, const cop_reduce_attr *a, int32_t *dim)
{
	int32_t of = 1;

	for (int i = 0; i < x->rank; i++) {
		bool gone = a->axes >> i & 1;
		dim[i] = gone ? 1 : x->dim[i];
		of *= gone ? x->dim[i] : 1;
	}
	return of;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	int32_t full[COP_MAX_DIM], dim[COP_MAX_DIM], rank = 0;
	COP_ATTR(cop_reduce_attr, a, g, n);

	bool extreme = a.fn == REDUCE_MAX || a.fn == REDUCE_MIN, fits = (x->dtype == COP_I32 && a.fn != REDUCE_MEAN) ||
		((x->dtype == COP_I8 || x->dtype == COP_I16) && extreme);
	COP_TRY(cop__need(g, n, 0, fits ? x->dtype : COP_F32, -1));
	if (a.fn < REDUCE_SUM || a.fn > REDUCE_PROD)
		return cop__fail(g, COP_ARG, n, "function %d is unknown, 0 to %d are there", a.fn, REDUCE_PROD);
	if (a.axes < 0 || a.axes >> x->rank)
		return cop__fail(g, COP_ARG, n, "the axes %d do not fit %d dimensions", a.axes, x->rank);
	(void)reduced(x, &a, full);
	for (int i = 0; i < x->rank; i++)
		if (a.keep || !(a.axes >> i & 1)) dim[rank++] = full[i];
	return cop__set_out(g, n, 0, x->dtype, rank, dim);
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0);
	int32_t sx[COP_MAX_DIM], full[COP_MAX_DIM];
	COP_ATTR(cop_reduce_attr, a, g, n);

	memset(k, 0, RK_REDUCE_WORDS * sizeof *k);
	memcpy(k + RK_DIM, x->dim, sizeof x->dim);
	k[RK_OF] = reduced(x, &a, full);
	cop_type y = cop__type(x->dtype, x->rank, full);
	cop__strides(sx, x->rank, x->dim);
	cop__broadcast_strides(k + RK_SB, &y, x->rank, x->dim);
	k[RK_RANK] = cop__merge_axes(x->rank, k + RK_DIM, sx, k + RK_SB);
	k[RK_COUNT] = cop__count32(&y);
	k[RK_FN] = a.fn;
	return RK_REDUCE_WORDS;
}

/* dx repeats dy; of a mean, its share. Extremes and products are not trained through. */
static cop_status grad(cop_grad *d, cop_nid n)
{
	static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_reduce_attr, a, g, n);
	cop_shape_attr full = {.rank = cop__t(g, x)->rank}, to = full;

	if (!dy || a.fn > REDUCE_MEAN) return g->cx->code;
	int32_t of = reduced(cop__t(g, x), &a, full.dim);
	memcpy(to.dim, cop__t(g, x)->dim, sizeof to.dim);
	dy = cop__apply(g, OP_reshape, &full, VIDS(dy));
	if (a.fn == REDUCE_MEAN) {
		char name[40];
		snprintf(name, sizeof name, "grad.share.%d", of);
		dy = cop__apply(g, OP_mul, &plain, VIDS(dy, cop__scalar(g, name, 1 / (float)of)));
	}
	return cop__grad_put(d, x, OP_expand, &to, VIDS(dy));
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = 0;
	COP_ATTR(cop_reduce_attr, a, g, n);

	for (int i = 0, to = 0; i < cop__in(g, n, 0)->rank; i++) {
		bool gone = a.axes >> i & 1;
		if (!gone) at += cop__link_axis(l, at, max, g, cop__arg(g, n, 0), i, cop__res(g, n, 0), to);
		to += !gone || a.keep;
	}
	return at;
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c) { c->flop = cop_type_count(cop__in(g, n, 0)); }

static cop_nid sample(cop_graph *g, int which)
{
	static const struct { int32_t rank, dim[4]; cop_reduce_attr a; } form[] = {
		{1, {5}, {REDUCE_SUM, 1, 0}}, {2, {7, 33}, {REDUCE_MEAN, 1, 1}}, {2, {7, 33}, {REDUCE_MEAN, 2, 0}},
		{4, {2, 3, 5, 4}, {REDUCE_MEAN, 6, 1}},
		{4, {2, 3, 5, 4}, {REDUCE_SUM, 10, 0}}, {4, {2, 3, 5, 4}, {REDUCE_MAX, 9, 1}}, {3, {2, 3, 4}, {REDUCE_MIN, 7, 0}},
		{3, {2, 3, 4}, {REDUCE_PROD, 4, 1}},
		{3, {2, 3, 4}, {REDUCE_SUM, 0, 1}},
	};
	static const cop_dtype format[] = {COP_F32, COP_I32, COP_I8, COP_I16};
	int i = which % LEN(form);

	if (which >= LEN(format) * LEN(form)) return 0;
	cop_reduce_attr a = form[i].a;
	cop_type t = cop__type(format[which / LEN(form)], form[i].rank, form[i].dim);
	if (t.dtype == COP_I32 && a.fn == REDUCE_MEAN) a.fn = REDUCE_MAX;
	if (t.dtype == COP_I8 || t.dtype == COP_I16) a.fn = i % 2 ? REDUCE_MAX : REDUCE_MIN;
	return cop__node(g, OP_reduce, &a, VIDS(cop__input(g, "x", &t)));
}

const cop_op cop_op_reduce = {
	.name = "reduce", .attrs = "fn:i axes:i keep:i", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer, .grad = grad, .links = links, .cost = cost, .words = words, .sample = sample,
};

/* ---- argmax ---- */

static cop_status argmax_infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	int32_t dim[COP_MAX_DIM], rank = 0;
	COP_ATTR(cop_argmax_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	if (a.axis < 0 || a.axis >= x->rank) return cop__fail(g, COP_ARG, n, "axis %d of %d dimensions", a.axis, x->rank);
	for (int i = 0; i < x->rank; i++)
		if (a.keep || i != a.axis) dim[rank++] = i == a.axis ? 1 : x->dim[i];
	return cop__set_out(g, n, 0, COP_I32, rank, dim);
}

static int argmax_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_argmax_attr, a, g, n);
	cop__around(cop__in(g, n, 0), a.axis, &k[IK_OUTER], &k[IK_INNER]);
	k[IK_N] = cop__in(g, n, 0)->dim[a.axis];
	k[IK_LAST] = a.last;
	return IK_WORDS;
}

static cop_nid argmax_sample(cop_graph *g, int which)
{
	static const struct { int32_t rank, dim[3]; cop_argmax_attr a;
		} form[] = {{1, {9}, {0, 0, 0}}, {2, {5, 10}, {1, 1, 0}}, {3, {2, 7, 3}, {1, 0, 1}}};
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_argmax, &form[which].a, VIDS(cop__sample_input(g, "x", form[which].rank, form[which].dim)));
}

const cop_op cop_op_argmax = {
	.name = "argmax", .attrs = "axis:i keep:i last:i", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = argmax_infer, .cost = cost, .words = argmax_words, .sample = argmax_sample,
};
