/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce - sums, means, extremes along axes, where they are, and softmax. What ONNX has a name for (L1, LogSumExp ...)
 * is made of these. Channels-last values stay so.
 */
#include "io/onnx/onnx.h"

/* The axes as a mask (all when none are named) and whether they stay, with length 1. */
cop_status cop__ox_reduce_axes(cop_ox *m, const cop_ox_node *n, uint32_t *axes, bool *keep)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t room[OX_MAX_DIM];
	const int64_t *v = room;
	int32_t count = cop__ox_ints(m, n, "axes", room, OX_MAX_DIM), a;

	if (count < 0) COP_TRY(cop__ox_known_ints(m, n, 1, &v, &count));
	*keep = cop__ox_i(n, "keepdims", 1) != 0;
	*axes = 0;
	if (count <= 0) *axes = cop__ox_i(n, "noop_with_empty_axes", 0) ? 0 : (1u << x->rank) - 1;
	for (int i = 0; i < count; i++) {
		COP_TRY(cop__ox_axis(m, n, v[i], x->rank, &a));
		*axes |= 1u << a;
	}
	return COP_OK;
}

static int reducer(const char *how)
{
	static const struct { const char *name; int fn; } table[] = {{"Max", REDUCE_MAX}, {"Mean", REDUCE_MEAN},
		{"Min", REDUCE_MIN}, {"Prod", REDUCE_PROD}};

	for (int i = 0; i < LEN(table); i++)
		if (!strcmp(table[i].name, how)) return table[i].fn;
	return REDUCE_SUM;
}

/* log(sum(exp(x - max))) + max */
static cop_vid log_sum_exp(cop_ox *m, cop_vid x, uint32_t axes, bool keep)
{
	cop_vid most = cop__ox_reduce(m, REDUCE_MAX, x, axes, true);
	cop_vid sum = cop__ox_reduce(m, REDUCE_SUM, cop__ox_map(m, MAP_EXP, 0, 0, cop__ox_two(m, OP_sub, x, most)), axes,
		keep);
	return cop__ox_two(m, OP_add, cop__ox_map(m, MAP_LOG, 0, 0, sum),
		keep ? most : cop__ox_reduce(m, REDUCE_MAX, x, axes, false));
}

cop_status cop__ox_add_reduce(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const char *how = n->type + 6;
	uint32_t axes, there = 0;
	bool keep, none;

	COP_TRY(cop__ox_reduce_axes(m, n, &axes, &keep));
	none = !axes && x->rank; /* nothing is reduced, but the function is still applied */
	cop_ox_layout l = keep || none ? cop__ox_prefers(x) : OX_PLAIN;
	for (int i = 0; i < x->rank; i++)
		if (axes >> i & 1) there |= 1u << cop__ox_axis_in(i, x->rank, l);
	cop_vid v = cop__ox_as(m, x, l);
	bool whole = v && cop__t(m->g, v)->dtype != COP_F32;
	if (whole) v = cop__ox_widen(m, v);
	if (whole && (!strncmp(how, "Log", 3) || !strcmp(how, "L2") || !strcmp(how, "Mean")))
		return cop__ox_fail(m, n, "of whole numbers (%s) is not supported", cop__ox_type_text(x->type));
	if (!strcmp(how, "L1")) v = cop__ox_map(m, MAP_ABS, 0, 0, v);
	if (!strcmp(how, "L2") || !strcmp(how, "SumSquare")) v = cop__ox_two(m, OP_mul, v, v);
	if (!strcmp(how, "LogSumExp")) v = none ? v : log_sum_exp(m, v, there, keep);
	else if (!none) v = cop__ox_reduce(m, reducer(how), v, there, keep);
	if (!strcmp(how, "L2")) v = cop__ox_map(m, MAP_SQRT, 0, 0, v);
	if (!strcmp(how, "LogSum")) v = cop__ox_map(m, MAP_LOG, 0, 0, v);
	return cop__ox_set(m, n, 0, v, l, 0);
}

cop_status cop__ox_add_argmax(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int32_t axis;

	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", 0), x->rank, &axis));
	bool keep = cop__ox_i(n, "keepdims", 1) != 0;
	cop_ox_layout l = keep ? cop__ox_prefers(x) : OX_PLAIN;
	cop_vid v = cop__ox_float(m, n, 0, l);
	if (!strcmp(n->type, "ArgMin")) v = cop__ox_map(m, MAP_NEG, 0, 0, v);
	v = cop__ox_argmax(m, v, cop__ox_axis_in(axis, x->rank, l), keep, cop__ox_i(n, "select_last_index", 0) != 0);
	return cop__ox_set(m, n, 0, v, l, OX_INT64);
}

/* ---- softmax ---- */

cop_status cop__ox_add_softmax(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	bool logs = !strcmp(n->type, "LogSoftmax"), old = m->opset < 13;
	int32_t axis, two[2] = {1, 1};

	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", old ? 1 : -1), x->rank, &axis));
	bool rest = false; /* old sets take all axes from that one on as one */
	for (int i = axis + 1; i < x->rank; i++) rest |= x->dim[i] > 1;
	if (old && rest) {
		for (int i = 0; i < x->rank; i++) two[i >= axis] *= x->dim[i];
		cop_vid v = cop__ox_reshape(m, cop__ox_float(m, n, 0, OX_PLAIN), 2, two);
		v = logs ? cop__make_log_softmax(m->g, v, 1) : cop__ox_softmax(m, v, 1);
		return cop__ox_set(m, n, 0, cop__ox_reshape(m, v, x->rank, x->dim), OX_PLAIN, 0);
	}
	cop_ox_layout l = cop__ox_prefers(x);
	cop_vid v = cop__ox_float(m, n, 0, l);
	axis = cop__ox_axis_in(axis, x->rank, l);
	return cop__ox_set(m, n, 0, logs ? cop__make_log_softmax(m->g, v, axis) : cop__ox_softmax(m, v, axis), l, 0);
}
