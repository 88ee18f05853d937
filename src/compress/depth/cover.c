/* SPDX-License-Identifier: Apache-2.0
 *
 * cover - which stretches a network is made of: dynamic programming over its links (Kim et al. 2023, arXiv 2301.12187;
 * LayerMerge, arXiv 2406.12837). At each link the states are the ways to get there, of which only those stay that no
 * other one beats in time and damage at once. The papers round times to a grid; real times need none, as long as there
 * are not too many states.
 */
#include "compress/depth/chain.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_STATES = 4000 };

/* before: the state that it goes on from */
typedef struct state { double damage, time; int32_t before, stretch; } state;
typedef struct table {
	cop_ctx *cx;
	state *all;     /* of link after link */
	int32_t n, cap;
	state *next;    /* of the present link */
	int32_t n_next, next_cap;
	int32_t *start; /* [links+2] the first state of each link */
	double *rest;   /* [links+1] */
} table;

static int by_damage(const void *a, const void *b)
{
	const state *x = a, *y = b;

	if (x->damage != y->damage) return x->damage < y->damage ? -1 : 1;
	if (x->time != y->time) return x->time < y->time ? -1 : 1;
	if (x->before != y->before) return x->before < y->before ? -1 : 1;
	return (x->stretch > y->stretch) - (x->stretch < y->stretch);
}

/* rest[i]: the least time from link i to the end. */
static void least_times(double *rest, const cop_stretch *s, int32_t n, int32_t links)
{
	rest[links] = 0;
	for (int32_t at = links - 1; at >= 0; at--) {
		rest[at] = INFINITY;
		for (int32_t i = 0; i < n; i++)
			if (s[i].from == at) rest[at] = fmin(rest[at], s[i].time + rest[s[i].to]);
	}
}

/* The ways to reach link `to` within the limit, by damage. */
static cop_status extend(table *t, const cop_stretch *s, int32_t n, int32_t to, double limit)
{
	t->n_next = 0;
	for (int32_t i = 0; i < n; i++) {
		if (s[i].to != to) continue;
		for (int32_t k = t->start[s[i].from]; k < t->start[s[i].from + 1]; k++) {
			state x = {t->all[k].damage + s[i].damage, t->all[k].time + s[i].time, k, i};
			if (x.time + t->rest[to] > limit) continue;
			COP_TRY(cop__grow(t->cx, &t->next, &t->next_cap, t->n_next, sizeof *t->next));
			t->next[t->n_next++] = x;
		}
	}
	if (t->n_next) qsort(t->next, (size_t)t->n_next, sizeof *t->next, by_damage);
	return COP_OK;
}

/* Of those, the ones that are faster than all with less damage, by more than `step`; and the fastest. Returns how
 * many. */
static int32_t best(state *out, const table *t, double step)
{
	double least = INFINITY, quickest = INFINITY;
	int32_t n = 0;

	for (int32_t i = 0; i < t->n_next; i++) quickest = fmin(quickest, t->next[i].time);
	for (int32_t i = 0; i < t->n_next; i++) {
		const state *x = &t->next[i];
		if (x->time >= least || (x->time > least - step && x->time > quickest)) continue;
		if (out) out[n] = *x;
		least = x->time;
		n++;
	}
	return n;
}

static cop_status keep(table *t, int32_t to)
{
	double step = 0;
	int32_t n;

	while ((n = best(NULL, t, step)) > MOST_STATES)
		step = step > 0 ? 2 * step : t->next[0].time / (4 * MOST_STATES);
	for (int32_t i = 0; i < n; i++, t->n++) COP_TRY(cop__grow(t->cx, &t->all, &t->cap, t->n, sizeof *t->all));
	best(t->all + t->n - n, t, step);
	t->start[to + 1] = t->n;
	return COP_OK;
}

static cop_status fill(table *t, const cop_stretch *s, int32_t n, int32_t links, double limit)
{
	COP_TRY(cop__grow(t->cx, &t->all, &t->cap, 0, sizeof *t->all));
	t->all[t->n++] = (state){.before = -1, .stretch = -1};
	t->start[1] = 1;
	for (int32_t to = 1; to <= links; to++) {
		COP_TRY(extend(t, s, n, to, limit));
		COP_TRY(keep(t, to));
	}
	return COP_OK;
}

cop_status cop__cover(int32_t *choice, int32_t *n_choice, double *least, cop_ctx *cx, const cop_stretch *s, int32_t n,
	int32_t links, double limit)
{
	table t = {.cx = cx};

	*n_choice = 0;
	t.start = cop__alloc(cx, sizeof *t.start * ((size_t)links + 2));
	t.rest = cop__alloc(cx, sizeof *t.rest * ((size_t)links + 1));
	cop_status st = t.start && t.rest ? COP_OK : COP_NOMEM;
	if (!st) {
		t.start[0] = 0;
		least_times(t.rest, s, n, links);
		*least = t.rest[0];
		st = fill(&t, s, n, links, limit + 1e-9 * fabs(limit));
	}
	if (!st && t.start[links] == t.start[links + 1]) st = COP_BUDGET;
	for (int32_t at = st ? -1 : t.start[links]; at >= 0 && t.all[at].stretch >= 0; at = t.all[at].before)
		choice[(*n_choice)++] = t.all[at].stretch;
	for (int32_t i = 0, k = *n_choice - 1; i < k; i++, k--) {
		int32_t swap = choice[i];
		choice[i] = choice[k], choice[k] = swap;
	}
	cop__free(cx, t.start);
	cop__free(cx, t.rest);
	cop__free(cx, t.all);
	cop__free(cx, t.next);
	return st;
}
