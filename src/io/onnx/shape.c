/* SPDX-License-Identifier: Apache-2.0
 *
 * shape - shapes as numbers (Shape, Size, Range, constants), and the same numbers under another shape. What is known
 * stays an array of the reader; only what depends on the network's inputs becomes a node.
 */
#include "io/onnx/onnx.h"

/* ---- constants ---- */

cop_status cop__ox_add_constant(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value v = {.name = "Constant"};
	cop_pb_field body, f;
	int64_t ints[1024], *one = cop__ox_room(m, 8 * LEN(ints));
	float *real = cop__ox_room(m, 4 * LEN(ints));
	int32_t count;

	if (!one || !real) return m->cx->code;
	if (cop__ox_attr(n, "value", &body)) {
		cop_pb p = cop__pb_in(&body);
		while (cop__pb_next(&p, &f))
			if (f.number == ATTR_T && f.wire == COP_PB_BYTES) COP_TRY(cop__ox_tensor(m, &v, f.p, f.size));
		if (!v.data) return cop__ox_fail(m, n, "attribute 'value' holds no tensor");
		return cop__ox_know(m, n, 0, v.type, v.rank, v.dim, v.data);
	}
	*one = cop__ox_i(n, "value_int", 0);
	*real = cop__ox_f(n, "value_float", 0);
	if (cop__ox_has(n, "value_int")) return cop__ox_know(m, n, 0, OX_INT64, 0, NULL, one);
	if (cop__ox_has(n, "value_float")) return cop__ox_know(m, n, 0, OX_FLOAT, 0, NULL, real);
	if ((count = cop__ox_ints(m, n, "value_ints", one, LEN(ints))) >= 0)
		return cop__ox_know(m, n, 0, OX_INT64, 1, &count, one);
	if ((count = cop__ox_floats(m, n, "value_floats", real, LEN(ints))) >= 0)
		return cop__ox_know(m, n, 0, OX_FLOAT, 1, &count, real);
	return m->cx->code ? m->cx->code : cop__ox_fail(m, n, "has no value");
}

/* A shape from known integers: 0 to 2^31 - 1 each, less than 2^31 elements. */
static cop_status shape_of(cop_ox *m, const cop_ox_node *n, const int64_t *v, int32_t count, int32_t *dim,
	int64_t *total)
{
	*total = 1;
	if (count > OX_MAX_DIM)
		return cop__ox_fail(m, n, "a shape of %d dimensions, at most %d are supported", count, OX_MAX_DIM);
	for (int i = 0; i < count; i++) {
		if (v[i] < 0 || v[i] > INT32_MAX || (*total *= v[i]) > INT32_MAX)
			return cop__ox_fail(m, n, "dimension %d of the shape is %lld: too large or negative", i, (long long)v[i]);
		dim[i] = (int32_t)v[i];
	}
	return COP_OK;
}

cop_status cop__ox_add_constant_of_shape(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value v = {.name = "value", .type = OX_FLOAT};
	cop_pb_field body, f;
	const int64_t *shape;
	int32_t count, dim[OX_MAX_DIM];
	int64_t total;

	COP_TRY(cop__ox_known_ints(m, n, 0, &shape, &count));
	COP_TRY(shape_of(m, n, shape, count, dim, &total));
	if (cop__ox_attr(n, "value", &body)) {
		cop_pb p = cop__pb_in(&body);
		while (cop__pb_next(&p, &f))
			if (f.number == ATTR_T && f.wire == COP_PB_BYTES) COP_TRY(cop__ox_tensor(m, &v, f.p, f.size));
		if (!v.data || cop__ox_count(&v) != 1) return cop__ox_fail(m, n, "attribute 'value' must hold one element");
	}
	size_t size = cop__ox_size(&v);
	char *out = cop__ox_room(m, size * (size_t)total);
	for (int64_t i = 0; out && v.data && i < total; i++) memcpy(out + (size_t)i * size, v.data, size);
	return cop__ox_know(m, n, 0, v.type, count, dim, out);
}

cop_status cop__ox_add_range(cop_ox *m, cop_ox_node *n)
{
	const float *f[3] = {0};
	const int64_t *v[3] = {0};
	cop_ox_value *first = cop__ox_in(m, n, 0);
	int32_t count[3] = {0};
	bool real;

	real = cop__ox_is_float(first->type);
	for (int i = 0; i < 3; i++) {
		COP_TRY(real ? cop__ox_known_floats(m, n, i, &f[i], &count[i]) : cop__ox_known_ints(m, n, i, &v[i], &count[i]));
		if (count[i] != 1) return cop__ox_fail(m, n, "start, limit and delta must be one number each");
	}
	double from = real ? (double)*f[0] : (double)*v[0], to = real ? (double)*f[1] : (double)*v[1],
		by = real ? (double)*f[2] : (double)*v[2];
	double steps = by > 0 || by < 0 ? __builtin_ceil((to - from) / by) : -1;
	if (!(steps < 1e8) || (steps < 0 && !(by > 0 || by < 0)))
		return cop__ox_fail(m, n, "has no end, or more than 10^8 elements");
	int32_t total = steps < 0 ? 0 : (int32_t)steps;
	void *out = cop__ox_room(m, cop__ox_size(first) * (size_t)total);
	for (int32_t i = 0; out && i < total; i++) {
		if (real) ((float *)out)[i] = (float)(from + i * by);
		else ((int64_t *)out)[i] = *v[0] + i * *v[2];
	}
	return cop__ox_know(m, n, 0, first->type, 1, &total, out);
}

/* ---- shapes as numbers ---- */

cop_status cop__ox_add_shape(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t *out = cop__ox_room(m, 8 * OX_MAX_DIM);

	int64_t from = cop__ox_i(n, "start", 0), to = cop__ox_i(n, "end", x->rank);
	from = COP_MIN(COP_MAX(from + (from < 0 ? x->rank : 0), 0), x->rank);
	to = COP_MIN(COP_MAX(to + (to < 0 ? x->rank : 0), 0), x->rank);
	int32_t count = (int32_t)COP_MAX(to - from, 0);
	for (int i = 0; out && i < count; i++) out[i] = x->dim[from + i];
	return cop__ox_know(m, n, 0, OX_INT64, 1, &count, out);
}

cop_status cop__ox_add_size(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t *out = cop__ox_room(m, 8);

	if (out) *out = cop__ox_count(x);
	return cop__ox_know(m, n, 0, OX_INT64, 0, NULL, out);
}

cop_status cop__ox_add_identity(cop_ox *m, cop_ox_node *n) { return cop__ox_same(m, n, 0, cop__ox_in(m, n, 0)); }

/* In training it would draw numbers; deployed it is nothing, and its mask says that all is kept. */
cop_status cop__ox_add_dropout(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const int64_t *training = NULL;
	const float *ratio = NULL;
	int32_t count;

	COP_TRY(cop__ox_known_ints(m, n, 2, &training, &count));
	COP_TRY(cop__ox_known_floats(m, n, 1, &ratio, &count));
	bool draws = training && *training && !(ratio && *ratio <= 0);
	if (draws) return cop__ox_fail(m, n, "in training mode is not supported; export the model for inference");
	COP_TRY(cop__ox_same(m, n, 0, x));
	if (!cop__ox_out(m, n, 1)) return COP_OK;
	int64_t total = cop__ox_count(x), *ones = cop__ox_room(m, 8 * (size_t)total);
	for (int64_t i = 0; ones && i < total; i++) ones[i] = 1;
	return cop__ox_know(m, n, 1, OX_BOOL, x->rank, x->dim, ones);
}

/* ---- other shapes for the same numbers ---- */

static cop_status as_shape(cop_ox *m, const cop_ox_node *n, int32_t rank, const int32_t *dim)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);

	if (x->data) return cop__ox_know(m, n, 0, x->type, rank, dim, x->data);
	return cop__ox_set(m, n, 0, cop__ox_reshape(m, cop__ox_get(m, n, 0), rank, dim), OX_PLAIN, 0);
}

cop_status cop__ox_add_reshape(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const int64_t *want;
	int32_t count, dim[OX_MAX_DIM];
	int64_t v[OX_MAX_DIM] = {0}, total, have;
	int open = -1;

	COP_TRY(cop__ox_known_ints(m, n, 1, &want, &count));
	if (count > OX_MAX_DIM) return cop__ox_fail(m, n, "to %d dimensions, at most %d are supported", count, OX_MAX_DIM);
	for (int i = 0; i < count; i++) {
		v[i] = want[i] == 0 && i < x->rank && !cop__ox_i(n, "allowzero", 0) ? x->dim[i] : want[i];
		if (v[i] == -1 && open < 0) open = i, v[i] = 1;
	}
	have = cop__ox_count(x);
	COP_TRY(shape_of(m, n, v, count, dim, &total));
	if (open >= 0 && total) dim[open] = (int32_t)(have / total), total *= have / total;
	if (total != have) return cop__ox_fail(m, n, "%lld elements do not fill the new shape", (long long)have);
	return as_shape(m, n, count, dim);
}

cop_status cop__ox_add_flatten(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int32_t axis, dim[2] = {1, 1};

	int64_t a = cop__ox_i(n, "axis", 1);
	if (a == x->rank) axis = x->rank;
	else COP_TRY(cop__ox_axis(m, n, a, x->rank, &axis));
	for (int i = 0; i < x->rank; i++) dim[i >= axis] *= x->dim[i];
	return as_shape(m, n, 2, dim);
}

/* The axes as a mask: an attribute before operator set 13, then an input; -1: not given. */
static cop_status axes_mask(cop_ox *m, const cop_ox_node *n, int32_t rank, int64_t *mask)
{
	int64_t v[OX_MAX_DIM];
	const int64_t *list = v;
	int32_t count = cop__ox_ints(m, n, "axes", v, OX_MAX_DIM), a;

	*mask = 0;
	if (count < 0) COP_TRY(cop__ox_known_ints(m, n, 1, &list, &count));
	if (m->cx->code) return m->cx->code;
	if (!list) *mask = -1;
	for (int i = 0; i < count; i++) {
		COP_TRY(cop__ox_axis(m, n, list[i], rank, &a));
		if (*mask >> a & 1) return cop__ox_fail(m, n, "axis %d is named twice", a);
		*mask |= (int64_t)1 << a;
	}
	return COP_OK;
}

cop_status cop__ox_add_squeeze(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int32_t dim[OX_MAX_DIM], rank = 0;
	int64_t mask;

	COP_TRY(axes_mask(m, n, x->rank, &mask));
	for (int i = 0; i < x->rank; i++) {
		bool drop = mask < 0 ? x->dim[i] == 1 : mask >> i & 1;
		if (drop && x->dim[i] != 1) return cop__ox_fail(m, n, "axis %d has length %d, only 1 can be squeezed", i, x->dim[i]);
		if (!drop) dim[rank++] = x->dim[i];
	}
	return as_shape(m, n, rank, dim);
}

cop_status cop__ox_add_unsqueeze(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t v[OX_MAX_DIM], mask;
	const int64_t *list = v;
	int32_t dim[OX_MAX_DIM], count = cop__ox_ints(m, n, "axes", v, OX_MAX_DIM);

	if (count < 0) COP_TRY(cop__ox_known_ints(m, n, 1, &list, &count));
	int32_t rank = x->rank + count;
	if (rank > OX_MAX_DIM) return cop__ox_fail(m, n, "to %d dimensions, at most %d are supported", rank, OX_MAX_DIM);
	COP_TRY(axes_mask(m, n, rank, &mask));
	if (mask < 0) return cop__ox_fail(m, n, "names no axes");
	for (int i = 0, from = 0; i < rank; i++) dim[i] = mask >> i & 1 ? 1 : x->dim[from++];
	return as_shape(m, n, rank, dim);
}
