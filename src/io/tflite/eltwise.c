/* SPDX-License-Identifier: Apache-2.0
 *
 * eltwise - sums, products, functions of one number, softmax, and the way from and to floats. A function of one int8
 * number is a table, filled here with TFLite's own arithmetic.
 */
#include "io/tflite/tflite.h"
#include "op/qscale.h"

#include <math.h>

/* ---- two operands ---- */

static bool is_extreme(const cop_tfl_node *n) { return n->code == TFL_MAXIMUM || n->code == TFL_MINIMUM; }

/* An int8 constant repeated to shape `to`: the fast kernels of sums take operands that lie alike. */
static cop_vid spread(cop_tfl *m, const cop_tfl_node *n, const cop_type *t, const int8_t *data, const cop_type *to)
{
	int32_t step[COP_MAX_DIM], run = 1, off = to->rank - t->rank;
	cop_type out = cop__type(COP_I8, to->rank, to->dim);
	int8_t *p = cop__tfl_room(m, cop_type_bytes(&out));

	if (!p) return 0;
	for (int i = to->rank - 1; i >= 0; i--) {
		int32_t d = i < off ? 1 : t->dim[i - off];
		if (d != 1 && d != to->dim[i]) return cop__tfl_fail(m, n, "operands of lengths %d and %d on one axis", d, to->dim[i]), 0;
		step[i] = d == 1 ? 0 : run;
		run *= d;
	}
	for (int64_t e = 0; e < cop_type_count(&out); e++) {
		int64_t rest = e, at = 0;
		for (int i = to->rank - 1; i >= 0; rest /= to->dim[i--]) at += rest % to->dim[i] * step[i];
		p[e] = data[at];
	}
	return cop__tfl_weight(m, n, COP_CONST, "k", &out, p);
}

cop_status cop__tfl_bytes_pair(cop_tfl *m, const cop_tfl_node *n, cop_vid v[2])
{
	cop_tfl_tensor *t[2] = {cop__tfl_in(m, n, 0), cop__tfl_in(m, n, 1)};

	for (int i = 0; i < 2; i++)
		if (!t[i] || !cop__tfl_whole(t[i]) || t[i]->type.dtype != cop__tfl_out(m, n, 0)->type.dtype) return cop__tfl_fail(m, n, "operand %d must be of the other's number format", i);
	for (int i = 0; i < 2; i++) {
		const cop_type *one = &t[i]->type, *other = &t[!i]->type;
		const int8_t *data = (n->code != TFL_ADD && n->code != TFL_SUB) || cop__tfl_is(t[i], COP_I16) ? NULL : cop__tfl_data(m, t[i]);
		bool flat = data && one->rank <= other->rank && cop_type_count(one) < cop_type_count(other);
		v[i] = flat && !cop__tfl_data(m, t[!i]) ? spread(m, n, one, data, other) : cop__tfl_value(m, n, i);
		if (!v[i]) return m->cx->code;
	}
	return COP_OK;
}

/* Whole numbers of 32 bits held within the bounds of an activation. */
static cop_vid hold(cop_tfl *m, const cop_tfl_node *n, cop_vid x, const cop_act_attr *act)
{
	const cop_type one = cop__type(COP_I32, 1, DIMS(1));
	const int32_t lo = act->lo == COP_NO_LO ? INT32_MIN : (int32_t)act->lo, hi = act->hi == COP_NO_HI ? INT32_MAX : (int32_t)act->hi;

	if (x && lo > INT32_MIN) x = cop__apply(m->g, OP_max, NULL, VIDS(x, cop__tfl_weight(m, n, COP_CONST, "lo", &one, &lo)));
	return x && hi < INT32_MAX ? cop__apply(m->g, OP_min, NULL, VIDS(x, cop__tfl_weight(m, n, COP_CONST, "hi", &one, &hi))) : x;
}

/* Floats, and whole numbers of 32 bits, which have no fused activation here. */
static cop_status plain_pair(cop_tfl *m, const cop_tfl_node *n, int op)
{
	static const cop_act_attr open = {COP_NO_LO, COP_NO_HI};
	cop_act_attr act = open;
	cop_vid a = cop__tfl_value(m, n, 0), b = a ? cop__tfl_value(m, n, 1) : 0;

	if (!b) return m->cx->code;
	if (!is_extreme(n)) COP_TRY(cop__tfl_act(m, n, BINARY_ACT, &act.lo, &act.hi));
	if (cop__t(m->g, a)->dtype != COP_I32) return cop__tfl_set(m, n, 0, cop__apply(m->g, op, &act, VIDS(a, b)));
	return cop__tfl_set(m, n, 0, hold(m, n, cop__apply(m->g, op, &open, VIDS(a, b)), &act));
}

static bool is_whole(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *x = cop__tfl_in(m, n, 0);
	return x && cop__tfl_whole(x);
}

static bool is_power_of_two(float v)
{
	int exponent;
	return frexpf(v, &exponent) <= 0.5f;
}

cop_status cop__tfl_add(cop_tfl *m, const cop_tfl_node *n)
{
	cop_qadd_attr q = {0};
	float sa, sb, sy;
	cop_vid v[2];
	bool done;

	COP_TRY(cop__tfl_fold_pair(m, n, &done));
	if (done) return COP_OK;
	if (!is_whole(m, n)) return plain_pair(m, n, n->code == TFL_SUB ? OP_sub : OP_add);
	COP_TRY(cop__tfl_bytes_pair(m, n, v));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &sa, &q.za));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 1), &sb, &q.zb));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &q.zy));
	COP_TRY(cop__tfl_act_int(m, n, BINARY_ACT, &q.qlo, &q.qhi));
	bool shifts = cop__tfl_is(cop__tfl_in(m, n, 0), COP_I16) && cop__fb_int(&n->options, BINARY_POWERS, 1, 1);
	if (shifts && is_power_of_two(sa) && is_power_of_two(sb) && is_power_of_two(sy))
		return cop__tfl_fail(m, n, "all three scales are powers of two, for which TFLite adds int16 in another way; convert the model again with other samples");
	cop__qadd_scales(&q, (double)sa, (double)sb, (double)sy, true);
	if (n->code == TFL_SUB) q.mb = -q.mb;
	return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_qadd, &q, VIDS(v[0], v[1])));
}

cop_status cop__tfl_mul(cop_tfl *m, const cop_tfl_node *n)
{
	cop_qmul_attr q = {0};
	float sa, sb, sy;
	cop_vid v[2];
	bool done;

	COP_TRY(cop__tfl_fold_pair(m, n, &done));
	if (done) return COP_OK;
	if (!is_whole(m, n)) return plain_pair(m, n, OP_mul);
	COP_TRY(cop__tfl_bytes_pair(m, n, v));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &sa, &q.za));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 1), &sb, &q.zb));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &q.zy));
	COP_TRY(cop__tfl_act_int(m, n, BINARY_ACT, &q.qlo, &q.qhi));
	cop__multiplier_bytes(&q.my, &q.sy, (double)(sa * sb / sy));
	if (q.sy > 0 && cop__tfl_is(cop__tfl_in(m, n, 0), COP_I16)) return cop__tfl_fail(m, n, "the scale of its result is finer than that of the products");
	return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_qmul, &q, VIDS(v[0], v[1])));
}

/* TFLite compares the integers as they are: all three scales are one. */
static cop_status int_extreme(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid a = cop__tfl_value(m, n, 0), b = a ? cop__tfl_value(m, n, 1) : 0;

	if (!b) return m->cx->code;
	if (!is_extreme(n))
		return cop__tfl_fail(m, n,
			"is supported for floats and whole numbers of 32 bits, not for int8, int16 and uint8; leave it in floats when you convert");
	return cop__tfl_set(m, n, 0, cop__apply(m->g, n->code == TFL_MAXIMUM ? OP_max : OP_min, NULL, VIDS(a, b)));
}

cop_status cop__tfl_binary(cop_tfl *m, const cop_tfl_node *n)
{
	bool done;

	COP_TRY(cop__tfl_fold_pair(m, n, &done));
	if (done) return COP_OK;
	if (is_whole(m, n)) return int_extreme(m, n);
	return plain_pair(m, n, n->code == TFL_DIV ? OP_div : n->code == TFL_MAXIMUM ? OP_max : OP_min);
}

/* ---- from and to floats ---- */

/* int8 of one scale as int8 of another: a table. int16 as int8 or int16. */
static cop_status requantize(cop_tfl *m, const cop_tfl_node *n, cop_vid x)
{
	cop_dtype to = cop__tfl_out(m, n, 0)->type.dtype;
	int32_t zx, zy, mult, shift;
	int8_t table[256];
	float sx, sy;

	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &sx, &zx));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &zy));
	cop__multiplier_double(&mult, &shift, (double)sx / (double)sy);
	if (cop__t(m->g, x)->dtype == COP_I16)
		return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_qrescale, &(cop_qrescale_attr){mult, shift, zy, cop__dtype_least(to), cop__dtype_most(to), (int32_t)to}, VIDS(x)));
	if (to != COP_I8) return cop__tfl_fail(m, n, "int8 is not made int16; leave the input of this operator in floats");
	for (int q = -128; q < 128; q++) table[(uint8_t)q] = cop__rescale_byte(q - zx, zy, mult, shift);
	return cop__tfl_set(m, n, 0, cop__tfl_lut(m, n, "table", x, table, COP_I8));
}

cop_status cop__tfl_quantize(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *y = cop__tfl_out(m, n, 0);
	cop_quantize_attr q = {.to = (int32_t)y->type.dtype};
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	if (!cop__tfl_whole(y)) return cop__tfl_fail(m, n, "the result has tensor type %d; int8, int16 and uint8 are supported", y->file_type);
	if (cop__t(m->g, x)->dtype == COP_I8 || cop__t(m->g, x)->dtype == COP_I16) return requantize(m, n, x);
	COP_TRY(cop__tfl_scale(m, n, y, &q.scale, &q.zero));
	return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_quantize, &q, VIDS(x)));
}

/* A constant is converted here: float16 weights, or int8 weights of a float network. */
static cop_status dequantize_constant(cop_tfl *m, const cop_tfl_node *n, cop_tfl_tensor *x, const void *data)
{
	int64_t count = cop_type_count(&x->type);
	uint32_t per = x->scales.n;
	int64_t inner = 1;

	if (cop__tfl_is(x, COP_F32)) return cop__tfl_know(m, n, 0, x->type.rank, x->type.dim, data);
	if (!cop__tfl_is(x,
		COP_I8) || x->axis < 0 || (per > 1 && (x->axis >= x->type.rank || x->type.dim[x->axis] != (int32_t)per)) || !per ||
		(x->zeros.n > 1 && x->zeros.n != per))
		return cop__tfl_fail(m, n, "the scales of '%s' do not fit its shape", x->name);
	for (int i = x->axis + 1; i < x->type.rank; i++) inner *= x->type.dim[i];
	float *out = cop__tfl_room(m, 4 * (size_t)count);
	if (!out) return m->cx->code;
	for (int64_t i = 0; i < count; i++) {
		uint32_t at = per > 1 ? (uint32_t)(i / inner % per) : 0;
		int64_t zero = (x->zeros.n ? cop__fb_vec_i64(&x->zeros, x->zeros.n > 1 ? at : 0) : 0) - (x->file_type == TFL_UINT8 ? 128 : 0);
		out[i] = cop__fb_vec_f32(&x->scales, at) * (float)(((const int8_t *)data)[i] - zero);
	}
	return cop__tfl_know(m, n, 0, x->type.rank, x->type.dim, out);
}

cop_status cop__tfl_dequantize(cop_tfl *m, const cop_tfl_node *n)
{
	cop_dequantize_attr q;
	cop_tfl_tensor *x = cop__tfl_in(m, n, 0), *y = cop__tfl_out(m, n, 0);
	const void *data = x ? cop__tfl_data(m, x) : NULL;

	COP_TRY(m->cx->code);
	if (!cop__tfl_is(y, COP_F32)) return cop__tfl_fail(m, n, "the result has tensor type %d, float32 is expected", y->file_type);
	if (data) return dequantize_constant(m, n, x, data);
	cop_vid v = cop__tfl_value(m, n, 0);
	if (!v) return m->cx->code;
	if (!cop__tfl_whole(x)) return cop__tfl_fail(m, n, "the input has tensor type %d; int8, int16 and uint8 are supported", x->file_type);
	COP_TRY(cop__tfl_scale(m, n, x, &q.scale, &q.zero));
	return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_dequantize, &q, VIDS(v)));
}

/* ---- softmax ---- */

cop_vid cop__tfl_to_floats(cop_tfl *m, const cop_tfl_node *n, cop_vid x)
{
	cop_dequantize_attr q;

	if (cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &q.scale, &q.zero)) return 0;
	return cop__apply(m->g, OP_dequantize, &q, VIDS(x));
}

cop_status cop__tfl_from_floats(cop_tfl *m, const cop_tfl_node *n, cop_vid y)
{
	cop_quantize_attr q = {.to = COP_I16};

	if (!y) return m->cx->code;
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &q.scale, &q.zero));
	return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_quantize, &q, VIDS(y)));
}

cop_status cop__tfl_softmax(cop_tfl *m, const cop_tfl_node *n)
{
	float beta = n->code == TFL_LOG_SOFTMAX ? 1 : cop__fb_float(&n->options, SOFTMAX_BETA, 0), sx, sy;
	cop_vid x = cop__tfl_value(m, n, 0);
	cop_type one = cop__type(COP_F32, 1, DIMS(1));
	cop_act_attr open = {COP_NO_LO, COP_NO_HI};
	int32_t zx, zy;

	if (!x) return m->cx->code;
	if (!(beta > 0 && beta < 1e6f)) return cop__tfl_fail(m, n, "beta is %g, must be positive", (double)beta);
	bool wide = cop__tfl_is(cop__tfl_in(m, n, 0), COP_I16);
	if (wide && !(x = cop__tfl_to_floats(m, n, x))) return m->cx->code;
	if (wide || !is_whole(m, n)) {
		if (beta < 1 || beta > 1) x = cop__apply(m->g, OP_mul, &open, VIDS(x, cop__tfl_weight(m, n, COP_CONST, "beta", &one, &beta)));
		if (!x || !cop__t(m->g, x)->rank) return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "the input has no dimensions");
		x = n->code == TFL_LOG_SOFTMAX ? cop__make_log_softmax(m->g, x, cop__t(m->g, x)->rank - 1) : cop__apply(m->g, OP_softmax, NULL, VIDS(x));
		return wide ? cop__tfl_from_floats(m, n, x) : cop__tfl_set(m, n, 0, x);
	}
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &sx, &zx));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &zy));
	if (n->code == TFL_LOG_SOFTMAX) {
		cop_qlogsoftmax_attr l = cop__qlogsoftmax_scale((double)sx);
		if (fabsf(sy - 1.0f / 16) > 1e-4f || zy != 127) return cop__tfl_fail(m, n, "the result must have scale 1/16 and its largest number for 0");
		return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_qlogsoftmax, &l, VIDS(x)));
	}
	if (fabsf(sy - 1.0f / 256) > 1e-5f || zy != -128) return cop__tfl_fail(m, n, "the result must have scale 1/256 and its least number for 0");
	cop_qsoftmax_attr q = cop__qsoftmax_scale((double)sx, (double)beta);
	return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_qsoftmax, &q, VIDS(x)));
}
