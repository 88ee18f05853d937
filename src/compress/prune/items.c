/* SPDX-License-Identifier: Apache-2.0
 *
 * items - the tensors that pruning works on, and which numbers of them go together; the granularities fill it in.
 */
#include "compress/prune/prune.h"
#include "op/op.h"

#include <stdio.h>

/* The first node that multiplies by v, and as which input. */
static cop_nid reader_of(const cop_graph *g, cop_vid v, int *slot)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (*slot = 0; *slot < g->node[n].n_in; ++*slot)
			if (g->node[n].in[*slot] == v) return n;
	return 0;
}

uint64_t cop__form_of(const cop_graph *g, cop_vid v, int32_t axis)
{
	const cop_type *t = cop__t(g, v);
	int slot = 0;
	cop_nid n = reader_of(g, v, &slot);
	const int32_t is[] = {g->node[n].op, slot, axis, t->rank, t->rank == 4 ? t->dim[1] : 0, t->rank == 4 ? t->dim[2] : 0, t->rank == 4 && t->dim[3] == 1};
	uint64_t h = 1469598103934665603u;

	for (int i = 0; i < LEN(is); i++) h = (h ^ (uint64_t)(uint32_t)is[i]) * 1099511628211u;
	return h;
}

static double macs_of(const cop_graph *g, cop_vid v)
{
	cop_cost c = {0, 0};
	int slot = 0;
	cop_nid n = reader_of(g, v, &slot);

	if (n && cop__op(g, n)->cost) cop__op(g, n)->cost(g, n, &c);
	return (double)c.mac / (double)cop_type_count(cop__t(g, v));
}

cop_status cop__items_add(cop_items *it, const cop_graph *g, cop_vid v, bool follows)
{
	cop_pruned *l = &it->layer[it->n_layer++];
	const cop_type *t = cop__t(g, v);

	*l = (cop_pruned){.v = v, .count = cop_type_count(t), .rows = t->dim[0], .offset = it->count, .follows = follows, .inner = t->dim[t->rank - 1]};
	if (snprintf(l->name, sizeof l->name, "%s", g->value[v].name) >= (int)sizeof l->name)
		return cop__error(g->cx, COP_ARG, "'%s': the name is too long", g->value[v].name);
	if (!follows) l->macs = macs_of(g, v), l->form = cop__form_of(g, v, 0);
	it->count += l->count;
	return it->count < INT32_MAX ? COP_OK : cop__error(g->cx, COP_ARG, "prune: '%s' has too many weights", g->name);
}

cop_status cop__items_of(cop_items *it)
{
	it->of = cop__arena_get(&it->mem, sizeof *it->of * (size_t)(it->count + 1));
	return it->of ? COP_OK : COP_NOMEM;
}
