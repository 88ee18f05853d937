/* SPDX-License-Identifier: Apache-2.0
 *
 * write_op - one operator of the graph as nodes of ONNX. What the graph has as one (an addition with its activation, a
 * resampling by tables) may be several there. Layers are write_layer.c's, integers write_int.c's.
 */
#include "io/onnx/write.h"

typedef cop_oxw_name nm;

/* ---- element by element ---- */

static void binary(cop_oxw *w, cop_nid n, const char *name)
{
	int op = w->g->node[n].op;
	bool clamps = op == OP_add || op == OP_sub || op == OP_mul || op == OP_div;
	COP_ATTR(cop_act_attr, a, w->g, n);
	nm x = cop__oxw_in(w, n, 0), b = cop__oxw_in(w, n, 1), y = cop__oxw_out(w, n), raw = clamps ? cop__oxw_before_act(w, y, a.lo, a.hi) : y;

	if (op == OP_mod && cop__oxw_in_type(w, n)->dtype == COP_F32) cop__oxw_attr_i(w, "fmod", 1);
	cop__oxw_node(w, name, raw.s, x.s, b.s, NULL);
	if (clamps) cop__oxw_after_act(w, y, raw, a.lo, a.hi);
}

static nm cast(cop_oxw *w, nm x, int to)
{
	nm y = cop__oxw_fresh(w);
	cop__oxw_attr_i(w, "to", to);
	cop__oxw_node(w, "Cast", y.s, x.s, NULL, NULL);
	return y;
}

/* Truths are bytes here and bool there. */
static void truth(cop_oxw *w, cop_nid n, const char *name, bool logic)
{
	nm a = cop__oxw_in(w, n, 0), b = cop__oxw_in(w, n, 1), y = cop__oxw_fresh(w);

	if (logic) a = cast(w, a, OX_BOOL), b = cast(w, b, OX_BOOL);
	cop__oxw_node(w, name, y.s, a.s, b.s, NULL);
	cop__oxw_attr_i(w, "to", OX_UINT8);
	cop__oxw_node(w, "Cast", cop__oxw_out(w, n).s, y.s, NULL, NULL);
}

static cop_status map(cop_oxw *w, cop_nid n)
{
	static const struct { const char *name; bool alpha, beta; } fn[MAP_FNS] = {
		[MAP_NEG] = {"Neg", 0, 0}, [MAP_ABS] = {"Abs", 0, 0}, [MAP_EXP] = {"Exp", 0, 0}, [MAP_LOG] = {"Log", 0, 0}, [MAP_SQRT] = {"Sqrt", 0, 0},
		[MAP_RECIPROCAL] = {"Reciprocal", 0, 0}, [MAP_ERF] = {"Erf", 0, 0}, [MAP_FLOOR] = {"Floor", 0, 0}, [MAP_CEIL] = {"Ceil", 0, 0}, [MAP_ROUND] = {"Round", 0, 0},
		[MAP_SIGN] = {"Sign", 0, 0}, [MAP_SOFTPLUS] = {"Softplus", 0, 0}, [MAP_SOFTSIGN] = {"Softsign", 0, 0}, [MAP_ELU] = {"Elu", 1, 0}, [MAP_CELU] = {"Celu", 1, 0},
		[MAP_LEAKYRELU] = {"LeakyRelu", 1, 0}, [MAP_HARDSIGMOID] = {"HardSigmoid", 1, 1}, [MAP_MISH] = {"Mish", 0, 0}, [MAP_THRESHOLDEDRELU] = {"ThresholdedRelu", 1, 0},
		[MAP_SIN] = {"Sin", 0, 0}, [MAP_COS] = {"Cos", 0, 0}, [MAP_ATAN] = {"Atan", 0, 0}};
	COP_ATTR(cop_map_attr, a, w->g, n);
	nm x = cop__oxw_in(w, n, 0), y = cop__oxw_out(w, n);

	if (a.fn == MAP_NOT) {
		nm b = cast(w, x, OX_BOOL), not = cop__oxw_fresh(w);
		cop__oxw_node(w, "Not", not.s, b.s, NULL, NULL);
		cop__oxw_attr_i(w, "to", OX_UINT8);
		cop__oxw_node(w, "Cast", y.s, not.s, NULL, NULL);
		return COP_OK;
	}
	if (!fn[a.fn].name) return cop__fail(w->g, COP_ARG, n, "function %d has no form in ONNX", a.fn);
	if (fn[a.fn].alpha) cop__oxw_attr_f(w, "alpha", a.alpha);
	if (fn[a.fn].beta) cop__oxw_attr_f(w, "beta", a.beta);
	cop__oxw_node(w, fn[a.fn].name, y.s, x.s, NULL, NULL);
	return COP_OK;
}

static void where(cop_oxw *w, cop_nid n)
{
	nm c = cast(w, cop__oxw_in(w, n, 0), OX_BOOL), a = cop__oxw_in(w, n, 1), b = cop__oxw_in(w, n, 2);
	cop__oxw_node(w, "Where", cop__oxw_out(w, n).s, c.s, a.s, b.s);
}

/* ---- moved, summed ---- */

static void shaped(cop_oxw *w, cop_nid n, const char *name)
{
	const cop_type *t = cop__outt(w->g, n, 0);
	int64_t dim[COP_MAX_DIM];

	for (int i = 0; i < t->rank; i++) dim[i] = t->dim[i];
	nm x = cop__oxw_in(w, n, 0), to = cop__oxw_ints(w, dim, t->rank);
	cop__oxw_node(w, name, cop__oxw_out(w, n).s, x.s, to.s, NULL);
}

static void transpose(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_shape_attr, p, w->g, n);
	int64_t perm[COP_MAX_DIM];

	for (int i = 0; i < p.rank; i++) perm[i] = p.dim[i];
	cop__oxw_permute(w, cop__oxw_out(w, n).s, cop__oxw_in(w, n, 0).s, p.rank, perm);
}

/* More inputs than a node takes here: by twos. */
static void concat(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_concat_attr, c, w->g, n);
	int count = w->g->node[n].n_in;
	nm now = cop__oxw_in(w, n, 0), y = cop__oxw_out(w, n);

	if (count == 1) cop__oxw_node(w, "Identity", y.s, now.s, NULL, NULL);
	for (int i = 1; i < count; i += 2) {
		nm next = i + 2 >= count ? y : cop__oxw_fresh(w), a = cop__oxw_in(w, n, i), b = {""};
		if (i + 1 < count) b = cop__oxw_in(w, n, i + 1);
		cop__oxw_attr_i(w, "axis", c.axis);
		cop__oxw_node(w, "Concat", next.s, now.s, a.s, *b.s ? b.s : NULL);
		now = next;
	}
}

/* Axis by axis: a node has three operands here, and Slice would take five. */
static void slice(cop_oxw *w, cop_nid n)
{
	const cop_type *x = cop__oxw_in_type(w, n), *t = cop__outt(w->g, n, 0);
	COP_ATTR(cop_slice_attr, s, w->g, n);
	nm now = cop__oxw_in(w, n, 0), y = cop__oxw_out(w, n);

	for (int i = 0; i < x->rank; i++) {
		int64_t *index, size = t->dim[i];
		if (size == x->dim[i]) continue;
		if (!(index = cop__alloc(w->cx, 8 * (size_t)size))) return;
		for (int64_t k = 0; k < size; k++) index[k] = s.from[i] + k * COP_MAX(s.step[i], 1);
		nm next = cop__oxw_fresh(w), at = cop__oxw_ints(w, index, (int)size);
		cop__free(w->cx, index);
		cop__oxw_attr_i(w, "axis", i);
		cop__oxw_node(w, "Gather", next.s, now.s, at.s, NULL);
		now = next;
	}
	cop__oxw_node(w, "Identity", y.s, now.s, NULL, NULL);
}

static void pad(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_pad_attr, p, w->g, n);
	int rank = cop__oxw_in_type(w, n)->rank;
	int64_t pads[2 * COP_MAX_DIM];

	for (int i = 0; i < rank; i++) pads[i] = p.before[i], pads[rank + i] = p.after[i];
	bool floats = cop__oxw_in_type(w, n)->dtype == COP_F32;
	nm x = cop__oxw_in(w, n, 0), by = cop__oxw_ints(w, pads, 2 * rank), value = floats ? cop__oxw_float(w, p.value) : cop__oxw_int(w, (int32_t)p.value, cop__oxw_in_type(w, n)->dtype);
	cop__oxw_node(w, "Pad", cop__oxw_out(w, n).s, x.s, by.s, value.s);
}

static void gather(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_axis_attr, a, w->g, n);
	nm x = cop__oxw_in(w, n, 0), at = cop__oxw_in(w, n, 1);
	cop__oxw_attr_i(w, "axis", a.axis);
	cop__oxw_node(w, "Gather", cop__oxw_out(w, n).s, x.s, at.s, NULL);
}

/* Tap by tap: elements picked, times their weights. */
static cop_status resample(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_axis_attr, a, w->g, n);
	const int32_t *ti = cop__ints(w->g, cop__arg(w->g, n, 1)), *dim = cop__in(w->g, n, 1)->dim;
	const float *tw = cop__floats(w->g, cop__arg(w->g, n, 2));
	int32_t size = dim[0], taps = dim[1], behind = cop__oxw_in_type(w, n)->rank - 1 - a.axis;
	nm x = cop__oxw_in(w, n, 0), sum = {""};

	if (!ti || !tw) return cop__fail(w->g, COP_ARG, n, "its tables must be constants that are not encoded");
	for (int32_t t = 0; t < taps; t++) {
		int64_t *index = cop__alloc(w->cx, 8 * (size_t)size), shape[COP_MAX_DIM] = {size, 1, 1, 1, 1, 1};
		float *weight = cop__alloc(w->cx, 4 * (size_t)size);
		if (!index || !weight) return cop__free(w->cx, index), cop__free(w->cx, weight), COP_NOMEM;
		for (int32_t i = 0; i < size; i++) index[i] = ti[i * taps + t], weight[i] = tw[i * taps + t];
		nm at = cop__oxw_ints(w, index, size), flat = cop__oxw_floats(w, weight, size), by = cop__oxw_fresh(w), picked = cop__oxw_fresh(w), part = cop__oxw_fresh(w);
		cop__free(w->cx, index);
		cop__free(w->cx, weight);
		cop__oxw_node(w, "Reshape", by.s, flat.s, cop__oxw_ints(w, shape, 1 + behind).s, NULL);
		cop__oxw_attr_i(w, "axis", a.axis);
		cop__oxw_node(w, "Gather", picked.s, x.s, at.s, NULL);
		cop__oxw_node(w, "Mul", part.s, picked.s, by.s, NULL);
		if (t) {
			nm next = cop__oxw_fresh(w);
			cop__oxw_node(w, "Add", next.s, sum.s, part.s, NULL);
			part = next;
		}
		sum = part;
	}
	cop__oxw_node(w, "Identity", cop__oxw_out(w, n).s, sum.s, NULL, NULL);
	return COP_OK;
}

static void reduce(cop_oxw *w, cop_nid n)
{
	static const char *const name[] = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"};
	COP_ATTR(cop_reduce_attr, a, w->g, n);
	int64_t axes[COP_MAX_DIM];
	int count = 0;

	for (int i = 0; i < cop__oxw_in_type(w, n)->rank; i++)
		if (a.axes >> i & 1) axes[count++] = i;
	nm x = cop__oxw_in(w, n, 0), by = cop__oxw_ints(w, axes, count);
	cop__oxw_attr_i(w, "keepdims", a.keep != 0);
	cop__oxw_attr_i(w, "noop_with_empty_axes", 1);
	cop__oxw_node(w, name[a.fn], cop__oxw_out(w, n).s, x.s, by.s, NULL);
}

static void argmax(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_argmax_attr, a, w->g, n);
	nm x = cop__oxw_in(w, n, 0), y = cop__oxw_fresh(w);

	cop__oxw_attr_i(w, "axis", a.axis);
	cop__oxw_attr_i(w, "keepdims", a.keep != 0);
	cop__oxw_attr_i(w, "select_last_index", a.last != 0);
	cop__oxw_node(w, "ArgMax", y.s, x.s, NULL, NULL);
	cop__oxw_attr_i(w, "to", OX_INT32);
	cop__oxw_node(w, "Cast", cop__oxw_out(w, n).s, y.s, NULL, NULL);
}

static void to_format(cop_oxw *w, cop_nid n)
{
	static const int type_of[] = {[COP_F32] = OX_FLOAT, [COP_I32] = OX_INT32, [COP_I8] = OX_INT8, [COP_U8] = OX_UINT8};
	nm x = cop__oxw_in(w, n, 0);
	cop__oxw_attr_i(w, "to", type_of[cop__outt(w->g, n, 0)->dtype]);
	cop__oxw_node(w, "Cast", cop__oxw_out(w, n).s, x.s, NULL, NULL);
}

/* ---- the table ---- */

/* Operators of one operand without attributes, and of two. */
static const char *const plain[COP_N_OP] = {[OP_sigmoid] = "Sigmoid", [OP_tanh] = "Tanh", [OP_gelu] = "Gelu", [OP_hswish] = "HardSwish", [OP_softmax] = "Softmax"};
static const char *const pairs[COP_N_OP] = {[OP_add] = "Add", [OP_sub] = "Sub", [OP_mul] = "Mul", [OP_div] = "Div", [OP_max] = "Max", [OP_min] = "Min", [OP_pow] = "Pow", [OP_mod] = "Mod"};
static const char *const truths[COP_N_OP] = {[OP_equal] = "Equal", [OP_less] = "Less", [OP_greater] = "Greater", [OP_lessequal] = "LessOrEqual", [OP_greaterequal] = "GreaterOrEqual",
	[OP_and] = "And", [OP_or] = "Or", [OP_xor] = "Xor"};

static cop_oxw_fn *const own[COP_N_OP] = {[OP_conv] = cop__oxw_conv, [OP_conv_dx] = cop__oxw_conv_dx, [OP_fc] = cop__oxw_fc, [OP_matmul] = cop__oxw_matmul, [OP_maxpool] = cop__oxw_pool, [OP_avgpool] = cop__oxw_pool, [OP_bn] = cop__oxw_bn,
	[OP_layernorm] = cop__oxw_layernorm, [OP_lrn] = cop__oxw_lrn, [OP_where] = where, [OP_transpose] = transpose, [OP_concat] = concat, [OP_slice] = slice, [OP_pad] = pad, [OP_gather] = gather,
	[OP_reduce] = reduce, [OP_argmax] = argmax, [OP_cast] = to_format};

cop_status cop__oxw_op(cop_oxw *w, cop_nid n)
{
	int op = w->g->node[n].op;

	if (op == OP_lrn && cop__oxw_in_type(w, n)->rank < 2) return cop__fail(w->g, COP_ARG, n, "has no form in ONNX: it takes two dimensions or more there");
	if (cop_ops[op]->flags & COP_OP_QUANT) return cop__oxw_int_op(w, n);
	if (plain[op]) cop__oxw_node(w, plain[op], cop__oxw_out(w, n).s, cop__oxw_in(w, n, 0).s, NULL, NULL);
	else if (pairs[op]) binary(w, n, pairs[op]);
	else if (truths[op]) truth(w, n, truths[op], op == OP_and || op == OP_or || op == OP_xor);
	else if (op == OP_map) return map(w, n);
	else if (op == OP_resample) return resample(w, n);
	else if (op == OP_rnn) return cop__oxw_rnn(w, n);
	else if (op == OP_reshape) shaped(w, n, "Reshape");
	else if (op == OP_expand) shaped(w, n, "Expand");
	else if (op == OP_clip) {
		COP_ATTR(cop_act_attr, a, w->g, n);
		cop__oxw_activate(w, cop__oxw_out(w, n), cop__oxw_in(w, n, 0), a.lo, a.hi);
	} else if (own[op]) own[op](w, n);
	else return cop__fail(w->g, COP_ARG, n, "has no form in ONNX here; a deployed network of floats or int8 can be exported");
	return COP_OK;
}
