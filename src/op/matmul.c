/* SPDX-License-Identifier: Apache-2.0
 *
 * matmul - y[...,m,n] = a[...,m,k] b[...,k,n]. ta, tb: the operand lies transposed. The leading dimensions are equal,
 * or one operand has none and is shared.
 */
#include "op/axes.h"

typedef struct sizes {
	int32_t batch, m, n, ka, kb;
	bool a_shared, b_shared;
} sizes;

static sizes measure(const cop_type *a, const cop_type *b, cop_matmul_attr t)
{
	const int32_t *da = a->dim + a->rank - 2, *db = b->dim + b->rank - 2;
	sizes s = {1, da[t.ta], db[!t.tb], da[!t.ta], db[t.tb], a->rank == 2, b->rank == 2};
	const cop_type *lead = a->rank >= b->rank ? a : b;

	for (int i = 0; i < lead->rank - 2; i++) s.batch *= lead->dim[i];
	return s;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	const cop_type *a = cop__in(g, n, 0), *b = cop__in(g, n, 1);
	COP_ATTR(cop_matmul_attr, t, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_F32, -1));
	if (a->rank < 2 || b->rank < 2)
		return cop__fail(g, COP_SHAPE, n, "needs matrices, got rank %d and %d", a->rank, b->rank);
	if ((t.ta | t.tb) & ~1) return cop__fail(g, COP_ARG, n, "ta and tb must be 0 or 1");
	for (int i = 0; a->rank > 2 && b->rank > 2 && i < COP_MAX(a->rank, b->rank) - 2; i++)
		if (a->rank != b->rank || a->dim[i] != b->dim[i])
			return cop__fail(g, COP_SHAPE, n, "the leading dimensions of the operands differ");
	sizes s = measure(a, b, t);
	if (s.ka != s.kb)
		return cop__fail(g, COP_SHAPE, n, "sums over %d of the left and %d of the right operand", s.ka, s.kb);
	cop_type y = a->rank >= b->rank ? *a : *b;
	y.dim[y.rank - 2] = s.m;
	y.dim[y.rank - 1] = s.n;
	return cop__set_out(g, n, 0, COP_F32, y.rank, y.dim);
}

/* A gradient that has the batch of dy and not of its operand is summed over it. */
static cop_status put(cop_grad *d, cop_vid v, cop_matmul_attr t, cop_vid a, cop_vid b)
{
	cop_graph *g = cop__grad_graph(d);
	const cop_type *want;

	if (!cop__grad_wanted(d, v)) return COP_OK;
	cop_vid p = cop__apply(g, OP_matmul, &t, VIDS(a, b));
	if (!p) return g->cx->code;
	want = cop__t(g, v);
	if (cop__t(g, p)->rank == want->rank) return cop__grad_add(d, v, p);
	return cop__grad_put(d, v, OP_sum_to, &(cop_shape_attr){2, {want->dim[0], want->dim[1]}}, VIDS(p));
}

/* da = dy b' , db = a' dy, each turned round when its operand lies transposed. */
static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1), dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_matmul_attr, t, g, n);

	if (t.ta) COP_TRY(put(d, a, (cop_matmul_attr){t.tb, 1}, b, dy));
	else COP_TRY(put(d, a, (cop_matmul_attr){0, !t.tb}, dy, b));
	if (t.tb) return put(d, b, (cop_matmul_attr){1, t.ta}, dy, a);
	return put(d, b, (cop_matmul_attr){!t.ta, 0}, a, dy);
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	COP_ATTR(cop_matmul_attr, t, g, n);
	sizes s = measure(cop__in(g, n, 0), cop__in(g, n, 1), t);
	c->mac = (int64_t)s.batch * s.m * s.n * s.ka;
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_matmul_attr, t, g, n);
	sizes s = measure(cop__in(g, n, 0), cop__in(g, n, 1), t);
	const int32_t all[MK_WORDS] = {[MK_BATCH] = s.batch,
	        [MK_M] = s.m,
	        [MK_N] = s.n,
	        [MK_K] = s.ka,
	        [MK_TA] = t.ta,
	        [MK_TB] = t.tb,
	        [MK_SA] = s.a_shared ? 0 : s.m * s.ka,
	        [MK_SB] = s.b_shared ? 0 : s.n * s.ka};
	memcpy(k, all, sizeof all);
	return MK_WORDS;
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1), y = cop__res(g, n, 0);
	int ra = cop__t(g, a)->rank, rb = cop__t(g, b)->rank, ry = cop__t(g, y)->rank;
	COP_ATTR(cop_matmul_attr, t, g, n);
	int at = cop__link_axis(l, 0, max, g, a, ra - 2 + t.ta, y, ry - 2);

	at += cop__link_axis(l, at, max, g, b, rb - 1 - t.tb, y, ry - 1);
	for (int i = 0; i < ry - 2; i++) { /* products side by side, as heads are */
		if (ra == ry) at += cop__link_axis(l, at, max, g, a, i, y, i);
		if (rb == ry) at += cop__link_axis(l, at, max, g, b, i, y, i);
	}
	return at + cop__link_axis(l, at, max, g, a, ra - 1 - t.ta, b, rb - 2 + t.tb);
}

static cop_nid sample(cop_graph *g, int which)
{
	static const struct {
		int32_t ra, a[3], rb, b[3];
		cop_matmul_attr t;
	} form[] = {
	        {2, {3, 5}, 2, {5, 4}, {0, 0}},
	        {2, {5, 3}, 2, {5, 17}, {1, 0}},
	        {2, {3, 5}, 2, {33, 5}, {0, 1}},
	        {2, {5, 3}, 2, {4, 5}, {1, 1}},
	        {3, {2, 7, 9}, 3, {2, 9, 8}, {0, 0}},
	        {3, {2, 7, 9}, 2, {9, 20}, {0, 0}},
	        {2, {6, 9}, 3, {3, 5, 9}, {0, 1}},
	        {3, {3, 8, 6}, 3, {3, 8, 5}, {1, 0}},
	        {2, {50, 64}, 2, {64, 70}, {0, 0}},
	};
	if (which >= LEN(form)) return 0;
	cop_vid a = cop__sample_input(g, "a", form[which].ra, form[which].a),
	        b = cop__sample_input(g, "b", form[which].rb, form[which].b);
	return cop__node(g, OP_matmul, &form[which].t, VIDS(a, b));
}

const cop_op cop_op_matmul = {
	.name = "matmul", .attrs = "ta:i tb:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer, .grad = grad, .cost = cost, .links = links, .words = words, .sample = sample,
};
