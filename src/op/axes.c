/* SPDX-License-Identifier: Apache-2.0
 *
 * axes - see axes.h. Knows shapes only, no op.
 */
#include "op/axes.h"

void cop__strides(int32_t *stride, int32_t rank, const int32_t *dim)
{
	int32_t s = 1;

	for (int i = rank - 1; i >= 0; i--) {
		stride[i] = s;
		s *= dim[i];
	}
}

void cop__broadcast_strides(int32_t *stride, const cop_type *t, int32_t rank, const int32_t *dim)
{
	int32_t own[COP_MAX_DIM], skip = rank - t->rank;

	cop__strides(own, t->rank, t->dim);
	for (int i = 0; i < rank; i++)
		stride[i] = i < skip || t->dim[i - skip] != dim[i] ? 0 : own[i - skip];
}

cop_status cop__broadcast(cop_graph *g, cop_nid n, int32_t *rank, int32_t dim[COP_MAX_DIM])
{
	*rank = 0;
	for (int k = 0; k < g->node[n].n_in; k++) *rank = COP_MAX(*rank, cop__in(g, n, k)->rank);
	for (int i = 0; i < *rank; i++) {
		dim[i] = 1;
		for (int k = 0; k < g->node[n].n_in; k++) {
			const cop_type *t = cop__in(g, n, k);
			int at = i - *rank + t->rank;
			int32_t d = at < 0 ? 1 : t->dim[at];
			if (d != 1 && dim[i] != 1 && d != dim[i])
				return cop__fail(g, COP_SHAPE, n, "axis %d has length %d in one operand and %d in the other", i, dim[i], d);
			dim[i] = d == 1 ? dim[i] : d;
		}
	}
	return COP_OK;
}

cop_status cop__movable(const cop_graph *g, cop_nid n)
{
	cop_dtype d = cop__in(g, n, 0)->dtype;
	return cop__need(g, n, 0, cop__dtype_bits(d) < 8 ? COP_F32 : d, -1);
}

void cop__around(const cop_type *t, int32_t axis, int32_t *outer, int32_t *inner)
{
	*outer = *inner = 1;
	for (int i = 0; i < t->rank; i++)
		if (i != axis) *(i < axis ? outer : inner) *= t->dim[i];
}

int32_t cop__merge_axes(int32_t rank, int32_t *dim, int32_t *sa, int32_t *sb)
{
	int32_t n = 0;

	for (int i = 0; i < rank; i++) {
		int32_t len = dim[i];
		if (len == 1) continue;
		if (n && sa[n - 1] == (int64_t)sa[i] * len && sb[n - 1] == (int64_t)sb[i] * len) len *= dim[--n];
		dim[n] = len;
		sa[n] = sa[i];
		sb[n] = sb[i];
		n++;
	}
	if (n) return n;
	dim[0] = 1;
	sa[0] = sb[0] = 0;
	return 1;
}

int cop__link_axis(cop_link *l, int at, int max, const cop_graph *g, cop_vid a, int a_ax, cop_vid b, int b_ax)
{
	int32_t n = cop__t(g, b)->dim[b_ax];

	if (at >= max) return 0;
	l[at] = (cop_link){.a = a, .b = b, .a_ax = (int8_t)a_ax, .b_ax = (int8_t)b_ax, .div = 1, .mod = n, .hi = n};
	return 1;
}

int cop__link_aligned(cop_link *l, int at, int max, const cop_graph *g, cop_vid a, cop_vid b)
{
	const cop_type *ta = cop__t(g, a), *tb = cop__t(g, b);

	for (int i = ta->rank - 1, j = tb->rank - 1; i >= 0 && j >= 0; i--, j--)
		if (ta->dim[i] == tb->dim[j]) at += cop__link_axis(l, at, max, g, a, i, b, j);
	return at;
}

int cop__links_eltwise(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = 0;

	for (int i = 0; i < g->node[n].n_in; i++) at = cop__link_aligned(l, at, max, g, cop__arg(g, n, i), cop__res(g, n, 0));
	return at;
}

void cop__cost_none(const cop_graph *g, cop_nid n, cop_cost *c)
{
	(void)g, (void)n;
	*c = (cop_cost){0};
}

cop_vid cop__sample_input(cop_graph *g, const char *name, int32_t rank, const int32_t *dim)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	return cop__input(g, name, &t);
}

cop_vid cop__scalar(cop_graph *g, const char *name, float value)
{
	cop_vid v = cop__find(g, name);
	cop_type t = cop__type(COP_F32, 1, DIMS(1));

	return v ? v : cop__data(g, COP_CONST, name, &t, &value);
}
