/* SPDX-License-Identifier: Apache-2.0
 *
 * add, sub, mul, div - y = clamp(a op b) with broadcasting: shapes are aligned at the last axis, and an axis of
 * length 1 (or none) repeats. The clamp is the activation a pass may fuse into the op; its gradient comes first.
 * A repeated operand's gradient is the sum over what was repeated, left to sum_to.
 */
#include "op/axes.h"

static cop_status infer(cop_graph *g, cop_nid n)
{
	cop_dtype d = cop__in(g, n, 0)->dtype == COP_I32 ? COP_I32 : COP_F32;
	int32_t rank, dim[COP_MAX_DIM];
	COP_ATTR(cop_act_attr, act, g, n);

	COP_TRY(cop__need(g, n, 0, d, -1));
	COP_TRY(cop__need(g, n, 1, d, -1));
	if (!(act.lo <= act.hi)) return cop__fail(g, COP_ARG, n, "lo is %g, must be at most hi, which is %g", act.lo, act.hi);
	if (d == COP_I32 && (act.lo != COP_NO_LO || act.hi != COP_NO_HI))
		return cop__fail(g, COP_ARG, n, "lo and hi are of reals, integers are held by max and min");
	COP_TRY(cop__broadcast(g, n, &rank, dim));
	return cop__set_out(g, n, 0, d, rank, dim);
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *y = cop__outt(g, n, 0);
	COP_ATTR(cop_act_attr, act, g, n);

	memset(k, 0, BK_WORDS * sizeof *k);
	memcpy(k + BK_DIM, y->dim, sizeof y->dim);
	cop__broadcast_strides(k + BK_SA, cop__in(g, n, 0), y->rank, y->dim);
	cop__broadcast_strides(k + BK_SB, cop__in(g, n, 1), y->rank, y->dim);
	k[BK_RANK] = cop__merge_axes(y->rank, k + BK_DIM, k + BK_SA, k + BK_SB);
	k[BK_LO] = cop__bits(act.lo);
	k[BK_HI] = cop__bits(act.hi);
	return BK_WORDS;
}

static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};

/* dy where the clamp let it through; 0 when no gradient came this way. */
static cop_vid through(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid y = cop__res(g, n, 0), dy = cop__grad_of(d, y);
	COP_ATTR(cop_act_attr, act, g, n);

	if (!dy || (act.lo == COP_NO_LO && act.hi == COP_NO_HI)) return dy;
	return cop__apply(g, OP_clip_grad, &act, VIDS(dy, y));
}

/* Adds `grad`, which has y's shape, to the gradient of operand v. */
static cop_status give(cop_grad *d, cop_vid v, cop_vid grad)
{
	cop_graph *g = cop__grad_graph(d);
	const cop_type *t = cop__t(g, v);
	cop_shape_attr to = {.rank = t->rank};

	if (!grad) return g->cx->code;
	if (cop__same_shape(t, cop__t(g, grad))) return cop__grad_add(d, v, grad);
	memcpy(to.dim, t->dim, sizeof to.dim);
	return cop__grad_put(d, v, OP_sum_to, &to, VIDS(grad));
}

static cop_vid product(cop_graph *g, cop_vid a, cop_vid b) { return cop__apply(g, OP_mul, &plain, VIDS(a, b)); }

static cop_status grad_add(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1), dy = through(d, n);

	if (!dy) return g->cx->code;
	if (cop__grad_wanted(d, a)) COP_TRY(give(d, a, dy));
	return cop__grad_wanted(d, b) ? give(d, b, dy) : COP_OK;
}

static cop_status grad_sub(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1), dy = through(d, n);

	if (!dy) return g->cx->code;
	if (cop__grad_wanted(d, a)) COP_TRY(give(d, a, dy));
	if (!cop__grad_wanted(d, b)) return COP_OK;
	return give(d, b, product(g, dy, cop__scalar(g, "grad.minus_one", -1)));
}

static cop_status grad_mul(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1), dy = through(d, n);

	if (!dy) return g->cx->code;
	if (cop__grad_wanted(d, a)) COP_TRY(give(d, a, product(g, dy, b)));
	return cop__grad_wanted(d, b) ? give(d, b, product(g, dy, a)) : COP_OK;
}

/* da = dy / b, db = -da y: y may be the clamped one, for where it was clamped dy is 0. */
static cop_status grad_div(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1), y = cop__res(g, n, 0), dy = through(d, n);

	if (!dy) return g->cx->code;
	cop_vid da = cop__apply(g, OP_div, &plain, VIDS(dy, b));
	if (cop__grad_wanted(d, a)) COP_TRY(give(d, a, da));
	if (!cop__grad_wanted(d, b)) return COP_OK;
	return give(d, b, product(g, product(g, da, y), cop__scalar(g, "grad.minus_one", -1)));
}

/* Operands of every form: equal, row vector, column, scalar, both repeated, different ranks. */
static cop_nid sample(cop_graph *g, int op, int which)
{
	static const struct { int32_t ra, a[4], rb, b[4]; float lo, hi; } form[] = {
		{1, {1}, 1, {1}, COP_NO_LO, COP_NO_HI},
		{2, {3, 7}, 2, {3, 7}, COP_NO_LO, COP_NO_HI},
		{4, {2, 3, 5, 7}, 1, {7}, COP_NO_LO, COP_NO_HI},
		{2, {5, 9}, 2, {5, 1}, COP_NO_LO, 0.4f},
		{3, {1, 4, 3}, 3, {5, 1, 3}, COP_NO_LO, COP_NO_HI},
		{1, {6}, 3, {2, 3, 6}, -0.3f, 0.6f},
		{2, {1, 1}, 2, {3, 5}, COP_NO_LO, COP_NO_HI},
		{4, {2, 3, 3, 17}, 4, {2, 3, 3, 17}, 0, COP_NO_HI},
	};
	if (which >= LEN(form)) return 0;
	cop_act_attr act = {form[which].lo, form[which].hi};
	cop_vid a = cop__sample_input(g, "a", form[which].ra, form[which].a);
	cop_vid b = cop__sample_input(g, "b", form[which].rb, form[which].b);
	return cop__node(g, op, &act, VIDS(a, b));
}

#define BINARY(NAME)                                                                               \
	static cop_nid sample_##NAME(cop_graph *g, int which) { return sample(g, OP_##NAME, which); }      \
	const cop_op cop_op_##NAME = {                                                             \
		.name = #NAME, .attrs = "lo:f hi:f", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,  \
		.flags = COP_OP_PURE | COP_OP_INPLACE | COP_OP_ELTWISE | COP_OP_ACT,               \
		.infer = infer, .grad = grad_##NAME, .links = cop__links_eltwise, .words = words, .sample = sample_##NAME, \
	};
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
