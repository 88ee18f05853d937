/* SPDX-License-Identifier: Apache-2.0
 *
 * pass - what the passes share: copying with changes, and the activation words.
 * The plain copying is graph/copy.c.
 */
#include "pass/pass.h"
#include "enc/enc.h"

cop_status cop__copy_inputs(cop_graph *out, const cop_graph *g, cop_vid *map)
{
	for (int32_t i = 0; i < g->n_input; i++)
		if (!cop__copy_value(out, g, map, g->input[i])) return g->cx->code ? g->cx->code : COP_NOMEM;
	return COP_OK;
}

/* A leaf without readers stays, unless it follows a weight that went. */
cop_status cop__copy_rest(cop_graph *out, const cop_graph *g, cop_vid *map)
{
	int32_t *readers = cop__readers(g, &out->mem);

	if (!readers) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (map[v] || x->producer || x->role == COP_TEMP || readers[v]) continue;
		if (x->of && !map[x->of] && readers[x->of]) continue;
		if (!cop__copy_value(out, g, map, (cop_vid)v)) return g->cx->code ? g->cx->code : COP_NOMEM;
	}
	return cop__copy_end(out, g, map);
}

cop_status cop__pass_copy(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = cop__copy_node(*out, g, map, n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

static cop_status copy_inputs_of(cop_graph *out, const cop_graph *g, cop_vid *map, const cop_node *d, cop_vid *in)
{
	for (int i = 0; i < d->n_in; i++)
		if (d->in[i] && !(in[i] = cop__copy_value(out, g, map, d->in[i]))) return g->cx->code ? g->cx->code : COP_NOMEM;
	if (d->guard && !cop__copy_value(out, g, map, d->guard)) return g->cx->code ? g->cx->code : COP_NOMEM;
	return COP_OK;
}

cop_status cop__copy_as(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n, const cop_node *changed)
{
	cop_vid in[COP_MAX_IN] = {0};

	COP_TRY(copy_inputs_of(out, g, map, changed, in));
	cop_nid m = cop__node(out, changed->op, changed->attr, changed->n_in, in);
	if (!m) return g->cx->code ? g->cx->code : COP_NOMEM;
	out->node[m].guard = map[changed->guard];
	for (int i = 0; i < COP_MAX_OUT; i++) {
		cop_vid old = g->node[n].out[i];
		if (!old || !changed->out[i]) continue;
		cop_vid v = cop__want_out(out, m, i);
		if (!v) return g->cx->code ? g->cx->code : COP_NOMEM;
		map[old] = v;
		if (g->value[old].name) cop__name(out, v, g->value[old].name);
	}
	return COP_OK;
}

cop_status cop__pass_end(cop_graph **out, cop_status st)
{
	if (st) {
		cop_graph_free(*out);
		*out = NULL;
	}
	return st;
}

cop_status cop__pass_then(cop_graph **g, cop_pass_fn *pass)
{
	cop_graph *next = NULL;

	cop__spend(*g);
	cop_status st = pass(&next, *g);

	cop_graph_free(*g);
	*g = next;
	return cop__pass_end(g, st);
}

void cop__map_to(cop_graph *out, const cop_graph *g, cop_vid *map, cop_vid v, cop_vid to)
{
	const char *name = g->value[v].name;

	map[v] = to;
	if (name && !out->value[to].name) cop__name(out, to, name);
}

static int32_t *word(cop_node *d, const char *name)
{
	char kind;
	return &d->attr[cop__attr_find(cop_ops[d->op], name, &kind, NULL)];
}

void cop__act_get(const cop_graph *g, cop_nid n, float *lo, float *hi)
{
	*lo = cop__float(*word(&g->node[n], "lo"));
	*hi = cop__float(*word(&g->node[n], "hi"));
}

void cop__act_set(cop_graph *g, cop_nid n, float lo, float hi)
{
	*word(&g->node[n], "lo") = cop__bits(lo);
	*word(&g->node[n], "hi") = cop__bits(hi);
}

cop_vid cop__joined(cop_graph *g, int32_t axis, cop_vid *v, int32_t count)
{
	while (count > 1) {
		int32_t made = 0;
		for (int32_t i = 0; i < count; i += COP_MAX_IN) {
			int k = COP_MIN((int)COP_MAX_IN, count - i);
			v[made++] = k > 1 ? cop__apply(g, OP_concat, &(cop_concat_attr){axis}, k, v + i) : v[i];
		}
		count = made;
	}
	return v[0];
}

cop_vid cop__result_named(const cop_graph *g, const char *name)
{
	cop_vid v = cop__find(g, name);

	for (cop_nid n = 1; v && n <= (cop_nid)g->n_node; n++)
		if (cop__res(g, n, 0) == v || cop__arg(g, n, 1) == v) return cop__res(g, n, 0);
	return 0;
}
