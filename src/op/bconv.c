/* SPDX-License-Identifier: Apache-2.0
 *
 * bconv - convolution of bits that stand for 1 and -1: over n products the sum is n - 2 times how many pairs of bits
 * differ (Rastegari et al. 2016, arXiv 1603.05279). The result is that sum, or, with bounds t[2,o], the bit t[0,o] <= d
 * <= t[1,o]: batch norm and a sign, of whatever factors, leave no more of themselves than that. Fully connected: a
 * kernel as large as the input. A step on 32 bits counts as one multiply-accumulate.
 *
 * qbconv, qbconv_add - the sums as bytes: scaled by channel, with an operand added, and bent as rprelu bends them. All in one, so that what is added and the
 * result are one place in memory, and no sum of 32 bits is ever stored.
 */
#include "op/conv.h"

static cop_conv_attr geometry(const cop_bconv_attr *a)
{
	return (cop_conv_attr){a->sh, a->sw, a->pt, a->pl, a->pb, a->pr, a->dh, a->dw, 1, 0, 0};
}

/* Bits are operand x, weights the next one. */
static cop_status layer_infer(int32_t y[4], cop_graph *g, cop_nid n, int x, const cop_bconv_attr *a)
{
	cop_conv_attr c = geometry(a);
	const cop_type *w = cop__in(g, n, x + 1);

	COP_TRY(cop__need(g, n, x, COP_BIT, 4));
	COP_TRY(cop__need(g, n, x + 1, COP_BIT, 4));
	COP_TRY(cop__conv_check(g, n, &c, cop__in(g, n, x)->dim, w->dim, y));
	if (a->fill < -1 || a->fill > 1) return cop__fail(g, COP_ARG, n, "fill=%d must be -1, 0 or 1", a->fill);
	if (cop_type_count(w) / w->dim[0] > 1 << 30)
		return cop__fail(g, COP_SHAPE, n, "a filter of more than 2^30 weights has sums that no i32 holds");
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_bconv_attr, a, g, n);
	const cop_type *t = cop__in(g, n, 2);
	int32_t y[4];

	COP_TRY(layer_infer(y, g, n, 0, &a));
	if (!cop__arg(g, n, 2)) return cop__set_out(g, n, 0, COP_I32, 4, y);
	if (t->dtype != COP_I32 || t->rank != 2 || t->dim[0] != 2 || t->dim[1] != y[3])
		return cop__fail(g, COP_SHAPE, n, "the bounds must be i32[2,%d]", y[3]);
	return cop__set_out(g, n, 0, COP_BIT, 4, y);
}

static void cost_at(const cop_graph *g, cop_nid n, int x, cop_cost *c)
{
	int32_t c32[4];

	memcpy(c32, cop__in(g, n, x + 1)->dim, sizeof c32);
	c32[3] = (c32[3] + 31) / 32;
	c->mac = cop__conv_macs((cop_conv_shape){cop__in(g, n, x)->dim, c32, cop__outt(g, n, 0)->dim});
}
static void cost(const cop_graph *g, cop_nid n, cop_cost *c) { cost_at(g, n, 0, c); }

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	return cop__link_axis(l, 0, max, g, cop__arg(g, n, 0), 0, cop__res(g, n, 0), 0);
}

static int layer_words(const cop_graph *g, cop_nid n, int x, const cop_bconv_attr *a, int32_t *k)
{
	cop_conv_attr c = geometry(a);

	cop__conv_words(k, &c, (cop_conv_shape){cop__in(g, n, x)->dim, cop__in(g, n, x + 1)->dim, cop__outt(g, n, 0)->dim}, 0);
	k[BC_FILL] = a->fill;
	return BC_WORDS;
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_bconv_attr, a, g, n);
	return layer_words(g, n, 0, &a, k);
}

/* Bounds of each kind: from somewhere on, up to somewhere, always, never, a piece in the middle. */
static cop_vid sample_bounds(cop_graph *g, const int32_t *w)
{
	cop_type t = cop__type(COP_I32, 2, DIMS(2, w[0]));
	int32_t bound[2 * 160], n = w[1] * w[2] * w[3];

	for (int32_t o = 0; o < w[0]; o++) {
		int32_t mid = (o * 37 % 41 - 20) * n / 100;
		bound[o] = o % 5 == 1 || o % 5 == 2 ? INT32_MIN : o % 5 == 3 ? 1 : mid;
		bound[w[0] + o] = o % 5 == 1 ? mid : o % 5 == 3 ? 0 : o % 5 == 4 ? mid + n / 8 : INT32_MAX;
	}
	return cop__data(g, COP_CONST, "t", &t, bound);
}

static const struct {
	int32_t x[4], w[4];
	cop_bconv_attr a;
} form[] = {
	{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 0, 0, 0, 0, 1, 1, 0}},
	{{1, 1, 1, 1024}, {10, 1, 1, 1024}, {1, 1, 0, 0, 0, 0, 1, 1, 0}},
	{{5, 1, 1, 75}, {37, 1, 1, 75}, {1, 1, 0, 0, 0, 0, 1, 1, 0}},
	{{1, 9, 8, 64}, {32, 3, 3, 64}, {1, 1, 1, 1, 1, 1, 1, 1, -1}},
	{{2, 9, 9, 19}, {13, 3, 3, 19}, {2, 2, 0, 0, 1, 1, 1, 1, 1}},
	{{1, 6, 7, 40}, {20, 3, 2, 40}, {1, 2, 1, 0, 0, 1, 2, 1, 0}},
	{{1, 5, 5, 8}, {9, 5, 5, 8}, {1, 1, 0, 0, 0, 0, 1, 1, 0}},
	{{3, 4, 4, 33}, {17, 3, 3, 33}, {1, 1, 2, 2, 2, 2, 1, 1, -1}},
	{{2, 7, 6, 128}, {72, 3, 3, 128}, {2, 1, 1, 1, 1, 1, 1, 1, 1}},
	{{20, 1, 1, 256}, {130, 1, 1, 256}, {1, 1, 0, 0, 0, 0, 1, 1, 0}},
	{{1, 4, 9, 3}, {6, 2, 5, 3}, {1, 1, 0, 2, 1, 2, 1, 1, -1}},
	{{3, 10, 9, 24}, {44, 3, 3, 24}, {1, 1, 1, 1, 1, 1, 1, 1, 1}},
	{{3, 1, 1, 2600}, {9, 1, 1, 2600}, {1, 1, 0, 0, 0, 0, 1, 1, 0}},
};

static cop_nid sample(cop_graph *g, int which)
{
	if (which / 2 >= LEN(form)) return 0;
	const int32_t *w = form[which / 2].w;
	cop_type xt = cop__type(COP_BIT, 4, form[which / 2].x), wt = cop__type(COP_BIT, 4, w);
	cop_vid x = cop__input(g, "x", &xt), wv = cop__input(g, "w", &wt);
	cop_vid t = which % 2 ? sample_bounds(g, w) : 0;
	return cop__node(g, OP_bconv, &form[which / 2].a, t ? 3 : 2, (const cop_vid[]){x, wv, t});
}

const cop_op cop_op_bconv = {
        .name = "bconv",
        .attrs = "sh:i sw:i pt:i pl:i pb:i pr:i dh:i dw:i fill:i",
        .min_in = 2,
        .max_in = 3,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = infer,
        .cost = cost,
        .links = links,
        .words = words,
        .sample = sample,
};

/* ---- qbconv: x w p;  qbconv_add: r x w p ---- */

static int bits_at(const cop_graph *g, cop_nid n) { return g->node[n].op == OP_qbconv_add; }

static cop_status q_check(const cop_graph *g, cop_nid n, const cop_qbconv_attr *a, const int32_t y[4])
{
	const int x = bits_at(g, n);
	const cop_type *p = cop__in(g, n, x + 2), *r = cop__in(g, n, 0);

	if (p->dtype != COP_I32 || p->rank != 2 || p->dim[0] != y[3] || p->dim[1] != 4) return cop__fail(g, COP_SHAPE, n, "its factors must be i32[%d,4]", y[3]);
	if (a->shift < 0 || a->shift > 30) return cop__fail(g, COP_ARG, n, "shift=%d must lie within 0 to 30", a->shift);
	if (a->qlo < -128 || a->qhi > 127 || a->qlo > a->qhi) return cop__fail(g, COP_ARG, n, "bounds of %d and %d are none of a byte", a->qlo, a->qhi);
	if (a->zr < -128 || a->zr > 127) return cop__fail(g, COP_ARG, n, "zr=%d must lie within -128 to 127", a->zr);
	if (x && (r->dtype != COP_I8 || r->rank != 4 || memcmp(r->dim, y, sizeof r->dim[0] * 4))) return cop__fail(g, COP_SHAPE, n, "what is added must be i8[%d,%d,%d,%d]", y[0], y[1], y[2], y[3]);
	return COP_OK;
}

static cop_status q_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qbconv_attr, a, g, n);
	int32_t y[4];

	COP_TRY(layer_infer(y, g, n, bits_at(g, n), &a.c));
	COP_TRY(q_check(g, n, &a, y));
	return cop__set_out(g, n, 0, COP_I8, 4, y);
}

static int q_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qbconv_attr, a, g, n);

	layer_words(g, n, bits_at(g, n), &a.c, k);
	k[CK_LO] = a.qlo;
	k[CK_HI] = a.qhi;
	k[QC_SHIFT] = a.shift;
	k[QC_RES] = a.res;
	k[QC_ZR] = a.zr;
	return QC_WORDS;
}

static void q_cost(const cop_graph *g, cop_nid n, cop_cost *c) { cost_at(g, n, bits_at(g, n), c); }

static int q_links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = links(g, n, l, max);
	return bits_at(g, n) ? at + cop__link_axis(l, at, max, g, cop__arg(g, n, 1), 0, cop__res(g, n, 0), 0) : at;
}

/* Factors that make about a byte of the sums of n products, slopes of either sign, a channel whose numbers make no sense. */
static cop_vid sample_factors(cop_graph *g, int32_t o_n, int32_t n)
{
	int32_t p[160][4];
	cop_type t = cop__type(COP_I32, 2, DIMS(o_n, 4));

	for (int32_t o = 0; o < o_n; o++) {
		p[o][0] = (o % 3 == 1 ? -1 : 1) * ((3 << 20) / n + o * 977);
		p[o][1] = (o * 53 % 61 - 30) * (1 << 14);
		p[o][2] = (o * 29 % 47 - 10) * (1 << 10);
		p[o][3] = ((o * 31 % 37 - 18) * (1 << 14)) + (1 << 13);
		if (o == 8) p[o][0] = INT32_MAX, p[o][1] = INT32_MIN, p[o][2] = INT32_MIN, p[o][3] = INT32_MAX;
	}
	return cop__data(g, COP_CONST, "p", &t, p);
}

static cop_nid q_sample(cop_graph *g, int which, int op)
{
	if (which >= LEN(form)) return 0;
	const int32_t *w = form[which].w;
	const cop_qbconv_attr a = {form[which].a, 14, which % 3 ? -128 : -9, which % 4 ? 127 : 55, which * 5000 - 20000, which * 11 - 60};
	cop_type xt = cop__type(COP_BIT, 4, form[which].x), wt = cop__type(COP_BIT, 4, w);
	cop_vid x = cop__input(g, "x", &xt), wv = cop__input(g, "w", &wt);
	cop_nid n = cop__node(g, OP_qbconv, &a, VIDS(x, wv, sample_factors(g, w[0], w[1] * w[2] * w[3])));

	if (!n || op == OP_qbconv) return n;
	cop_vid r = cop__input(g, "r", cop__outt(g, n, 0));
	return cop__node(g, op, &a, VIDS(r, x, wv, cop__arg(g, n, 2)));
}
static cop_nid sum_sample(cop_graph *g, int which) { return q_sample(g, which, OP_qbconv); }
static cop_nid add_sample(cop_graph *g, int which) { return q_sample(g, which, OP_qbconv_add); }

#define Q_ATTRS "sh:i sw:i pt:i pl:i pb:i pr:i dh:i dw:i fill:i shift:i qlo:i qhi:i res:i zr:i"
const cop_op cop_op_qbconv = {
	.name = "qbconv", .attrs = Q_ATTRS, .min_in = 3, .max_in = 3, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE | COP_OP_QUANT,
	.infer = q_infer, .cost = q_cost, .links = q_links, .words = q_words, .sample = sum_sample,
};
const cop_op cop_op_qbconv_add = {
	.name = "qbconv_add", .attrs = Q_ATTRS, .min_in = 4, .max_in = 4, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE | COP_OP_QUANT | COP_OP_INPLACE,
	.infer = q_infer, .cost = q_cost, .links = q_links, .words = q_words, .sample = add_sample,
};
