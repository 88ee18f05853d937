/* SPDX-License-Identifier: Apache-2.0
 *
 * qeltwise - sums, products and tables of int8 and int16, softmax of int8, and the way from and to floats. The numbers are defined in
 * kernel/kernel.h; scales and zero points are attributes, so that no kernel looks at a type.
 */
#include "op/axes.h"
#include "op/qtrain.h"

cop_status cop__q_need(const cop_graph *g, cop_nid n, int i, int32_t rank)
{
	return cop__need(g, n, i, cop__in(g, n, i)->dtype == COP_I16 ? COP_I16 : COP_I8, rank);
}

cop_status cop__q_bounds(const cop_graph *g, cop_nid n, int32_t zero, int32_t lo, int32_t hi)
{
	cop_dtype d = cop__in(g, n, 0)->dtype == COP_I16 ? COP_I16 : COP_I8;
	int32_t least = cop__dtype_least(d), most = cop__dtype_most(d);

	if (d == COP_I16 && zero) return cop__fail(g, COP_ARG, n, "zero point %d: those of i16 must be 0", zero);
	if (zero >= least && zero <= most && lo >= least && hi <= most && lo <= hi) return COP_OK;
	return cop__fail(g, COP_ARG, n, "zero point %d and bounds %d to %d must lie within %d to %d", zero, lo, hi, least, most);
}

/* Two operands of one format; the shape of the result. */
static cop_status pair_infer(cop_graph *g, cop_nid n, int32_t *rank, int32_t dim[COP_MAX_DIM])
{
	COP_TRY(cop__q_need(g, n, 0, -1));
	COP_TRY(cop__need(g, n, 1, cop__in(g, n, 0)->dtype, -1));
	return cop__broadcast(g, n, rank, dim);
}

static cop_vid input_of(cop_graph *g, const char *name, cop_dtype d, int32_t rank, const int32_t *dim)
{
	cop_type t = cop__type(d, rank, dim);
	return cop__input(g, name, &t);
}

/* The words of operands that broadcast; returns how many: one where they lie alike. */
static int shape_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *a = cop__in(g, n, 0), *b = cop__in(g, n, 1), *y = cop__outt(g, n, 0);

	k[QB_RANK] = 0;
	if (cop_type_count(a) == cop_type_count(y) && cop_type_count(b) == cop_type_count(y)) return QB_DIM;
	memset(k, 0, QB_WORDS * sizeof *k);
	memcpy(k + QB_DIM, y->dim, sizeof y->dim);
	cop__broadcast_strides(k + QB_A, a, y->rank, y->dim);
	cop__broadcast_strides(k + QB_B, b, y->rank, y->dim);
	k[QB_RANK] = cop__merge_axes(y->rank, k + QB_DIM, k + QB_A, k + QB_B);
	return QB_WORDS;
}

/* The axes of input 0 go through. */
static int first_links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	return cop__link_aligned(l, 0, max, g, cop__arg(g, n, 0), cop__res(g, n, 0));
}

/* ---- qadd ---- */

static cop_status add_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qadd_attr, a, g, n);
	int32_t rank, dim[COP_MAX_DIM];

	COP_TRY(pair_infer(g, n, &rank, dim));
	COP_TRY(cop__q_bounds(g, n, a.za, a.qlo, a.qhi));
	COP_TRY(cop__q_bounds(g, n, a.zb, a.qlo, a.qhi));
	COP_TRY(cop__q_bounds(g, n, a.zy, a.qlo, a.qhi));
	int32_t most = 1 << 22;
	if (a.exact ? a.sa > 10 || a.sa < -31 || a.sb > 10 || a.sb < -31 || a.sy > 31 || a.sy < -31 : a.sy < 1 || a.sy > 31 ||
		a.ma >= most || a.ma <= -most || a.mb >= most || a.mb <= -most)
		return cop__fail(g, COP_ARG, n, "multipliers %d, %d and shifts %d, %d, %d are out of range", a.ma, a.mb, a.sa, a.sb,
			a.sy);
	return cop__set_out(g, n, 0, cop__in(g, n, 0)->dtype, rank, dim);
}

static int add_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qadd_attr, a, g, n);
	const int32_t all[QA_WORDS] = {[QA_COUNT] = cop__count32(cop__outt(g, n, 0)), [QA_ZA] = a.za, [QA_ZB] = a.zb,
		[QA_ZY] = a.zy, [QA_MA] = a.ma, [QA_SA] = a.sa,
		[QA_MB] = a.mb, [QA_SB] = a.sb, [QA_MY] = a.my, [QA_SY] = a.sy, [QA_LO] = a.qlo, [QA_HI] = a.qhi,
		[QA_TWICE] = a.exact};
	memcpy(k, all, sizeof all);
	return QA_SHAPE + shape_words(g, n, k + QA_SHAPE);
}

/* Operands that broadcast: one channel, one for each channel, one pixel in a batch, a scalar, both. */
static const struct { int32_t ra, a[4], rb, b[4]; } broad[] = {
	{4, {1, 4, 4, 3}, 4, {1, 4, 4, 1}}, {4, {2, 3, 5, 8}, 1, {8}}, {2, {2, 8}, 4, {3, 5, 2, 8}},
	{4, {2, 1, 1, 7}, 4, {2, 3, 4, 7}}, {3, {2, 3, 70}, 1, {1}}, {3, {5, 1, 6}, 3, {1, 4, 1}},
};

static cop_nid broad_sample(cop_graph *g, int op, const void *attr, int which, cop_dtype d)
{
	if (which >= LEN(broad)) return 0;
	return cop__node(g, op, attr,
		VIDS(input_of(g, "a", d, broad[which].ra, broad[which].a), input_of(g, "b", d, broad[which].rb, broad[which].b)));
}

static cop_nid add_sample(cop_graph *g, int which)
{
	static const struct { int32_t n; cop_qadd_attr a; } form[] = {
		{1, {0, 0, 0, 1 << 20, 0, 1 << 19, 0, 0, 21, -128, 127, 0}},
		{67, {3, -9, -128, 812345, 0, 1812345, 0, 0, 21, -128, 127, 0}},
		{4096, {-128, 5, 12, 1812345, 0, 912345, 0, 0, 22, -100, 90, 0}},
		{67, {3, -9, -128, 1073741824, 0, 1812345678, -1, 1912345678, -19, -128, 127, 1}},
		{300, {-128, 127, 4, 1573741824, -1, 1073741824, 0, 1112345678, -18, -128, 127, 1}},
	};
	static const struct { int32_t n; cop_qadd_attr a; } wide[] = {
		{67, {0, 0, 0, 812345, 0, 1812345, 0, 0, 21, -32768, 32767, 0}},
		{300, {0, 0, 0, 1573741824, -1, 1073741824, 0, 1112345678, -18, -20000, 32767, 1}},
	};
	const int all = LEN(form) + LEN(broad), i = which - all;
	if (i >= LEN(wide)) return broad_sample(g, OP_qadd, &wide[which % 2].a, i - LEN(wide), COP_I16);
	if (i >= 0) return cop__node(g, OP_qadd, &wide[i].a, VIDS(input_of(g, "a", COP_I16, 1, &wide[i].n), input_of(g, "b", COP_I16, 1, &wide[i].n)));
	if (which >= LEN(form)) return broad_sample(g, OP_qadd, &form[which % 2 ? 1 : 4].a, which - LEN(form), COP_I8);
	return cop__node(g, OP_qadd, &form[which].a,
		VIDS(input_of(g, "a", COP_I8, 1, &form[which].n), input_of(g, "b", COP_I8, 1, &form[which].n)));
}

const cop_op cop_op_qadd = {
	.name = "qadd", .attrs = "za:i zb:i zy:i ma:i sa:i mb:i sb:i my:i sy:i qlo:i qhi:i exact:i", .min_in = 2, .max_in = 2,
	.n_out = 1, .must_out = 1,
	.flags = COP_OP_QUANT | COP_OP_PURE | COP_OP_ELTWISE | COP_OP_INPLACE, .infer = add_infer, .grad = cop__qadd_grad, .links = cop__links_eltwise,
	.words = add_words, .sample = add_sample,
};

/* ---- qmul ---- */

static cop_status mul_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qmul_attr, m, g, n);
	int32_t rank, dim[COP_MAX_DIM];

	COP_TRY(pair_infer(g, n, &rank, dim));
	/* products of int16 fill 32 bits already */
	if (m.sy > (cop__in(g, n, 0)->dtype == COP_I16 ? 0 : 10) || m.sy < -31) return cop__fail(g, COP_ARG, n, "shift %d is out of range", m.sy);
	COP_TRY(cop__q_bounds(g, n, m.za, m.qlo, m.qhi));
	COP_TRY(cop__q_bounds(g, n, m.zb, m.qlo, m.qhi));
	COP_TRY(cop__q_bounds(g, n, m.zy, m.qlo, m.qhi));
	return cop__set_out(g, n, 0, cop__in(g, n, 0)->dtype, rank, dim);
}

static int mul_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qmul_attr, m, g, n);
	const int32_t all[QM_WORDS] = {[QM_COUNT] = cop__count32(cop__outt(g, n, 0)), [QM_ZA] = m.za, [QM_ZB] = m.zb,
		[QM_ZY] = m.zy, [QM_MY] = m.my, [QM_SY] = m.sy, [QM_LO] = m.qlo, [QM_HI] = m.qhi};
	memcpy(k, all, sizeof all);
	return QM_SHAPE + shape_words(g, n, k + QM_SHAPE);
}

static cop_nid mul_sample(cop_graph *g, int which)
{
	static const struct { int32_t a[4], b[4]; cop_qmul_attr m; } form[] = {
		{{1, 3, 5, 7}, {1, 3, 5, 7}, {3, -4, 5, 1812345678, -6, -128, 127}},
		{{2, 3, 4, 8}, {2, 1, 1, 8}, {-128, -128, -128, 1312345678, -7, -128, 120}},
	};
	static const cop_qmul_attr wide = {0, 0, 0, 1812345678, -14, -32768, 30000};
	if (which >= LEN(form) + LEN(broad)) return broad_sample(g, OP_qmul, &wide, which - LEN(form) - LEN(broad), COP_I16);
	if (which >= LEN(form)) return broad_sample(g, OP_qmul, &form[which % 2].m, which - LEN(form), COP_I8);
	return cop__node(g, OP_qmul, &form[which].m,
		VIDS(input_of(g, "a", COP_I8, 4, form[which].a), input_of(g, "b", COP_I8, 4, form[which].b)));
}

const cop_op cop_op_qmul = {
	.name = "qmul", .attrs = "za:i zb:i zy:i my:i sy:i qlo:i qhi:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_QUANT | COP_OP_PURE | COP_OP_ELTWISE | COP_OP_INPLACE, .infer = mul_infer, .links = cop__links_eltwise,
	.words = mul_words, .sample = mul_sample,
};

/* ---- qlut: any function of one byte, or of an int16 by straight lines ---- */

static cop_status lut_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qlut_attr, a, g, n);
	const cop_type *x = cop__in(g, n, 0);
	bool wide = x->dtype == COP_I16;
	int32_t entries = wide ? 513 : 256;

	if (x->dtype != COP_U8) COP_TRY(cop__q_need(g, n, 0, -1));
	COP_TRY(cop__need(g, n, 1, wide ? COP_I16 : COP_I8, 1));
	if (cop__in(g, n, 1)->dim[0] != entries)
		return cop__fail(g, COP_SHAPE, n, "the table must have %d entries, it has %d", entries, cop__in(g, n, 1)->dim[0]);
	if (wide && a.to != COP_I16) return cop__fail(g, COP_ARG, n, "to=%d must name i16 (%d), as the operand is", a.to, COP_I16);
	if (!wide && a.to != COP_I8 && a.to != COP_U8)
		return cop__fail(g, COP_ARG, n, "to=%d must name i8 (%d) or u8 (%d)", a.to, COP_I8, COP_U8);
	return cop__set_out(g, n, 0, (cop_dtype)a.to, x->rank, x->dim);
}

static int lut_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	k[QL_COUNT] = cop__count32(cop__in(g, n, 0));
	return QL_WORDS;
}

static cop_nid lut_sample(cop_graph *g, int which)
{
	static const struct { int32_t n; cop_dtype from, to; } form[] = {{1, COP_I8, COP_I8}, {300, COP_I8, COP_I8},
		{77, COP_U8, COP_I8}, {77, COP_I8, COP_U8}, {300, COP_I16, COP_I16}};
	if (which >= LEN(form)) return 0;
	bool wide = form[which].from == COP_I16;
	return cop__node(g, OP_qlut, &(cop_qlut_attr){(int32_t)form[which].to},
		VIDS(input_of(g, "x", form[which].from, 1, &form[which].n),
			input_of(g, "table", wide ? COP_I16 : COP_I8, 1, DIMS(wide ? 513 : 256))));
}

const cop_op cop_op_qlut = {
	.name = "qlut", .attrs = "to:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_QUANT | COP_OP_PURE | COP_OP_ELTWISE | COP_OP_INPLACE,
	.infer = lut_infer, .links = first_links, .words = lut_words, .sample = lut_sample,
};

/* ---- qsoftmax, qlogsoftmax, whose attributes begin alike ---- */

static cop_status softmax_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qsoftmax_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_I8, -1));
	if (cop__in(g, n, 0)->rank < 1 || cop__in(g, n, 0)->dim[cop__in(g, n, 0)->rank - 1] > 4096)
		return cop__fail(g, COP_SHAPE, n, "the last axis must have at most 4096 elements");
	if (a.shift < 0 || a.shift > 30 || a.least > 0 || a.least < -(1 << 30))
		return cop__fail(g, COP_ARG, n, "shift=%d and least=%d are out of range", a.shift, a.least);
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static int softmax_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qsoftmax_attr, a, g, n);
	const cop_type *x = cop__in(g, n, 0);
	k[QS_C] = x->dim[x->rank - 1];
	k[QS_ROWS] = cop__count32(x) / COP_MAX(1, k[QS_C]);
	k[QS_MULT] = a.mult;
	k[QS_SHIFT] = a.shift;
	k[QS_LEAST] = a.least;
	return QS_WORDS;
}

static cop_nid softmax_sample(cop_graph *g, int which)
{
	static const struct { int32_t x[2]; cop_qsoftmax_attr a; } form[] = {
		{{1, 2}, {1717986918, 21, -248}}, {{3, 10}, {1431655765, 22, -186}}, {{2, 12}, {1082130432, 23, -123}},
	};
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_qsoftmax, &form[which].a, VIDS(input_of(g, "x", COP_I8, 2, form[which].x)));
}

const cop_op cop_op_qsoftmax = {
	.name = "qsoftmax", .attrs = "mult:i shift:i least:i", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_QUANT | COP_OP_PURE | COP_OP_INPLACE,
	.infer = softmax_infer, .words = softmax_words, .sample = softmax_sample,
};

static cop_status log_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qlogsoftmax_attr, a, g, n);

	if (a.bshift > 0 || a.bshift < -31) return cop__fail(g, COP_ARG, n, "bshift=%d is out of range", a.bshift);
	return softmax_infer(g, n);
}

static int log_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qlogsoftmax_attr, a, g, n);

	softmax_words(g, n, k);
	k[QS_BACK] = a.back;
	k[QS_BACK_SHIFT] = a.bshift;
	return QS_LOG_WORDS;
}

static cop_nid log_sample(cop_graph *g, int which)
{
	static const struct { int32_t x[2]; cop_qlogsoftmax_attr a; } form[] = {
		{{1, 2}, {{1717986918, 21, -248}, 1280000000, -20}}, {{3, 10}, {{1431655765, 22, -186}, 1536000000, -21}},
		{{2, 12}, {{1082130432, 23, -123}, 2031746032, -22}},
	};
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_qlogsoftmax, &form[which].a, VIDS(input_of(g, "x", COP_I8, 2, form[which].x)));
}

const cop_op cop_op_qlogsoftmax = {
	.name = "qlogsoftmax", .attrs = "mult:i shift:i least:i back:i bshift:i", .min_in = 1, .max_in = 1, .n_out = 1,
	.must_out = 1, .flags = COP_OP_QUANT | COP_OP_PURE | COP_OP_INPLACE,
	.infer = log_infer, .words = log_words, .sample = log_sample,
};

/* ---- quantize, dequantize ---- */

static cop_status quantize_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_quantize_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	if (a.to != COP_I8 && a.to != COP_U8 && a.to != COP_I16)
		return cop__fail(g, COP_ARG, n, "to=%d must name i8 (%d), u8 (%d) or i16 (%d)", a.to, COP_I8, COP_U8, COP_I16);
	if (a.to == COP_I16 && a.zero) return cop__fail(g, COP_ARG, n, "zero point %d: those of i16 must be 0", a.zero);
	if (!(a.scale > 0)) return cop__fail(g, COP_ARG, n, "the scale must be positive");
	return cop__set_out(g, n, 0, (cop_dtype)a.to, cop__in(g, n, 0)->rank, cop__in(g, n, 0)->dim);
}

static int quantize_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_quantize_attr, a, g, n);
	k[QQ_COUNT] = cop__count32(cop__in(g, n, 0));
	k[QQ_SCALE] = cop__bits(a.scale);
	k[QQ_ZERO] = a.zero;
	return QQ_WORDS;
}

static cop_nid quantize_sample(cop_graph *g, int which)
{
	static const cop_quantize_attr form[] = {{0.02f, -3, COP_I8}, {0.5f, 128, COP_U8}, {1.0f / 255, -128, COP_I8}, {2e-5f, 0, COP_I16}};
	if (which >= LEN(form)) return 0;
	cop_type x = cop__type(COP_F32, 2, DIMS(3, 37));
	return cop__node(g, OP_quantize, &form[which], VIDS(cop__input(g, "x", &x)));
}

const cop_op cop_op_quantize = {
	.name = "quantize", .attrs = "scale:f zero:i to:i", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_QUANT | COP_OP_PURE | COP_OP_ELTWISE,
	.infer = quantize_infer, .links = first_links, .words = quantize_words, .sample = quantize_sample,
};

static cop_status dequantize_infer(cop_graph *g, cop_nid n)
{
	cop_dtype d = cop__in(g, n, 0)->dtype;

	if (d != COP_I8 && d != COP_U8 && d != COP_I16 && d != COP_I32)
		return cop__fail(g, COP_ARG, n, "needs i8, u8, i16 or i32, got %s", cop__dtype_text(d));
	return cop__set_out(g, n, 0, COP_F32, cop__in(g, n, 0)->rank, cop__in(g, n, 0)->dim);
}

static cop_nid dequantize_sample(cop_graph *g, int which)
{
	static const cop_dtype form[] = {COP_I8, COP_U8, COP_I16, COP_I32};
	if (which >= LEN(form)) return 0;
	cop_type x = cop__type(form[which], 2, DIMS(3, 37));
	return cop__node(g, OP_dequantize, &(cop_dequantize_attr){0.25f, -7}, VIDS(cop__input(g, "x", &x)));
}

const cop_op cop_op_dequantize = {
	.name = "dequantize", .attrs = "scale:f zero:i", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_QUANT | COP_OP_PURE | COP_OP_ELTWISE,
	.infer = dequantize_infer, .grad = cop__dequantize_grad, .links = first_links, .words = quantize_words, .sample = dequantize_sample,
};
