/* SPDX-License-Identifier: Apache-2.0
 *
 * shift - every weight becomes 0 or +-2^p (train/form/shift.c) and is trained on so. Afterwards they are plain weights again: quantize keeps
 * such weights as they are, and on a device its layers are summed by shifts (pass/shift.c).
 */
#include "compress/layers.h"
#include "train/form/shift.h"

/* Distances have no product that could be a shift. */
static bool can(const cop_graph *g, cop_vid v, cop_why *why)
{
	if (!cop__can_change(g, v, why)) return false;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op != OP_addconv || cop__arg(g, n, 1) != v) continue;
		if (why) cop__format(why->text, sizeof why->text, "'%.80s' is read by addconv, which has no products", g->value[v].name);
		return false;
	}
	return true;
}

static cop_status form(cop_build *b, const cop_stage *s, uint64_t seed, const char *weight)
{
	const cop_graph *g = cop__build_model(b);

	(void)seed;
	return !can(g, cop__find(g, weight), NULL) ? COP_OK : cop__build_form(b, weight, cop__form("shift"), s->own.bytes);
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m) { return cop__stage_forms(g, s, m, form, NULL); }

const cop_stage_row cop_stage_shift = {
	.row = {"shift", "makes every weight 0 or plus or minus a power of two, and trains on so", COP_SHIFT_SOURCE, cop_shift_table, sizeof(cop_shift_options)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .gives = COP_HAS_SHARED,
	.allows = cop__allows_formed, .can = can, .run = run,
};
