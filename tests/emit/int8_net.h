/* SPDX-License-Identifier: Apache-2.0
 *
 * int8_net.h - a small network of every int8 operator, with random weights, in either rounding.
 */
#ifndef TESTS_EMIT_INT8_NET_H
#define TESTS_EMIT_INT8_NET_H

#include "pass/nets.h"

#include "op/qscale.h"

/* Of a hundred weights of the nets that are made next, so many are zero; the others take so many values, or, 0, any. */
static int int8_zeros, int8_values;
static int int8_most = 120; /* what results are clipped to; at 127 kernels scale sums in a faster way */
static int weight_bits = 8; /* 8, 4 or 2 */
/* They are 0 or powers of two, and layers are marked so: 1 or 2, 0: no. */
static int int8_shifts;

/* k x k, padded to keep the size at stride 1; multipliers bring the sums to about the range of a byte. */
static inline cop_vid qconv(cop_graph *g, cop_vid x, const char *name, int32_t out, int32_t k, int32_t stride, int32_t groups, bool twice)
{
	enum { MOST = 32 };
	int32_t p = k / 2, cg = cop__t(g, x)->dim[3] / groups, taps = k * k * cg, b[MOST], m[2 * MOST], up = 0;
	double real[MOST];
	char n[3][32];
	int8_t *w = malloc((size_t)(out * taps));
	cop_type wt = cop__type(COP_I8, 4, DIMS(out, k, k, cg)), bt = cop__type(COP_I32, 1, &out), mt = twice ? cop__type(COP_I32, 2, DIMS(2, out)) : bt;

	for (int i = 0; i < 3; i++) text_write(n[i], sizeof n[i], name, (const char *[]){".w", ".b", ".m"}[i]);
	for (int32_t i = 0; i < out * taps; i++) {
		uint32_t draw = cop__rand(5, cop__hash_text(name), (uint64_t)i);
		w[i] = (int8_t)(cop__rand(7, cop__hash_text(name), (uint64_t)i) % 100 < (uint32_t)int8_zeros ? 0
			: int8_shifts ? (1 << draw % 7) * (draw & 64 ? -1 : 1) : int8_values ? (int)(draw % (uint32_t)int8_values) - int8_values / 2 : (int)draw);
	}
	if (weight_bits < 8) { /* a row of channels begins at a whole byte */
		wt.dtype = weight_bits == 4 ? COP_I4 : COP_I2;
		int32_t bytes = (int32_t)cop_type_bytes(&wt);
		for (int32_t i = 0; i < bytes; i++) w[i] = (int8_t)(cop__rand(8, cop__hash_text(name), (uint64_t)i));
	}
	for (int32_t o = 0; o < out; o++) {
		b[o] = (int32_t)(cop__rand(6, cop__hash_text(name), (uint64_t)o) % 4001) - 2000;
		real[o] = (0.5 + 0.03 * (o % 11)) / ((weight_bits < 8 ? weight_bits - 1 : 50) * sqrt(taps));
		if (twice) cop__multiplier_double(&m[o], &m[out + o], real[o]);
	}
	if (!x) fail_msg("before %s: %s", name, cop_error_text(g->cx));
	if (!twice) assert_true(cop__multipliers_single(m, &up, real, out));
	cop_vid vw = cop__data(g, COP_CONST, n[0], &wt, w), vb = cop__data(g, COP_CONST, n[1], &bt, b), vm = cop__data(g, COP_CONST, n[2], &mt, m);
	free(w);
	return cop__apply(g, OP_qconv, &(cop_qconv_attr){stride, stride, p, p, p, p, 1, 1, groups, 3, -7, -128, int8_most, up, 0, int8_shifts}, VIDS(x, vw, vb, vm));
}

/* One to be trained further, by every operator that passes gradients on; its last layer is of floats. */
static inline cop_graph *trained_net(cop_ctx *cx, bool twice)
{
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 9, 7, 3)), wt = cop__type(COP_F32, 2, DIMS(4, 18));
	float w[4 * 18];
	cop_graph *g;

	for (int i = 0; i < LEN(w); i++) w[i] = cop__rand_unit(3, 1, (uint64_t)i) - 0.5f;
	OK(cx, cop__graph_new(&g, cx, "trained"));
	cop_vid x = qconv(g, cop__input(g, "x", &t), "c1", 8, 3, 1, 1, twice), y = qconv(g, x, "c2", 22, 1, 1, 1, twice);
	y = qconv(g, qconv(g, y, "dw", 22, 3, 1, 22, twice), "c3", 8, 1, 1, 1, twice);
	x = cop__apply(g, OP_qadd, &(cop_qadd_attr){-7, -7, 3, 1 << 19, 0, 1 << 19, 0, 0, 20, -128, 127, 0}, VIDS(x, y));
	x = qconv(g, x, "c4", 18, 3, 2, 2, twice);
	x = cop__apply(g, OP_qavgpool, &(cop_qavgpool_attr){5, 4, 1, 1, 0, 0, 0, 0, -7, -7, 0, 0, -128, 127}, VIDS(x));
	x = qconv(g, x, "fc", 18, 1, 1, 1, twice);
	x = cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.03f, -7}, VIDS(cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, 18}}, VIDS(x))));
	OK(cx, cop__output(g, cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, cop__data(g, COP_PARAM, "head.w", &wt, w))), "y"));
	return g;
}

/* The weights of c1 are used four times as often as the others. */
static inline cop_graph *few_net(cop_ctx *cx, bool twice)
{
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 24, 24, 16));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "few"));
	cop_vid x = qconv(g, cop__input(g, "x", &t), "c1", 32, 3, 2, 1, twice);
	x = qconv(g, x, "c2", 32, 3, 2, 1, twice);
	x = qconv(g, x, "c3", 18, 1, 1, 1, twice);
	x = cop__apply(g, OP_qavgpool, &(cop_qavgpool_attr){6, 6, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0, -128, 127}, VIDS(x));
	OK(cx, cop__output(g, qconv(g, x, "fc", 10, 1, 1, 1, twice), "y"));
	return g;
}

/* Of sparse weights: the fullest step is the first, and the second has less RAM free than its weights take. Both are results. */
static inline cop_graph *rows_net(cop_ctx *cx, bool twice)
{
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 6, 6, 16));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "rows"));
	int8_most = 127;
	cop_vid c = qconv(g, cop__input(g, "x", &t), "c1", 32, 3, 1, 1, twice);
	cop_vid f = qconv(g, cop__apply(g, OP_reshape, &(cop_shape_attr){4, {1, 1, 1, 6 * 6 * 32}}, VIDS(c)), "f1", 32, 1, 1, 1, twice);
	int8_most = 120;
	OK(cx, cop__output(g, f, "y"));
	OK(cx, cop__output(g, c, "z"));
	return g;
}

static inline cop_graph *int8_net(cop_ctx *cx, bool twice)
{
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 9, 8, 4)), lut = cop__type(COP_I8, 1, DIMS(256));
	int8_t table[256];
	cop_qadd_attr sum = {.za = -7, .zb = -7, .zy = 4, .qlo = -128, .qhi = 127};
	cop_graph *g;

	for (int i = 0; i < 256; i++) table[i] = (int8_t)(i * 37);
	cop__qadd_scales(&sum, 0.05, 0.02, 0.06, twice);
	OK(cx, cop__graph_new(&g, cx, twice ? "int8 twice" : "int8 single"));
	cop_vid x = cop__input(g, "x", &t);
	cop_vid a = qconv(g, x, "c1", 16, 3, 1, 1, twice);
	cop_vid d = qconv(g, a, "dw", 16, 3, 1, 16, twice);
	cop_vid p = qconv(g, d, "pw", 16, 1, 1, 1, twice);
	cop_vid s = cop__apply(g, OP_qadd, &sum, VIDS(a, p));
	s = cop__apply(g, OP_qmul, &(cop_qmul_attr){3, -2, 1, 1431655765, -5, -128, 127}, VIDS(s, d));
	s = cop__apply(g, OP_qlut, &(cop_qlut_attr){COP_I8}, VIDS(s, cop__data(g, COP_CONST, "table", &lut, table)));
	s = qconv(g, s, "c2", 12, 3, 2, 1, twice);
	s = cop__apply(g, OP_qavgpool, &(cop_qavgpool_attr){2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, -128, 127}, VIDS(s));
	s = cop__apply(g, OP_reshape, &(cop_shape_attr){4, {1, 1, 1, 2 * 2 * 12}}, VIDS(s));
	cop_vid y = qconv(g, s, "fc", 10, 1, 1, 1, twice);
	cop_qsoftmax_attr soft = cop__qsoftmax_scale(0.1, 1);
	cop_vid prob = cop__apply(g, OP_qsoftmax, &soft, VIDS(y));
	OK(cx, cop__output(g, prob, "prob"));
	OK(cx, cop__output(g, cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.1f, -7}, VIDS(y)), "y"));
	return g;
}

#endif
