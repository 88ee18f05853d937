/* SPDX-License-Identifier: Apache-2.0
 *
 * tflite_product - products of two values of the network, matrix by matrix.
 */
#include "io/tflite.h"

cop_status cop__tfl_batch_matmul(cop_tfl *m, const cop_tfl_node *n)
{
	int ta = cop__fb_int(&n->options, MATMUL_ADJ_X, 1, 0) != 0, tb = cop__fb_int(&n->options, MATMUL_ADJ_Y, 1, 0) != 0;
	cop_vid a = cop__tfl_value(m, n, 0), b = a ? cop__tfl_value(m, n, 1) : 0;
	int32_t rank, dim[COP_MAX_DIM];

	if (!b) return m->cx->code;
	const cop_type *x = cop__t(m->g, a), *y = cop__t(m->g, b);
	if (x->dtype != COP_F32 || y->dtype != COP_F32) return cop__tfl_fail(m, n, "of %s and %s is not supported; of two of float32 it is", cop__dtype_text(x->dtype), cop__dtype_text(y->dtype));
	if (x->rank < 2 || y->rank < 2) return cop__tfl_fail(m, n, "needs matrices, '%s' or '%s' is none", cop__tfl_in(m, n, 0)->name, cop__tfl_in(m, n, 1)->name);
	int32_t left = x->dim[x->rank - 1 - ta], right = y->dim[y->rank - 2 + tb];
	if (left != right) return cop__tfl_fail(m, n, "sums over %d on the left and %d on the right", left, right);
	int at = cop__make_stack(x, y, &rank, dim);
	if (at >= 0) return cop__tfl_fail(m, n, "axis %d of the stacks of matrices has different lengths", at);
	return cop__tfl_set(m, n, 0, cop__make_product(m->g, a, b, ta, tb));
}
