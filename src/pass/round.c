/* SPDX-License-Identifier: Apache-2.0
 *
 * round - how int8 layers round. mode=single: one rounding where a model carries TFLite's two (kernel/quant.h): a
 * multiplication and a shift less for each result, and a unit different now and then. Means and products keep theirs.
 * mode=tflite: as it was, where all layers round twice; which two roundings one came from is not known.
 */
#include "op/qscale.h"
#include "pass/pass.h"

#include <math.h>

/* qconv: [2,o] multipliers and shifts become [o] and `up`, not below 0. A scale too large for one integer stays as it is. */
static cop_status change_conv(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n, cop_node *d)
{
	cop_vid m = cop__arg(g, n, 3);
	const cop_value *old = &g->value[m];
	const int32_t *k = cop__ints(g, m);
	COP_ATTR(cop_qconv_attr, a, g, n);

	if ((old->type.rank != 2 && a.up >= 0) || old->role != COP_CONST || !k) return COP_OK;
	int32_t o = old->type.dim[old->type.rank - 1];
	double *real = cop__arena_get(&out->mem, sizeof *real * (size_t)o);
	int32_t *single = cop__arena_get(&out->mem, sizeof *single * (size_t)o);
	if (!real || !single) return COP_NOMEM;
	for (int32_t i = 0; i < o; i++) real[i] = cop__qconv_real(&a, old, i);
	if (!cop__multipliers_single(single, &a.up, real, o) || (cop__in(g, n, 0)->dtype == COP_I16 && a.up > 16)) return COP_OK;
	cop_type t = cop__type(COP_I32, 1, &o);
	if (!map[m] && !(map[m] = cop__data(out, COP_CONST, old->name, &t, single))) return cop__failed(g->cx);
	memcpy(d->attr, &a, sizeof a);
	return COP_OK;
}

static void change_add(const cop_graph *g, cop_nid n, cop_node *d)
{
	COP_ATTR(cop_qadd_attr, a, g, n);

	if (!a.exact) return;
	double ra, rb;
	cop__qadd_real(&a, &ra, &rb);
	cop__qadd_scales(&a, fabs(ra), fabs(rb), 1, false);
	if (ra < 0) a.ma = -a.ma;
	if (rb < 0) a.mb = -a.mb;
	memcpy(d->attr, &a, sizeof a);
}

static cop_status to_single(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) {
		cop_node d = g->node[n];
		if (d.op == OP_qconv) st = change_conv(*out, g, map, n, &d);
		else if (d.op == OP_qadd) change_add(g, n, &d);
		if (!st) st = cop__copy_as(*out, g, map, n, &d);
	}
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

static bool rounds_once(const cop_graph *g, cop_nid n)
{
	if (g->node[n].op == OP_qadd) {
		COP_ATTR(cop_qadd_attr, a, g, n);
		return !a.exact;
	}
	if (g->node[n].op != OP_qconv) return false;
	COP_ATTR(cop_qconv_attr, a, g, n);
	return a.up >= 0 && cop__in(g, n, 3)->rank == 1;
}

static cop_status as_tflite(cop_graph **out, const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (rounds_once(g, n))
			return cop__fail(g, COP_ARG, n,
				"it rounds once, and TFLite's two roundings can't be brought back: take the .tflite file itself, or mode=single");
	return cop__pass_dce(out, g);
}

typedef struct round_options { int32_t mode; } round_options;
static const cop_option options[] = {COP_OPT_WORD(round_options, mode, "single|tflite", "single",
	"`tflite` only checks that nothing was changed"), COP_OPT_END};

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	*out = NULL;
	return ((const round_options *)a)->mode ? as_tflite(out, g) : to_single(out, g);
}

const cop_pass cop_pass_round = {{"round",
	"makes int8 layers round once where TFLite rounds twice: faster, and one unit different now and then", NULL, options,
	sizeof(round_options)}, run};
