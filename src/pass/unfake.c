/* SPDX-License-Identifier: Apache-2.0
 *
 * unfake - the graph of integers of a graph that rounds in floats (fakequant): steps become scales, and what is trained
 * is rounded for the last time.
 */
#include "pass/lower.h"

#include <math.h>

static cop_nid fake_of(const cop_graph *g, cop_vid v)
{
	cop_nid n = g->value[v].producer;
	return n && g->node[n].op == OP_fakequant ? n : 0;
}

static float step_of(const cop_graph *g, cop_nid n, int32_t i)
{
	COP_ATTR(cop_fakequant_attr, a, g, n);
	return fmaxf(cop__floats(g, cop__arg(g, n, 1))[i], fmaxf(a.least, COP_LEAST_STEP));
}

/* As the operator has it. */
static cop_qrange range_of(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_fakequant_attr, a, g, n);
	cop_qrange r = {step_of(g, n, 0), a.zero, a.lo, a.hi};

	if (a.offset)
		r.zero =
		        cop_clampi(a.zero - cop_round_away(cop__floats(g, cop__arg(g, n, 1))[1] / r.scale), a.lo, a.hi);
	return r;
}

/* What is read where g reads v: in the graph that does not round. */
static cop_vid plain(cop_graph *out, const cop_graph *g, cop_vid *map, cop_vid v)
{
	for (cop_nid n; (n = fake_of(g, v));) v = cop__arg(g, n, 0);
	return cop__copy_value(out, g, map, v);
}

static cop_status plain_node(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	cop_node d = g->node[n];

	for (int i = 0; i < d.n_in; i++) {
		for (cop_nid m; (m = fake_of(g, d.in[i]));) d.in[i] = cop__arg(g, m, 0);
		if (d.in[i] && !cop__copy_value(out, g, map, d.in[i])) return cop__failed(g->cx);
	}
	return cop__copy_as(out, g, map, n, &d);
}

/* ranges [n_value+1] of the plain graph, by what g says of its values. */
static void ranges(cop_qrange *act, const cop_graph *out, const cop_graph *g, const cop_vid *map)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_fakequant &&
		        (g->value[cop__arg(g, n, 0)].producer || g->value[cop__arg(g, n, 0)].role == COP_INPUT))
			act[map[cop__arg(g, n, 0)]] = range_of(g, n);
	for (cop_nid n = 1; n <= (cop_nid)out->n_node; n++)
		if (cop__moves(out, n) && !(act[cop__res(out, n, 0)].scale > 0))
			act[cop__res(out, n, 0)] = act[cop__arg(out, n, 0)];
}

static int bits_of(int32_t most)
{
	int bits = 1;

	for (; most; most >>= 1) bits++;
	return bits;
}

/* The layer n of the plain graph, whose weights g rounds by node f. */
static cop_status integers(cop_qlayer *l, cop_graph *out, cop_nid n, const cop_graph *g, cop_nid f)
{
	COP_ATTR(cop_fakequant_attr, a, g, f);
	const cop_type *t = cop__in(out, n, 1);
	const float *w = cop__floats(out, cop__arg(out, n, 1)),
	            *b = cop__arg(out, n, 2) ? cop__floats(out, cop__arg(out, n, 2)) : NULL;
	int32_t o = t->dim[0], k = (int32_t)(cop_type_count(t) / o), steps = cop__in(g, f, 1)->dim[0];

	*l = (cop_qlayer){
	        .bits = bits_of(a.hi), .act_bits = 8, .o = o, .k = k, .groups = 1, .q_bits = bits_of(a.hi)};
	l->q = cop__arena_get(&out->mem, (size_t)o * (size_t)k);
	l->scale = cop__arena_get(&out->mem, sizeof *l->scale * (size_t)o);
	l->bias = cop__arena_get(&out->mem, sizeof *l->bias * (size_t)o);
	if (!l->q || !l->scale || !l->bias) return COP_NOMEM;
	for (int32_t r = 0; r < o; r++) {
		l->scale[r] = step_of(g, f, steps > 1 ? r : 0);
		l->bias[r] = b ? b[r] : 0;
		for (int32_t i = 0; i < k; i++)
			l->q[(size_t)r * (size_t)k + (size_t)i] = (int8_t)cop_clampi(
			        cop_round_away(w[(size_t)r * (size_t)k + (size_t)i] / l->scale[r]), a.lo, a.hi);
	}
	return COP_OK;
}

static bool is_layer(const cop_graph *g, cop_nid n)
{
	cop_vid b = cop__arg(g, n, 2);
	return (g->node[n].op == OP_conv || g->node[n].op == OP_fc) && cop__floats(g, cop__arg(g, n, 1)) &&
	       (!b || cop__floats(g, b));
}

typedef struct plainer {
	cop_graph *out;
	cop_vid *map;
	cop_qrange *act;
	cop_qlayer *layer;
	cop_nid *from;
} plainer;

/* from[n]: the node of g that node n of the plain graph was. */
static cop_status copy_plain(plainer *p, const cop_graph *g)
{
	cop_status st = cop__copy_inputs(p->out, g, p->map);

	p->from = cop__arena_get(&p->out->mem, sizeof *p->from * (size_t)(g->n_node + 1));
	if (!st && !p->from) st = COP_NOMEM;
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op == OP_fakequant) {
			cop_vid x = plain(p->out, g, p->map, cop__arg(g, n, 0));
			if (x) cop__map_to(p->out, g, p->map, cop__res(g, n, 0), x);
			else st = cop__failed(g->cx);
			continue;
		}
		st = plain_node(p->out, g, p->map, n);
		if (!st) p->from[p->out->n_node] = n;
	}
	return st ? st : cop__copy_end(p->out, g, p->map);
}

static cop_status lowered(cop_graph **out, plainer *p, const cop_graph *g)
{
	COP_TRY(copy_plain(p, g));
	p->act = cop__arena_get(&p->out->mem, sizeof *p->act * (size_t)(p->out->n_value + 1));
	p->layer = cop__arena_get(&p->out->mem, sizeof *p->layer * (size_t)(p->out->n_node + 1));
	if (!p->act || !p->layer) return COP_NOMEM;
	ranges(p->act, p->out, g, p->map);
	for (cop_nid n = 1; n <= (cop_nid)p->out->n_node; n++) {
		cop_nid f = fake_of(g, cop__arg(g, p->from[n], 1));
		if (p->out->node[n].op == OP_rnn && cop__rnn_lowers(p->out, n))
			p->layer[n] =
			        (cop_qlayer){.bits = 8, .act_bits = 8, .o = cop__in(p->out, n, 1)->dim[0], .groups = 1};
		else if (f && is_layer(p->out, n) && p->act[cop__arg(p->out, n, 0)].scale > 0 &&
		         p->act[cop__res(p->out, n, 0)].scale > 0)
			COP_TRY(integers(&p->layer[n], p->out, n, g, f));
		else if (is_layer(p->out, n)) p->layer[n] = (cop_qlayer){.o = cop__in(p->out, n, 1)->dim[0]};
	}
	return cop__lower(out, &(cop_lowering){.g = p->out, .act = p->act, .layer = p->layer});
}

float cop__fake_grad(int64_t numbers, int32_t levels)
{
	return 1 / sqrtf((float)COP_MAX(1, numbers) * (float)COP_MAX(1, levels));
}

bool cop__rounds(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_fakequant) return true;
	return false;
}

cop_status cop__pass_unfake(cop_graph **out, const cop_graph *g)
{
	plainer p = {0};

	*out = NULL;
	COP_TRY(cop__copy_begin(&p.out, g, &p.map));
	cop_status st = lowered(out, &p, g);
	cop_graph_free(p.out);
	return st;
}
