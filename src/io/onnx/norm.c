/* SPDX-License-Identifier: Apache-2.0
 *
 * norm - normalisations: over the batch (an operator of ours), over the last axes, over groups of channels, and of a
 * neighbourhood of channels. Group and instance normalisation are a layer normalisation of [n groups, rest].
 */
#include "io/onnx/window.h"

cop_status cop__ox_add_bn(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	cop_bn_attr a = {.eps = cop__ox_f(n, "epsilon", 1e-5f), .momentum = 0.1f, .lo = COP_NO_LO, .hi = COP_NO_HI};
	cop_vid v[5];

	if (cop__ox_i(n, "training_mode", 0))
		return cop__ox_fail(m, n, "in training mode is not supported; export the model for inference");
	if (!cop__ox_i(n, "spatial", 1)) return cop__ox_fail(m, n, "spatial=0 is not supported");
	for (int i = 1; i < 5; i++) {
		cop_ox_value *p = cop__ox_in(m, n, i);
			if (x->rank < 2 || p->rank != 1 || p->dim[0] != x->dim[1])
				return cop__ox_fail(m, n, "input %d must have one entry for each channel", i);
		v[i] = i < 3 ? cop__ox_weight(m, n, i, OX_PLAIN) : cop__ox_state(m, n, i, v[1]);
	}
	v[0] = cop__ox_float(m, n, 0, OX_LAST);
	for (int i = 0; i < 5; i++)
		if (!v[i]) return m->cx->code;
	return cop__ox_set(m, n, 0, cop__apply(m->g, OP_bn, &a, 5, v), OX_LAST, 0);
}

/* ---- over the last axes ---- */

/* mean and 1/deviation, for who asks for them */
static cop_status moments(cop_ox *m, const cop_ox_node *n, cop_vid x, uint32_t axes, float eps)
{
	if (!cop__ox_out(m, n, 1) && !cop__ox_out(m, n, 2)) return COP_OK;
	cop_vid mean = cop__ox_reduce(m, REDUCE_MEAN, x, axes, true), low = cop__ox_two(m, OP_sub, x, mean);
	cop_vid var = cop__ox_reduce(m, REDUCE_MEAN, cop__ox_two(m, OP_mul, low, low), axes, true);
	cop_vid inv = cop__ox_map(m, MAP_RECIPROCAL, 0, 0, cop__ox_map(m, MAP_SQRT, 0, 0, cop__ox_two_f(m, OP_add, var, eps)));
	COP_TRY(cop__ox_set(m, n, 1, mean, OX_PLAIN, OX_FLOAT));
	return cop__ox_set(m, n, 2, inv, OX_PLAIN, OX_FLOAT);
}

/* Scale or bias, flat; it must have as many entries as are normalised together. 0: absent or a failure. */
static cop_vid entries(cop_ox *m, const cop_ox_node *n, int i, int64_t count)
{
	cop_ox_value *v = cop__ox_in(m, n, i);

	if (!v) return 0;
	if (cop__ox_count(v) != count)
		return cop__ox_fail(m, n, "input %d has %lld entries, %lld are normalised together", i, (long long)cop__ox_count(v),
			(long long)count), 0;
	return cop__ox_bias(m, v, (int32_t)count);
}

cop_status cop__ox_add_layer_norm(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	bool rms = !strcmp(n->type, "RMSNormalization");
	float eps = cop__ox_f(n, "epsilon", 1e-5f);
	int32_t axis;
	int64_t inner = 1;
	uint32_t axes = 0;

	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", -1), x->rank, &axis));
	for (int i = axis; i < x->rank; i++) inner *= x->dim[i], axes |= 1u << i;
	cop_vid v = cop__ox_float(m, n, 0, OX_PLAIN), gamma = entries(m, n, 1, inner), beta = entries(m, n, 2, inner);
	if (!v || m->cx->code) return m->cx->code;
	COP_TRY(moments(m, n, v, axes, eps));
	bool flat = axis != x->rank - 1;
	if (flat) v = cop__ox_reshape(m, v, 2, DIMS((int32_t)(cop__ox_count(x) / inner), (int32_t)inner));
	v = cop__ox_layernorm(m, v, gamma, beta, eps, rms);
	return cop__ox_set(m, n, 0, flat ? cop__ox_reshape(m, v, x->rank, x->dim) : v, OX_PLAIN, 0);
}

/* ---- over groups of channels ---- */

/* One entry a channel, or (before operator set 21) a group, as [c,1,1...]. */
static cop_vid per_channel(cop_ox *m, const cop_ox_node *n, int i, int32_t groups)
{
	const cop_ox_value *x = cop__ox_in(m, n, 0);
	cop_ox_value *v = cop__ox_in(m, n, i);
	int32_t dim[OX_MAX_DIM] = {x->dim[1], 1, 1, 1, 1, 1, 1, 1};
	cop_vid p = cop__ox_weight(m, n, i, OX_PLAIN);

	if (!p) return 0;
	if (v->rank != 1 || (v->dim[0] != x->dim[1] && v->dim[0] != groups))
		return cop__ox_fail(m, n, "input %d must have one entry for each channel", i), 0;
	if (v->dim[0] != x->dim[1]) {
		p = cop__ox_reshape(m, p, 2, DIMS(groups, 1));
		p = cop__ox_expand(m, p, 2, DIMS(groups, x->dim[1] / groups));
	}
	return cop__ox_reshape(m, p, x->rank - 1, dim);
}

cop_status cop__ox_add_group_norm(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);

	if (x->rank < 3) return cop__ox_fail(m, n, "%d dimensions, at least 3 are expected", x->rank);
	int64_t groups = strcmp(n->type, "GroupNormalization") ? x->dim[1] : cop__ox_i(n, "num_groups", 0);
	if (groups < 1 || groups > x->dim[1] || x->dim[1] % groups)
		return cop__ox_fail(m, n, "%d channels in %lld groups", x->dim[1], (long long)groups);
	int32_t rows = x->dim[0] * (int32_t)groups;
	cop_vid v = cop__ox_reshape(m, cop__ox_float(m, n, 0, OX_PLAIN), 2, DIMS(rows, (int32_t)(cop__ox_count(x) / rows)));
	v = cop__ox_reshape(m, cop__ox_layernorm(m, v, 0, 0, cop__ox_f(n, "epsilon", 1e-5f), false), x->rank, x->dim);
	v = cop__ox_two(m, OP_mul, v, per_channel(m, n, 1, (int32_t)groups));
	return cop__ox_set(m, n, 0, cop__ox_two(m, OP_add, v, per_channel(m, n, 2, (int32_t)groups)), OX_PLAIN, 0);
}

/* (x - mean) / deviation along named axes. */
cop_status cop__ox_add_mvn(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t v[OX_MAX_DIM] = {0, 2, 3};
	int count = cop__ox_ints(m, n, "axes", v, OX_MAX_DIM);
	uint32_t axes = 0;
	int32_t a;

	if (m->cx->code) return m->cx->code;
	for (int i = 0; i < (count < 0 ? 3 : count); i++) {
		COP_TRY(cop__ox_axis(m, n, v[i], x->rank, &a));
		axes |= 1u << a;
	}
	cop_vid in = cop__ox_float(m, n, 0, OX_PLAIN),
		low = cop__ox_two(m, OP_sub, in, cop__ox_reduce(m, REDUCE_MEAN, in, axes, true));
	cop_vid dev = cop__ox_map(m, MAP_SQRT, 0, 0,
		cop__ox_reduce(m, REDUCE_MEAN, cop__ox_two(m, OP_mul, low, low), axes, true));
	return cop__ox_set(m, n, 0, cop__ox_two(m, OP_div, low, cop__ox_two_f(m, OP_add, dev, 1e-9f)), OX_PLAIN, 0);
}

cop_status cop__ox_add_lrn(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t size = cop__ox_i(n, "size", 0);

	if (x->rank < 3 || size < 1 || size > 1 << 20)
		return cop__ox_fail(m, n, "size %lld of %d dimensions", (long long)size, x->rank);
	cop_vid v = cop__ox_lrn(m, cop__ox_float(m, n, 0, OX_LAST), (int32_t)size, cop__ox_f(n, "alpha", 1e-4f),
		cop__ox_f(n, "beta", 0.75f), cop__ox_f(n, "bias", 1));
	return cop__ox_set(m, n, 0, v, OX_LAST, 0);
}
