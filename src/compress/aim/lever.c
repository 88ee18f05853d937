/* SPDX-License-Identifier: Apache-2.0
 *
 * lever - what can go of each layer: the weakest of its channels where the whole network becomes smaller by that, its weakest groups of weights where
 * kernels leave those out, or its weakest weights where they are coded. The items are those of pruning's granularities (prune/grain.def), and a score of
 * pruning says which are weak (prune/score.def).
 */
#include "compress/aim/aim.h"
#include "compress/layers.h"
#include "pass/pass.h"

#include <stdio.h>
#include <stdlib.h>

/* Ways to take something from a layer: what goes as a whole, the score that is usual for it where there are classes, and the parts that stay. */
static const struct way { const char *grain, *by; int32_t n; float keep[6]; } ways[COP_N_WAY] = {
	[COP_WAY_CHANNEL] = {"channel", "taylor", 5, {0.875f, 0.75f, 0.625f, 0.5f, 0.375f}},
	[COP_WAY_GROUP] = {"group", "magnitude", 4, {0.6f, 0.45f, 0.33f, 0.22f}},
	[COP_WAY_WEIGHT] = {"weight", "magnitude", 6, {0.8f, 0.6f, 0.45f, 0.33f, 0.25f, 0.15f}},
};

/* Coded floats lose single weights. Channels are gone on every machine; what is left of groups is worth while where integers of which many are zero have
 * kernels. */
static bool may_take(const cop_aimer *z, int way)
{
	if (z->final == COP_FINAL_CODES) return way == COP_WAY_WEIGHT;
	return way == COP_WAY_CHANNEL || (way == COP_WAY_GROUP && z->final == COP_FINAL_INTEGERS && z->t.isa & COP_ISA_DSP);
}

static cop_status open_items(cop_items *it, const cop_aimer *z, int way)
{
	const char *name = ways[way].grain;
	cop_choice grain = {.row = cop__row_index(&cop__grains, name, strlen(name))};
	const cop_row *row = cop__grains.row(grain.row);

	if (row->options) cop__options_default(row->options, grain.o.bytes);
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

/* By what the loss would change, where there are classes; of single weights and groups, which are many, by their size, where what was asked for tells of
 * channels alone. */
static cop_status score_row(const cop_score_row **by, const cop_aimer *z, int way, const cop_items *it)
{
	const char *usual = z->first.accuracy >= 0 ? ways[way].by : "magnitude";
	const cop_score_row *asked = z->by.row >= 0 ? cop__score(z->by.row) : NULL;

	*by = asked ? asked : cop__score(cop__row_index(&cop__scores, usual, strlen(usual)));
	cop_status st = cop__look_fits(z->g, it, *by, ways[way].grain);
	if (!st || !asked || way != COP_WAY_GROUP) return st;
	cop_error_clear(z->cx);
	*by = cop__score(cop__row_index(&cop__scores, usual, strlen(usual)));
	return COP_OK;
}

/* z->score of the items of z->g. */
static cop_status weigh(cop_aimer *z, int way, const cop_items *it)
{
	const cop_score_row *by;
	const cop_train_args a = {.seed = z->a->seed, .threads = z->a->threads};
	float *room = cop__alloc(z->cx, sizeof *room * (size_t)(it->count + it->n + 1)), *mask = room + it->count;
	float *score = z->score[way] = cop__alloc(z->cx, sizeof *score * (size_t)(it->n + 1));

	cop_status st = room && score ? COP_OK : COP_NOMEM;
	for (int64_t k = 0; !st && k < it->n; k++) mask[k] = 1;
	if (!st) gather(room, it, z->g);
	if (!st) st = score_row(&by, z, way, it);
	if (!st) st = cop__look(&(cop_look){.it = it, .row = by, .options = z->by.o.bytes, .model = z->g, .train = z->m.train, .a = &a,
		.samples = cop__score_samples(by, 0), .weight = room, .mask = mask, .score = score});
	cop__free(z->cx, room);
	return st;
}

/* The lever of a layer, a new one where it has none. */
static cop_lever *lever_of(cop_aimer *z, const char *name)
{
	cop_lever *v = z->lever;

	while (v < z->lever + z->n_lever && strcmp(v->name, name)) v++;
	if (v < z->lever + z->n_lever) return v;
	z->n_lever++;
	*v = (cop_lever){.n = 1, .keep = {1}};
	snprintf(v->name, sizeof v->name, "%s", name);
	return v;
}

static cop_status add_way(cop_aimer *z, int way)
{
	cop_items it;
	cop_status st = open_items(&it, z, way);

	if (st == COP_ARG && way == COP_WAY_GROUP) { /* no layer is wide enough for one */
		cop_error_clear(z->cx);
		cop__items_free(&it);
		return COP_OK;
	}
	if (!st) st = weigh(z, way, &it);
	for (int32_t i = 0; !st && i < it.n_layer; i++) {
		if (it.layer[i].follows || it.layer[i].items < 2) continue;
		cop_lever *v = lever_of(z, it.layer[i].name);
		for (int32_t k = 0; k < ways[way].n; k++, v->n++) v->keep[v->n] = ways[way].keep[k], v->way[v->n] = (uint8_t)way;
	}
	cop__items_free(&it);
	return st;
}

void cop__levers_free(cop_aimer *z)
{
	cop__free(z->cx, z->lever);
	z->lever = NULL;
	z->n_lever = 0;
	for (int way = 0; way < COP_N_WAY; way++) {
		cop__free(z->cx, z->score[way]);
		z->score[way] = NULL;
	}
}

cop_status cop__levers_find(cop_aimer *z)
{
	cop__levers_free(z);
	if (!(z->lever = cop__alloc(z->cx, sizeof *z->lever * (size_t)(z->g->n_value + 1)))) return COP_NOMEM;
	for (int way = 0; way < COP_N_WAY; way++)
		if (may_take(z, way)) COP_TRY(add_way(z, way));
	return COP_OK;
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
static cop_status choose_weakest(uint8_t *gone, const cop_items *it, const cop_aimer *z, const cop_pruned *l, int way, float keep)
{
	const float *score = z->score[way];
	ranked *r = cop__alloc(it->cx, sizeof *r * (size_t)(l->items + 1));
	int64_t n = 0;

	if (!r) return COP_NOMEM;
	for (int64_t k = l->first; k < l->first + l->items; k++) {
		if (has_gone(it, z->g, l, k)) gone[k] = 1;
		else r[n++] = (ranked){score[k], k};
	}
	qsort(r, (size_t)n, sizeof *r, by_score);
	for (int64_t i = 0, out = n - how_many(n, (double)keep, way == COP_WAY_CHANNEL); i < out; i++) gone[r[i].item] = 1;
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

/* Zeros stay zeros while it trains: under the same masks as those of pruning, where there are any. */
static cop_status mask(cop_graph *g, const cop_items *it)
{
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_vid w = cop__find(g, it->layer[i].name);
		const float *x = w ? g->value[w].data : NULL;
		const int64_t n = x ? cop_type_count(cop__t(g, w)) : 0;
		int64_t zeros = 0;
		for (int64_t j = 0; j < n; j++) zeros += x[j] == 0;
		if (!zeros) continue;
		const cop_type t = *cop__t(g, w);
		const cop_vid v = cop__follow(g, w, COP_STATE, "mask", &t, NULL);
		float *m = v ? cop__own(g, v) : NULL;
		if (!m) return cop__failed(g->cx);
		for (int64_t j = 0; j < n; j++) m[j] = x[j] != 0;
	}
	return COP_OK;
}

static void say(char *what, size_t size, const cop_lever *v, int32_t level)
{
	size_t n = strlen(what);
	if (n + 1 < size)
		cop__format(what + n, size - n, "%s%s %.3g%s", n ? ", " : "", v->name, (double)v->keep[level], v->way[level] == COP_WAY_GROUP ? " of its groups" : "");
}

/* What the levels take away in one way becomes zeros. */
static cop_status take(cop_graph *out, const cop_aimer *z, int way, const cop_items *it, const int32_t *choice)
{
	uint8_t *gone = cop__alloc(z->cx, (size_t)it->n + 1);
	cop_status st = gone ? COP_OK : COP_NOMEM;

	for (int32_t i = 0; !st && i < it->n_layer; i++)
		for (int32_t k = 0; !st && k < z->n_lever; k++) {
			const cop_lever *v = &z->lever[k];
			if (choice[k] && v->way[choice[k]] == way && !strcmp(it->layer[i].name, v->name)) st = choose_weakest(gone, it, z, &it->layer[i], way, v->keep[choice[k]]);
		}
	if (!st) st = clear(out, it, gone);
	cop__free(z->cx, gone);
	return st;
}

cop_status cop__levers_pull(cop_graph **out, const cop_aimer *z, const int32_t *choice, char *what, size_t size)
{
	cop_items it[COP_N_WAY] = {{0}};

	*out = NULL;
	if (what) *what = 0;
	for (int32_t k = 0; what && k < z->n_lever; k++)
		if (choice[k]) say(what, size, &z->lever[k], choice[k]);
	cop_status st = cop__pass_copy(out, z->g);
	for (int way = 0; !st && way < COP_N_WAY; way++) {
		if (!z->score[way]) continue;
		st = open_items(&it[way], z, way);
		if (!st) st = take(*out, z, way, &it[way], choice);
	}
	if (!st && z->score[COP_WAY_CHANNEL]) st = cop__drop_constant_of(out, COP_DROP_ROUNDED);
	for (int way = 0; way < COP_N_WAY; way++) {
		if (!st && z->score[way] && way != COP_WAY_CHANNEL) st = mask(*out, &it[way]);
		if (it[way].cx) cop__items_free(&it[way]);
	}
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}
