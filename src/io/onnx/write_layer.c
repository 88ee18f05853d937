/* SPDX-License-Identifier: Apache-2.0
 *
 * write_layer - layers as nodes of ONNX: convolutions, products, pools, normalisation.
 */
#include "io/onnx/write.h"

typedef cop_oxw_name nm;

void cop__oxw_conv(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_conv_attr, a, w->g, n);
	nm x = cop__oxw_first(w, cop__oxw_in(w, n, 0), 4), k = cop__oxw_kernel(w, cop__arg(w->g, n, 1)), b = {""},
		raw = cop__oxw_fresh(w), y = cop__oxw_before_act(w, raw, a.lo, a.hi);

	if (cop__arg(w->g, n, 2)) b = cop__oxw_in(w, n, 2);
	cop__oxw_conv_attrs(w, &a);
	cop__oxw_node(w, "Conv", y.s, x.s, k.s, *b.s ? b.s : NULL);
	cop__oxw_after_act(w, raw, y, a.lo, a.hi);
	cop__oxw_last(w, cop__oxw_out(w, n), raw, 4);
}

/* The gradient of a convolution is the transposed one, over the same weight. */
void cop__oxw_conv_dx(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_conv_dx_attr, a, w->g, n);
	const cop_type *x = cop__oxw_in_type(w, n), *k = cop__in(w->g, n, 1);
	int64_t more[2] = {a.h - ((int64_t)(x->dim[1] - 1) * a.c.sh + (k->dim[1] - 1) * a.c.dh + 1 - a.c.pt - a.c.pb),
		a.w - ((int64_t)(x->dim[2] - 1) * a.c.sw + (k->dim[2] - 1) * a.c.dw + 1 - a.c.pl - a.c.pr)};
	nm first = cop__oxw_first(w, cop__oxw_in(w, n, 0), 4), kernel = cop__oxw_kernel(w, cop__arg(w->g, n, 1)),
		y = cop__oxw_fresh(w);

	cop__oxw_conv_attrs(w, &a.c);
	cop__oxw_attr_ints(w, "output_padding", more, 2);
	cop__oxw_node(w, "ConvTranspose", y.s, first.s, kernel.s, NULL);
	cop__oxw_last(w, cop__oxw_out(w, n), y, 4);
}

void cop__oxw_fc(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_act_attr, a, w->g, n);
	nm x = cop__oxw_in(w, n, 0), k = cop__oxw_in(w, n, 1), b = {""}, y = cop__oxw_out(w, n),
		raw = cop__oxw_before_act(w, y, a.lo, a.hi);

	if (cop__arg(w->g, n, 2)) b = cop__oxw_in(w, n, 2);
	cop__oxw_attr_i(w, "transB", 1);
	cop__oxw_node(w, "Gemm", raw.s, x.s, k.s, *b.s ? b.s : NULL);
	cop__oxw_after_act(w, y, raw, a.lo, a.hi);
}

static nm turned(cop_oxw *w, cop_nid n, int i, bool turn)
{
	int rank = cop__in(w->g, n, i)->rank;
	int64_t perm[COP_MAX_DIM];
	nm x = cop__oxw_in(w, n, i), y;

	if (!turn) return x;
	for (int k = 0; k < rank; k++) perm[k] = k < rank - 2 ? k : 2 * rank - 3 - k;
	y = cop__oxw_fresh(w);
	cop__oxw_permute(w, y.s, x.s, rank, perm);
	return y;
}

void cop__oxw_matmul(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_matmul_attr, t, w->g, n);
	nm a = turned(w, n, 0, t.ta), b = turned(w, n, 1, t.tb);
	cop__oxw_node(w, "MatMul", cop__oxw_out(w, n).s, a.s, b.s, NULL);
}

void cop__oxw_pool(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_pool_attr, p, w->g, n);
	bool max = w->g->node[n].op == OP_maxpool;
	nm x = cop__oxw_first(w, cop__oxw_in(w, n, 0), 4), y = cop__oxw_fresh(w);

	cop__oxw_attr_ints(w, "kernel_shape", (const int64_t[]){p.kh, p.kw}, 2);
	cop__oxw_attr_ints(w, "strides", (const int64_t[]){p.sh, p.sw}, 2);
	cop__oxw_attr_ints(w, "pads", (const int64_t[]){p.pt, p.pl, p.pb, p.pr}, 4);
	if (!max) cop__oxw_attr_i(w, "count_include_pad", p.count_pads != 0);
	cop__oxw_node(w, max ? "MaxPool" : "AveragePool", y.s, x.s, NULL, NULL);
	cop__oxw_last(w, cop__oxw_out(w, n), y, 4);
}

/* (x - mean) gamma / sqrt(var + eps) + beta: over the last axis no transposition is needed. */
void cop__oxw_bn(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_bn_attr, a, w->g, n);
	nm x = cop__oxw_in(w, n, 0), gamma = cop__oxw_in(w, n, 1), beta = cop__oxw_in(w, n, 2), mean = cop__oxw_in(w, n, 3),
		var = cop__oxw_in(w, n, 4), eps = cop__oxw_float(w, a.eps);
	nm low = cop__oxw_fresh(w), sum = cop__oxw_fresh(w), dev = cop__oxw_fresh(w), scale = cop__oxw_fresh(w),
		scaled = cop__oxw_fresh(w), y = cop__oxw_out(w, n), raw = cop__oxw_before_act(w, y, a.lo, a.hi);

	cop__oxw_node(w, "Add", sum.s, var.s, eps.s, NULL);
	cop__oxw_node(w, "Sqrt", dev.s, sum.s, NULL, NULL);
	cop__oxw_node(w, "Div", scale.s, gamma.s, dev.s, NULL);
	cop__oxw_node(w, "Sub", low.s, x.s, mean.s, NULL);
	cop__oxw_node(w, "Mul", scaled.s, low.s, scale.s, NULL);
	cop__oxw_node(w, "Add", raw.s, scaled.s, beta.s, NULL);
	cop__oxw_after_act(w, y, raw, a.lo, a.hi);
}

void cop__oxw_layernorm(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_layernorm_attr, a, w->g, n);
	nm x = cop__oxw_in(w, n, 0), eps = cop__oxw_float(w, a.eps), low = x, y = cop__oxw_out(w, n),
		last = cop__oxw_ints(w, (const int64_t[]){-1}, 1), part[6];
	int parts = 0;

	for (int i = 0; i < LEN(part); i++) part[i] = cop__oxw_fresh(w);
	if (!a.rms) {
		nm mean = part[parts++];
		cop__oxw_node(w, "ReduceMean", mean.s, x.s, last.s, NULL);
		low = part[parts++];
		cop__oxw_node(w, "Sub", low.s, x.s, mean.s, NULL);
	}
	nm square = part[parts++], var = cop__oxw_fresh(w), dev = cop__oxw_fresh(w), sum = cop__oxw_fresh(w),
		now = cop__oxw_fresh(w);
	cop__oxw_node(w, "Mul", square.s, low.s, low.s, NULL);
	cop__oxw_node(w, "ReduceMean", var.s, square.s, last.s, NULL);
	cop__oxw_node(w, "Add", sum.s, var.s, eps.s, NULL);
	cop__oxw_node(w, "Sqrt", dev.s, sum.s, NULL, NULL);
	cop__oxw_node(w, "Div", now.s, low.s, dev.s, NULL);
	for (int i = 1; i < 3; i++) {
		if (!cop__arg(w->g, n, i)) continue;
		nm p = cop__oxw_in(w, n, i), next = cop__oxw_fresh(w);
		cop__oxw_node(w, i == 1 ? "Mul" : "Add", next.s, now.s, p.s, NULL);
		now = next;
	}
	cop__oxw_node(w, "Identity", y.s, now.s, NULL, NULL);
}

void cop__oxw_lrn(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_lrn_attr, a, w->g, n);
	int rank = cop__oxw_in_type(w, n)->rank;

	if (rank < 2) {
		cop__fail(w->g, COP_ARG, n, "has no form in ONNX: it takes two dimensions or more there");
		return;
	}
	nm x = cop__oxw_first(w, cop__oxw_in(w, n, 0), rank), y = cop__oxw_fresh(w);
	cop__oxw_attr_i(w, "size", a.size);
	cop__oxw_attr_f(w, "alpha", a.alpha);
	cop__oxw_attr_f(w, "beta", a.beta);
	cop__oxw_attr_f(w, "bias", a.k);
	cop__oxw_node(w, "LRN", y.s, x.s, NULL, NULL);
	cop__oxw_last(w, cop__oxw_out(w, n), y, rank);
}
