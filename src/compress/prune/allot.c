/* SPDX-License-Identifier: Apache-2.0
 *
 * allot - how much goes where.
 */
#include "compress/prune/prune.h"

#define ALLOT(name, by_layer, summary) static void name(const cop_cut *c);
#include "compress/prune/allot.def"
#undef ALLOT
static const cop_allot_row rows[] = {
#define ALLOT(name, by_layer, summary) {COP_ROW(#name, summary), by_layer, name},
#include "compress/prune/allot.def"
#undef ALLOT
};
static const cop_row *row_at(int i) { return i >= 0 && i < LEN(rows) ? &rows[i].row : NULL; }
const cop_table cop__scopes = {"scopes", "scope", "how what is cut is divided among the layers", row_at};
const cop_allot_row *cop__allot(int32_t i) { return &rows[i]; }

/* The few largest of a layer stay whatever the others have: their scores are put above all others. */
static void raise_least(const cop_cut *c, const cop_pruned *l)
{
	float *s = c->score + l->first;
	int64_t n = 0;

	for (int64_t i = 0; i < l->items; i++)
		if (c->mask[l->first + i] != 0) c->scratch[n++] = s[i];
	if (n <= l->least || !l->least) return;
	float at = cop__kth_largest(c->scratch, n, l->least);
	for (int64_t i = 0; i < l->items; i++)
		if (s[i] >= at) s[i] += 1e30f;
}

static void global(const cop_cut *c)
{
	for (int32_t i = 0; i < c->it->n_layer; i++) raise_least(c, &c->it->layer[i]);
	cop__prune_mask(c->mask, c->score, c->it->n, c->part((double)c->keep->at[0].value, c->t), 1, c->scratch);
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
