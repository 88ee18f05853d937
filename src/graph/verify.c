/* SPDX-License-Identifier: Apache-2.0
 *
 * verify - what every graph must satisfy; names the node at fault. The rules:
 *   an input is written before it is read; an alias has the size of what it overwrites and overwrites a
 *   PARAM or STATE once; a reader of a guarded value has the same guard or none of its own that differs;
 *   outputs exist.
 */
#include "op/op.h"

static cop_status check_node(const cop_graph *g, cop_nid n)
{
	const cop_node *d = &g->node[n];

	for (int i = 0; i < d->n_in; i++) {
		const cop_value *v = &g->value[d->in[i]];
		if (!d->in[i]) continue;
		if (v->producer >= n) return cop__fail(g, COP_ARG, n, "reads input %d before it is written", i);
		cop_vid need = v->producer ? g->node[v->producer].guard : 0;
		if (need && d->guard != need && !(cop__op(g, n)->flags & COP_OP_UPDATE))
			return cop__fail(g, COP_ARG, n, "reads a value that may be skipped, but has not its guard");
	}
	if (d->guard && g->value[d->guard].type.dtype != COP_I32) return cop__fail(g, COP_ARG, n, "its guard must be i32");
	return COP_OK;
}

/* Two writers of one place would make the result depend on the order. */
static cop_status check_alias(const cop_graph *g, cop_vid v, cop_vid *writer)
{
	const cop_value *x = &g->value[v], *over = &g->value[x->alias];

	if (cop_type_bytes(&x->type) != cop_type_bytes(&over->type))
		return cop__fail(g, COP_SHAPE, x->producer, "overwrites '%s' of another size", over->name ? over->name : "a value");
	if (over->role != COP_PARAM && over->role != COP_STATE)
		return cop__fail(g, COP_ARG, x->producer, "overwrites a value that is neither parameter nor state");
	if (writer[x->alias]) return cop__fail(g, COP_ARG, x->producer, "'%s' is overwritten twice", over->name);
	writer[x->alias] = v;
	return COP_OK;
}

cop_status cop_graph_verify(const cop_graph *g)
{
	cop_vid *writer = cop__alloc(g->cx, sizeof *writer * (size_t)(g->n_value + 1));
	cop_status st = writer ? COP_OK : COP_NOMEM;

	for (int32_t n = 1; !st && n <= g->n_node; n++) st = check_node(g, (cop_nid)n);
	for (int32_t v = 1; !st && v <= g->n_value; v++)
		if (g->value[v].alias) st = check_alias(g, (cop_vid)v, writer);
	if (!st && !g->n_output) st = cop__error(g->cx, COP_ARG, "graph '%s' has no output", g->name);
	cop__free(g->cx, writer);
	return st;
}
