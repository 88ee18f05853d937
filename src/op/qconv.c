/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv - convolution of int8, or of int16 about zeros of 0: y = clamp(zy + requant(b[o] + sum w x)). Weights are symmetric (i8, i4 or i2), b holds -zx *
 * sum w already, so that no kernel subtracts a zero point; taps in the padding read zx. m: multipliers by output
 * channel, [o] rounded once, [2,o] as TFLite rounds (kernel/quant.h). Fully connected: an input of 1 x 1 pixels.
 * coded: on a device the weight lies coded in flash (pass/code.c); shift: all of it is 0 or a power of two up to 64 of
 * either sign, and is summed by shifts there (pass/shift.c): 1, of codes; 2, of lists. No result depends on either.
 *
 * qaddconv - the same of distances: y = clamp(zy + requant(b[o] - sum |x - w|)), x and w on one scale and about one zero.
 */
#include "kernel/shift.h"
#include "op/conv.h"
#include "op/qtrain.h"

static cop_conv_attr geometry(const cop_qconv_attr *a)
{
	return (cop_conv_attr){a->sh, a->sw, a->pt, a->pl, a->pb, a->pr, a->dh, a->dw, a->groups, 0, 0};
}

static cop_conv_shape shape(const cop_graph *g, cop_nid n)
{
	return (cop_conv_shape){cop__in(g, n, 0)->dim, cop__in(g, n, 1)->dim, cop__outt(g, n, 0)->dim};
}

/* Sums of products of int16 have 64 bits, of which 48 may be used. */
static cop_status check_wide(const cop_graph *g, cop_nid n, const cop_qconv_attr *a)
{
	const cop_type *w = cop__in(g, n, 1);

	if (a->up > 16) return cop__fail(g, COP_ARG, n, "up=%d must not be above 16 for i16", a->up);
	if (cop_type_count(w) / COP_MAX(1, w->dim[0]) > 1 << 24) return cop__fail(g, COP_SHAPE, n, "filters of i16 have at most 2^24 weights");
	return a->shift ? cop__fail(g, COP_ARG, n, "shift is for inputs of i8") : COP_OK;
}

static cop_status check_rest(const cop_graph *g, cop_nid n, const cop_qconv_attr *a, int32_t o)
{
	const cop_type *b = cop__in(g, n, 2), *m = cop__in(g, n, 3);

	if (b->dtype != COP_I32 || b->rank != 1 || b->dim[0] != o)
		return cop__fail(g, COP_SHAPE, n, "the bias must be i32[%d]", o);
	if (m->dtype != COP_I32 || m->rank < 1 || m->rank > 2 || m->dim[m->rank - 1] != o || (m->rank == 2 && m->dim[0] != 2))
		return cop__fail(g, COP_SHAPE, n, "the multipliers must be i32[%d] or i32[2,%d]", o, o);
	COP_TRY(cop__q_bounds(g, n, a->zx, a->qlo, a->qhi));
	COP_TRY(cop__q_bounds(g, n, a->zy, a->qlo, a->qhi));
	if (a->up < -20 || a->up > 31) return cop__fail(g, COP_ARG, n, "up=%d must lie within -20 to 31", a->up);
	return cop__in(g, n, 0)->dtype == COP_I16 ? check_wide(g, n, a) : COP_OK;
}

/* Powers of two are looked for in the contents, by the verifier. */
static cop_status check_shift(const cop_graph *g, cop_nid n, int32_t shift)
{
	const cop_value *w = &g->value[cop__arg(g, n, 1)];

	if (shift < 0 || shift > COP_SHIFT_LISTS) return cop__fail(g, COP_ARG, n, "shift=%d must be 0, 1 or 2", shift);
	if (!shift) return COP_OK;
	if (w->role != COP_CONST || w->type.dtype != COP_I8)
		return cop__fail(g, COP_ARG, n, "shift is for constant weights of i8");
	if (cop_type_count(&w->type) / w->type.dim[0] > COP_SHIFT_TAPS)
		return cop__fail(g, COP_ARG, n, "shift is for filters of at most %d weights", COP_SHIFT_TAPS);
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qconv_attr, a, g, n);
	cop_conv_attr c = geometry(&a);
	int32_t y[4];

	COP_TRY(cop__q_need(g, n, 0, 4));
	const cop_dtype w = cop__in(g, n, 1)->dtype;
	const bool two = w == COP_I2 && cop__in(g, n, 0)->dtype == COP_I8;
	COP_TRY(cop__need(g, n, 1, w == COP_I4 || two ? w : COP_I8, 4));
	COP_TRY(cop__conv_check(g, n, &c, cop__in(g, n, 0)->dim, cop__in(g, n, 1)->dim, y));
	COP_TRY(check_rest(g, n, &a, y[3]));
	if (a.coded < 0 || a.coded > COP_CODE_ADAPTIVE) return cop__fail(g, COP_ARG, n, "coded=%d must be 0, 1 (tables) or 2 (adaptive)", a.coded);
	COP_TRY(check_shift(g, n, a.shift));
	return cop__set_out(g, n, 0, cop__in(g, n, 0)->dtype, 4, y);
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->mac = cop__conv_macs(shape(g, n));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qconv_attr, a, g, n);
	cop_conv_attr c = geometry(&a);

	cop__conv_words(k, &c, shape(g, n), 0);
	k[CK_LO] = a.qlo;
	k[CK_HI] = a.qhi;
	k[QK_ZX] = a.zx;
	k[QK_ZY] = a.zy;
	k[QK_UP] = a.up;
	k[QK_TWICE] = cop__in(g, n, 3)->rank == 2;
	k[QK_SHIFT] = a.shift;
	return QK_WORDS;
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	COP_ATTR(cop_qconv_attr, a, g, n);
	int at = cop__conv_links(g,
		&(cop_conv_ends){cop__arg(g, n, 0), cop__arg(g, n, 1), cop__arg(g, n, 2), cop__res(g, n, 0)}, a.groups, l, max - 1);
	return at + cop__link_axis(l, at, max, g, cop__arg(g, n, 3), cop__in(g, n, 3)->rank - 1, cop__res(g, n, 0), 3);
}

/* Multipliers that bring sums of `taps` products to about the range of int8. */
static cop_vid sample_scale(cop_graph *g, int32_t o, int32_t taps, bool twice)
{
	cop_type t = twice ? cop__type(COP_I32, 2, DIMS(2, o)) : cop__type(COP_I32, 1, &o);
	int32_t m[2 * 128];

	for (int32_t i = 0; i < o; i++) {
		double scale = (0.5 + (double)(i * 37 % 101) / 101) / (40 * __builtin_sqrt((double)taps));
		int exponent;
		double part = __builtin_frexp(scale, &exponent);
		m[i] = (int32_t)(twice ? part * 2147483648.0 : scale * 4294967296.0);
		if (twice) m[o + i] = taps == 40 ? i % 4 - 2 : exponent; /* one of them with shifts both ways */
	}
	return cop__data(g, COP_CONST, "m", &t, m);
}

typedef struct form { int32_t x[4], w[4]; cop_qconv_attr a; } form;

static cop_vid sample_bias(cop_graph *g, int32_t o)
{
	cop_type t = cop__type(COP_I32, 1, &o);
	int32_t bias[128];

	for (int32_t i = 0; i < o; i++) bias[i] = i * 7919 % 2001 - 1000;
	return cop__data(g, COP_CONST, "b", &t, bias);
}

/* Weights that are powers of two, as codes and as lists. */
static cop_nid shift_sample(cop_graph *g, int which, int n, const form *of)
{
	if (which >= 2 * n) return 0;
	const form *f = &of[which % n];
	cop_qconv_attr a = f->a;
	cop_type xt = cop__type(COP_I8, 4, f->x), wt = cop__type(COP_I8, 4, f->w);
	int32_t o = wt.dim[0], count = cop__count32(&wt);
	int8_t *w = cop__arena_get(&g->mem, (size_t)count);

	if (!w) return 0;
	for (int32_t i = 0; i < count; i++) {
		uint32_t draw = cop__rand(9, (uint32_t)which, (uint64_t)i);
		w[i] = (int8_t)(((int32_t)(draw % 3) - 1) * (1 << draw / 3 % 7));
	}
	a.shift = which < n ? COP_SHIFT_CODES : COP_SHIFT_LISTS;
	cop_vid x = cop__input(g, "x", &xt), wv = cop__data(g, COP_CONST, "w", &wt, w), b = sample_bias(g, o);
	return cop__node(g, OP_qconv, &a, VIDS(x, wv, b, sample_scale(g, o, count / o, which % 2)));
}

/* Of int16; filters of more weights than 32 bits can sum the products of. */
static cop_nid wide_sample(cop_graph *g, int which)
{
	static const form of[] = {
	        {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, -32768, 32767, 0, 0, 0}},
	        {{3, 1, 1, 1100}, {7, 1, 1, 1100}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, -32768, 32767, 0, 0, 0}},
	        {{1, 9, 8, 5}, {6, 3, 3, 5}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 32767, 0, 0, 0}},
	        {{2, 9, 7, 6}, {4, 3, 2, 3}, {2, 1, 1, 0, 1, 1, 2, 1, 2, 0, 0, -32768, 9000, -3, 0, 0}},
	        {{1, 8, 8, 9}, {9, 3, 3, 1}, {2, 2, 0, 0, 1, 1, 1, 1, 9, 0, 0, -32768, 32767, 1, 0, 0}},
	        {{1, 5, 6, 40}, {20, 1, 1, 40}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, -32768, 32767, 0, 0, 0}},
	};
	if (which >= 4 * LEN(of)) return 0;
	const int32_t *w = of[which / 4].w;
	cop_type wt = cop__type(which % 4 > 1 ? COP_I4 : COP_I8, 4, w), xt = cop__type(COP_I16, 4, of[which / 4].x);
	cop_vid x = cop__input(g, "x", &xt), wv = cop__input(g, "w", &wt), b = sample_bias(g, w[0]);
	return cop__node(g, OP_qconv, &of[which / 4].a, VIDS(x, wv, b, sample_scale(g, w[0], w[1] * w[2] * w[3], which % 2)));
}

static cop_nid sample(cop_graph *g, int which)
{
	static const form of[] = {
	        {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, -128, 127, 0, 0, 0}},
	        {{1, 1, 1, 64}, {10, 1, 1, 64}, {1, 1, 0, 0, 0, 0, 1, 1, 1, -5, 7, -128, 127, 0, 0, 0}},
	        {{3, 1, 1, 129}, {33, 1, 1, 129}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 3, -128, -128, 127, 0, 0, 0}},
	        {{1, 9, 8, 3}, {16, 3, 3, 3}, {1, 1, 1, 1, 1, 1, 1, 1, 1, -128, -3, -128, 127, 0, 0, 0}},
	        {{2, 9, 9, 3}, {8, 3, 3, 3}, {2, 2, 0, 0, 1, 1, 1, 1, 1, -128, -128, -128, 100, 0, 0, 0}},
	        {{1, 8, 8, 16}, {32, 3, 3, 16}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 4, -20, -20, 127, 0, 0, 0}},
	        {{1, 7, 6, 8}, {12, 3, 3, 8}, {2, 2, 0, 0, 1, 1, 1, 1, 1, 4, 5, -128, 127, 1, 0, 0}},
	        {{1, 25, 5, 64}, {64, 1, 1, 64}, {1, 1, 0, 0, 0, 0, 1, 1, 1, -128, -128, -128, 127, 0, 0, 0}},
	        {{1, 6, 6, 16}, {32, 1, 1, 16}, {2, 2, 0, 0, 0, 0, 1, 1, 1, 11, -128, -128, 127, 0, 0, 0}},
	        {{1, 49, 10, 1}, {64, 10, 4, 1}, {2, 2, 4, 1, 5, 1, 1, 1, 1, 83, -128, -128, 127, 0, 0, 0}},
	        {{1, 7, 9, 8}, {8, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 8, -128, -128, -128, 127, 0, 0, 0}},
	        {{1, 9, 8, 16}, {16, 3, 3, 1}, {2, 2, 0, 0, 1, 1, 1, 1, 16, 9, -128, -128, 127, 0, 0, 0}},
	        {{2, 25, 5, 64}, {64, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 64, -128, -128, -128, 127, 0, 0, 0}},
	        {{1, 8, 8, 24}, {24, 5, 5, 1}, {1, 1, 2, 2, 2, 2, 1, 1, 24, 1, 2, -100, 90, 0, 0, 0}},
	        {{1, 5, 5, 1}, {8, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -128, -128, 127, 0, 0, 0}},
	        {{1, 4, 4, 3}, {6, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 3, -1, 0, -128, 127, 0, 0, 0}},
	        {{1, 9, 7, 5}, {7, 3, 2, 5}, {2, 1, 1, 0, 1, 1, 2, 1, 1, 2, -7, -128, 127, 0, 0, 0}},
	        {{1, 6, 6, 8}, {10, 3, 3, 4}, {1, 1, 1, 1, 1, 1, 1, 1, 2, 2, -7, -128, 127, 0, 0, 0}},
	        {{1, 5, 6, 40}, {20, 1, 1, 40}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 5, -9, -9, 127, 0, 0, 0}},
	        {{1, 1, 1, 256}, {2, 1, 1, 256}, {1, 1, 0, 0, 0, 0, 1, 1, 1, -128, 11, -128, 127, 0, 0, 0}},
	        {{1, 1, 1, 640}, {128, 1, 1, 640}, {1, 1, 0, 0, 0, 0, 1, 1, 1, -128, -128, -128, 127, 0, 0, 0}},
	        {{1, 8, 8, 64}, {64, 3, 3, 64}, {1, 1, 1, 1, 1, 1, 1, 1, 1, -128, 0, -128, 127, 0, 0, 0}},
	        {{1, 48, 20, 8}, {16, 1, 1, 8}, {1, 1, 0, 0, 0, 0, 1, 1, 1, -128, -128, -128, 127, 0, 0, 0}},
	        {{1, 14, 15, 36}, {36, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 36, -7, -128, -128, 127, 0, 0, 0}},
	        {{1, 13, 12, 20}, {20, 5, 5, 1}, {2, 2, 1, 1, 2, 2, 1, 1, 20, 12, 2, -128, 127, 0, 0, 0}},
	        {{1, 9, 8, 16}, {16, 7, 4, 1}, {3, 1, 3, 2, 3, 1, 1, 1, 16, -1, -20, -128, 127, 0, 0, 0}},
	        {{2, 1, 1, 40}, {7, 1, 1, 40}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 5, -9, -128, 127, -4, 0, 0}},
	        {{1, 3, 2, 5}, {18, 3, 2, 5}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 9, 3, -128, 127, 0, 0, 0}},
	        {{2, 9, 7, 9}, {19, 3, 3, 9}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 6, -9, -100, 127, 0, 0, 0}},
	        {{1, 8, 13, 227}, {24, 3, 3, 227}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 3, -128, 127, 0, 0, 0}},
	        {{1, 13, 5, 34}, {8, 3, 3, 34}, {1, 1, 2, 0, 1, 2, 1, 1, 1, -7, 0, -128, 90, 0, 0, 0}},
	        {{1, 9, 7, 12}, {12, 3, 3, 1}, {2, 2, 1, 1, 1, 1, 1, 1, 12, -7, 0, -128, 90, 0, 0, 0}},
	        {{2, 11, 9, 8}, {6, 3, 2, 8}, {2, 1, 1, 1, 1, 0, 2, 1, 1, -7, 3, -128, 127, 0, 0, 0}},
	        {{1, 7, 11, 24}, {5, 2, 5, 24}, {1, 1, 0, 2, 1, 2, 1, 1, 1, 9, -4, -128, 127, 0, 0, 0}},
	};
	static const cop_dtype sorts[] = {COP_I8, COP_I8, COP_I4, COP_I4, COP_I2, COP_I2}; /* of weights: each rounded once and twice */
	enum { SORTS = LEN(sorts) };
	if (which >= (SORTS + 1) * LEN(of)) return wide_sample(g, which - (SORTS + 1) * LEN(of));
	if (which / SORTS >= LEN(of)) return shift_sample(g, which - SORTS * LEN(of), LEN(of), of);
	const int32_t *w = of[which / SORTS].w;
	cop_type wt = cop__type(sorts[which % SORTS], 4, w), xt = cop__type(COP_I8, 4, of[which / SORTS].x);
	cop_vid x = cop__input(g, "x", &xt), wv = cop__input(g, "w", &wt), b = sample_bias(g, w[0]);
	return cop__node(g, OP_qconv, &of[which / SORTS].a,
		VIDS(x, wv, b, sample_scale(g, w[0], w[1] * w[2] * w[3], which % 2)));
}

const cop_op cop_op_qconv = {
	.name = "qconv", .attrs = "sh:i sw:i pt:i pl:i pb:i pr:i dh:i dw:i groups:i zx:i zy:i qlo:i qhi:i up:i coded:i shift:i",
	.min_in = 4, .max_in = 4, .n_out = 1, .must_out = 1, .flags = COP_OP_QUANT | COP_OP_PURE,
	.infer = infer, .grad = cop__qconv_grad, .cost = cost, .links = links, .words = words, .sample = sample,
};

/* ---- qaddconv ---- */

static cop_status adds_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qconv_attr, a, g, n);

	if (a.coded || a.shift) return cop__fail(g, COP_ARG, n, "its weights are neither coded nor shifts");
	COP_TRY(cop__need(g, n, 0, COP_I8, 4));
	COP_TRY(cop__need(g, n, 1, COP_I8, 4));
	COP_TRY(infer(g, n));
	return cop__in(g, n, 3)->rank == 1 ? COP_OK : cop__fail(g, COP_SHAPE, n, "the multipliers must be i32[%d]", cop__in(g, n, 1)->dim[0]);
}

static void adds_cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->flop = 2 * cop__conv_macs(shape(g, n));
}

static cop_nid adds_sample(cop_graph *g, int which)
{
	static const form of[] = {
	        {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, -128, 127, 0, 0, 0}},
	        {{2, 9, 8, 3}, {7, 3, 3, 3}, {1, 1, 1, 1, 1, 1, 1, 1, 1, -128, -3, -128, 127, 0, 0, 0}},
	        {{1, 7, 9, 8}, {6, 3, 2, 4}, {2, 1, 1, 0, 1, 1, 2, 1, 2, 5, 120, -100, 127, 0, 0, 0}},
	        {{1, 8, 8, 6}, {6, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 6, 17, 100, -128, 127, 0, 0, 0}},
	        {{3, 1, 1, 37}, {10, 1, 1, 37}, {1, 1, 0, 0, 0, 0, 1, 1, 1, -5, 64, -128, 127, 0, 0, 0}},
	};
	if (which >= LEN(of)) return 0;
	const int32_t *w = of[which].w;
	cop_type wt = cop__type(COP_I8, 4, w), xt = cop__type(COP_I8, 4, of[which].x);
	cop_vid x = cop__input(g, "x", &xt), wv = cop__input(g, "w", &wt), b = sample_bias(g, w[0]);
	return cop__node(g, OP_qaddconv, &of[which].a, VIDS(x, wv, b, sample_scale(g, w[0], w[1] * w[2] * w[3], false)));
}

const cop_op cop_op_qaddconv = {
	.name = "qaddconv", .attrs = "sh:i sw:i pt:i pl:i pb:i pr:i dh:i dw:i groups:i zx:i zy:i qlo:i qhi:i up:i coded:i shift:i",
	.min_in = 4, .max_in = 4, .n_out = 1, .must_out = 1, .flags = COP_OP_QUANT | COP_OP_PURE,
	.infer = adds_infer, .cost = adds_cost, .words = words, .sample = adds_sample,
};
