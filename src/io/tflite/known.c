/* SPDX-License-Identifier: Apache-2.0
 *
 * known - arithmetic on what is known while a model is read: shapes, and what models compute of them. A case that is
 * not known here goes to the graph.
 */
#include "io/tflite/tflite.h"

#include <math.h>

/* ---- two operands ---- */

bool cop__tfl_common(const cop_type *a, const cop_type *b, cop_type *y)
{
	int64_t total = 1;

	*y = a->rank > b->rank ? *a : *b;
	for (int i = 0; i < y->rank; i++) {
		int ia = i - y->rank + a->rank, ib = i - y->rank + b->rank;
		int32_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
		if (da != db && da != 1 && db != 1) return false;
		y->dim[i] = da == 1 ? db : da;
		if ((total *= y->dim[i]) > INT32_MAX) return false;
	}
	return true;
}

/* The element of x that stands at element e of the common shape y. */
static int64_t element(const cop_type *x, const cop_type *y, int64_t e)
{
	int64_t at = 0, run = 1;

	for (int i = y->rank - 1; i >= 0; e /= y->dim[i--]) {
		int ix = i - y->rank + x->rank;
		if (ix < 0) continue;
		at += x->dim[ix] == 1 ? 0 : e % y->dim[i] * run;
		run *= x->dim[ix];
	}
	return at;
}

/* False: there is no such number. */
static bool pair(int32_t code, int64_t x, int64_t y, int64_t *v)
{
	bool divides = code == TFL_DIV || code == TFL_FLOOR_DIV || code == TFL_FLOOR_MOD;
	int64_t turn = divides && y && x % y && (x % y < 0) != (y < 0); /* the quotient is no whole number, and below 0 */

	if (divides && !y) return false;
	switch (code) {
	case TFL_ADD: *v = x + y; break;
	case TFL_SUB: *v = x - y; break;
	case TFL_MUL: *v = x * y; break;
	case TFL_DIV: *v = x / y; break;
	case TFL_FLOOR_DIV: *v = x / y - turn; break;
	case TFL_FLOOR_MOD: *v = x % y + turn * y; break;
	case TFL_MAXIMUM: *v = COP_MAX(x, y); break;
	case TFL_MINIMUM: *v = COP_MIN(x, y); break;
	case TFL_EQUAL: *v = x == y; break;
	case TFL_NOT_EQUAL: *v = x != y; break;
	case TFL_LESS: *v = x < y; break;
	case TFL_LESS_EQUAL: *v = x <= y; break;
	case TFL_GREATER: *v = x > y; break;
	case TFL_GREATER_EQUAL: *v = x >= y; break;
	default: return false;
	}
	return true;
}

static const int32_t *whole(cop_tfl *m, cop_tfl_tensor *t) { return t && cop__tfl_is(t, COP_I32) ? cop__tfl_data(m, t) : NULL; }

cop_status cop__tfl_fold_pair(cop_tfl *m, const cop_tfl_node *n, bool *done)
{
	cop_tfl_tensor *a = cop__tfl_in(m, n, 0), *b = cop__tfl_in(m, n, 1);
	const int32_t *pa = whole(m, a), *pb = whole(m, b);
	bool truth = cop__tfl_is(cop__tfl_out(m, n, 0), COP_U8), acts = n->code == TFL_ADD || n->code == TFL_SUB || n->code == TFL_MUL || n->code == TFL_DIV;
	float lo = COP_NO_LO, hi = COP_NO_HI;
	cop_type t;

	*done = pa && pb;
	if (!*done || m->cx->code) return m->cx->code;
	if (acts) COP_TRY(cop__tfl_act(m, n, BINARY_ACT, &lo, &hi));
	if (!cop__tfl_common(&a->type, &b->type, &t)) return cop__tfl_fail(m, n, "'%s' and '%s' have shapes that do not fit together", a->name, b->name);
	int64_t count = cop_type_count(&t), v = 0;
	void *out = cop__tfl_room(m, (truth ? 1 : 4) * (size_t)count);
	for (int64_t i = 0; out && i < count; i++) {
		int64_t x = pa[element(&a->type, &t, i)], y = pb[element(&b->type, &t, i)];
		if (!pair(n->code, x, y, &v) || v != (int32_t)v)
			return cop__tfl_fail(m, n, "of the known numbers %lld and %lld has no result of 32 bits", (long long)x,
				(long long)y);
		if (truth) ((uint8_t *)out)[i] = (uint8_t)v;
		else ((int32_t *)out)[i] = (float)v < lo ? (int32_t)lo : (float)v > hi ? (int32_t)hi : (int32_t)v;
	}
	return cop__tfl_know(m, n, 0, t.rank, t.dim, out);
}

/* ---- choices ---- */

cop_status cop__tfl_fold_select(cop_tfl *m, const cop_tfl_node *n, bool *done)
{
	cop_tfl_tensor *c = cop__tfl_in(m, n, 0), *a = cop__tfl_in(m, n, 1), *b = cop__tfl_in(m, n, 2);
	const int32_t *pa = whole(m, a), *pb = whole(m, b);
	const uint8_t *pc = c && cop__tfl_is(c, COP_U8) ? cop__tfl_data(m, c) : NULL;
	cop_type two, t;

	*done = pa && pb && pc && cop__tfl_common(&a->type, &b->type, &two) && cop__tfl_common(&two, &c->type, &t);
	if (!*done || m->cx->code) return m->cx->code;
	int64_t count = cop_type_count(&t);
	int32_t *out = cop__tfl_room(m, 4 * (size_t)count);
	for (int64_t i = 0; out && i < count; i++) out[i] = pc[element(&c->type, &t, i)] ? pa[element(&a->type, &t, i)] : pb[element(&b->type, &t, i)];
	return cop__tfl_know(m, n, 0, t.rank, t.dim, out);
}

/* ---- along axes ---- */

/* All elements of whole numbers, when they are reduced to one. */
cop_status cop__tfl_fold_reduce(cop_tfl *m, const cop_tfl_node *n, uint32_t axes, bool keep, bool *done)
{
	cop_tfl_tensor *x = cop__tfl_in(m, n, 0);
	const int32_t *p = whole(m, x), one[COP_MAX_DIM] = {1, 1, 1, 1, 1, 1};

	*done = p && axes == (1u << x->type.rank) - 1 && n->code != TFL_REDUCE_ANY && n->code != TFL_REDUCE_ALL;
	if (!*done || m->cx->code) return m->cx->code;
	int64_t v = p[0], count = cop_type_count(&x->type);
	for (int64_t i = 1; i < count && v == (int32_t)v; i++)
		v = n->code == TFL_SUM ? v + p[i] : n->code == TFL_REDUCE_PROD ? v * p[i] : n->code == TFL_REDUCE_MAX ? COP_MAX(v, p[i]) : COP_MIN(v, p[i]);
	if (v != (int32_t)v) return cop__tfl_fail(m, n, "of known numbers leaves 32 bits");
	int32_t *out = cop__tfl_room(m, 4);
	if (out) *out = (int32_t)v;
	return cop__tfl_know(m, n, 0, keep ? x->type.rank : 0, one, out);
}

/* Elements of one axis of a known operand, by indices that are known. */
cop_status cop__tfl_fold_gather(cop_tfl *m, const cop_tfl_node *n, int32_t axis, int32_t rank, const int32_t *dim, bool *done)
{
	cop_tfl_tensor *x = cop__tfl_in(m, n, 0), *at = cop__tfl_in(m, n, 1);
	const int32_t *index = whole(m, at);
	const char *p = cop__tfl_is(x, COP_I32) ? cop__tfl_data(m, x) : NULL;
	int64_t outer = 1, count = cop_type_count(&at->type), k = 0;
	size_t run = 4;

	*done = index && p;
	if (!*done || m->cx->code) return m->cx->code;
	int32_t d = x->type.dim[axis];
	for (int i = 0; i < x->type.rank; i++)
		if (i < axis) outer *= x->type.dim[i];
		else if (i > axis) run *= (size_t)x->type.dim[i];
	char *out = cop__tfl_room(m, run * (size_t)(outer * count));
	for (int64_t o = 0; out && o < outer; o++)
		for (int64_t i = 0; i < count; i++, k++) {
			if (index[i] < 0 || index[i] >= d) return cop__tfl_fail(m, n, "index %d is outside of %d", index[i], d);
			memcpy(out + (size_t)k * run, p + (size_t)(o * d + index[i]) * run, run);
		}
	return cop__tfl_know(m, n, 0, rank, dim, out);
}

/* ---- made of a few numbers ---- */

/* One number: a known operand, of either format. */
static cop_status number(cop_tfl *m, const cop_tfl_node *n, int i, double *v)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, i);
	const void *p = t ? cop__tfl_data(m, t) : NULL;

	COP_TRY(m->cx->code);
	if (!p || cop_type_count(&t->type) != 1 || (!cop__tfl_is(t, COP_F32) && !cop__tfl_is(t, COP_I32)))
		return cop__tfl_fail(m, n, "input %d must be one number that is known when the model is read", i);
	*v = cop__tfl_is(t, COP_F32) ? (double)*(const float *)p : (double)*(const int32_t *)p;
	return COP_OK;
}

cop_status cop__tfl_range(cop_tfl *m, const cop_tfl_node *n)
{
	bool real = cop__tfl_is(cop__tfl_out(m, n, 0), COP_F32);
	double from, to, by;

	COP_TRY(number(m, n, 0, &from));
	COP_TRY(number(m, n, 1, &to));
	COP_TRY(number(m, n, 2, &by));
	double steps = by > 0 || by < 0 ? ceil((to - from) / by) : -1;
	if (!(steps >= 1 && steps < 1e8)) return cop__tfl_fail(m, n, "from %g to %g by %g is empty, or too long", from, to, by);
	int32_t count = (int32_t)steps, *out = cop__tfl_room(m, 4 * (size_t)count);
	for (int32_t i = 0; out && i < count; i++) {
		if (real) ((float *)out)[i] = (float)(from + i * by);
		else out[i] = (int32_t)from + i * (int32_t)by;
	}
	return cop__tfl_know(m, n, 0, 1, &count, out);
}

cop_status cop__tfl_fill(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *v = cop__tfl_in(m, n, 1);
	const int32_t *dim;
	int32_t rank;
	int64_t count = 1;

	COP_TRY(cop__tfl_ints(m, n, 0, &dim, &rank));
	if (rank > COP_MAX_DIM) return cop__tfl_fail(m, n, "to %d dimensions, at most %d are supported", rank, COP_MAX_DIM);
	for (int i = 0; i < rank; i++)
		if (dim[i] < 1 || (count *= dim[i]) > INT32_MAX) return cop__tfl_fail(m, n, "dimension %d is %d, or there are 2^31 elements", i, dim[i]);
	if (!v || cop_type_count(&v->type) != 1) return cop__tfl_fail(m, n, "the value must be one number");
	const char *p = cop__tfl_data(m, v);
	if (!p) { /* it comes from the network */
		cop_vid x = cop__tfl_value(m, n, 1);
		return cop__tfl_set(m, n, 0, cop__make_expand(m->g, x, rank, dim));
	}
	size_t size = cop_type_bytes(&v->type);
	char *out = cop__tfl_room(m, size * (size_t)count);
	for (int64_t i = 0; out && i < count; i++) memcpy(out + (size_t)i * size, p, size);
	return cop__tfl_know(m, n, 0, rank, dim, out);
}

/* The shape that two shapes have in common. */
cop_status cop__tfl_broadcast_args(cop_tfl *m, const cop_tfl_node *n)
{
	const int32_t *v[2];
	int32_t count[2];
	cop_type t[2], both;

	for (int i = 0; i < 2; i++) {
		COP_TRY(cop__tfl_ints(m, n, i, &v[i], &count[i]));
		if (count[i] > COP_MAX_DIM) return cop__tfl_fail(m, n, "%d dimensions, at most %d are supported", count[i], COP_MAX_DIM);
		t[i] = cop__type(COP_I32, count[i], v[i]);
	}
	int32_t *out = cop__tfl_room(m, sizeof both.dim);
	if (!cop__tfl_common(&t[0], &t[1], &both)) return cop__tfl_fail(m, n, "the shapes do not fit together");
	if (out) memcpy(out, both.dim, sizeof both.dim);
	return cop__tfl_know(m, n, 0, 1, &both.rank, out);
}

cop_status cop__tfl_rank(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, 0);
	int32_t *out = cop__tfl_room(m, 4);

	if (!t) return cop__tfl_fail(m, n, "input 0 is missing");
	if (out) *out = t->type.rank;
	return cop__tfl_know(m, n, 0, 0, NULL, out);
}
