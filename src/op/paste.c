/* SPDX-License-Identifier: Apache-2.0
 *
 * paste - y is the canvas with `part` written over it from index `at` of an axis on. In place when the canvas ends
 * here, so that a result made band by band (pass/patch.c) lies in memory once.
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
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
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
	k[ZK_OFF] = below * a.at;
	return ZK_WORDS;
}

static cop_nid sample(cop_graph *g, int which)
{
	static const struct { int32_t x, part[3]; cop_paste_attr a; } form[] = {
		{7, {2, 3, 5}, {1, 4}}, {7, {2, 7, 5}, {1, 0}}, {9, {1, 2, 4}, {1, 7}}, {6, {2, 4, 1}, {1, 1}},
	};
	static const cop_dtype format[] = {COP_F32, COP_I8, COP_I16};
	if (which >= LEN(format) * LEN(form)) return 0;
	const int32_t *p = form[which / LEN(format)].part;
	cop_dtype d = format[which % LEN(format)];
	cop_type x = cop__type(d, 3, DIMS(p[0], form[which / LEN(format)].x, p[2])), part = cop__type(d, 3, p);
	return cop__node(g, OP_paste, &form[which / LEN(format)].a, VIDS(cop__input(g, "x", &x), cop__input(g, "part", &part)));
}

const cop_op cop_op_paste = {
	.name = "paste", .attrs = "axis:i at:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE,
	.infer = infer, .cost = cop__cost_none, .words = words, .sample = sample,
};
