/* SPDX-License-Identifier: Apache-2.0
 *
 * fc - fully connected: y[n,o] = clamp(b[o] + sum_i x[n,i] w[o,i]), and its gradients fc_dx(dy, w), fc_dw(dy, x,
 * rows?).
 *
 * Weights lie by output row, so a row list picks whole neurons and every row of dw is contiguous.
 */
#include "op/axes.h"
#include "op/part.h"

static cop_status infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0), *w = cop__in(g, n, 1);

	COP_TRY(cop__need(g, n, 0, COP_F32, 2));
	COP_TRY(cop__need(g, n, 1, COP_F32, 2));
	if (x->dim[1] != w->dim[1])
		return cop__fail(g, COP_SHAPE, n, "input has %d columns, weight has %d", x->dim[1], w->dim[1]);
	if (cop__arg(g, n, 2)) {
		COP_TRY(cop__need(g, n, 2, COP_F32, 1));
		if (cop__in(g, n, 2)->dim[0] != w->dim[0])
			return cop__fail(g, COP_SHAPE, n, "bias has %d entries, weight has %d rows",
			        cop__in(g, n, 2)->dim[0], w->dim[0]);
	}
	return cop__set_out(g, n, 0, COP_F32, 2, DIMS(x->dim[0], w->dim[0]));
}

/* dx = dy w;  dw = dy' x on the live rows;  db = column sums of dy. */
static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), w = cop__arg(g, n, 1), b = cop__arg(g, n, 2), y = cop__res(g, n, 0),
	        dy = cop__grad_of(d, y);
	int32_t out = cop__t(g, w)->dim[0];
	COP_ATTR(cop_act_attr, a, g, n);

	if (a.lo != COP_NO_LO || a.hi != COP_NO_HI) dy = cop__apply(g, OP_clip_grad, &a, VIDS(dy, y));
	if (!dy) return g->cx->code;
	COP_TRY(cop__grad_put(d, x, OP_fc_dx, NULL, VIDS(dy, cop__weight_again(d, w, x))));
	COP_TRY(cop__grad_weight(d, w, OP_fc_dw, NULL, dy, x));
	return cop__grad_put(d, b, OP_sum_to, &(cop_shape_attr){1, {out}}, VIDS(dy));
}

static int set_words(int32_t *k, int32_t n, int32_t in, int32_t out, cop_act_attr a, int32_t cap)
{
	const int32_t all[FK_WORDS] = {[FK_N] = n,
	        [FK_IN] = in,
	        [FK_OUT] = out,
	        [FK_LO] = cop__bits(a.lo),
	        [FK_HI] = cop__bits(a.hi),
	        [FK_CAP] = cap};
	memcpy(k, all, sizeof all);
	return FK_WORDS;
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_act_attr, a, g, n);
	return set_words(k, cop__in(g, n, 0)->dim[0], cop__in(g, n, 0)->dim[1], cop__in(g, n, 1)->dim[0], a, 0);
}

/* Every one of the three products multiplies n x in x out numbers; `rows` of out when there is a list. */
static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	const cop_type *x = cop__in(g, n, 0), *w = cop__in(g, n, 1);
	c->mac = (int64_t)x->dim[0] * w->dim[0] * w->dim[1];
}

/* Neuron o runs through w, b and y; feature i through x and w; row n through x and y. */
static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	cop_vid x = cop__arg(g, n, 0), w = cop__arg(g, n, 1), b = cop__arg(g, n, 2), y = cop__res(g, n, 0);
	int at = cop__link_axis(l, 0, max, g, w, 0, y, 1);

	if (b) at += cop__link_axis(l, at, max, g, b, 0, y, 1);
	at += cop__link_axis(l, at, max, g, x, 1, w, 1);
	return at + cop__link_axis(l, at, max, g, x, 0, y, 0);
}

static const struct {
	int32_t n, in, out;
	cop_act_attr a;
	bool bias;
} form[] = {
        {1, 1, 1, {COP_NO_LO, COP_NO_HI}, true},
        {2, 3, 5, {COP_NO_LO, COP_NO_HI}, false},
        {7, 64, 10, {0, COP_NO_HI}, true},
        {1, 100, 33, {0, 6}, true},
        {64, 50, 37, {COP_NO_LO, COP_NO_HI}, true},
        {5, 17, 20, {-1, 1}, false},
        {33, 129, 65, {0, COP_NO_HI}, true},
        {1, 300, 21, {-1, COP_NO_HI}, false},
};

static cop_nid sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	cop_vid x = cop__sample_input(g, "x", 2, DIMS(form[which].n, form[which].in)),
	        w = cop__sample_input(g, "w", 2, DIMS(form[which].out, form[which].in));
	cop_vid b = form[which].bias ? cop__sample_input(g, "b", 1, DIMS(form[which].out)) : 0;
	return cop__node(g, OP_fc, &form[which].a, b ? 3 : 2, (const cop_vid[]){x, w, b});
}

const cop_op cop_op_fc = {
	.name = "fc", .attrs = "lo:f hi:f", .min_in = 2, .max_in = 3, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_ACT,
	.infer = infer, .grad = grad, .cost = cost, .links = links, .words = words, .sample = sample,
};

/* ---- fc_dx ---- */

static cop_status dx_infer(cop_graph *g, cop_nid n)
{
	const cop_type *dy = cop__in(g, n, 0), *w = cop__in(g, n, 1);

	COP_TRY(cop__need(g, n, 0, COP_F32, 2));
	COP_TRY(cop__need(g, n, 1, COP_F32, 2));
	if (dy->dim[1] != w->dim[0])
		return cop__fail(g, COP_SHAPE, n, "gradient has %d columns, weight has %d rows", dy->dim[1], w->dim[0]);
	return cop__set_out(g, n, 0, COP_F32, 2, DIMS(dy->dim[0], w->dim[1]));
}

static int dx_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *w = cop__in(g, n, 1);
	return set_words(k, cop__in(g, n, 0)->dim[0], w->dim[1], w->dim[0], (cop_act_attr){COP_NO_LO, COP_NO_HI}, 0);
}

static cop_nid dx_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_fc_dx, NULL,
	        VIDS(cop__sample_input(g, "dy", 2, DIMS(form[which].n, form[which].out)),
	                cop__sample_input(g, "w", 2, DIMS(form[which].out, form[which].in))));
}

const cop_op cop_op_fc_dx = {
	.name = "fc_dx", .attrs = "", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = dx_infer, .cost = cost, .words = dx_words, .sample = dx_sample,
};

/* ---- fc_dw ---- */

static int32_t capacity(const cop_graph *g, cop_nid n)
{
	return cop__arg(g, n, 2) ? cop__in(g, n, 2)->dim[0] - 1 : 0;
}

static cop_status dw_infer(cop_graph *g, cop_nid n)
{
	const cop_type *dy = cop__in(g, n, 0), *x = cop__in(g, n, 1);

	COP_TRY(cop__need(g, n, 0, COP_F32, 2));
	COP_TRY(cop__need(g, n, 1, COP_F32, 2));
	if (dy->dim[0] != x->dim[0])
		return cop__fail(g, COP_SHAPE, n, "gradient has %d rows, input has %d", dy->dim[0], x->dim[0]);
	int32_t rows = dy->dim[1], cap = capacity(g, n);
	if (cop__arg(g, n, 2)) {
		COP_TRY(cop__need(g, n, 2, COP_I32, 1));
		if (cap < 1 || cap > rows)
			return cop__fail(g, COP_SHAPE, n, "a list of %d rows does not suit %d neurons", cap, rows);
		rows = cap;
	}
	return cop__set_out(g, n, 0, COP_F32, 2, DIMS(rows, cop__in(g, n, 1)->dim[1]));
}

static void dw_cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->mac = cop_type_count(cop__outt(g, n, 0)) * cop__in(g, n, 0)->dim[0];
}

static int dw_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *dy = cop__in(g, n, 0), *x = cop__in(g, n, 1);
	return set_words(k, x->dim[0], x->dim[1], dy->dim[1], (cop_act_attr){COP_NO_LO, COP_NO_HI}, capacity(g, n));
}

static cop_nid dw_sample(cop_graph *g, int which)
{
	if (which / 2 >= LEN(form)) return 0;
	cop_vid dy = cop__sample_input(g, "dy", 2, DIMS(form[which / 2].n, form[which / 2].out)),
	        x = cop__sample_input(g, "x", 2, DIMS(form[which / 2].n, form[which / 2].in)), rows = 0;
	if (which % 2) {
		cop_type t = cop__type(COP_I32, 1, DIMS((form[which / 2].out + 1) / 2 + 1));
		rows = cop__input(g, "rows", &t);
	}
	return cop__node(g, OP_fc_dw, NULL, rows ? 3 : 2, (const cop_vid[]){dy, x, rows});
}

const cop_op cop_op_fc_dw = {
	.name = "fc_dw", .attrs = "", .min_in = 2, .max_in = 3, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = dw_infer, .cost = dw_cost, .words = dw_words, .sample = dw_sample,
};
