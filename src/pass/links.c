/* SPDX-License-Identifier: Apache-2.0
 *
 * links - which indices can only be removed together, read from the ops' links and from `of`.
 *
 * Items (value, axis, index) are united where a link joins them; what is united is a group, and the closure over a
 * whole network of residual sums, concatenations and flattenings is nothing but that. A group may go when every
 * node it touches lets it through on every value it touches, and neither an input nor an output of the graph is in it.
 */
#include "pass/pass.h"

enum { MAX_LINK = 128 };

static int32_t item_at(const cop_groups *s, cop_vid v, int axis, int32_t index)
{
	return s->base[v * COP_MAX_DIM + (cop_vid)axis] + index;
}

static int32_t root(int32_t *up, int32_t i)
{
	while (up[i] != i) i = up[i] = up[up[i]];
	return i;
}

/* The smaller item becomes the root, so that groups are numbered the same way on every run. */
static void unite(int32_t *up, int32_t a, int32_t b)
{
	a = root(up, a), b = root(up, b);
	if (a < b) up[b] = a;
	else up[a] = b;
}

static cop_status list_items(cop_groups *s)
{
	const cop_graph *g = s->g;
	int64_t n = 0;

	if (!(s->base = cop__arena_get(&s->mem, sizeof *s->base * (size_t)(g->n_value + 1) * COP_MAX_DIM))) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++)
		for (int i = 0; i < g->value[v].type.rank; i++) {
			s->base[v * COP_MAX_DIM + i] = (int32_t)n;
			if ((n += g->value[v].type.dim[i]) > INT32_MAX / 2)
				return cop__error(g->cx, COP_SHAPE, "graph '%s' is too large for groups", g->name);
		}
	s->n_item = (int32_t)n;
	if (!(s->item = cop__arena_get(&s->mem, sizeof *s->item * (size_t)(n + 1)))) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++)
		for (int i = 0; i < g->value[v].type.rank; i++)
			for (int32_t j = 0; j < g->value[v].type.dim[i]; j++)
				s->item[item_at(s, (cop_vid)v, i, j)] = (cop_item){(cop_vid)v, i, j};
	return COP_OK;
}

static int links_of(const cop_graph *g, cop_nid n, cop_link *l)
{
	const cop_op *op = cop__op(g, n);
	int count = op->links ? op->links(g, n, l, MAX_LINK) : 0;
	return COP_MIN(count, MAX_LINK);
}

/* Calls each joined pair of items of node n. mark[i] = n says that the node lets item i through. */
static void walk_links(const cop_groups *s, cop_nid n, int32_t *up, cop_nid *mark)
{
	cop_link all[MAX_LINK];
	int count = links_of(s->g, n, all);

	for (int i = 0; i < count; i++) {
		const cop_link *l = &all[i];
		if (!l->a || !l->b || l->win > 1) continue;
		for (int32_t j = l->lo; j < l->hi; j++) {
			int32_t b = item_at(s, l->b, l->b_ax, j), a = item_at(s, l->a, l->a_ax, (j - l->off) / l->div % l->mod);
			if (up) unite(up, a, b);
			if (mark) mark[a] = mark[b] = n;
		}
	}
}

/* A state that has its parameter's shape, or one number for each of its rows, goes with it; row lists are renumbered
 * instead, in slice.c. */
static void unite_followers(const cop_groups *s, int32_t *up)
{
	const cop_graph *g = s->g;

	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		const cop_type *w = &g->value[x->of].type;
		bool same = cop__same_shape(&x->type, w);
		bool rows = x->type.rank == 1 && w->rank > 0 && x->type.dim[0] == w->dim[0];
		if (!x->of || x->type.dtype == COP_I32 || (!same && !rows)) continue;
		for (int i = 0; i < x->type.rank; i++)
			for (int32_t j = 0; j < x->type.dim[i]; j++)
				unite(up, item_at(s, (cop_vid)v, i, j), item_at(s, x->of, i, j));
	}
}

static cop_status number_groups(cop_groups *s, int32_t *up)
{
	size_t n = (size_t)s->n_item;
	s->group = cop__arena_get(&s->mem, sizeof *s->group * (n + 1));
	s->start = cop__arena_get(&s->mem, sizeof *s->start * (n + 2));
	s->member = cop__arena_get(&s->mem, sizeof *s->member * (n + 1));
	s->stop = cop__arena_get(&s->mem, sizeof *s->stop * (n + 1));
	int32_t *fill = cop__arena_get(&s->mem, sizeof *fill * (n + 1));
	if (!s->group || !s->start || !s->member || !s->stop || !fill) return COP_NOMEM;

	for (int32_t i = 0; i < s->n_item; i++) { /* a root comes before the items under it */
		int32_t r = root(up, i);
		s->group[i] = r == i ? s->n_group++ : s->group[r];
		s->start[s->group[i] + 1]++;
	}
	for (int32_t k = 0; k < s->n_group; k++) fill[k] = s->start[k + 1] += s->start[k];
	for (int32_t k = s->n_group - 1; k > 0; k--) fill[k] = fill[k - 1];
	fill[0] = 0;
	for (int32_t i = 0; i < s->n_item; i++) s->member[fill[s->group[i]]++] = i;
	return COP_OK;
}

static void stop_value(cop_groups *s, cop_vid v, cop_nid node, const char *why)
{
	const cop_type *t = cop__t(s->g, v);

	for (int i = 0; i < t->rank; i++)
		for (int32_t j = 0; j < t->dim[i]; j++) {
			cop_stop *stop = &s->stop[s->group[item_at(s, v, i, j)]];
			if (!stop->why) *stop = (cop_stop){why, node, v};
		}
}

/* What node n does not let through must stay. An axis of length 1 cannot go anyway. */
static void stop_at_node(cop_groups *s, cop_nid n, cop_vid v, const cop_nid *mark)
{
	const cop_type *t = cop__t(s->g, v);
	const char *why = cop__op(s->g, n)->links ? "ties that axis together" : "does not say how its axes belong together";

	for (int i = 0; v && i < t->rank; i++)
		for (int32_t j = 0; t->dim[i] > 1 && j < t->dim[i]; j++) {
			int32_t it = item_at(s, v, i, j);
			cop_stop *stop = &s->stop[s->group[it]];
			if (mark[it] != n && !stop->why) *stop = (cop_stop){why, n, v};
		}
}

static cop_status find_stops(cop_groups *s)
{
	const cop_graph *g = s->g;
	cop_nid *mark = cop__arena_get(&s->mem, sizeof *mark * (size_t)(s->n_item + 1));

	if (!mark) return COP_NOMEM;
	for (int32_t i = 0; i < g->n_input; i++) stop_value(s, g->input[i], 0, "is an input of the network");
	for (int32_t i = 0; i < g->n_output; i++) stop_value(s, g->output[i], 0, "is an output of the network");
	for (int32_t n = 1; n <= g->n_node; n++) {
		walk_links(s, (cop_nid)n, NULL, mark);
		for (int i = 0; i < g->node[n].n_in; i++) stop_at_node(s, (cop_nid)n, g->node[n].in[i], mark);
		for (int i = 0; i < COP_MAX_OUT; i++) stop_at_node(s, (cop_nid)n, g->node[n].out[i], mark);
		for (int i = 0; i < g->node[n].n_in; i++) {
			const cop_type *t = cop__in(g, (cop_nid)n, i);
			if (t->enc != COP_DENSE || cop__dtype_bits(t->dtype) < 8)
				stop_value(s, g->node[n].in[i], (cop_nid)n, "has an encoded weight, and removal must come before the encoding");
		}
	}
	return COP_OK;
}

cop_status cop__groups(cop_groups *s, const cop_graph *g)
{
	*s = (cop_groups){.g = g};
	cop__arena_init(&s->mem, g->cx);
	COP_TRY(list_items(s));
	int32_t *up = cop__arena_get(&s->mem, sizeof *up * (size_t)(s->n_item + 1));
	if (!up) return COP_NOMEM;
	for (int32_t i = 0; i < s->n_item; i++) up[i] = i;
	for (int32_t n = 1; n <= g->n_node; n++) walk_links(s, (cop_nid)n, up, NULL);
	unite_followers(s, up);
	COP_TRY(number_groups(s, up));
	return find_stops(s);
}

void cop__groups_free(cop_groups *s) { cop__arena_free(&s->mem); }

cop_status cop__group_check(const cop_groups *s, int32_t group)
{
	const cop_graph *g = s->g;
	const cop_stop *stop = &s->stop[group];
	const cop_item *first = &s->item[s->member[s->start[group]]];
	const char *name = g->value[first->v].name, *of = name ? name : "a value", *at = g->value[stop->v].name;
	cop_nid producer = g->value[stop->v].producer;

	if (!stop->why) return COP_OK;
	if (stop->node)
		return cop__fail(g, COP_ARG, stop->node, "index %d of axis %d of '%s' must stay: this node %s", first->index,
			first->axis, of, stop->why);
	if (producer)
		return cop__fail(g, COP_ARG, producer, "index %d of axis %d of '%s' must stay: this node's result %s", first->index,
			first->axis, of, stop->why);
	return cop__error(g->cx, COP_ARG, "index %d of axis %d of '%s' must stay: '%s' %s", first->index, first->axis,
		of, at, stop->why);
}
