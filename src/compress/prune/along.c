/* SPDX-License-Identifier: Apache-2.0
 *
 * along - granularities that divide each weight by itself: single weights, and weights side by side.
 */
#include "compress/prune/prune.h"

const char *cop__no_filter(const cop_graph *g, cop_vid v) { return cop__t(g, v)->rank == 4 ? NULL : "is no filter of a convolution"; }

/* ---- weight, nm: single weights ---- */

cop_status cop__split_weight(cop_items *it, const cop_graph *g, const void *options)
{
	(void)g, (void)options;
	for (int32_t i = 0; i < it->n_layer; i++) it->layer[i].first = it->layer[i].offset, it->layer[i].items = it->layer[i].count;
	it->n = it->count;
	return COP_OK;
}

cop_status cop__split_nm(cop_items *it, const cop_graph *g, const void *options)
{
	const cop_nm_options *o = options;

	if (o->n >= o->m) return cop__error(it->cx, COP_ARG, "prune: what: nm: n is %d, which has to be less than m, %d", o->n, o->m);
	it->bundle = o->m;
	it->stay = o->n;
	return cop__split_weight(it, g, options);
}

/* ---- block, group: `width` weights one after the other within a run, the last ones of a run perhaps fewer ---- */

/* run: of each layer, numbers that a block does not leave: a row, or the input channels of one tap. */
static cop_status split_runs(cop_items *it, const cop_graph *g, int64_t width, bool rows)
{
	COP_TRY(cop__items_of(it));
	for (int32_t i = 0; i < it->n_layer; i++) {
		cop_pruned *l = &it->layer[i];
		int64_t run = rows ? l->count / cop__t(g, l->v)->dim[0] : l->inner, blocks = (run + width - 1) / width;
		for (int64_t j = 0; j < l->count; j++) it->of[l->offset + j] = (int32_t)(it->n + j / run * blocks + j % run / width);
		l->first = it->n;
		l->items = l->count / run * blocks;
		it->n += l->items;
	}
	return COP_OK;
}

cop_status cop__split_block(cop_items *it, const cop_graph *g, const void *options)
{
	return split_runs(it, g, ((const cop_block_options *)options)->block, true);
}

cop_status cop__split_group(cop_items *it, const cop_graph *g, const void *options) { return split_runs(it, g, ((const cop_group_options *)options)->width, false); }

/* ---- kernel: of [o, kh, kw, i] all of one o and one i ---- */

cop_status cop__split_kernel(cop_items *it, const cop_graph *g, const void *options)
{
	(void)options;
	COP_TRY(cop__items_of(it));
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
