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

/* The first value at or behind *v that all that is behind it goes through: where a branch leads round *v, the cut is where the two have met. 0: an output is
 * not behind it. */
static cop_status place(cop_vid *v, const cop_graph *g)
{
	bool *behind = cop__alloc(g->cx, (size_t)g->n_value + 1);

	if (!behind) return COP_NOMEM;
	for (cop_nid met; (met = mark_behind(behind, g, *v));) *v = cop__res(g, met, 0);
	for (int32_t i = 0; i < g->n_output; i++)
		if (!behind[g->output[i]]) *v = 0;
	cop__free(g->cx, behind);
	return COP_OK;
}

/* ---- the parts ---- */

/* Sets need[v] for v and all that it comes from. */
static void mark_before(bool *need, const cop_graph *g, cop_vid v)
{
	need[v] = true;
	for (cop_nid n = (cop_nid)g->n_node; n > 0; n--) {
		const cop_node *d = &g->node[n];
		bool read = false;
		for (int i = 0; i < COP_MAX_OUT; i++) read |= d->out[i] && need[d->out[i]];
		for (int i = 0; read && i < d->n_in; i++) need[d->in[i]] = true;
	}
}

static bool is_data(const cop_graph *g, cop_vid v) { return g->value[v].role >= COP_CONST; }

bool cop__can_cut(const cop_graph *g, cop_vid v)
{
	bool *need = v && g->value[v].producer ? cop__alloc(g->cx, (size_t)g->n_value + 1) : NULL, can = need;

	if (!need) return false;
	mark_before(need, g, v);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_node *d = &g->node[n];
		const bool before = need[d->out[0]];
		for (int i = 0; i < d->n_in && d->in[i]; i++) can &= before || d->in[i] == v || (is_data(g, d->in[i]) ? !need[d->in[i]] : !need[d->in[i]] && g->value[d->in[i]].producer);
	}
	for (int32_t i = 0; i < g->n_output; i++) can &= g->output[i] == v || !need[g->output[i]];
	cop__free(g->cx, need);
	return can;
}

cop_status cop__cut_front(cop_graph **out, const cop_graph *g, const cop_vid *v, int n_v)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	bool *need = cop__arena_get(&(*out)->mem, (size_t)g->n_value + 1);
	cop_status st = need ? cop__copy_inputs(*out, g, map) : COP_NOMEM;
	for (int i = 0; !st && i < n_v; i++) mark_before(need, g, v[i]);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		if (need[g->node[n].out[0]]) st = cop__copy_node(*out, g, map, n);
	for (int i = 0; !st && i < n_v; i++) st = cop__output(*out, map[v[i]], NULL);
	return cop__pass_end(out, st);
}

cop_status cop__cut_back(cop_graph **out, const cop_graph *g, cop_vid v)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	bool *need = cop__arena_get(&(*out)->mem, (size_t)g->n_value + 1);
	const cop_type t = *cop__t(g, v);
	cop_status st = need && (map[v] = cop__input(*out, g->value[v].name ? g->value[v].name : "cut", &t)) ? COP_OK : cop__failed(g->cx);
	if (!st) mark_before(need, g, v);
	if (!st) (*out)->value[map[v]].lead = 1, (*out)->value[map[v]].samples = t.dim[0];
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		if (!need[g->node[n].out[0]]) st = cop__copy_node(*out, g, map, n);
	if (!st) st = cop__copy_end(*out, g, map);
	return cop__pass_end(out, st);
}

/* ---- the passes ---- */

/* *g becomes its part; v: where the cut is. */
static cop_status front(cop_graph **out, const cop_graph *g, cop_vid v)
{
	COP_TRY(cop__cut_front(out, g, &v, 1));
	(*out)->classes.count = (*out)->targets.count = 0;
	(*out)->accuracy = -1;
	return mark(*out, (*out)->output[0], g, v);
}

static cop_status back(cop_graph **out, const cop_graph *g, cop_vid v)
{
	COP_TRY(cop__cut_back(out, g, v));
	(*out)->samples = (cop_samples){0};
	return mark(*out, (*out)->input[0], g, v);
}

typedef cop_status cut_fn(cop_graph **out, const cop_graph *g, cop_vid v);

static cop_status cut(cop_graph **out, const cop_graph *g, const void *a, cut_fn *part)
{
	const cut_options *o = a;
	cop_graph *made = NULL;
	cop_vid v = cop__result_named(g, o->at);

	*out = NULL;
	if (!v) return cop__error(g->cx, COP_ARG, "cut: at='%s': there is no such layer", o->at);
	COP_TRY(place(&v, g));
	if (!v) return cop__error(g->cx, COP_ARG, "cut: at='%s': an output of '%s' is not behind it", o->at, g->name);
	cop_status st = part(&made, g, v);
	if (!st) st = cop__pass_dce(out, made);
	cop_graph_free(made);
	return st;
}

static cop_status run_front(cop_graph **out, const cop_graph *g, const void *a) { return cut(out, g, a, front); }
static cop_status run_back(cop_graph **out, const cop_graph *g, const void *a) { return cut(out, g, a, back); }

const cop_pass cop_pass_front = {{"front", "keeps the first part of a network, up to the result of a layer", NULL, options, sizeof(cut_options)}, run_front};
const cop_pass cop_pass_back = {{"back", "keeps the part of a network that is behind the result of a layer, which becomes its input", NULL, options, sizeof(cut_options)}, run_back};
