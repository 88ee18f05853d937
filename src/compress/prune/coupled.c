/* SPDX-License-Identifier: Apache-2.0
 *
 * coupled - granularities that take several tensors: channels and heads, which are groups of links, and whole layers.
 */
#include "compress/prune/prune.h"
#include "pass/pass.h"

/* ---- channel: a group of links; its rows in each weight, and in the vectors that go with them ---- */

/* Biases, scales and shifts of those channels. */
static cop_status add_followers(cop_items *it, const cop_graph *g, const cop_groups *s, const int32_t *item)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role != COP_PARAM || x->type.dtype != COP_F32 || x->type.enc != COP_DENSE || x->type.rank != 1) continue;
		if (item[cop__group_of(s, (cop_vid)v, 0, 0)] >= 0) COP_TRY(cop__items_add(it, g, (cop_vid)v, true));
	}
	return COP_OK;
}

/* Items in the order in which their groups are met, so that those of a layer stand together. */
static void number_items(cop_items *it, const cop_graph *g, const cop_groups *s, int32_t *item)
{
	for (int32_t k = 0; k < s->n_group; k++) item[k] = -1;
	for (int32_t i = 0; i < it->n_layer; i++) {
		cop_pruned *l = &it->layer[i];
		l->first = it->n;
		for (int32_t o = 0; o < cop__t(g, l->v)->dim[0]; o++) {
			int32_t k = cop__group_of(s, l->v, 0, o);
			if (!s->stop[k].why && item[k] < 0) item[k] = (int32_t)it->n++;
		}
		l->items = it->n - l->first;
	}
}

/* What a channel of the layer runs through, whatever it is called and in which order: layers of one form can be compared. */
static uint64_t form_of(const cop_groups *s, const cop_pruned *l)
{
	int32_t k = cop__group_of(s, l->v, 0, 0);
	const cop_item *last = NULL;
	uint64_t sum = 0;

	for (int32_t i = s->start[k]; i < s->start[k + 1]; i++) {
		const cop_item *m = &s->item[s->member[i]];
		if (s->g->value[m->v].role == COP_PARAM && (!last || last->v != m->v || last->axis != m->axis)) sum += cop__form_of(s->g, m->v, m->axis);
		last = m;
	}
	return sum;
}

static cop_status split_groups(cop_items *it, const cop_graph *g, const char *what)
{
	cop_groups s;
	cop_status st = cop__groups(&s, g);
	int32_t *item = st ? NULL : cop__arena_get(&it->mem, sizeof *item * (size_t)(s.n_group + 1));

	if (!st && !item) st = COP_NOMEM;
	if (!st) {
		number_items(it, g, &s, item);
		if (!it->n)
			st = cop__error(g->cx, COP_ARG, "prune: what: %s: no %s of '%s' may go: %s", what, what, it->layer[0].name,
				s.stop[cop__group_of(&s, it->layer[0].v, 0, 0)].why);
	}
	for (int32_t i = 0; !st && i < it->n_layer; i++) it->layer[i].form = form_of(&s, &it->layer[i]);
	if (!st) st = add_followers(it, g, &s, item);
	if (!st) st = cop__items_of(it);
	for (int32_t i = 0; !st && i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		int64_t row = l->count / cop__t(g, l->v)->dim[0];
		for (int64_t j = 0; j < l->count; j++) it->of[l->offset + j] = item[cop__group_of(&s, l->v, 0, (int32_t)(j / row))];
	}
	cop__groups_free(&s);
	return st;
}

cop_status cop__split_channel(cop_items *it, const cop_graph *g, const void *options) { return (void)options, split_groups(it, g, "channel"); }

/* ---- head: channels that go together because attention has them side by side in a head ---- */

/* The rows of one head are one group of links (op/shape.c), and a convolution's groups are no heads. */
const char *cop__no_heads(const cop_graph *g, cop_vid v)
{
	static const char *const why = "makes no heads of attention";
	cop_groups s;
	bool together;

	if (cop__t(g, v)->rank != 2 || cop__t(g, v)->dim[0] < 2) return why;
	if (cop__groups(&s, g)) return cop__groups_free(&s), why;
	together = cop__group_of(&s, v, 0, 0) == cop__group_of(&s, v, 0, 1) && cop__group_of(&s, v, 0, 0) != cop__group_of(&s, v, 0, cop__t(g, v)->dim[0] - 1);
	cop__groups_free(&s);
	return together ? NULL : why;
}

cop_status cop__split_head(cop_items *it, const cop_graph *g, const void *options) { return (void)options, split_groups(it, g, "head"); }

/* ---- layer: all of a weight, where a sum leads around it ---- */

/* The node that multiplies by v: it alone reads it. */
static cop_nid only_reader(const cop_graph *g, cop_vid v)
{
	cop_nid found = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++)
			if (g->node[n].in[i] == v && found) return 0;
			else if (g->node[n].in[i] == v) found = n;
	return found;
}

/* Do the inputs reach every output without what the nodes of `without` give? */
static bool leads_around(const cop_graph *g, const bool *without, cop_arena *mem)
{
	bool *reached = cop__arena_get(mem, (size_t)g->n_value + 1), all = reached != NULL;

	for (int32_t i = 0; reached && i < g->n_input; i++) reached[g->input[i]] = true;
	for (cop_nid n = 1; reached && n <= (cop_nid)g->n_node; n++) {
		bool any = false;
		for (int i = 0; !without[n] && i < g->node[n].n_in; i++) any |= reached[g->node[n].in[i]];
		for (int i = 0; any && i < COP_MAX_OUT; i++)
			if (g->node[n].out[i]) reached[g->node[n].out[i]] = true;
	}
	for (int32_t i = 0; reached && i < g->n_output; i++) all &= reached[g->output[i]];
	return all;
}

const char *cop__no_way_around(const cop_graph *g, cop_vid v)
{
	cop_nid n = only_reader(g, v);
	cop_arena mem;

	if (!n) return "is shared by several layers";
	cop__arena_init(&mem, g->cx);
	bool *without = cop__arena_get(&mem, (size_t)g->n_node + 1), may = false;
	if (without) without[n] = true, may = leads_around(g, without, &mem);
	cop__arena_free(&mem);
	return may ? NULL : "is a layer that the network can't do without: no sum leads around it";
}

/* The bias, and scale and shift of the batch norm behind, so that the layer puts out zeros. */
static cop_status add_vectors(cop_items *it, const cop_graph *g, const cop_pruned *l)
{
	cop_nid n = only_reader(g, l->v);
	cop_vid y = cop__res(g, n, 0);
	cop_nid next = only_reader(g, y);

	if (cop__arg(g, n, 2) && cop__t(g, cop__arg(g, n, 2))->rank == 1 && g->value[cop__arg(g, n, 2)].role == COP_PARAM)
		COP_TRY(cop__items_add(it, g, cop__arg(g, n, 2), true));
	if (!next || g->node[next].op != OP_bn) return COP_OK;
	for (int i = 1; i <= 2; i++)
		if (g->value[cop__arg(g, next, i)].role == COP_PARAM) COP_TRY(cop__items_add(it, g, cop__arg(g, next, i), true));
	return COP_OK;
}

/* Layers one after the other, as long as the outputs are reached without all of them: two branches of one sum can't both go. of: of each layer, its
 * item, -1 for one that stays. */
static cop_status choose(int32_t *of, cop_items *it, const cop_graph *g)
{
	bool *without = cop__arena_get(&it->mem, (size_t)g->n_node + 1);

	if (!without) return COP_NOMEM;
	for (int32_t i = 0; i < it->n_layer; i++) {
		cop_pruned *l = &it->layer[i];
		cop_nid n = only_reader(g, l->v);
		without[n] = true;
		bool may = leads_around(g, without, &it->mem);
		without[n] = may;
		of[i] = may ? (int32_t)it->n : -1;
		l->first = it->n;
		l->items = may;
		it->n += may;
	}
	return COP_OK;
}

cop_status cop__split_layer(cop_items *it, const cop_graph *g, const void *options)
{
	const int32_t layers = it->n_layer;
	int32_t *of = cop__arena_get(&it->mem, sizeof *of * (size_t)(g->n_value + 1));

	(void)options;
	if (!of) return COP_NOMEM;
	COP_TRY(choose(of, it, g));
	for (int32_t i = 0; i < layers; i++) {
		int32_t from = it->n_layer;
		if (of[i] >= 0) COP_TRY(add_vectors(it, g, &it->layer[i]));
		while (from < it->n_layer) of[from++] = of[i];
	}
	it->may_close = true;
	COP_TRY(cop__items_of(it));
	for (int32_t i = 0; i < it->n_layer; i++)
		for (int64_t j = 0; j < it->layer[i].count; j++) it->of[it->layer[i].offset + j] = of[i];
	return COP_OK;
}
