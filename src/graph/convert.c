/* SPDX-License-Identifier: Apache-2.0
 *
 * convert - numbers that go into a network and come out of it: floats where integers stand for reals, and the other way.
 */
#include "core/need.h"
#include "graph/graph.h"

#include <math.h>

static bool stands_for_reals(const cop_type *t)
{
	return t->q.scale && (t->dtype == COP_I8 || t->dtype == COP_U8 || t->dtype == COP_I16);
}

/* q = round(x / scale) + zero, ties away from zero, clamped: what the op quantize computes. */
static void quantize(const cop_tensor *to, const float *x, int64_t n)
{
	float scale = *to->type.q.scale;
	int32_t zero = *to->type.q.zero, lo = cop__dtype_least(to->type.dtype), hi = cop__dtype_most(to->type.dtype);

	for (int64_t i = 0; i < n; i++) {
		float q = roundf(x[i] / scale);
		int32_t v = (q > 1e5f ? 100000 : q > -1e5f ? (int32_t)q : -100000) + zero;
		v = COP_MIN(hi, COP_MAX(lo, v));
		if (to->type.dtype == COP_I16) ((int16_t *)to->data)[i] = (int16_t)v;
		else ((uint8_t *)to->data)[i] = (uint8_t)v;
	}
}

static void dequantize(float *y, const cop_tensor *from, int64_t n)
{
	float scale = *from->type.q.scale;
	int32_t zero = *from->type.q.zero;

	for (int64_t i = 0; i < n; i++) {
		int32_t q = from->type.dtype == COP_I16 ? ((const int16_t *)from->data)[i]
			: from->type.dtype == COP_I8 ? ((const int8_t *)from->data)[i] : ((const uint8_t *)from->data)[i];
		y[i] = scale * (float)(q - zero);
	}
}

cop_status cop_tensor_copy(cop_ctx *cx, const cop_tensor *to, const cop_tensor *from)
{
	COP_NEED(cx, to);
	COP_NEED(cx, from);
	COP_NEED(cx, to->data);
	COP_NEED(cx, from->data);
	int64_t n = cop_type_count(&to->type);
	cop_dtype a = to->type.dtype, b = from->type.dtype;

	if (to->type.enc != COP_DENSE || from->type.enc != COP_DENSE) return cop__error(cx, COP_ARG, "a tensor that is encoded cannot be copied element by element");
	if (n != cop_type_count(&from->type)) return cop__error(cx, COP_SHAPE, "%lld numbers cannot fill %lld", (long long)cop_type_count(&from->type), (long long)n);
	if (a == b) memcpy(to->data, from->data, cop_type_bytes(&to->type));
	else if (stands_for_reals(&to->type) && b == COP_F32) quantize(to, from->data, n);
	else if (stands_for_reals(&from->type) && a == COP_F32) dequantize(to->data, from, n);
	else return cop__error(cx, COP_ARG, "%s cannot be made of %s without a scale", cop__dtype_text(a), cop__dtype_text(b));
	return COP_OK;
}
