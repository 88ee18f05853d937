/* SPDX-License-Identifier: Apache-2.0
 *
 * patterns - a pattern of layers that no weight matches is a mistake of writing, found before any work begins.
 */
#include "compress/compress.h"

#include <stdio.h>

static bool is_weight(const cop_value *x) { return x->role == COP_PARAM && x->name && x->type.rank >= 2; }

/* Names of weights, one after the other. */
static const char *weight_name(void *ud, int i)
{
	const cop_graph *g = ud;

	for (int32_t v = 1; v <= g->n_value; v++)
		if (is_weight(&g->value[v]) && !i--) return g->value[v].name;
	return NULL;
}

cop_status cop__some_weight(const cop_graph *g, const char *where, const char *pattern)
{
	const char *name;
	char known[160] = "";
	cop_hint hint;

	for (int i = 0; (name = weight_name((void *)(uintptr_t)g, i)); i++) {
		if (cop__match(pattern, name)) return COP_OK;
		if (strlen(known) + strlen(name) + 8 < sizeof known) snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? " " : "", name);
		else if (known[strlen(known) - 1] != '.') strcat(known, " ...");
	}
	return cop__error(g->cx, COP_ARG, "%s '%s' matches no weight of the network; they are called: %s%s", where, pattern, *known ? known : "(it has none)",
		cop__hint(&hint, pattern, weight_name, (void *)(uintptr_t)g));
}

cop_status cop__recipe_fits(const cop_recipe *r, const cop_graph *g)
{
	char where[64];

	for (int32_t i = 0; i < r->n_stage; i++) {
		const cop_stage *s = &r->stage[i];
		snprintf(where, sizeof where, "recipe, line %d: %s: layers:", s->line, cop__stage_text(s->kind));
		COP_TRY(cop__some_weight(g, where, s->layers));
		for (int32_t k = 0; k < s->n_rate; k++) {
			snprintf(where, sizeof where, "recipe, line %d: %s: the rate of", s->line, cop__stage_text(s->kind));
			COP_TRY(cop__some_weight(g, where, s->rate[k].layers));
		}
		snprintf(where, sizeof where, "recipe, line %d: %s: keep:", s->line, cop__stage_text(s->kind));
		if (*s->keep_float) COP_TRY(cop__some_weight(g, where, s->keep_float));
	}
	return COP_OK;
}
