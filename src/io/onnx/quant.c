/* SPDX-License-Identifier: Apache-2.0
 *
 * quant - quantised forms. Integers travel as bytes; between DequantizeLinear and QuantizeLinear the network computes
 * in floats, and QLinear operators do the same within: whole numbers in floats are exact up to 2^24. Rounding is
 * ONNX's, to even. What is known (weights, most scales) is computed while reading.
 */
#include "io/onnx/window.h"

#include <math.h>

static void limits(int32_t type, float *lo, float *hi)
{
	*lo = type == OX_INT8 ? -128 : type == OX_INT16 ? -32768 : 0;
	*hi = type == OX_INT8 ? 127 : type == OX_UINT8 ? 255 : type == OX_INT16 ? 32767 : 65535;
}

static bool storable(int32_t type)
{
	return type == OX_INT8 || type == OX_UINT8 || type == OX_INT16 || type == OX_UINT16;
}

/* A scale or zero point p as F32 that broadcasts with x [..]: one number, one an index of `axis`, or one a block along
 * it. */
static cop_vid spread(cop_ox *m, const cop_ox_node *n, cop_ox_value *p, const cop_ox_value *x)
{
	int32_t dim[OX_MAX_DIM], axis = 0;
	int64_t block = cop__ox_i(n, "block_size", 0);

	cop_vid v = cop__ox_cast(m, cop__ox_as(m, p, OX_PLAIN), COP_F32);
	if (cop__ox_count(p) == 1) return p->rank ? cop__ox_reshape(m, v, 0, dim) : v;
	if (cop__ox_axis(m, n, cop__ox_i(n, "axis", 1), x->rank, &axis)) return 0;
	if (!block) {
		if (p->rank != 1 || p->dim[0] != x->dim[axis])
			return cop__ox_fail(m, n, "a scale or zero point must be one number, or one for each index of axis %d", axis), 0;
		for (int i = 0; i < x->rank; i++) dim[i] = i == axis ? x->dim[i] : 1;
		return cop__ox_reshape(m, v, x->rank, dim);
	}
	if (p->rank != x->rank || block < 1 || block > INT32_MAX || x->rank == COP_MAX_DIM ||
		(int64_t)p->dim[axis] * block != x->dim[axis])
		return cop__ox_fail(m, n, "blocks of %lld do not divide axis %d", (long long)block, axis), 0;
	for (int i = 0, at = 0; i < p->rank; i++) {
		dim[at++] = p->dim[i];
		if (i == axis) dim[at++] = 1;
	}
	v = cop__ox_reshape(m, v, p->rank + 1, dim);
	dim[axis + 1] = (int32_t)block;
	v = cop__ox_expand(m, v, p->rank + 1, dim);
	return cop__ox_reshape(m, v, x->rank, x->dim);
}

/* round(x) + zero, clamped, as the format that is stored */
static cop_vid store(cop_ox *m, cop_vid scaled, cop_vid zero, int32_t type)
{
	float lo, hi;

	limits(type, &lo, &hi);
	cop_vid v = cop__ox_map(m, MAP_ROUND, 0, 0, scaled);
	if (zero) v = cop__ox_two(m, OP_add, v, zero);
	return cop__ox_cast(m, cop__ox_clip(m, v, lo, hi), cop__ox_dtype(type));
}

/* One known scale and zero point for all, of bytes: the graph's own operators take them. */
static bool one_step(cop_ox *m, const cop_ox_node *n, int32_t type, cop_quantize_attr *a)
{
	cop_ox_value *scale = cop__ox_in(m, n, 1), *zero = cop__ox_in(m, n, 2);
	float lo, hi;

	if ((type != OX_INT8 && type != OX_UINT8) || !cop__ox_known(m, scale) || !cop__ox_is_float(scale->type) ||
		cop__ox_count(scale) != 1) return false;
	if (zero && (!cop__ox_known(m, zero) || cop__ox_is_float(zero->type) || cop__ox_count(zero) != 1)) return false;
	limits(type, &lo, &hi);
	int64_t z = zero ? *(const int64_t *)zero->data : 0;
	*a = (cop_quantize_attr){*(const float *)scale->data, (int32_t)z, (int32_t)cop__ox_dtype(type)};
	return a->scale > 0 && a->scale < INFINITY && z >= (int64_t)lo && z <= (int64_t)hi;
}

cop_status cop__ox_add_quantize(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *zero = cop__ox_in(m, n, 2);
	int32_t type = (int32_t)cop__ox_i(n, "output_dtype", 0);

	if (!type) type = zero ? zero->type : OX_UINT8;
	if (!storable(type))
		return cop__ox_fail(m, n, "to %s is not supported; int8, uint8, int16 and uint16 are", cop__ox_type_text(type));
	cop_quantize_attr a;
	if (one_step(m, n, type, &a)) {
		cop_ox_layout l = cop__ox_prefers(x);
		cop_vid f = cop__ox_float(m, n, 0, l);
		return cop__ox_set(m, n, 0, f ? cop__apply(m->g, OP_quantize, &a, VIDS(f)) : 0, l, type);
	}
	cop_vid v = cop__ox_float(m, n, 0, OX_PLAIN), s = spread(m, n, cop__ox_in(m, n, 1), x),
		z = zero ? spread(m, n, zero, x) : 0;
	return cop__ox_set(m, n, 0, store(m, cop__ox_two(m, OP_div, v, s), z, type), OX_PLAIN, type);
}

/* ---- dequantize ---- */

/* The entry of a known scale or zero point for element i of x. */
static int64_t entry(const cop_ox_value *p, const cop_ox_value *x, int32_t axis, int64_t block, int64_t i)
{
	int64_t inner = 1;

	if (cop__ox_count(p) == 1) return 0;
	for (int k = axis + 1; k < x->rank; k++) inner *= x->dim[k];
	int64_t at = i / inner % x->dim[axis];
	return block ? (i / inner / x->dim[axis] * p->dim[axis] + at / block) * inner + i % inner : at;
}

static cop_status dequantize_known(cop_ox *m, const cop_ox_node *n, int32_t axis)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *scale = cop__ox_in(m, n, 1), *zero = cop__ox_in(m, n, 2);
	int64_t total = cop__ox_count(x), block = cop__ox_i(n, "block_size", 0);
	bool one = cop__ox_count(scale) == 1,
		narrow = !block && (x->type == OX_INT8 || x->type == OX_UINT8 || x->type == OX_INT4 || x->type == OX_UINT4);

	if (cop__ox_is_float(x->type) || !cop__ox_is_float(scale->type) ||
		(zero && (cop__ox_is_float(zero->type) || (cop__ox_count(zero) != 1 && cop__ox_count(zero) != cop__ox_count(scale)))))
		return cop__ox_fail(m, n, "needs whole numbers, real scales, and one zero point or as many");
	if (!one && (block ? block < 1 || scale->rank != x->rank || scale->dim[axis] * block != x->dim[axis] ||
		cop__ox_count(scale) * block != total : cop__ox_count(scale) != x->dim[axis]))
		return cop__ox_fail(m, n, "a scale must be one number, or one for each index or block of axis %d", axis);
	float *y = cop__ox_room(m, 4 * (size_t)total);
	for (int64_t i = 0; y && i < total; i++) {
		int64_t e = entry(scale, x, axis, block, i);
		int64_t q = ((const int64_t *)x->data)[i] - (zero ? ((const int64_t *)zero->data)[cop__ox_count(zero) == 1 ? 0 : e]
			: 0);
		y[i] = (float)q * ((const float *)scale->data)[e];
		narrow = narrow && q >= -128 && q <= 127 && ((const float *)scale->data)[e] > 0;
	}
	cop_ox_value *v = cop__ox_out(m, n, 0);
	if (v && narrow) v->step = scale->data, v->n_step = (int32_t)cop__ox_count(scale), v->step_axis = axis;
	return cop__ox_know(m, n, 0, OX_FLOAT, x->rank, x->dim, y);
}

cop_status cop__ox_add_dequantize(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *scale = cop__ox_in(m, n, 1), *zero = cop__ox_in(m, n, 2);
	bool all = x->data && scale->data && (!zero || zero->data);
	int32_t axis = 0;

	if (x->rank && cop__ox_count(scale) != 1) COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", 1), x->rank, &axis));
	if (all) return dequantize_known(m, n, axis);
	cop_quantize_attr a;
	if (one_step(m, n, x->type, &a)) {
		cop_ox_layout l = cop__ox_prefers(x);
		cop_vid b = cop__ox_as(m, x, l);
		if (b && cop__t(m->g, b)->dtype == (cop_dtype)a.to) /* and not wider, as arithmetic on bytes may be */
			return cop__ox_set(m, n, 0, cop__apply(m->g, OP_dequantize, &a, VIDS(b)), l, OX_FLOAT);
	}
	cop_vid v = cop__ox_cast(m, cop__ox_get(m, n, 0), COP_F32);
	if (zero) v = cop__ox_two(m, OP_sub, v, spread(m, n, zero, x));
	return cop__ox_set(m, n, 0, cop__ox_two(m, OP_mul, v, spread(m, n, scale, x)), OX_PLAIN, OX_FLOAT);
}

/* scale = (max(x,0) - min(x,0)) / 255, zero = round(-min / scale) */
cop_status cop__ox_add_dynamic_quantize(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);

	uint32_t all = (1u << x->rank) - 1;
	cop_vid v = cop__ox_float(m, n, 0, OX_PLAIN);
	cop_vid lo = cop__ox_clip(m, cop__ox_reduce(m, REDUCE_MIN, v, all, false), COP_NO_LO, 0),
		hi = cop__ox_clip(m, cop__ox_reduce(m, REDUCE_MAX, v, all, false), 0, COP_NO_HI);
	cop_vid scale = cop__ox_reshape(m, cop__ox_two_f(m, OP_div, cop__ox_two(m, OP_sub, hi, lo), 255), 0, NULL);
	cop_vid zero = cop__ox_clip(m,
		cop__ox_map(m, MAP_ROUND, 0, 0, cop__ox_map(m, MAP_NEG, 0, 0, cop__ox_two(m, OP_div, lo, scale))), 0, 255);
	zero = cop__ox_reshape(m, zero, 0, NULL);
	COP_TRY(cop__ox_set(m, n, 0, store(m, cop__ox_two(m, OP_div, v, scale), zero, OX_UINT8), OX_PLAIN, OX_UINT8));
	COP_TRY(cop__ox_set(m, n, 1, scale, OX_PLAIN, OX_FLOAT));
	return cop__ox_set(m, n, 2, cop__ox_cast(m, zero, COP_U8), OX_PLAIN, OX_UINT8);
}

/* ---- integer products, and the QLinear forms ---- */

/* Input i less its zero point (input z; one number, or one along `axis`), as floats. The operand becomes a value of the
 * reader. */
static cop_status centred(cop_ox *m, const cop_ox_node *n, int i, int z, int32_t axis, cop_ox_value *out)
{
	cop_ox_value *x = cop__ox_in(m, n, i), *zero = cop__ox_in(m, n, z);
	int32_t dim[OX_MAX_DIM];

	if (cop__ox_is_float(x->type) || (zero && cop__ox_is_float(zero->type)))
		return cop__ox_fail(m, n, "input %d and its zero point must be whole numbers", i);
	*out = *x;
	memset(out->v, 0, sizeof out->v);
	out->type = OX_FLOAT;
	if (x->data && (!zero || (zero->data && cop__ox_count(zero) == 1))) {
		int64_t total = cop__ox_count(x), zp = zero ? *(const int64_t *)zero->data : 0;
		float *y = cop__ox_room(m, 4 * (size_t)total);
		for (int64_t k = 0; y && k < total; k++) y[k] = (float)(((const int64_t *)x->data)[k] - zp);
		out->data = y;
		return y ? COP_OK : m->cx->code;
	}
	cop_vid v = cop__ox_cast(m, cop__ox_as(m, x, OX_PLAIN), COP_F32);
	if (zero) {
		cop_vid p = cop__ox_cast(m, cop__ox_as(m, zero, OX_PLAIN), COP_F32);
		if (cop__ox_count(zero) > 1 && zero->rank == 1) {
			for (int k = 0; k < x->rank; k++) dim[k] = k == axis ? zero->dim[0] : 1;
			p = cop__ox_reshape(m, p, x->rank, dim);
		}
		v = cop__ox_two(m, OP_sub, v, p);
	}
	out->data = NULL;
	out->tensor = NULL;
	out->v[OX_PLAIN] = v;
	return v ? COP_OK : m->cx->code;
}

/* A scale as a value that broadcasts with a result: along axis `axis` of `rank` when it has more than one entry. */
static cop_vid scale_along(cop_ox *m, const cop_ox_node *n, int i, int32_t axis, int32_t rank)
{
	cop_ox_value *s = cop__ox_in(m, n, i);
	int32_t dim[OX_MAX_DIM];
	cop_vid v = cop__ox_float(m, n, i, OX_PLAIN);

	if (!v || s->rank != 1) return v;
	if (s->dim[0] == 1) return cop__ox_reshape(m, v, 0, dim);
	for (int k = 0; k < rank; k++) dim[k] = k == axis ? s->dim[0] : 1;
	return cop__ox_reshape(m, v, rank, dim);
}

/* The sums of an integer convolution: inputs x, w and their zero points by number; LAST. */
static cop_vid conv_sums(cop_ox *m, cop_ox_node *n, int x, int zx, int w, int zw, int b)
{
	cop_ox_value operand[2], *bias = b >= 0 ? cop__ox_in(m, n, b) : NULL;
	cop_ox_window win;
	int32_t size[3];

	if (centred(m, n, x, zx, 0, &operand[0]) || centred(m, n, w, zw, 0, &operand[1])) return 0;
	cop_ox_value *vx = &operand[0], *vw = &operand[1];
	if (vx->rank != vw->rank || vx->rank < 3 || vx->rank > 4)
		return cop__ox_fail(m, n, "operand and weight must have 3 or 4 dimensions"), 0;
	for (int i = 0; i < vx->rank - 2; i++) size[i] = vw->dim[2 + i];
	int64_t groups = cop__ox_i(n, "group", 1);
	if (groups < 1 || groups > vx->dim[1] || cop__ox_window(m, n, vx, size, &win))
		return m->cx->code ? 0 : (cop__ox_fail(m, n, "%lld groups", (long long)groups), 0);
	cop_vid kernel = cop__ox_image(m, cop__ox_as(m, vw, OX_LAST)), sum = 0;
	if (bias) {
			sum = cop__ox_cast(m, cop__ox_as(m, bias, OX_PLAIN), COP_F32);
	}
	return cop__ox_conv(m, n, &win, cop__ox_as(m, vx, OX_LAST), kernel, sum, vx->rank, (int32_t)groups);
}

cop_status cop__ox_add_conv_integer(cop_ox *m, cop_ox_node *n)
{
	return cop__ox_set(m, n, 0, cop__ox_cast(m, conv_sums(m, n, 0, 2, 1, 3, -1), COP_I32), OX_LAST, OX_INT32);
}

/* sums * (sx sw / sy), stored in y's format. Operands: scales by number; axis: where sw's entries lie in the result. */
static cop_vid requantised(cop_ox *m, const cop_ox_node *n, cop_vid sums, int sx, int sw, int sy, int zy,
	int32_t axis_x, int32_t axis_w, int32_t rank, int32_t *type)
{
	cop_ox_value *zero = cop__ox_in(m, n, zy);

	if (!sums) return 0;
	*type = zero->type;
	if (!storable(*type))
		return cop__ox_fail(m, n, "to %s is not supported; int8 and uint8 are", cop__ox_type_text(*type)), 0;
	cop_vid s = cop__ox_two(m, OP_mul, scale_along(m, n, sx, axis_x, rank), scale_along(m, n, sw, axis_w, rank));
	s = cop__ox_two(m, OP_div, s, scale_along(m, n, sy, axis_x, rank));
	cop_vid z = cop__ox_cast(m, cop__ox_get(m, n, zy), COP_F32);
	return store(m, cop__ox_two(m, OP_mul, sums, s), z, *type);
}

/* x sx zx w sw zw sy zy b? */
cop_status cop__ox_add_qlinear_conv(cop_ox *m, cop_ox_node *n)
{
	cop_vid sums = conv_sums(m, n, 0, 2, 3, 5, 8);
	int32_t type = 0, rank = sums ? cop__t(m->g, sums)->rank : 0;
	cop_vid y = requantised(m, n, sums, 1, 4, 6, 7, -1, rank - 1, rank, &type);

	return cop__ox_set(m, n, 0, y, OX_LAST, type);
}

static cop_vid product_sums(cop_ox *m, const cop_ox_node *n, int a, int za, int b, int zb)
{
	cop_ox_value x, y;

	if (centred(m, n, a, za, cop__ox_in(m, n, a)->rank - 2, &x) || centred(m, n, b, zb, cop__ox_in(m, n, b)->rank - 1, &y))
		return 0;
	return cop__ox_product_any(m, n, cop__ox_as(m, &x, OX_PLAIN), cop__ox_as(m, &y, OX_PLAIN));
}

cop_status cop__ox_add_matmul_integer(cop_ox *m, cop_ox_node *n)
{
	return cop__ox_set(m, n, 0, cop__ox_cast(m, product_sums(m, n, 0, 2, 1, 3), COP_I32), OX_PLAIN, OX_INT32);
}

/* a sa za b sb zb sy zy */
cop_status cop__ox_add_qlinear_matmul(cop_ox *m, cop_ox_node *n)
{
	cop_vid sums = product_sums(m, n, 0, 2, 3, 5);
	int32_t type = 0, rank = sums ? cop__t(m->g, sums)->rank : 0;
	cop_vid y = requantised(m, n, sums, 1, 4, 6, 7, rank - 2, rank - 1, rank, &type);

	return cop__ox_set(m, n, 0, y, OX_PLAIN, type);
}
