/* SPDX-License-Identifier: Apache-2.0
 *
 * paste(canvas, part, list?) - y is the canvas with `part` written over it from index `at` of an axis on, or, with a list, over the indices in it. In
 * place when the canvas ends here, so that a result made band by band (pass/patch.c) lies in memory once. With a list it is a weight of which a part
 * alone is trained (pass/parts.c).
 */
#include "op/axes.h"

static cop_status infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0), *part = cop__in(g, n, 1);
	COP_ATTR(cop_paste_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, x->dtype, -1));
	COP_TRY(cop__need(g, n, 1, x->dtype, x->rank));
	if (cop__dtype_bits(x->dtype) < 8)
		return cop__fail(g, COP_ARG, n, "needs whole bytes, got %s", cop__dtype_text(x->dtype));
	if (a.axis < 0 || a.axis >= x->rank) return cop__fail(g, COP_ARG, n, "there is no axis %d", a.axis);
	for (int i = 0; i < x->rank; i++)
		if (i == a.axis ? a.at < 0 || a.at > x->dim[i] - part->dim[i] : part->dim[i] != x->dim[i])
			return cop__fail(g, COP_SHAPE, n, "axis %d: %d from %d on do not fit %d", i, part->dim[i], i == a.axis ? a.at : 0,
				x->dim[i]);
	if (cop__arg(g, n, 2)) {
		COP_TRY(cop__need(g, n, 2, COP_I32, 1));
		if (a.at || cop__in(g, n, 2)->dim[0] != part->dim[a.axis])
			return cop__fail(g, COP_SHAPE, n, "a list of %d indices, and at=%d, do not suit a part of %d", cop__in(g, n, 2)->dim[0], a.at, part->dim[a.axis]);
	}
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_vid part_grad(cop_graph *g, cop_nid n, cop_vid dy)
{
	const cop_type *part = cop__in(g, n, 1);
	COP_ATTR(cop_paste_attr, a, g, n);
	cop_slice_attr s = {.step = {1, 1, 1, 1, 1, 1}};

	if (cop__arg(g, n, 2)) return cop__apply(g, OP_gather, &(cop_axis_attr){a.axis}, VIDS(dy, cop__arg(g, n, 2)));
	s.from[a.axis] = a.at;
	s.size[a.axis] = part->dim[a.axis];
	return cop__apply(g, OP_slice, &s, VIDS(dy));
}

/* Zeros where the part lies. */
static cop_vid canvas_grad(cop_graph *g, cop_nid n, cop_vid dy)
{
	cop_shape_attr like = {cop__in(g, n, 1)->rank, {0}};
	COP_ATTR(cop_paste_attr, a, g, n);

	memcpy(like.dim, cop__in(g, n, 1)->dim, sizeof like.dim);
	cop_vid zero = cop__scalar(g, "grad.zero", 0), zeros = zero ? cop__apply(g, OP_expand, &like, VIDS(zero)) : 0;
	return zeros ? cop__apply(g, OP_paste, &a, VIDS(dy, zeros, cop__arg(g, n, 2))) : 0;
}

static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid canvas = cop__arg(g, n, 0), part = cop__arg(g, n, 1), dy = cop__grad_of(d, cop__res(g, n, 0));

	if (!dy) return g->cx->code;
	if (cop__grad_wanted(d, part)) COP_TRY(cop__grad_add(d, part, part_grad(g, n, dy)));
	return cop__grad_wanted(d, canvas) ? cop__grad_add(d, canvas, canvas_grad(g, n, dy)) : COP_OK;
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_paste_attr, a, g, n);
	int32_t below = cop__dtype_bits(x->dtype) / 8, outer = 1;

	for (int i = a.axis + 1; i < x->rank; i++) below *= x->dim[i];
	for (int i = 0; i < a.axis; i++) outer *= x->dim[i];
	k[ZK_OUTER] = outer;
	k[ZK_RUN] = below * cop__in(g, n, 1)->dim[a.axis];
	k[ZK_STRIDE] = below * x->dim[a.axis];
	k[ZK_OFF] = cop__arg(g, n, 2) ? below : below * a.at;
	return ZK_WORDS;
}

static cop_nid sample(cop_graph *g, int which)
{
	static const int32_t index[] = {5, 0, 2};
	static const struct { int32_t x, part[3]; cop_paste_attr a; bool list; } form[] = {
		{7, {2, 3, 5}, {1, 4}, false}, {7, {2, 7, 5}, {1, 0}, false}, {9, {1, 2, 4}, {1, 7}, false}, {6, {2, 4, 1}, {1, 1}, false},
		{6, {2, 3, 5}, {1, 0}, true}, {8, {4, 5, 3}, {2, 0}, true}, {7, {3, 2, 2}, {0, 0}, true}, {6, {1, 3, 1}, {1, 0}, true},
	};
	static const cop_dtype format[] = {COP_F32, COP_I8, COP_I16};
	if (which >= LEN(format) * LEN(form)) return 0;
	const int32_t *p = form[which / LEN(format)].part, axis = form[which / LEN(format)].a.axis;
	cop_dtype d = format[which % LEN(format)];
	cop_type x = cop__type(d, 3, p), part = x, list = cop__type(COP_I32, 1, DIMS(3));
	x.dim[axis] = form[which / LEN(format)].x;
	cop_vid at = form[which / LEN(format)].list ? cop__data(g, COP_CONST, "index", &list, index) : 0;
	return cop__node(g, OP_paste, &form[which / LEN(format)].a, VIDS(cop__input(g, "x", &x), cop__input(g, "part", &part), at));
}

const cop_op cop_op_paste = {
	.name = "paste", .attrs = "axis:i at:i", .min_in = 2, .max_in = 3, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE,
	.infer = infer, .grad = grad, .cost = cop__cost_none, .words = words, .sample = sample,
};
