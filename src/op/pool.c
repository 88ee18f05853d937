/* SPDX-License-Identifier: Apache-2.0
 *
 * pool - maximum (also of I8 and I16) and average over windows, NHWC, and their gradients. maxpool's second result, which only
 * its gradient asks for, is where in the window the maximum was: one byte, so that the input need not be kept.
 */
#include "op/axes.h"

#define POOL_ATTRS "kh:i kw:i sh:i sw:i pt:i pl:i pb:i pr:i count_pads:i"

static cop_status check(const cop_graph *g, cop_nid n, const cop_pool_attr *p, const int32_t *x, int32_t y[4])
{
	if (p->kh < 1 || p->kw < 1 || p->sh < 1 || p->sw < 1 || p->kh > 65535 || p->kw > 65535)
		return cop__fail(
		        g, COP_ARG, n, "window %dx%d and strides %dx%d must be positive", p->kh, p->kw, p->sh, p->sw);
	if (COP_MIN(COP_MIN(p->pt, p->pb), COP_MIN(p->pl, p->pr)) < 0 || COP_MAX(p->pt, p->pb) >= p->kh ||
	        COP_MAX(p->pl, p->pr) >= p->kw)
		return cop__fail(g, COP_ARG, n, "paddings %d %d %d %d must be smaller than the window %dx%d", p->pt,
		        p->pl, p->pb, p->pr, p->kh, p->kw);
	int64_t h = (int64_t)x[1] + p->pt + p->pb - p->kh, w = (int64_t)x[2] + p->pl + p->pr - p->kw;
	if (h < 0 || w < 0)
		return cop__fail(
		        g, COP_SHAPE, n, "a window of %dx%d does not fit the input of %dx%d", p->kh, p->kw, x[1], x[2]);
	y[0] = x[0];
	y[1] = (int32_t)(h / p->sh) + 1;
	y[2] = (int32_t)(w / p->sw) + 1;
	y[3] = x[3];
	return COP_OK;
}

static int set_words(int32_t *k, const cop_pool_attr *p, const int32_t *x, const int32_t *y)
{
	const int32_t all[PK_WORDS] = {[PK_N] = x[0],
	        [PK_H] = x[1],
	        [PK_W] = x[2],
	        [PK_C] = x[3],
	        [PK_OH] = y[1],
	        [PK_OW] = y[2],
	        [PK_KH] = p->kh,
	        [PK_KW] = p->kw,
	        [PK_SH] = p->sh,
	        [PK_SW] = p->sw,
	        [PK_PT] = p->pt,
	        [PK_PL] = p->pl,
	        [PK_PADS] = p->count_pads};
	memcpy(k, all, sizeof all);
	return PK_WORDS;
}

/* ---- forward ---- */

static cop_status infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_pool_attr, p, g, n);
	int32_t y[4];

	COP_TRY(cop__need(g, n, 0, g->node[n].op == OP_maxpool && (x->dtype == COP_I8 || x->dtype == COP_I16) ? x->dtype : COP_F32, 4));
	COP_TRY(check(g, n, &p, x->dim, y));
	if (cop__res(g, n, 1) && p.kh * p.kw > 255)
		return cop__fail(g, COP_SHAPE, n,
		        "windows of more than 255 positions have no gradient, this one has %d", p.kh * p.kw);
	COP_TRY(cop__set_out(g, n, 0, x->dtype, 4, y));
	return cop__set_out(g, n, 1, COP_U8, 4, y);
}

static cop_pool_grad_attr behind(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_pool_attr, p, g, n);
	return (cop_pool_grad_attr){p, cop__in(g, n, 0)->dim[1], cop__in(g, n, 0)->dim[2]};
}

static cop_status max_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	cop_pool_grad_attr a = behind(g, n);

	if (!cop__grad_wanted(d, x)) return COP_OK;
	cop_vid at = cop__want_out(g, n, 1);
	if (!at) return g->cx->code;
	return cop__grad_put(d, x, OP_maxpool_grad, &a, VIDS(dy, at));
}

static cop_status avg_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_pool_grad_attr a = behind(g, n);
	return cop__grad_put(d, cop__arg(g, n, 0), OP_avgpool_grad, &a, VIDS(cop__grad_of(d, cop__res(g, n, 0))));
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	COP_ATTR(cop_pool_attr, p, g, n);
	c->flop = cop_type_count(cop__outt(g, n, 0)) * p.kh * p.kw;
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_pool_attr, p, g, n);
	return set_words(k, &p, cop__in(g, n, 0)->dim, cop__outt(g, n, 0)->dim);
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);
	int at = cop__link_axis(l, 0, max, g, x, 3, y, 3);
	return at + cop__link_axis(l, at, max, g, x, 0, y, 0);
}

static const struct {
	int32_t x[4];
	cop_pool_attr p;
} form[] = {
        {{1, 4, 4, 1}, {2, 2, 2, 2, 0, 0, 0, 0, 0}},
        {{2, 7, 8, 3}, {3, 2, 2, 1, 1, 0, 1, 1, 0}},
        {{3, 5, 5, 17}, {3, 3, 1, 1, 1, 1, 1, 1, 1}},
        {{2, 8, 8, 16}, {8, 8, 1, 1, 0, 0, 0, 0, 0}},
        {{1, 6, 9, 20}, {2, 3, 2, 3, 0, 0, 0, 0, 0}},
        {{2, 9, 7, 5}, {3, 3, 2, 2, 0, 1, 1, 0, 1}},
};

static cop_nid forward_sample(cop_graph *g, int which, int op)
{
	static const cop_dtype format[] = {COP_F32, COP_I8, COP_I16};

	if (which >= (op == OP_maxpool ? LEN(format) : 1) * LEN(form)) return 0;
	cop_type x = cop__type(format[which / LEN(form)], 4, form[which % LEN(form)].x);
	return cop__node(g, op, &form[which % LEN(form)].p, VIDS(cop__input(g, "x", &x)));
}

static cop_nid max_sample(cop_graph *g, int which)
{
	return forward_sample(g, which, OP_maxpool);
}

static cop_nid avg_sample(cop_graph *g, int which)
{
	return forward_sample(g, which, OP_avgpool);
}

const cop_op cop_op_maxpool = {
	.name = "maxpool", .attrs = POOL_ATTRS, .min_in = 1, .max_in = 1, .n_out = 2, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer, .grad = max_grad, .cost = cost, .links = links, .words = words, .sample = max_sample,
};
const cop_op cop_op_avgpool = {
	.name = "avgpool", .attrs = POOL_ATTRS, .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer, .grad = avg_grad, .cost = cost, .links = links, .words = words, .sample = avg_sample,
};

/* ---- bits: one of a window, or all ---- */

static cop_pool_attr of_bits(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_bmaxpool_attr, p, g, n);
	return (cop_pool_attr){p.kh, p.kw, p.sh, p.sw, p.pt, p.pl, p.pb, p.pr, 0};
}

static cop_status bits_infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0), *least = cop__in(g, n, 1);
	cop_pool_attr p = of_bits(g, n);
	int32_t y[4];

	COP_TRY(cop__need(g, n, 0, COP_BIT, 4));
	COP_TRY(check(g, n, &p, x->dim, y));
	if (cop__arg(g, n, 1) && (least->dtype != COP_BIT || least->rank != 1 || least->dim[0] != y[3]))
		return cop__fail(g, COP_SHAPE, n, "the channels that take the least must be bit[%d]", y[3]);
	return cop__set_out(g, n, 0, COP_BIT, 4, y);
}

static int bits_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	cop_pool_attr p = of_bits(g, n);
	return set_words(k, &p, cop__in(g, n, 0)->dim, cop__outt(g, n, 0)->dim);
}

static int bits_links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	return cop__link_axis(l, 0, max, g, cop__arg(g, n, 0), 0, cop__res(g, n, 0), 0);
}

static cop_nid bits_sample(cop_graph *g, int which)
{
	if (which >= 2 * LEN(form)) return 0;
	const cop_pool_attr *p = &form[which / 2].p;
	cop_type x = cop__type(COP_BIT, 4, form[which / 2].x), least = cop__type(COP_BIT, 1, &form[which / 2].x[3]);
	cop_bmaxpool_attr a = {p->kh, p->kw, p->sh, p->sw, p->pt, p->pl, p->pb, p->pr};
	cop_vid xv = cop__input(g, "x", &x), of = which % 2 ? cop__input(g, "least", &least) : 0;
	return cop__node(g, OP_bmaxpool, &a, of ? 2 : 1, (const cop_vid[]){xv, of});
}

const cop_op cop_op_bmaxpool = {
	.name = "bmaxpool", .attrs = "kh:i kw:i sh:i sw:i pt:i pl:i pb:i pr:i", .min_in = 1, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = bits_infer, .cost = cost, .links = bits_links, .words = bits_words, .sample = bits_sample,
};

/* ---- gradients: dy, and for maxpool where the maximum was ---- */

static cop_status grad_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_pool_grad_attr, a, g, n);
	int32_t y[4];

	COP_TRY(cop__need(g, n, 0, COP_F32, 4));
	if (g->node[n].op == OP_maxpool_grad) {
		COP_TRY(cop__need(g, n, 1, COP_U8, 4));
		if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
			return cop__fail(g, COP_SHAPE, n, "gradient and positions have different shapes");
	}
	const int32_t *dy = cop__in(g, n, 0)->dim, x[4] = {dy[0], a.h, a.w, dy[3]};
	if (a.h < 1 || a.w < 1) return cop__fail(g, COP_ARG, n, "the input's size %dx%d must be positive", a.h, a.w);
	COP_TRY(check(g, n, &a.p, x, y));
	if (memcmp(y, dy, sizeof y))
		return cop__fail(g, COP_SHAPE, n, "the gradient's shape is not that of the result");
	return cop__set_out(g, n, 0, COP_F32, 4, x);
}

static int grad_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_pool_grad_attr, a, g, n);
	return set_words(k, &a.p, cop__outt(g, n, 0)->dim, cop__in(g, n, 0)->dim);
}

static void grad_cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	COP_ATTR(cop_pool_grad_attr, a, g, n);
	c->flop = cop_type_count(cop__in(g, n, 0)) * a.p.kh * a.p.kw;
}

static cop_nid grad_sample(cop_graph *g, int which, int op)
{
	if (which >= LEN(form)) return 0;
	const int32_t *x = form[which].x;
	const cop_pool_attr *p = &form[which].p;
	cop_pool_grad_attr a = {*p, x[1], x[2]};
	const int32_t y[4] = {
	        x[0], (x[1] + p->pt + p->pb - p->kh) / p->sh + 1, (x[2] + p->pl + p->pr - p->kw) / p->sw + 1, x[3]};
	cop_type t = cop__type(COP_U8, 4, y);
	cop_vid dy = cop__sample_input(g, "dy", 4, y), at = op == OP_maxpool_grad ? cop__input(g, "at", &t) : 0;
	return cop__node(g, op, &a, at ? 2 : 1, (const cop_vid[]){dy, at});
}

static cop_nid max_grad_sample(cop_graph *g, int which)
{
	return grad_sample(g, which, OP_maxpool_grad);
}

static cop_nid avg_grad_sample(cop_graph *g, int which)
{
	return grad_sample(g, which, OP_avgpool_grad);
}

const cop_op cop_op_maxpool_grad = {
	.name = "maxpool_grad", .attrs = POOL_ATTRS " h:i w:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = grad_infer, .cost = grad_cost, .words = grad_words, .sample = max_grad_sample,
};
const cop_op cop_op_avgpool_grad = {
	.name = "avgpool_grad", .attrs = POOL_ATTRS " h:i w:i", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = grad_infer, .cost = grad_cost, .words = grad_words, .sample = avg_grad_sample,
};
