/* SPDX-License-Identifier: Apache-2.0
 *
 * shape - other shapes for the same numbers, and shapes as numbers: what is known while reading stays an array here.
 */
#include "io/tflite/tflite.h"

#include <math.h>
#include <stdio.h>

cop_vid cop__tfl_as(cop_graph *g, cop_vid x, int32_t rank, const int32_t *dim)
{
	cop_shape_attr to = {.rank = rank};
	const cop_type *t = cop__t(g, x);
	bool same = x && t->rank == rank;

	for (int i = 0; i < rank; i++) {
		to.dim[i] = i ? dim[i] : -1;
		same = same && (dim[i] == t->dim[i] || (!i && dim[i] == -1));
	}
	return same ? x : cop__apply(g, OP_reshape, &to, VIDS(x));
}

/* ---- reshape, squeeze, expand_dims ---- */

/* The file's new shape: an input, or a list in the options. */
static cop_status want_shape(cop_tfl *m, const cop_tfl_node *n, cop_type *to)
{
	cop_fb_vec list = cop__fb_vec(&n->options, RESHAPE_SHAPE, 4);
	const int32_t *v = NULL;
	int32_t count = (int32_t)COP_MIN(list.n, (uint32_t)COP_MAX_DIM + 1);

	if (cop__tfl_in(m, n, 1)) COP_TRY(cop__tfl_ints(m, n, 1, &v, &count));
	if (count > COP_MAX_DIM) return cop__tfl_fail(m, n, "to %d dimensions, at most %d are supported", count, COP_MAX_DIM);
	to->rank = count;
	for (int i = 0; i < count; i++) to->dim[i] = v ? v[i] : cop__fb_vec_i32(&list, (uint32_t)i);
	return COP_OK;
}

static cop_status squeezed(cop_tfl *m, const cop_tfl_node *n, const cop_type *x, cop_type *to)
{
	cop_fb_vec list = cop__fb_vec(&n->options, SQUEEZE_DIMS, 4);
	unsigned drop = 0;

	for (uint32_t i = 0; i < list.n; i++) {
		int32_t a = cop__fb_vec_i32(&list, i);
		a += a < 0 ? x->rank : 0;
		if (a < 0 || a >= x->rank || x->dim[a] != 1) return cop__tfl_fail(m, n, "axis %d is not of length 1", a);
		drop |= 1u << a;
	}
	to->rank = 0;
	for (int i = 0; i < x->rank; i++)
		if (list.n ? !(drop >> i & 1) : x->dim[i] != 1) to->dim[to->rank++] = x->dim[i];
	return COP_OK;
}

static cop_status expanded(cop_tfl *m, const cop_tfl_node *n, const cop_type *x, cop_type *to)
{
	const int32_t *axis;
	int32_t count;

	COP_TRY(cop__tfl_ints(m, n, 1, &axis, &count));
	int32_t a = axis[0] + (axis[0] < 0 ? x->rank + 1 : 0);
	if (count != 1 || a < 0 || a > x->rank || x->rank == COP_MAX_DIM) return cop__tfl_fail(m, n, "a new axis %d in %d dimensions", axis[0], x->rank);
	to->rank = x->rank + 1;
	for (int i = 0; i < to->rank; i++) to->dim[i] = i < a ? x->dim[i] : i == a ? 1 : x->dim[i - 1];
	return COP_OK;
}

/* Fills in the one dimension that is -1, and checks the rest. */
static cop_status complete(cop_tfl *m, const cop_tfl_node *n, int64_t count, cop_type *to)
{
	int64_t known = 1;
	int open = -1;

	for (int i = 0; i < to->rank; i++) {
		if (to->dim[i] == -1 && open < 0) open = i;
		else if (to->dim[i] < 1 || (known *= to->dim[i]) > INT32_MAX) return cop__tfl_fail(m, n, "dimension %d of the new shape is %d", i, to->dim[i]);
	}
	if (open >= 0) to->dim[open] = (int32_t)(count / known), known *= count / known;
	return known == count ? COP_OK : cop__tfl_fail(m, n, "%lld elements do not fill the new shape of %lld", (long long)count, (long long)known);
}

cop_status cop__tfl_reshape(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, 0);
	const void *known = t ? cop__tfl_data(m, t) : NULL;
	cop_vid x = known || m->cx->code ? 0 : cop__tfl_value(m, n, 0);

	if (m->cx->code) return m->cx->code;
	cop_type now = known ? t->type : *cop__t(m->g, x), to = now;
	COP_TRY(n->code == TFL_SQUEEZE ? squeezed(m, n, &now, &to) : n->code == TFL_EXPAND_DIMS ? expanded(m, n, &now, &to) : want_shape(m, n, &to));
	COP_TRY(complete(m, n, cop_type_count(&now), &to));
	if (known && !t->v) return cop__tfl_know(m, n, 0, to.rank, to.dim, known);
	return cop__tfl_set(m, n, 0, cop__tfl_as(m->g, known ? t->v : x, to.rank, to.dim));
}

cop_status cop__tfl_shape(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, 0);
	int32_t *dim = cop__tfl_room(m, sizeof t->type.dim);

	if (!t || (!t->v && !cop__tfl_data(m, t))) return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "the input is read before it is written");
	if (!dim) return m->cx->code;
	memcpy(dim, t->type.dim, sizeof t->type.dim);
	if (!t->type.rank) return cop__tfl_fail(m, n, "a number without dimensions has no shape");
	return cop__tfl_know(m, n, 0, 1, &t->type.rank, dim);
}

/* ---- putting together ---- */

/* All inputs known whole numbers, one behind the other. */
static cop_status join_known(cop_tfl *m, const cop_tfl_node *n, bool *done)
{
	int64_t total = 0;

	for (uint32_t i = 0; i < n->in.n; i++) {
		cop_tfl_tensor *t = cop__tfl_in(m, n, (int)i);
		if (!t || !cop__tfl_is(t, COP_I32) || t->type.rank != (n->code != TFL_PACK) || !cop__tfl_data(m, t)) return m->cx->code;
		total += cop_type_count(&t->type);
	}
	int32_t count = (int32_t)total, *out = cop__tfl_room(m, 4 * (size_t)total), *at = out;
	for (uint32_t i = 0; out && i < n->in.n; i++) {
		cop_tfl_tensor *t = cop__tfl_in(m, n, (int)i);
		memcpy(at, t->data, 4 * (size_t)cop_type_count(&t->type));
		at += cop_type_count(&t->type);
	}
	*done = true;
	return cop__tfl_know(m, n, 0, 1, &count, out);
}

/* concat takes COP_MAX_IN operands: more are put together in turns. */
static cop_vid join(cop_graph *g, int32_t axis, int n, cop_vid *v)
{
	while (n > 1) {
		int k = COP_MIN(n, (int)COP_MAX_IN), rest = n - k;
		v[0] = cop__apply(g, OP_concat, &(cop_concat_attr){axis}, k, v);
		memmove(v + 1, v + k, sizeof *v * (size_t)rest);
		n = rest + 1;
	}
	return v[0];
}

/* Operand i on the scale of the result, as TFLite computes it for uint8; a constant is converted here. */
static cop_status rescaled(cop_tfl *m, const cop_tfl_node *n, int i, cop_vid *v)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, i);
	int8_t table[256];
	int32_t zx, zy;
	char name[24];
	float sx, sy;

	COP_TRY(cop__tfl_scale(m, n, t, &sx, &zx));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &zy));
	const int8_t *data = cop__tfl_data(m, t);
	bool same = !(sx < sy) && !(sx > sy) && zx == zy;
	if (same || !data) *v = cop__tfl_value(m, n, i);
	if (same) return *v ? COP_OK : m->cx->code;
	float scale = sx * (1 / sy), bias = (float)-zx * scale;
	for (int q = -128; q < 128; q++) {
		float y = roundf((float)q * scale + bias) + (float)zy;
		table[(uint8_t)q] = (int8_t)(y > 127 ? 127 : y < -128 ? -128 : (int32_t)y);
	}
	snprintf(name, sizeof name, data ? "in%d" : "table%d", i);
	if (data) {
		int8_t *out = cop__tfl_room(m, cop_type_bytes(&t->type));
		for (int64_t k = 0; out && k < cop_type_count(&t->type); k++) out[k] = table[(uint8_t)data[k]];
		*v = out ? cop__tfl_weight(m, n, COP_CONST, name, &t->type, out) : 0;
	} else {
		*v = cop__tfl_lut(m, n, name, *v, table, COP_I8);
	}
	return *v ? COP_OK : m->cx->code;
}

static cop_status join_values(cop_tfl *m, const cop_tfl_node *n, int32_t axis, bool fresh)
{
	cop_vid v[64] = {0};

	for (int i = 0; i < (int)n->in.n; i++) {
		cop_tfl_tensor *x = cop__tfl_in(m, n, i);
		if (x && cop__tfl_is(x, COP_I16)) COP_TRY(cop__tfl_same_scale(m, n, i));
		if (x && cop__tfl_is(x, COP_I8)) COP_TRY(rescaled(m, n, i, &v[i]));
		else if (!(v[i] = cop__tfl_value(m, n, i))) return m->cx->code;
		cop_type t = *cop__t(m->g, v[i]);
		int32_t rank = t.rank + fresh, at = axis + (axis < 0 ? rank : 0);
		if (at < 0 || at >= rank || rank > COP_MAX_DIM) return cop__tfl_fail(m, n, "axis %d of %d dimensions", axis, rank);
		if (fresh) {
			memmove(t.dim + at + 1, t.dim + at, sizeof *t.dim * (size_t)(t.rank - at));
			t.dim[at] = 1;
			v[i] = cop__tfl_as(m->g, v[i], rank, t.dim);
		}
		if (!i) axis = at;
	}
	return cop__tfl_set(m, n, 0, join(m->g, axis, (int)n->in.n, v));
}

cop_status cop__tfl_concat(cop_tfl *m, const cop_tfl_node *n)
{
	bool done = false;
	float lo, hi;

	COP_TRY(cop__tfl_act(m, n, CONCAT_ACT, &lo, &hi));
	if (lo != COP_NO_LO || hi != COP_NO_HI) return cop__tfl_fail(m, n, "a fused activation is not supported");
	COP_TRY(join_known(m, n, &done));
	return done ? COP_OK : join_values(m, n, cop__fb_int(&n->options, CONCAT_AXIS, 4, 0), false);
}

cop_status cop__tfl_pack(cop_tfl *m, const cop_tfl_node *n)
{
	bool done = false;

	COP_TRY(join_known(m, n, &done));
	return done ? COP_OK : join_values(m, n, cop__fb_int(&n->options, PACK_AXIS, 4, 0), true);
}
