/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_make - nodes of the graph, with what they have in common here: 0 goes through (a failure is recorded already), what
 * would do nothing is not made, formats are brought together.
 */
#include "io/onnx.h"

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

static cop_status too_many(cop_ox *m, int32_t rank) { return cop__error(m->cx, COP_FORMAT, "%s: a value has %d dimensions, at most %d are supported in a graph", m->file, rank, COP_MAX_DIM); }

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

cop_vid cop__ox_transpose(cop_ox *m, cop_vid x, const int32_t *perm)
{
	cop_shape_attr p = {0};
	bool nothing = true;

	if (!x) return 0;
	cop_type t = *cop__t(m->g, x);
	p.rank = t.rank;
	for (int i = 0; i < t.rank; i++) p.dim[i] = perm[i], nothing &= perm[i] == i;
	if (nothing) return x;
	cop_nid n = m->g->value[x].producer;
	if (n && m->g->node[n].op == OP_transpose) { /* two in a row are one, or none */
		COP_ATTR(cop_shape_attr, before, m->g, n);
		for (int i = 0; i < t.rank; i++) p.dim[i] = before.dim[perm[i]];
		return cop__ox_transpose(m, cop__arg(m->g, n, 0), p.dim);
	}
	if (!only_units(&t, perm)) return cop__apply(m->g, OP_transpose, &p, VIDS(x));
	for (int i = 0; i < t.rank; i++) p.dim[i] = t.dim[perm[i]];
	return cop__ox_reshape(m, x, t.rank, p.dim);
}

cop_vid cop__ox_reshape(cop_ox *m, cop_vid x, int32_t rank, const int32_t *dim)
{
	cop_shape_attr to = {.rank = rank};

	if (!x) return 0;
	if (rank > COP_MAX_DIM) return too_many(m, rank), 0;
	const cop_type *t = cop__t(m->g, x);
	bool same = t->rank == rank;
	for (int i = 0; i < rank; i++) {
		to.dim[i] = dim[i];
		same &= same && dim[i] == t->dim[i];
	}
	if (same) return x;
	if (rank) to.dim[0] = t->rank && t->dim[0] == dim[0] ? 0 : -1; /* the batch may change later */
	cop_nid n = m->g->value[x].producer;
	if (n && m->g->node[n].op == OP_reshape && !m->g->value[x].name) { /* from where it came */
		const cop_type *from = cop__t(m->g, cop__arg(m->g, n, 0));
		if (rank && to.dim[0] == 0 && !(from->rank && from->dim[0] == dim[0])) to.dim[0] = -1;
		x = cop__arg(m->g, n, 0);
		same = from->rank == rank;
		for (int i = 0; i < rank; i++) same &= same && dim[i] == from->dim[i];
		if (same) return x;
	}
	return cop__apply(m->g, OP_reshape, &to, VIDS(x));
}

/* Along an axis by indices that are known. */
static cop_vid pick_known(cop_ox *m, cop_vid x, int32_t axis, const int32_t *index, int32_t count)
{
	cop_type t = cop__type(COP_I32, 1, &count);
	cop_vid at = cop__ox_const(m, "index", COP_CONST, &t, index);
	return x && at ? cop__apply(m->g, OP_gather, &(cop_axis_attr){axis}, VIDS(x, at)) : 0;
}

cop_vid cop__ox_slice(cop_ox *m, cop_vid x, int32_t axis, int32_t from, int32_t size, int32_t step)
{
	cop_slice_attr s = {0};

	if (!x) return 0;
	if (step < 0) {
		int32_t *index = cop__ox_room(m, 4 * (size_t)size);
		for (int32_t i = 0; index && i < size; i++) index[i] = from + i * step;
		return index ? pick_known(m, x, axis, index, size) : 0;
	}
	if (!from && size == cop__t(m->g, x)->dim[axis]) return x;
	s.from[axis] = from;
	s.size[axis] = size;
	s.step[axis] = step == 1 ? 0 : step;
	return cop__apply(m->g, OP_slice, &s, VIDS(x));
}

cop_vid cop__ox_concat(cop_ox *m, int32_t axis, int n, cop_vid *v)
{
	for (int i = 0; i < n; i++)
		if (!v[i]) return 0;
	if (n < 1) return 0;
	if (n == 1) { /* a value of its own; a number without axes is lent one */
		cop_type t = *cop__t(m->g, v[0]);
		if (t.rank) return cop__apply(m->g, OP_concat, &(cop_concat_attr){0}, 1, v);
		cop_vid one = cop__ox_reshape(m, v[0], 1, DIMS(1));
		one = cop__apply(m->g, OP_concat, &(cop_concat_attr){0}, VIDS(one));
		return cop__ox_reshape(m, one, 0, NULL);
	}
	while (n > 1) { /* rounds of at most as many as a node takes */
		int to = 0;
		for (int i = 0; i < n; i += COP_MAX_IN) {
			int k = COP_MIN(n - i, (int)COP_MAX_IN);
			v[to++] = k == 1 ? v[i] : cop__apply(m->g, OP_concat, &(cop_concat_attr){axis}, k, v + i);
			if (!v[to - 1]) return 0;
		}
		n = to;
	}
	return v[0];
}

/* Index along an axis of length n of what stands at position i beside it. */
static int32_t mirrored(int64_t i, int32_t n, int mode)
{
	if (mode == PAD_EDGE) return i < 0 ? 0 : i >= n ? n - 1 : (int32_t)i;
	int64_t period = mode == PAD_WRAP || n == 1 ? n : 2 * (int64_t)n - 2, k = (i % period + period) % period;
	return (int32_t)(k < n ? k : period - k);
}

cop_vid cop__ox_pad(cop_ox *m, cop_vid x, const int32_t *before, const int32_t *after, float value, int mode)
{
	cop_pad_attr p = {.value = value};

	if (!x) return 0;
	cop_type t = *cop__t(m->g, x);
	for (int i = 0; i < t.rank; i++) p.before[i] = before[i], p.after[i] = after[i];
	if (mode == PAD_CONSTANT) return cop__apply(m->g, OP_pad, &p, VIDS(x));
	for (int i = 0; i < t.rank; i++) {
		int64_t count = (int64_t)t.dim[i] + before[i] + after[i];
		if (count == t.dim[i]) continue;
		int32_t *index = count < INT32_MAX / 4 ? cop__ox_room(m, 4 * (size_t)count) : NULL;
		for (int64_t k = 0; index && k < count; k++) index[k] = mirrored(k - before[i], t.dim[i], mode);
		x = index ? pick_known(m, x, i, index, (int32_t)count) : 0;
	}
	return x;
}

cop_vid cop__ox_expand(cop_ox *m, cop_vid x, int32_t rank, const int32_t *dim)
{
	cop_shape_attr to = {.rank = rank};
	bool same = true;

	if (!x) return 0;
	if (rank > COP_MAX_DIM) return too_many(m, rank), 0;
	const cop_type *t = cop__t(m->g, x);
	for (int i = 0; i < rank; i++) {
		int32_t have = i < rank - t->rank ? 1 : t->dim[i - rank + t->rank];
		to.dim[i] = have == dim[i] && i >= rank - t->rank ? 0 : dim[i];
		same &= have == dim[i];
	}
	if (same) return cop__ox_reshape(m, x, rank, dim);
	return cop__apply(m->g, OP_expand, &to, VIDS(x));
}

cop_vid cop__ox_pick(cop_ox *m, cop_vid x, cop_vid index, int32_t axis, int32_t rank, const int32_t *dim)
{
	(void)dim;
	if (!x || !index) return 0;
	if (rank > COP_MAX_DIM) return too_many(m, rank), 0;
	return cop__apply(m->g, OP_gather, &(cop_axis_attr){axis}, VIDS(x, cop__ox_cast(m, index, COP_I32)));
}

/* ---- formats ---- */

cop_vid cop__ox_cast(cop_ox *m, cop_vid x, cop_dtype to)
{
	if (!x) return 0;
	cop_dtype from = cop__t(m->g, x)->dtype;
	if (from == to) return x;
	if (from != COP_F32 && from != COP_I32 && to != COP_F32 && to != COP_I32) x = cop__ox_cast(m, x, COP_I32);
	return x ? cop__apply(m->g, OP_cast, &(cop_cast_attr){(int32_t)to}, VIDS(x)) : 0;
}

cop_vid cop__ox_widen(cop_ox *m, cop_vid x)
{
	if (!x) return 0;
	cop_dtype d = cop__t(m->g, x)->dtype;
	return d == COP_I8 || d == COP_U8 ? cop__ox_cast(m, x, COP_I32) : x;
}

/* ---- computing ---- */

cop_vid cop__ox_two(cop_ox *m, int op, cop_vid a, cop_vid b)
{
	if (!a || !b) return 0;
	bool logic = op == OP_and || op == OP_or || op == OP_xor;
	if (!logic) {
		a = cop__ox_widen(m, a);
		b = cop__ox_widen(m, b);
	}
	if (!a || !b) return 0;
	if (!logic && cop__t(m->g, a)->dtype != cop__t(m->g, b)->dtype) a = cop__ox_cast(m, a, COP_F32), b = cop__ox_cast(m, b, COP_F32);
	bool clamps = op == OP_add || op == OP_sub || op == OP_mul || op == OP_div;
	return cop__apply(m->g, op, clamps ? (const void *)&no_act : NULL, VIDS(a, b));
}

cop_vid cop__ox_two_f(cop_ox *m, int op, cop_vid a, float b) { return a ? cop__ox_two(m, op, a, cop__ox_scalar(m, b)) : 0; }

cop_vid cop__ox_clip(cop_ox *m, cop_vid x, float lo, float hi)
{
	if (!x) return 0;
	if (cop__t(m->g, x)->dtype == COP_F32) return cop__apply(m->g, OP_clip, &(cop_act_attr){lo, hi}, VIDS(x));
	int32_t zero = 0; /* relu of integers */
	cop_type t = cop__type(COP_I32, 0, NULL);
	return cop__ox_two(m, OP_max, x, cop__ox_const(m, "zero", COP_CONST, &t, &zero));
}

cop_vid cop__ox_matmul(cop_ox *m, cop_vid a, cop_vid b, int ta, int tb)
{
	return a && b ? cop__apply(m->g, OP_matmul, &(cop_matmul_attr){ta, tb}, VIDS(a, b)) : 0;
}

cop_vid cop__ox_map(cop_ox *m, int fn, float alpha, float beta, cop_vid x)
{
	if (!x) return 0;
	return cop__apply(m->g, OP_map, &(cop_map_attr){fn, alpha, beta}, VIDS(x));
}

cop_vid cop__ox_where(cop_ox *m, cop_vid cond, cop_vid a, cop_vid b)
{
	if (!cond || !a || !b) return 0;
	if (cop__t(m->g, a)->dtype != cop__t(m->g, b)->dtype) a = cop__ox_widen(m, a), b = cop__ox_widen(m, b);
	return a && b ? cop__apply(m->g, OP_where, NULL, VIDS(cop__ox_cast(m, cond, COP_U8), a, b)) : 0;
}

cop_vid cop__ox_reduce(cop_ox *m, int fn, cop_vid x, uint32_t axes, bool keep)
{
	return x ? cop__apply(m->g, OP_reduce, &(cop_reduce_attr){fn, (int32_t)axes, keep}, VIDS(x)) : 0;
}

cop_vid cop__ox_argmax(cop_ox *m, cop_vid x, int32_t axis, bool keep, bool last)
{
	return x ? cop__apply(m->g, OP_argmax, &(cop_argmax_attr){axis, keep, last}, VIDS(x)) : 0;
}

cop_vid cop__ox_layernorm(cop_ox *m, cop_vid x, cop_vid gamma, cop_vid beta, float eps, bool rms)
{
	return x ? cop__apply(m->g, OP_layernorm, &(cop_layernorm_attr){eps, rms}, beta ? 3 : gamma ? 2 : 1, (const cop_vid[]){x, gamma, beta}) : 0;
}

cop_vid cop__ox_lrn(cop_ox *m, cop_vid x, int32_t size, float alpha, float beta, float bias)
{
	return x ? cop__apply(m->g, OP_lrn, &(cop_lrn_attr){size, alpha, beta, bias}, VIDS(x)) : 0;
}

cop_vid cop__ox_resample(cop_ox *m, cop_vid x, int32_t axis, int32_t out, int32_t taps, const int32_t *index, const float *weight)
{
	cop_type ti = cop__type(COP_I32, 2, DIMS(out, taps)), tw = cop__type(COP_F32, 2, ti.dim);
	cop_vid i = cop__ox_const(m, "resize.index", COP_CONST, &ti, index), w = cop__ox_const(m, "resize.weight", COP_CONST, &tw, weight);
	return x && i && w ? cop__apply(m->g, OP_resample, &(cop_axis_attr){axis}, VIDS(x, i, w)) : 0;
}

/* The graph's softmax runs over the last axis. */
cop_vid cop__ox_softmax(cop_ox *m, cop_vid x, int32_t axis)
{
	int32_t perm[COP_MAX_DIM], last;

	if (!x) return 0;
	last = cop__t(m->g, x)->rank - 1;
	for (int i = 0; i <= last; i++) perm[i] = i == axis ? last : i == last ? axis : i;
	cop_vid y = cop__ox_transpose(m, x, perm);
	return y ? cop__ox_transpose(m, cop__apply(m->g, OP_softmax, NULL, VIDS(y)), perm) : 0;
}
