/* SPDX-License-Identifier: Apache-2.0
 *
 * product - products of two values of the network, matrix by matrix. In int8, one with a constant matrix is a layer.
 */
#include "io/tflite/tflite.h"

/* x [..,k] by a constant matrix: a convolution over pixels of k channels. TFLite multiplies the scales as floats here. */
static cop_status int_form(cop_tfl *m, const cop_tfl_node *n, cop_vid x, bool turned)
{
	cop_tfl_layer l = {cop__tfl_in(m, n, 0), cop__tfl_in(m, n, 1), NULL, cop__tfl_out(m, n, 0), .kh = 1, .kw = 1, .groups = 1, .float_product = true};
	cop_type t = *cop__t(m->g, x);
	int32_t rank = l.w->type.rank, rows = l.w->type.dim[rank - 2], cols = l.w->type.dim[rank - 1];
	const int8_t *data = cop__tfl_data(m, l.w);
	cop_conv_attr a = {1, 1, .dh = 1, .dw = 1, .groups = 1};
	cop_tfl_tensor w = *l.w;
	cop_vid y;

	if (!data) return m->cx->code;
	l.o = turned ? rows : cols;
	l.c = turned ? cols : rows;
	if (t.rank < 2 || t.dim[t.rank - 1] != l.c) return cop__tfl_fail(m, n, "sums over %d on the left and %d on the right", t.rank ? t.dim[t.rank - 1] : 1, l.c);
	if (!turned) {
		int8_t *out = cop__tfl_room(m, (size_t)rows * (size_t)cols);
		for (int64_t i = 0; out && i < (int64_t)rows * cols; i++) out[i % cols * rows + i / cols] = data[i];
		if (!(w.data = out)) return m->cx->code;
	}
	l.w = &w;
	COP_TRY(cop__tfl_int_layer(m, n, &l, cop__tfl_as(m->g, x, 4, DIMS(-1, 1, 1, l.c)), &a, MATMUL_ACT, &y));
	t.dim[t.rank - 1] = l.o;
	return cop__tfl_set(m, n, 0, cop__tfl_as(m->g, y, t.rank, t.dim));
}

/* Constant, and no stack of matrices. */
static bool is_matrix(cop_tfl *m, cop_tfl_tensor *t)
{
	int32_t r = t->type.rank;
	return r >= 2 && cop__tfl_data(m, t) && cop_type_count(&t->type) == (int64_t)t->type.dim[r - 2] * t->type.dim[r - 1];
}

cop_status cop__tfl_batch_matmul(cop_tfl *m, const cop_tfl_node *n)
{
	int ta = cop__fb_int(&n->options, MATMUL_ADJ_X, 1, 0) != 0, tb = cop__fb_int(&n->options, MATMUL_ADJ_Y, 1, 0) != 0;
	cop_vid a = cop__tfl_value(m, n, 0), b;
	cop_tfl_tensor *right = cop__tfl_in(m, n, 1);
	int32_t rank, dim[COP_MAX_DIM];

	if (!a) return m->cx->code;
	if (right && cop__t(m->g, a)->dtype == COP_I8 && cop__tfl_is(right, COP_I8))
		return is_matrix(m, right) && !ta ? int_form(m, n, a, tb) : cop__tfl_int_product(m, n, ta, tb);
	if (!(b = cop__tfl_value(m, n, 1))) return m->cx->code;
	const cop_type *x = cop__t(m->g, a), *y = cop__t(m->g, b);
	if (x->dtype != COP_F32 || y->dtype != COP_F32)
		return cop__tfl_fail(m, n, "of %s and %s is not supported; of two of float32 it is", cop__dtype_text(x->dtype),
			cop__dtype_text(y->dtype));
	if (x->rank < 2 || y->rank < 2) return cop__tfl_fail(m, n, "needs matrices, '%s' or '%s' is none", cop__tfl_in(m, n, 0)->name, cop__tfl_in(m, n, 1)->name);
	int32_t over = x->dim[x->rank - 1 - ta], under = y->dim[y->rank - 2 + tb];
	if (over != under) return cop__tfl_fail(m, n, "sums over %d on the left and %d on the right", over, under);
	int at = cop__make_stack(x, y, &rank, dim);
	if (at >= 0) return cop__tfl_fail(m, n, "axis %d of the stacks of matrices has different lengths", at);
	return cop__tfl_set(m, n, 0, cop__make_product(m->g, a, b, ta, tb));
}
