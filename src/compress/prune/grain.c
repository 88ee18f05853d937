/* SPDX-License-Identifier: Apache-2.0
 *
 * grain - what is kept or goes as a whole.
 */
#include "compress/layers.h"
#include "compress/prune/prune.h"
#include "pass/pass.h"

#include <stdio.h>

static const cop_option cop__block_options[] = {COP_OPT_WHOLE(cop_block_options, block, 2, 4096, "4", "weights of a block"), COP_OPT_END};

static const char *no_filter(const cop_graph *g, cop_vid v) { return cop__t(g, v)->rank == 4 ? NULL : "is no filter of a convolution"; }

#define GRAIN(name, why_not, options, size, summary, source) static cop_status split_##name(cop_items *it, const cop_graph *g, const void *options_);
#include "compress/prune/grain.def"
#undef GRAIN
static const cop_grain_row rows[] = {
#define GRAIN(name, why_not, options, size, summary, source) {{#name, summary, source, options, size}, why_not, split_##name},
#include "compress/prune/grain.def"
#undef GRAIN
};
static const cop_row *row(int i) { return i >= 0 && i < LEN(rows) ? &rows[i].row : NULL; }
const cop_table cop__grains = {"grains", "grain", "what pruning removes as a whole", row};
const cop_grain_row *cop__grain(int32_t i) { return &rows[i]; }

/* ---- tensors and their items ---- */

cop_status cop__items_add(cop_items *it, const cop_graph *g, cop_vid v, bool follows)
{
	cop_pruned *l = &it->layer[it->n_layer++];

	*l = (cop_pruned){.v = v, .count = cop_type_count(cop__t(g, v)), .rows = cop__t(g, v)->dim[0], .offset = it->count, .follows = follows};
	if (snprintf(l->name, sizeof l->name, "%s", g->value[v].name) >= (int)sizeof l->name) return cop__error(g->cx, COP_ARG, "'%s': the name is too long", g->value[v].name);
	it->count += l->count;
	return it->count < INT32_MAX ? COP_OK : cop__error(g->cx, COP_ARG, "prune: '%s' has too many weights", g->name);
}

/* The numbers of each item, item after item. */
static cop_status gather_members(cop_items *it)
{
	it->start = cop__arena_get(&it->mem, sizeof *it->start * (size_t)(it->n + 2));
	it->member = cop__arena_get(&it->mem, sizeof *it->member * (size_t)(it->count + 1));
	if (!it->start || !it->member) return COP_NOMEM;
	for (int pass = 0; pass < 2; pass++) /* counted, then put: start[k + 1] is where the next of item k goes */
		for (int32_t i = 0; i < it->n_layer; i++) {
			const cop_pruned *l = &it->layer[i];
			for (int64_t j = l->offset; !l->follows && j < l->offset + l->count; j++) {
				if (it->of[j] < 0) continue;
				if (pass) it->member[it->start[it->of[j] + 1]++] = (int32_t)j;
				else it->start[it->of[j] + 2]++;
			}
			if (!pass && i == it->n_layer - 1)
				for (int64_t k = 2; k <= it->n + 1; k++) it->start[k] += it->start[k - 1];
		}
	return COP_OK;
}

cop_status cop__items_begin(cop_items *it, const cop_graph *g, const char *layers, const cop_choice *grain)
{
	const cop_grain_row *r = &rows[grain->row];
	const char *why = NULL, *first = NULL, *of = "";

	*it = (cop_items){.cx = g->cx};
	cop__arena_init(&it->mem, g->cx);
	if (!(it->layer = cop__arena_get(&it->mem, sizeof *it->layer * (size_t)(g->n_value + 1)))) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++) {
		if (!cop__compressible(g, (cop_vid)v, layers)) continue;
		why = r->why_not ? r->why_not(g, (cop_vid)v) : NULL;
		if (why && !first) first = why, of = g->value[v].name;
		if (!why) COP_TRY(cop__items_add(it, g, (cop_vid)v, false));
	}
	if (first && !it->n_layer) return cop__error(g->cx, COP_ARG, "prune: what: %s: '%s' %s", r->row.name, of, first);
	if (!it->n_layer) return cop__error(g->cx, COP_ARG, "prune: no weight matches layers: %s", layers);
	COP_TRY(r->split(it, g, grain->o.bytes));
	for (int32_t i = 0; i < it->n_layer; i++) it->layer[i].least = COP_MIN(it->layer[i].items, it->layer[i].items / 200 + 1); /* half a percent, so that no layer closes */
	return it->of ? gather_members(it) : COP_OK;
}

void cop__items_free(cop_items *it) { cop__arena_free(&it->mem); }

static cop_status make_of(cop_items *it)
{
	it->of = cop__arena_get(&it->mem, sizeof *it->of * (size_t)(it->count + 1));
	return it->of ? COP_OK : COP_NOMEM;
}

/* ---- weight ---- */

static cop_status split_weight(cop_items *it, const cop_graph *g, const void *options)
{
	(void)g, (void)options;
	for (int32_t i = 0; i < it->n_layer; i++) it->layer[i].first = it->layer[i].offset, it->layer[i].items = it->layer[i].count;
	it->n = it->count;
	return COP_OK;
}

/* ---- block: `block` weights one after the other within a row, the last one of a row perhaps shorter ---- */

static cop_status split_block(cop_items *it, const cop_graph *g, const void *options)
{
	const int64_t block = ((const cop_block_options *)options)->block;

	COP_TRY(make_of(it));
	for (int32_t i = 0; i < it->n_layer; i++) {
		cop_pruned *l = &it->layer[i];
		int64_t row = l->count / cop__t(g, l->v)->dim[0], blocks = (row + block - 1) / block;
		for (int64_t j = 0; j < l->count; j++) it->of[l->offset + j] = (int32_t)(it->n + j / row * blocks + j % row / block);
		l->first = it->n;
		l->items = l->count / row * blocks;
		it->n += l->items;
	}
	return COP_OK;
}

/* ---- kernel: of [o, kh, kw, i] all of one o and one i ---- */

static cop_status split_kernel(cop_items *it, const cop_graph *g, const void *options)
{
	(void)options;
	COP_TRY(make_of(it));
	for (int32_t i = 0; i < it->n_layer; i++) {
		cop_pruned *l = &it->layer[i];
		int64_t o = cop__t(g, l->v)->dim[0], c = cop__t(g, l->v)->dim[3], row = l->count / o;
		for (int64_t j = 0; j < l->count; j++) it->of[l->offset + j] = (int32_t)(it->n + j / row * c + j % c);
		l->first = it->n;
		l->items = o * c;
		it->n += l->items;
	}
	return COP_OK;
}

/* ---- channel: a group of links; its rows in each weight, and in the vectors that go with them ---- */

/* Biases, scales and shifts of those channels. */
static cop_status add_followers(cop_items *it, const cop_graph *g, const cop_groups *s, const int32_t *item)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role != COP_PARAM || x->type.dtype != COP_F32 || x->type.enc != COP_DENSE || x->type.rank != 1) continue;
		if (item[cop__group_of(s, (cop_vid)v, 0, 0)] >= 0) COP_TRY(cop__items_add(it, g, (cop_vid)v, true));
	}
	return COP_OK;
}

/* Items in the order in which their groups are met, so that those of a layer stand together. */
static void number_items(cop_items *it, const cop_graph *g, const cop_groups *s, int32_t *item)
{
	for (int32_t k = 0; k < s->n_group; k++) item[k] = -1;
	for (int32_t i = 0; i < it->n_layer; i++) {
		cop_pruned *l = &it->layer[i];
		l->first = it->n;
		for (int32_t o = 0; o < cop__t(g, l->v)->dim[0]; o++) {
			int32_t k = cop__group_of(s, l->v, 0, o);
			if (!s->stop[k].why && item[k] < 0) item[k] = (int32_t)it->n++;
		}
		l->items = it->n - l->first;
	}
}

static cop_status split_channel(cop_items *it, const cop_graph *g, const void *options)
{
	cop_groups s;
	cop_status st = cop__groups(&s, g);
	int32_t *item = st ? NULL : cop__arena_get(&it->mem, sizeof *item * (size_t)(s.n_group + 1));

	(void)options;
	if (!st && !item) st = COP_NOMEM;
	if (!st) {
		number_items(it, g, &s, item);
		if (!it->n) st = cop__error(g->cx, COP_ARG, "prune: what: channel: no channel of '%s' may go: %s", it->layer[0].name, s.stop[cop__group_of(&s, it->layer[0].v, 0, 0)].why);
	}
	if (!st) st = add_followers(it, g, &s, item);
	if (!st) st = make_of(it);
	for (int32_t i = 0; !st && i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		int64_t row = l->count / cop__t(g, l->v)->dim[0];
		for (int64_t j = 0; j < l->count; j++) it->of[l->offset + j] = item[cop__group_of(&s, l->v, 0, (int32_t)(j / row))];
	}
	cop__groups_free(&s);
	return st;
}
