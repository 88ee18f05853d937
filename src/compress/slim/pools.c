/* SPDX-License-Identifier: Apache-2.0
 *
 * pools - channels that go together, ranked. How important one is, is the mean (or the root of the mean square) of what a score gives it in
 * each tensor that it runs through: rows, columns of the next layers, scales and shifts of batch norm (Fang et al. 2023, arXiv 2301.12900).
 * Before, the scores of each tensor are divided by their mean, so that all tensors count alike, and pools can be compared.
 */
#include "compress/layers.h"
#include "compress/slim/slim.h"

#include <math.h>
#include <stdlib.h>

/* ---- pools ---- */

static const cop_item *member(const cop_groups *s, int32_t group, int32_t i) { return &s->item[s->member[s->start[group] + i]]; }
static int32_t members(const cop_groups *s, int32_t group) { return s->start[group + 1] - s->start[group]; }

/* Does the group hold rows of a weight that may change and matches? */
static bool wanted(const cop_groups *s, int32_t group, const char *layers)
{
	for (int32_t i = 0; i < members(s, group); i++) {
		const cop_item *it = member(s, group, i);
		if (it->axis == 0 && cop__compressible(s->g, it->v, layers)) return !s->stop[group].why;
	}
	return false;
}

/* Two groups have one signature if they lie along the same axes of the same values. */
static uint64_t signature(const cop_groups *s, int32_t group)
{
	uint64_t h = 1469598103934665603u;

	for (int32_t i = 0; i < members(s, group); i++) {
		const cop_item *it = member(s, group, i), *last = i ? member(s, group, i - 1) : NULL;
		if (last && last->v == it->v && last->axis == it->axis) continue;
		h = (h ^ (uint64_t)(it->v * COP_MAX_DIM + it->axis)) * 1099511628211u;
	}
	return h;
}

typedef struct found { uint64_t signature; int32_t group; } found;

static int by_signature(const void *a, const void *b)
{
	const found *x = a, *y = b;
	if (x->signature != y->signature) return x->signature < y->signature ? -1 : 1;
	return x->group - y->group;
}

static cop_status gather(cop_pools *p, const char *layers)
{
	cop_groups *s = &p->groups;
	found *f = cop__arena_get(&s->mem, sizeof *f * (size_t)(s->n_group + 1));

	p->pool = cop__arena_get(&s->mem, sizeof *p->pool * (size_t)(s->n_group + 1));
	p->rank = cop__arena_get(&s->mem, sizeof *p->rank * (size_t)(s->n_group + 1));
	p->width = cop__arena_get(&s->mem, sizeof *p->width * (size_t)(s->n_group + 1));
	p->drop = cop__arena_get(&s->mem, (size_t)s->n_group + 1);
	if (!f || !p->pool || !p->rank || !p->width || !p->drop) return COP_NOMEM;
	for (int32_t k = 0; k < s->n_group; k++)
		if (wanted(s, k, layers)) f[p->n_rank++] = (found){signature(s, k), k};
	qsort(f, (size_t)p->n_rank, sizeof *f, by_signature);
	for (int32_t i = 0; i < p->n_rank; i++) {
		if (!i || f[i].signature != f[i - 1].signature) p->pool[p->n_pool++].first = i;
		p->pool[p->n_pool - 1].n++;
		p->rank[i].group = f[i].group;
	}
	return COP_OK;
}

/* ---- scores ---- */

/* The numbers of one group in tensor v along one axis, into buf; returns how many. `from`: its first member there. */
static int64_t numbers(const cop_groups *s, int32_t group, int32_t from, float *buf)
{
	const cop_item *it = member(s, group, from);
	const cop_type *t = cop__t(s->g, it->v);
	const float *w = cop__floats(s->g, it->v);
	int64_t inner = 1, outer = 1, n = 0;

	for (int i = 0; i < t->rank; i++)
		if (i < it->axis) outer *= t->dim[i];
		else if (i > it->axis) inner *= t->dim[i];
	for (int32_t k = from; k < members(s, group) && member(s, group, k)->v == it->v && member(s, group, k)->axis == it->axis; k++)
		for (int64_t o = 0; o < outer; o++)
			for (int64_t i = 0; i < inner; i++) buf[n++] = w[(o * t->dim[it->axis] + member(s, group, k)->index) * inner + i];
	return n;
}

static bool counts(const cop_graph *g, cop_vid v) { return g->value[v].role == COP_PARAM && cop__floats(g, v); }

/* Is member i of the group the first along its axis of its value, and does that value count? */
static bool begins(const cop_groups *s, int32_t group, int32_t i)
{
	const cop_item *it = member(s, group, i), *last = i ? member(s, group, i - 1) : NULL;
	return counts(s->g, it->v) && (!last || last->v != it->v || last->axis != it->axis);
}

/* Where in the group the `which`-th tensor begins, or -1. */
static int32_t tensor_at(const cop_groups *s, int32_t group, int32_t which)
{
	for (int32_t i = 0; i < members(s, group); i++)
		if (begins(s, group, i) && !which--) return i;
	return -1;
}

/* One tensor's part in the scores of a pool. */
static void add_tensor(cop_pools *p, const cop_pool *q, const cop_slim_options *o, int32_t which, float *one, float *buf, uint64_t seed)
{
	const cop_score_row *by = cop__score(o->by);
	double sum = 0;

	for (int32_t i = 0; i < q->n; i++) {
		int32_t group = p->rank[q->first + i].group;
		cop_scored x = {.weight = buf, .n = numbers(&p->groups, group, tensor_at(&p->groups, group, which), buf), .seed = seed, .index = (uint64_t)group};
		sum += (double)(one[i] = by->of(&x, NULL));
	}
	for (int32_t i = 0; i < q->n; i++) {
		double part = sum > 0 ? (double)one[i] * q->n / sum : 0;
		p->rank[q->first + i].score += (float)(o->over == COP_OVER_L2 ? part * part : part);
	}
}

static int by_score(const void *a, const void *b)
{
	const cop_ranked *x = a, *y = b;
	if (x->score != y->score) return x->score > y->score ? -1 : 1;
	return x->group - y->group;
}

static void rank(cop_pools *p, const cop_pool *q, const cop_slim_options *o, float *one, float *buf, uint64_t seed)
{
	double sum = 0;
	int32_t n = 0;

	while (tensor_at(&p->groups, p->rank[q->first].group, n) >= 0) add_tensor(p, q, o, n++, one, buf, seed);
	for (int32_t i = 0; i < q->n; i++) {
		float *s = &p->rank[q->first + i].score;
		*s = o->over == COP_OVER_L2 ? sqrtf(*s / (float)n) : *s / (float)n;
		sum += (double)*s;
	}
	for (int32_t i = 0; i < q->n && sum > 0; i++) p->rank[q->first + i].score *= (float)(q->n / sum);
	qsort(p->rank + q->first, (size_t)q->n, sizeof *p->rank, by_score);
}

cop_status cop__pools(cop_pools *p, const cop_graph *g, const char *layers, const cop_slim_options *o, uint64_t seed)
{
	size_t most = 1;

	*p = (cop_pools){0};
	COP_TRY(cop__groups(&p->groups, g));
	COP_TRY(gather(p, layers));
	for (int32_t v = 1; v <= g->n_value; v++) most = COP_MAX(most, (size_t)cop_type_count(cop__t(g, v)));
	float *buf = cop__arena_get(&p->groups.mem, most * sizeof *buf), *one = cop__arena_get(&p->groups.mem, sizeof *one * ((size_t)p->n_rank + 1));
	if (!buf || !one) return COP_NOMEM;
	for (int32_t i = 0; i < p->n_pool; i++) rank(p, &p->pool[i], o, one, buf, seed);
	return COP_OK;
}

void cop__pools_free(cop_pools *p) { cop__groups_free(&p->groups); }
