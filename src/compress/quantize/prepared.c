/* SPDX-License-Identifier: Apache-2.0
 *
 * prepared - an input that the network itself scales, (x - mean) / std by channel, as a layer: a convolution of one
 * pixel and one weight for each channel. So what prepares the samples is integers, too, and a device hands in bytes as
 * they come.
 */
#include "compress/quantize/quantize.h"

#include <stdio.h>

typedef struct work { const cop_graph *g; cop_graph *out; cop_vid *map; const int32_t *readers; int32_t made; } work;

/* The axis of x that a known operand has a number for: all of them one number is the last axis. -1: there is none. */
static int32_t axis_of(const cop_graph *g, cop_vid v, const cop_type *x)
{
	const cop_value *k = &g->value[v];
	int32_t axis = x->rank - 1, skip = x->rank - k->type.rank, wide = 0;

	if (!cop__floats(g, v) || skip < 0) return -1;
	for (int i = 0; i < k->type.rank; i++)
		if (k->type.dim[i] != 1) wide++, axis = i + skip;
	return wide <= 1 && (!wide || cop_type_count(&k->type) == x->dim[axis]) ? axis : -1;
}

/* Is node n one step of the scaling of v? Then its axis, -1 for any, through *axis. */
static bool scales(const cop_graph *g, cop_nid n, cop_vid v, int32_t *axis)
{
	int op = g->node[n].op;
	float lo, hi;

	if ((op != OP_add && op != OP_sub && op != OP_mul && op != OP_div) || cop__arg(g, n, 0) != v || g->node[n].guard)
		return false;
	cop__act_get(g, n, &lo, &hi);
	if (lo > COP_NO_LO || hi < COP_NO_HI || !cop__same_shape(cop__t(g, v), cop__outt(g, n, 0))) return false;
	int32_t a = axis_of(g, cop__arg(g, n, 1), cop__t(g, v));
	if (a < 0 || (cop_type_count(cop__in(g, n, 1)) > 1 && *axis >= 0 && a != *axis)) return false;
	if (cop_type_count(cop__in(g, n, 1)) > 1) *axis = a;
	return true;
}

static cop_nid only_reader(const work *w, cop_vid v)
{
	for (cop_nid n = 1; w->readers[v] == 1 && n <= (cop_nid)w->g->n_node; n++)
		if (cop__arg(w->g, n, 0) == v) return n;
	return 0;
}

/* y = f x + b after one more step. */
static void compose(const cop_graph *g, cop_nid n, float *f, float *b, int32_t c)
{
	const float *k = cop__floats(g, cop__arg(g, n, 1));
	bool one = cop_type_count(cop__in(g, n, 1)) == 1;

	for (int32_t i = 0; i < c; i++) {
		float by = k[one ? 0 : i];
		switch (g->node[n].op) {
		case OP_add: b[i] += by; break;
		case OP_sub: b[i] -= by; break;
		case OP_mul: f[i] *= by, b[i] *= by; break;
		default: f[i] /= by, b[i] /= by; break;
		}
	}
}

/* x [.., c, ..] with axis last, as [n, 1, rest, c], scaled, and back. */
static cop_vid layer(work *w, cop_vid x, int32_t axis, const float *f, const float *b)
{
	const cop_type in = *cop__t(w->out, x);
	int32_t c = in.dim[axis], rest = (int32_t)(cop_type_count(&in) / in.dim[0] / c), last = in.rank - 1;
	cop_shape_attr turn = {.rank = in.rank}, back = turn, shape = {.rank = in.rank};
	char name[2][32];
	const cop_type tw = cop__type(COP_F32, 4, DIMS(c, 1, 1, 1)), tb = cop__type(COP_F32, 1, &c);

	for (int i = 0, k = 0; i < in.rank; i++)
		if (i != axis) turn.dim[k++] = i;
	turn.dim[last] = axis;
	for (int i = 0; i < in.rank; i++) back.dim[turn.dim[i]] = i, shape.dim[i] = i ? in.dim[turn.dim[i]] : 0;
	if (axis != last) x = cop__apply(w->out, OP_transpose, &turn, VIDS(x));
	x = cop__apply(w->out, OP_reshape, &(cop_shape_attr){4, {0, 1, rest, c, 0, 0}}, VIDS(x));
	snprintf(name[0], sizeof name[0], "prepare%d.w", w->made);
	snprintf(name[1], sizeof name[1], "prepare%d.b", w->made++);
	if (cop__find(w->g, name[0]) || cop__find(w->g, name[1])) return 0;
	const cop_conv_attr a = {1, 1, 0, 0, 0, 0, 1, 1, c, COP_NO_LO, COP_NO_HI};
	x = cop__apply(w->out, OP_conv, &a,
		VIDS(x, cop__data(w->out, COP_PARAM, name[0], &tw, f), cop__data(w->out, COP_PARAM, name[1], &tb, b)));
	x = cop__apply(w->out, OP_reshape, &shape, VIDS(x));
	return axis != last ? cop__apply(w->out, OP_transpose, &back, VIDS(x)) : x;
}

static cop_status prepare(work *w, cop_vid x)
{
	const cop_graph *g = w->g;
	const cop_type *t = cop__t(g, x);
	int32_t axis = -1, steps = 0;
	cop_vid v = x;

	for (cop_nid n = only_reader(w, v); n && scales(g, n, v, &axis); n = only_reader(w, v)) v = cop__res(g, n, 0), steps++;
	if (!steps || t->dtype != COP_F32 || t->rank < 2 || axis == 0) return COP_OK;
	if (axis < 0) axis = t->rank - 1;
	int32_t c = t->dim[axis];
	float *f = cop__arena_get(&w->out->mem, sizeof *f * 2 * (size_t)c), *b = f + c;
	if (!f) return COP_NOMEM;
	for (int32_t i = 0; i < c; i++) f[i] = 1;
	for (cop_vid at = x; at != v;) {
		cop_nid n = only_reader(w, at);
		compose(g, n, f, b, c);
		at = cop__res(g, n, 0);
	}
	cop_vid y = layer(w, w->map[x], axis, f, b);
	if (!y) return cop__failed(g->cx);
	cop__map_to(w->out, g, w->map, v, y);
	return COP_OK;
}

cop_status cop__prepared_inputs(cop_graph **out, const cop_graph *g)
{
	work w = {.g = g};

	COP_TRY(cop__copy_begin(out, g, &w.map));
	w.out = *out;
	w.readers = cop__readers(g, &w.out->mem);
	cop_status st = w.readers ? cop__copy_inputs(*out, g, w.map) : COP_NOMEM;
	for (int32_t i = 0; !st && i < g->n_input; i++) st = prepare(&w, g->input[i]);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		if (!w.map[cop__res(g, n, 0)]) st = cop__copy_node(*out, g, w.map, n);
	if (!st) st = cop__copy_rest(*out, g, w.map);
	return cop__pass_end(out, st);
}
