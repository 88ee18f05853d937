/* SPDX-License-Identifier: Apache-2.0
 *
 * lever - what can go of each layer: the weakest of its channels where the whole network becomes smaller by that, or
 * its weakest weights where they are coded. The items are those of pruning's granularities (prune/grain.def), and a score of
 * pruning says which are weak (prune/score.def).
 */
#include "compress/aim/aim.h"
#include "compress/layers.h"
#include "pass/pass.h"

#include <stdio.h>
#include <stdlib.h>

/* The parts of a layer that stay, by grain. */
static const float channels[] = {1, 0.875f, 0.75f, 0.625f, 0.5f, 0.375f},
	weights[] = {1, 0.8f, 0.6f, 0.45f, 0.33f, 0.25f, 0.15f};

const char *cop__aim_grain(const cop_aimer *z) { return z->final == COP_FINAL_CODES ? "weight" : "channel"; }

static cop_status open_items(cop_items *it, const cop_aimer *z)
{
	const char *name = cop__aim_grain(z);
	cop_choice grain = {.row = cop__row_index(&cop__grains, name, strlen(name))};

	return cop__items_begin(it, z->g, "*", &grain);
}

/* ---- which items are weak ---- */

static void gather(float *to, const cop_items *it, const cop_graph *g)
{
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		const float *x = g->value[cop__find(g, l->name)].data;
		if (x) memcpy(to + l->offset, x, sizeof *x * (size_t)l->count);
	}
}

/* By what the loss would change, where there are classes; of single weights, which are many, by their size. */
static const cop_score_row *score_row(const cop_aimer *z)
{
	const char *usual = z->final != COP_FINAL_CODES && z->first.accuracy >= 0 ? "taylor" : "magnitude";
	return cop__score(z->by.row >= 0 ? z->by.row : cop__row_index(&cop__scores, usual, strlen(usual)));
}

/* z->score of the items of z->g. */
static cop_status weigh(cop_aimer *z, const cop_items *it)
{
	const cop_score_row *by = score_row(z);
	const cop_train_args a = {.seed = z->a->seed, .threads = z->a->threads};
	float *room = cop__alloc(z->cx, sizeof *room * (size_t)(it->count + it->n + 1)), *mask = room + it->count;

	cop__free(z->cx, z->score);
	z->score = cop__alloc(z->cx, sizeof *z->score * (size_t)(it->n + 1));
	cop_status st = room && z->score ? COP_OK : COP_NOMEM;
	for (int64_t k = 0; !st && k < it->n; k++) mask[k] = 1;
	if (!st) gather(room, it, z->g);
	if (!st) st = cop__look_fits(z->g, it, by, cop__aim_grain(z));
	if (!st) st = cop__look(&(cop_look){.it = it, .row = by, .options = z->by.o.bytes, .model = z->g, .train = z->m.train, .a = &a,
		.samples = cop__score_samples(by, 0), .weight = room, .mask = mask, .score = z->score});
	cop__free(z->cx, room);
	return st;
}

cop_status cop__levers_find(cop_aimer *z)
{
	cop_items it;
	cop_status st = open_items(&it, z);
	const bool fine = z->final == COP_FINAL_CODES;

	cop__free(z->cx, z->lever);
	z->n_lever = 0;
	if (!st) st = weigh(z, &it);
	z->lever = st ? NULL : cop__alloc(z->cx, sizeof *z->lever * (size_t)(it.n_layer + 1));
	if (!st && !z->lever) st = COP_NOMEM;
	for (int32_t i = 0; !st && i < it.n_layer; i++) {
		const cop_pruned *l = &it.layer[i];
		if (l->follows || l->items < 2) continue;
		cop_lever *v = &z->lever[z->n_lever++];
		*v = (cop_lever){.n = fine ? LEN(weights) : LEN(channels)};
		memcpy(v->name, l->name, sizeof v->name);
		memcpy(v->keep, fine ? weights : channels, sizeof *v->keep * (size_t)v->n);
	}
	cop__items_free(&it);
	return st;
}

/* ---- they are ranked ---- */

typedef struct ranked { float score; int64_t item; } ranked;

static int by_score(const void *a, const void *b)
{
	const ranked *x = a, *y = b;
	if (x->score != y->score) return x->score < y->score ? -1 : 1;
	return (x->item > y->item) - (x->item < y->item);
}

static const float *numbers_of(const cop_graph *g, const cop_pruned *l) { return g->value[cop__find(g, l->name)].data; }

/* Is an item all zeros? */
static bool has_gone(const cop_items *it, const cop_graph *g, const cop_pruned *l, int64_t k)
{
	if (!it->of) return numbers_of(g, l)[k - l->first] == 0;
	for (int64_t j = it->start[k]; j < it->start[k + 1]; j++) {
		int32_t at = it->member[j], i = 0;
		while (i + 1 < it->n_layer && it->layer[i + 1].offset <= at) i++;
		if (numbers_of(g, &it->layer[i])[at - it->layer[i].offset] != 0) return false;
	}
	return true;
}

/* Of `there` items those that stay: kernels like channels by fours. */
static int64_t how_many(int64_t there, double keep, bool channel)
{
	int64_t by = channel && there >= 16 ? 4 : 1, n = (int64_t)(keep * (double)there / (double)by + 0.5) * by;
	return COP_MIN(COP_MAX(n, by), there);
}

/* gone[k] for the weakest items of a layer. */
static cop_status choose_weakest(uint8_t *gone, const cop_items *it, const cop_aimer *z, const cop_pruned *l,
	float keep)
{
	ranked *r = cop__alloc(it->cx, sizeof *r * (size_t)(l->items + 1));
	int64_t n = 0;

	if (!r) return COP_NOMEM;
	for (int64_t k = l->first; k < l->first + l->items; k++) {
		if (has_gone(it, z->g, l, k)) gone[k] = 1;
		else r[n++] = (ranked){z->score[k], k};
	}
	qsort(r, (size_t)n, sizeof *r, by_score);
	for (int64_t i = 0, out = n - how_many(n, (double)keep, it->of != NULL); i < out; i++) gone[r[i].item] = 1;
	cop__free(it->cx, r);
	return COP_OK;
}

/* ---- they go ---- */

static cop_status clear(cop_graph *g, const cop_items *it, const uint8_t *gone)
{
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		float *w = NULL;
		for (int64_t j = 0; j < l->count; j++) {
			int64_t k = it->of ? it->of[l->offset + j] : l->offset + j;
			if (k < 0 || !gone[k]) continue;
			if (!w && !(w = cop__own(g, cop__find(g, l->name)))) return COP_NOMEM;
			w[j] = 0;
		}
	}
	return COP_OK;
}

/* Zeros stay zeros while it trains: under the same masks as those of pruning. */
static cop_status mask(cop_graph *g, const cop_items *it)
{
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		char name[160];
		snprintf(name, sizeof name, "%s.mask", l->name);
		cop_vid w = cop__find(g, l->name), v = cop__find(g, name);
		cop_type t = *cop__t(g, w);
		if (!v) v = cop__data(g, COP_STATE, name, &t, NULL);
		float *m = v ? cop__own(g, v) : NULL;
		if (!m) return cop__failed(g->cx);
		const float *x = g->value[w].data;
		for (int64_t j = 0; j < l->count; j++) m[j] = x && x[j] != 0;
		g->value[v].of = w;
	}
	return COP_OK;
}

static void say(char *what, size_t size, const cop_lever *v, float keep)
{
	size_t n = strlen(what);
	if (n + 1 < size) cop__format(what + n, size - n, "%s%s %.3g", n ? ", " : "", v->name, (double)keep);
}

cop_status cop__levers_pull(cop_graph **out, const cop_aimer *z, const int32_t *choice, char *what, size_t size)
{
	cop_items it;
	uint8_t *gone = NULL;

	*out = NULL;
	if (what) *what = 0;
	cop_status st = open_items(&it, z);
	if (!st && !(gone = cop__alloc(z->cx, (size_t)it.n + 1))) st = COP_NOMEM;
	if (!st) st = cop__pass_copy(out, z->g);
	for (int32_t i = 0, k = 0; !st && i < it.n_layer; i++) {
		if (k == z->n_lever || strcmp(it.layer[i].name, z->lever[k].name)) continue;
		const cop_lever *v = &z->lever[k];
		int32_t level = choice[k++];
		if (level) st = choose_weakest(gone, &it, z, &it.layer[i], v->keep[level]);
		if (level && what) say(what, size, v, v->keep[level]);
	}
	if (!st) st = clear(*out, &it, gone);
	if (!st) st = it.of ? cop__drop_constant_of(out, COP_DROP_ROUNDED) : mask(*out, &it);
	cop__free(z->cx, gone);
	cop__items_free(&it);
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}
