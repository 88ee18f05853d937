/* SPDX-License-Identifier: Apache-2.0
 *
 * spans - see policy/spans.h.
 */
#include "pass/pass.h"
#include "train/policy/spans.h"

typedef struct making { cop_spans *s; cop_arena *mem; cop_build *b; const cop_graph *g; cop_groups links; int32_t *number; cop_by by; } making;

/* A further span over `axis` of v, or over all of it (axis -1). group [n] is filled by the caller. */
static int32_t *add(making *m, cop_vid v, int axis)
{
	const cop_type *t = cop__t(m->g, v);
	cop_span *x = &m->s->at[m->s->n];

	*x = (cop_span){.w = cop__build_value(m->b, m->g->value[v].name), .outer = 1, .n = 1, .inner = 1};
	for (int i = 0; i < t->rank; i++) {
		if (i < axis) x->outer *= t->dim[i];
		else if (i == axis) x->n = t->dim[i];
		else x->inner *= t->dim[i];
	}
	int32_t *group = cop__arena_get(m->mem, sizeof *group * (size_t)x->n);
	if (!group || !x->w) return NULL;
	x->group = group;
	m->s->n++;
	return group;
}

/* Groups of their own for each index. */
static cop_status own_groups(making *m, cop_vid v, int axis)
{
	int32_t *group = add(m, v, axis);

	if (!group) return COP_NOMEM;
	for (int64_t i = 0; i < m->s->at[m->s->n - 1].n; i++) {
		bool stays = axis >= 0 && m->links.stop[cop__group_of(&m->links, v, axis, (int32_t)i)].why;
		group[i] = stays ? -1 : m->s->n_group;
		if (!stays) m->s->pool[m->s->n_group++] = m->s->n - 1;
	}
	return COP_OK;
}

/* All positions within a filter: what stands at one of them in every filter. */
static cop_status shapes(making *m, cop_vid v)
{
	int32_t *group = add(m, v, -1);
	cop_span *x = &m->s->at[m->s->n - 1];
	const cop_type *t = cop__t(m->g, v);

	if (!group) return COP_NOMEM;
	*x = (cop_span){.w = x->w, .outer = t->dim[0], .n = x->inner / t->dim[0], .inner = 1};
	if (!(x->group = group = cop__arena_get(m->mem, sizeof *group * (size_t)x->n))) return COP_NOMEM;
	for (int64_t i = 0; i < x->n; i++) m->s->pool[group[i] = m->s->n_group++] = m->s->n - 1;
	return COP_OK;
}

/* The groups of links that lie along an axis of v; those that were met before keep their number. */
static cop_status coupled(making *m, cop_vid v, int axis)
{
	int32_t *group = add(m, v, axis);

	if (!group) return COP_NOMEM;
	for (int64_t i = 0; i < m->s->at[m->s->n - 1].n; i++) {
		int32_t k = cop__group_of(&m->links, v, axis, (int32_t)i);
		if (m->number[k] < 0 && !m->links.stop[k].why) m->s->pool[m->number[k] = m->s->n_group++] = m->s->n - 1;
		group[i] = m->number[k];
	}
	return COP_OK;
}

static cop_status one_weight(making *m, cop_vid v)
{
	const cop_type *t = cop__t(m->g, v);
	int axis = m->by == COP_BY_FILTER ? 0 : t->rank - 1;

	switch (m->by) {
	case COP_BY_SHAPE: return t->rank == 4 ? shapes(m, v) : COP_OK;
	case COP_BY_LAYER: return t->rank > 1 ? own_groups(m, v, -1) : COP_OK;
	case COP_BY_COUPLING:
		for (int i = 0; i < t->rank; i++)
			if (t->dim[i] > 1 && (i == 0 || i == t->rank - 1)) COP_TRY(coupled(m, v, i));
		return COP_OK;
	default: return t->rank > 1 && t->dim[axis] > 1 ? own_groups(m, v, axis) : COP_OK;
	}
}

static cop_status all_weights(making *m, const char *layers)
{
	const cop_graph *g = m->g;
	size_t most = 1;

	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].role == COP_PARAM) most += (size_t)cop_type_count(&g->value[v].type);
	m->s->at = cop__arena_get(m->mem, sizeof *m->s->at * (size_t)(g->n_value + 1) * 2);
	m->s->pool = cop__arena_get(m->mem, sizeof *m->s->pool * COP_MAX(most, (size_t)m->links.n_group));
	m->number = cop__arena_get(m->mem, sizeof *m->number * (size_t)(m->links.n_group + 1));
	if (!m->s->at || !m->s->pool || !m->number) return COP_NOMEM;
	for (int32_t k = 0; k < m->links.n_group; k++) m->number[k] = -1;
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role == COP_PARAM && cop__floats(g, (cop_vid)v) && cop__match(layers, x->name) && cop__build_trains(m->b, x->name)) COP_TRY(one_weight(m, (cop_vid)v));
	}
	return m->s->n_group ? COP_OK : cop__error(g->cx, COP_ARG, "no group of weights of '%s' that match '%s' can be trained to zero", g->name, layers);
}

static cop_status room(cop_spans *s, cop_arena *mem)
{
	s->size = cop__arena_get(mem, sizeof *s->size * (size_t)s->n_group);
	s->sq = cop__arena_get(mem, sizeof *s->sq * (size_t)s->n_group);
	s->factor = cop__arena_get(mem, sizeof *s->factor * (size_t)s->n_group);
	if (!s->size || !s->sq || !s->factor) return COP_NOMEM;
	for (int32_t i = 0; i < s->n; i++)
		for (int64_t j = 0; j < s->at[i].n; j++)
			if (s->at[i].group[j] >= 0) s->size[s->at[i].group[j]] += s->at[i].outer * s->at[i].inner;
	return COP_OK;
}

cop_status cop__spans_build(cop_spans *s, cop_arena *mem, cop_build *b, cop_by by, const char *layers)
{
	making m = {.s = s, .mem = mem, .b = b, .g = cop__build_model(b), .by = by};

	*s = (cop_spans){0};
	cop_status st = cop__groups(&m.links, m.g);
	if (!st) st = all_weights(&m, layers);
	if (!st) st = room(s, mem);
	cop__groups_free(&m.links);
	return st;
}

/* ---- between steps ---- */

cop_status cop__spans_measure(cop_spans *s, const cop_trainer *t)
{
	cop_tensor w;

	memset(s->sq, 0, sizeof *s->sq * (size_t)s->n_group);
	for (int32_t i = 0; i < s->n; i++) {
		const cop_span *x = &s->at[i];
		COP_TRY(cop__trainer_tensor(t, x->w, &w));
		const float *p = w.data;
		for (int64_t o = 0; o < x->outer; o++)
			for (int64_t j = 0; j < x->n; j++, p += x->inner)
				for (int64_t k = 0; x->group[j] >= 0 && k < x->inner; k++) s->sq[x->group[j]] += (double)p[k] * (double)p[k];
	}
	return COP_OK;
}

cop_status cop__spans_scale(const cop_spans *s, const cop_trainer *t)
{
	cop_tensor w;

	for (int32_t i = 0; i < s->n; i++) {
		const cop_span *x = &s->at[i];
		COP_TRY(cop__trainer_tensor(t, x->w, &w));
		float *p = w.data;
		for (int64_t o = 0; o < x->outer; o++)
			for (int64_t j = 0; j < x->n; j++, p += x->inner)
				for (int64_t k = 0; x->group[j] >= 0 && k < x->inner; k++) p[k] *= s->factor[x->group[j]];
	}
	return COP_OK;
}
