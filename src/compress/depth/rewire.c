/* SPDX-License-Identifier: Apache-2.0
 *
 * rewire - a network cut into stretches, as it is trained before its layers are merged: without the bounds within each
 * stretch and without the layers that it drops, and with all padding of a stretch before its first layer.
 */
#include "compress/depth/chain.h"
#include "pass/pass.h"

/* What becomes of a node: it stays, without its bounds; it goes, all but its bounds. */
typedef enum fate { AS_IT_IS, STRAIGHT, LEFT_OUT, LEFT_OUT_BOUNDED } fate;
typedef struct wiring {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map;
	fate *fate;                 /* [n_node+1], and so are the next two */
	const cop_conv_attr **pads; /* NULL: as they are */
	cop_vid *shortcut;          /* what stands for a sum; 0: itself */
} wiring;

static bool bounded(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	cop__act_get(g, n, &lo, &hi);
	return lo != COP_NO_LO || hi != COP_NO_HI;
}

static void link_fates(wiring *w, const cop_chained *l, bool dropped, bool last)
{
	cop_nid inner[] = {l->layer, l->norm};

	for (int i = 0; i < LEN(inner); i++) {
		if (!inner[i]) continue;
		if (dropped) w->fate[inner[i]] = last && bounded(w->g, inner[i]) ? LEFT_OUT_BOUNDED : LEFT_OUT;
		else if (!last) w->fate[inner[i]] = STRAIGHT;
	}
	if (l->act && !last) w->fate[l->act] = LEFT_OUT;
}

static void stretch_fates(wiring *w, const cop_chains *c, const cop_stretch *s, cop_conv_attr *none)
{
	bool first = true;

	for (int32_t i = s->from; i < s->to; i++) {
		const cop_chained *l = &c->link[i];
		bool dropped = cop__stretch_drops(s, i);
		link_fates(w, l, dropped, i + 1 == s->to);
		if (dropped || s->to - s->from == 1 || w->g->node[l->layer].op != OP_conv) continue;
		w->pads[l->layer] = first ? &s->a : none;
		first = false;
	}
	if (cop__stretch_is_block(s, c)) w->shortcut[c->link[s->to - 1].sum] = c->link[s->from].in;
}

/* Is x within these bounds anyway? Where a block is left out, what it began with was bounded before. */
static bool within(const cop_graph *g, cop_vid x, float lo, float hi)
{
	float from, to;
	cop_nid n = g->value[x].producer;

	if (!n || !(cop__op(g, n)->flags & COP_OP_ACT)) return false;
	cop__act_get(g, n, &from, &to);
	return from >= lo && to <= hi;
}

/* x in the place of the result of node n, within its bounds. */
static cop_status bound(wiring *w, cop_nid n, cop_vid x)
{
	float lo, hi;

	cop__act_get(w->g, n, &lo, &hi);
	if (bounded(w->g, n) && !within(w->out, x, lo, hi)) x = cop__apply(w->out, OP_clip, &(cop_act_attr){lo, hi}, VIDS(x));
	if (!x) return cop__failed(w->g->cx);
	cop__map_to(w->out, w->g, w->map, cop__res(w->g, n, 0), x);
	return COP_OK;
}

/* A clip of what is within its bounds anyway is that. */
static bool held(wiring *w, cop_nid n)
{
	float lo, hi;
	cop_vid x = cop__copy_value(w->out, w->g, w->map, cop__arg(w->g, n, 0));

	cop__act_get(w->g, n, &lo, &hi);
	if (!x || !within(w->out, x, lo, hi)) return false; /* COP_NOMEM: the copy of the node says so */
	cop__map_to(w->out, w->g, w->map, cop__res(w->g, n, 0), x);
	return true;
}

static cop_status rewire_node(wiring *w, cop_nid n)
{
	const cop_graph *g = w->g;
	cop_node d = g->node[n];

	if (w->shortcut[n]) return bound(w, n, cop__copy_value(w->out, g, w->map, w->shortcut[n]));
	if (w->fate[n] >= LEFT_OUT) {
		cop_vid x = cop__copy_value(w->out, g, w->map, d.in[0]);
		if (w->fate[n] == LEFT_OUT_BOUNDED) return bound(w, n, x);
		if (!x) return cop__failed(g->cx);
		cop__map_to(w->out, g, w->map, cop__res(g, n, 0), x);
		return COP_OK;
	}
	if (d.op == OP_clip && held(w, n)) return COP_OK;
	if (w->pads[n]) {
		COP_ATTR(cop_conv_attr, a, g, n);
		a.pt = w->pads[n]->pt, a.pl = w->pads[n]->pl, a.pb = w->pads[n]->pb, a.pr = w->pads[n]->pr;
		memcpy(d.attr, &a, sizeof a);
	}
	COP_TRY(cop__copy_as(w->out, g, w->map, n, &d));
	cop_nid made = w->out->value[w->map[cop__res(g, n, 0)]].producer;
	if (w->fate[n] == STRAIGHT) cop__act_set(w->out, made, COP_NO_LO, COP_NO_HI);
	return COP_OK;
}

cop_status cop__rewire(cop_graph **out, const cop_chains *c, const cop_stretch *s, int32_t n)
{
	const size_t nodes = (size_t)c->g->n_node + 1;
	wiring w = {.g = c->g};
	cop_conv_attr none = {0};

	COP_TRY(cop__copy_begin(out, c->g, &w.map));
	w.out = *out;
	w.fate = cop__arena_get(&w.out->mem, sizeof *w.fate * nodes);
	w.pads = cop__arena_get(&w.out->mem, sizeof *w.pads * nodes);
	w.shortcut = cop__arena_get(&w.out->mem, sizeof *w.shortcut * nodes);
	cop_status st = w.fate && w.pads && w.shortcut ? cop__copy_inputs(w.out, c->g, w.map) : COP_NOMEM;
	for (int32_t i = 0; !st && i < n; i++) stretch_fates(&w, c, &s[i], &none);
	for (cop_nid k = 1; !st && k <= (cop_nid)c->g->n_node; k++) st = rewire_node(&w, k);
	if (!st) st = cop__copy_rest(w.out, c->g, w.map);
	return cop__pass_end(out, st);
}
