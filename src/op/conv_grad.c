/* SPDX-License-Identifier: Apache-2.0
 *
 * conv_grad - conv_dx(dy, w) and conv_dw(dy, x, rows?): the gradients of a convolution. Their attributes are the
 * forward's and the size that the inputs do not tell. With a row list, dw has CAP rows: row j is output channel
 * rows[j]. qconv_dx(dy, w) and qconv_dw(dy, x) are the same where w or x is int8: floats that stand for steps of integers, and x less its
 * zero. conv_dx is also the transposed convolution, of dy to h x w: w is [in,KH,KW,out/groups], and the paddings are
 * those cut off the result; an output padding is what is left when h is larger than the strides reach.
 */
#include "op/conv.h"
#include "op/qtrain.h"

extern const cop_op cop_op_conv;

typedef struct dims4 {
	int32_t d[4];
} dims4;

/* ---- conv_dx ---- */

static dims4 dx_dims(const cop_graph *g, cop_nid n, const cop_conv_dx_attr *a)
{
	return (dims4){{cop__in(g, n, 0)->dim[0], a->h, a->w, cop__in(g, n, 1)->dim[3] * a->c.groups}};
}

static cop_status dx_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_conv_dx_attr, a, g, n);
	int32_t y[4];

	const cop_dtype made = g->node[n].op == OP_qerr_dx ? COP_I8 : COP_F32;
	COP_TRY(cop__need(g, n, 0, made, 4));
	COP_TRY(cop__need(g, n, 1, g->node[n].op == OP_conv_dx ? COP_F32 : COP_I8, 4));
	if (a.h < 1 || a.w < 1 || a.c.groups < 1)
		return cop__fail(
		        g, COP_ARG, n, "the input's size %dx%d and groups %d must be positive", a.h, a.w, a.c.groups);
	if ((int64_t)cop__in(g, n, 1)->dim[3] * a.c.groups > INT32_MAX)
		return cop__fail(g, COP_SHAPE, n, "%d channels in each of %d groups are more than 2^31", cop__in(g, n, 1)->dim[3],
			a.c.groups);
	dims4 x = dx_dims(g, n, &a);
	COP_TRY(cop__conv_check(g, n, &a.c, x.d, cop__in(g, n, 1)->dim, y));
	if (memcmp(y, cop__in(g, n, 0)->dim, sizeof y))
		return cop__fail(g, COP_SHAPE, n, "the gradient's shape is not that of the result");
	return cop__set_out(g, n, 0, made, 4, x.d);
}

static cop_conv_shape dx_shape(const cop_graph *g, cop_nid n)
{
	return (cop_conv_shape){cop__outt(g, n, 0)->dim, cop__in(g, n, 1)->dim, cop__in(g, n, 0)->dim};
}

/* Linear in both: da = conv(dx's gradient, w), dw as if that gradient were the input. */
static cop_status dx_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid a = cop__arg(g, n, 0), w = cop__arg(g, n, 1), dx = cop__grad_of(d, cop__res(g, n, 0)),
		rows = cop__rows_of(d, w);
	COP_ATTR(cop_conv_dx_attr, at, g, n);
	cop_conv_dw_attr to_w = {at.c, cop__t(g, w)->dim[1], cop__t(g, w)->dim[2]};

	at.c.lo = to_w.c.lo = COP_NO_LO;
	at.c.hi = to_w.c.hi = COP_NO_HI;
	if (!dx) return g->cx->code;
	COP_TRY(cop__grad_put(d, a, OP_conv, &at.c, VIDS(dx, w)));
	return cop__grad_put(d, w, OP_conv_dw, &to_w, rows ? 3 : 2, (const cop_vid[]){a, dx, rows});
}

/* A convolution from the result to the first operand. */
static int dx_links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	COP_ATTR(cop_conv_dx_attr, a, g, n);
	return cop__conv_links(g, &(cop_conv_ends){.x = cop__res(g, n, 0), .w = cop__arg(g, n, 1), .y = cop__arg(g, n, 0)}, a.c.groups, l, max);
}

static void dx_cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->mac = cop__conv_macs(dx_shape(g, n));
}

static int dx_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_conv_dx_attr, a, g, n);
	return cop__conv_words(k, &a.c, dx_shape(g, n), 0);
}

/* The forward's samples, seen from behind. */
static bool forward(cop_graph *g, int which, cop_conv_attr *a, dims4 *x, dims4 *w, dims4 *y)
{
	cop_graph *f;

	if (cop__graph_new(&f, g->cx, "forward")) return false;
	cop_nid n = cop_op_conv.sample(f, which);
	if (n) {
		memcpy(a, f->node[n].attr, sizeof *a);
		memcpy(x->d, cop__in(f, n, 0)->dim, sizeof x->d);
		memcpy(w->d, cop__in(f, n, 1)->dim, sizeof w->d);
		memcpy(y->d, cop__outt(f, n, 0)->dim, sizeof y->d);
		a->lo = COP_NO_LO;
		a->hi = COP_NO_HI;
	}
	cop_graph_free(f);
	return n != 0;
}

static cop_vid input_of(cop_graph *g, const char *name, cop_dtype d, const int32_t *dim)
{
	cop_type t = cop__type(d, 4, dim);
	return cop__input(g, name, &t);
}

static cop_nid any_dx_sample(cop_graph *g, int which, int op, cop_dtype weights)
{
	cop_conv_dx_attr a = {.h = 0};
	dims4 x, w, y;

	if (!forward(g, which, &a.c, &x, &w, &y)) return 0;
	a.h = x.d[1];
	a.w = x.d[2];
	return cop__node(g, op, &a, VIDS(input_of(g, "dy", COP_F32, y.d), input_of(g, "w", weights, w.d)));
}

static cop_nid dx_sample(cop_graph *g, int which) { return any_dx_sample(g, which, OP_conv_dx, COP_F32); }
static cop_nid qdx_sample(cop_graph *g, int which) { return any_dx_sample(g, which, OP_qconv_dx, COP_I8); }

const cop_op cop_op_conv_dx = {
	.name = "conv_dx", .attrs = COP_CONV_ATTRS " h:i w:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = dx_infer, .grad = dx_grad, .cost = dx_cost, .links = dx_links, .words = dx_words, .sample = dx_sample,
};

const cop_op cop_op_qconv_dx = {
	.name = "qconv_dx", .attrs = COP_CONV_ATTRS " h:i w:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = dx_infer, .cost = dx_cost, .words = dx_words, .sample = qdx_sample,
};

/* ---- qerr_dx: e w unit m? inside? -> e unit, errors as bytes (qerr.c) ---- */

/* A sum has as many products as an input pixel meets results: all filters of a group, and of each no more taps than it has. */
static int64_t products(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qerr_dx_attr, a, g, n);
	const cop_type *w = cop__in(g, n, 1);
	return (int64_t)w->dim[0] / COP_MAX(1, a.d.c.groups) * w->dim[1] * w->dim[2];
}

static cop_status edx_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qerr_dx_attr, a, g, n);

	COP_TRY(dx_infer(g, n));
	if (products(g, n) > 1 << 17) return cop__fail(g, COP_SHAPE, n, "sums of %lld products of errors as bytes do not fit 32 bits", (long long)products(g, n));
	return cop__error_through(g, n, 3, 2, a.round);
}

static int edx_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qerr_dx_attr, a, g, n);
	const int64_t most = products(g, n) * 127 * 128;

	dx_words(g, n, k);
	k[ED_ROUND] = a.round;
	k[ED_BY] = cop__bits(a.by);
	for (k[ED_UP] = 0; most << (k[ED_UP] + 1) <= INT32_MAX; k[ED_UP]++) {}
	return ED_WORDS;
}

/* Besides the forward's samples some that kernels take several pixels or channels of at a time: 1x1 and depthwise. */
static bool more_forms(cop_graph *g, int which, cop_conv_attr *a, dims4 *x, dims4 *w, dims4 *y)
{
	static const struct { int32_t x[4], o, k, s, p, groups; } form[] = {
		{{1, 3, 5, 8}, 12, 1, 1, 0, 1}, {{2, 9, 8, 4}, 8, 1, 1, 0, 1}, {{1, 9, 9, 12}, 20, 1, 1, 0, 1}, {{1, 1, 2, 4}, 4, 1, 1, 0, 1},
		{{1, 7, 5, 6}, 6, 3, 1, 1, 6}, {{2, 6, 9, 5}, 5, 3, 2, 1, 5}, {{1, 20, 20, 3}, 3, 3, 2, 0, 3}, {{1, 30, 11, 2}, 2, 3, 1, 2, 2}, {{1, 5, 301, 1}, 1, 3, 2, 2, 1}};

	if (which >= LEN(form)) return forward(g, which - LEN(form), a, x, w, y);
	const int32_t c = form[which].x[3], k = form[which].k, st = form[which].s, p = form[which].p, *d = form[which].x;
	*a = (cop_conv_attr){st, st, p, p, p, p, 1, 1, form[which].groups, COP_NO_LO, COP_NO_HI};
	memcpy(x->d, d, sizeof x->d);
	*w = (dims4){{form[which].o, k, k, c / form[which].groups}};
	*y = (dims4){{d[0], (d[1] + 2 * p - k) / st + 1, (d[2] + 2 * p - k) / st + 1, form[which].o}};
	return true;
}

static cop_nid edx_sample(cop_graph *g, int which)
{
	const int more = which / 2 % 3; /* nothing else, bits, factors too */
	cop_qerr_dx_attr a = {.d.c.groups = 0, .by = 0.5f, .round = which % COP_E_ROUNDS};
	dims4 x, w, y;

	if (!more_forms(g, which, &a.d.c, &x, &w, &y)) return 0;
	a.d.h = x.d[1];
	a.d.w = x.d[2];
	const cop_type m = cop__type(COP_I32, 1, &x.d[3]);
	return cop__node(g, OP_qerr_dx, &a,
		VIDS(input_of(g, "dy", COP_I8, y.d), input_of(g, "w", COP_I8, w.d), cop__sample_input(g, "unit", 1, DIMS(1)), more > 1 ? cop__input(g, "m", &m) : 0,
			more ? input_of(g, "inside", COP_BIT, x.d) : 0));
}

const cop_op cop_op_qerr_dx = {
	.name = "qerr_dx", .attrs = COP_CONV_ATTRS " h:i w:i by:f round:i", .min_in = 3, .max_in = 5, .n_out = 2, .must_out = 2, .flags = COP_OP_PURE,
	.infer = edx_infer, .cost = dx_cost, .words = edx_words, .sample = edx_sample,
};

/* ---- conv_dw ---- */

/* The forward weight's dims, all rows. */
static dims4 w_dims(const cop_graph *g, cop_nid n, const cop_conv_dw_attr *a)
{
	return (dims4){{cop__in(g, n, 0)->dim[3], a->kh, a->kw, cop__in(g, n, 1)->dim[3] / a->c.groups}};
}

static int32_t capacity(const cop_graph *g, cop_nid n)
{
	return cop__arg(g, n, 2) ? cop__in(g, n, 2)->dim[0] - 1 : 0;
}

/* Floats, or errors as bytes, of which the sums have to fit 32 bits: 127 * 255 each. */
static cop_status need_gradient(cop_graph *g, cop_nid n, int at, bool bytes)
{
	const cop_type *dy = cop__in(g, n, at);

	if (!bytes || dy->dtype != COP_I8) return cop__need(g, n, at, COP_F32, 4);
	COP_TRY(cop__need(g, n, at, COP_I8, 4));
	const int64_t pixels = cop_type_count(dy) / COP_MAX(1, dy->dim[3]);
	return pixels <= 1 << 16 ? COP_OK : cop__fail(g, COP_SHAPE, n, "sums over %lld pixels of errors as bytes do not fit 32 bits", (long long)pixels);
}

static cop_status dw_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_conv_dw_attr, a, g, n);
	int32_t y[4];

	COP_TRY(need_gradient(g, n, 0, g->node[n].op == OP_qconv_dw));
	COP_TRY(cop__need(g, n, 1, g->node[n].op == OP_qconv_dw ? COP_I8 : COP_F32, 4));
	if (a.kh < 1 || a.kw < 1 || a.c.groups < 1)
		return cop__fail(g, COP_ARG, n, "the kernel's size %dx%d and groups %d must be positive", a.kh, a.kw,
		        a.c.groups);
	dims4 w = w_dims(g, n, &a);
	COP_TRY(cop__conv_check(g, n, &a.c, cop__in(g, n, 1)->dim, w.d, y));
	if (memcmp(y, cop__in(g, n, 0)->dim, sizeof y))
		return cop__fail(g, COP_SHAPE, n, "the gradient's shape is not that of the result");
	if (cop__arg(g, n, 2)) {
		COP_TRY(cop__need(g, n, 2, COP_I32, 1));
		if (capacity(g, n) < 1 || capacity(g, n) > w.d[0])
			return cop__fail(g, COP_SHAPE, n, "a list of %d rows does not suit %d output channels",
			        capacity(g, n), w.d[0]);
		w.d[0] = capacity(g, n);
	}
	return cop__set_out(g, n, 0, COP_F32, 4, w.d);
}

static void dw_cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->mac =
	        cop__conv_macs((cop_conv_shape){cop__in(g, n, 1)->dim, cop__outt(g, n, 0)->dim, cop__in(g, n, 0)->dim});
}

static int dw_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_conv_dw_attr, a, g, n);
	dims4 w = w_dims(g, n, &a);
	return cop__conv_words(
	        k, &a.c, (cop_conv_shape){cop__in(g, n, 1)->dim, w.d, cop__in(g, n, 0)->dim}, capacity(g, n));
}

/* The forward's samples twice: all rows, then half of them from a list. */
static cop_nid dw_sample(cop_graph *g, int which)
{
	cop_conv_dw_attr a = {.kh = 0};
	dims4 x, w, y;

	if (!forward(g, which / 2, &a.c, &x, &w, &y)) return 0;
	a.kh = w.d[1];
	a.kw = w.d[2];
	cop_vid dy = cop__sample_input(g, "dy", 4, y.d), in = cop__sample_input(g, "x", 4, x.d), rows = 0;
	if (which % 2) {
		cop_type t = cop__type(COP_I32, 1, DIMS((w.d[0] + 1) / 2 + 1));
		rows = cop__input(g, "rows", &t);
	}
	return cop__node(g, OP_conv_dw, &a, rows ? 3 : 2, (const cop_vid[]){dy, in, rows});
}

const cop_op cop_op_conv_dw = {
	.name = "conv_dw", .attrs = COP_CONV_ATTRS " kh:i kw:i", .min_in = 2, .max_in = 3, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = dw_infer, .cost = dw_cost, .words = dw_words, .sample = dw_sample,
};

/* ---- qconv_dw ---- */

static int qdw_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qconv_dw_attr, a, g, n);
	dw_words(g, n, k);
	k[QD_ZX] = a.zx;
	return QD_WORDS;
}

static cop_nid qdw_sample(cop_graph *g, int which)
{
	cop_qconv_dw_attr a = {.zx = which / 2 % 2 ? -128 : 7 - which / 2};
	dims4 x, w, y;

	if (!forward(g, which / 2, &a.d.c, &x, &w, &y)) return 0;
	a.d.kh = w.d[1];
	a.d.kw = w.d[2];
	return cop__node(g, OP_qconv_dw, &a, VIDS(input_of(g, "dy", which % 2 ? COP_I8 : COP_F32, y.d), input_of(g, "x", COP_I8, x.d)));
}

const cop_op cop_op_qconv_dw = {
	.name = "qconv_dw", .attrs = COP_CONV_ATTRS " kh:i kw:i zx:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = dw_infer, .cost = dw_cost, .words = qdw_words, .sample = qdw_sample,
};

/* ---- qconv_step: w dy x lr per step? unit? -> w', what qstep makes of the gradient, filter by filter ---- */

static cop_status step_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qconv_step_attr, a, g, n);
	const cop_type *w = cop__in(g, n, 0), *x = cop__in(g, n, 2);
	int32_t y[4];

	COP_TRY(cop__need(g, n, 0, COP_I8, 4));
	COP_TRY(need_gradient(g, n, 1, true));
	COP_TRY(cop__need(g, n, 2, COP_I8, 4));
	COP_TRY(cop__conv_check(g, n, &a.w.d.c, x->dim, w->dim, y));
	if (memcmp(y, cop__in(g, n, 1)->dim, sizeof y) || a.w.d.kh != w->dim[1] || a.w.d.kw != w->dim[2])
		return cop__fail(g, COP_SHAPE, n, "the gradient's shape is not that of the result");
	if ((cop__in(g, n, 1)->dtype == COP_I8) != (cop__arg(g, n, 6) != 0)) return cop__fail(g, COP_ARG, n, "errors as bytes come with their unit, and floats without");
	if (cop__arg(g, n, 6)) COP_TRY(cop__need(g, n, 6, COP_F32, 1));
	return cop__q_step_over(g, n, 3, a.round);
}

static int step_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qconv_step_attr, a, g, n);

	cop__conv_words(k, &a.w.d.c, (cop_conv_shape){cop__in(g, n, 2)->dim, cop__in(g, n, 0)->dim, cop__in(g, n, 1)->dim}, 0);
	k[QD_ZX] = a.w.zx;
	k[QE_ROUND] = a.round;
	k[QE_SEED] = a.seed;
	return QE_WORDS;
}

static void step_cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->mac = cop__conv_macs((cop_conv_shape){cop__in(g, n, 2)->dim, cop__in(g, n, 0)->dim, cop__in(g, n, 1)->dim});
}

static cop_nid step_sample(cop_graph *g, int which)
{
	cop_qconv_step_attr a = {.w.zx = which / 2 % 2 ? -128 : 7 - which / 2, .round = which / 2 % COP_Q_ROUNDS, .seed = which};
	dims4 x, w, y;

	if (!more_forms(g, which / 2, &a.w.d.c, &x, &w, &y)) return 0;
	a.w.d.kh = w.d[1];
	a.w.d.kw = w.d[2];
	cop_type count = cop__type(COP_I32, 1, DIMS(1));
	cop_vid step = a.round == COP_Q_STOCHASTIC ? cop__input(g, "step", &count) : 0;
	return cop__node(g, OP_qconv_step, &a, 6 + which % 2,
		(const cop_vid[]){input_of(g, "w", COP_I8, w.d), input_of(g, "dy", which % 2 ? COP_I8 : COP_F32, y.d), input_of(g, "x", COP_I8, x.d), cop__sample_input(g, "lr", 1, DIMS(1)),
			cop__sample_input(g, "per", 1, w.d), step, which % 2 ? cop__sample_input(g, "unit", 1, DIMS(1)) : 0});
}

const cop_op cop_op_qconv_step = {
	.name = "qconv_step", .attrs = COP_CONV_ATTRS " kh:i kw:i zx:i round:i seed:i", .min_in = 5, .max_in = 7, .n_out = 1, .must_out = 1,
	.flags = COP_OP_UPDATE,
	.infer = step_infer, .cost = step_cost, .words = step_words, .sample = step_sample,
};
