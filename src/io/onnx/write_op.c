/* SPDX-License-Identifier: Apache-2.0
 *
 * write_op - one operator of the graph as nodes of ONNX. What the graph has as one (a convolution with its activation, a
 * resampling by tables) may be several there.
 */
#include "io/onnx/write.h"

typedef cop_oxw_name nm;

static nm in(cop_oxw *w, cop_nid n, int i) { return cop__oxw_value(w, cop__arg(w->g, n, i)); }
static nm out(cop_oxw *w, cop_nid n) { return cop__oxw_value(w, cop__res(w->g, n, 0)); }
static const cop_type *type(cop_oxw *w, cop_nid n) { return cop__in(w->g, n, 0); }

static void permute(cop_oxw *w, const char *to, const char *from, int rank, const int64_t *perm)
{
	cop__oxw_attr_ints(w, "perm", perm, rank);
	cop__oxw_node(w, "Transpose", to, from, NULL, NULL);
}

/* [n,...,c] -> [n,c,...], and back. */
nm cop__oxw_first(cop_oxw *w, nm x, int rank)
{
	int64_t perm[COP_MAX_DIM] = {0, rank - 1};
	nm y;

	if (rank < 3) return x;
	y = cop__oxw_fresh(w);
	for (int i = 2; i < rank; i++) perm[i] = i - 1;
	permute(w, y.s, x.s, rank, perm);
	return y;
}

void cop__oxw_last(cop_oxw *w, nm to, nm x, int rank)
{
	int64_t perm[COP_MAX_DIM] = {0};

	if (rank < 3) {
		cop__oxw_node(w, "Identity", to.s, x.s, NULL, NULL);
		return;
	}
	for (int i = 1; i < rank - 1; i++) perm[i] = i + 1;
	perm[rank - 1] = 1;
	permute(w, to.s, x.s, rank, perm);
}

/* y = the fused activation of x. */
void cop__oxw_activate(cop_oxw *w, nm y, nm x, float lo, float hi)
{
	bool no_lo = lo == COP_NO_LO, no_hi = hi == COP_NO_HI;

	if (no_lo && no_hi) cop__oxw_node(w, "Identity", y.s, x.s, NULL, NULL);
	else if (!(lo < 0) && !(lo > 0) && no_hi) cop__oxw_node(w, "Relu", y.s, x.s, NULL, NULL);
	else {
		nm l = {""}, h = {""};
		if (!no_lo) l = cop__oxw_float(w, lo);
		if (!no_hi) h = cop__oxw_float(w, hi);
		cop__oxw_node(w, "Clip", y.s, x.s, l.s, h.s);
	}
}

/* Where a node writes before its activation: the result itself when there is none. */
static nm before_act(cop_oxw *w, nm y, float lo, float hi) { return lo == COP_NO_LO && hi == COP_NO_HI ? y : cop__oxw_fresh(w); }
static void after_act(cop_oxw *w, nm y, nm x, float lo, float hi)
{
	if (lo != COP_NO_LO || hi != COP_NO_HI) cop__oxw_activate(w, y, x, lo, hi);
}

/* ---- layers ---- */

void cop__oxw_conv_attrs(cop_oxw *w, const cop_conv_attr *a)
{
	cop__oxw_attr_ints(w, "strides", (const int64_t[]){a->sh, a->sw}, 2);
	cop__oxw_attr_ints(w, "pads", (const int64_t[]){a->pt, a->pl, a->pb, a->pr}, 4);
	cop__oxw_attr_ints(w, "dilations", (const int64_t[]){a->dh, a->dw}, 2);
	cop__oxw_attr_i(w, "group", a->groups);
}

static void conv(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_conv_attr, a, w->g, n);
	nm x = cop__oxw_first(w, in(w, n, 0), 4), k = cop__oxw_kernel(w, cop__arg(w->g, n, 1)), b = {""}, raw = cop__oxw_fresh(w), y = before_act(w, raw, a.lo, a.hi);

	if (cop__arg(w->g, n, 2)) b = in(w, n, 2);
	cop__oxw_conv_attrs(w, &a);
	cop__oxw_node(w, "Conv", y.s, x.s, k.s, *b.s ? b.s : NULL);
	after_act(w, raw, y, a.lo, a.hi);
	cop__oxw_last(w, out(w, n), raw, 4);
}

/* The gradient of a convolution is the transposed one, over the same weight. */
static void conv_dx(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_conv_dx_attr, a, w->g, n);
	const cop_type *x = type(w, n), *k = cop__in(w->g, n, 1);
	int64_t more[2] = {a.h - ((int64_t)(x->dim[1] - 1) * a.c.sh + (k->dim[1] - 1) * a.c.dh + 1 - a.c.pt - a.c.pb),
		a.w - ((int64_t)(x->dim[2] - 1) * a.c.sw + (k->dim[2] - 1) * a.c.dw + 1 - a.c.pl - a.c.pr)};
	nm first = cop__oxw_first(w, in(w, n, 0), 4), kernel = cop__oxw_kernel(w, cop__arg(w->g, n, 1)), y = cop__oxw_fresh(w);

	cop__oxw_conv_attrs(w, &a.c);
	cop__oxw_attr_ints(w, "output_padding", more, 2);
	cop__oxw_node(w, "ConvTranspose", y.s, first.s, kernel.s, NULL);
	cop__oxw_last(w, out(w, n), y, 4);
}

static void fc(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_act_attr, a, w->g, n);
	nm x = in(w, n, 0), k = in(w, n, 1), b = {""}, y = out(w, n), raw = before_act(w, y, a.lo, a.hi);

	if (cop__arg(w->g, n, 2)) b = in(w, n, 2);
	cop__oxw_attr_i(w, "transB", 1);
	cop__oxw_node(w, "Gemm", raw.s, x.s, k.s, *b.s ? b.s : NULL);
	after_act(w, y, raw, a.lo, a.hi);
}

static nm turned(cop_oxw *w, cop_nid n, int i, bool turn)
{
	int rank = cop__in(w->g, n, i)->rank;
	int64_t perm[COP_MAX_DIM];
	nm x = in(w, n, i), y;

	if (!turn) return x;
	for (int k = 0; k < rank; k++) perm[k] = k < rank - 2 ? k : 2 * rank - 3 - k;
	y = cop__oxw_fresh(w);
	permute(w, y.s, x.s, rank, perm);
	return y;
}

static void matmul(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_matmul_attr, t, w->g, n);
	nm a = turned(w, n, 0, t.ta), b = turned(w, n, 1, t.tb);
	cop__oxw_node(w, "MatMul", out(w, n).s, a.s, b.s, NULL);
}

static void pool(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_pool_attr, p, w->g, n);
	bool max = w->g->node[n].op == OP_maxpool;
	nm x = cop__oxw_first(w, in(w, n, 0), 4), y = cop__oxw_fresh(w);

	cop__oxw_attr_ints(w, "kernel_shape", (const int64_t[]){p.kh, p.kw}, 2);
	cop__oxw_attr_ints(w, "strides", (const int64_t[]){p.sh, p.sw}, 2);
	cop__oxw_attr_ints(w, "pads", (const int64_t[]){p.pt, p.pl, p.pb, p.pr}, 4);
	if (!max) cop__oxw_attr_i(w, "count_include_pad", p.count_pads != 0);
	cop__oxw_node(w, max ? "MaxPool" : "AveragePool", y.s, x.s, NULL, NULL);
	cop__oxw_last(w, out(w, n), y, 4);
}

/* (x - mean) gamma / sqrt(var + eps) + beta: over the last axis no transposition is needed. */
static void bn(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_bn_attr, a, w->g, n);
	nm x = in(w, n, 0), gamma = in(w, n, 1), beta = in(w, n, 2), mean = in(w, n, 3), var = in(w, n, 4), eps = cop__oxw_float(w, a.eps);
	nm low = cop__oxw_fresh(w), sum = cop__oxw_fresh(w), dev = cop__oxw_fresh(w), scale = cop__oxw_fresh(w), scaled = cop__oxw_fresh(w), y = out(w, n), raw = before_act(w, y, a.lo, a.hi);

	cop__oxw_node(w, "Add", sum.s, var.s, eps.s, NULL);
	cop__oxw_node(w, "Sqrt", dev.s, sum.s, NULL, NULL);
	cop__oxw_node(w, "Div", scale.s, gamma.s, dev.s, NULL);
	cop__oxw_node(w, "Sub", low.s, x.s, mean.s, NULL);
	cop__oxw_node(w, "Mul", scaled.s, low.s, scale.s, NULL);
	cop__oxw_node(w, "Add", raw.s, scaled.s, beta.s, NULL);
	after_act(w, y, raw, a.lo, a.hi);
}

static void layernorm(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_layernorm_attr, a, w->g, n);
	nm x = in(w, n, 0), eps = cop__oxw_float(w, a.eps), low = x, y = out(w, n), last = cop__oxw_ints(w, (const int64_t[]){-1}, 1), part[6];
	int parts = 0;

	for (int i = 0; i < LEN(part); i++) part[i] = cop__oxw_fresh(w);
	if (!a.rms) {
		nm mean = part[parts++];
		cop__oxw_node(w, "ReduceMean", mean.s, x.s, last.s, NULL);
		low = part[parts++];
		cop__oxw_node(w, "Sub", low.s, x.s, mean.s, NULL);
	}
	nm square = part[parts++], var = cop__oxw_fresh(w), dev = cop__oxw_fresh(w), sum = cop__oxw_fresh(w), now = cop__oxw_fresh(w);
	cop__oxw_node(w, "Mul", square.s, low.s, low.s, NULL);
	cop__oxw_node(w, "ReduceMean", var.s, square.s, last.s, NULL);
	cop__oxw_node(w, "Add", sum.s, var.s, eps.s, NULL);
	cop__oxw_node(w, "Sqrt", dev.s, sum.s, NULL, NULL);
	cop__oxw_node(w, "Div", now.s, low.s, dev.s, NULL);
	for (int i = 1; i < 3; i++) {
		if (!cop__arg(w->g, n, i)) continue;
		nm p = in(w, n, i), next = cop__oxw_fresh(w);
		cop__oxw_node(w, i == 1 ? "Mul" : "Add", next.s, now.s, p.s, NULL);
		now = next;
	}
	cop__oxw_node(w, "Identity", y.s, now.s, NULL, NULL);
}

static void lrn(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_lrn_attr, a, w->g, n);
	int rank = type(w, n)->rank;
	nm x = cop__oxw_first(w, in(w, n, 0), rank), y = cop__oxw_fresh(w);

	cop__oxw_attr_i(w, "size", a.size);
	cop__oxw_attr_f(w, "alpha", a.alpha);
	cop__oxw_attr_f(w, "beta", a.beta);
	cop__oxw_attr_f(w, "bias", a.k);
	cop__oxw_node(w, "LRN", y.s, x.s, NULL, NULL);
	cop__oxw_last(w, out(w, n), y, rank);
}

/* ---- element by element ---- */

static void binary(cop_oxw *w, cop_nid n, const char *name)
{
	int op = w->g->node[n].op;
	bool clamps = op == OP_add || op == OP_sub || op == OP_mul || op == OP_div;
	COP_ATTR(cop_act_attr, a, w->g, n);
	nm x = in(w, n, 0), b = in(w, n, 1), y = out(w, n), raw = clamps ? before_act(w, y, a.lo, a.hi) : y;

	if (op == OP_mod && type(w, n)->dtype == COP_F32) cop__oxw_attr_i(w, "fmod", 1);
	cop__oxw_node(w, name, raw.s, x.s, b.s, NULL);
	if (clamps) after_act(w, y, raw, a.lo, a.hi);
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
	nm a = in(w, n, 0), b = in(w, n, 1), y = cop__oxw_fresh(w);

	if (logic) a = cast(w, a, OX_BOOL), b = cast(w, b, OX_BOOL);
	cop__oxw_node(w, name, y.s, a.s, b.s, NULL);
	cop__oxw_attr_i(w, "to", OX_UINT8);
	cop__oxw_node(w, "Cast", out(w, n).s, y.s, NULL, NULL);
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
	nm x = in(w, n, 0), y = out(w, n);

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
	nm c = cast(w, in(w, n, 0), OX_BOOL), a = in(w, n, 1), b = in(w, n, 2);
	cop__oxw_node(w, "Where", out(w, n).s, c.s, a.s, b.s);
}

/* ---- moved, summed ---- */

static void shaped(cop_oxw *w, cop_nid n, const char *name)
{
	const cop_type *t = cop__outt(w->g, n, 0);
	int64_t dim[COP_MAX_DIM];

	for (int i = 0; i < t->rank; i++) dim[i] = t->dim[i];
	nm x = in(w, n, 0), to = cop__oxw_ints(w, dim, t->rank);
	cop__oxw_node(w, name, out(w, n).s, x.s, to.s, NULL);
}

static void transpose(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_shape_attr, p, w->g, n);
	int64_t perm[COP_MAX_DIM];

	for (int i = 0; i < p.rank; i++) perm[i] = p.dim[i];
	permute(w, out(w, n).s, in(w, n, 0).s, p.rank, perm);
}

/* More inputs than a node takes here: by twos. */
static void concat(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_concat_attr, c, w->g, n);
	int count = w->g->node[n].n_in;
	nm now = in(w, n, 0), y = out(w, n);

	if (count == 1) cop__oxw_node(w, "Identity", y.s, now.s, NULL, NULL);
	for (int i = 1; i < count; i += 2) {
		nm next = i + 2 >= count ? y : cop__oxw_fresh(w), a = in(w, n, i), b = {""};
		if (i + 1 < count) b = in(w, n, i + 1);
		cop__oxw_attr_i(w, "axis", c.axis);
		cop__oxw_node(w, "Concat", next.s, now.s, a.s, *b.s ? b.s : NULL);
		now = next;
	}
}

/* Axis by axis: a node has three operands here, and Slice would take five. */
static void slice(cop_oxw *w, cop_nid n)
{
	const cop_type *x = type(w, n), *t = cop__outt(w->g, n, 0);
	COP_ATTR(cop_slice_attr, s, w->g, n);
	nm now = in(w, n, 0), y = out(w, n);

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
	int rank = type(w, n)->rank;
	int64_t pads[2 * COP_MAX_DIM];

	for (int i = 0; i < rank; i++) pads[i] = p.before[i], pads[rank + i] = p.after[i];
	bool floats = type(w, n)->dtype == COP_F32;
	nm x = in(w, n, 0), by = cop__oxw_ints(w, pads, 2 * rank), value = floats ? cop__oxw_float(w, p.value) : cop__oxw_int(w, (int32_t)p.value, type(w, n)->dtype);
	cop__oxw_node(w, "Pad", out(w, n).s, x.s, by.s, value.s);
}

static void gather(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_axis_attr, a, w->g, n);
	nm x = in(w, n, 0), at = in(w, n, 1);
	cop__oxw_attr_i(w, "axis", a.axis);
	cop__oxw_node(w, "Gather", out(w, n).s, x.s, at.s, NULL);
}

/* Tap by tap: elements picked, times their weights. */
static cop_status resample(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_axis_attr, a, w->g, n);
	const int32_t *ti = cop__ints(w->g, cop__arg(w->g, n, 1)), *dim = cop__in(w->g, n, 1)->dim;
	const float *tw = cop__floats(w->g, cop__arg(w->g, n, 2));
	int32_t size = dim[0], taps = dim[1], behind = type(w, n)->rank - 1 - a.axis;
	nm x = in(w, n, 0), sum = {""};

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
	cop__oxw_node(w, "Identity", out(w, n).s, sum.s, NULL, NULL);
	return COP_OK;
}

static void reduce(cop_oxw *w, cop_nid n)
{
	static const char *const name[] = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"};
	COP_ATTR(cop_reduce_attr, a, w->g, n);
	int64_t axes[COP_MAX_DIM];
	int count = 0;

	for (int i = 0; i < type(w, n)->rank; i++)
		if (a.axes >> i & 1) axes[count++] = i;
	nm x = in(w, n, 0), by = cop__oxw_ints(w, axes, count);
	cop__oxw_attr_i(w, "keepdims", a.keep != 0);
	cop__oxw_attr_i(w, "noop_with_empty_axes", 1);
	cop__oxw_node(w, name[a.fn], out(w, n).s, x.s, by.s, NULL);
}

static void argmax(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_argmax_attr, a, w->g, n);
	nm x = in(w, n, 0), y = cop__oxw_fresh(w);

	cop__oxw_attr_i(w, "axis", a.axis);
	cop__oxw_attr_i(w, "keepdims", a.keep != 0);
	cop__oxw_attr_i(w, "select_last_index", a.last != 0);
	cop__oxw_node(w, "ArgMax", y.s, x.s, NULL, NULL);
	cop__oxw_attr_i(w, "to", OX_INT32);
	cop__oxw_node(w, "Cast", out(w, n).s, y.s, NULL, NULL);
}

static void to_format(cop_oxw *w, cop_nid n)
{
	static const int type_of[] = {[COP_F32] = OX_FLOAT, [COP_I32] = OX_INT32, [COP_I8] = OX_INT8, [COP_U8] = OX_UINT8};
	nm x = in(w, n, 0);
	cop__oxw_attr_i(w, "to", type_of[cop__outt(w->g, n, 0)->dtype]);
	cop__oxw_node(w, "Cast", out(w, n).s, x.s, NULL, NULL);
}

/* ---- the table ---- */

/* Operators of one operand without attributes, and of two. */
static const char *const plain[COP_N_OP] = {[OP_sigmoid] = "Sigmoid", [OP_tanh] = "Tanh", [OP_gelu] = "Gelu", [OP_hswish] = "HardSwish", [OP_softmax] = "Softmax"};
static const char *const pairs[COP_N_OP] = {[OP_add] = "Add", [OP_sub] = "Sub", [OP_mul] = "Mul", [OP_div] = "Div", [OP_max] = "Max", [OP_min] = "Min", [OP_pow] = "Pow", [OP_mod] = "Mod"};
static const char *const truths[COP_N_OP] = {[OP_equal] = "Equal", [OP_less] = "Less", [OP_greater] = "Greater", [OP_lessequal] = "LessOrEqual", [OP_greaterequal] = "GreaterOrEqual",
	[OP_and] = "And", [OP_or] = "Or", [OP_xor] = "Xor"};

typedef void write_fn(cop_oxw *w, cop_nid n);
static write_fn *const own[COP_N_OP] = {[OP_conv] = conv, [OP_conv_dx] = conv_dx, [OP_fc] = fc, [OP_matmul] = matmul, [OP_maxpool] = pool, [OP_avgpool] = pool, [OP_bn] = bn,
	[OP_layernorm] = layernorm, [OP_lrn] = lrn, [OP_where] = where, [OP_transpose] = transpose, [OP_concat] = concat, [OP_slice] = slice, [OP_pad] = pad, [OP_gather] = gather,
	[OP_reduce] = reduce, [OP_argmax] = argmax, [OP_cast] = to_format};

cop_status cop__oxw_op(cop_oxw *w, cop_nid n)
{
	int op = w->g->node[n].op;

	if (op == OP_lrn && type(w, n)->rank < 2) return cop__fail(w->g, COP_ARG, n, "has no form in ONNX: it takes two dimensions or more there");
	if (op >= OP_qconv && op <= OP_dequantize) return cop__oxw_int_op(w, n);
	if (plain[op]) cop__oxw_node(w, plain[op], out(w, n).s, in(w, n, 0).s, NULL, NULL);
	else if (pairs[op]) binary(w, n, pairs[op]);
	else if (truths[op]) truth(w, n, truths[op], op == OP_and || op == OP_or || op == OP_xor);
	else if (op == OP_map) return map(w, n);
	else if (op == OP_resample) return resample(w, n);
	else if (op == OP_rnn) return cop__oxw_rnn(w, n);
	else if (op == OP_reshape) shaped(w, n, "Reshape");
	else if (op == OP_expand) shaped(w, n, "Expand");
	else if (op == OP_clip) {
		COP_ATTR(cop_act_attr, a, w->g, n);
		cop__oxw_activate(w, out(w, n), in(w, n, 0), a.lo, a.hi);
	} else if (own[op]) own[op](w, n);
	else return cop__fail(w->g, COP_ARG, n, "has no form in ONNX here; a deployed network of floats or int8 can be exported");
	return COP_OK;
}
