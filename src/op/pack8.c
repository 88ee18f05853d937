/* SPDX-License-Identifier: Apache-2.0
 *
 * What a training step keeps of values between its two passes (train/store.c):
 *
 *   pack8(x)           bytes, and for each sample (index of the first axis) the step that they count: its largest magnitude / 127. zero is -128 for
 *                      values that are never negative, which have 255 steps then, else 0
 *   unpack8(q, step)   what those bytes stand for
 *   within(y)          where a result is between bounds: one bit a number, all that the gradient of a clip asks for
 */
#include "op/axes.h"

static int32_t samples(const cop_type *x) { return x->rank ? x->dim[0] : 1; }

static cop_status check_zero(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_pack8_attr, a, g, n);
	return !a.zero || a.zero == -128 ? COP_OK : cop__fail(g, COP_ARG, n, "zero=%d must be 0 or -128", a.zero);
}

static cop_status need_samples(const cop_graph *g, cop_nid n)
{
	return cop__in(g, n, 0)->rank ? COP_OK : cop__fail(g, COP_SHAPE, n, "needs a first axis, that of the samples");
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_pack8_attr, a, g, n);
	const cop_type *x = cop__in(g, n, 0);

	k[P8_ROWS] = samples(x);
	k[P8_C] = cop__count32(x) / COP_MAX(1, samples(x));
	k[P8_ZERO] = a.zero;
	return P8_WORDS;
}

static const struct { int32_t rank, dim[4], zero; } form[] = {
	{1, {1}, 0}, {2, {3, 37}, -128}, {2, {1, 300}, 0}, {4, {2, 3, 5, 7}, -128}, {3, {5, 16, 4}, 0}, {2, {4, 64}, -128},
};

/* ---- pack8 ---- */

static cop_status pack_infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	const int32_t one = samples(x);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(need_samples(g, n));
	COP_TRY(check_zero(g, n));
	COP_TRY(cop__set_out(g, n, 0, COP_I8, x->rank, x->dim));
	return cop__set_out(g, n, 1, COP_F32, 1, &one);
}

static cop_nid pack_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_pack8, &(cop_pack8_attr){form[which].zero}, VIDS(cop__sample_input(g, "x", form[which].rank, form[which].dim)));
}

const cop_op cop_op_pack8 = {
	.name = "pack8", .attrs = "zero:i", .min_in = 1, .max_in = 1, .n_out = 2, .must_out = 2, .flags = COP_OP_PURE,
	.infer = pack_infer, .words = words, .sample = pack_sample,
};

/* ---- unpack8 ---- */

static cop_status unpack_infer(cop_graph *g, cop_nid n)
{
	const cop_type *q = cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 0, COP_I8, -1));
	COP_TRY(need_samples(g, n));
	COP_TRY(check_zero(g, n));
	COP_TRY(cop__need(g, n, 1, COP_F32, 1));
	if (cop__in(g, n, 1)->dim[0] != samples(q)) return cop__fail(g, COP_SHAPE, n, "%d steps do not suit %d samples", cop__in(g, n, 1)->dim[0], samples(q));
	return cop__set_out(g, n, 0, COP_F32, q->rank, q->dim);
}

static cop_nid unpack_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	cop_type q = cop__type(COP_I8, form[which].rank, form[which].dim);
	return cop__node(g, OP_unpack8, &(cop_pack8_attr){form[which].zero}, VIDS(cop__input(g, "q", &q), cop__sample_input(g, "step", 1, q.dim)));
}

const cop_op cop_op_unpack8 = {
	.name = "unpack8", .attrs = "zero:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = unpack_infer, .words = words, .sample = unpack_sample,
};

/* ---- within ---- */

static cop_status within_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_act_attr, a, g, n);
	const cop_type *y = cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(need_samples(g, n));
	if (!(a.lo <= a.hi)) return cop__fail(g, COP_ARG, n, "lo is %g, must be at most hi, which is %g", a.lo, a.hi);
	return cop__set_out(g, n, 0, COP_BIT, y->rank, y->dim);
}

static int within_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_act_attr, a, g, n);
	const cop_type *y = cop__in(g, n, 0);

	k[QI_C] = y->dim[y->rank - 1];
	k[QI_ROWS] = cop__count32(y) / COP_MAX(1, k[QI_C]);
	k[QI_LO] = cop__bits(a.lo);
	k[QI_HI] = cop__bits(a.hi);
	return QI_WORDS;
}

static cop_nid within_sample(cop_graph *g, int which)
{
	static const cop_act_attr bounds[] = {{0, COP_NO_HI}, {-0.5f, 0.4f}, {COP_NO_LO, 0.3f}};
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_within, &bounds[which % LEN(bounds)], VIDS(cop__sample_input(g, "y", form[which].rank, form[which].dim)));
}

const cop_op cop_op_within = {
	.name = "within", .attrs = "lo:f hi:f", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = within_infer, .words = within_words, .sample = within_sample,
};
