/* SPDX-License-Identifier: Apache-2.0
 *
 * choose - what of each layer is trained, so that the sum of gains is largest and the plan of a step fits. What layers take does not quite add up: what is kept of
 * one may lie where the peak is not. So each choice is planned; one that is too large is asked for again with so much less, and one that leaves
 * something is asked for with that on top, until none is left that could gain more than the best that fits. Last, one layer is given more, at the cost of another or not,
 * as long as that gains and fits.
 *
 * A step takes what its deepest layer needs to be reached, and what is trained behind it; each layer in turn is taken for the deepest.
 */
#include "compress/adapt/adapt.h"

#include <math.h>
#include <stdlib.h>

enum { TRIES = 60, PLANS = 200 };

typedef struct choosing {
	cop_adapter *z;
	double *limit;    /* [n] of additive prices, by the deepest layer */
	double *gain;     /* [n] of the best choice within it; -INFINITY: there is none, or no more is wanted */
	uint8_t *level;   /* [n][n] that choice */
	uint8_t *best;    /* [n] of those that fit */
	double best_gain;
} choosing;

double cop__adapt_gain(const cop_adapter *z, const uint8_t *level)
{
	double sum = 0;

	for (int32_t i = 0; i < z->n; i++) sum += level[i] ? z->item[i].gain[level[i]] : 0;
	return sum;
}

static int32_t deepest(const cop_adapter *z, const uint8_t *level)
{
	for (int32_t i = 0; i < z->n; i++)
		if (level[i]) return i;
	return -1;
}

cop_status cop__adapt_bytes(double *bytes, const cop_adapter *z, const uint8_t *level)
{
	cop_step_ram r;
	cop_text spec;

	cop__text_init(&spec, z->cx);
	cop_status st = cop__adapt_spec(&spec, z, level);
	if (!st) st = cop__adapt_ram(&r, z, spec.data);
	cop__text_free(&spec);
	if (!st) *bytes = (double)r.all;
	return st;
}

/* ---- exact: a knapsack for each layer as the deepest one ---- */

static cop_status solve(choosing *c, int32_t first)
{
	const cop_adapter *z = c->z;
	const int32_t n = z->n - first;
	uint8_t *level = c->level + (size_t)first * (size_t)z->n;
	cop_pick *pick = cop__alloc(z->cx, sizeof *pick * COP_TRAIN_LEVELS * (size_t)n);
	cop_lot *lot = cop__alloc(z->cx, sizeof *lot * (size_t)n);
	int32_t *choice = cop__alloc(z->cx, sizeof *choice * (size_t)n);
	double damage;
	cop_status st = pick && lot && choice ? COP_OK : COP_NOMEM;

	for (int32_t i = 0; !st && i < n; i++) {
		const cop_adapt_item *it = &z->item[first + i];
		cop_pick *p = pick + COP_TRAIN_LEVELS * i;
		lot[i] = (cop_lot){p, 0};
		for (int k = !i; k < COP_TRAIN_LEVELS; k++)
			if (it->can[k]) p[lot[i].n++] = (cop_pick){-it->gain[k], {it->price[k] + (i ? 0 : it->reach)}};
	}
	if (!st) st = lot[0].n ? cop__knapsack(choice, &damage, z->cx, &(cop_sack){lot, n, 1, {c->limit[first]}}) : COP_BUDGET;
	c->gain[first] = st ? -INFINITY : -damage;
	memset(level, 0, (size_t)z->n);
	for (int32_t i = 0; !st && i < n; i++)
		for (int k = !i, at = 0; k < COP_TRAIN_LEVELS; k++)
			if (z->item[first + i].can[k] && at++ == choice[i]) level[first + i] = (uint8_t)k;
	cop__free(z->cx, choice);
	cop__free(z->cx, lot);
	cop__free(z->cx, pick);
	return st == COP_BUDGET ? COP_OK : st;
}

/* The choice of the most gain that may be better than the best; -1: none is. */
static int32_t next(const choosing *c)
{
	int32_t at = -1;

	for (int32_t i = 0; i < c->z->n; i++)
		if (c->gain[i] > c->best_gain && (at < 0 || c->gain[i] > c->gain[at])) at = i;
	return at;
}

/* Plans the choice whose deepest layer is `first`; what it takes changes the limit of the next. */
static cop_status consider(choosing *c, int32_t first)
{
	const cop_adapter *z = c->z;
	const uint8_t *level = c->level + (size_t)first * (size_t)z->n;
	double bytes = 0, before = c->gain[first];

	COP_TRY(cop__adapt_bytes(&bytes, z, level));
	const bool fits = !z->t.ram || bytes <= (double)z->t.ram;
	if (fits) memcpy(c->best, level, (size_t)z->n), c->best_gain = before;
	c->gain[first] = -INFINITY;
	if (!z->t.ram || bytes == (double)z->t.ram) return COP_OK;
	c->limit[first] += (double)z->t.ram - bytes;
	return solve(c, first);
}

/* ---- a better neighbour: where prices are too high for what they share, the knapsack leaves some RAM ---- */

/* Layer i at level to, and j (-1: none) at level less. */
typedef struct change { double gain; int32_t i, j; uint8_t to, less; } change;

static int by_gain(const void *a, const void *b)
{
	const change *x = a, *y = b;

	if (x->gain != y->gain) return x->gain > y->gain ? -1 : 1;
	return x->i != y->i ? (x->i > y->i) - (x->i < y->i) : x->j != y->j ? (x->j > y->j) - (x->j < y->j) : (x->to * 4 + x->less) - (y->to * 4 + y->less);
}

static double difference(const choosing *c, int32_t i, uint8_t to)
{
	const cop_adapt_item *it = &c->z->item[i];
	return (to ? it->gain[to] : 0) - (c->best[i] ? it->gain[c->best[i]] : 0);
}

static void note(change *all, int32_t *n, const choosing *c, change x)
{
	x.gain = difference(c, x.i, x.to) + (x.j < 0 ? 0 : difference(c, x.j, x.less));
	if (x.gain > 1e-12) all[(*n)++] = x;
}

/* Changes that gain, the largest first. */
static int32_t changes(change *all, const choosing *c)
{
	const cop_adapter *z = c->z;
	int32_t n = 0;

	for (int32_t i = 0; i < z->n; i++)
		for (uint8_t to = COP_TRAIN_BIAS; to < COP_TRAIN_LEVELS; to++) {
			if (to == c->best[i] || !z->item[i].can[to]) continue;
			note(all, &n, c, (change){0, i, -1, to, 0});
			for (int32_t j = 0; j < z->n; j++)
				for (uint8_t less = 0; j != i && less < c->best[j]; less++)
					if (z->item[j].can[less]) note(all, &n, c, (change){0, i, j, to, less});
		}
	qsort(all, (size_t)n, sizeof *all, by_gain);
	return n;
}

/* Takes the first that fits. */
static cop_status take(bool *any, choosing *c, const change *all, int32_t n, int *plans)
{
	const cop_adapter *z = c->z;
	double bytes = 0;

	*any = false;
	for (int32_t k = 0; k < n && *plans > 0 && !*any; k++, --*plans) {
		const change *x = &all[k];
		const uint8_t i = c->best[x->i], j = x->j < 0 ? 0 : c->best[x->j];
		c->best[x->i] = x->to;
		if (x->j >= 0) c->best[x->j] = x->less;
		COP_TRY(cop__adapt_bytes(&bytes, z, c->best));
		*any = bytes <= (double)z->t.ram;
		if (*any) continue;
		c->best[x->i] = i;
		if (x->j >= 0) c->best[x->j] = j;
	}
	return COP_OK;
}

static cop_status improve(choosing *c)
{
	const size_t n = (size_t)c->z->n;
	change *all = cop__alloc(c->z->cx, sizeof *all * n * (n + 1) * 4);
	cop_status st = all ? COP_OK : COP_NOMEM;
	int plans = PLANS;

	for (bool any = c->z->t.ram > 0; !st && any;) st = take(&any, c, all, changes(all, c), &plans);
	cop__free(c->z->cx, all);
	return st;
}

static cop_status knapsack(choosing *c)
{
	for (int32_t i = 0; i < c->z->n; i++) COP_TRY(solve(c, i));
	for (int k = 0; k < TRIES; k++) {
		const int32_t first = next(c);
		if (first < 0) break;
		COP_TRY(consider(c, first));
	}
	return improve(c);
}

/* ---- for comparison ---- */

static double draw(const choosing *c, uint64_t *at) { return (double)cop__rand_unit((uint32_t)c->z->a->seed, cop__hash_text("adapt"), (*at)++); }
static int32_t below(const choosing *c, uint64_t *at, int32_t n) { return COP_MIN((int32_t)(draw(c, at) * n), n - 1); }

/* Layers in random order, each with weights or a bias by chance, as long as the plan fits. What they gain is not looked at. */
static cop_status at_random(choosing *c)
{
	const cop_adapter *z = c->z;
	int32_t *order = cop__arena_get(&c->z->mem, sizeof *order * ((size_t)z->n + 1));
	uint64_t at = 0;
	double bytes = 0;

	if (!order) return COP_NOMEM;
	for (int32_t i = 0; i < z->n; i++) order[i] = i;
	for (int32_t i = z->n; i > 1; i--) {
		int32_t k = below(c, &at, i), last = order[i - 1];
		order[i - 1] = order[k];
		order[k] = last;
	}
	for (int32_t i = 0; i < z->n; i++) {
		uint8_t *to = &c->best[order[i]];
		*to = z->item[order[i]].bias && draw(c, &at) < 0.5 ? COP_TRAIN_BIAS : COP_TRAIN_ALL;
		COP_TRY(cop__adapt_bytes(&bytes, z, c->best));
		if (z->t.ram && bytes > (double)z->t.ram) *to = COP_TRAIN_NONE;
	}
	return COP_OK;
}

enum { PARENTS = 32, ROUNDS = 300 };

/* What additive prices make of a choice: its gain, or, where it does not fit `limit`, less than nothing. */
static double worth(const choosing *c, const uint8_t *level)
{
	const cop_adapter *z = c->z;
	const int32_t first = deepest(z, level);
	double bytes = first < 0 ? 0 : z->item[first].reach;

	for (int32_t i = 0; i < z->n; i++) {
		if (!z->item[i].can[level[i]]) return -INFINITY;
		bytes += z->item[i].price[level[i]];
	}
	return first >= 0 && z->t.ram && bytes > c->limit[first] ? (double)z->t.ram - bytes : cop__adapt_gain(z, level);
}

/* A child of two: from one of them each layer, and now and then by chance. */
static void breed(const choosing *c, uint8_t *child, const uint8_t *a, const uint8_t *b, uint64_t *at)
{
	const int32_t n = c->z->n;

	for (int32_t i = 0; i < n; i++) {
		child[i] = draw(c, at) < 0.5 ? a[i] : b[i];
		if (draw(c, at) * n < 1) child[i] = (uint8_t)below(c, at, COP_TRAIN_LEVELS);
	}
}

static int32_t worst(const double *w)
{
	int32_t at = 0;

	for (int32_t i = 1; i < PARENTS; i++)
		if (w[i] < w[at]) at = i;
	return at;
}

/* The best of a population in which a child takes the place of the worst, if it is better. */
static cop_status evolve(choosing *c, uint8_t *out, uint64_t *at)
{
	const int32_t n = c->z->n;
	uint8_t *all = cop__alloc(c->z->cx, (size_t)(PARENTS + 1) * (size_t)n), *child = all ? all + (size_t)PARENTS * (size_t)n : NULL;
	double w[PARENTS];

	if (!all) return COP_NOMEM;
	for (int32_t p = 0; p < PARENTS; p++) {
		all[(size_t)p * (size_t)n + (size_t)below(c, at, n)] = (uint8_t)below(c, at, COP_TRAIN_LEVELS);
		w[p] = worth(c, all + (size_t)p * (size_t)n);
	}
	for (int32_t k = 0; k < ROUNDS * PARENTS; k++) {
		breed(c, child, all + (size_t)below(c, at, PARENTS) * (size_t)n, all + (size_t)below(c, at, PARENTS) * (size_t)n, at);
		const double now = worth(c, child);
		const int32_t last = worst(w);
		if (!(now > w[last])) continue;
		memcpy(all + (size_t)last * (size_t)n, child, (size_t)n);
		w[last] = now;
	}
	int32_t best = 0;
	for (int32_t p = 1; p < PARENTS; p++)
		if (w[p] > w[best]) best = p;
	memcpy(out, all + (size_t)best * (size_t)n, (size_t)n);
	cop__free(c->z->cx, all);
	return COP_OK;
}

static cop_status evolution(choosing *c)
{
	uint64_t at = 0;

	for (int k = 0; k < TRIES / 6; k++) {
		double bytes = 0;
		COP_TRY(evolve(c, c->level, &at));
		const int32_t first = deepest(c->z, c->level);
		if (first < 0 || cop__adapt_gain(c->z, c->level) <= c->best_gain) continue;
		COP_TRY(cop__adapt_bytes(&bytes, c->z, c->level));
		if (!c->z->t.ram || bytes <= (double)c->z->t.ram) memcpy(c->best, c->level, (size_t)c->z->n), c->best_gain = cop__adapt_gain(c->z, c->best);
		if (c->z->t.ram) c->limit[first] += (double)c->z->t.ram - bytes;
	}
	return COP_OK;
}

/* ---- the ways ---- */

static const struct way { const char *name; cop_status (*run)(choosing *c); } ways[] = {{"knapsack", knapsack}, {"evolution", evolution}, {"random", at_random}};

static const struct way *way(const cop_adapter *z)
{
	for (int i = 0; i < LEN(ways); i++)
		if (!z->a->choose || !strcmp(z->a->choose, ways[i].name)) return &ways[i];
	return NULL;
}

cop_status cop__adapt_check_choice(const cop_adapter *z)
{
	return way(z) ? COP_OK : cop__error(z->cx, COP_ARG, "adapt: layers can be chosen by knapsack, evolution or random, not by '%.40s'", z->a->choose);
}

cop_status cop__adapt_choose(cop_adapter *z, uint8_t *level)
{
	const size_t n = (size_t)z->n;
	choosing c = {.z = z, .best = level, .limit = cop__arena_get(&z->mem, sizeof *c.limit * (n + 1)), .gain = cop__arena_get(&z->mem, sizeof *c.gain * (n + 1)),
		.level = cop__arena_get(&z->mem, n * n + 1)};

	if (!c.limit || !c.gain || !c.level) return COP_NOMEM;
	memset(level, 0, n);
	for (int32_t i = 0; i < z->n; i++) c.limit[i] = z->t.ram ? (double)z->t.ram : 1e30;
	return z->n ? way(z)->run(&c) : COP_OK;
}
