/* SPDX-License-Identifier: Apache-2.0
 *
 * scale - scales and zero points of int8 and int16 tensors, and what follows from them: bounds of activations, tables.
 * real = scale * (q - zero). Where TFLite computes in float or in double, so do we: a multiplier that differs in its last
 * bit is a result that differs now and then.
 */
#include "io/tflite/tflite.h"

#include <math.h>

static bool is_result(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_tensor *t)
{
	for (uint32_t i = 0; i < n->out.n; i++)
		if (cop__tfl_out(m, n, (int)i) == t) return true;
	return n->mid.n > 0; /* of an LSTM every scale is divided by */
}

cop_status cop__tfl_scale(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_tensor *t, float *scale, int32_t *zero)
{
	int64_t z = t->zeros.n ? cop__fb_vec_i64(&t->zeros, 0) : 0, middle = t->file_type == TFL_UINT8 ? 128 : 0;

	*scale = t->scales.n == 1 ? cop__fb_vec_f32(&t->scales, 0) : 0;
	if (t->scales.n != 1) return cop__tfl_fail(m, n, "tensor '%s' has %u scales, one positive number is expected", t->name, t->scales.n);
	if (!(*scale > 0) && !(*scale < 0) && is_result(m, n, t))
		return cop__tfl_fail(m, n, "tensor '%s' has scale 0: its numbers were all 0 in calibration, and nothing else can be "
			"stored in it; calibrate with inputs that reach it, or leave this layer in floats", t->name);
	if (!(*scale >= 0x1p-126f && *scale <= 0x1p126f) && !(*scale >= 0 && *scale <= 0)) /* so that reciprocals are numbers */
		return cop__tfl_fail(m, n, "tensor '%s' has scale %g, one of 2^-126 to 2^126 is expected", t->name, (double)*scale);
	if (cop__tfl_is(t, COP_I16) && z) return cop__tfl_fail(m, n, "tensor '%s' has zero point %lld; that of int16 must be 0", t->name, (long long)z);
	if (z < middle - 128 || z > middle + 127) return cop__tfl_fail(m, n, "tensor '%s' has zero point %lld, which is outside its range", t->name, (long long)z);
	*zero = (int32_t)(z - middle);
	return COP_OK;
}

cop_status cop__tfl_same_scale(cop_tfl *m, const cop_tfl_node *n, int i)
{
	const cop_tfl_tensor *x = cop__tfl_in(m, n, i), *y = cop__tfl_out(m, n, 0);
	int32_t zx, zy;
	float sx, sy;

	if (!x || !y || !cop__tfl_whole(x) || !x->scales.n || !y->scales.n) return COP_OK;
	COP_TRY(cop__tfl_scale(m, n, x, &sx, &zx));
	COP_TRY(cop__tfl_scale(m, n, y, &sy, &zy));
	if (!(sx < sy) && !(sx > sy) && zx == zy) return COP_OK;
	return cop__tfl_fail(m, n, "'%s' and '%s' must have the same scale and zero point; convert the model again", x->name, y->name);
}

static cop_status bounds(cop_tfl *m, const cop_tfl_node *n, int field, float *lo, float *hi, int32_t *act)
{
	*act = cop__fb_int(&n->options, field, 1, ACT_NONE);
	*lo = *act == ACT_RELU || *act == ACT_RELU6 ? 0 : *act == ACT_RELU_N1_TO_1 ? -1 : -INFINITY;
	*hi = *act == ACT_RELU6 ? 6 : *act == ACT_RELU_N1_TO_1 ? 1 : INFINITY;
	if (*act >= ACT_NONE && *act <= ACT_RELU6) return COP_OK;
	return cop__tfl_fail(m, n, "fused activation %d is not supported; none, relu, relu6 and relu between -1 and 1 are", *act);
}

cop_status cop__tfl_act(cop_tfl *m, const cop_tfl_node *n, int field, float *lo, float *hi)
{
	int32_t act;
	return bounds(m, n, field, lo, hi, &act);
}

static int32_t quantized(float real, float scale, int32_t zero)
{
	float q = roundf(real / scale);
	return q > 1e5f ? 100000 : q < -1e5f ? -100000 : (int32_t)q + zero;
}

cop_status cop__tfl_act_int(cop_tfl *m, const cop_tfl_node *n, int field, int32_t *lo, int32_t *hi)
{
	float scale, low, high;
	int32_t zero, act;

	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &scale, &zero));
	COP_TRY(bounds(m, n, field, &low, &high, &act));
	cop_dtype d = cop__tfl_is(cop__tfl_out(m, n, 0), COP_I16) ? COP_I16 : COP_I8;
	int32_t least = cop__dtype_least(d), most = cop__dtype_most(d);
	*lo = COP_MIN(most, COP_MAX(least, quantized(low, scale, zero)));
	*hi = COP_MAX(*lo, COP_MIN(most, quantized(high, scale, zero)));
	return COP_OK;
}

cop_vid cop__tfl_lut(cop_tfl *m, const cop_tfl_node *n, const char *what, cop_vid x, const int8_t *table, cop_dtype to)
{
	cop_type t = cop__type(COP_I8, 1, DIMS(256));
	cop_vid v = cop__tfl_weight(m, n, COP_CONST, what, &t, table);
	return cop__apply(m->g, OP_qlut, &(cop_qlut_attr){(int32_t)to}, VIDS(x, v));
}

cop_vid cop__tfl_hold(cop_tfl *m, const cop_tfl_node *n, cop_vid x, int32_t lo, int32_t hi)
{
	int8_t table[256];

	if (x && cop__t(m->g, x)->dtype == COP_I16) return cop__apply(m->g, OP_qrescale, &(cop_qrescale_attr){1 << 30, 1, 0, lo, hi, COP_I16}, VIDS(x));
	for (int q = -128; q < 128; q++) table[(uint8_t)q] = (int8_t)COP_MIN(hi, COP_MAX(lo, q));
	return cop__tfl_lut(m, n, "bounds", x, table, COP_I8);
}
