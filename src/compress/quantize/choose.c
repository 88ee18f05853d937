/* SPDX-License-Identifier: Apache-2.0
 *
 * choose - to hold a bound on the accuracy, which layers get more bits or stay float: the most sensitive first, no more
 * of them than the bound takes. What is measured is the integer network.
 */
#include "compress/quantize/quantize.h"

#include <math.h>

typedef struct order { cop_nid *n; int32_t count; } order; /* quantised layers, the most sensitive first */

static cop_status sort(order *o, cop_quantizer *z)
{
	if (!(o->n = cop__arena_get(&z->mem, sizeof *o->n * (size_t)(z->g->n_node + 1)))) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++) {
		if (!z->layer[n].bits) continue;
		int32_t at = o->count++;
		for (; at > 0 && z->layer[o->n[at - 1]].sqnr > z->layer[n].sqnr; at--) o->n[at] = o->n[at - 1];
		o->n[at] = n;
	}
	return COP_OK;
}

/* The network after `steps` raises: first from 4 to 8 bits, layer by layer, then from 8 to float. */
static cop_status raised(cop_graph **out, cop_quantizer *z, const order *o, int32_t steps)
{
	bool narrow = z->weight_bits < 8;

	for (int32_t i = 0; i < o->count; i++) {
		cop_qlayer *l = &z->layer[o->n[i]];
		bool wide = narrow && (i < steps || z->g->node[o->n[i]].op == OP_rnn), keep = steps - (narrow ? o->count : 0) > i;
		l->bits = keep ? 0 : wide ? 8 : z->weight_bits;
		l->act_bits = wide || keep ? cop__end_bits(z) : z->act_bits;
	}
	if (z->a->wide_ends) COP_TRY(cop__wide_ends(z));
	COP_TRY(cop__set_ranges(z));
	COP_TRY(cop__quantize_weights(z));
	return cop__lower_quantized(out, z);
}

/* Points of accuracy lost against `before`; percent of the loss where there are no labels. */
static cop_status drop_of(float *drop, const cop_graph *g, const cop_quantizer *z, const cop_score *before)
{
	cop_score s;

	COP_TRY(cop_eval(&s, g, z->a->valid ? z->a->valid : z->calib, z->batch, z->a->threads));
	*drop = before->accuracy >= 0 ? 100 * (before->accuracy - s.accuracy) : 100 * (s.loss / before->loss - 1);
	return COP_OK;
}

/* The fewest raises that hold the bound, by bisection: more of them rarely cost accuracy, and what is returned was
 * measured. */
cop_status cop__choose(cop_graph **out, cop_quantizer *z, const cop_graph *model)
{
	cop_score before;
	cop_graph *try = NULL;
	order o = {0};
	float drop = 0;

	*out = NULL;
	COP_TRY(sort(&o, z));
	COP_TRY(cop_eval(&before, model, z->a->valid ? z->a->valid : z->calib, z->batch, z->a->threads));
	int32_t most = z->weight_bits < 8 ? 2 * o.count : o.count, lo = 0, hi = most, at = 0; /* hi: everything float again */
	float least = INFINITY;
	while (lo < hi) {
		cop_status st = raised(&try, z, &o, at);
		if (!st) st = drop_of(&drop, try, z, &before);
		if (st) return cop_graph_free(try), cop_graph_free(*out), *out = NULL, st;
		cop__log(z->cx, COP_LOG_INFO, "quantize: %d layers got more bits; the accuracy drops by %.2f points", at,
			(double)drop);
		least = fminf(least, drop);
		if (drop <= z->a->max_drop + 1e-4f) {
			cop_graph_free(*out);
			*out = try;
			hi = at;
		} else {
			cop_graph_free(try);
			lo = at + 1;
		}
		try = NULL;
		at = (lo + hi) / 2;
	}
	if (!*out)
		return cop__error(z->cx, COP_BUDGET, "quantize: no layer can be int8 within a drop of %g points: the least was %.2f",
			(double)z->a->max_drop, (double)least);
	cop_graph *again = NULL; /* side arrays as they were for what is returned */
	COP_TRY(raised(&again, z, &o, hi));
	cop_graph_free(again);
	return COP_OK;
}
