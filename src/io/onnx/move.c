/* SPDX-License-Identifier: Apache-2.0
 *
 * move - Transpose, Slice, Split, Concat, Expand, Tile, Gather: elements moved, none computed. What is known is moved
 * at once; the graph's operators take the rest, in the layout it comes in where that is a matter of renaming axes.
 */
#include "io/onnx/onnx.h"

/* Where axis `a` of the file stands in a layout. */
int32_t cop__ox_axis_in(int32_t a, int32_t rank, cop_ox_layout l)
{
	if (l != OX_LAST || rank < 3 || a == 0) return a;
	return a == 1 ? rank - 1 : a - 1;
}

static void dense_strides(int64_t *stride, const cop_ox_value *x)
{
	int64_t s = 1;
	for (int i = x->rank - 1; i >= 0; i--) stride[i] = s, s *= x->dim[i];
}

static int64_t count_of(int rank, const int32_t *dim)
{
	int64_t n = 1;
	for (int i = 0; i < rank; i++) n *= dim[i];
	return n;
}

/* Output `out` is known: x seen through strides. */
static cop_status know_strided(cop_ox *m, const cop_ox_node *n, int out, const cop_ox_value *x, int rank,
	const int32_t *dim, const int64_t *stride, int64_t offset)
{
	void *y = cop__ox_room(m, cop__ox_size(x) * (size_t)count_of(rank, dim));

	if (!y) return m->cx->code;
	cop__ox_gather(x, y, rank, dim, stride, offset);
	return cop__ox_know(m, n, out, x->type, rank, dim, y);
}

/* ---- transpose ---- */

cop_status cop__ox_add_transpose(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t v[OX_MAX_DIM], own[OX_MAX_DIM], stride[OX_MAX_DIM];
	int32_t perm[OX_MAX_DIM], dim[OX_MAX_DIM];
	unsigned seen = 0;

	int count = cop__ox_ints(m, n, "perm", v, OX_MAX_DIM);
	for (int i = 0; count < 0 && i < x->rank; i++) v[i] = x->rank - 1 - i;
	if (count >= 0 && count != x->rank)
		return cop__ox_fail(m, n, "a permutation of %d axes for %d dimensions", count, x->rank);
	for (int i = 0; i < x->rank; i++) {
		COP_TRY(cop__ox_axis(m, n, v[i], x->rank, &perm[i]));
		if (seen >> perm[i] & 1) return cop__ox_fail(m, n, "axis %d stands twice in the permutation", perm[i]);
		seen |= 1u << perm[i];
		dim[i] = x->dim[perm[i]];
	}
	if (x->data) {
		dense_strides(own, x);
		for (int i = 0; i < x->rank; i++) stride[i] = own[perm[i]];
		return know_strided(m, n, 0, x, x->rank, dim, stride, 0);
	}
	cop_ox_layout l = cop__ox_prefers(x);
	for (int i = 0; i < x->rank; i++) perm[i] = cop__ox_axis_in(perm[i], x->rank, l);
	/* as it lies */
	if (x->rank == 4 && !memcmp(perm, (const int32_t[]){0, 3, 1, 2}, sizeof *perm * 4))
		return cop__ox_set(m, n, 0, x->v[l], OX_LAST, 0);
	return cop__ox_set(m, n, 0, cop__ox_transpose(m, x->v[l], perm), OX_PLAIN, 0);
}

/* ---- slice ---- */

typedef struct cut { int32_t from[OX_MAX_DIM], size[OX_MAX_DIM], step[OX_MAX_DIM]; } cut;

/* Python's rules: ends beyond the axis are clamped, negative ones count from its end. */
static void cut_axis(cut *c, int a, int32_t len, int64_t from, int64_t to, int64_t step)
{
	from += from < 0 ? len : 0;
	to += to < 0 ? len : 0;
	from = COP_MIN(COP_MAX(from, 0), step > 0 ? len : len - 1);
	to = COP_MIN(COP_MAX(to, step > 0 ? 0 : -1), len);
	int64_t size = step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -step;
	c->from[a] = (int32_t)from;
	c->step[a] = (int32_t)step;
	c->size[a] = (int32_t)COP_MAX(size, 0);
}

static cop_status apply_cut(cop_ox *m, const cop_ox_node *n, int out, cop_ox_value *x, const cut *c)
{
	int64_t stride[OX_MAX_DIM], offset = 0;
	cop_ox_layout l = cop__ox_prefers(x);

	if (!count_of(x->rank, c->size)) return cop__ox_know(m, n, out, x->type, x->rank, c->size, cop__ox_room(m, 8));
	if (x->data) {
		dense_strides(stride, x);
		for (int i = 0; i < x->rank; i++) offset += c->from[i] * stride[i], stride[i] *= c->step[i];
		return know_strided(m, n, out, x, x->rank, c->size, stride, offset);
	}
	cop_vid v = x->v[l];
	for (int i = 0; i < x->rank; i++) {
		if (c->size[i] == x->dim[i] && c->step[i] == 1) continue;
		v = cop__ox_slice(m, v, cop__ox_axis_in(i, x->rank, l), c->from[i], c->size[i], c->step[i]);
	}
	return cop__ox_set(m, n, out, v, l, x->type);
}

/* Input i or the attribute of that name. */
static cop_status ints_either(cop_ox *m, const cop_ox_node *n, int i, const char *name, int64_t *room,
	const int64_t **v, int32_t *count)
{
	*v = room;
	*count = cop__ox_ints(m, n, name, room, OX_MAX_DIM);
	if (*count >= 0) return COP_OK;
	return m->cx->code ? m->cx->code : cop__ox_known_ints(m, n, i, v, count);
}

cop_status cop__ox_add_slice(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t room[3][OX_MAX_DIM];
	const int64_t *from, *to, *axes, *steps;
	int32_t k, count, n_axes, n_steps, a;
	cut c;

	COP_TRY(ints_either(m, n, 1, "starts", room[0], &from, &k));
	COP_TRY(ints_either(m, n, 2, "ends", room[1], &to, &count));
	COP_TRY(ints_either(m, n, 3, "axes", room[2], &axes, &n_axes));
	COP_TRY(cop__ox_known_ints(m, n, 4, &steps, &n_steps));
	if (k != count || (axes && n_axes != k) || (steps && n_steps != k) || k > x->rank)
		return cop__ox_fail(m, n, "starts, ends, axes and steps must have the same length");
	for (int i = 0; i < x->rank; i++) c.from[i] = 0, c.step[i] = 1, c.size[i] = x->dim[i];
	for (int i = 0; i < k; i++) {
		int64_t step = steps ? steps[i] : 1;
		COP_TRY(cop__ox_axis(m, n, axes ? axes[i] : i, x->rank, &a));
		if (!step) return cop__ox_fail(m, n, "step %d is 0", i);
		step = COP_MIN(COP_MAX(step, -x->dim[a] - 1), x->dim[a] + 1);
		cut_axis(&c, a, x->dim[a], COP_MAX(from[i], -INT32_MAX), COP_MAX(to[i], -INT32_MAX), step);
	}
	return apply_cut(m, n, 0, x, &c);
}

/* ---- split ---- */

cop_status cop__ox_add_split(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t room[1024];
	const int64_t *parts = room;
	int32_t axis, at = 0, count = cop__ox_ints(m, n, "split", room, LEN(room));
	cut c;

	if (count < 0) COP_TRY(cop__ox_known_ints(m, n, 1, &parts, &count));
	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", 0), x->rank, &axis));
	for (int i = 0; i < x->rank; i++) c.from[i] = 0, c.step[i] = 1, c.size[i] = x->dim[i];
	if (parts && count != n->n_out) return cop__ox_fail(m, n, "%d lengths for %d outputs", count, n->n_out);
	for (int i = 0; i < n->n_out; i++) {
		int32_t even = (x->dim[axis] + n->n_out - 1) / n->n_out, left = x->dim[axis] - at;
		int64_t len = parts ? parts[i] : COP_MIN(even, left);
		if (len < 0 || len > left)
			return cop__ox_fail(m, n, "part %d of length %lld does not fit axis %d of %d", i, (long long)len, axis,
				x->dim[axis]);
		c.from[axis] = at;
		c.size[axis] = (int32_t)len;
		if (cop__ox_out(m, n, i)) COP_TRY(apply_cut(m, n, i, x, &c));
		at += (int32_t)len;
	}
	return at == x->dim[axis] ? COP_OK : cop__ox_fail(m, n, "the parts make %d of %d", at, x->dim[axis]);
}

/* ---- concat ---- */

static cop_status join_known(cop_ox *m, const cop_ox_node *n, int32_t axis, int32_t rank, const int32_t *dim)
{
	size_t size = cop__ox_size(cop__ox_in(m, n, 0)), at = 0, run = size;
	int64_t outer = count_of(axis, dim);
	char *y = cop__ox_room(m, size * (size_t)count_of(rank, dim));

	if (!y) return m->cx->code;
	for (int i = axis + 1; i < rank; i++) run *= (size_t)dim[i];
	for (int64_t o = 0; o < outer; o++) {
		for (int i = 0; i < n->n_in; i++) {
			const cop_ox_value *x = cop__ox_in(m, n, i);
			size_t bytes = run * (size_t)x->dim[axis];
			memcpy(y + at, (const char *)x->data + (size_t)o * bytes, bytes);
			at += bytes;
		}
	}
	return cop__ox_know(m, n, 0, cop__ox_in(m, n, 0)->type, rank, dim, y);
}

cop_status cop__ox_add_concat(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int32_t axis, dim[OX_MAX_DIM], k = 0;
	int64_t total = 0;
	bool all = true, last = false;

	for (int i = 0; i < n->n_in; i++) {
		cop_ox_value *v = cop__ox_in(m, n, i);
		if (!v) return cop__ox_fail(m, n, "input %d is missing", i);
		all &= v->data != NULL;
		last |= !v->data && cop__ox_prefers(v) == OX_LAST;
	}
	if (m->cx->code) return m->cx->code;
	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", 1), x->rank, &axis));
	memcpy(dim, x->dim, sizeof dim);
	for (int i = 0; i < n->n_in; i++) {
		const cop_ox_value *v = cop__ox_in(m, n, i);
		if (v->rank != x->rank || cop__ox_is_float(v->type) != cop__ox_is_float(x->type))
			return cop__ox_fail(m, n, "input %d has another rank or format than the first", i);
		for (int j = 0; j < x->rank; j++)
			if (j != axis && v->dim[j] != dim[j])
				return cop__ox_fail(m, n, "axis %d has length %d in input %d and %d in the first", j, v->dim[j], i, dim[j]);
		if ((total += v->dim[axis]) > INT32_MAX) return cop__ox_fail(m, n, "axis %d gets too long", axis);
	}
	dim[axis] = (int32_t)total;
	if (all) return join_known(m, n, axis, x->rank, dim);
	cop_vid *v = cop__ox_room(m, sizeof *v * (size_t)n->n_in);
	cop_ox_layout l = last ? OX_LAST : OX_PLAIN;
	if (!v) return m->cx->code;
	for (int i = 0; i < n->n_in; i++) {
		if (!cop__ox_in(m, n, i)->dim[axis]) continue;
		if (!(v[k] = cop__ox_as(m, cop__ox_in(m, n, i), l))) return m->cx->code;
		if (cop__t(m->g, v[k])->dtype != COP_F32 && cop__t(m->g, v[k])->dtype != cop__t(m->g, v[0])->dtype)
			v[0] = cop__ox_widen(m, v[0]), v[k] = cop__ox_widen(m, v[k]);
		k++;
	}
	return cop__ox_set(m, n, 0, cop__ox_concat(m, cop__ox_axis_in(axis, x->rank, l), k, v), l, 0);
}

/* ---- expand, tile ---- */

cop_status cop__ox_add_expand(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const int64_t *to;
	int32_t count, dim[OX_MAX_DIM];
	int64_t own[OX_MAX_DIM], stride[OX_MAX_DIM], total = 1;

	COP_TRY(cop__ox_known_ints(m, n, 1, &to, &count));
	int32_t rank = COP_MAX(count, x->rank);
	if (rank > OX_MAX_DIM) return cop__ox_fail(m, n, "to %d dimensions, at most %d are supported", rank, OX_MAX_DIM);
	dense_strides(own, x);
	for (int i = 0; i < rank; i++) {
		int ix = i - rank + x->rank, it = i - rank + count;
		int64_t a = ix < 0 ? 1 : x->dim[ix], b = it < 0 ? 1 : to[it];
		if (b < 0 || b > INT32_MAX || (a != b && a != 1 && b != 1) || (total *= a == 1 ? b : a) > INT32_MAX)
			return cop__ox_fail(m, n, "axis %d of length %lld cannot be expanded to %lld", i, (long long)a, (long long)b);
		dim[i] = (int32_t)(a == 1 ? b : a);
		stride[i] = ix < 0 || x->dim[ix] != dim[i] ? 0 : own[ix];
	}
	if (x->data) return know_strided(m, n, 0, x, rank, dim, stride, 0);
	return cop__ox_set(m, n, 0, cop__ox_expand(m, cop__ox_get(m, n, 0), rank, dim), OX_PLAIN, 0);
}

/* Repeats as whole copies: each axis in turn is put behind itself. */
cop_status cop__ox_add_tile(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const int64_t *times;
	int32_t count, dim[OX_MAX_DIM], both[2 * OX_MAX_DIM];
	int64_t own[OX_MAX_DIM], stride[2 * OX_MAX_DIM], total = 1;

	COP_TRY(cop__ox_known_ints(m, n, 1, &times, &count));
	if (count != x->rank) return cop__ox_fail(m, n, "%d repeats for %d dimensions", count, x->rank);
	dense_strides(own, x);
	for (int i = 0; i < count; i++) {
		if (times[i] < 0 || times[i] > INT32_MAX || (total *= times[i] * x->dim[i]) > INT32_MAX)
			return cop__ox_fail(m, n, "repeat %d is negative or too large", i);
		both[2 * i] = (int32_t)times[i], both[2 * i + 1] = x->dim[i];
		stride[2 * i] = 0, stride[2 * i + 1] = own[i];
		dim[i] = (int32_t)times[i] * x->dim[i];
	}
	if (x->data) {
		void *y = cop__ox_room(m, cop__ox_size(x) * (size_t)total);
		if (y) cop__ox_gather(x, y, 2 * count, both, stride, 0);
		return cop__ox_know(m, n, 0, x->type, count, dim, y);
	}
	if (!total) return cop__ox_fail(m, n, "the result is empty");
	int32_t t32[OX_MAX_DIM];
	if (count > COP_MAX_DIM) return cop__ox_fail(m, n, "of %d dimensions, at most %d are supported", count, COP_MAX_DIM);
	for (int i = 0; i < count; i++) t32[i] = (int32_t)times[i];
	return cop__ox_set(m, n, 0, cop__make_tile(m->g, cop__ox_get(m, n, 0), t32), OX_PLAIN, 0);
}

/* ---- gather ---- */

static cop_status gather_known(cop_ox *m, const cop_ox_node *n, int32_t axis, int32_t rank, const int32_t *dim)
{
	const cop_ox_value *x = cop__ox_in(m, n, 0), *at = cop__ox_in(m, n, 1);
	const int64_t *index = at->data;
	size_t run = cop__ox_size(x), out = 0;
	int64_t outer = count_of(axis, x->dim), count = cop__ox_count(at);
	char *y = cop__ox_room(m, run * (size_t)count_of(rank, dim));

	if (!y) return m->cx->code;
	for (int i = axis + 1; i < x->rank; i++) run *= (size_t)x->dim[i];
	for (int64_t o = 0; o < outer; o++) {
		for (int64_t i = 0; i < count; i++, out += run) {
			int64_t k = index[i] + (index[i] < 0 ? x->dim[axis] : 0);
			if (k < 0 || k >= x->dim[axis])
				return cop__ox_fail(m, n, "index %lld is outside of %d", (long long)index[i], x->dim[axis]);
			memcpy(y + out, (const char *)x->data + (size_t)(o * x->dim[axis] + k) * run, run);
		}
	}
	return cop__ox_know(m, n, 0, x->type, rank, dim, y);
}

/* One known index is a slice. */
static cop_status gather_one(cop_ox *m, const cop_ox_node *n, int32_t axis, int32_t rank, const int32_t *dim)
{
	const cop_ox_value *x = cop__ox_in(m, n, 0), *at = cop__ox_in(m, n, 1);
	int64_t k = *(const int64_t *)at->data;

	k += k < 0 ? x->dim[axis] : 0;
	if (k < 0 || k >= x->dim[axis]) return cop__ox_fail(m, n, "index %lld is outside of %d", (long long)k, x->dim[axis]);
	cop_vid v = cop__ox_slice(m, cop__ox_get(m, n, 0), axis, (int32_t)k, 1, 1);
	return cop__ox_set(m, n, 0, cop__ox_reshape(m, v, rank, dim), OX_PLAIN, 0);
}

cop_status cop__ox_add_gather(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *at = cop__ox_in(m, n, 1);
	int32_t axis, rank = 0, dim[2 * OX_MAX_DIM];
	bool both = x->data && at->data;

	if (m->cx->code) return m->cx->code;
	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", 0), x->rank, &axis));
	if (cop__ox_is_float(at->type)) return cop__ox_fail(m, n, "the indices must be whole numbers");
	for (int i = 0; i < axis; i++) dim[rank++] = x->dim[i];
	for (int i = 0; i < at->rank; i++) dim[rank++] = at->dim[i];
	for (int i = axis + 1; i < x->rank; i++) dim[rank++] = x->dim[i];
	if (rank > OX_MAX_DIM) return cop__ox_fail(m, n, "to %d dimensions, at most %d are supported", rank, OX_MAX_DIM);
	if (both) return gather_known(m, n, axis, rank, dim);
	if (at->data && cop__ox_count(at) == 1) return gather_one(m, n, axis, rank, dim);
	return cop__ox_set(m, n, 0, cop__ox_pick(m, cop__ox_get(m, n, 0), cop__ox_get(m, n, 1), axis, rank, dim), OX_PLAIN, 0);
}
