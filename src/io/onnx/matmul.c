/* SPDX-License-Identifier: Apache-2.0
 *
 * matmul - products of matrices. A known matrix on the right is a fully connected layer, whose weights lie by output;
 * the bias behind it is taken in. The rest are products of two values of the network.
 */
#include "io/onnx/window.h"

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

/* x [n,in], w [out,in] */
static cop_vid fc(cop_ox *m, cop_vid x, cop_vid w, cop_vid b)
{
	return x && w ? cop__apply(m->g, OP_fc, &no_act, b ? 3 : 2, (const cop_vid[]){x, w, b}) : 0;
}

/* y = alpha a b + beta c, c broadcast over rows. */
cop_status cop__ox_add_gemm(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *a = cop__ox_in(m, n, 0), *b = cop__ox_in(m, n, 1), *c = cop__ox_in(m, n, 2);
	int ta = cop__ox_i(n, "transA", 0) != 0, tb = cop__ox_i(n, "transB", 0) != 0;
	float alpha = cop__ox_f(n, "alpha", 1), beta = cop__ox_f(n, "beta", 1);
	bool plain = !(alpha < 1 || alpha > 1 || beta < 1 || beta > 1);
	cop_vid bias = 0, y;

	if (a->rank != 2 || b->rank != 2 || a->dim[!ta] != b->dim[tb])
		return cop__ox_fail(m, n, "matrices of %dx%d and %dx%d do not fit", a->dim[0], a->dim[1], b->dim[0], b->dim[1]);
	int32_t out = b->dim[!tb];
	if (!a->data && b->data && plain && !ta) {
		bool row = c && c->data && cop__ox_count(c) == out && c->dim[c->rank - 1] == out;
		if (row) bias = cop__ox_bias(m, c, out);
		y = fc(m, cop__ox_float(m, n, 0, OX_PLAIN), cop__ox_rows(m, n, 1, tb ? OX_PLAIN : OX_TURNED), bias);
		if (row) c = NULL;
	} else {
		y = cop__ox_matmul(m, cop__ox_float(m, n, 0, OX_PLAIN), cop__ox_float(m, n, 1, OX_PLAIN), ta, tb);
		if (alpha < 1 || alpha > 1) y = cop__ox_two_f(m, OP_mul, y, alpha);
	}
	if (c && (beta < 0 || beta > 0)) {
		cop_vid add = cop__ox_float(m, n, 2, OX_PLAIN);
		if (beta < 1 || beta > 1) add = cop__ox_two_f(m, OP_mul, add, beta);
		y = cop__ox_two(m, OP_add, y, add);
	}
	return cop__ox_set(m, n, 0, y, OX_PLAIN, 0);
}

/* [..,k] times a known [k,out]: all rows at once. */
static cop_status by_weight(cop_ox *m, cop_ox_node *n, cop_ox_value *a, cop_ox_value *b)
{
	int32_t k = b->dim[0], out = b->dim[1], dim[OX_MAX_DIM];
	cop_vid bias = 0;
	cop_ox_node *behind = cop__ox_bias_behind(m, n, a->rank, a->rank - 1, out, &bias);
	cop_vid x = cop__ox_float(m, n, 0, OX_PLAIN);

	memcpy(dim, a->dim, sizeof dim);
	dim[a->rank - 1] = out;
	if (a->rank != 2) x = cop__ox_reshape(m, x, 2, DIMS((int32_t)(cop__ox_count(a) / k), k));
	cop_vid y = fc(m, x, cop__ox_rows(m, n, 1, OX_TURNED), bias);
	if (a->rank != 2) y = cop__ox_reshape(m, y, a->rank, dim);
	return cop__ox_finish(m, n, behind, y, OX_PLAIN);
}

/* [..,m,k] [..,k,n]: leading axes that differ are expanded to what they have in common. */
cop_vid cop__ox_product(cop_ox *m, const cop_ox_node *n, cop_vid a, cop_vid b)
{
	int32_t rank, dim[COP_MAX_DIM];

	if (!a || !b) return 0;
	int at = cop__make_stack(cop__t(m->g, a), cop__t(m->g, b), &rank, dim);
	if (at >= 0) return cop__ox_fail(m, n, "axis %d of the stacks of matrices has different lengths", at), 0;
	return cop__make_product(m->g, a, b, 0, 0);
}

/* A vector is a row on the left and a column on the right; its axis goes from the result. */
cop_vid cop__ox_product_any(cop_ox *m, const cop_ox_node *n, cop_vid a, cop_vid b)
{
	int32_t dim[6];

	if (!a || !b) return 0;
	cop_type ta = *cop__t(m->g, a), tb = *cop__t(m->g, b);
	if (!ta.rank || !tb.rank) return cop__ox_fail(m, n, "needs vectors or matrices"), 0;
	if (ta.rank == 1) a = cop__ox_reshape(m, a, 2, DIMS(1, ta.dim[0]));
	if (tb.rank == 1) b = cop__ox_reshape(m, b, 2, DIMS(tb.dim[0], 1));
	cop_vid y = cop__ox_product(m, n, a, b);
	if (!y || (ta.rank > 1 && tb.rank > 1)) return y;
	cop_type t = *cop__t(m->g, y);
	int rank = 0;
	for (int i = 0; i < t.rank; i++)
		if (!(ta.rank == 1 && i == t.rank - 2) && !(tb.rank == 1 && i == t.rank - 1)) dim[rank++] = t.dim[i];
	return cop__ox_reshape(m, y, rank, dim);
}

cop_status cop__ox_add_matmul(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *a = cop__ox_in(m, n, 0), *b = cop__ox_in(m, n, 1);

	if (a->rank && b->rank && a->dim[a->rank - 1] != b->dim[b->rank < 2 ? 0 : b->rank - 2])
		return cop__ox_fail(m, n, "sums over %d on the left and %d on the right", a->dim[a->rank - 1],
			b->dim[b->rank < 2 ? 0 : b->rank - 2]);
	if (!a->data && b->data && b->rank == 2 && a->rank >= 2 && cop__ox_count(a) && cop__ox_count(b))
		return by_weight(m, n, a, b);
	return cop__ox_set(m, n, 0,
		cop__ox_product_any(m, n, cop__ox_float(m, n, 0, OX_PLAIN), cop__ox_float(m, n, 1, OX_PLAIN)), OX_PLAIN, 0);
}
