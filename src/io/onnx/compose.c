/* SPDX-License-Identifier: Apache-2.0
 *
 * compose - operators that are a formula of others: functions of angles, tests of numbers, norms, rotary positions; and
 * matrices that follow from a shape.
 */
#include "io/onnx/onnx.h"

/* ---- element by element ---- */

static cop_vid fn(cop_ox *m, int f, cop_vid x) { return cop__ox_map(m, f, 0, 0, x); }
static cop_vid two(cop_ox *m, int op, cop_vid a, cop_vid b) { return cop__ox_two(m, op, a, b); }
static cop_vid by(cop_ox *m, int op, cop_vid a, float b) { return cop__ox_two_f(m, op, a, b); }
static cop_vid negative(cop_ox *m, cop_vid x) { return fn(m, MAP_NEG, x); }

static cop_vid tangent(cop_ox *m, cop_vid x) { return two(m, OP_div, fn(m, MAP_SIN, x), fn(m, MAP_COS, x)); }

static cop_vid sinh_of(cop_ox *m, cop_vid x)
{
	return by(m, OP_mul, two(m, OP_sub, fn(m, MAP_EXP, x), fn(m, MAP_EXP, negative(m, x))), 0.5f);
}

static cop_vid cosh_of(cop_ox *m, cop_vid x)
{
	return by(m, OP_mul, two(m, OP_add, fn(m, MAP_EXP, x), fn(m, MAP_EXP, negative(m, x))), 0.5f);
}

static cop_vid square(cop_ox *m, cop_vid x) { return two(m, OP_mul, x, x); }

static cop_vid asin_of(cop_ox *m, cop_vid x)
{
	return fn(m, MAP_ATAN, two(m, OP_div, x, fn(m, MAP_SQRT, by(m, OP_add, negative(m, square(m, x)), 1))));
}

static cop_vid acos_of(cop_ox *m, cop_vid x) { return by(m, OP_add, negative(m, asin_of(m, x)), 1.57079632679f); }

static cop_vid acosh_of(cop_ox *m, cop_vid x)
{
	return fn(m, MAP_LOG, two(m, OP_add, x, fn(m, MAP_SQRT, by(m, OP_add, square(m, x), -1))));
}

static cop_vid atanh_of(cop_ox *m, cop_vid x)
{
	return by(m, OP_mul, fn(m, MAP_LOG, two(m, OP_div, by(m, OP_add, x, 1), by(m, OP_add, negative(m, x), 1))), 0.5f);
}

static cop_vid asinh_of(cop_ox *m, cop_vid x)
{
	cop_vid a = fn(m, MAP_ABS, x);
	return two(m, OP_mul, fn(m, MAP_SIGN, x),
		fn(m, MAP_LOG, two(m, OP_add, a, fn(m, MAP_SQRT, by(m, OP_add, square(m, x), 1)))));
}

static const struct { const char *name; cop_vid (*of)(cop_ox *m, cop_vid x);
	} formulas[] = {{"Acos", acos_of}, {"Acosh", acosh_of}, {"Asin", asin_of}, {"Asinh", asinh_of},
	{"Atanh", atanh_of}, {"Cosh", cosh_of}, {"Sinh", sinh_of}, {"Tan", tangent}};

cop_status cop__ox_add_formula(cop_ox *m, cop_ox_node *n)
{
	cop_ox_layout l = cop__ox_prefers(cop__ox_in(m, n, 0));
	cop_vid x = cop__ox_float(m, n, 0, l), y = 0;

	for (int i = 0; i < LEN(formulas); i++)
		if (!strcmp(formulas[i].name, n->type)) y = formulas[i].of(m, x);
	return cop__ox_set(m, n, 0, y, l, 0);
}

cop_status cop__ox_add_is_nan(cop_ox *m, cop_ox_node *n)
{
	cop_ox_layout l = cop__ox_prefers(cop__ox_in(m, n, 0));
	cop_vid x = cop__ox_float(m, n, 0, l);

	return cop__ox_set(m, n, 0, fn(m, MAP_NOT, two(m, OP_equal, x, x)), l, OX_BOOL);
}

cop_status cop__ox_add_is_inf(cop_ox *m, cop_ox_node *n)
{
	cop_ox_layout l = cop__ox_prefers(cop__ox_in(m, n, 0));
	bool up = cop__ox_i(n, "detect_positive", 1) != 0, down = cop__ox_i(n, "detect_negative", 1) != 0;
	cop_vid x = cop__ox_float(m, n, 0, l);

	if (up && down) x = fn(m, MAP_ABS, x);
	if (!up) x = negative(m, x);
	cop_vid y = two(m, OP_equal, x, cop__ox_scalar(m, COP_NO_HI));
	return cop__ox_set(m, n, 0, up || down ? y : two(m, OP_less, x, x), l, OX_BOOL);
}

/* ---- norms ---- */

/* x over its norm along an axis; 0 stays 0. */
cop_status cop__ox_add_lp_norm(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t p = cop__ox_i(n, "p", 2);
	int32_t axis;

	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", -1), x->rank, &axis));
	if (p != 1 && p != 2) return cop__ox_fail(m, n, "p = %lld; 1 and 2 are supported", (long long)p);
	cop_ox_layout l = cop__ox_prefers(x);
	cop_vid v = cop__ox_float(m, n, 0, l);
	cop_vid sum = cop__ox_reduce(m, REDUCE_SUM, p == 1 ? fn(m, MAP_ABS, v) : square(m, v),
		1u << cop__ox_axis_in(axis, x->rank, l), true);
	if (p == 2) sum = fn(m, MAP_SQRT, sum);
	return cop__ox_set(m, n, 0,
		two(m, OP_div, v, cop__ox_where(m, two(m, OP_greater, sum, cop__ox_scalar(m, 0)), sum, cop__ox_scalar(m, 1))), l, 0);
}

/* ---- by shape ---- */

cop_status cop__ox_add_eye_like(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int32_t type = (int32_t)cop__ox_i(n, "dtype", x->type);
	int64_t k = cop__ox_i(n, "k", 0);

	if (x->rank != 2 || !cop__ox_dtype(type))
		return cop__ox_fail(m, n, "of %d dimensions, as %s, is not supported", x->rank, cop__ox_type_text(type));
	const cop_ox_value like = {.type = type};
	size_t size = cop__ox_size(&like);
	char *y = cop__ox_room(m, size * (size_t)cop__ox_count(x));
	for (int64_t i = 0; y && i < x->dim[0]; i++) {
		if (k < -INT32_MAX || k > INT32_MAX || i + k < 0 || i + k >= x->dim[1]) continue;
		char *at = y + size * (size_t)(i * x->dim[1] + i + k);
		if (size == 4) *(float *)(void *)at = 1;
		else *(int64_t *)(void *)at = 1;
	}
	return cop__ox_know(m, n, 0, type, 2, x->dim, y);
}

/* ---- rotary positions ---- */

/* The pairs that are turned: halves of the last axis, or neighbours on it; [..,size/2] each. */
static cop_vid part(cop_ox *m, cop_vid x, bool neighbours, int which)
{
	if (!x) return 0;
	cop_type t = *cop__t(m->g, x);
	int32_t half = t.dim[t.rank - 1] / 2, dim[COP_MAX_DIM];

	if (!neighbours) return cop__ox_slice(m, x, t.rank - 1, which * half, half, 1);
	memcpy(dim, t.dim, sizeof dim);
	dim[t.rank - 1] = half, dim[t.rank] = 2;
	x = cop__ox_slice(m, cop__ox_reshape(m, x, t.rank + 1, dim), t.rank, which, 1, 1);
	return cop__ox_reshape(m, x, t.rank, dim);
}

static cop_vid together(cop_ox *m, cop_vid a, cop_vid b, bool neighbours)
{
	if (!a || !b) return 0;
	cop_type t = *cop__t(m->g, a);
	int32_t dim[COP_MAX_DIM], pair[2] = {t.dim[t.rank - 1], 1};

	if (!neighbours) return cop__ox_concat(m, t.rank - 1, 2, (cop_vid[]){a, b});
	memcpy(dim, t.dim, sizeof dim);
	dim[t.rank] = pair[1];
	a = cop__ox_concat(m, t.rank, 2,
		(cop_vid[]){cop__ox_reshape(m, a, t.rank + 1, dim), cop__ox_reshape(m, b, t.rank + 1, dim)});
	dim[t.rank - 1] *= 2;
	return cop__ox_reshape(m, a, t.rank, dim);
}

/* Cosines or sines [batch,length,1,half]: rows of a table by positions, or as they are given for each. */
static cop_vid table_of(cop_ox *m, const cop_ox_node *n, int i, int at, const int32_t *dim, int32_t half)
{
	cop_ox_value *t = cop__ox_in(m, n, i), *p = cop__ox_in(m, n, at);
	cop_vid v = cop__ox_float(m, n, i, OX_PLAIN);
	const int32_t full[4] = {dim[0], dim[1], 1, half};

	if (!v) return 0;
	if (!t->rank || t->dim[t->rank - 1] != half)
		return cop__ox_fail(m, n, "input %d does not have %d entries, one for each pair", i, half), 0;
	if (p && p->data && cop__ox_count(p) == 1 && !strcmp(n->domain, "com.microsoft")) { /* where they begin */
		int64_t from = *(const int64_t *)p->data;
		if (t->rank != 2 || from < 0 || from + dim[1] > t->dim[0])
			return cop__ox_fail(m, n, "position %lld and %d more are outside of the table", (long long)from, dim[1]), 0;
		v = cop__ox_reshape(m, cop__ox_slice(m, v, 0, (int32_t)from, dim[1], 1), 4, DIMS(1, dim[1], 1, half));
		return cop__ox_expand(m, v, 4, full);
	}
	if (p) v = cop__ox_pick(m, v, cop__ox_get(m, n, at), 0, 3, full);
	if (v && cop_type_count(cop__t(m->g, v)) != (int64_t)dim[0] * dim[1] * half)
		return cop__ox_fail(m, n, "input %d does not fit the operand", i), 0;
	return cop__ox_reshape(m, v, 4, full);
}

static int32_t pairs_of(const cop_ox_value *t)
{
	return t->rank && t->dim[t->rank - 1] < 1 << 24 ? t->dim[t->rank - 1] : 0;
}

/* x [batch,heads,length,size], or [batch,length,heads size]. ONNX's has the tables before the positions, ONNX Runtime's
 * behind. */
cop_status cop__ox_add_rotary(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	bool own = !strcmp(n->domain, "com.microsoft"), near = cop__ox_i(n, "interleaved", 0) != 0;
	int64_t heads = x->rank == 4 ? x->dim[1] : cop__ox_i(n, "num_heads", 0),
		turned = cop__ox_i(n, "rotary_embedding_dim", 0);

	if (own && !heads && x->rank == 3 && !turned)
		heads = pairs_of(cop__ox_in(m, n, 2)) ? x->dim[2] / (2 * pairs_of(cop__ox_in(m, n, 2))) : 0;
	if (x->rank < 3 || x->rank > 4 || heads < 1 || heads > INT32_MAX || (x->rank == 3 && x->dim[2] % heads) ||
		cop__ox_f(n, "scale", 1) < 1 || cop__ox_f(n, "scale", 1) > 1)
		return cop__ox_fail(m, n, "%d dimensions, %lld heads, or a scale other than 1", x->rank, (long long)heads);
	int32_t size = x->rank == 4 ? x->dim[3] : x->dim[2] / (int32_t)heads,
		dim[4] = {x->dim[0], x->rank == 4 ? x->dim[2] : x->dim[1], (int32_t)heads, size};
	if (!turned) turned = size;
	if (turned < 2 || turned > size || turned % 2)
		return cop__ox_fail(m, n, "%lld of %d numbers cannot be turned in pairs", (long long)turned, size);
	cop_vid v = cop__ox_float(m, n, 0, OX_PLAIN), rest = 0;
	v = x->rank == 4 ? cop__ox_transpose(m, v, DIMS(0, 2, 1, 3)) : cop__ox_reshape(m, v, 4, dim);
	if (turned < size)
		rest = cop__ox_slice(m, v, 3, (int32_t)turned, size - (int32_t)turned, 1),
			v = cop__ox_slice(m, v, 3, 0, (int32_t)turned, 1);
	cop_vid c = table_of(m, n, own ? 2 : 1, own ? 1 : 3, dim, (int32_t)turned / 2),
		s = table_of(m, n, own ? 3 : 2, own ? 1 : 3, dim, (int32_t)turned / 2);
	cop_vid a = part(m, v, near, 0), b = part(m, v, near, 1);
	cop_vid re = two(m, OP_sub, two(m, OP_mul, a, c), two(m, OP_mul, b, s)),
		im = two(m, OP_add, two(m, OP_mul, a, s), two(m, OP_mul, b, c));
	cop_vid y = together(m, re, im, near);
	if (rest) y = cop__ox_concat(m, 3, 2, (cop_vid[]){y, rest});
	y = x->rank == 4 ? cop__ox_transpose(m, y, DIMS(0, 2, 1, 3)) : cop__ox_reshape(m, y, 3, x->dim);
	return cop__ox_set(m, n, 0, y, OX_PLAIN, 0);
}
