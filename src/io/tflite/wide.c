/* SPDX-License-Identifier: Apache-2.0
 *
 * wide - int8 operators whose sums are formed in the network with 32 bits and rescaled: products of two values, squares of
 * differences, SVDF. Products of bytes are summed as floats where they stay below 2^24, so that every sum is exact.
 */
#include "io/tflite/tflite.h"
#include "op/qscale.h"

#include <stdio.h>

/* Elements of an int8 operand less its zero point, as whole numbers in floats. */
static cop_vid centred(cop_tfl *m, const cop_tfl_node *n, int i, float *scale)
{
	cop_vid x = cop__tfl_value(m, n, i);
	int32_t zero;

	if (!x || cop__tfl_scale(m, n, cop__tfl_in(m, n, i), scale, &zero)) return 0;
	return cop__apply(m->g, OP_dequantize, &(cop_dequantize_attr){1, zero}, VIDS(x));
}

/* Sums on another scale. */
static cop_vid rescale(cop_graph *g, cop_vid x, double real, int32_t zero, int32_t lo, int32_t hi, cop_dtype to)
{
	cop_qrescale_attr a = {.zero = zero, .qlo = lo, .qhi = hi, .to = (int32_t)to};

	cop__multiplier_double(&a.mult, &a.shift, real);
	return x ? cop__apply(g, OP_qrescale, &a, VIDS(x)) : 0;
}

enum { MOST_TERMS = 258 }; /* 258 * 255 * 255 < 2^24 */

cop_status cop__tfl_int_product(cop_tfl *m, const cop_tfl_node *n, int ta, int tb)
{
	int32_t rank, zero, dim[COP_MAX_DIM];
	float sa, sb, sy;
	cop_vid a = centred(m, n, 0, &sa), b = a ? centred(m, n, 1, &sb) : 0;

	if (!b) return m->cx->code;
	const cop_type *x = cop__t(m->g, a), *y = cop__t(m->g, b);
	if (x->rank < 2 || y->rank < 2) return cop__tfl_fail(m, n, "needs matrices");
	int32_t over = x->dim[x->rank - 1 - ta], under = y->dim[y->rank - 2 + tb];
	if (over != under) return cop__tfl_fail(m, n, "sums over %d on the left and %d on the right", over, under);
	if (over > MOST_TERMS)
		return cop__tfl_fail(m, n, "of two int8 values that the network computes sums over %d, at most %d are supported; a "
			"constant matrix on the right may have more", over, MOST_TERMS);
	if (cop__make_stack(x, y, &rank, dim) >= 0) return cop__tfl_fail(m, n, "the stacks of matrices have different lengths");
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &zero));
	cop_vid sum = cop__make_cast(m->g, cop__make_product(m->g, a, b, ta, tb), COP_I32);
	return cop__tfl_set(m, n, 0, rescale(m->g, sum, (double)(sa * sb) / (double)sy, zero, -128, 127, COP_I8));
}

/* Each operand on twice the larger scale with 7 bits more, their difference squared: as TFLite. */
cop_status cop__tfl_int_squared_difference(cop_tfl *m, const cop_tfl_node *n)
{
	float s[2], sy;
	int32_t zero;
	cop_vid v[2];

	for (int i = 0; i < 2; i++)
		if (!(v[i] = centred(m, n, i, &s[i]))) return m->cx->code;
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &zero));
	double twice = 2 * (double)COP_MAX(s[0], s[1]), real = twice * twice / ((double)((1 << 14)) * (double)sy);
	for (int i = 0; i < 2; i++) {
		v[i] = cop__make_cast(m->g, cop__make_two_f(m->g, OP_mul, v[i], 128), COP_I32);
		v[i] = rescale(m->g, v[i], (double)s[i] / twice, 0, INT32_MIN, INT32_MAX, COP_I32);
	}
	cop_vid d = cop__make_two(m->g, OP_sub, v[0], v[1]);
	return cop__tfl_set(m, n, 0, rescale(m->g, cop__make_two(m->g, OP_mul, d, d), real, zero, -128, 127, COP_I8));
}

/* ---- SVDF: answers of 16 bits are kept, in 32. TFLite leaves a fused relu to the zero point of the result. ---- */

/* int16 weights [filters,memory] as whole numbers. */
static cop_vid time_weights(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_tensor *w)
{
	int64_t count = cop_type_count(&w->type);
	cop_type t = cop__type(COP_I32, 2, w->type.dim);
	int32_t *out;

	if (w->file_type != TFL_INT16 || w->scales.n != 1 || w->bytes.n != 2 * (uint64_t)count)
		return cop__tfl_fail(m, n, "weights '%s' must be constant int16 with one scale", w->name), 0;
	if (!(out = cop__tfl_room(m, cop_type_bytes(&t)))) return 0;
	for (int64_t i = 0; i < count; i++) out[i] = (int16_t)(w->bytes.p[2 * i] | w->bytes.p[2 * i + 1] << 8);
	return cop__tfl_weight(m, n, COP_CONST, "over", &t, out);
}

static cop_vid feature_weights(cop_tfl *m, const cop_tfl_node *n, cop_tfl_tensor *w, float *scale)
{
	const int8_t *data = cop__tfl_data(m, w);
	int32_t zero;

	if (!data) return m->cx->code ? 0 : (cop__tfl_fail(m, n, "weights '%s' must be constant int8", w->name), 0);
	if (cop__tfl_scale(m, n, w, scale, &zero)) return 0;
	cop_type t = cop__type(COP_F32, 2, w->type.dim);
	float *out = cop__tfl_room(m, cop_type_bytes(&t));
	for (int64_t i = 0; out && i < cop_type_count(&t); i++) out[i] = (float)(data[i] - zero);
	return out ? cop__tfl_weight(m, n, COP_CONST, "w", &t, out) : 0;
}

cop_status cop__tfl_int_svdf(cop_tfl *m, const cop_tfl_node *n, int32_t rank)
{
	cop_tfl_tensor *wf = cop__tfl_in(m, n, 1), *wt = cop__tfl_in(m, n, 2), *kept = cop__tfl_in(m, n, 4);
	int32_t filters = wf->type.dim[0], length = wt->type.dim[1], zero;
	static const cop_act_attr open = {COP_NO_LO, COP_NO_HI};
	float sx, sw, sy, ss, st;
	char name[80];
	cop_graph *g = m->g;

	cop_vid x = centred(m, n, 0, &sx), w = x ? feature_weights(m, n, wf, &sw) : 0, over = w ? time_weights(m, n, wt) : 0, b = 0;
	if (!over) return m->cx->code;
	int32_t batch = cop__t(g, x)->dim[0];
	cop_type t = cop__type(COP_I32, 3, DIMS(batch, filters, length));
	if (wf->type.dim[1] > 2 * MOST_TERMS) return cop__tfl_fail(m, n, "sums over %d inputs, at most %d are supported in int8", wf->type.dim[1], 2 * MOST_TERMS);
	if (!kept || kept->file_type != TFL_INT16 || kept->scales.n != 1 || cop_type_count(&kept->type) != cop_type_count(&t))
		return cop__tfl_fail(m, n, "input 4 must be a variable of int16 with one scale");
	ss = cop__fb_vec_f32(&kept->scales, 0);
	st = cop__fb_vec_f32(&wt->scales, 0);
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &zero));
	if (!(ss > 0) || !(sx * sw / ss < 1 << 10) || !(ss * st / sy < 1 << 10)) return cop__tfl_fail(m, n, "scales are beyond what integers carry");
	COP_TRY(cop__tfl_spend(m, cop_type_bytes(&t)));
	snprintf(name, sizeof name, "svdf%d.memory", n->index);
	cop_vid state = cop__data(g, COP_STATE, name, &t, NULL);
	cop_vid answer = rescale(g, cop__make_cast(g, cop__apply(g, OP_fc, &open, VIDS(x, w)), COP_I32), (double)(sx * sw / ss), 0, INT16_MIN, INT16_MAX, COP_I32);
	cop_vid parts[2] = {length > 1 ? cop__make_slice(g, state, 2, 1, length - 1, 1) : 0, cop__make_reshape(g, answer, 3, DIMS(batch, filters, 1))};
	cop_vid now = length > 1 ? cop__make_concat(g, 2, 2, parts) : parts[1];
	if (!now || !cop__apply(g, OP_assign, NULL, VIDS(state, now))) return m->cx->code;
	cop_vid y = cop__make_reduce(g, REDUCE_SUM, cop__make_two(g, OP_mul, now, over), 4, false);
	y = cop__make_reduce(g, REDUCE_SUM, cop__make_reshape(g, y, 3, DIMS(batch, filters / rank, rank)), 4, false);
	if (cop__tfl_in(m, n, 3)) {
		if (!(b = cop__tfl_value(m, n, 3))) return m->cx->code;
		y = cop__make_two(g, OP_add, y, b);
	}
	return cop__tfl_set(m, n, 0, rescale(g, y, (double)(ss * st / sy), zero, -128, 127, COP_I8));
}
