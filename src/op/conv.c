/* SPDX-License-Identifier: Apache-2.0
 *
 * conv - y[n,oh,ow,o] = clamp(b[o] + sum w[o,kh,kw,c] x[n,h,w,c]); NHWC, weights [O,KH,KW,C/groups].
 *
 * groups == C is the depthwise convolution. Shapes are checked here and nowhere below. The bias may be absent.
 * The gradients' rows are in conv_grad.c.
 */
#include "op/conv.h"
#include "op/part.h"

static int32_t out_size(int32_t in, int32_t before, int32_t after, int32_t k, int32_t dilation, int32_t stride)
{
	int64_t room = (int64_t)in + before + after - (int64_t)(k - 1) * dilation - 1;
	return room < 0 ? 0 : (int32_t)(room / stride) + 1;
}

cop_status cop__conv_check(
        const cop_graph *g, cop_nid n, const cop_conv_attr *a, const int32_t *x, const int32_t *w, int32_t y[4])
{
	const int32_t most = 1 << 20;

	if (a->sh < 1 || a->sw < 1 || a->dh < 1 || a->dw < 1 || a->groups < 1 ||
	        COP_MAX(COP_MAX(a->sh, a->sw), COP_MAX(a->dh, a->dw)) > most)
		return cop__fail(g, COP_ARG, n, "strides %dx%d, dilations %dx%d and groups %d must be positive", a->sh,
		        a->sw, a->dh, a->dw, a->groups);
	if (COP_MIN(COP_MIN(a->pt, a->pb), COP_MIN(a->pl, a->pr)) < 0 ||
	        COP_MAX(COP_MAX(a->pt, a->pb), COP_MAX(a->pl, a->pr)) > most)
		return cop__fail(
		        g, COP_ARG, n, "paddings %d %d %d %d must not be negative", a->pt, a->pl, a->pb, a->pr);
	if (x[3] % a->groups || w[0] % a->groups || w[3] != x[3] / a->groups)
		return cop__fail(g, COP_SHAPE, n,
		        "input has %d channels in %d groups, the weight takes %d and gives %d", x[3], a->groups, w[3],
		        w[0]);
	y[0] = x[0];
	y[1] = out_size(x[1], a->pt, a->pb, w[1], a->dh, a->sh);
	y[2] = out_size(x[2], a->pl, a->pr, w[2], a->dw, a->sw);
	y[3] = w[0];
	if (!y[1] || !y[2])
		return cop__fail(
		        g, COP_SHAPE, n, "a kernel of %dx%d does not fit the input of %dx%d", w[1], w[2], x[1], x[2]);
	return COP_OK;
}

int cop__conv_words(int32_t *k, const cop_conv_attr *a, cop_conv_shape s, int32_t rows)
{
	const int32_t all[CK_WORDS] = {[CK_N] = s.x[0],
	        [CK_H] = s.x[1],
	        [CK_W] = s.x[2],
	        [CK_C] = s.x[3],
	        [CK_OH] = s.y[1],
	        [CK_OW] = s.y[2],
	        [CK_O] = s.w[0],
	        [CK_KH] = s.w[1],
	        [CK_KW] = s.w[2],
	        [CK_SH] = a->sh,
	        [CK_SW] = a->sw,
	        [CK_PT] = a->pt,
	        [CK_PL] = a->pl,
	        [CK_DH] = a->dh,
	        [CK_DW] = a->dw,
	        [CK_G] = a->groups,
	        [CK_LO] = cop__bits(a->lo),
	        [CK_HI] = cop__bits(a->hi),
	        [CK_CAP] = rows};
	memcpy(k, all, sizeof all);
	return CK_WORDS;
}

int64_t cop__conv_macs(cop_conv_shape s)
{
	return (int64_t)s.y[0] * s.y[1] * s.y[2] * s.w[0] * s.w[1] * s.w[2] * s.w[3];
}

static cop_conv_shape shape(const cop_graph *g, cop_nid n)
{
	return (cop_conv_shape){cop__in(g, n, 0)->dim, cop__in(g, n, 1)->dim, cop__outt(g, n, 0)->dim};
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_conv_attr, a, g, n);
	int32_t y[4];

	COP_TRY(cop__need(g, n, 0, COP_F32, 4));
	COP_TRY(cop__need(g, n, 1, COP_F32, 4));
	COP_TRY(cop__conv_check(g, n, &a, cop__in(g, n, 0)->dim, cop__in(g, n, 1)->dim, y));
	if (cop__arg(g, n, 2)) {
		COP_TRY(cop__need(g, n, 2, COP_F32, 1));
		if (cop__in(g, n, 2)->dim[0] != y[3])
			return cop__fail(g, COP_SHAPE, n, "bias has %d entries, the weight %d outputs",
			        cop__in(g, n, 2)->dim[0], y[3]);
	}
	return cop__set_out(g, n, 0, COP_F32, 4, y);
}

/* dx first, so that the update of w, which must wait for it, can follow dw at once. */
static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), w = cop__arg(g, n, 1), b = cop__arg(g, n, 2), y = cop__res(g, n, 0),
	        dy = cop__grad_of(d, y);
	COP_ATTR(cop_conv_attr, a, g, n);
	int32_t o = cop__t(g, w)->dim[0];
	cop_conv_dx_attr to_x = {a, cop__t(g, x)->dim[1], cop__t(g, x)->dim[2]};
	cop_conv_dw_attr to_w = {a, cop__t(g, w)->dim[1], cop__t(g, w)->dim[2]};

	if (a.lo != COP_NO_LO || a.hi != COP_NO_HI)
		dy = cop__apply(g, OP_clip_grad, &(cop_act_attr){a.lo, a.hi}, VIDS(dy, y));
	if (!dy) return g->cx->code;
	to_x.c.lo = to_w.c.lo = COP_NO_LO;
	to_x.c.hi = to_w.c.hi = COP_NO_HI;
	COP_TRY(cop__grad_put(d, x, OP_conv_dx, &to_x, VIDS(dy, cop__weight_again(d, w, x))));
	COP_TRY(cop__grad_weight(d, w, OP_conv_dw, &to_w, dy, x));
	return cop__grad_put(d, b, OP_sum_to, &(cop_shape_attr){1, {o}}, VIDS(dy));
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->mac = cop__conv_macs(shape(g, n));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_conv_attr, a, g, n);
	return cop__conv_words(k, &a, shape(g, n), 0);
}

/* Group i: channels [i*cg, (i+1)*cg) of x and rows [i*og, (i+1)*og) of w. Each index of a block is tied to the first of
 * the other, so that the two blocks go whole or stay: any less would leave groups of different sizes. */
static int link_groups(cop_link *l, int at, const cop_graph *g, cop_vid x, cop_vid w, int32_t groups)
{
	int32_t c = cop__t(g, x)->dim[3], o = cop__t(g, w)->dim[0], cg = c / groups, og = o / groups;

	for (int32_t i = 0; i < groups; i++) {
		int32_t c0 = i * cg, o0 = i * og;
		l[at++] = (cop_link){.a = w,
		        .b = x,
		        .a_ax = 0,
		        .b_ax = 3,
		        .off = c0 - o0 * cg,
		        .div = cg,
		        .mod = o,
		        .lo = c0,
		        .hi = c0 + cg};
		l[at++] = (cop_link){.a = x,
		        .b = w,
		        .a_ax = 3,
		        .b_ax = 0,
		        .off = o0 - c0 * og,
		        .div = og,
		        .mod = c,
		        .lo = o0,
		        .hi = o0 + og};
	}
	return at;
}

/* Output channel o runs through w, b and y; input channel c through x and the last axis of w. Depthwise: w's rows in
 * runs of o / c belong to one channel of x. Other groups go whole; where they are too many to list, the channels must
 * stay. */
int cop__conv_links(const cop_graph *g, const cop_conv_ends *e, int32_t groups, cop_link *l, int max)
{
	cop_vid x = e->x, w = e->w, b = e->b, y = e->y;
	int32_t c = cop__t(g, x)->dim[3], o = cop__t(g, w)->dim[0];
	int at = cop__link_axis(l, 0, max, g, x, 0, y, 0);
	bool dense = groups == 1, depthwise = groups == c;

	if (!dense && !depthwise && groups > (max - at - 3) / 2) return at;
	at += cop__link_axis(l, at, max, g, w, 0, y, 3);
	if (b) at += cop__link_axis(l, at, max, g, b, 0, y, 3);
	if (dense) return at + cop__link_axis(l, at, max, g, x, 3, w, 3);
	if (!depthwise) return link_groups(l, at, g, x, w, groups);
	if (at < max)
		l[at++] = (cop_link){
		        .a = x, .b = w, .a_ax = 3, .b_ax = 0, .div = o / c, .mod = c, .hi = o};
	return at;
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	COP_ATTR(cop_conv_attr, a, g, n);
	return cop__conv_links(g, &(cop_conv_ends){cop__arg(g, n, 0), cop__arg(g, n, 1), cop__arg(g, n, 2), cop__res(g, n, 0)},
		a.groups, l, max);
}

static cop_nid sample(cop_graph *g, int which)
{
	/* x, w, attributes, has bias */
	static const struct {
		int32_t x[4], w[4];
		cop_conv_attr a;
		bool bias;
	} form[] = {
	        {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}, true},
	        {{2, 7, 9, 3}, {5, 3, 3, 3}, {2, 1, 1, 0, 0, 2, 1, 1, 1, COP_NO_LO, COP_NO_HI}, true},
	        {{1, 8, 8, 17}, {20, 3, 3, 17}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 6}, true},
	        {{3, 9, 9, 1}, {20, 5, 5, 1}, {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}, true},
	        {{2, 10, 7, 4}, {6, 3, 3, 4}, {1, 1, 2, 2, 2, 2, 2, 3, 1, COP_NO_LO, COP_NO_HI}, false},
	        {{2, 5, 5, 6}, {4, 3, 3, 3}, {1, 1, 1, 1, 1, 1, 1, 1, 2, -1, 1}, true},
	        {{2, 7, 7, 5}, {5, 3, 3, 1}, {2, 2, 1, 1, 1, 1, 1, 1, 5, 0, COP_NO_HI}, true},
	        {{1, 6, 6, 24}, {24, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 24, 0, 6}, false},
	        {{1, 9, 8, 17}, {17, 5, 5, 1}, {2, 1, 2, 1, 1, 2, 1, 1, 17, COP_NO_LO, COP_NO_HI}, true},
	        {{2, 4, 4, 24}, {50, 1, 1, 24}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, COP_NO_HI}, true},
	        {{1, 7, 7, 8}, {16, 1, 1, 8}, {2, 2, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}, false},
	        {{2, 16, 16, 16}, {16, 3, 3, 16}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, COP_NO_HI}, true},
	        {{2, 16, 16, 3}, {16, 3, 3, 3}, {2, 2, 0, 0, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI}, true},
	        {{1, 5, 5, 4}, {8, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 4, COP_NO_LO, COP_NO_HI}, true},
	        {{3, 12, 12, 20}, {50, 5, 5, 20}, {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}, true},
	        {{2, 6, 6, 40}, {70, 3, 3, 40}, {1, 1, 1, 1, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI}, true},
	        {{4, 16, 16, 16}, {8, 1, 1, 16}, {1, 1, 0, 0, 0, 0, 1, 1, 1, -12, 12}, true},
	        {{1, 6, 5, 6}, {9, 3, 2, 2}, {2, 1, 1, 1, 0, 1, 1, 2, 3, COP_NO_LO, COP_NO_HI}, false},
	        {{2, 9, 7, 9}, {19, 3, 3, 9}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 9}, true},
	        {{1, 4, 15, 9}, {9, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 9, 0, 9}, true},
	        {{1, 5, 26, 8}, {8, 3, 3, 1}, {2, 2, 0, 0, 1, 1, 1, 1, 8, COP_NO_LO, COP_NO_HI}, true},
	        {{1, 5, 21, 8}, {8, 3, 3, 1}, {2, 2, 1, 1, 1, 1, 1, 1, 8, COP_NO_LO, COP_NO_HI}, false},
	        {{1, 8, 13, 80}, {33, 3, 3, 80}, {1, 1, 2, 0, 1, 2, 1, 1, 1, COP_NO_LO, COP_NO_HI}, false},
	        {{2, 3, 5, 7}, {6, 1, 1, 7}, {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}, true},
	        {{1, 4, 35, 11}, {34, 3, 3, 11}, {1, 1, 1, 1, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI}, false},
	        {{5, 17, 8, 40}, {34, 3, 3, 40}, {1, 1, 1, 1, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI}, false},
	        {{2, 17, 32, 16}, {34, 3, 3, 16}, {1, 1, 1, 1, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI}, false},
	        {{2, 7, 9, 12}, {10, 5, 5, 12}, {1, 1, 2, 2, 2, 2, 1, 1, 1, COP_NO_LO, COP_NO_HI}, true},
	        {{1, 6, 9, 9}, {8, 3, 3, 9}, {1, 1, 0, 3, 1, 3, 1, 1, 1, COP_NO_LO, COP_NO_HI}, false},
	};
	if (which >= LEN(form)) return 0;
	cop_vid x = cop__sample_input(g, "x", 4, form[which].x), w = cop__sample_input(g, "w", 4, form[which].w);
	cop_vid b = form[which].bias ? cop__sample_input(g, "b", 1, form[which].w) : 0;
	return cop__node(g, OP_conv, &form[which].a, b ? 3 : 2, (const cop_vid[]){x, w, b});
}

const cop_op cop_op_conv = {
	.name = "conv", .attrs = COP_CONV_ATTRS, .min_in = 2, .max_in = 3, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_ACT,
	.infer = infer, .grad = grad, .cost = cost, .links = links, .words = words, .sample = sample,
};
