/* SPDX-License-Identifier: Apache-2.0
 *
 * sort - along one axis, elements by their order: TopK, Hardmax, CumSum. The axis is brought to the end, [rows..,len].
 */
#include "io/onnx/onnx.h"

enum { MOST_RANKED = 128, MOST_DRAWN = 4096, MOST_SUMMED = 4096 };

/* Swaps an axis with the last one; done twice it is undone. */
static cop_vid at_end(cop_ox *m, cop_vid x, int32_t axis)
{
	int32_t perm[COP_MAX_DIM], last;

	if (!x) return 0;
	last = cop__t(m->g, x)->rank - 1;
	for (int i = 0; i <= last; i++) perm[i] = i == axis ? last : i == last ? axis : i;
	return cop__ox_transpose(m, x, perm);
}

/* 0 .. len-1 as [1..,len] or, down, [1..,len,1]. */
static cop_vid counted(cop_ox *m, int32_t len, bool down)
{
	int32_t *v = cop__ox_room(m, 4 * (size_t)len);
	cop_type t = cop__type(COP_I32, down ? 2 : 1, down ? DIMS(len, 1) : DIMS(len));

	for (int32_t i = 0; v && i < len; i++) v[i] = i;
	return v ? cop__ox_const(m, "order", COP_CONST, &t, v) : 0;
}

static cop_vid with_unit(cop_ox *m, cop_vid x, bool before_last) /* [..,len] -> [..,1,len] or [..,len,1] */
{
	int32_t dim[COP_MAX_DIM + 1];

	if (!x) return 0;
	cop_type t = *cop__t(m->g, x);
	memcpy(dim, t.dim, sizeof *dim * (size_t)t.rank);
	dim[t.rank] = before_last ? dim[t.rank - 1] : 1;
	if (before_last) dim[t.rank - 1] = 1;
	return cop__ox_reshape(m, x, t.rank + 1, dim);
}

/* ---- the k largest or smallest ---- */

typedef struct best { cop_vid value, index; } best; /* [..,k] */

/* A number below all others. */
static cop_vid lowest(cop_ox *m, cop_dtype d)
{
	const int32_t least = INT32_MIN;
	cop_type t = cop__type(COP_I32, 1, DIMS(1));
	return d == COP_F32 ? cop__ox_scalar(m, COP_NO_LO) : cop__ox_const(m, "least", COP_CONST, &t, &least);
}

/* The place of each among all: how many are better, or as good and stand before it. Then, for each place, who has
 * it. */
static best ranked(cop_ox *m, cop_vid x, int32_t len, int32_t k, bool largest)
{
	if (!x) return (best){0, 0};
	const int32_t rank = cop__t(m->g, x)->rank;
	const cop_dtype d = cop__t(m->g, x)->dtype;
	cop_vid a = with_unit(m, x, false), b = with_unit(m, x, true); /* for each a all b */
	cop_vid better = cop__ox_two(m, largest ? OP_less : OP_greater, a, b), before = cop__ox_two(m, OP_less, counted(m, len, false), counted(m, len, true));
	cop_vid tie = cop__ox_two(m, OP_and, cop__ox_two(m, OP_equal, a, b), before),
		ahead = cop__ox_two(m, OP_or, better, tie);
	cop_vid place = cop__ox_reduce(m, REDUCE_SUM, cop__ox_cast(m, ahead, COP_I32), 1u << rank, false);
	cop_vid has = cop__ox_two(m, OP_equal, with_unit(m, place, true), counted(m, k, true)); /* [..,k,len] */
	cop_vid value = cop__ox_reduce(m, REDUCE_MAX, cop__ox_where(m, has, b, lowest(m, d)), 1u << rank, false);
	return (best){value, cop__ox_argmax(m, cop__ox_cast(m, has, COP_F32), rank, false, false)};
}

/* One after the other: the best, which then counts no more. */
static best drawn(cop_ox *m, cop_vid x, int32_t k, bool largest)
{
	int32_t axis = x ? cop__t(m->g, x)->rank - 1 : 0, len = x ? cop__t(m->g, x)->dim[axis] : 0;
	cop_vid *value = cop__ox_room(m, sizeof *value * (size_t)k), *index = cop__ox_room(m, sizeof *index * (size_t)k),
		all = counted(m, len, false);
	cop_vid left = largest ? x : cop__ox_map(m, MAP_NEG, 0, 0, x);

	if (!value || !index) return (best){0, 0};
	for (int32_t i = 0; i < k; i++) {
		index[i] = cop__ox_argmax(m, left, axis, true, false);
		value[i] = cop__ox_reduce(m, REDUCE_MAX, left, 1u << axis, true);
		if (i < k - 1) left = cop__ox_where(m, cop__ox_two(m, OP_equal, all, index[i]), cop__ox_scalar(m, COP_NO_LO), left);
	}
	best b = {cop__ox_concat(m, axis, k, value), cop__ox_concat(m, axis, k, index)};
	if (!largest) b.value = cop__ox_map(m, MAP_NEG, 0, 0, b.value);
	return b;
}

cop_status cop__ox_add_topk(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t room = cop__ox_i(n, "k", 0);
	const int64_t *given = &room;
	int32_t axis, count = 1;
	best b;

	if (n->n_in > 1) COP_TRY(cop__ox_known_ints(m, n, 1, &given, &count));
	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", -1), x->rank, &axis));
	int32_t len = x->dim[axis];
	bool largest = cop__ox_i(n, "largest", 1) != 0;
	if (count != 1 || *given < 1 || *given > len) return cop__ox_fail(m, n, "%lld of %d", (long long)*given, len);
	int32_t k = (int32_t)*given;
	cop_vid v = at_end(m, cop__ox_widen(m, cop__ox_get(m, n, 0)), axis);
	if (!v) return m->cx->code;
	bool real = cop__t(m->g, v)->dtype == COP_F32, rank = len <= (real ? MOST_RANKED : 8 * MOST_RANKED) &&
		x->rank < COP_MAX_DIM;
	if (!rank && (!real || k > MOST_DRAWN))
		return cop__ox_fail(m, n, "%d of %d %s numbers is not supported", k, len, real ? "real" : "whole");
	b = rank ? ranked(m, v, len, k, largest) : drawn(m, v, k, largest);
	COP_TRY(cop__ox_set(m, n, 0, at_end(m, b.value, axis), OX_PLAIN, x->type));
	return cop__ox_out(m, n, 1) ? cop__ox_set(m, n, 1, at_end(m, b.index, axis), OX_PLAIN, OX_INT64) : COP_OK;
}

/* ---- 1 at the first maximum ---- */

cop_status cop__ox_add_hardmax(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int32_t axis, two[2] = {1, 1};
	bool old = m->opset < 13; /* all axes from that one on as one */

	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", old ? 1 : -1), x->rank, &axis));
	for (int i = 0; i < x->rank; i++) two[i >= axis] *= x->dim[i];
	cop_vid v = cop__ox_float(m, n, 0, OX_PLAIN);
	if (old) v = cop__ox_reshape(m, v, 2, two), axis = 1;
	v = at_end(m, v, axis);
	int32_t last = v ? cop__t(m->g, v)->rank - 1 : 0;
	cop_vid hot = cop__ox_two(m, OP_equal, cop__ox_argmax(m, v, last, true, false),
		v ? counted(m, cop__t(m->g, v)->dim[last], false) : 0);
	v = at_end(m, cop__ox_cast(m, hot, COP_F32), axis);
	return cop__ox_set(m, n, 0, old ? cop__ox_reshape(m, v, x->rank, x->dim) : v, OX_PLAIN, 0);
}

/* ---- running sums: times a triangle of ones ---- */

cop_status cop__ox_add_cumsum(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	bool late = cop__ox_i(n, "exclusive", 0) != 0, back = cop__ox_i(n, "reverse", 0) != 0;
	const int64_t *at;
	int32_t axis, count;

	COP_TRY(cop__ox_known_ints(m, n, 1, &at, &count));
	if (count != 1) return cop__ox_fail(m, n, "needs one axis");
	COP_TRY(cop__ox_axis(m, n, *at, x->rank, &axis));
	int32_t len = x->dim[axis], rows = (int32_t)(len ? cop__ox_count(x) / len : 0);
	if (len < 1 || len > MOST_SUMMED) return cop__ox_fail(m, n, "along %d, 1 to %d are supported", len, MOST_SUMMED);
	float *t = cop__ox_room(m, 4 * (size_t)len * (size_t)len);
	for (int32_t i = 0; t && i < len; i++) /* t[i,j]: x[i] is part of y[j] */
		for (int32_t j = 0; j < len; j++) t[(int64_t)i * len + j] = (back ? i > j : i < j) || (i == j && !late);
	cop_vid v = at_end(m, cop__ox_cast(m, cop__ox_get(m, n, 0), COP_F32), axis);
	cop_type type = v ? *cop__t(m->g, v) : (cop_type){0}, square = cop__type(COP_F32, 2, DIMS(len, len));
	v = cop__ox_reshape(m, v, 2, DIMS(rows, len));
	v = t ? cop__ox_matmul(m, v, cop__ox_const(m, "triangle", COP_CONST, &square, t), 0, 0) : 0;
	v = at_end(m, cop__ox_reshape(m, v, type.rank, type.dim), axis);
	return cop__ox_set(m, n, 0, cop__ox_cast(m, v, cop__ox_is_float(x->type) ? COP_F32 : COP_I32), OX_PLAIN, 0);
}
