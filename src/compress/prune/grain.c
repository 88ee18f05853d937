/* SPDX-License-Identifier: Apache-2.0
 *
 * grain - what is kept or goes as a whole.
 */
#include "compress/layers.h"
#include "compress/prune/prune.h"

static const cop_option cop__nm_options[] = {
	COP_OPT_WHOLE(cop_nm_options, n, 1, 32, "2", "weights that stay of every m"),
		COP_OPT_WHOLE(cop_nm_options, m, 2, 32, "4", "weights side by side"), COP_OPT_END};
static const cop_option cop__group_options[] = {COP_OPT_WHOLE(cop_group_options, width, 2, 64, "4", "weights of a group"), COP_OPT_END};
static const cop_option cop__block_options[] = {COP_OPT_WHOLE(cop_block_options, block, 2, 4096, "4", "weights of a block"), COP_OPT_END};

#define GRAIN(name, why_not, options, size, summary, source) cop_status cop__split_##name(cop_items *it, const cop_graph *g, const void *options_);
#include "compress/prune/grain.def"
#undef GRAIN
static const cop_grain_row rows[] = {
#define GRAIN(name, why_not, options, size, summary, source) {{#name, summary, source, options, size}, why_not, cop__split_##name},
#include "compress/prune/grain.def"
#undef GRAIN
};
static const cop_row *row(int i) { return i >= 0 && i < LEN(rows) ? &rows[i].row : NULL; }
const cop_table cop__grains = {"grains", "grain", "what pruning removes as a whole", row};
const cop_grain_row *cop__grain(int32_t i) { return &rows[i]; }

/* ---- tensors and their items ---- */

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
	for (int32_t i = 0; !it->may_close && i < it->n_layer; i++) it->layer[i].least = COP_MIN(it->layer[i].items, it->layer[i].items / 200 + 1); /* half a percent, so that no layer closes */
	return it->of ? gather_members(it) : COP_OK;
}

void cop__items_free(cop_items *it) { cop__arena_free(&it->mem); }
