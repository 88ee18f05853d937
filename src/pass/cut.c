/* SPDX-License-Identifier: Apache-2.0
 *
 * cut - a network in two, at the result of a layer: `front` ends in it, `back` begins with it. What the front gives for a sample need be computed once:
 * layers that are not trained can be run before training, and their results kept. Bytes keep their scale in both parts.
 */
#include "op/qscale.h"
#include "pass/pass.h"

typedef struct cut_options { char at[128]; } cut_options;
static const cop_option options[] = {
	COP_OPT_TEXT(cut_options, at, NULL, "the layer behind which it is, by the name of its weight or result; where a branch leads round it, the cut is where they meet"),
	COP_OPT_END,
};

/* The zero of bytes: the layer that makes them has it, and what only moves them or picks the largest keeps it. */
static bool zero_of(int32_t *zero, const cop_graph *g, cop_vid v)
{
	for (cop_nid n = g->value[v].producer; n; n = g->value[cop__arg(g, n, 0)].producer) {
		switch (g->node[n].op) {
		case OP_qconv: {
			COP_ATTR(cop_qconv_attr, a, g, n);
			return *zero = a.zy, true;
		}
		case OP_qadd: {
			COP_ATTR(cop_qadd_attr, a, g, n);
			return *zero = a.zy, true;
		}
		case OP_quantize: {
			COP_ATTR(cop_quantize_attr, a, g, n);
			return *zero = a.zero, true;
		}
		default:
			if (g->node[n].op != OP_maxpool && !(cop__op(g, n)->flags & COP_OP_VIEW)) return false;
		}
	}
	return false;
}

/* Bytes at the cut say what they mean, as those at other ends do. */
static cop_status mark(cop_graph *out, cop_vid to, const cop_graph *g, cop_vid v)
{
	double *scale = cop__arena_get(&out->mem, sizeof *scale * ((size_t)g->n_value + 1));
	int32_t zero;

	if (!scale) return COP_NOMEM;
	if (cop__t(g, v)->dtype != COP_I8) return COP_OK;
	cop__int_scales(scale, g);
	if (!(scale[v] > 0) || !zero_of(&zero, g, v))
		return cop__fail(g, COP_ARG, g->value[v].producer, "cut: the scale of its result is not known; cut behind a convolution or a sum");
	return cop__set_quant(out, to, (float)scale[v], zero);
}

/* ---- the place ---- */

static bool computed(const cop_graph *g, cop_vid v) { return g->value[v].producer || g->value[v].role == COP_INPUT; }

/* Does node n read what is behind the cut, and what is before it? */
static void sides(bool *after, bool *before, const cop_graph *g, cop_nid n, const bool *behind)
{
	*after = *before = false;
	for (int i = 0; i < g->node[n].n_in; i++) {
		cop_vid x = g->node[n].in[i];
		*(behind[x] ? after : before) |= x && computed(g, x);
	}
}

/* What is behind v; returns the first node that reads something before it, too, or 0. */
static cop_nid mark_behind(bool *behind, const cop_graph *g, cop_vid v)
{
	bool after, before;

	memset(behind, 0, sizeof *behind * ((size_t)g->n_value + 1));
	behind[v] = true;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		sides(&after, &before, g, n, behind);
		if (after && before) return n;
		for (int i = 0; after && i < COP_MAX_OUT; i++) behind[g->node[n].out[i]] = g->node[n].out[i] != 0;
	}
	return 0;
}

/* The first value at or behind v that all that is behind it goes through: where a branch leads round v, the cut is where the two have met. */
static cop_vid place(bool *behind, const cop_graph *g, cop_vid v)
{
	for (cop_nid met; (met = mark_behind(behind, g, v));) v = cop__res(g, met, 0);
	for (int32_t i = 0; i < g->n_output; i++)
		if (!behind[g->output[i]]) return 0;
	return v;
}

/* ---- the parts ---- */

static cop_status front(cop_graph *out, const cop_graph *g, cop_vid *map, cop_vid v, const bool *behind)
{
	COP_TRY(cop__copy_inputs(out, g, map));
	for (cop_nid n = 1; n <= g->value[v].producer; n++)
		if (!behind[cop__res(g, n, 0)] || cop__res(g, n, 0) == v) COP_TRY(cop__copy_node(out, g, map, n));
	out->classes.count = out->targets.count = 0;
	out->accuracy = -1;
	COP_TRY(cop__output(out, map[v], NULL));
	return mark(out, map[v], g, v);
}

static cop_status back(cop_graph *out, const cop_graph *g, cop_vid *map, cop_vid v, const bool *behind)
{
	if (!(map[v] = cop__input(out, g->value[v].name ? g->value[v].name : "cut", cop__t(g, v)))) return cop__failed(g->cx);
	COP_TRY(mark(out, map[v], g, v));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (behind[cop__res(g, n, 0)] && cop__res(g, n, 0) != v) COP_TRY(cop__copy_node(out, g, map, n));
	out->samples = (cop_samples){0};
	return cop__copy_end(out, g, map);
}

/* ---- the passes ---- */

static cop_status cut(cop_graph **out, const cop_graph *g, const void *a, cop_status (*part)(cop_graph *out, const cop_graph *g, cop_vid *map, cop_vid v, const bool *behind))
{
	const cut_options *o = a;
	cop_vid v = cop__result_named(g, o->at);
	cop_graph *made;
	cop_vid *map;

	*out = NULL;
	if (!v) return cop__error(g->cx, COP_ARG, "cut: at='%s': there is no such layer", o->at);
	COP_TRY(cop__copy_begin(&made, g, &map));
	bool *behind = cop__arena_get(&made->mem, (size_t)g->n_value + 1);
	cop_status st = behind ? COP_OK : COP_NOMEM;
	if (!st && !(v = place(behind, g, v))) st = cop__error(g->cx, COP_ARG, "cut: at='%s': an output of '%s' is not behind it", o->at, g->name);
	if (!st) st = part(made, g, map, v, behind);
	if (!st) st = cop__pass_dce(out, made);
	cop_graph_free(made);
	return st;
}

static cop_status run_front(cop_graph **out, const cop_graph *g, const void *a) { return cut(out, g, a, front); }
static cop_status run_back(cop_graph **out, const cop_graph *g, const void *a) { return cut(out, g, a, back); }

const cop_pass cop_pass_front = {{"front", "keeps the first part of a network, up to the result of a layer", NULL, options, sizeof(cut_options)}, run_front};
const cop_pass cop_pass_back = {{"back", "keeps the part of a network that is behind the result of a layer, which becomes its input", NULL, options, sizeof(cut_options)}, run_back};
