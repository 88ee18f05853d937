/* SPDX-License-Identifier: Apache-2.0
 *
 * gather - elements along one axis by a list of indices, which takes the axis's place. resample - weighted sums of a
 * few elements along one axis, by tables: every way of resizing. expand - what has length 1 is repeated.
 */
#include "op/axes.h"

static cop_status axis_of(cop_graph *g, cop_nid n, int32_t *axis)
{
	COP_ATTR(cop_axis_attr, a, g, n);

	*axis = a.axis;
	if (a.axis >= 0 && a.axis < cop__in(g, n, 0)->rank) return COP_OK;
	return cop__fail(g, COP_ARG, n, "axis %d of %d dimensions", a.axis, cop__in(g, n, 0)->rank);
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0), *at = cop__in(g, n, 1);
	int32_t axis, dim[2 * COP_MAX_DIM], rank = 0;

	if (cop__dtype_bits(x->dtype) < 8) return cop__fail(g, COP_ARG, n, "of %s is not supported", cop__dtype_text(x->dtype));
	COP_TRY(cop__need(g, n, 1, COP_I32, -1));
	COP_TRY(axis_of(g, n, &axis));
	for (int i = 0; i < axis; i++) dim[rank++] = x->dim[i];
	for (int i = 0; i < at->rank; i++) dim[rank++] = at->dim[i];
	for (int i = axis + 1; i < x->rank; i++) dim[rank++] = x->dim[i];
	if (rank > COP_MAX_DIM)
		return cop__fail(g, COP_SHAPE, n, "the result has %d dimensions, at most %d are supported", rank, COP_MAX_DIM);
	return cop__set_out(g, n, 0, x->dtype, rank, dim);
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_axis_attr, a, g, n);
	cop__around(cop__in(g, n, 0), a.axis, &k[OK_OUTER], &k[OK_INNER]);
	k[OK_N] = cop__in(g, n, 0)->dim[a.axis];
	k[OK_COUNT] = cop__count32(cop__in(g, n, 1));
	k[OK_TAPS] = 1;
	return OK_WORDS;
}

/* All axes but the one that is gathered along. */
static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int more = cop__outt(g, n, 0)->rank - cop__in(g, n, 0)->rank, at = 0;
	COP_ATTR(cop_axis_attr, a, g, n);

	for (int i = 0; i < cop__in(g, n, 0)->rank; i++)
		if (i != a.axis)
			at += cop__link_axis(l, at, max, g, cop__arg(g, n, 0), i, cop__res(g, n, 0), i < a.axis ? i : i + more);
	return at;
}

static cop_nid sample(cop_graph *g, int which)
{
	static const int32_t list[] = {2, -1, 0, 1, 1, 4};
	static const struct { int32_t axis, rank, dim[3], ir, id[2]; cop_dtype d; } form[] = {
		{0, 2, {5, 7}, 1, {6}, COP_F32}, {1, 3, {2, 5, 3}, 2, {2, 3}, COP_F32}, {2, 3, {2, 3, 5}, 1, {6}, COP_I32},
		{1, 2, {3, 5}, 0, {0}, COP_U8}, {0, 1, {5}, 1, {6}, COP_I8}, {1, 2, {4, 3}, 1, {5}, COP_I16}};
	if (which >= LEN(form)) return 0;
	cop_type x = cop__type(form[which].d, form[which].rank, form[which].dim),
		at = cop__type(COP_I32, form[which].ir, form[which].id);
	return cop__node(g, OP_gather, &(cop_axis_attr){form[which].axis},
		VIDS(cop__input(g, "x", &x), cop__data(g, COP_CONST, "index", &at, list)));
}

const cop_op cop_op_gather = {
	.name = "gather", .attrs = "axis:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = infer, .cost = cop__cost_none, .links = links, .words = words, .sample = sample,
};

/* ---- resample: index and weight [out,taps] ---- */

static cop_status resample_infer(cop_graph *g, cop_nid n)
{
	cop_type y = *cop__in(g, n, 0);
	int32_t axis;

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_I32, 2));
	COP_TRY(cop__need(g, n, 2, COP_F32, 2));
	COP_TRY(axis_of(g, n, &axis));
	if (!cop__same_shape(cop__in(g, n, 1), cop__in(g, n, 2)))
		return cop__fail(g, COP_SHAPE, n, "indices and weights have different shapes");
	y.dim[axis] = cop__in(g, n, 1)->dim[0];
	return cop__set_out(g, n, 0, COP_F32, y.rank, y.dim);
}

static int resample_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	(void)words(g, n, k);
	k[OK_COUNT] = cop__in(g, n, 1)->dim[0];
	k[OK_TAPS] = cop__in(g, n, 1)->dim[1];
	return OK_WORDS;
}

static void resample_cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->mac = cop_type_count(cop__outt(g, n, 0)) * cop__in(g, n, 1)->dim[1];
}

static cop_nid resample_sample(cop_graph *g, int which)
{
	static const int32_t index[] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 0, 0};
	static const float weight[] = {0.25f, 0.75f, 0.5f, 0.5f, 1, 0, 0.1f, 0.9f, -0.5f, 1.5f, 2, 0};
	static const struct { int32_t axis, rank, dim[4], out, taps;
		} form[] = {{1, 4, {2, 5, 3, 4}, 6, 2}, {2, 3, {1, 2, 5}, 3, 4}, {0, 1, {5}, 12, 1}};
	if (which >= LEN(form)) return 0;
	cop_type i = cop__type(COP_I32, 2, DIMS(form[which].out, form[which].taps)), w = cop__type(COP_F32, 2, i.dim);
	cop_vid x = cop__sample_input(g, "x", form[which].rank, form[which].dim);
	return cop__node(g, OP_resample, &(cop_axis_attr){form[which].axis},
		VIDS(x, cop__data(g, COP_CONST, "index", &i, index), cop__data(g, COP_CONST, "weight", &w, weight)));
}

const cop_op cop_op_resample = {
	.name = "resample", .attrs = "axis:i", .min_in = 3, .max_in = 3, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = resample_infer, .cost = resample_cost, .links = links, .words = resample_words, .sample = resample_sample,
};

/* ---- expand ---- */

static cop_status expand_infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_shape_attr, to, g, n);

	if (cop__dtype_bits(x->dtype) < 8 || to.rank < x->rank || to.rank > COP_MAX_DIM)
		return cop__fail(g, COP_SHAPE, n, "cannot expand %d dimensions to %d", x->rank, to.rank);
	for (int i = 0; i < to.rank; i++) {
		int32_t have = i < to.rank - x->rank ? 1 : x->dim[i - to.rank + x->rank];
		if (to.dim[i] == 0) to.dim[i] = have; /* as it is */
		if (to.dim[i] < 1 || (have != 1 && have != to.dim[i]))
			return cop__fail(g, COP_SHAPE, n, "axis %d of length %d cannot be expanded to %d", i, have, to.dim[i]);
	}
	return cop__set_out(g, n, 0, x->dtype, to.rank, to.dim);
}

static int expand_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *y = cop__outt(g, n, 0);

	memset(k, 0, YK_WORDS * sizeof *k);
	memcpy(k + YK_DIM, y->dim, sizeof y->dim);
	cop__broadcast_strides(k + YK_SX, cop__in(g, n, 0), y->rank, y->dim);
	cop__strides(k + YK_SY, y->rank, y->dim);
	k[YK_RANK] = cop__merge_axes(y->rank, k + YK_DIM, k + YK_SX, k + YK_SY);
	k[YK_COUNT] = cop__count32(y);
	return YK_WORDS;
}

static cop_status expand_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	cop_shape_attr to = {.rank = cop__t(g, x)->rank};

	memcpy(to.dim, cop__t(g, x)->dim, sizeof to.dim);
	return dy ? cop__grad_put(d, x, OP_sum_to, &to, VIDS(dy)) : g->cx->code;
}

static cop_nid expand_sample(cop_graph *g, int which)
{
	static const struct { int32_t rank, dim[4]; cop_shape_attr to; cop_dtype d; } form[] = {
		{2, {3, 1}, {2, {3, 7}}, COP_F32}, {3, {1, 5, 1}, {4, {2, 3, 5, 4}}, COP_F32}, {1, {1}, {1, {6}}, COP_I32},
		{2, {2, 3}, {3, {2, 2, 3}}, COP_U8}, {2, {1, 3}, {2, {4, 3}}, COP_I8}, {2, {3, 1}, {2, {3, 4}}, COP_I16}};
	if (which >= LEN(form)) return 0;
	cop_type t = cop__type(form[which].d, form[which].rank, form[which].dim);
	return cop__node(g, OP_expand, &form[which].to, VIDS(cop__input(g, "x", &t)));
}

const cop_op cop_op_expand = {
	.name = "expand", .attrs = "rank:i dim:i6", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = expand_infer, .grad = expand_grad, .cost = cop__cost_none, .links = cop__links_eltwise, .words = expand_words,
	.sample = expand_sample,
};
