/* SPDX-License-Identifier: Apache-2.0
 *
 * attention - softmax(scale Q K' + mask) V, made of products, additions and softmax.
 *
 *   Q [batch,heads,q,d]  K [batch,kv,k,d]  V [batch,kv,k,e], or with 3 axes [batch,q,heads d]; heads is a multiple of kv
 */
#include "io/onnx/onnx.h"

/* Operand i as [batch,heads,length,size]. */
static cop_vid heads_of(cop_ox *m, const cop_ox_node *n, int i, const char *attr)
{
	cop_ox_value *v = cop__ox_in(m, n, i);
	cop_vid x = cop__ox_float(m, n, i, OX_PLAIN);
	int64_t heads = cop__ox_i(n, attr, 0);

	if (!x || v->rank == 4) return x;
	if (v->rank != 3 || heads < 1 || heads > v->dim[2] || v->dim[2] % heads)
		return cop__ox_fail(m, n, "input %d: %d dimensions and %lld heads do not fit", i, v->rank, (long long)heads), 0;
	x = cop__ox_reshape(m, x, 4, DIMS(v->dim[0], v->dim[1], (int32_t)heads, v->dim[2] / (int32_t)heads));
	return cop__ox_transpose(m, x, DIMS(0, 2, 1, 3));
}

/* Each head as often as queries share it. */
static cop_vid repeat_heads(cop_ox *m, cop_vid x, int32_t heads)
{
	if (!x) return 0;
	cop_type t = *cop__t(m->g, x);
	int32_t times = heads / COP_MAX(t.dim[1], 1);

	if (times <= 1) return x;
	x = cop__ox_reshape(m, x, 5, DIMS(t.dim[0], t.dim[1], 1, t.dim[2], t.dim[3]));
	x = cop__ox_expand(m, x, 5, DIMS(t.dim[0], t.dim[1], times, t.dim[2], t.dim[3]));
	return cop__ox_reshape(m, x, 4, DIMS(t.dim[0], heads, t.dim[2], t.dim[3]));
}

/* 0 where a key may be seen, else a number that softmax takes for -infinity. */
static cop_vid causal(cop_ox *m, int32_t q, int32_t k)
{
	float *mask = cop__ox_room(m, 4 * (size_t)q * (size_t)k);
	cop_type t = cop__type(COP_F32, 2, DIMS(q, k));

	for (int64_t i = 0; mask && i < (int64_t)q * k; i++) mask[i] = i % k > i / k ? -1e30f : 0;
	return mask ? cop__ox_const(m, "causal", COP_CONST, &t, mask) : 0;
}

static cop_vid masked(cop_ox *m, const cop_ox_node *n, cop_vid score)
{
	cop_ox_value *mask = cop__ox_in(m, n, 3);

	if (!mask) return score;
	cop_vid v = cop__ox_get(m, n, 3);
	if (mask->type != OX_BOOL) return cop__ox_two(m, OP_add, score, v);
	v = cop__ox_cast(m, cop__ox_map(m, MAP_NOT, 0, 0, v), COP_F32);
	return cop__ox_two(m, OP_add, score, cop__ox_two_f(m, OP_mul, v, -1e30f));
}

cop_status cop__ox_add_attention(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *in = cop__ox_in(m, n, 0);

	if (cop__ox_in(m, n, 4) || cop__ox_in(m, n, 5) || cop__ox_out(m, n, 1) || cop__ox_out(m, n, 2) || cop__ox_out(m, n, 3))
		return cop__ox_fail(m, n, "past keys and values, and results beside the first, are not supported");
	cop_vid q = heads_of(m, n, 0, "q_num_heads"), k = heads_of(m, n, 1, "kv_num_heads"),
		v = heads_of(m, n, 2, "kv_num_heads");
	if (!q || !k || !v) return m->cx->code;
	cop_type tq = *cop__t(m->g, q), tk = *cop__t(m->g, k), tv = *cop__t(m->g, v);
	if (tq.dim[3] != tk.dim[3] || tk.dim[2] != tv.dim[2] || tq.dim[1] % tk.dim[1] || tk.dim[1] != tv.dim[1])
		return cop__ox_fail(m, n, "the shapes of queries, keys and values do not fit");
	k = repeat_heads(m, k, tq.dim[1]);
	v = repeat_heads(m, v, tq.dim[1]);
	q = cop__ox_two_f(m, OP_mul, q, cop__ox_f(n, "scale", 1 / __builtin_sqrtf((float)tq.dim[3])));
	cop_vid score = cop__ox_matmul(m, q, k, 0, 1);
	float cap = cop__ox_f(n, "softcap", 0);
	if (cap > 0)
		score = cop__ox_two_f(m, OP_mul, cop__apply(m->g, OP_tanh, NULL, VIDS(cop__ox_two_f(m, OP_div, score, cap))), cap);
	score = masked(m, n, score);
	if (cop__ox_i(n, "is_causal", 0)) score = cop__ox_two(m, OP_add, score, causal(m, tq.dim[2], tk.dim[2]));
	cop_vid share = cop__ox_softmax(m, score, 3);
	if (cop__ox_in(m, n, 3) && cop__ox_in(m, n, 3)->type == OX_BOOL) /* who may see nothing gets 0 */
		share = cop__ox_two(m, OP_mul, share,
			cop__ox_cast(m, cop__ox_two(m, OP_greater, score, cop__ox_scalar(m, -1e29f)), COP_F32));
	cop_vid y = cop__ox_matmul(m, share, v, 0, 0);
	if (in->rank == 3)
		y = cop__ox_reshape(m, cop__ox_transpose(m, y, DIMS(0, 2, 1, 3)), 3,
			DIMS(tq.dim[0], tq.dim[2], tq.dim[1] * tv.dim[3]));
	return cop__ox_set(m, n, 0, y, OX_PLAIN, 0);
}
