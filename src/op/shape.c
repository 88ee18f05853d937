/* SPDX-License-Identifier: Apache-2.0
 *
 * reshape, concat - shapes taken apart and put together. reshape is a view and has no kernel.
 * What moves elements about within one operand is in move.c.
 */
#include "op/axes.h"

/* ---- reshape ------------------------------------------------------------------------------ */

static cop_status infer_reshape(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_shape_attr, to, g, n);
	int64_t known = 1, count = cop_type_count(x);
	int open = -1;

	if (x->enc != COP_DENSE) return cop__fail(g, COP_ARG, n, "an encoded value cannot be reshaped");
	if (to.rank < 0 || to.rank > COP_MAX_DIM)
		return cop__fail(g, COP_SHAPE, n, "to %d dimensions, at most %d are supported", to.rank, COP_MAX_DIM);
	for (int i = 0; i < to.rank; i++) {
		if (to.dim[i] == 0 && i < x->rank) to.dim[i] = x->dim[i];
		if (to.dim[i] == -1 && open < 0) {
			open = i;
			continue;
		}
		if (to.dim[i] <= 0 || (known *= to.dim[i]) > INT32_MAX)
			return cop__fail(g, COP_SHAPE, n, "dimension %d is %d: must be positive, 0 to copy or one -1", i, to.dim[i]);
	}
	if (open >= 0) to.dim[open] = count % known ? 0 : (int32_t)(count / known);
	if (cop__dtype_bits(x->dtype) < 8 && (!x->rank || !to.rank || x->dim[x->rank - 1] != to.dim[to.rank - 1]))
		return cop__fail(g, COP_SHAPE, n, "rows of %s begin at a byte, so their length must stay", cop__dtype_text(x->dtype));
	if (open >= 0 ? !to.dim[open] : known != count)
		return cop__fail(g, COP_SHAPE, n, "%lld elements do not fill a shape of %lld", (long long)count, (long long)known);
	return cop__set_out(g, n, 0, x->dtype, to.rank, to.dim);
}

static cop_status grad_reshape(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	cop_shape_attr back = {.rank = cop__t(g, x)->rank};

	memcpy(back.dim, cop__t(g, x)->dim, sizeof back.dim);
	return dy ? cop__grad_put(d, x, OP_reshape, &back, VIDS(dy)) : g->cx->code;
}

/* Several axes on one side, one on the other: index j of that is (j / inner) mod length of one of them, where inner is
 * the product of the lengths behind it. A flattened picture [h,w,c] is cut by channels, which are the last, [c,h,w] by
 * the first, and heads side by side [head,d] by either; what else there is in the network decides. */
static int link_factors(cop_link *l, int at, int max, const cop_graph *g, cop_vid many, int from, int to, cop_vid one,
	int ax)
{
	const cop_type *t = cop__t(g, many);
	int32_t inner = cop__t(g, one)->dim[ax];
	int first = at, sole = from, n = 0;

	for (int i = from; i < to; i++)
		if (t->dim[i] > 1) sole = i, n++;
	for (int i = from; i < to; i++) {
		inner /= t->dim[i];
		if ((i != sole && t->dim[i] == 1) || !cop__link_axis(l, at, max, g, many, i, one, ax)) continue;
		l[at].div = inner;
		l[at].mod = t->dim[i];
		l[at++].alt = (int8_t)(n > 1 ? first + 1 : 0);
	}
	return at;
}

/* Walks both shapes at once, in the smallest groups of axes with equal products. */
static int links_reshape(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);
	const cop_type *tx = cop__t(g, x), *ty = cop__t(g, y);
	int at = 0, i = 0, j = 0;

	while (i < tx->rank && j < ty->rank) {
		int i0 = i, j0 = j;
		int64_t a = tx->dim[i++], b = ty->dim[j++];
		while (a != b && (a < b ? i < tx->rank : j < ty->rank)) {
			if (a < b) a *= tx->dim[i++];
			else b *= ty->dim[j++];
		}
		if (a != b) break;
		while (i < tx->rank && tx->dim[i] == 1) i++; /* units belong to no group of their own */
		while (j < ty->rank && ty->dim[j] == 1) j++;
		int sole_x = i0, sole_y = j0, nx = 0, ny = 0;
		for (int k = i0; k < i; k++)
			if (tx->dim[k] > 1) sole_x = k, nx++;
		for (int k = j0; k < j; k++)
			if (ty->dim[k] > 1) sole_y = k, ny++;
		if (ny <= 1) at = link_factors(l, at, max, g, x, i0, i, y, sole_y);
		else if (nx == 1) at = link_factors(l, at, max, g, y, j0, j, x, sole_x);
	}
	return at;
}

static cop_nid sample_reshape(cop_graph *g, int which)
{
	static const struct { int32_t rank, dim[4]; cop_shape_attr to; } form[] = {
		{4, {2, 3, 5, 4}, {2, {0, -1}}},
		{2, {2, 60}, {4, {0, 3, 5, 4}}},
		{2, {3, 7}, {4, {3, 1, 1, 7}}},
		{4, {3, 1, 1, 7}, {2, {3, 7}}},
		{3, {4, 3, 2}, {2, {6, 4}}},
		{1, {1}, {2, {-1, 1}}},
	};
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_reshape, &form[which].to, VIDS(cop__sample_input(g, "x", form[which].rank, form[which].dim)));
}

const cop_op cop_op_reshape = {
	.name = "reshape", .attrs = "rank:i dim:i6", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_VIEW,
	.infer = infer_reshape, .grad = grad_reshape, .cost = cop__cost_none, .links = links_reshape, .sample = sample_reshape,
};

/* ---- concat ------------------------------------------------------------------------------------------ */

static cop_status infer_concat(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	int32_t dim[COP_MAX_DIM];
	int64_t total = 0;
	COP_ATTR(cop_concat_attr, c, g, n);

	COP_TRY(cop__movable(g, n));
	if (c.axis < 0 || c.axis >= x->rank) return cop__fail(g, COP_ARG, n, "axis %d of %d dimensions", c.axis, x->rank);
	memcpy(dim, x->dim, sizeof dim);
	for (int j = 0; j < g->node[n].n_in; j++) {
		COP_TRY(cop__need(g, n, j, x->dtype, x->rank));
		total += cop__in(g, n, j)->dim[c.axis];
		for (int i = 0; i < x->rank; i++)
			if (i != c.axis && cop__in(g, n, j)->dim[i] != dim[i])
				return cop__fail(g, COP_SHAPE, n, "axis %d has length %d in input %d and %d in the first", i,
					cop__in(g, n, j)->dim[i], j, dim[i]);
	}
	if (total > INT32_MAX) return cop__fail(g, COP_SHAPE, n, "axis %d gets too long", c.axis);
	dim[c.axis] = (int32_t)total;
	return cop__set_out(g, n, 0, x->dtype, x->rank, dim);
}

static int words_concat(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *y = cop__outt(g, n, 0);
	int32_t inner = 1;
	COP_ATTR(cop_concat_attr, c, g, n);

	memset(k, 0, JK_WORDS * sizeof *k);
	k[JK_OUTER] = 1;
	k[JK_N] = g->node[n].n_in;
	for (int i = 0; i < c.axis; i++) k[JK_OUTER] *= y->dim[i];
	for (int i = c.axis + 1; i < y->rank; i++) inner *= y->dim[i];
	for (int j = 0; j < g->node[n].n_in; j++) k[JK_LEN + j] = cop__in(g, n, j)->dim[c.axis] * inner;
	return JK_WORDS;
}

static cop_status grad_concat(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid dy = cop__grad_of(d, cop__res(g, n, 0));
	cop_slice_attr s = {0};
	COP_ATTR(cop_concat_attr, c, g, n);

	if (!dy) return g->cx->code;
	for (int j = 0, n_in = g->node[n].n_in; j < n_in; j++) {
		cop_vid x = cop__arg(g, n, j);
		s.size[c.axis] = cop__t(g, x)->dim[c.axis];
		COP_TRY(cop__grad_put(d, x, OP_slice, &s, VIDS(dy)));
		s.from[c.axis] += s.size[c.axis];
	}
	return COP_OK;
}

static int links_concat(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	cop_vid y = cop__res(g, n, 0);
	int32_t off = 0;
	int at = 0;
	COP_ATTR(cop_concat_attr, c, g, n);

	for (int j = 0; j < g->node[n].n_in; j++) {
		cop_vid x = cop__arg(g, n, j);
		int32_t len = cop__t(g, x)->dim[c.axis];
		for (int i = 0; i < cop__t(g, x)->rank; i++) {
			if (!cop__link_axis(l, at, max, g, x, i, y, i)) return at;
			if (i == c.axis) l[at].off = l[at].lo = off, l[at].mod = len, l[at].hi = off + len;
			at++;
		}
		off += len;
	}
	return at;
}

static cop_nid sample_concat(cop_graph *g, int which)
{
	static const struct { int32_t axis, n, rank, dim[4], len[4]; } form[] = {
		{0, 1, 1, {3}, {3}},
		{1, 2, 2, {3, 0}, {4, 7}},
		{3, 3, 4, {2, 3, 5, 0}, {4, 1, 9}},
		{1, 2, 4, {2, 0, 3, 4}, {5, 2}},
		{0, 4, 2, {0, 5}, {1, 2, 3, 4}},
	};
	static const char *const name[] = {"x0", "x1", "x2", "x3"};
	static const cop_dtype format[] = {COP_F32, COP_I8, COP_I32, COP_I16};
	cop_vid in[4];

	if (which >= LEN(format) * LEN(form)) return 0;
	cop_type t = cop__type(format[which / LEN(form)], 0, NULL);
	which %= LEN(form);
	t.rank = form[which].rank;
	for (int j = 0; j < form[which].n; j++) {
		memcpy(t.dim, form[which].dim, sizeof form[which].dim);
		t.dim[form[which].axis] = form[which].len[j];
		in[j] = cop__input(g, name[j], &t);
	}
	return cop__node(g, OP_concat, &form[which].axis, form[which].n, in);
}

const cop_op cop_op_concat = {
	.name = "concat", .attrs = "axis:i", .min_in = 1, .max_in = COP_MAX_IN, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer_concat, .grad = grad_concat, .cost = cop__cost_none, .links = links_concat, .words = words_concat,
	.sample = sample_concat,
};
