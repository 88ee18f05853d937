/* SPDX-License-Identifier: Apache-2.0
 *
 * copy - how passes work: a new graph is written while the old one is read. map[old] = new.
 * Both graphs have the same contents of weights (contents.h); either may be freed.
 */
#include "graph/about.h"
#include "graph/ops.h"

cop_status cop__copy_begin(cop_graph **out, const cop_graph *g, cop_vid **map)
{
	COP_TRY(cop__graph_new(out, g->cx, g->name));
	*map = cop__arena_get(&(*out)->mem, sizeof **map * (size_t)(g->n_value + 1));
	(*out)->outline = g->outline;
	if (*map && !cop__about_copy(*out, g)) return COP_OK;
	cop_graph_free(*out);
	*out = NULL;
	return COP_NOMEM;
}

cop_vid cop__copy_value(cop_graph *out, const cop_graph *g, cop_vid *map, cop_vid v)
{
	const cop_value *old = &g->value[v];

	if (!v || map[v]) return v ? map[v] : 0;
	if (old->producer) { /* a pass that drops a producer maps its result itself */
		cop__error(g->cx, COP_ARG, "value %u is read before it is written", v);
		return 0;
	}
	cop_vid of = old->of ? cop__copy_value(out, g, map, old->of) : 0;
	map[v] = old->role == COP_INPUT ? cop__input(out, old->name, &old->type) : cop__data(out, old->role, old->name, &old->type, NULL);
	if (!map[v] || cop__share(out, map[v], g, v)) return 0;
	out->value[map[v]].of = of, out->value[map[v]].lead = old->lead, out->value[map[v]].samples = old->samples;
	return map[v];
}

cop_status cop__copy_node(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	const cop_node *old = &g->node[n];
	cop_vid in[COP_MAX_IN] = {0};

	for (int i = 0; i < old->n_in; i++)
		if (old->in[i] && !(in[i] = cop__copy_value(out, g, map, old->in[i]))) return g->cx->code ? g->cx->code : COP_NOMEM;
	cop_vid guard = cop__copy_value(out, g, map, old->guard);
	cop_nid m = cop__node(out, old->op, old->attr, old->n_in, in);
	if (!m) return g->cx->code ? g->cx->code : COP_NOMEM;
	out->node[m].guard = guard;
	for (int i = 0; i < COP_MAX_OUT; i++) {
		if (!old->out[i]) continue;
		cop_vid v = cop__want_out(out, m, i);
		if (!v) return COP_NOMEM;
		map[old->out[i]] = v;
		if (g->value[old->out[i]].name) cop__name(out, v, g->value[old->out[i]].name);
	}
	return COP_OK;
}

cop_status cop__copy_end(cop_graph *out, const cop_graph *g, cop_vid *map)
{
	for (int32_t i = 0; i < g->n_output; i++) {
		cop_vid v = g->output[i];
		const cop_quant *q = &g->value[v].type.q;
		cop_vid to = g->value[v].producer ? map[v] : cop__copy_value(out, g, map, v);
		COP_TRY(cop__output(out, to, g->value[v].name));
		if (q->scale) COP_TRY(cop__set_quant(out, to, *q->scale, q->zero ? *q->zero : 0));
		out->value[to].lead = g->value[v].lead;
		out->value[to].samples = g->value[v].samples;
	}
	for (int32_t v = 1; v <= g->n_value; v++) {
		if (!map[v]) continue;
		if (g->value[v].alias && map[g->value[v].alias]) out->value[map[v]].alias = map[g->value[v].alias];
		if (g->value[v].of && map[g->value[v].of]) out->value[map[v]].of = map[g->value[v].of];
	}
	return COP_OK;
}
