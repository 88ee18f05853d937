/* SPDX-License-Identifier: Apache-2.0
 *
 * make_forms - what more than one format has a name for and the graph makes of several nodes.
 */
#include "io/make.h"

/* ---- products ---- */

int cop__make_stack(const cop_type *a, const cop_type *b, int32_t *rank, int32_t *dim)
{
	*rank = COP_MAX(a->rank, b->rank);
	for (int i = 0; i < *rank - 2; i++) {
		int ia = i - *rank + a->rank, ib = i - *rank + b->rank;
		int32_t x = ia < 0 ? 1 : a->dim[ia], y = ib < 0 ? 1 : b->dim[ib];
		if (x != y && x != 1 && y != 1) return i;
		dim[i] = COP_MAX(x, y);
	}
	return -1;
}

/* x repeated to the leading axes dim. */
static cop_vid stacked(cop_graph *g, cop_vid x, int32_t rank, int32_t *dim)
{
	const cop_type *t = cop__t(g, x);

	dim[rank - 2] = t->dim[t->rank - 2];
	dim[rank - 1] = t->dim[t->rank - 1];
	return cop__make_expand(g, x, rank, dim);
}

cop_vid cop__make_product(cop_graph *g, cop_vid a, cop_vid b, int ta, int tb)
{
	int32_t dim[COP_MAX_DIM], rank;

	if (!a || !b) return 0;
	cop_type x = *cop__t(g, a), y = *cop__t(g, b);
	if (cop__make_stack(&x, &y, &rank, dim) >= 0) return cop__error(g->cx, COP_SHAPE, "%s: stacks of matrices of different lengths", g->name), 0;
	bool same = x.rank == y.rank && !memcmp(x.dim, y.dim, sizeof *dim * (size_t)(rank - 2));
	if (same || x.rank == 2 || y.rank == 2) return cop__make_matmul(g, a, b, ta, tb);
	a = stacked(g, a, rank, dim);
	return cop__make_matmul(g, a, stacked(g, b, rank, dim), ta, tb);
}

/* ---- moving ---- */

/* Each axis in turn: [..,d,..] -> [outer,1,inner] -> [outer,times,inner]. */
cop_vid cop__make_tile(cop_graph *g, cop_vid x, const int32_t *times)
{
	int32_t now[COP_MAX_DIM], rank = x ? cop__t(g, x)->rank : 0;

	for (int i = 0; x && i < rank; i++) {
		int32_t outer = 1, inner = 1;
		if (times[i] == 1) continue;
		memcpy(now, cop__t(g, x)->dim, sizeof now);
		for (int j = 0; j < rank; j++) *(j < i ? &outer : &inner) *= now[j];
		x = cop__make_reshape(g, x, 3, DIMS(outer, 1, inner));
		x = cop__make_expand(g, x, 3, DIMS(outer, times[i], inner));
		now[i] *= times[i];
		x = cop__make_reshape(g, x, rank, now);
	}
	return x;
}

cop_vid cop__make_depth_to_space(cop_graph *g, cop_vid x, int32_t b, bool channel_first)
{
	if (!x) return 0;
	const cop_type t = *cop__t(g, x);
	int32_t n = t.dim[0], h = t.dim[1], w = t.dim[2], c = t.dim[3] / (b * b);

	x = cop__make_reshape(g, x, 6, channel_first ? DIMS(n, h, w, c, b, b) : DIMS(n, h, w, b, b, c));
	x = cop__make_transpose(g, x, channel_first ? DIMS(0, 1, 4, 2, 5, 3) : DIMS(0, 1, 3, 2, 4, 5));
	return cop__make_reshape(g, x, 4, DIMS(n, h * b, w * b, c));
}

cop_vid cop__make_space_to_depth(cop_graph *g, cop_vid x, int32_t b)
{
	if (!x) return 0;
	const cop_type t = *cop__t(g, x);
	int32_t n = t.dim[0], h = t.dim[1] / b, w = t.dim[2] / b, c = t.dim[3];

	x = cop__make_reshape(g, x, 6, DIMS(n, h, b, w, b, c));
	x = cop__make_transpose(g, x, DIMS(0, 1, 3, 2, 4, 5));
	return cop__make_reshape(g, x, 4, DIMS(n, h, w, b * b * c));
}

/* ---- functions ---- */

/* x - max - log(sum(exp(x - max))) */
cop_vid cop__make_log_softmax(cop_graph *g, cop_vid x, int32_t axis)
{
	cop_vid low = cop__make_two(g, OP_sub, x, cop__make_reduce(g, REDUCE_MAX, x, 1u << axis, true));
	cop_vid sum = cop__make_reduce(g, REDUCE_SUM, cop__make_map(g, MAP_EXP, 0, 0, low), 1u << axis, true);
	return cop__make_two(g, OP_sub, low, cop__make_map(g, MAP_LOG, 0, 0, sum));
}

/* by_tanh: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
cop_vid cop__make_gelu(cop_graph *g, cop_vid x, bool by_tanh)
{
	if (!x || !by_tanh) return x ? cop__apply(g, OP_gelu, NULL, VIDS(x)) : 0;
	cop_vid cube = cop__make_two(g, OP_mul, x, cop__make_two(g, OP_mul, x, x));
	cop_vid inner = cop__make_two_f(g, OP_mul, cop__make_two(g, OP_add, x, cop__make_two_f(g, OP_mul, cube, 0.044715f)), 0.7978845608f);
	cop_vid gate = inner ? cop__make_two_f(g, OP_add, cop__apply(g, OP_tanh, NULL, VIDS(inner)), 1) : 0;
	return cop__make_two(g, OP_mul, cop__make_two_f(g, OP_mul, x, 0.5f), gate);
}
