/* SPDX-License-Identifier: Apache-2.0
 *
 * addconv - a convolution of L1 distances in place of products: y[..,o] = clamp(s[o] (- sum |x - w|) + b[o]) (AdderNet:
 * Chen et al. 2020, arXiv 1912.13200). What lies in the padding is 0, and adds -|w|. s and b are what is folded from
 * the batch norm behind it, which it needs, as all its sums are negative; they are trained, too.
 *
 * Its gradients are the published ones and not its derivatives: of w, sum dy (x - w) instead of a sign; of x, sum dy (w
 * - x) held within -1 .. 1. Channels can't be removed from it: a missing one is not one of zeros. eta > 0: that of w is
 * scaled to the length eta sqrt(numbers of w).
 */
#include "op/conv.h"

#include <math.h>

static cop_conv_shape shape(const cop_graph *g, cop_nid n)
{
	return (cop_conv_shape){cop__in(g, n, 0)->dim, cop__in(g, n, 1)->dim, cop__outt(g, n, 0)->dim};
}

static cop_status check_factors(const cop_graph *g, cop_nid n, int32_t o)
{
	if (!cop__arg(g, n, 2) != !cop__arg(g, n, 3))
		return cop__fail(g, COP_ARG, n, "has factors or a bias; it needs both or none");
	for (int i = 2; i < 4 && cop__arg(g, n, i); i++) {
		COP_TRY(cop__need(g, n, i, COP_F32, 1));
		if (cop__in(g, n, i)->dim[0] != o)
			return cop__fail(g, COP_SHAPE, n, "input %d has %d entries, the weight %d outputs", i,
			        cop__in(g, n, i)->dim[0], o);
	}
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_addconv_attr, a, g, n);
	int32_t y[4];

	COP_TRY(cop__need(g, n, 0, COP_F32, 4));
	COP_TRY(cop__need(g, n, 1, COP_F32, 4));
	COP_TRY(cop__conv_check(g, n, &a.c, cop__in(g, n, 0)->dim, cop__in(g, n, 1)->dim, y));
	if (!(a.eta >= 0) || isinf(a.eta)) return cop__fail(g, COP_ARG, n, "eta must not be negative");
	COP_TRY(check_factors(g, n, y[3]));
	return cop__set_out(g, n, 0, COP_F32, 4, y);
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->flop = 2 * cop__conv_macs(shape(g, n));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_addconv_attr, a, g, n);
	return cop__conv_words(k, &a.c, shape(g, n), 0);
}

/* sum dy (x - w): the gradient of a convolution, less w times the sum of dy. */
static cop_vid weight_slope(cop_graph *g, const cop_conv_attr *a, cop_vid dy, cop_vid x, cop_vid w)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const int32_t *dim = cop__t(g, w)->dim;
	const cop_conv_dw_attr to_w = {*a, dim[1], dim[2]};
	cop_vid dw = cop__apply(g, OP_conv_dw, &to_w, VIDS(dy, x));
	cop_vid sum = dw ? cop__apply(g, OP_sum_to, &(cop_shape_attr){1, {dim[0]}}, VIDS(dy)) : 0;
	cop_vid each = sum ? cop__apply(g, OP_reshape, &(cop_shape_attr){4, {dim[0], 1, 1, 1}}, VIDS(sum)) : 0;
	cop_vid less = each ? cop__apply(g, OP_mul, &none, VIDS(w, each)) : 0;
	return less ? cop__apply(g, OP_sub, &none, VIDS(dw, less)) : 0;
}

/* dw eta sqrt(k) / |dw|, k the numbers of w. */
static cop_vid rescaled(cop_graph *g, cop_vid dw, float eta)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	char name[40];
	float length = eta * sqrtf((float)cop_type_count(cop__t(g, dw)));

	cop__format(name, sizeof name, "addconv.%g", (double)length);
	cop_vid norm =
	        cop__apply(g, OP_map, &(cop_map_attr){MAP_SQRT, 0, 0}, VIDS(cop__apply(g, OP_sumsq, NULL, VIDS(dw))));
	cop_vid some = norm ? cop__apply(g, OP_max, &none, VIDS(norm, cop__scalar(g, "addconv.least", 1e-12f))) : 0;
	cop_vid by = some ? cop__apply(g, OP_div, &none, VIDS(cop__scalar(g, name, length), some)) : 0;
	return by ? cop__apply(g, OP_mul, &none, VIDS(dw, by)) : 0;
}

/* What factors and biases ask for; *dy becomes the gradient of the sums. */
static cop_status grad_factors(cop_grad *d, cop_nid n, cop_vid *dy)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_graph *g = cop__grad_graph(d);
	cop_vid s = cop__arg(g, n, 2), b = cop__arg(g, n, 3);
	const cop_shape_attr row = {1, {cop__t(g, s)->dim[0]}};
	COP_ATTR(cop_addconv_attr, a, g, n);

	a.c.lo = COP_NO_LO, a.c.hi = COP_NO_HI;
	COP_TRY(cop__grad_put(d, b, OP_sum_to, &row, VIDS(*dy)));
	if (cop__grad_wanted(d, s)) {
		cop_vid sums = cop__apply(g, OP_addconv, &a, VIDS(cop__arg(g, n, 0), cop__arg(g, n, 1)));
		cop_vid each = sums ? cop__apply(g, OP_mul, &none, VIDS(*dy, sums)) : 0;
		if (!each) return g->cx->code;
		COP_TRY(cop__grad_put(d, s, OP_sum_to, &row, VIDS(each)));
	}
	return (*dy = cop__apply(g, OP_mul, &none, VIDS(*dy, s))) ? COP_OK : g->cx->code;
}

static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), w = cop__arg(g, n, 1), y = cop__res(g, n, 0), dy = cop__grad_of(d, y);
	COP_ATTR(cop_addconv_attr, a, g, n);

	if (cop__rows_of(d, w)) return cop__fail(g, COP_ARG, n, "can't be trained by rows of its weight");
	if (a.c.lo != COP_NO_LO || a.c.hi != COP_NO_HI)
		dy = cop__apply(g, OP_clip_grad, &(cop_act_attr){a.c.lo, a.c.hi}, VIDS(dy, y));
	if (!dy) return g->cx->code;
	a.c.lo = COP_NO_LO, a.c.hi = COP_NO_HI;
	if (cop__arg(g, n, 2)) COP_TRY(grad_factors(d, n, &dy));
	COP_TRY(cop__grad_put(d, x, OP_addconv_dx, &a.c, VIDS(dy, x, w)));
	if (!cop__grad_wanted(d, w)) return COP_OK;
	cop_vid dw = weight_slope(g, &a.c, dy, x, w);
	if (dw && a.eta > 0) dw = rescaled(g, dw, a.eta);
	return dw ? cop__grad_add(d, w, dw) : g->cx->code;
}

/* ---- the gradient of x, of dy, x and w ---- */

static cop_status grad_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_conv_attr, a, g, n);
	int32_t y[4];

	for (int i = 0; i < 3; i++) COP_TRY(cop__need(g, n, i, COP_F32, 4));
	COP_TRY(cop__conv_check(g, n, &a, cop__in(g, n, 1)->dim, cop__in(g, n, 2)->dim, y));
	if (memcmp(y, cop__in(g, n, 0)->dim, sizeof y))
		return cop__fail(g, COP_SHAPE, n, "the gradient's shape is not that of the result");
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 1));
}

static cop_conv_shape grad_shape(const cop_graph *g, cop_nid n)
{
	return (cop_conv_shape){cop__in(g, n, 1)->dim, cop__in(g, n, 2)->dim, cop__in(g, n, 0)->dim};
}

static void grad_cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->mac = cop__conv_macs(grad_shape(g, n));
	c->flop = c->mac;
}

static int grad_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_conv_attr, a, g, n);
	return cop__conv_words(k, &a, grad_shape(g, n), 0);
}

/* ---- samples ---- */

static const struct {
	int32_t x[4], w[4], y[4], factors;
	cop_conv_attr a;
} form[] = {
        {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, 0, {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}},
        {{2, 7, 6, 3}, {5, 3, 3, 3}, {2, 7, 6, 5}, 0, {1, 1, 1, 1, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI}},
        {{1, 9, 8, 4}, {6, 3, 2, 2}, {1, 4, 4, 6}, 1, {2, 2, 0, 1, 0, 0, 1, 1, 2, -30, COP_NO_HI}},
        {{1, 8, 8, 6}, {6, 3, 3, 1}, {1, 6, 6, 6}, 1, {1, 1, 1, 1, 1, 1, 2, 2, 6, COP_NO_LO, 0}},
        {{3, 1, 1, 37}, {10, 1, 1, 37}, {3, 1, 1, 10}, 0, {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}},
};

static cop_vid image(cop_graph *g, const char *name, const int32_t *dim)
{
	return cop__sample_input(g, name, 4, dim);
}
static cop_nid sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	const cop_addconv_attr a = {form[which].a, 0.2f};
	cop_vid x = image(g, "x", form[which].x), w = image(g, "w", form[which].w);
	if (!form[which].factors) return cop__node(g, OP_addconv, &a, VIDS(x, w));
	return cop__node(g, OP_addconv, &a,
	        VIDS(x, w, cop__sample_input(g, "s", 1, form[which].w), cop__sample_input(g, "b", 1, form[which].w)));
}
static cop_nid dx_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_addconv_dx, &form[which].a,
	        VIDS(image(g, "dy", form[which].y), image(g, "x", form[which].x), image(g, "w", form[which].w)));
}

const cop_op cop_op_addconv = {
        .name = "addconv",
        .attrs = COP_CONV_ATTRS " eta:f",
        .min_in = 2,
        .max_in = 4,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE | COP_OP_ACT,
        .infer = infer,
        .grad = grad,
        .cost = cost,
        .words = words,
        .sample = sample,
};
const cop_op cop_op_addconv_dx = {
        .name = "addconv_dx",
        .attrs = COP_CONV_ATTRS,
        .min_in = 3,
        .max_in = 3,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = grad_infer,
        .cost = grad_cost,
        .words = grad_words,
        .sample = dx_sample,
};
