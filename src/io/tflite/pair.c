/* SPDX-License-Identifier: Apache-2.0
 *
 * pair - comparisons, logic, choices, and arithmetic of two operands that is not a sum or a product; functions of one
 * float that are one node.
 */
#include "io/tflite/tflite.h"
#include "op/qscale.h"

#include <math.h>

/* ---- comparisons ---- */

/* An int8 operand as TFLite compares it: 256 times its real value, rounded by a multiplier and a shift. A table of 32 bits;
 * the index of a negative byte counts from its end. */
static cop_vid level(cop_tfl *m, const cop_tfl_node *n, int i)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, i);
	cop_vid x = cop__tfl_value(m, n, i);
	int32_t table[256], zero, mult, shift;
	float scale;

	if (!x || !cop__tfl_is(t, COP_I8)) return x;
	if (cop__tfl_scale(m, n, t, &scale, &zero)) return 0;
	if (!(scale < 1)) return cop__tfl_fail(m, n, "tensor '%s' has scale %g; below 1 is supported", t->name, (double)scale), 0;
	cop__multiplier_double(&mult, &shift, (double)scale);
	for (int32_t q = -128; q < 128; q++) table[(uint8_t)q] = cop_scale_double((q - zero) * 256, mult, shift);
	return cop__make_gather(m->g, cop__make_ints(m->g, "levels", table, 256), x, 0);
}

cop_status cop__tfl_compare(cop_tfl *m, const cop_tfl_node *n)
{
	static const struct { int32_t code; int op; } rows[] = {{TFL_EQUAL, OP_equal}, {TFL_NOT_EQUAL, OP_equal}, {TFL_LESS, OP_less}, {TFL_LESS_EQUAL, OP_lessequal},
		{TFL_GREATER, OP_greater}, {TFL_GREATER_EQUAL, OP_greaterequal}};
	int op = OP_equal;
	bool done;

	COP_TRY(cop__tfl_fold_pair(m, n, &done));
	if (done) return COP_OK;
	for (int i = 0; i < LEN(rows); i++)
		if (rows[i].code == n->code) op = rows[i].op;
	cop_vid a = level(m, n, 0), b = a ? level(m, n, 1) : 0, y = cop__make_two(m->g, op, a, b);
	return cop__tfl_set(m, n, 0, n->code == TFL_NOT_EQUAL ? cop__make_map(m->g, MAP_NOT, 0, 0, y) : y);
}

cop_status cop__tfl_logic(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid a = cop__tfl_value(m, n, 0), b = a ? cop__tfl_value(m, n, 1) : 0;
	return b ? cop__tfl_set(m, n, 0, cop__make_two(m->g, n->code == TFL_LOGICAL_AND ? OP_and : OP_or, a, b)) : m->cx->code;
}

/* ---- choices ---- */

/* SELECT takes a condition for each entry of the first axis, SELECT_V2 broadcasts. */
cop_status cop__tfl_select(cop_tfl *m, const cop_tfl_node *n)
{
	int32_t dim[COP_MAX_DIM] = {1, 1, 1, 1, 1, 1};
	cop_vid v[3];
	bool done;

	COP_TRY(cop__tfl_fold_select(m, n, &done));
	if (done) return COP_OK;
	for (int i = 0; i < 3; i++)
		if (!(v[i] = cop__tfl_value(m, n, i))) return m->cx->code;
	const cop_type *c = cop__t(m->g, v[0]);
	if (c->dtype != COP_U8) return cop__tfl_fail(m, n, "the condition must be a truth value");
	int32_t rank = cop__t(m->g, v[1])->rank;
	if (n->code == TFL_SELECT && c->rank == 1 && rank > 1) {
		dim[0] = c->dim[0];
		v[0] = cop__make_reshape(m->g, v[0], rank, dim);
	}
	return cop__tfl_set(m, n, 0, cop__make_where(m->g, v[0], v[1], v[2]));
}

/* ---- arithmetic ---- */

/* Both operands in one of the formats F32 and I32. */
static cop_status operands(cop_tfl *m, const cop_tfl_node *n, cop_vid v[2], bool *real)
{
	for (int i = 0; i < 2; i++)
		if (!(v[i] = cop__tfl_value(m, n, i))) return m->cx->code;
	cop_dtype a = cop__t(m->g, v[0])->dtype, b = cop__t(m->g, v[1])->dtype;
	*real = a == COP_F32;
	if (a == b && (a == COP_F32 || a == COP_I32)) return COP_OK;
	return cop__tfl_fail(m, n, "of %s and %s; two of float32 or of int32 are supported", cop__dtype_text(a), cop__dtype_text(b));
}

cop_status cop__tfl_squared_difference(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *a = cop__tfl_in(m, n, 0), *b = cop__tfl_in(m, n, 1);
	cop_vid v[2];
	bool real;

	if (a && b && cop__tfl_is(a, COP_I8) && cop__tfl_is(b, COP_I8)) return cop__tfl_int_squared_difference(m, n);
	COP_TRY(operands(m, n, v, &real));
	cop_vid d = cop__make_two(m->g, OP_sub, v[0], v[1]);
	return cop__tfl_set(m, n, 0, cop__make_two(m->g, OP_mul, d, d));
}

/* The remainder with the sign of the divisor: fmod's, moved by one divisor where its sign is the other. */
static cop_vid floor_mod(cop_graph *g, cop_vid a, cop_vid b, bool real)
{
	cop_vid r = cop__make_two(g, OP_mod, a, b);

	if (!real) return r;
	cop_vid zero = cop__make_scalar(g, 0), some = cop__make_map(g, MAP_NOT, 0, 0, cop__make_two(g, OP_equal, r, zero));
	cop_vid differ = cop__make_two(g, OP_xor, cop__make_two(g, OP_less, r, zero), cop__make_two(g, OP_less, b, zero));
	return cop__make_where(g, cop__make_two(g, OP_and, some, differ), cop__make_two(g, OP_add, r, b), r);
}

cop_status cop__tfl_floor_divide(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid v[2], y;
	bool done, real;

	COP_TRY(cop__tfl_fold_pair(m, n, &done));
	if (done) return COP_OK;
	COP_TRY(operands(m, n, v, &real));
	if (n->code == TFL_FLOOR_MOD) y = floor_mod(m->g, v[0], v[1], real);
	else if (real) y = cop__make_map(m->g, MAP_FLOOR, 0, 0, cop__make_two(m->g, OP_div, v[0], v[1]));
	else y = cop__make_two(m->g, OP_div, cop__make_two(m->g, OP_sub, v[0], floor_mod(m->g, v[0], v[1], false)), v[1]);
	return cop__tfl_set(m, n, 0, y);
}

/* Whole numbers to a known power are products. */
static cop_status whole_power(cop_tfl *m, const cop_tfl_node *n, cop_vid x)
{
	const int32_t *k;
	int32_t count;

	COP_TRY(cop__tfl_ints(m, n, 1, &k, &count));
	if (count != 1 || *k < 1 || *k > 16) return cop__tfl_fail(m, n, "of whole numbers needs one exponent between 1 and 16");
	cop_vid y = x;
	for (int32_t i = 1; y && i < *k; i++) y = cop__make_two(m->g, OP_mul, y, x);
	return cop__tfl_set(m, n, 0, y);
}

cop_status cop__tfl_pow(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid v[2];
	bool real;

	COP_TRY(operands(m, n, v, &real));
	return real ? cop__tfl_set(m, n, 0, cop__make_two(m->g, OP_pow, v[0], v[1])) : whole_power(m, n, v[0]);
}

cop_status cop__tfl_add_n(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid y = cop__tfl_value(m, n, 0);

	if (y && cop__t(m->g, y)->dtype == COP_I8) return cop__tfl_fail(m, n, "is supported for floats and int32 only");
	for (uint32_t i = 1; y && i < n->in.n; i++) {
		cop_vid v = cop__tfl_value(m, n, (int)i);
		y = v ? cop__make_two(m->g, OP_add, y, v) : 0;
	}
	return cop__tfl_set(m, n, 0, y);
}

/* ---- of one operand ---- */

static float gelu(float x, bool by_tanh)
{
	if (by_tanh) return 0.5f * x * (1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
	return 0.5f * x * erfcf(x * -0.70710678f);
}

cop_status cop__tfl_gelu(cop_tfl *m, const cop_tfl_node *n)
{
	bool by_tanh = cop__fb_int(&n->options, GELU_APPROXIMATE, 1, 0);
	cop_vid x = cop__tfl_value(m, n, 0);
	int32_t zx, zy;
	int8_t table[256];
	float sx, sy;

	if (!x) return m->cx->code;
	if (cop__t(m->g, x)->dtype != COP_I8) return cop__tfl_set(m, n, 0, cop__make_gelu(m->g, x, by_tanh));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &sx, &zx));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &zy));
	float inverse = 1 / sy;
	for (int q = -128; q < 128; q++) {
		float y = roundf(gelu(sx * (float)(q - zx), by_tanh) * inverse) + (float)zy;
		table[(uint8_t)q] = (int8_t)(y >= 127 ? 127 : y >= -128 ? (int32_t)y : -128);
	}
	return cop__tfl_set(m, n, 0, cop__tfl_lut(m, n, "table", x, table, COP_I8));
}

/* Functions that are one node. */
cop_status cop__tfl_function(cop_tfl *m, const cop_tfl_node *n)
{
	static const struct { int32_t code; int fn; } rows[] = {{TFL_FLOOR, MAP_FLOOR}, {TFL_CEIL, MAP_CEIL},
		{TFL_ROUND, MAP_ROUND}, {TFL_SIN, MAP_SIN}, {TFL_COS, MAP_COS},
		{TFL_SIGN, MAP_SIGN}, {TFL_LOGICAL_NOT, MAP_NOT}};
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	cop_dtype d = cop__t(m->g, x)->dtype, want = n->code == TFL_LOGICAL_NOT ? COP_U8 : COP_F32;
	if (n->code == TFL_ZEROS_LIKE && d == COP_I32) return cop__tfl_set(m, n, 0, cop__make_two(m->g, OP_sub, x, x));
	if (d != want && !(n->code == TFL_SIGN && d == COP_I32))
		return cop__tfl_fail(m, n, "of %s is not supported, of %s it is", cop__dtype_text(d), cop__dtype_text(want));
	if (n->code == TFL_ZEROS_LIKE || n->code == TFL_RELU_0_TO_1) return cop__tfl_set(m, n, 0, cop__make_clip(m->g, x, 0, n->code == TFL_RELU_0_TO_1));
	for (int i = 0; i < LEN(rows); i++)
		if (rows[i].code == n->code) return cop__tfl_set(m, n, 0, cop__make_map(m->g, rows[i].fn, 0, 0, x));
	return cop__tfl_fail(m, n, "is not supported");
}
