/* SPDX-License-Identifier: Apache-2.0
 *
 * rprelu - PReLU whose bend is moved for each channel of the last axis, what a binary network has in the place of ReLU (Liu et al. 2020, arXiv 2003.03488):
 *
 *   y = lift + (x - knee), times slope up to the knee
 *
 * Its gradient is two operators: dx goes element by element, the sums of a channel are made by whole channels, so that threads change no bits.
 */
#include "op/axes.h"

static int32_t channels(const cop_type *x) { return x->rank ? x->dim[x->rank - 1] : 0; }

static cop_status check(cop_graph *g, cop_nid n, int at)
{
	const cop_type *x = cop__in(g, n, at);

	COP_TRY(cop__need(g, n, at, COP_F32, -1));
	if (!x->rank) return cop__fail(g, COP_SHAPE, n, "needs an axis of channels");
	for (int i = at + 1; i < g->node[n].n_in; i++) {
		COP_TRY(cop__need(g, n, i, COP_F32, 1));
		if (cop__in(g, n, i)->dim[0] != channels(x))
			return cop__fail(g, COP_SHAPE, n, "input %d has %d entries for %d channels", i, cop__in(g, n, i)->dim[0], channels(x));
	}
	if (at && (cop__in(g, n, 0)->dtype != COP_F32 || !cop__same_shape(cop__in(g, n, 0), x)))
		return cop__fail(g, COP_SHAPE, n, "gradient and value have different shapes");
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_TRY(check(g, n, 0));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid dy = cop__grad_of(d, cop__res(g, n, 0)), x = cop__arg(g, n, 0), in[4] = {dy, x, cop__arg(g, n, 1), cop__arg(g, n, 2)};
	bool wanted = false;

	if (!dy) return g->cx->code;
	COP_TRY(cop__grad_put(d, x, OP_rprelu_dx, NULL, 4, in));
	for (int i = 1; i < 4; i++) wanted |= cop__grad_wanted(d, cop__arg(g, n, i));
	cop_nid m = wanted ? cop__node(g, OP_rprelu_dp, NULL, 4, in) : 0;
	for (int i = 1; m && i < 4; i++)
		if (cop__grad_wanted(d, cop__arg(g, n, i))) COP_TRY(cop__grad_add(d, cop__arg(g, n, i), cop__want_out(g, m, i - 1)));
	return wanted && !m ? cop__failed(g->cx) : COP_OK;
}

static int words_of(const cop_type *x, int32_t *k)
{
	k[RP_C] = channels(x);
	k[RP_ROWS] = cop__count32(x) / COP_MAX(1, channels(x));
	return RP_WORDS;
}
static int words(const cop_graph *g, cop_nid n, int32_t *k) { return words_of(cop__in(g, n, 0), k); }

static void cost(const cop_graph *g, cop_nid n, cop_cost *c) { c->flop = 3 * cop_type_count(cop__in(g, n, 0)); }

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);
	int last = cop__t(g, y)->rank - 1, at = cop__link_aligned(l, 0, max, g, x, y);

	for (int i = 1; i < g->node[n].n_in; i++) {
		cop_vid v = cop__arg(g, n, i);
		at += cop__t(g, v)->rank == 1 ? cop__link_axis(l, at, max, g, v, 0, y, last) : cop__link_aligned(l + at, 0, max - at, g, v, y);
	}
	return at;
}

/* ---- samples ---- */

static const struct { int32_t rank, dim[4]; } form[] = {{2, {3, 5}}, {4, {2, 3, 3, 17}}, {4, {3, 9, 8, 16}}, {4, {1, 2, 2, 1}}, {1, {19}}, {4, {2, 10, 10, 40}}};

static cop_nid sample_of(cop_graph *g, int op, int which)
{
	if (which >= LEN(form)) return 0;
	const int32_t *c = &form[which].dim[form[which].rank - 1];
	cop_vid dy = op == OP_rprelu ? 0 : cop__sample_input(g, "dy", form[which].rank, form[which].dim), x = cop__sample_input(g, "x", form[which].rank, form[which].dim);
	cop_vid slope = cop__sample_input(g, "slope", 1, c), knee = cop__sample_input(g, "knee", 1, c);

	if (op != OP_rprelu) return cop__node(g, op, NULL, VIDS(dy, x, slope, knee));
	return cop__node(g, op, NULL, VIDS(x, slope, knee, cop__sample_input(g, "lift", 1, c)));
}
static cop_nid sample(cop_graph *g, int which) { return sample_of(g, OP_rprelu, which); }
static cop_nid dx_sample(cop_graph *g, int which) { return sample_of(g, OP_rprelu_dx, which); }
static cop_nid dp_sample(cop_graph *g, int which) { return sample_of(g, OP_rprelu_dp, which); }

const cop_op cop_op_rprelu = {
	.name = "rprelu", .attrs = "", .min_in = 4, .max_in = 4, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE | COP_OP_INPLACE,
	.infer = infer, .grad = grad, .cost = cost, .links = links, .words = words, .sample = sample,
};

/* ---- rprelu_dx, rprelu_dp: dy x slope knee ---- */

static cop_status dx_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(check(g, n, 1));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

const cop_op cop_op_rprelu_dx = {
	.name = "rprelu_dx", .attrs = "", .min_in = 4, .max_in = 4, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE | COP_OP_INPLACE,
	.infer = dx_infer, .cost = cost, .links = links, .words = words, .sample = dx_sample,
};

static cop_status dp_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(check(g, n, 1));
	for (int i = 0; i < 3; i++) COP_TRY(cop__set_out_like(g, n, i, cop__arg(g, n, 2)));
	return COP_OK;
}

const cop_op cop_op_rprelu_dp = {
	.name = "rprelu_dp", .attrs = "", .min_in = 4, .max_in = 4, .n_out = 3, .must_out = 1, .flags = COP_OP_PURE,
	.infer = dp_infer, .cost = cost, .words = words, .sample = dp_sample,
};
