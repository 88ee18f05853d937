/* SPDX-License-Identifier: Apache-2.0
 *
 * fits - is a recipe sensible for a network? Asked before any work: a pattern that matches no weight is a mistake of writing, and a stage
 * that needs what an earlier one took away would fail after hours.
 */
#include "compress/layers.h"

#include <stdio.h>

/* ---- patterns ---- */

static cop_status patterns_of(const cop_graph *g, const cop_stage *s, const cop_option *o, const char *to)
{
	char where[120];

	for (; o && o->name; o++) {
		const char *names = to + o->offset;
		const cop_rates *r = (const cop_rates *)(const void *)(to + o->offset);
		snprintf(where, sizeof where, "recipe, line %d: %s: %s:", s->line, s->row->row.name, o->name);
		if (o->kind == COP_NAMES && *names) COP_TRY(cop__some_weight(g, where, names));
		snprintf(where, sizeof where, "recipe, line %d: %s: %s: the rate of", s->line, s->row->row.name, o->name);
		for (int32_t k = 0; o->kind == COP_RATES && k < r->n; k++) COP_TRY(cop__some_weight(g, where, r->at[k].layers));
	}
	return COP_OK;
}

static cop_status all_patterns(const cop_graph *g, const cop_stage *s)
{
	COP_TRY(patterns_of(g, s, s->row->terms, (const char *)&s->terms));
	return patterns_of(g, s, s->row->row.options, s->own.bytes);
}

static cop_status some_work(const cop_graph *g, const cop_stage *s)
{
	char where[120];

	snprintf(where, sizeof where, "recipe, line %d: %s: layers:", s->line, s->row->row.name);
	return s->row->can ? cop__some_usable(g, where, s->terms.layers, s->row->can) : COP_OK;
}

/* ---- order ---- */

/* What a network may have, and the pass that leads back from it. */
static const struct { const char *what, *back; } have[COP_N_HAS] = {
	{"weights made of floats", ""}, {"masks of pruned weights", ""}, {"encoded weights", "; the pass `decode` makes plain numbers of them (coppice apply NET decode -o PLAIN)"},
	{"integers", "; the pass `floats` makes floats of them that can be trained (coppice apply NET floats -o FLOATS)"}, {"shared weights", ""},
	{"values that are rounded as in integers", ""}, {"sums of bits", ""},
};

/* at[b]: the stage that has last changed bit b; NULL: the network came so. */
static cop_status senseless(const cop_graph *g, const cop_stage *s, int b, bool never, const cop_stage *at)
{
	char when[60] = "already";

	if (at) snprintf(when, sizeof when, "after %s in line %d", at->row->row.name, at->line);
	if (never)
		return cop__error(g->cx, COP_ARG, "recipe, line %d: %s can't work on a network with %s, which it has %s%s", s->line,
			s->row->row.name, have[b].what, when, at ? "; put it before" : have[b].back);
	return cop__error(g->cx, COP_ARG, "recipe, line %d: %s needs %s, which the network does not have%s%s%s", s->line,
		s->row->row.name, have[b].what, at ? " " : "", at ? when : "", at ? "; put it before" : "");
}

uint32_t cop__stage_never(const cop_stage *s)
{
	return (s->row->never & ~(s->row->allows ? s->row->allows(s) : 0)) | (s->row->bears_rounding ? 0 : COP_HAS_ROUNDING) |
		(s->row->bears_bits ? 0 : COP_HAS_BITS);
}

uint32_t cop__allows_whole(const cop_stage *s) { return strcmp(s->terms.layers, "*") ? 0 : COP_HAS_SHARED; }

bool cop__stage_follows(uint32_t has, const cop_stage *s) { return !(cop__stage_never(s) & has) && !(s->row->needs & ~has); }

uint32_t cop__stage_after(uint32_t has, const cop_stage *s)
{
	uint32_t spared = s->row->spares ? s->row->spares(s->own.bytes) : 0;
	return (has & ~(s->row->takes & ~spared)) | (s->row->given ? s->row->given(s->own.bytes) : s->row->gives);
}

static cop_status in_order(const cop_graph *g, const cop_recipe *r)
{
	uint32_t has = cop__has(g);
	const cop_stage *at[COP_N_HAS] = {NULL};

	for (int32_t i = 0; i < r->n_stage; i++) {
		const cop_stage *s = &r->stage[i];
		uint32_t next = cop__stage_after(has, s);
		for (int b = 0; b < 2 * COP_N_HAS; b++) { /* what is in the way is said before what is missing */
			bool never = b < COP_N_HAS;
			uint32_t bit = 1u << b % COP_N_HAS;
			if (never ? cop__stage_never(s) & has & bit : s->row->needs & ~has & bit) return senseless(g, s, b % COP_N_HAS, never, at[b % COP_N_HAS]);
		}
		for (int b = 0; b < COP_N_HAS; b++)
			if ((has ^ next) & 1u << b) at[b] = s;
		has = next;
	}
	return COP_OK;
}

cop_status cop__recipe_fits(const cop_recipe *r, const cop_graph *g)
{
	COP_TRY(in_order(g, r)); /* first: a network of integers has no weight that a pattern could match */
	for (int32_t i = 0; i < r->n_stage; i++) COP_TRY(all_patterns(g, &r->stage[i]));
	for (int32_t i = 0; i < r->n_stage; i++) COP_TRY(some_work(g, &r->stage[i]));
	for (int32_t i = 0; i < r->n_stage; i++)
		if (r->stage[i].row->fits) COP_TRY(r->stage[i].row->fits(g, &r->stage[i]));
	return COP_OK;
}
