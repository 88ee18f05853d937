/* SPDX-License-Identifier: Apache-2.0
 *
 * fakequant - a value as the integer network will have it, in floats: y = s (clamp(round(x / s) + z, lo, hi) - z). p
 * holds s, one for all or one for each index of x's first axis; with `offset` it is {s, b} and moves the zero point: z
 * = zero - round(b / s). s is never less than `least`: a rate that is too high may take p below 0.
 *
 * Gradients go straight through the rounding (Bengio et al. 2013, arXiv 1308.3432) and stop where the clamp cuts. Those
 * of s and b are LSQ's (Esser et al. 2020, arXiv 1902.08153) and LSQ+'s (Bhalgat et al. 2020, arXiv 2004.09576), times
 * `grad`. With `ewgs` d, that of x grows by 1 + d sign(dy) (x / s - round(x / s)) (Lee et al. 2021, arXiv 2104.00903).
 *
 * A sum of integers that is close to the middle between two steps rounds as the integer network's does if operands behind p tell what was summed
 * (kernel/factor.h). They get no gradient.
 */
#include "kernel/kernel.h"
#include "kernel/factor.h"
#include "op/axes.h"

static bool well_formed(const cop_graph *g, cop_nid n, cop_vid x, cop_vid p)
{
	COP_ATTR(cop_fakequant_attr, a, g, n);
	const cop_type *t = cop__t(g, x), *q = cop__t(g, p);
	int32_t want = a.offset ? 2 : q->dim[0] == 1 || !t->rank ? 1 : t->dim[0];

	if (a.lo < -COP_FAKE_MOST || a.hi > COP_FAKE_MOST || a.lo >= a.hi || a.zero < a.lo || a.zero > a.hi)
		return cop__fail(g, COP_ARG, n,
		               "needs -2^29 <= lo <= zero <= hi <= 2^29 and lo < hi, got lo %d, zero %d, hi %d", a.lo,
		               a.zero, a.hi),
		       false;
	if (q->dim[0] != want)
		return cop__fail(g, COP_SHAPE, n, "%d numbers say how x is rounded, needs %s", q->dim[0],
		               a.offset ? "a step and an offset" : "one step, or one for each index of the first axis"),
		       false;
	return true;
}

static cop_status check(const cop_graph *g, cop_nid n, int from)
{
	COP_TRY(cop__need(g, n, from, COP_F32, -1));
	COP_TRY(cop__need(g, n, from + 1, COP_F32, 1));
	if (from && !cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "gradient and value have different shapes");
	return well_formed(g, n, cop__arg(g, n, from), cop__arg(g, n, from + 1)) ? COP_OK : cop__failed(g->cx);
}

/* Operands 2, 3 ...: sx; sw sx; or a sa b sb */
static cop_status check_summed(const cop_graph *g, cop_nid n)
{
	const int from = g->node[n].n_in - 2;
	const cop_type *x = cop__in(g, n, 0);

	if (from == 3 || from > 4) return cop__fail(g, COP_ARG, n, "needs 2, 3, 4 or 6 operands, has %d", from + 2);
	for (int i = 0; i < from; i++) {
		bool whole = from == 4 && i % 2 == 0;
		COP_TRY(cop__need(g, n, 2 + i, COP_F32, whole ? -1 : 1));
		int32_t want = from == 2 && i == 0 && cop__in(g, n, 2)->dim[0] > 1 && x->rank ? x->dim[x->rank - 1] : 1;
		if (whole ? !cop__same_shape(cop__in(g, n, 2 + i), x) : cop__in(g, n, 2 + i)->dim[0] != want)
			return cop__fail(g, COP_SHAPE, n, "operand %d does not go with what is rounded", 2 + i);
	}
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_TRY(check(g, n, 0));
	COP_TRY(check_summed(g, n));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	COP_ATTR(cop_fakequant_attr, a, g, n);
	cop_vid x = cop__arg(g, n, 0), p = cop__arg(g, n, 1), dy = cop__grad_of(d, cop__res(g, n, 0));

	COP_TRY(cop__grad_put(d, x, OP_fakequant_dx, &a, VIDS(dy, x, p)));
	return cop__grad_put(d, p, OP_fakequant_dp, &a, VIDS(dy, x, p));
}

static int words_of(const cop_graph *g, cop_nid n, int from, int32_t *k)
{
	COP_ATTR(cop_fakequant_attr, a, g, n);
	int32_t rows = a.offset ? 1 : cop__in(g, n, from + 1)->dim[0];

	k[FQ_ROWS] = rows;
	k[FQ_RUN] = cop__count32(cop__in(g, n, from)) / rows;
	k[FQ_LO] = a.lo, k[FQ_HI] = a.hi, k[FQ_ZERO] = a.zero, k[FQ_OFFSET] = a.offset;
	k[FQ_EWGS] = cop__bits(a.ewgs);
	k[FQ_GRAD] = cop__bits(a.grad);
	k[FQ_LEAST] = cop__bits(a.least > COP_LEAST_STEP ? a.least : COP_LEAST_STEP);
	return FQ_WORDS;
}
static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	cop_nid mean = g->value[cop__arg(g, n, 0)].producer;
	COP_ATTR(cop_pool_attr, p, g, mean);

	words_of(g, n, 0, k);
	k[FQ_FROM] = g->node[n].n_in - 2;
	k[FQ_CELLS] = mean && g->node[mean].op == OP_avgpool ? p.kh * p.kw : 1;
	k[FQ_CHANNELS] = k[FQ_FROM] == 2 ? cop__in(g, n, 2)->dim[0] : 1;
	return FQ_ALL_WORDS;
}
static int grad_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	return words_of(g, n, 1, k);
}

/* Steps by row go with the rows. */
static int links_of(const cop_graph *g, cop_nid n, int from, cop_vid y, cop_link *l, int max)
{
	COP_ATTR(cop_fakequant_attr, a, g, n);
	cop_vid x = cop__arg(g, n, from), p = cop__arg(g, n, from + 1);
	int at = cop__link_aligned(l, 0, max, g, x, y);

	return !a.offset && cop__t(g, p)->dim[0] > 1 ? at + cop__link_axis(l, at, max, g, p, 0, y, 0) : at;
}
static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	cop_vid y = cop__res(g, n, 0), w = cop__arg(g, n, 2);
	int at = links_of(g, n, 0, y, l, max);

	if (g->node[n].n_in == 4 && cop__t(g, w)->dim[0] > 1) at += cop__link_axis(l, at, max, g, w, 0, y, cop__t(g, y)->rank - 1);
	for (int i = 2; g->node[n].n_in == 6 && i < 6; i += 2) at += cop__link_aligned(l + at, 0, max - at, g, cop__arg(g, n, i), y);
	return at;
}
static int dx_links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = cop__link_aligned(l, 0, max, g, cop__arg(g, n, 0), cop__res(g, n, 0));
	return at + links_of(g, n, 1, cop__res(g, n, 0), l + at, max - at);
}

/* ---- samples ---- */

static const struct {
	int32_t rank, dim[4], p;
	cop_fakequant_attr a;
} form[] = {
        {2, {3, 37}, 1, {-128, 127, -128, 0, 0, 1, 0}},
        {4, {5, 3, 3, 7}, 5, {-7, 7, 0, 0, 0, 0.25f, 0.125f}},
        {2, {1, 200}, 2, {-8, 7, 3, 1, 0.1f, 0.5f, 0.3f}},
        {1, {19}, 19, {-COP_FAKE_MOST, COP_FAKE_MOST, 0, 0, 0, 0, 0}},
        {2, {17, 64}, 17, {-127, 127, 0, 0, 0.01f, 0.1f, 0}},
        {4, {2, 9, 9, 16}, 2, {-128, 127, 5, 1, 0, 0.02f, 0}},
};

static cop_vid image(cop_graph *g, const char *name, int which)
{
	return cop__sample_input(g, name, form[which].rank, form[which].dim);
}
/* From what is summed in these: sx, sw sx, a sa b sb */
static const int summed[] = {1, 2, 4};
static cop_nid sum_sample(cop_graph *g, int which)
{
	static const int32_t one = 1, dim[3] = {7, 9, 5};
	static const cop_fakequant_attr a = {-128, 127, 3, 0, 0, 0.5f, 0.01f};
	cop_vid in[6] = {cop__sample_input(g, "x", 3, dim), cop__sample_input(g, "p", 1, &one)};
	char name[2] = "a";

	for (int i = 0; i < summed[which]; i++, name[0]++)
		in[2 + i] = summed[which] == 4 && i % 2 == 0 ? cop__sample_input(g, name, 3, dim)
			: cop__sample_input(g, name, 1, summed[which] == 2 && i == 0 ? &dim[2] : &one);
	return cop__node(g, OP_fakequant, &a, 2 + summed[which], in);
}
static cop_nid sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return which - LEN(form) < LEN(summed) ? sum_sample(g, which - LEN(form)) : 0;
	return cop__node(g, OP_fakequant, &form[which].a,
	        VIDS(image(g, "x", which), cop__sample_input(g, "p", 1, &form[which].p)));
}
static cop_nid grad_sample(cop_graph *g, int which, int op)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, op, &form[which].a,
	        VIDS(image(g, "dy", which), image(g, "x", which), cop__sample_input(g, "p", 1, &form[which].p)));
}
static cop_nid dx_sample(cop_graph *g, int which)
{
	return grad_sample(g, which, OP_fakequant_dx);
}
static cop_nid dp_sample(cop_graph *g, int which)
{
	return grad_sample(g, which, OP_fakequant_dp);
}

#define ATTRS "lo:i hi:i zero:i offset:i ewgs:f grad:f least:f"
const cop_op cop_op_fakequant = {
        .name = "fakequant",
        .attrs = ATTRS,
        .min_in = 2,
        .max_in = 6,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = infer,
        .grad = grad,
        .links = links,
        .words = words,
        .sample = sample,
};

static cop_status dx_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(check(g, n, 1));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}
const cop_op cop_op_fakequant_dx = {
        .name = "fakequant_dx",
        .attrs = ATTRS,
        .min_in = 3,
        .max_in = 3,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = dx_infer,
        .links = dx_links,
        .words = grad_words,
        .sample = dx_sample,
};

static cop_status dp_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(check(g, n, 1));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 2));
}
const cop_op cop_op_fakequant_dp = {
        .name = "fakequant_dp",
        .attrs = ATTRS,
        .min_in = 3,
        .max_in = 3,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = dp_infer,
        .words = grad_words,
        .sample = dp_sample,
};
