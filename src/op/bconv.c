/* SPDX-License-Identifier: Apache-2.0
 *
 * bconv - convolution of bits that stand for 1 and -1: over n products the sum is n - 2 times how many pairs of bits
 * differ (Rastegari et al. 2016, arXiv 1603.05279). The result is that sum, or, with bounds t[2,o], the bit t[0,o] <= d
 * <= t[1,o]: batch norm and a sign, of whatever factors, leave no more of themselves than that. Fully connected: a
 * kernel as large as the input. A step on 32 bits counts as one multiply-accumulate.
 */
#include "op/conv.h"

static cop_conv_attr geometry(const cop_bconv_attr *a)
{
	return (cop_conv_attr){a->sh, a->sw, a->pt, a->pl, a->pb, a->pr, a->dh, a->dw, 1, 0, 0};
}

static cop_conv_shape shape(const cop_graph *g, cop_nid n)
{
	return (cop_conv_shape){cop__in(g, n, 0)->dim, cop__in(g, n, 1)->dim, cop__outt(g, n, 0)->dim};
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_bconv_attr, a, g, n);
	cop_conv_attr c = geometry(&a);
	const cop_type *w = cop__in(g, n, 1), *t = cop__in(g, n, 2);
	int32_t y[4];

	COP_TRY(cop__need(g, n, 0, COP_BIT, 4));
	COP_TRY(cop__need(g, n, 1, COP_BIT, 4));
	COP_TRY(cop__conv_check(g, n, &c, cop__in(g, n, 0)->dim, w->dim, y));
	if (a.fill < -1 || a.fill > 1) return cop__fail(g, COP_ARG, n, "fill=%d must be -1, 0 or 1", a.fill);
	if (cop_type_count(w) / w->dim[0] > 1 << 30)
		return cop__fail(g, COP_SHAPE, n, "a filter of more than 2^30 weights has sums that no i32 holds");
	if (!cop__arg(g, n, 2)) return cop__set_out(g, n, 0, COP_I32, 4, y);
	if (t->dtype != COP_I32 || t->rank != 2 || t->dim[0] != 2 || t->dim[1] != y[3])
		return cop__fail(g, COP_SHAPE, n, "the bounds must be i32[2,%d]", y[3]);
	return cop__set_out(g, n, 0, COP_BIT, 4, y);
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	int32_t c32[4];

	memcpy(c32, cop__in(g, n, 1)->dim, sizeof c32);
	c32[3] = (c32[3] + 31) / 32;
	c->mac = cop__conv_macs((cop_conv_shape){cop__in(g, n, 0)->dim, c32, cop__outt(g, n, 0)->dim});
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	return cop__link_axis(l, 0, max, g, cop__arg(g, n, 0), 0, cop__res(g, n, 0), 0);
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_bconv_attr, a, g, n);
	cop_conv_attr c = geometry(&a);

	cop__conv_words(k, &c, shape(g, n), 0);
	k[BC_FILL] = a.fill;
	return BC_WORDS;
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

static cop_nid sample(cop_graph *g, int which)
{
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
