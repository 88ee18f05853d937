/* SPDX-License-Identifier: Apache-2.0
 *
 * sum_to - sums x down to a smaller shape: the adjoint of broadcasting. The shape is aligned with x's at the last
 * axis; an axis of length 1, or one that is not there, is summed. Each sum runs in ascending order of x.
 */
#include "op/axes.h"

#include <stdio.h>

static cop_status infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_shape_attr, to, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	if (to.rank < 0 || to.rank > x->rank)
		return cop__fail(g, COP_SHAPE, n, "cannot sum %d dimensions to %d", x->rank, to.rank);
	for (int i = 0, skip = x->rank - to.rank; i < to.rank; i++)
		if (to.dim[i] != 1 && to.dim[i] != x->dim[i + skip])
			return cop__fail(g, COP_SHAPE, n, "axis %d has length %d and cannot be summed to %d", i + skip, x->dim[i + skip],
				to.dim[i]);
	return cop__set_out(g, n, 0, COP_F32, to.rank, to.dim);
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0), *y = cop__outt(g, n, 0);
	int32_t sx[COP_MAX_DIM];

	memset(k, 0, RK_WORDS * sizeof *k);
	memcpy(k + RK_DIM, x->dim, sizeof x->dim);
	cop__strides(sx, x->rank, x->dim);
	cop__broadcast_strides(k + RK_SB, y, x->rank, x->dim);
	k[RK_RANK] = cop__merge_axes(x->rank, k + RK_DIM, sx, k + RK_SB);
	k[RK_COUNT] = cop__count32(y);
	return RK_WORDS;
}

/* dx repeats dy: an addition of zeros that have x's length on the summed axes and 1 elsewhere. */
static cop_status grad(cop_grad *d, cop_nid n)
{
	static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	const cop_type *y = cop__outt(g, n, 0);
	cop_type t = *cop__t(g, x);
	char name[96] = "grad.zeros";
	size_t at = strlen(name);

	if (!dy) return g->cx->code;
	for (int i = 0, skip = t.rank - y->rank; i < t.rank; i++) {
		if (i >= skip && y->dim[i - skip] == t.dim[i]) t.dim[i] = 1;
		at += (size_t)snprintf(name + at, sizeof name - at, "%c%d", i ? 'x' : '.', t.dim[i]);
	}
	cop_vid zeros = cop__find(g, name);
	if (!zeros) zeros = cop__data(g, COP_CONST, name, &t, NULL);
	return cop__grad_put(d, x, OP_add, &plain, VIDS(dy, zeros));
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	return cop__link_aligned(l, 0, max, g, cop__arg(g, n, 0), cop__res(g, n, 0));
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c) { c->flop = cop_type_count(cop__in(g, n, 0)); }

static cop_nid sample(cop_graph *g, int which)
{
	static const struct { int32_t rank, dim[4]; cop_shape_attr to; } form[] = {
		{1, {5}, {1, {1}}},
		{2, {7, 33}, {1, {33}}},
		{2, {7, 33}, {2, {7, 1}}},
		{4, {2, 3, 5, 4}, {1, {4}}},
		{4, {2, 3, 5, 4}, {4, {1, 3, 1, 4}}},
		{3, {2, 3, 4}, {3, {2, 3, 4}}},
		{3, {3, 1, 6}, {1, {1}}},
	};
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_sum_to, &form[which].to, VIDS(cop__sample_input(g, "x", form[which].rank, form[which].dim)));
}

const cop_op cop_op_sum_to = {
	.name = "sum_to", .attrs = "rank:i dim:i6", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = infer, .grad = grad, .cost = cost, .links = links, .words = words, .sample = sample,
};
