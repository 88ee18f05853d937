/* SPDX-License-Identifier: Apache-2.0
 *
 * allot - how much goes where.
 */
#include "compress/prune/prune.h"

typedef struct cop_least_options { float least; } cop_least_options;
typedef struct cop_budget_options { float least; int32_t of; } cop_budget_options;
typedef struct cop_threshold_options { float at; } cop_threshold_options;
#define LEAST(T) COP_OPT_REAL(T, least, 0, 1, "0.01", "the part that each layer keeps whatever the others have")
static const cop_option cop__least_options[] = {LEAST(cop_least_options), COP_OPT_END};
static const cop_option cop__budget_options[] = {
	LEAST(cop_budget_options),
		COP_OPT_WORD(cop_budget_options, of, "weights|macs", "macs",
		"what `keep` is a part of: weights, or multiply-accumulates of a sample"), COP_OPT_END};
static const cop_option cop__threshold_options[] = {COP_OPT_REAL(cop_threshold_options, at, -1e30, 1e30, "0",
	"the score below which an item goes"), COP_OPT_END};

#define ALLOT(name, by_layer, options, size, summary, source) static void name(const cop_cut *c);
#include "compress/prune/allot.def"
#undef ALLOT
static const cop_allot_row rows[] = {
#define ALLOT(name, by_layer, options, size, summary, source) {{#name, summary, source, options, size}, by_layer, name},
#include "compress/prune/allot.def"
#undef ALLOT
};
static const cop_row *row_at(int i) { return i >= 0 && i < LEN(rows) ? &rows[i].row : NULL; }
const cop_table cop__scopes = {"scopes", "scope", "how what is cut is divided among the layers", row_at};
const cop_allot_row *cop__allot(int32_t i) { return &rows[i]; }

/* The few largest of a layer stay whatever the others have: their scores are put above all others. */
static void raise_least(const cop_cut *c, const cop_pruned *l, int64_t least)
{
	float *s = c->score + l->first;
	int64_t n = 0;

	for (int64_t i = 0; i < l->items; i++)
		if (c->mask[l->first + i] != 0) c->scratch[n++] = s[i];
	if (n <= least || !least) return;
	float at = cop__kth_largest(c->scratch, n, least);
	for (int64_t i = 0; i < l->items; i++)
		if (s[i] >= at) s[i] += 1e30f;
}

static int64_t least_of(const cop_pruned *l, float part) { return COP_MIN(l->items, COP_MAX(l->least, (int64_t)((double)part * (double)l->items + 0.5))); }
static double keep_of(const cop_cut *c) { return c->part((double)c->keep->at[0].value, c->t); }

static void global(const cop_cut *c)
{
	for (int32_t i = 0; i < c->it->n_layer; i++) raise_least(c, &c->it->layer[i], c->it->layer[i].least);
	cop__prune_mask(c->mask, c->score, c->it->n, keep_of(c), c->it->may_close ? 0 : 1, c->scratch);
}

static void layer(const cop_cut *c)
{
	for (int32_t i = 0; i < c->it->n_layer; i++) {
		const cop_pruned *l = &c->it->layer[i];
		double keep = c->part((double)cop__rate_of(c->keep, l->name, 1), c->t);
		cop__prune_mask(c->mask + l->first, c->score + l->first, l->items, keep, l->least, c->scratch);
	}
}

/* Items of a row lie side by side, but those that are whole rows are of the layer. */
static void row(const cop_cut *c)
{
	for (int32_t i = 0; i < c->it->n_layer; i++) {
		const cop_pruned *l = &c->it->layer[i];
		double keep = c->part((double)cop__rate_of(c->keep, l->name, 1), c->t);
		int64_t each = l->items % l->rows || l->items == l->rows ? 1 : l->rows, n = l->items / each;
		for (int64_t at = l->first; n && at < l->first + l->items; at += n)
			cop__prune_mask(c->mask + at, c->score + at, n, keep, each == 1 ? l->least : 1, c->scratch);
	}
}

/* ---- isomorphic: a kind of layers after the other ---- */

/* The items of all layers of the form of layer `first`, brought together in scratch and its second half, cut, and put back. */
static void cut_form(const cop_cut *c, int32_t first)
{
	const cop_items *it = c->it;
	float *score = c->room, *mask = c->room + it->n;
	int64_t n = 0;

	for (int pass = 0; pass < 2; pass++) {
		if (pass) cop__prune_mask(mask, score, n, keep_of(c), it->may_close ? 0 : 1, c->scratch);
		n = 0;
		for (int32_t i = first; i < it->n_layer; i++) {
			const cop_pruned *l = &it->layer[i];
			if (l->form != it->layer[first].form || l->follows) continue;
			for (int64_t k = l->first; k < l->first + l->items; k++, n++)
				if (pass) c->mask[k] = mask[n];
				else score[n] = c->score[k], mask[n] = c->mask[k];
		}
	}
}

static void isomorphic(const cop_cut *c)
{
	const cop_items *it = c->it;

	for (int32_t i = 0; i < it->n_layer; i++) raise_least(c, &it->layer[i], least_of(&it->layer[i], ((const cop_least_options *)c->options)->least));
	for (int32_t i = 0; i < it->n_layer; i++) {
		bool first = !it->layer[i].follows && it->layer[i].items;
		for (int32_t k = 0; k < i; k++) first &= it->layer[k].form != it->layer[i].form || !it->layer[k].items;
		if (first) cut_form(c, i);
	}
}

/* ---- budget ---- */

/* What each item costs: of each of its numbers 1, or its multiply-accumulates. The sum of them all. */
static double add_costs(float *cost, const cop_items *it, bool macs)
{
	double sum = 0;

	for (int64_t k = 0; k < it->n; k++) cost[k] = 0;
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		for (int64_t j = 0; !l->follows && j < l->count; j++) {
			int64_t k = it->of ? it->of[l->offset + j] : l->offset + j;
			double each = macs ? l->macs : 1;
			if (k >= 0) cost[k] += (float)each, sum += each;
		}
	}
	return sum;
}

/* From the largest score on as long as the budget lasts. */
static void budget(const cop_cut *c)
{
	const cop_items *it = c->it;
	const cop_budget_options *o = c->options;
	int32_t *order = c->order;
	double left = keep_of(c) * add_costs(c->room, it, o->of == 1);

	for (int32_t i = 0; i < it->n_layer; i++) raise_least(c, &it->layer[i], least_of(&it->layer[i], o->least));
	cop__order_of(order, c->score, it->n);
	bool over = false;
	for (int64_t i = 0; i < it->n; i++) {
		int32_t k = order[i];
		if (c->mask[k] == 0) continue;
		left -= (double)c->room[k];
		over |= left < -1e-6 * (double)c->room[k];
		if (over && c->score[k] < 1e29f) c->mask[k] = 0;
	}
}

/* ---- threshold ---- */

static void threshold(const cop_cut *c)
{
	const float at = ((const cop_threshold_options *)c->options)->at;
	int64_t above = 0;

	for (int64_t k = 0; k < c->it->n; k++) above += c->mask[k] != 0 && c->score[k] >= at;
	double keep = COP_MAX(keep_of(c), (double)above / (double)c->it->n);
	for (int32_t i = 0; i < c->it->n_layer; i++) raise_least(c, &c->it->layer[i], c->it->layer[i].least);
	cop__prune_mask(c->mask, c->score, c->it->n, keep, c->it->may_close ? 0 : 1, c->scratch);
}

/* ---- bundles ---- */

/* Of `n` items side by side so many stay at t; at the end `stay`, of a short bundle as many as it has. */
static int64_t stays(const cop_cut *c, int64_t n)
{
	const cop_items *it = c->it;
	int64_t now = (int64_t)(c->part((double)it->stay / (double)it->bundle, c->t) * (double)n + 0.5);
	return COP_MAX(now, COP_MIN(n, it->stay));
}

void cop__cut_bundles(const cop_cut *c)
{
	const cop_items *it = c->it;

	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		for (int64_t run = l->first; run < l->first + l->items; run += l->inner)
			for (int64_t k = 0; k < l->inner; k += it->bundle) {
				int64_t n = COP_MIN(it->bundle, l->inner - k);
				cop__prune_mask(c->mask + run + k, c->score + run + k, n, 0, stays(c, n), c->scratch);
			}
	}
}
