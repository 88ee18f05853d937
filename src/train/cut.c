/* SPDX-License-Identifier: Apache-2.0
 *
 * cut - see cut.h.
 */
#include "train/cut.h"

/* Sets need[v] for v and all that it comes from. */
static void mark_before(bool *need, const cop_graph *g, cop_vid v)
{
	need[v] = true;
	for (cop_nid n = (cop_nid)g->n_node; n > 0; n--) {
		const cop_node *d = &g->node[n];
		bool read = false;
		for (int i = 0; i < COP_MAX_OUT; i++) read |= d->out[i] && need[d->out[i]];
		for (int i = 0; read && i < d->n_in; i++) need[d->in[i]] = true;
	}
}

static bool is_data(const cop_graph *g, cop_vid v) { return g->value[v].role >= COP_CONST; }

bool cop__can_cut(const cop_graph *g, cop_vid v)
{
	bool *need = v && g->value[v].producer ? cop__alloc(g->cx, (size_t)g->n_value + 1) : NULL, can = need;

	if (!need) return false;
	mark_before(need, g, v);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_node *d = &g->node[n];
		const bool before = need[d->out[0]];
		for (int i = 0; i < d->n_in && d->in[i]; i++) can &= before || d->in[i] == v || (is_data(g, d->in[i]) ? !need[d->in[i]] : !need[d->in[i]] && g->value[d->in[i]].producer);
	}
	for (int32_t i = 0; i < g->n_output; i++) can &= g->output[i] == v || !need[g->output[i]];
	cop__free(g->cx, need);
	return can;
}

cop_status cop__cut_head(cop_graph **out, const cop_graph *g, const cop_vid *v, int n_v)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	bool *need = cop__arena_get(&(*out)->mem, (size_t)g->n_value + 1);
	cop_status st = need ? cop__copy_inputs(*out, g, map) : COP_NOMEM;
	for (int i = 0; !st && i < n_v; i++) mark_before(need, g, v[i]);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		if (need[g->node[n].out[0]]) st = cop__copy_node(*out, g, map, n);
	for (int i = 0; !st && i < n_v; i++) st = cop__output(*out, map[v[i]], NULL);
	return cop__pass_end(out, st);
}

cop_status cop__cut_tail(cop_graph **out, const cop_graph *g, cop_vid v)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	bool *need = cop__arena_get(&(*out)->mem, (size_t)g->n_value + 1);
	const cop_type t = *cop__t(g, v);
	cop_status st = need && (map[v] = cop__input(*out, g->value[v].name ? g->value[v].name : "cut", &t)) ? COP_OK : cop__failed(g->cx);
	if (!st) mark_before(need, g, v);
	if (!st) (*out)->value[map[v]].lead = 1, (*out)->value[map[v]].samples = t.dim[0];
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		if (!need[g->node[n].out[0]]) st = cop__copy_node(*out, g, map, n);
	if (!st) st = cop__copy_end(*out, g, map);
	return cop__pass_end(out, st);
}
