/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_axis - see batch.h: through which axes of which operators samples pass apart.
 */
#include "pass/batch.h"

/* ---- places ---- */

int64_t cop__spot_stride(const cop_spot *p, int32_t rank, const int32_t *dim)
{
	int64_t s = p->inner;

	for (int i = p->axis + 1; i < rank; i++) s *= dim[i];
	return s;
}

int cop__spots(cop_spot *out, int32_t rank, const int32_t *dim, int32_t was, int64_t stride)
{
	int64_t behind = 1;
	int n = 0;

	for (int i = rank - 1; i >= 0; behind *= dim[i--]) {
		int64_t inner = stride / behind;
		if (stride % behind || inner > INT32_MAX || dim[i] % inner || dim[i] / inner % was) continue;
		memmove(out + 1, out, sizeof *out * (size_t)n++);
		out[0] = (cop_spot){i, (int32_t)(dim[i] / inner / was), (int32_t)inner};
	}
	return n;
}

void cop__spot_dims(int32_t *to, const cop_spot *p, int32_t rank, const int32_t *dim, int32_t n)
{
	memcpy(to, dim, sizeof *to * (size_t)rank);
	if (p->axis >= 0) to[p->axis] = p->outer * n * p->inner;
}

static bool whole(const cop_spot *p) { return p->outer == 1 && p->inner == 1; }
static bool same(const cop_spot *a, const cop_spot *b) { return a->axis == b->axis && a->outer == b->outer && a->inner == b->inner; }

/* The views of an operand's bytes, as it is first, then those where the batch has an axis of its own. */
static int views(cop_spot out[COP_MAX_DIM + 1], const cop_batching *b, cop_vid v)
{
	const cop_type *t = cop__t(b->g, v);
	cop_spot all[COP_MAX_DIM];
	int n = cop__spots(all, t->rank, t->dim, b->was, cop__spot_stride(&b->at[v], t->rank, t->dim)), k = 0;

	out[k++] = b->at[v];
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < n; i++)
			if (whole(&all[i]) == !pass && !same(&all[i], out)) out[k++] = all[i];
	return k;
}

/* ---- one operator ---- */

/* Which of a few ways an operator's axes go: see through(). */
typedef enum way { ALIGNED, ROWS, ALL_BUT_LAST, BY_AXIS, RECURRENT, BY_LINKS } way;

static way way_of(int op)
{
	switch (op) {
	case OP_add: case OP_sub: case OP_mul: case OP_div: case OP_max: case OP_min: case OP_pow: case OP_mod:
	case OP_equal: case OP_less: case OP_greater: case OP_lessequal: case OP_greaterequal: case OP_and: case OP_or: case OP_xor:
	case OP_where: case OP_expand: case OP_cast: case OP_map: case OP_clip: case OP_sigmoid: case OP_tanh: case OP_gelu: case OP_hswish:
	case OP_dropout: case OP_gate: case OP_qadd: case OP_qmul: case OP_qlut: case OP_qrescale: case OP_quantize: case OP_dequantize: return ALIGNED;
	case OP_conv: case OP_conv_dx: case OP_addconv: case OP_fc: case OP_maxpool: case OP_avgpool: case OP_qconv: case OP_qaddconv: case OP_qavgpool: return ROWS;
	case OP_softmax: case OP_qsoftmax: case OP_layernorm: case OP_lrn: case OP_bn: return ALL_BUT_LAST;
	case OP_transpose: case OP_slice: case OP_pad: case OP_concat: case OP_paste: case OP_reduce: case OP_argmax: case OP_gather: case OP_resample:
	case OP_matmul: return BY_AXIS;
	case OP_rnn: case OP_qrnn: return RECURRENT;
	default: return BY_LINKS;
	}
}

static bool aligned(const cop_graph *g, cop_nid n, int i, const cop_spot *p, cop_spot *y)
{
	const cop_type *tx = cop__in(g, n, i), *ty = cop__outt(g, n, 0);

	y->axis = p->axis + ty->rank - tx->rank;
	return y->axis >= 0 && tx->dim[p->axis] == ty->dim[y->axis];
}

static bool of_reduced(const cop_graph *g, cop_nid n, const cop_spot *p, cop_spot *y)
{
	int32_t axes, keep;

	if (g->node[n].op == OP_reduce) {
		COP_ATTR(cop_reduce_attr, r, g, n);
		axes = r.axes, keep = r.keep;
	} else {
		COP_ATTR(cop_argmax_attr, m, g, n);
		axes = 1 << m.axis, keep = m.keep;
	}
	if (axes >> p->axis & 1) return false;
	for (int i = 0; !keep && i < p->axis; i++) y->axis -= axes >> i & 1;
	return true;
}

static bool of_gather(const cop_graph *g, cop_nid n, int i, const cop_spot *p, cop_spot *y)
{
	COP_ATTR(cop_axis_attr, a, g, n);

	if (i == 1) y->axis = p->axis + a.axis;
	else if (p->axis > a.axis) y->axis += cop__in(g, n, 1)->rank - 1;
	return i == 1 || p->axis != a.axis;
}

static bool of_transpose(const cop_graph *g, cop_nid n, const cop_spot *p, cop_spot *y)
{
	COP_ATTR(cop_shape_attr, perm, g, n);

	for (y->axis = 0; perm.dim[y->axis] != p->axis;) y->axis++;
	return true;
}

static bool of_slice(const cop_graph *g, cop_nid n, const cop_spot *p)
{
	COP_ATTR(cop_slice_attr, s, g, n);
	return s.from[p->axis] == 0 && (s.step[p->axis] == 0 || s.step[p->axis] == 1) && cop__outt(g, n, 0)->dim[p->axis] == cop__in(g, n, 0)->dim[p->axis];
}

/* Leading axes, the rows of the left operand and the columns of the right one. */
static bool of_matmul(const cop_graph *g, cop_nid n, int i, const cop_spot *p, cop_spot *y)
{
	COP_ATTR(cop_matmul_attr, t, g, n);
	int32_t rank = cop__in(g, n, i)->rank, r = cop__outt(g, n, 0)->rank, free = i ? rank - 1 - t.tb : rank - 2 + t.ta;

	if (p->axis >= rank - 2) y->axis = i ? r - 1 : r - 2;
	return p->axis < rank - 2 || p->axis == free;
}

static bool by_axis(const cop_graph *g, cop_nid n, int i, const cop_spot *p, cop_spot *y)
{
	int32_t axis = g->node[n].attr[0]; /* of concat, paste, resample */

	switch (g->node[n].op) {
	case OP_transpose: return of_transpose(g, n, p, y);
	case OP_slice: return of_slice(g, n, p);
	case OP_pad: return cop__in(g, n, 0)->dim[p->axis] == cop__outt(g, n, 0)->dim[p->axis];
	case OP_reduce:
	case OP_argmax: return of_reduced(g, n, p, y);
	case OP_gather: return of_gather(g, n, i, p, y);
	case OP_matmul: return of_matmul(g, n, i, p, y);
	case OP_resample: return i == 0 && p->axis != axis;
	default: return p->axis != axis;
	}
}

/* Any other operator says by its links which axes go together; windows and the last axis are not for samples. Looks for x's axis
 * (to: the result's), or, with *ax < 0, for the axis of x that goes with the result's *to. */
static bool by_links(const cop_graph *g, cop_nid n, cop_vid x, cop_vid out, int32_t *ax, int32_t *to)
{
	enum { MOST = 128 };
	cop_link l[MOST];
	int count = cop__op(g, n)->links && !(cop__op(g, n)->flags & COP_OP_UPDATE) ? cop__op(g, n)->links(g, n, l, MOST) : 0;

	for (int i = 0; i < count && i < MOST; i++) {
		if (l[i].a != x || l[i].b != out || l[i].win > 1 || (*ax < 0 ? l[i].b_ax != *to : l[i].a_ax != *ax)) continue;
		int32_t len = cop__t(g, x)->dim[l[i].a_ax];
		if (l[i].off || l[i].lo || l[i].div != 1 || l[i].mod != len || l[i].hi != len || cop__t(g, out)->dim[l[i].b_ax] != len) continue;
		*ax = l[i].a_ax;
		*to = l[i].b_ax;
		return *ax < cop__t(g, x)->rank - 1;
	}
	return false;
}

/* The axis of samples in an operand, or (operand < 0) a result of a recurrent layer: x and y may have time first, states have samples first. */
static int32_t of_recurrent(const cop_graph *g, cop_nid n, int operand, int result)
{
	int32_t time_first;

	if (g->node[n].op == OP_rnn) {
		COP_ATTR(cop_rnn_attr, a, g, n);
		time_first = a.time_first;
	} else {
		COP_ATTR(cop_qrnn_attr, a, g, n);
		time_first = a.time_first;
	}
	if (operand > 0) return g->node[n].op == OP_rnn && (operand == 4 || operand == 5) ? 0 : -1; /* h0, c0 */
	return operand == 0 || result == 1 ? time_first != 0 : 0;
}

/* Where the batch of operand i, seen at p, is in result j. False: samples meet there. */
static bool through(const cop_graph *g, cop_nid n, int i, int j, const cop_spot *p, cop_spot *y)
{
	way w = way_of(g->node[n].op);

	*y = *p;
	if (w == RECURRENT) return y->axis = of_recurrent(g, n, -1, j), p->axis == of_recurrent(g, n, i, 0) && whole(p);
	if (w == BY_LINKS || j) return by_links(g, n, cop__arg(g, n, i), cop__res(g, n, j), &(int32_t){p->axis}, &y->axis);
	if (w == ALIGNED) return (i == 0 || g->node[n].op != OP_qlut) && aligned(g, n, i, p, y);
	if (w == ROWS) return i == 0 && p->axis == 0;
	if (w == ALL_BUT_LAST) return i == 0 && p->axis < cop__in(g, n, 0)->rank - 1;
	return by_axis(g, n, i, p, y);
}

/* ---- operands without a batch ---- */

/* Has an expand made it, along an axis that is all of the batch? */
static bool expanded(const cop_batching *b, cop_vid v, int64_t stride)
{
	const cop_graph *g = b->g;
	cop_spot all[COP_MAX_DIM];

	while (g->value[v].producer && g->node[g->value[v].producer].op == OP_reshape) v = cop__arg(g, g->value[v].producer, 0);
	cop_nid n = g->value[v].producer;
	if (!n || g->node[n].op != OP_expand) return false;
	const cop_type *x = cop__in(g, n, 0), *y = cop__t(g, v);
	for (int i = cop__spots(all, y->rank, y->dim, b->was, stride) - 1; i >= 0; i--) {
		int32_t axis = all[i].axis - y->rank + x->rank;
		if (whole(&all[i]) && (axis < 0 || x->dim[axis] == 1)) return true;
	}
	return false;
}

/* Is it the same for each sample? A constant, or what an expand has made. */
static bool uniform(const cop_batching *b, cop_vid v, const cop_spot *p)
{
	const cop_value *x = &b->g->value[v];
	int64_t stride = cop__spot_stride(p, x->type.rank, x->type.dim), each = stride * b->was, count = cop_type_count(&x->type);
	int bytes = cop__dtype_bits(x->type.dtype) / 8;

	if (b->was == 1 || expanded(b, v, stride)) return true;
	if (x->producer || !x->data || x->role != COP_CONST || x->type.enc != COP_DENSE || bytes < 1) return false;
	for (int64_t at = 0; at < count; at += each)
		for (int32_t s = 1; s < b->was; s++)
			if (memcmp((const char *)x->data + at * bytes, (const char *)x->data + (at + s * stride) * bytes, (size_t)(stride * bytes))) return false;
	return true;
}

/* Sets how operand i must be repeated for a result whose batch is at y. False: it cannot. */
static bool repeat(cop_batching *b, cop_nid n, int i, const cop_spot *y)
{
	const cop_graph *g = b->g;
	const cop_type *t = cop__in(g, n, i);
	int op = g->node[n].op;
	cop_spot p = *y;

	if (op == OP_matmul && (t->rank < 3 || y->axis >= cop__outt(g, n, 0)->rank - 2)) return true;
	if (way_of(op) == RECURRENT) {
		p.axis = of_recurrent(g, n, i, 0);
	} else if (way_of(op) == BY_LINKS) { /* a state to begin with, if its axis goes with the result's */
		p.axis = -1;
		if (!by_links(g, n, g->node[n].in[i], cop__res(g, n, 0), &p.axis, &(int32_t){y->axis})) return true;
	} else {
		if (op == OP_qlut || (way_of(op) != ALIGNED && op != OP_concat && op != OP_paste && op != OP_matmul)) return true;
		p.axis -= cop__outt(g, n, 0)->rank - t->rank;
	}
	if (p.axis < 0) return true;
	if (t->dim[p.axis] == 1 && way_of(op) == ALIGNED && op != OP_qadd && (op != OP_qmul || y->axis)) return true; /* repeats by itself */
	if (t->dim[p.axis] != p.outer * b->was * p.inner || !uniform(b, g->node[n].in[i], &p)) return false;
	b->need[n * COP_MAX_IN + (cop_nid)i] = p;
	return true;
}

/* Do the other operands fit, when operand `first` brings the batch to y? */
static bool agree(cop_batching *b, cop_nid n, int first, const cop_spot *y)
{
	const cop_node *d = &b->g->node[n];
	cop_spot all[COP_MAX_DIM + 1], to;

	for (int i = 0; i < d->n_in; i++) {
		if (i == first || !d->in[i]) continue;
		if (b->at[d->in[i]].axis < 0) {
			if (!repeat(b, n, i, y)) return false;
			continue;
		}
		int k = 0, count = views(all, b, d->in[i]);
		while (k < count && !(through(b->g, n, i, 0, &all[k], &to) && same(&to, y))) k++;
		if (k == count) return false;
		b->need[n * COP_MAX_IN + (cop_nid)i] = all[k];
	}
	/* a product of two that both have a batch has it in a leading axis */
	if (d->op != OP_matmul || y->axis < cop__outt(b->g, n, 0)->rank - 2) return true;
	return b->at[d->in[0]].axis < 0 || b->at[d->in[1]].axis < 0;
}

static int64_t before(const cop_spot *p, const cop_type *t)
{
	int64_t n = p->outer;
	for (int i = 0; i < p->axis; i++) n *= t->dim[i];
	return n;
}

/* A reshape keeps the bytes: of the axes where the batch may be, the one at the same index, one of its own, the first. */
static bool reshaped(cop_batching *b, cop_nid n)
{
	const cop_type *tx = cop__in(b->g, n, 0), *ty = cop__outt(b->g, n, 0);
	const cop_spot *p = &b->at[cop__arg(b->g, n, 0)];
	cop_spot all[COP_MAX_DIM], *y = &b->at[cop__res(b->g, n, 0)];
	int count = cop__spots(all, ty->rank, ty->dim, b->was, cop__spot_stride(p, tx->rank, tx->dim)), best = -1;

	for (int i = 0; i < count; i++) {
		int rank = !whole(&all[i]) ? 0 : all[i].axis != p->axis ? 1 : 2;
		if (rank > best) best = rank, *y = all[i];
	}
	return count > 0;
}

/* The view that brings the batch furthest to the front, where there is a choice: of [steps, heads] one beside the heads. */
static bool carry_node(cop_batching *b, cop_nid n, int first)
{
	const cop_graph *g = b->g;
	cop_vid y = cop__res(g, n, 0), v = g->node[n].in[first];
	cop_spot all[COP_MAX_DIM + 1], to, best = {-1, 0, 0};
	int count = views(all, b, v);
	bool turns = g->node[n].op == OP_transpose && !whole(&all[0]);

	for (int k = 0; k < count; k++) {
		if (!through(g, n, first, 0, &all[k], &to) || !agree(b, n, first, &to)) continue;
		if (best.axis >= 0 && before(&to, cop__t(g, y)) >= before(&best, cop__t(g, y))) continue;
		best = to;
		b->need[n * COP_MAX_IN + (cop_nid)first] = all[k];
		if (!turns) break;
	}
	b->at[y] = best;
	return best.axis >= 0;
}

static bool carry_others(cop_batching *b, cop_nid n, int first)
{
	for (int j = 1; j < COP_MAX_OUT; j++) {
		cop_vid y = cop__res(b->g, n, j);
		if (y && !through(b->g, n, first, j, &b->need[n * COP_MAX_IN + (cop_nid)first], &b->at[y])) return false;
	}
	return true;
}

static bool carry(cop_batching *b, cop_nid n)
{
	const cop_node *d = &b->g->node[n];
	int first = 0;

	while (first < d->n_in && b->at[d->in[first]].axis < 0) first++;
	if (first == d->n_in) return true;
	b->stopped = n;
	b->why = "samples meet there, or their number is fixed";
	if (d->guard && b->at[d->guard].axis >= 0) return false;
	if (!(d->op == OP_reshape ? reshaped(b, n) : carry_node(b, n, first)) || !carry_others(b, n, first)) return false;
	if (d->op == OP_reshape) b->need[n * COP_MAX_IN] = b->at[d->in[0]];
	for (int j = 0; j < COP_MAX_OUT; j++)
		if (d->out[j] && b->g->value[d->out[j]].alias) return b->why = "it keeps a state from run to run", false;
	return b->stopped = 0, true;
}

cop_status cop__batching_new(cop_batching *b, const cop_graph *g)
{
	*b = (cop_batching){.g = g, .was = 1};
	cop__arena_init(&b->mem, g->cx);
	b->at = cop__arena_get(&b->mem, sizeof *b->at * (size_t)(g->n_value + 1));
	b->need = cop__arena_get(&b->mem, sizeof *b->need * (size_t)(g->n_node + 1) * COP_MAX_IN);
	return b->at && b->need ? COP_OK : COP_NOMEM;
}

bool cop__batching_carry(cop_batching *b)
{
	const cop_graph *g = b->g;

	b->stopped = 0;
	b->why = NULL;
	for (int32_t v = 0; v <= g->n_value; v++)
		if (g->value[v].role != COP_INPUT) b->at[v].axis = -1;
	for (size_t i = 0; i < (size_t)(g->n_node + 1) * COP_MAX_IN; i++) b->need[i].axis = -1;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (!carry(b, n)) return false;
	if (g->n_output && b->at[g->output[0]].axis < 0) return b->why = "the first output is the same for all samples", false;
	return true;
}
