/* SPDX-License-Identifier: Apache-2.0
 *
 * adapt - the layers that a device trains, with what that takes. Nothing is trained here for good.
 */
#include "compress/adapt/adapt.h"
#include "core/need.h"
#include "kernel/keep.h"

#include <math.h>
#include <stdio.h>

/* As a board gets it: bytes in the place of floats that are made bytes first. */
static cop_status set_up(cop_adapter *z)
{
	int32_t ints;

	COP_TRY(cop_target_find(&z->t, z->cx, z->a->target ? z->a->target : "cortex-m4"));
	if (z->a->ram && z->t.ram && z->a->ram > z->t.ram) return cop__error(z->cx, COP_ARG, "adapt: target %s has only %zu bytes of RAM", z->t.name, z->t.ram);
	if (z->a->ram) z->t.ram = z->a->ram;
	COP_TRY(cop__adapt_check_choice(z));
	COP_TRY(cop__adapt_items(z));
	COP_TRY(cop_graph_copy(&z->priced, z->g));
	ints = !strncmp(z->rule, "qsgd", 4);
	return ints ? cop_graph_apply(&z->priced, "int8_io") : COP_OK;
}

/* The layers that were named, beside the last one. */
static cop_status named(uint8_t *level, const cop_adapter *z)
{
	const char *names = z->a->layers;
	bool any = cop__match(names, z->last[0]) || (z->last[1] && cop__match(names, z->last[1]));

	for (int32_t i = 0; i < z->n; i++) {
		const cop_adapt_item *it = &z->item[i];
		bool w = cop__match(names, it->weight), b = it->bias && cop__match(names, it->bias);
		level[i] = w ? COP_TRAIN_ALL : b ? COP_TRAIN_BIAS : COP_TRAIN_NONE;
		any |= w || b;
	}
	return any ? COP_OK : cop__error(z->cx, COP_ARG, "adapt: no layer of '%s' that can be trained has weights or a bias named '%s'", z->g->name, names);
}

static bool by_chance(const cop_adapter *z) { return z->a->choose && !strcmp(z->a->choose, "random"); }

static cop_status choose(cop_adapted *out, cop_adapter *z, uint8_t *level)
{
	if (z->a->layers) return named(level, z);
	if (!by_chance(z)) {
		COP_TRY(cop__adapt_prices(z));
		COP_TRY(cop__adapt_gains(z));
	}
	COP_TRY(cop__adapt_choose(z, level));
	for (int32_t i = 0; i < COP_MIN(z->n, COP_MOST_ADAPT); i++) {
		const cop_adapt_item *it = &z->item[i];
		cop_adapt_layer *l = &out->layer[i];
		if (by_chance(z)) continue;
		l->gain = (float)it->gain[COP_TRAIN_ALL];
		if (it->bias) l->bias_gain = (float)it->gain[COP_TRAIN_BIAS];
		l->bias_bytes = it->bias ? (int64_t)(it->reach + it->price[COP_TRAIN_BIAS] - (double)out->least) : 0;
		l->bytes = (int64_t)(it->reach + it->price[COP_TRAIN_ALL] - (double)out->least);
	}
	return COP_OK;
}

static void list(cop_adapted *out, const cop_adapter *z, const uint8_t *level)
{
	out->n = COP_MIN(z->n, COP_MOST_ADAPT);
	for (int32_t i = 0; i < out->n; i++) {
		snprintf(out->layer[i].weight, sizeof out->layer[i].weight, "%s", z->item[i].weight);
		out->layer[i].weights = level[i] == COP_TRAIN_ALL;
		out->layer[i].bias = level[i] && z->item[i].bias;
	}
}

/* The chosen step as it will be printed: bands are looked for once more, for these layers. */
static cop_status final(cop_adapted *out, cop_adapter *z, const char *spec)
{
	cop_step_ram r;

	*z->bands.at = 0;
	if (z->a->patch > 0) z->bands.bands = 1;
	COP_TRY(cop__adapt_ram(&r, z, spec));
	out->ram = r.all, out->arena = r.arena, out->parameters = r.parameters, out->state = r.state;
	out->save_bytes = cop_keep_most((uint32_t)r.parameters, r.parts);
	if (z->t.ram && r.all > z->t.ram)
		return cop__error(z->cx, COP_BUDGET, "adapt: a step that trains these layers needs %zu bytes of RAM, and %zu are allowed: arena %zu, parameters %zu, state %zu, stack %d", r.all, z->t.ram,
			r.arena, r.parameters, r.state, COP_STACK);
	return COP_OK;
}

/* Does the last layer alone fit? */
static cop_status least(cop_adapted *out, cop_adapter *z, cop_text *spec)
{
	cop_step_ram r;

	COP_TRY(cop__adapt_spec(spec, z, NULL));
	COP_TRY(cop__adapt_bands(z, spec->data));
	COP_TRY(cop__adapt_ram(&r, z, spec->data));
	out->least = r.all;
	if (!z->t.ram || r.all <= z->t.ram) return COP_OK;
	return cop__error(z->cx, COP_BUDGET, "adapt: %zu bytes of RAM are allowed, and a step that trains the last layer alone needs %zu%s", z->t.ram, r.all,
		z->a->patch > 0 ? "" : "; computing the first layers in bands may take less (patch)");
}

static cop_status put_spec(cop_adapted *out, cop_adapter *z, const uint8_t *level, cop_text *spec)
{
	COP_TRY(cop__adapt_spec(spec, z, level));
	if (spec->len >= sizeof out->spec) return cop__error(z->cx, COP_ARG, "adapt: the names of the layers that are trained are longer than %zu characters together; name them by a pattern", sizeof out->spec - 1);
	strcpy(out->spec, spec->data);
	list(out, z, level);
	return final(out, z, spec->data);
}

static bool any(const cop_adapter *z, const uint8_t *level)
{
	for (int32_t i = 0; i < z->n; i++)
		if (level[i]) return true;
	return false;
}

/* A choice is better the more layers it trains, though slower to begin with; so a trial has to speak against it clearly. */
static const double CLEARLY = 0.9;

static cop_status try_choice(double *loss, cop_adapted *out, cop_adapter *z, double alone)
{
	cop_status st = cop__adapt_rate(&out->lr, loss, z, out->spec);

	if (st == COP_DIVERGED) cop_error_clear(z->cx), *loss = INFINITY, st = COP_OK; /* at every rate */
	COP_TRY(st);
	out->ran_away = alone < CLEARLY * *loss;
	return COP_OK;
}

/* The rate that suits the choice. Layers that gain one by one may run away together. Where the last layer alone does clearly better in a trial, layers are added one
 * after the other; where that does not help, the last layer is trained alone. */
static cop_status settle_rate(cop_adapted *out, cop_adapter *z, uint8_t *level, cop_text *spec)
{
	double alone, loss;
	float lr;

	if (z->a->layers || by_chance(z) || !any(z, level)) return cop__adapt_rate(&out->lr, NULL, z, out->spec);
	COP_TRY(cop__adapt_spec(spec, z, NULL));
	COP_TRY(cop__adapt_rate(&lr, &alone, z, spec->data));
	COP_TRY(try_choice(&loss, out, z, alone));
	if (!out->ran_away) return COP_OK;
	cop__log(z->cx, COP_LOG_INFO, "adapt: the layers that gain one by one do worse together (loss %.3f) than the last layer alone (%.3f): they are added one after the other", loss, alone);
	COP_TRY(cop__adapt_together(level, z, lr));
	if (any(z, level)) {
		COP_TRY(put_spec(out, z, level, spec));
		COP_TRY(try_choice(&loss, out, z, alone));
		if (!out->ran_away) return COP_OK;
	}
	out->lr = lr;
	memset(level, COP_TRAIN_NONE, (size_t)z->n);
	return put_spec(out, z, level, spec);
}

static cop_status work(cop_adapted *out, cop_adapter *z, cop_text *spec)
{
	COP_TRY(set_up(z));
	uint8_t *level = cop__arena_get(&z->mem, (size_t)z->n + 1);
	if (!level) return COP_NOMEM;
	for (int32_t i = 0; i < COP_MOST_ADAPT; i++) out->layer[i].gain = out->layer[i].bias_gain = NAN;
	COP_TRY(least(out, z, spec));
	COP_TRY(choose(out, z, level));
	COP_TRY(put_spec(out, z, level, spec)); /* before trials, which take long: it may not fit */
	COP_TRY(settle_rate(out, z, level, spec));
	return cop__adapt_seconds(&out->step_seconds, z, out->spec);
}

cop_status cop_adapt_choose(cop_adapted *out, const cop_graph *g, cop_dataset *data, const cop_adapt_args *a)
{
	COP_NEED(COP_CX(g), out);
	*out = (cop_adapted){.n = 0};
	COP_NEED(COP_CX(g), g);
	COP_NEED(g->cx, a);
	COP_NEED(g->cx, data);
	cop_adapter z = {.cx = g->cx, .g = g, .data = data, .a = a};
	cop_text spec;

	cop__arena_init(&z.mem, g->cx);
	cop__text_init(&spec, g->cx);
	cop_status st = work(out, &z, &spec);
	cop__text_free(&spec);
	cop_graph_free(z.priced);
	cop__arena_free(&z.mem);
	return st;
}
