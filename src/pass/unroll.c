/* SPDX-License-Identifier: Apache-2.0
 *
 * unroll - every recurrent layer step by step, in operators that have gradients: what training differentiates. All steps read the
 * same weights, so their gradients add up there. The products with the inputs are one for all steps. The equations are in op/rnn.c.
 */
#include "op/axes.h"
#include "pass/pass.h"

enum { MOST_STEPS = 2048 };
enum { IN_X, IN_W, IN_R, IN_B, IN_H, IN_C, IN_P, N_IN };

static const cop_act_attr open_act = {COP_NO_LO, COP_NO_HI};

typedef struct layer {
	cop_graph *g;
	cop_rnn_attr a;
	cop_vid in[N_IN], h, c; /* h, c: 0 while they are zero */
	int32_t samples, steps, units, rows;
} layer;

static cop_vid cut(cop_graph *g, cop_vid v, int axis, int32_t from, int32_t size)
{
	cop_slice_attr s = {0};

	if (!v || (from == 0 && cop__t(g, v)->dim[axis] == size)) return v;
	s.from[axis] = from;
	s.size[axis] = size;
	return cop__apply(g, OP_slice, &s, VIDS(v));
}

static cop_vid shaped(cop_graph *g, cop_vid v, int32_t rank, int32_t a, int32_t b, int32_t c)
{
	return cop__apply(g, OP_reshape, &(cop_shape_attr){rank, {a, b, c}}, VIDS(v));
}

static cop_vid product(cop_graph *g, cop_vid x, cop_vid w, cop_vid b)
{
	return x && w ? cop__apply(g, OP_fc, &open_act, b ? 3 : 2, (const cop_vid[]){x, w, b}) : 0;
}

/* b: 0 adds nothing */
static cop_vid add(cop_graph *g, cop_vid a, cop_vid b) { return b ? cop__apply(g, OP_add, &open_act, VIDS(a, b)) : a; }
static cop_vid mul(cop_graph *g, cop_vid a, cop_vid b) { return cop__apply(g, OP_mul, &open_act, VIDS(a, b)); }

static cop_vid function(const layer *l, int which, cop_vid x)
{
	static const int32_t map[RNN_ACTS] = {[RNN_HARDSIGMOID] = MAP_HARDSIGMOID, [RNN_SOFTSIGN] = MAP_SOFTSIGN, [RNN_SOFTPLUS] = MAP_SOFTPLUS};
	int32_t fn = l->a.act[which];

	if (l->a.clip > 0) x = cop__apply(l->g, OP_clip, &(cop_act_attr){-l->a.clip, l->a.clip}, VIDS(x));
	if (fn == RNN_SIGMOID) return cop__apply(l->g, OP_sigmoid, NULL, VIDS(x));
	if (fn == RNN_TANH) return cop__apply(l->g, OP_tanh, NULL, VIDS(x));
	if (fn == RNN_RELU) return cop__apply(l->g, OP_clip, &(cop_act_attr){0, COP_NO_HI}, VIDS(x));
	return cop__apply(l->g, OP_map, &(cop_map_attr){map[fn], 0.2f, 0.5f}, VIDS(x));
}

static cop_vid gate(const layer *l, cop_vid all, int k) { return cut(l->g, all, 1, k * l->units, l->units); }
static cop_vid over_h(const layer *l) { return l->h ? product(l->g, l->h, l->in[IN_R], 0) : 0; }

/* One step each: ax [n,g u] is the part of the sums that comes from the input. */
static void plain(layer *l, cop_vid ax) { l->h = function(l, 0, add(l->g, ax, over_h(l))); }

static cop_vid peep(const layer *l, cop_vid sum, int k)
{
	cop_vid p = l->in[IN_P];
	return p && l->c ? add(l->g, sum, mul(l->g, l->c, cut(l->g, p, 0, k * l->units, l->units))) : sum;
}

static void lstm(layer *l, cop_vid ax)
{
	cop_graph *g = l->g;
	cop_vid all = add(g, ax, over_h(l)), in = function(l, 0, peep(l, gate(l, all, 0), 0)), fresh = function(l, 1, gate(l, all, 2));
	cop_vid keep = l->c ? mul(g, function(l, 0, peep(l, gate(l, all, 1), 1)), l->c) : 0;

	l->c = add(g, mul(g, in, fresh), keep);
	if (l->a.cell_clip > 0) l->c = cop__apply(g, OP_clip, &(cop_act_attr){-l->a.cell_clip, l->a.cell_clip}, VIDS(l->c));
	cop_vid out = function(l, 0, peep(l, gate(l, all, 3), 2));
	l->h = mul(g, out, function(l, 2, l->c));
}

static void gru(layer *l, cop_vid ax)
{
	cop_graph *g = l->g;
	int32_t u = l->units;
	cop_vid zr = cut(g, ax, 1, 0, 2 * u), fresh = gate(l, ax, 2), all = 0, b = 0;

	if (l->a.cell == RNN_GRU_AFTER && l->in[IN_B]) b = cut(g, l->in[IN_B], 0, 3 * u, u);
	if (l->a.cell == RNN_GRU_AFTER) all = over_h(l);
	else if (l->h) all = product(g, l->h, cut(g, l->in[IN_R], 0, 0, 2 * u), 0);
	zr = function(l, 0, add(g, zr, all ? cut(g, all, 1, 0, 2 * u) : 0));
	cop_vid z = gate(l, zr, 0), r = gate(l, zr, 1);
	if (l->a.cell == RNN_GRU_AFTER && (all || b)) fresh = add(g, fresh, mul(g, r, all && b ? add(g, gate(l, all, 2), b) : all ? gate(l, all, 2) : b));
	else if (all) fresh = add(g, fresh, product(g, mul(g, r, l->h), cut(g, l->in[IN_R], 0, 2 * u, u), 0));
	cop_vid next = function(l, 1, fresh), rest = l->h ? cop__apply(g, OP_sub, &open_act, VIDS(l->h, next)) : 0;
	l->h = rest ? add(g, next, mul(g, z, rest)) : cop__apply(g, OP_sub, &open_act, VIDS(next, mul(g, z, next)));
}

/* The states of all steps, one behind the other along the axis of time; v is used up. */
static cop_vid join(const layer *l, cop_vid *v)
{
	int32_t axis = !l->a.time_first;

	for (int32_t i = 0; i < l->steps; i++) v[i] = shaped(l->g, v[i], 3, axis ? -1 : 1, axis ? 1 : -1, l->units);
	return cop__joined(l->g, axis, v, l->steps);
}

/* v[steps] becomes h by step. */
static cop_status walk(layer *l, cop_vid *v)
{
	cop_graph *g = l->g;
	int32_t axis = !l->a.time_first, in = cop__t(g, l->in[IN_X])->dim[2];
	cop_vid ax = product(g, shaped(g, l->in[IN_X], 2, -1, in, 0), l->in[IN_W], l->in[IN_B] ? cut(g, l->in[IN_B], 0, 0, l->rows) : 0);

	if (ax) ax = axis ? shaped(g, ax, 3, -1, l->steps, l->rows) : shaped(g, ax, 3, l->steps, -1, l->rows);
	for (int32_t i = 0; ax && i < l->steps; i++) {
		int32_t t = l->a.reverse ? l->steps - 1 - i : i;
		cop_vid one = shaped(g, cut(g, ax, axis, t, 1), 2, -1, l->rows, 0);
		if (!one) break;
		(l->a.cell == RNN_LSTM ? lstm : l->a.cell == RNN_PLAIN ? plain : gru)(l, one);
		if (!(v[t] = l->h)) break;
	}
	return g->cx->code ? g->cx->code : ax ? COP_OK : COP_NOMEM;
}

static cop_status unroll(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	const int32_t *x = cop__in(g, n, IN_X)->dim;
	layer l = {.g = out, .units = cop__outt(g, n, 0)->dim[1], .rows = cop__in(g, n, IN_W)->dim[0]};

	memcpy(&l.a, g->node[n].attr, sizeof l.a);
	l.samples = x[l.a.time_first != 0], l.steps = x[!l.a.time_first];
	if (l.steps > MOST_STEPS) return cop__fail(g, COP_ARG, n, "has %d steps; at most %d can be written out, as training needs", l.steps, (int)MOST_STEPS);
	for (int i = 0; i < N_IN; i++)
		if (cop__arg(g, n, i) && !(l.in[i] = cop__copy_value(out, g, map, cop__arg(g, n, i)))) return g->cx->code;
	l.h = l.in[IN_H], l.c = l.in[IN_C];
	cop_vid *v = cop__arena_get(&out->mem, sizeof *v * (size_t)l.steps);
	if (!v) return COP_NOMEM;
	COP_TRY(walk(&l, v));
	cop__map_to(out, g, map, cop__res(g, n, 0), l.h);
	if (cop__res(g, n, 2)) {
		if (!l.c && !(l.c = mul(out, l.h, cop__scalar(out, "unroll.zero", 0)))) return g->cx->code; /* of other cells than the LSTM */
		cop__map_to(out, g, map, cop__res(g, n, 2), l.c);
	}
	if (!cop__res(g, n, 1)) return COP_OK;
	cop_vid y = join(&l, v);
	if (y) cop__map_to(out, g, map, cop__res(g, n, 1), y);
	return y ? COP_OK : g->cx->code;
}

cop_status cop__pass_unroll(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t n = 1; !st && n <= g->n_node; n++)
		st = g->node[n].op == OP_rnn ? unroll(*out, g, map, (cop_nid)n) : cop__copy_node(*out, g, map, (cop_nid)n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_unroll(out, g);
}

const cop_pass cop_pass_unroll = {COP_ROW("unroll", "writes recurrent layers out step by step, as training needs them"), run};
