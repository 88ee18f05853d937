/* SPDX-License-Identifier: Apache-2.0
 *
 * write_op - one operator of the graph as nodes of ONNX. What the graph has as one (an addition with its activation, a
 * resampling by tables) may be several there. Layers are write_layer.c's, integers write_int.c's.
 */
#include "io/onnx/write.h"

typedef cop_oxw_name nm;

static cop_oxw_fn map;

/* What ONNX calls an operator, where it means the same there, and what writes it. */
static const struct { const char *name; cop_oxw_fn *write; } rows[COP_N_OP] = {
	[OP_map] = {NULL, map}, /* has a name for each function */
#define FOLD(name)
#define OX(...)
#define RW(onnx, op, add, write, ...) [OP_##op] = {#onnx, cop__oxw_##write},
#include "io/onnx/onnx.def"
#undef RW
#undef OX
#undef FOLD
};

static const char *name_of(const cop_oxw *w, cop_nid n) { return rows[w->g->node[n].op].name; }

/* ---- element by element ---- */

void cop__oxw_plain(cop_oxw *w, cop_nid n)
{
	nm x = cop__oxw_in(w, n, 0);
	cop__oxw_node(w, name_of(w, n), cop__oxw_out(w, n).s, x.s, NULL, NULL);
}

void cop__oxw_pair(cop_oxw *w, cop_nid n)
{
	bool clamps = cop__op(w->g, n)->flags & COP_OP_ACT;
	COP_ATTR(cop_act_attr, a, w->g, n);
	nm x = cop__oxw_in(w, n, 0), b = cop__oxw_in(w, n, 1), y = cop__oxw_out(w, n),
		raw = clamps ? cop__oxw_before_act(w, y, a.lo, a.hi) : y;

	if (w->g->node[n].op == OP_mod && cop__oxw_in_type(w, n)->dtype == COP_F32) cop__oxw_attr_i(w, "fmod", 1);
	cop__oxw_node(w, name_of(w, n), raw.s, x.s, b.s, NULL);
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
void cop__oxw_truth(cop_oxw *w, cop_nid n)
{
	nm a = cop__oxw_in(w, n, 0), b = cop__oxw_in(w, n, 1), y = cop__oxw_fresh(w);

	if (cop__oxw_in_type(w, n)->dtype == COP_U8) a = cast(w, a, OX_BOOL), b = cast(w, b, OX_BOOL);
	cop__oxw_node(w, name_of(w, n), y.s, a.s, b.s, NULL);
	cop__oxw_attr_i(w, "to", OX_UINT8);
	cop__oxw_node(w, "Cast", cop__oxw_out(w, n).s, y.s, NULL, NULL);
}

static void map(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_map_attr, a, w->g, n);
	const cop_function *f = &cop_functions[a.fn];
	nm x = cop__oxw_in(w, n, 0), y = cop__oxw_out(w, n);

	if (f->kind == MAP_IS_TRUTH) {
		nm b = cast(w, x, OX_BOOL), truth = cop__oxw_fresh(w);
		cop__oxw_node(w, f->onnx, truth.s, b.s, NULL, NULL);
		cop__oxw_attr_i(w, "to", OX_UINT8);
		cop__oxw_node(w, "Cast", y.s, truth.s, NULL, NULL);
		return;
	}
	if (f->n > 0) cop__oxw_attr_f(w, "alpha", a.alpha);
	if (f->n > 1) cop__oxw_attr_f(w, "beta", a.beta);
	cop__oxw_node(w, f->onnx, y.s, x.s, NULL, NULL);
}

void cop__oxw_where(cop_oxw *w, cop_nid n)
{
	nm c = cast(w, cop__oxw_in(w, n, 0), OX_BOOL), a = cop__oxw_in(w, n, 1), b = cop__oxw_in(w, n, 2);
	cop__oxw_node(w, "Where", cop__oxw_out(w, n).s, c.s, a.s, b.s);
}

/* ---- moved, summed ---- */

void cop__oxw_shaped(cop_oxw *w, cop_nid n)
{
	const cop_type *t = cop__outt(w->g, n, 0);
	int64_t dim[COP_MAX_DIM];

	for (int i = 0; i < t->rank; i++) dim[i] = t->dim[i];
	nm x = cop__oxw_in(w, n, 0), to = cop__oxw_ints(w, dim, t->rank);
	cop__oxw_node(w, name_of(w, n), cop__oxw_out(w, n).s, x.s, to.s, NULL);
}

void cop__oxw_transpose(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_shape_attr, p, w->g, n);
	int64_t perm[COP_MAX_DIM];

	for (int i = 0; i < p.rank; i++) perm[i] = p.dim[i];
	cop__oxw_permute(w, cop__oxw_out(w, n).s, cop__oxw_in(w, n, 0).s, p.rank, perm);
}

/* More inputs than a node takes here: by twos. */
void cop__oxw_concat(cop_oxw *w, cop_nid n)
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
void cop__oxw_slice(cop_oxw *w, cop_nid n)
{
	const cop_type *x = cop__oxw_in_type(w, n), *t = cop__outt(w->g, n, 0);
	COP_ATTR(cop_slice_attr, s, w->g, n);
	nm now = cop__oxw_in(w, n, 0), y = cop__oxw_out(w, n);

	for (int i = 0; i < x->rank; i++) {
		int64_t *index, size = t->dim[i], step = s.step[i] ? s.step[i] : 1;
		if (size == x->dim[i] && step > 0) continue;
		if (!(index = cop__alloc(w->cx, 8 * (size_t)size))) return;
		for (int64_t k = 0; k < size; k++) index[k] = s.from[i] + k * step;
		nm next = cop__oxw_fresh(w), at = cop__oxw_ints(w, index, (int)size);
		cop__free(w->cx, index);
		cop__oxw_attr_i(w, "axis", i);
		cop__oxw_node(w, "Gather", next.s, now.s, at.s, NULL);
		now = next;
	}
	cop__oxw_node(w, "Identity", y.s, now.s, NULL, NULL);
}

void cop__oxw_pad(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_pad_attr, p, w->g, n);
	int rank = cop__oxw_in_type(w, n)->rank;
	int64_t pads[2 * COP_MAX_DIM];

	for (int i = 0; i < rank; i++) pads[i] = p.before[i], pads[rank + i] = p.after[i];
	bool floats = cop__oxw_in_type(w, n)->dtype == COP_F32;
	nm x = cop__oxw_in(w, n, 0), by = cop__oxw_ints(w, pads, 2 * rank);
	nm value = floats ? cop__oxw_float(w, p.value) : cop__oxw_int(w, (int32_t)p.value, cop__oxw_in_type(w, n)->dtype);
	cop__oxw_node(w, "Pad", cop__oxw_out(w, n).s, x.s, by.s, value.s);
}

void cop__oxw_gather(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_axis_attr, a, w->g, n);
	nm x = cop__oxw_in(w, n, 0), at = cop__oxw_in(w, n, 1);
	cop__oxw_attr_i(w, "axis", a.axis);
	cop__oxw_node(w, "Gather", cop__oxw_out(w, n).s, x.s, at.s, NULL);
}

/* Tap by tap: elements picked, times their weights. */
void cop__oxw_resample(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_axis_attr, a, w->g, n);
	const int32_t *ti = cop__ints(w->g, cop__arg(w->g, n, 1)), *dim = cop__in(w->g, n, 1)->dim;
	const float *tw = cop__floats(w->g, cop__arg(w->g, n, 2));
	int32_t size = dim[0], taps = dim[1], behind = cop__oxw_in_type(w, n)->rank - 1 - a.axis;
	nm x = cop__oxw_in(w, n, 0), sum = {""};

	if (!ti || !tw) {
		cop__fail(w->g, COP_ARG, n, "its tables must be constants that are not encoded");
		return;
	}
	for (int32_t t = 0; t < taps; t++) {
		int64_t *index = cop__alloc(w->cx, 8 * (size_t)size), shape[COP_MAX_DIM] = {size, 1, 1, 1, 1, 1};
		float *weight = cop__alloc(w->cx, 4 * (size_t)size);
		if (!index || !weight) {
			cop__free(w->cx, index);
			cop__free(w->cx, weight);
			return;
		}
		for (int32_t i = 0; i < size; i++) index[i] = ti[i * taps + t], weight[i] = tw[i * taps + t];
		nm at = cop__oxw_ints(w, index, size), flat = cop__oxw_floats(w, weight, size);
		nm by = cop__oxw_fresh(w), picked = cop__oxw_fresh(w), part = cop__oxw_fresh(w);
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
}

void cop__oxw_reduce(cop_oxw *w, cop_nid n)
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

void cop__oxw_argmax(cop_oxw *w, cop_nid n)
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

void cop__oxw_cast(cop_oxw *w, cop_nid n)
{
	static const int type_of[] = {[COP_F32] = OX_FLOAT, [COP_I32] = OX_INT32, [COP_I8] = OX_INT8, [COP_U8] = OX_UINT8};
	nm x = cop__oxw_in(w, n, 0);
	cop__oxw_attr_i(w, "to", type_of[cop__outt(w->g, n, 0)->dtype]);
	cop__oxw_node(w, "Cast", cop__oxw_out(w, n).s, x.s, NULL, NULL);
}

/* ---- any ---- */

void cop__oxw_clip(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_act_attr, a, w->g, n);
	cop__oxw_activate(w, cop__oxw_out(w, n), cop__oxw_in(w, n, 0), a.lo, a.hi);
}

cop_status cop__oxw_op(cop_oxw *w, cop_nid n)
{
	cop_oxw_fn *write = rows[w->g->node[n].op].write;

	if (cop__op(w->g, n)->flags & COP_OP_QUANT) return cop__oxw_int_op(w, n);
	if (!write)
		return cop__fail(w->g, COP_ARG, n, "has no form in ONNX here; a deployed network of floats or int8 can be exported");
	write(w, n);
	return w->cx->code;
}
