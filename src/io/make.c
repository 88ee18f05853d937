/* SPDX-License-Identifier: Apache-2.0
 *
 * make - see make.h.
 */
#include "io/make.h"

#include <stdio.h>

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

static cop_status too_many(const cop_graph *g, int32_t rank)
{
	return cop__error(g->cx, COP_FORMAT, "%s: a value has %d dimensions, at most %d are supported in a graph", g->name,
		rank, COP_MAX_DIM);
}

/* ---- constants ---- */

cop_vid cop__make_const(cop_graph *g, const char *name, const cop_type *t, const void *data)
{
	char own[128];

	snprintf(own, sizeof own, "%s", name);
	for (int i = 2; cop__find(g, own); i++) snprintf(own, sizeof own, "%s.%d", name, i);
	return cop__data(g, COP_CONST, own, t, data);
}

cop_vid cop__make_scalar(cop_graph *g, float value)
{
	char name[32];
	cop_type t = cop__type(COP_F32, 1, DIMS(1));

	cop__format(name, sizeof name, "%g", (double)value);
	cop_vid v = cop__find(g, name);
	const cop_value *have = v ? cop__v(g, v) : NULL;
	if (have && have->role == COP_CONST && have->type.dtype == COP_F32 && cop_type_count(&have->type) == 1 && !memcmp(have->data, &value, 4)) return v;
	return cop__make_const(g, name, &t, &value);
}

cop_vid cop__make_ints(cop_graph *g, const char *name, const int32_t *v, int32_t count)
{
	cop_type t = cop__type(COP_I32, 1, &count);
	return cop__make_const(g, name, &t, v);
}

/* ---- moving ---- */

/* Does perm only move axes of length 1? The first axis, the batch, is never taken for one. */
static bool only_units(const cop_type *t, const int32_t *perm)
{
	int last = -1;

	for (int i = 0; i < t->rank; i++) {
		if (t->dim[perm[i]] == 1 && perm[i] != 0) continue;
		if (perm[i] < last) return false;
		last = perm[i];
	}
	return t->rank == 0 || perm[0] == 0;
}

cop_vid cop__make_transpose(cop_graph *g, cop_vid x, const int32_t *perm)
{
	cop_shape_attr p = {0};
	bool nothing = true;

	if (!x) return 0;
	cop_type t = *cop__t(g, x);
	p.rank = t.rank;
	for (int i = 0; i < t.rank; i++) p.dim[i] = perm[i], nothing &= perm[i] == i;
	if (nothing) return x;
	cop_nid n = g->value[x].producer;
	if (n && g->node[n].op == OP_transpose) { /* two in a row are one, or none */
		COP_ATTR(cop_shape_attr, before, g, n);
		for (int i = 0; i < t.rank; i++) p.dim[i] = before.dim[perm[i]];
		return cop__make_transpose(g, cop__arg(g, n, 0), p.dim);
	}
	if (!only_units(&t, perm)) return cop__apply(g, OP_transpose, &p, VIDS(x));
	for (int i = 0; i < t.rank; i++) p.dim[i] = t.dim[perm[i]];
	return cop__make_reshape(g, x, t.rank, p.dim);
}

cop_vid cop__make_reshape(cop_graph *g, cop_vid x, int32_t rank, const int32_t *dim)
{
	cop_shape_attr to = {.rank = rank};

	if (!x) return 0;
	if (rank > COP_MAX_DIM) return too_many(g, rank), 0;
	const cop_type *t = cop__t(g, x);
	bool same = t->rank == rank;
	for (int i = 0; i < rank; i++) {
		to.dim[i] = dim[i];
		same &= same && dim[i] == t->dim[i];
	}
	if (same) return x;
	if (rank) to.dim[0] = t->rank && t->dim[0] == dim[0] ? 0 : -1; /* the batch may change later */
	cop_nid n = g->value[x].producer;
	if (n && g->node[n].op == OP_reshape && !g->value[x].name) { /* from where it came */
		const cop_type *from = cop__t(g, cop__arg(g, n, 0));
		if (rank && to.dim[0] == 0 && !(from->rank && from->dim[0] == dim[0])) to.dim[0] = -1;
		x = cop__arg(g, n, 0);
		same = from->rank == rank;
		for (int i = 0; i < rank; i++) same &= same && dim[i] == from->dim[i];
		if (same) return x;
	}
	return cop__apply(g, OP_reshape, &to, VIDS(x));
}

cop_vid cop__make_concat(cop_graph *g, int32_t axis, int n, cop_vid *v)
{
	for (int i = 0; i < n; i++)
		if (!v[i]) return 0;
	if (n < 1) return 0;
	if (n == 1) { /* a value of its own; a number without axes is lent one */
		cop_type t = *cop__t(g, v[0]);
		if (t.rank) return cop__apply(g, OP_concat, &(cop_concat_attr){0}, 1, v);
		cop_vid one = cop__make_reshape(g, v[0], 1, DIMS(1));
		one = cop__apply(g, OP_concat, &(cop_concat_attr){0}, VIDS(one));
		return cop__make_reshape(g, one, 0, NULL);
	}
	while (n > 1) { /* rounds of at most as many as a node takes */
		int to = 0;
		for (int i = 0; i < n; i += COP_MAX_IN) {
			int k = COP_MIN(n - i, (int)COP_MAX_IN);
			v[to++] = k == 1 ? v[i] : cop__apply(g, OP_concat, &(cop_concat_attr){axis}, k, v + i);
			if (!v[to - 1]) return 0;
		}
		n = to;
	}
	return v[0];
}

cop_vid cop__make_expand(cop_graph *g, cop_vid x, int32_t rank, const int32_t *dim)
{
	cop_shape_attr to = {.rank = rank};
	bool same = true;

	if (!x) return 0;
	if (rank > COP_MAX_DIM) return too_many(g, rank), 0;
	const cop_type *t = cop__t(g, x);
	for (int i = 0; i < rank; i++) {
		int32_t have = i < rank - t->rank ? 1 : t->dim[i - rank + t->rank];
		to.dim[i] = have == dim[i] && i >= rank - t->rank ? 0 : dim[i];
		same &= have == dim[i];
	}
	if (same) return cop__make_reshape(g, x, rank, dim);
	return cop__apply(g, OP_expand, &to, VIDS(x));
}

cop_vid cop__make_slice(cop_graph *g, cop_vid x, int32_t axis, int32_t from, int32_t size, int32_t step)
{
	cop_slice_attr s = {0};

	if (!x || (!from && size == cop__t(g, x)->dim[axis])) return x;
	s.from[axis] = from;
	s.size[axis] = size;
	s.step[axis] = step == 1 ? 0 : step;
	return cop__apply(g, OP_slice, &s, VIDS(x));
}

cop_vid cop__make_gather(cop_graph *g, cop_vid x, cop_vid index, int32_t axis)
{
	index = cop__make_cast(g, index, COP_I32);
	return x && index ? cop__apply(g, OP_gather, &(cop_axis_attr){axis}, VIDS(x, index)) : 0;
}

/* ---- formats ---- */

cop_vid cop__make_cast(cop_graph *g, cop_vid x, cop_dtype to)
{
	if (!x) return 0;
	cop_dtype from = cop__t(g, x)->dtype;
	if (from == to) return x;
	if (from != COP_F32 && from != COP_I32 && to != COP_F32 && to != COP_I32) x = cop__make_cast(g, x, COP_I32);
	return x ? cop__apply(g, OP_cast, &(cop_cast_attr){(int32_t)to}, VIDS(x)) : 0;
}

cop_vid cop__make_widen(cop_graph *g, cop_vid x)
{
	if (!x) return 0;
	cop_dtype d = cop__t(g, x)->dtype;
	return d == COP_I8 || d == COP_U8 ? cop__make_cast(g, x, COP_I32) : x;
}

/* ---- computing ---- */

cop_vid cop__make_two(cop_graph *g, int op, cop_vid a, cop_vid b)
{
	if (!a || !b) return 0;
	bool logic = op == OP_and || op == OP_or || op == OP_xor;
	if (!logic) {
		a = cop__make_widen(g, a);
		b = cop__make_widen(g, b);
	}
	if (!a || !b) return 0;
	if (!logic && cop__t(g, a)->dtype != cop__t(g, b)->dtype) a = cop__make_cast(g, a, COP_F32), b = cop__make_cast(g, b, COP_F32);
	bool clamps = op == OP_add || op == OP_sub || op == OP_mul || op == OP_div;
	return cop__apply(g, op, clamps ? (const void *)&no_act : NULL, VIDS(a, b));
}

cop_vid cop__make_two_f(cop_graph *g, int op, cop_vid a, float b) { return a ? cop__make_two(g, op, a, cop__make_scalar(g, b)) : 0; }

cop_vid cop__make_clip(cop_graph *g, cop_vid x, float lo, float hi)
{
	if (!x) return 0;
	if (cop__t(g, x)->dtype == COP_F32) return cop__apply(g, OP_clip, &(cop_act_attr){lo, hi}, VIDS(x));
	int32_t zero = 0; /* relu of integers */
	cop_type t = cop__type(COP_I32, 0, NULL);
	return cop__make_two(g, OP_max, x, cop__make_const(g, "zero", &t, &zero));
}

cop_vid cop__make_matmul(cop_graph *g, cop_vid a, cop_vid b, int ta, int tb)
{
	return a && b ? cop__apply(g, OP_matmul, &(cop_matmul_attr){ta, tb}, VIDS(a, b)) : 0;
}

cop_vid cop__make_map(cop_graph *g, int fn, float alpha, float beta, cop_vid x)
{
	if (!x) return 0;
	return cop__apply(g, OP_map, &(cop_map_attr){fn, alpha, beta}, VIDS(x));
}

cop_vid cop__make_where(cop_graph *g, cop_vid cond, cop_vid a, cop_vid b)
{
	if (!cond || !a || !b) return 0;
	if (cop__t(g, a)->dtype != cop__t(g, b)->dtype) a = cop__make_widen(g, a), b = cop__make_widen(g, b);
	return a && b ? cop__apply(g, OP_where, NULL, VIDS(cop__make_cast(g, cond, COP_U8), a, b)) : 0;
}

cop_vid cop__make_reduce(cop_graph *g, int fn, cop_vid x, uint32_t axes, bool keep)
{
	return x ? cop__apply(g, OP_reduce, &(cop_reduce_attr){fn, (int32_t)axes, keep}, VIDS(x)) : 0;
}

cop_vid cop__make_argmax(cop_graph *g, cop_vid x, int32_t axis, bool keep, bool last)
{
	return x ? cop__apply(g, OP_argmax, &(cop_argmax_attr){axis, keep, last}, VIDS(x)) : 0;
}

cop_vid cop__make_layernorm(cop_graph *g, cop_vid x, cop_vid gamma, cop_vid beta, float eps, bool rms)
{
	return x ? cop__apply(g, OP_layernorm, &(cop_layernorm_attr){eps, rms}, beta ? 3 : gamma ? 2 : 1, (const cop_vid[]){x, gamma, beta}) : 0;
}

cop_vid cop__make_lrn(cop_graph *g, cop_vid x, int32_t size, float alpha, float beta, float bias)
{
	return x ? cop__apply(g, OP_lrn, &(cop_lrn_attr){size, alpha, beta, bias}, VIDS(x)) : 0;
}

/* The graph's softmax runs over the last axis. */
cop_vid cop__make_softmax(cop_graph *g, cop_vid x, int32_t axis)
{
	int32_t perm[COP_MAX_DIM], last;

	if (!x) return 0;
	last = cop__t(g, x)->rank - 1;
	for (int i = 0; i <= last; i++) perm[i] = i == axis ? last : i == last ? axis : i;
	cop_vid y = cop__make_transpose(g, x, perm);
	return y ? cop__make_transpose(g, cop__apply(g, OP_softmax, NULL, VIDS(y)), perm) : 0;
}
