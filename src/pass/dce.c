/* SPDX-License-Identifier: Apache-2.0
 *
 * dce - drops what nobody needs: nodes, optional outputs, weights. Needed are the graph's outputs, and the nodes
 * that write a parameter or state; keep=<pattern> narrows the latter to targets of matching names.
 * The graph's inputs stay, read or not: they are its interface.
 */
#include "pass/pass.h"

static bool writes(const cop_graph *g, cop_vid v, const char *keep)
{
	cop_vid over = g->value[v].alias;
	return v && over && (!g->value[over].name || cop__match(keep, g->value[over].name));
}

static bool needed(const cop_graph *g, cop_nid n, const bool *live, const char *keep)
{
	const cop_node *d = &g->node[n];
	bool any = false, updates = (cop__op(g, n)->flags & COP_OP_UPDATE) != 0;

	for (int i = 0; i < COP_MAX_OUT; i++) {
		any |= live[d->out[i]] || writes(g, d->out[i], keep);
		updates &= !g->value[d->out[i]].alias; /* an update without a target is kept for what it does otherwise */
	}
	return any || updates;
}

/* Readers come after what they read, so one walk from the end marks everything. */
static void mark(const cop_graph *g, bool *live, bool *node, const char *keep)
{
	for (int32_t i = 0; i < g->n_output; i++) live[g->output[i]] = true;
	for (int32_t n = g->n_node; n >= 1; n--) {
		const cop_node *d = &g->node[n];
		if (!(node[n] = needed(g, (cop_nid)n, live, keep))) continue;
		live[d->guard] = true;
		for (int i = 0; i < d->n_in; i++) live[d->in[i]] = true;
		for (int i = 0; i < COP_MAX_OUT; i++) live[d->out[i]] |= writes(g, d->out[i], keep);
		live[0] = false;
	}
}

static cop_status copy_live(cop_graph *out, const cop_graph *g, cop_vid *map, const bool *live, const bool *node)
{
	COP_TRY(cop__copy_inputs(out, g, map));
	for (int32_t n = 1; n <= g->n_node; n++) {
		if (!node[n]) continue;
		cop_node d = g->node[n];
		for (int i = cop_ops[d.op]->must_out; i < COP_MAX_OUT; i++)
			if (!live[d.out[i]]) d.out[i] = 0;
		COP_TRY(cop__copy_as(out, g, map, (cop_nid)n, &d));
	}
	return cop__copy_end(out, g, map);
}

static cop_status dce(cop_graph **out, const cop_graph *g, const char *keep)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	bool *live = cop__arena_get(&(*out)->mem, (size_t)g->n_value + 1);
	bool *node = cop__arena_get(&(*out)->mem, (size_t)g->n_node + 1);
	if (!live || !node) return cop__pass_end(out, COP_NOMEM);
	mark(g, live, node, keep);
	return cop__pass_end(out, copy_live(*out, g, map, live, node));
}

cop_status cop__pass_dce(cop_graph **out, const cop_graph *g) { return dce(out, g, "*"); }

typedef struct dce_options { char keep[128]; } dce_options;
static const cop_option options[] = {COP_OPT_TEXT(dce_options, keep, "*", "which outputs stay, by name"), COP_OPT_END};

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	*out = NULL;
	return dce(out, g, ((const dce_options *)a)->keep);
}

const cop_pass cop_pass_dce = {{"dce", "removes nodes, outputs and weights that nothing needs", NULL, options, sizeof(dce_options)}, run};
