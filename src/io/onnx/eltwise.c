/* SPDX-License-Identifier: Apache-2.0
 *
 * eltwise - element by element: functions of one operand, operators on two with broadcasting, choices. They keep the
 * layout their operands come in. Known operands are computed in fold.c.
 */
#include "io/onnx/onnx.h"

/* Operand i for a result of `rank` axes in layout l: what has fewer axes, and more than one element, is given units
 * first. */
static cop_vid operand(cop_ox *m, cop_ox_value *v, int32_t rank, cop_ox_layout l)
{
	cop_ox_value wide = *v;

	if (v->rank >= rank || l == OX_PLAIN || cop__ox_count(v) == 1)
		return cop__ox_as(m, v, cop__ox_count(v) == 1 && v->rank < rank ? OX_PLAIN : l);
	int32_t extra = rank - v->rank;
	wide = *v;
	wide.rank = rank;
	for (int i = 0; i < rank; i++) wide.dim[i] = i < extra ? 1 : v->dim[i - extra];
	memset(wide.v, 0, sizeof wide.v);
	if (!v->data) wide.v[OX_PLAIN] = cop__ox_reshape(m, cop__ox_as(m, v, OX_PLAIN), rank, wide.dim);
	return cop__ox_as(m, &wide, l);
}

/* LAST if an operand of full rank comes in it alone. */
static cop_ox_layout layout_of(cop_ox *m, const cop_ox_node *n, int32_t *rank)
{
	cop_ox_layout l = OX_PLAIN;

	*rank = 0;
	for (int i = 0; i < n->n_in; i++) {
		cop_ox_value *v = cop__ox_in(m, n, i);
		if (v) *rank = COP_MAX(*rank, v->rank);
	}
	for (int i = 0; i < n->n_in; i++) {
		cop_ox_value *v = cop__ox_in(m, n, i);
		if (v && !v->data && v->rank == *rank && v->rank > 2 && cop__ox_prefers(v) == OX_LAST) l = OX_LAST;
	}
	return l;
}

/* ---- one operand ---- */

static cop_vid selu(cop_ox *m, const cop_ox_node *n, cop_vid x)
{
	float gamma = cop__ox_f(n, "gamma", 1.05070102214813232421875f);
	return cop__ox_two_f(m, OP_mul, cop__ox_map(m, MAP_ELU, cop__ox_f(n, "alpha", 1.67326319217681884765625f), 0, x),
		gamma);
}

static cop_vid swish(cop_ox *m, const cop_ox_node *n, cop_vid x)
{
	float alpha = cop__ox_f(n, "alpha", 1);
	cop_vid s = alpha < 1 || alpha > 1 ? cop__ox_two_f(m, OP_mul, x, alpha) : x;
	return cop__ox_two(m, OP_mul, x, cop__apply(m->g, OP_sigmoid, NULL, VIDS(s)));
}

static cop_vid function_of(cop_ox *m, const cop_ox_node *n, int fn, cop_vid x)
{
	if (fn >= 0)
		return cop__ox_map(m, fn, cop__ox_f(n, "alpha", cop_functions[fn].alpha),
			cop__ox_f(n, "beta", cop_functions[fn].beta), x);
	if (!strcmp(n->type, "Relu")) return cop__ox_clip(m, x, 0, COP_NO_HI);
	if (!strcmp(n->type, "Selu")) return selu(m, n, x);
	if (!strcmp(n->type, "Swish")) return swish(m, n, x);
	return cop__apply(m->g, n->op->op, NULL, VIDS(x));
}

cop_status cop__ox_add_unary(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	cop_ox_layout l = cop__ox_prefers(x);
	cop_vid v = cop__ox_as(m, x, l);
	int fn = cop__function_find(n->type);
	bool whole = v && cop__t(m->g, v)->dtype != COP_F32, relu = !strcmp(n->type, "Relu");

	if (whole && !relu && (fn < 0 || !(cop_functions[fn].kind & (MAP_IS_WHOLE | MAP_IS_TRUTH))))
		return cop__ox_fail(m, n, "of whole numbers (%s) is not supported", cop__ox_type_text(x->type));
	if (whole && fn != MAP_NOT) v = cop__ox_widen(m, v);
	return cop__ox_set(m, n, 0, function_of(m, n, fn, v), l, 0);
}

cop_status cop__ox_add_gelu(cop_ox *m, cop_ox_node *n)
{
	cop_ox_layout l = cop__ox_prefers(cop__ox_in(m, n, 0));
	cop_vid x = cop__ox_float(m, n, 0, l);
	const char *how = cop__ox_s(m, n, "approximate", "none");

	if (!how) return COP_NOMEM;
	return cop__ox_set(m, n, 0, cop__make_gelu(m->g, x, !strcmp(how, "tanh")), l, 0);
}

/* 0 within +-lambd, else moved towards 0 by bias. */
cop_status cop__ox_add_shrink(cop_ox *m, cop_ox_node *n)
{
	cop_ox_layout l = cop__ox_prefers(cop__ox_in(m, n, 0));
	cop_vid x = cop__ox_float(m, n, 0, l);
	float lambd = cop__ox_f(n, "lambd", 0.5f), bias = cop__ox_f(n, "bias", 0);
	cop_vid up = cop__ox_two(m, OP_less, x, cop__ox_scalar(m, -lambd)),
		down = cop__ox_two(m, OP_greater, x, cop__ox_scalar(m, lambd));
	cop_vid zero = cop__ox_two_f(m, OP_mul, x, 0);
	cop_vid y = cop__ox_where(m, up, cop__ox_two_f(m, OP_add, x, bias),
		cop__ox_where(m, down, cop__ox_two_f(m, OP_sub, x, bias), zero));
	return cop__ox_set(m, n, 0, y, l, 0);
}

/* ---- bounds ---- */

static cop_status bound(cop_ox *m, cop_ox_node *n, int i, const char *name, float absent, float *v, bool *known)
{
	cop_ox_value *b = cop__ox_in(m, n, i);

	*v = cop__ox_f(n, name, absent);
	if (!b) return COP_OK;
	if (!b->data) *known = false;
	else if (cop__ox_count(b) != 1) return cop__ox_fail(m, n, "input %d must be one number", i);
	else *v = cop__ox_is_float(b->type) ? *(const float *)b->data : (float)*(const int64_t *)b->data;
	return m->cx->code;
}

cop_status cop__ox_add_clip(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	float lo, hi;
	bool fixed = true;

	COP_TRY(bound(m, n, 1, "min", COP_NO_LO, &lo, &fixed));
	COP_TRY(bound(m, n, 2, "max", COP_NO_HI, &hi, &fixed));
	cop_ox_layout l = cop__ox_prefers(x);
	cop_vid v = cop__ox_as(m, x, l);
	if (!v) return m->cx->code;
	if (fixed && cop__t(m->g, v)->dtype == COP_F32)
		return cop__ox_set(m, n, 0, cop__ox_clip(m, v, COP_MIN(lo, hi), hi), l, 0);
	if (!cop__ox_in(m, n, 1) && !cop__ox_in(m, n, 2)) return cop__ox_same(m, n, 0, x);
	if (cop__ox_in(m, n, 1)) v = cop__ox_two(m, OP_max, v, cop__ox_get(m, n, 1));
	if (cop__ox_in(m, n, 2)) v = cop__ox_two(m, OP_min, v, cop__ox_get(m, n, 2));
	return cop__ox_set(m, n, 0, v, l, 0);
}

/* ---- two operands ---- */

/* Before operator set 7 an operand was aligned by an attribute: units behind it do that. */
static cop_status old_broadcast(cop_ox *m, const cop_ox_node *n, cop_ox_value **second, cop_ox_value *wide)
{
	const cop_ox_value *a = cop__ox_in(m, n, 0);
	cop_ox_value *b = *second;
	int64_t axis = cop__ox_i(n, "axis", a->rank - b->rank);

	if (!cop__ox_i(n, "broadcast", 0) || cop__ox_count(b) == 1) return COP_OK;
	axis += axis < 0 ? a->rank : 0;
	int64_t behind = a->rank - axis - b->rank;
	if (axis < 0 || behind < 0)
		return cop__ox_fail(m, n, "the second operand does not fit the first from axis %lld on", (long long)axis);
	if (!behind) return COP_OK;
	*wide = *b;
	for (int64_t i = 0; i < behind; i++) wide->dim[wide->rank++] = 1;
	memset(wide->v, 0, sizeof wide->v);
	if (!b->data) wide->v[OX_PLAIN] = cop__ox_reshape(m, cop__ox_as(m, b, OX_PLAIN), wide->rank, wide->dim);
	*second = wide;
	return COP_OK;
}

/* x^n with whole n are products, of bases below 0 too. A whole base gives whole numbers: of a real exponent the power
 * is cut, of a whole one it is whole but for rounding. */
static cop_vid power(cop_ox *m, cop_ox_value *e, cop_vid a, cop_vid b)
{
	bool whole = a && cop__t(m->g, a)->dtype != COP_F32;
	float k = e->data && cop__ox_count(e) == 1 ? (cop__ox_is_float(e->type) ? *(const float *)e->data
		: (float)*(const int64_t *)e->data) : 0;

	if (!whole && k == 2.0f) return cop__ox_two(m, OP_mul, a, a);
	if (!whole && k == 0.5f) return cop__ox_map(m, MAP_SQRT, 0, 0, a);
	if (whole) a = cop__ox_cast(m, a, COP_F32);
	cop_vid y = cop__ox_two(m, OP_pow, a, cop__ox_cast(m, b, COP_F32));
	if (whole && !cop__ox_is_float(e->type)) y = cop__ox_map(m, MAP_ROUND, 0, 0, y);
	return whole ? cop__ox_cast(m, y, COP_I32) : y;
}

/* The remainder r of a division by b with the sign of b. */
static cop_vid as_divisor(cop_ox *m, cop_vid r, cop_vid b)
{
	cop_vid other = cop__ox_two(m, OP_less,
		cop__ox_two(m, OP_mul, cop__ox_map(m, MAP_SIGN, 0, 0, r), cop__ox_map(m, MAP_SIGN, 0, 0, b)), cop__ox_scalar(m, 0));
	return cop__ox_where(m, other, cop__ox_two(m, OP_add, r, b), r);
}

cop_status cop__ox_add_binary(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *a = cop__ox_in(m, n, 0), *b = cop__ox_in(m, n, 1), wide;
	int32_t rank;
	int op = n->op->op;
	cop_ox_layout l = layout_of(m, n, &rank);

	COP_TRY(old_broadcast(m, n, &b, &wide));
	if (op == OP_mod && !cop__ox_is_float(a->type) && cop__ox_i(n, "fmod", 0))
		return cop__ox_fail(m, n, "fmod=1 of whole numbers is not supported");
	cop_vid va = operand(m, a, rank, l), vb = operand(m, b, rank, l);
	cop_vid y = op == OP_pow ? power(m, b, va, vb) : cop__ox_two(m, op, va, vb);
	if (op == OP_mod && cop__ox_is_float(a->type) && !cop__ox_i(n, "fmod", 0)) y = as_divisor(m, y, vb);
	return cop__ox_set(m, n, 0, y, l, y && cop__t(m->g, y)->dtype == COP_U8 ? OX_BOOL : 0);
}

cop_status cop__ox_add_bitwise(cop_ox *m, cop_ox_node *n)
{
	return cop__ox_fail(m, n, "is computed of known whole numbers alone");
}

cop_status cop__ox_add_variadic(cop_ox *m, cop_ox_node *n)
{
	int32_t rank;
	int op = n->op->op ? n->op->op : OP_add; /* Sum, Mean */
	cop_ox_layout l = layout_of(m, n, &rank);
	cop_vid y = 0;

	for (int i = 0; i < n->n_in; i++) {
		if (!n->in[i]) return cop__ox_fail(m, n, "input %d is missing", i);
		cop_vid v = operand(m, cop__ox_in(m, n, i), rank, l);
		y = i ? cop__ox_two(m, op, y, v) : v;
	}
	if (!strcmp(n->type, "Mean") && n->n_in > 1) y = cop__ox_two_f(m, OP_mul, y, 1 / (float)n->n_in);
	return cop__ox_set(m, n, 0, y, l, 0);
}

cop_status cop__ox_add_where(cop_ox *m, cop_ox_node *n)
{
	int32_t rank;
	cop_ox_layout l = layout_of(m, n, &rank);
	cop_vid v[3];

	for (int i = 0; i < 3; i++) v[i] = operand(m, cop__ox_in(m, n, i), rank, l);
	return cop__ox_set(m, n, 0, cop__ox_where(m, v[0], v[1], v[2]), l, cop__ox_in(m, n, 1)->type);
}

/* max(x, 0) + slope min(x, 0) */
cop_status cop__ox_add_prelu(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), s;
	int32_t rank;
	cop_ox_layout l = layout_of(m, n, &rank);

	if (m->cx->code) return m->cx->code;
	s = *cop__ox_in(m, n, 1);
	cop_vid v = cop__ox_float(m, n, 0, l);
	if (s.data && cop__ox_count(&s) == 1)
		return cop__ox_set(m, n, 0, cop__ox_map(m, MAP_LEAKYRELU, *(const float *)s.data, 0, v), l, 0);
	if (m->opset < 7 && s.rank == 1 && x->rank > 2) { /* one a channel */
		memset(s.v, 0, sizeof s.v);
		if (!s.data) s.v[OX_PLAIN] = cop__ox_reshape(m, cop__ox_get(m, n, 1), x->rank - 1, DIMS(s.dim[0], 1, 1, 1, 1));
		while (s.rank < x->rank - 1) s.dim[s.rank++] = 1;
	}
	cop_vid below = cop__ox_two(m, OP_mul, cop__ox_clip(m, v, COP_NO_LO, 0), operand(m, &s, rank, l));
	return cop__ox_set(m, n, 0, cop__ox_two(m, OP_add, cop__ox_clip(m, v, 0, COP_NO_HI), below), l, 0);
}

/* ---- formats ---- */

cop_status cop__ox_add_cast(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *like = cop__ox_in(m, n, 1);
	int32_t to = like ? 0 : (int32_t)cop__ox_i(n, "to", 0);
	cop_ox_layout l = cop__ox_prefers(x);

	if (like) to = like->type;
	cop_dtype d = cop__ox_dtype(to);
	if (!d || to == OX_INT4 || to == OX_UINT4) return cop__ox_fail(m, n, "to %s is not supported", cop__ox_type_text(to));
	cop_vid v = cop__ox_as(m, x, l);
	if (v && to == OX_BOOL && x->type != OX_BOOL) { /* not equal to 0 */
		bool real = cop__t(m->g, v)->dtype == COP_F32;
		v = real ? v : cop__ox_cast(m, v, COP_F32);
		v = cop__ox_map(m, MAP_NOT, 0, 0, cop__ox_two(m, OP_equal, v, cop__ox_scalar(m, 0)));
	}
	return cop__ox_set(m, n, 0, cop__ox_cast(m, v, d), l, to);
}
