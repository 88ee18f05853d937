/* SPDX-License-Identifier: Apache-2.0
 *
 * remove - channels that nothing but zeros makes leave the network, with all that goes with them.
 */
#include "compress/aim/aim.h"
#include "compress/layers.h"
#include "pass/pass.h"

static bool read_as_rows(const cop_graph *g, cop_vid v)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int j = 0; j < g->node[n].n_in; j++)
			if (g->node[n].in[j] == v && !((g->node[n].op == OP_conv || g->node[n].op == OP_fc) && j == 1)) return false;
	return true;
}

static bool zero_at(const cop_graph *g, const cop_item *m)
{
	const float *x = g->value[m->v].data;
	int64_t row = cop_type_count(cop__t(g, m->v)) / cop__t(g, m->v)->dim[0];

	for (int64_t j = 0; x && j < row; j++)
		if (x[m->index * row + j] != 0) return false;
	return true;
}

/* Made of zeros: the rows of weights, the biases, and the scale and shift of a batch norm. */
static bool dead(const cop_groups *s, int32_t k)
{
	const cop_graph *g = s->g;
	bool some = false;

	for (int32_t j = s->start[k]; j < s->start[k + 1]; j++) {
		const cop_item *m = &s->item[s->member[j]];
		const cop_value *x = &g->value[m->v];
		if (x->role != COP_PARAM && x->role != COP_CONST) continue;
		if (x->type.dtype != COP_F32 || x->type.enc != COP_DENSE) return false;
		if (x->type.rank > 1 && !read_as_rows(g, m->v)) return false;
		if (m->axis) continue;
		if (!zero_at(g, m)) return false;
		some |= x->type.rank > 1;
	}
	return some;
}

cop_status cop__remove_zeroed(cop_graph **g)
{
	cop_groups s;
	cop_graph *out = NULL;
	cop_status st = cop__groups(&s, *g);
	uint8_t *drop = st ? NULL : cop__arena_get(&s.mem, (size_t)s.n_group + 1);
	int32_t n = 0;

	if (!st && !drop) st = COP_NOMEM;
	for (int32_t k = 0; !st && k < s.n_group; k++) n += drop[k] = !s.stop[k].why && dead(&s, k);
	if (!st && n) st = cop__pass_slice_groups(&out, &s, drop);
	cop__groups_free(&s);
	if (st || !n) return st;
	cop_graph_free(*g);
	*g = out;
	return COP_OK;
}
