/* SPDX-License-Identifier: Apache-2.0
 *
 * explain - the public call: a sample and a class, and all maps of them that the network allows.
 */
#include "core/need.h"
#include "explain/explain.h"

#include <stdio.h>

static const cop_map_row *const rows[COP_MAPS] = {
#define MAP(name, NAME) [COP_##NAME] = &cop_map_##name,
#include "explain/map.def"
#undef MAP
};

static const cop_row *row(int i) { return i >= 0 && i < COP_MAPS ? &rows[i]->row : NULL; }
const cop_table cop__maps = {"maps", "map", "what can be drawn of what a network looked at", row};

/* The picture and its maps, in one piece of memory; channels last. */
static cop_status rooms(cop_explanation *e, const cop_look *l)
{
	const cop_frame *f = &l->frame;
	const size_t pixels = (size_t)f->h * (size_t)f->w;

	*e = (cop_explanation){.cx = l->cx, .h = f->h, .w = f->w, .channels = f->c};
	if (!(e->picture = cop__alloc(l->cx, sizeof *e->picture * pixels * ((size_t)f->c + COP_MAPS)))) return COP_NOMEM;
	for (int i = 0; i < COP_MAPS; i++) e->map[i] = e->picture + pixels * (size_t)(f->c + i);
	for (int32_t y = 0; y < f->h; y++)
		for (int32_t x = 0; x < f->w; x++)
			for (int32_t c = 0; c < f->c; c++) e->picture[(y * f->w + x) * f->c + c] = l->sample[cop__frame_at(f, y, x, c)];
	return COP_OK;
}

static int32_t highest(const float *score, int32_t n)
{
	int32_t best = 0;

	for (int32_t i = 1; i < n; i++)
		if (score[i] > score[best]) best = i;
	return best;
}

static cop_status draw(cop_explanation *e, cop_look *l, const cop_explain_args *a)
{
	COP_TRY(cop__look_scores(l, l->sample));
	e->output = a->output < 0 ? highest(l->scores, l->outputs) : a->output;
	e->score = l->scores[e->output];
	COP_TRY(cop__look_back(l, e->output));
	for (int i = 0; i < COP_MAPS; i++) {
		if (rows[i]->gradients && *l->refused) snprintf(e->why[i], COP_WHY, "it has no gradients: %.*s", COP_WHY - 32, l->refused);
		else if (!a->leave[i]) COP_TRY(rows[i]->draw(e->map[i], l, a, e->output, e->why[i]));
		if (*e->why[i] || a->leave[i]) e->map[i] = NULL;
	}
	return COP_OK;
}

static cop_status check(cop_ctx *cx, const cop_explain_args *a)
{
	if (a->patch < 0 || a->stride < 0 || a->random < 0)
		return cop__error(cx, COP_ARG, "cop_explain: patch, stride and random may not be below 0");
	return COP_OK;
}

cop_status cop_explain(cop_explanation *out, const cop_graph *g, cop_dataset *data, const cop_explain_args *args)
{
	COP_NEED(COP_CX(g), out);
	*out = (cop_explanation){0};
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), data);
	static const cop_explain_args none = {.output = -1};
	const cop_explain_args *a = args ? args : &none;
	cop_look l;

	COP_TRY(check(g->cx, a));
	cop_status st = cop__look_open(&l, g, data, a);
	if (!st && a->output >= l.outputs) st = cop__error(g->cx, COP_ARG, "output %d: '%s' has %d, counted from 0", a->output, g->name, l.outputs);
	if (!st) st = rooms(out, &l);
	if (!st) st = cop__randomise(l.form, a->random, a->seed, &out->weights, out->layer);
	if (!st) st = cop__look_ready(&l, a->threads);
	if (!st) st = draw(out, &l, a);
	cop__look_close(&l);
	if (st) cop_explanation_free(out);
	return st;
}

void cop_explanation_free(cop_explanation *e)
{
	if (!e) return;
	if (e->cx) cop_free(e->cx, e->picture);
	*e = (cop_explanation){0};
}
