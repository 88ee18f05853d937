/* SPDX-License-Identifier: Apache-2.0
 *
 * links - which indices can only be removed together, read from the ops' links and from `of`.
 *
 * Items (value, axis, index) are united where a link joins them; what is united is a group, and the closure over a
 * whole network of residual sums, concatenations and flattenings is nothing but that. A group may go when every
 * node it touches lets it through on every value it touches, and neither an input nor an output of the graph is in it.
 *
 * Of alternative links (the axes that a reshape has made one) one is chosen before, by whole axes: the first whose axis nothing else stops.
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

/* ---- alternatives ---- */

static bool lost(const cop_groups *s, cop_nid n, int i) { return i < 64 && s->lost[n] >> i & 1; }

typedef struct axes { int32_t *up; uint8_t *stop; } axes; /* by v * COP_MAX_DIM + axis: what is joined, and whether that must stay */

static int32_t axis_at(cop_vid v, int axis) { return v * COP_MAX_DIM + axis; }

static void join_axes(axes *x, const cop_link *l)
{
	int32_t a = root(x->up, axis_at(l->a, l->a_ax)), b = root(x->up, axis_at(l->b, l->b_ax));
	uint8_t stop = x->stop[a] | x->stop[b];

	unite(x->up, a, b);
	x->stop[COP_MIN(a, b)] = stop;
}

static void stop_axes(axes *x, const cop_graph *g, cop_vid v, uint32_t but)
{
	for (int i = 0; v && i < cop__t(g, v)->rank; i++)
		if (cop__t(g, v)->dim[i] > 1 && !(but >> i & 1)) x->stop[root(x->up, axis_at(v, i))] = 1;
}

/* Axes of v, as a mask, that the node says something of. */
static uint32_t spoken_of(const cop_link *l, int count, cop_vid v)
{
	uint32_t mask = 0;

	for (int i = 0; i < count; i++) {
		if (l[i].win > 1) continue;
		if (l[i].a == v) mask |= 1u << l[i].a_ax;
		if (l[i].b == v) mask |= 1u << l[i].b_ax;
	}
	return mask;
}

static void stop_axes_at(axes *x, const cop_graph *g, cop_nid n)
{
	cop_link l[MAX_LINK];
	int count = links_of(g, n, l);

	for (int i = 0; i < g->node[n].n_in; i++) stop_axes(x, g, g->node[n].in[i], spoken_of(l, count, g->node[n].in[i]));
	for (int i = 0; i < COP_MAX_OUT; i++) stop_axes(x, g, g->node[n].out[i], spoken_of(l, count, g->node[n].out[i]));
}

/* Of each set of alternatives of node n the first that may go; if none may, the last. */
static void choose_at(cop_groups *s, axes *x, cop_nid n)
{
	cop_link l[MAX_LINK];
	int count = links_of(s->g, n, l);

	for (int i = 0, end; i < COP_MIN(count, 64); i = end) {
		int take = -1;
		for (end = i; end < COP_MIN(count, 64) && l[end].alt == l[i].alt && (l[i].alt || end == i); end++)
			if (l[i].alt && take < 0 && !x->stop[root(x->up, axis_at(l[end].a, l[end].a_ax))]) take = end;
		if (!l[i].alt) continue;
		if (take < 0) take = end - 1;
		join_axes(x, &l[take]);
		for (int k = i; k < end; k++)
			if (k != take) s->lost[n] |= UINT64_C(1) << k, x->stop[root(x->up, axis_at(l[k].a, l[k].a_ax))] = 1;
	}
}

static cop_status choose(cop_groups *s)
{
	const cop_graph *g = s->g;
	size_t most = (size_t)(g->n_value + 1) * COP_MAX_DIM;
	axes x = {cop__arena_get(&s->mem, sizeof *x.up * most), cop__arena_get(&s->mem, most)};
	cop_link l[MAX_LINK];

	if (!(s->lost = cop__arena_get(&s->mem, sizeof *s->lost * (size_t)(g->n_node + 1))) || !x.up || !x.stop) return COP_NOMEM;
	for (size_t i = 0; i < most; i++) x.up[i] = (int32_t)i;
	for (int32_t n = 1; n <= g->n_node; n++)
		for (int i = 0, count = links_of(g, (cop_nid)n, l); i < count; i++)
			if (l[i].a && l[i].b && l[i].win <= 1 && !l[i].alt) join_axes(&x, &l[i]);
	for (int32_t i = 0; i < g->n_input; i++) stop_axes(&x, g, g->input[i], 0);
	for (int32_t i = 0; i < g->n_output; i++) stop_axes(&x, g, g->output[i], 0);
	for (int32_t n = 1; n <= g->n_node; n++) stop_axes_at(&x, g, (cop_nid)n);
	for (int32_t n = 1; n <= g->n_node; n++) choose_at(s, &x, (cop_nid)n);
	return COP_OK;
}

/* ---- groups ---- */

/* Calls each joined pair of items of node n. mark[i] = n says that the node lets item i through. */
static void walk_links(const cop_groups *s, cop_nid n, int32_t *up, cop_nid *mark)
{
	cop_link all[MAX_LINK];
	int count = links_of(s->g, n, all);

	for (int i = 0; i < count; i++) {
		const cop_link *l = &all[i];
		if (!l->a || l->win > 1 || lost(s, n, i)) continue;
		for (int32_t j = l->lo; j < l->hi; j++) {
			int32_t b = l->b ? item_at(s, l->b, l->b_ax, j) : item_at(s, l->a, l->a_ax, j);
			int32_t a = l->b ? item_at(s, l->a, l->a_ax, (j - l->off) / l->div % l->mod) : b;
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
	COP_TRY(choose(s));
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
