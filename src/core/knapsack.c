/* SPDX-License-Identifier: Apache-2.0
 *
 * knapsack - dynamic programming over the lots. After each lot, the states are the choices so far, of which only those stay that no other one beats in
 * damage and in every price at once. With whole prices and one resource this is the textbook's table; here prices are real and there are several of them.
 */
#include "core/knapsack.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_STATES = 1200 };

typedef struct state { double damage, price[COP_MOST_RESOURCES]; int32_t before, level; } state; /* before: the state of the lots before */

typedef struct table {
	cop_ctx *cx;
	const cop_sack *s;
	state *all;           /* those that stayed, lot after lot */
	int32_t n, cap;
	state *next;          /* of the present lot */
	double rest[COP_MOST_RESOURCES]; /* the least that the lots to come can add */
} table;

static int by_damage(const void *a, const void *b)
{
	const state *x = a, *y = b;

	if (x->damage != y->damage) return x->damage < y->damage ? -1 : 1;
	for (int r = 0; r < COP_MOST_RESOURCES; r++)
		if (x->price[r] != y->price[r]) return x->price[r] < y->price[r] ? -1 : 1;
	if (x->before != y->before) return x->before < y->before ? -1 : 1;
	return (x->level > y->level) - (x->level < y->level);
}

static double least_price(const cop_lot *l, int r)
{
	double least = INFINITY;

	for (int32_t k = 0; k < l->n; k++) least = fmin(least, l->level[k].price[r]);
	return least;
}

/* The states of the last lot, each with each level of this one, without those that can't end within the limits. */
static int32_t extend(const table *t, int32_t lot, int32_t from, int32_t to)
{
	const cop_lot *l = &t->s->lot[lot];
	int32_t n = 0;

	for (int32_t i = from; i < to; i++)
		for (int32_t k = 0; k < l->n; k++) {
			state x = {.damage = t->all[i].damage + l->level[k].damage, .before = i, .level = k};
			bool fits = true;
			for (int r = 0; r < t->s->n_resource; r++) {
				double limit = t->s->limit[r];
				x.price[r] = t->all[i].price[r] + l->level[k].price[r];
				fits &= x.price[r] + t->rest[r] <= limit + 1e-9 * fabs(limit);
			}
			if (fits) t->next[n++] = x;
		}
	qsort(t->next, (size_t)n, sizeof *t->next, by_damage);
	return n;
}

/* By one that has no more of anything; or, where there are too many, by one of the same cell: prices are then told apart by multiples of `cell`. */
static bool beaten(const table *t, const state *x, int32_t from, const double *cell)
{
	for (int32_t i = from; i < t->n; i++) { /* none of these has more damage */
		const state *y = &t->all[i];
		bool less = true, same = *cell > 0;
		for (int r = 0; (less || same) && r < t->s->n_resource; r++) {
			less &= y->price[r] <= x->price[r];
			if (same) same = floor(y->price[r] / cell[r]) == floor(x->price[r] / cell[r]);
		}
		if (less || same) return true;
	}
	return false;
}

/* Of the n next states those that no other one beats; *enough false: there are too many. The cheapest one stays always. */
static cop_status keep_best(bool *enough, table *t, int32_t n, const double *cell, const double *scale)
{
	const int32_t from = t->n;
	int32_t cheapest = 0;
	double least = INFINITY;

	for (int32_t i = 0; i < n; i++) {
		double sum = 0;
		for (int r = 0; r < t->s->n_resource; r++) sum += t->next[i].price[r] / scale[r];
		if (sum < least) least = sum, cheapest = i;
	}
	*enough = true;
	for (int32_t i = 0; *enough && i < n; i++) {
		if (i != cheapest && beaten(t, &t->next[i], from, cell)) continue;
		COP_TRY(cop__grow(t->cx, &t->all, &t->cap, t->n, sizeof *t->all));
		t->all[t->n++] = t->next[i];
		*enough = t->n - from <= MOST_STATES;
	}
	if (!*enough) t->n = from;
	return COP_OK;
}

static cop_status thin(table *t, int32_t n)
{
	double scale[COP_MOST_RESOURCES], cell[COP_MOST_RESOURCES] = {0};
	bool enough;

	for (int r = 0; r < t->s->n_resource; r++) {
		double lo = INFINITY, hi = -INFINITY;
		for (int32_t i = 0; i < n; i++) lo = fmin(lo, t->next[i].price[r]), hi = fmax(hi, t->next[i].price[r]);
		scale[r] = hi > lo ? hi - lo : 1;
	}
	COP_TRY(keep_best(&enough, t, n, cell, scale));
	for (double part = 1.0 / 64; !enough; part *= 2) {
		for (int r = 0; r < t->s->n_resource; r++) cell[r] = part * scale[r];
		COP_TRY(keep_best(&enough, t, n, cell, scale));
	}
	return COP_OK;
}

static cop_status fill(table *t, int32_t *from)
{
	const cop_sack *s = t->s;

	for (int r = 0; r < s->n_resource; r++)
		for (int32_t i = 0; i < s->n_lot; i++) t->rest[r] += least_price(&s->lot[i], r);
	COP_TRY(cop__grow(t->cx, &t->all, &t->cap, 0, sizeof *t->all));
	t->all[t->n++] = (state){.before = -1};
	*from = 0;
	for (int32_t i = 0; i < s->n_lot; i++) {
		int32_t to = t->n;
		for (int r = 0; r < s->n_resource; r++) t->rest[r] -= least_price(&s->lot[i], r);
		t->next = cop__alloc(t->cx, sizeof *t->next * (size_t)(to - *from) * (size_t)COP_MAX(s->lot[i].n, 1));
		if (!t->next) return COP_NOMEM;
		int32_t n = extend(t, i, *from, to);
		*from = to;
		cop_status st = n ? thin(t, n) : COP_BUDGET;
		cop__free(t->cx, t->next);
		COP_TRY(st);
	}
	return COP_OK;
}

cop_status cop__knapsack(int32_t *choice, double *damage, cop_ctx *cx, const cop_sack *s)
{
	table t = {.cx = cx, .s = s};
	int32_t from;
	cop_status st = fill(&t, &from);

	/* the first of the last lot has the least damage */
	for (int32_t i = s->n_lot - 1, at = from; !st && i >= 0; at = t.all[at].before, i--) choice[i] = t.all[at].level;
	if (!st) *damage = t.all[from].damage;
	cop__free(cx, t.all);
	return st;
}
