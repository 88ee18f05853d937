/* SPDX-License-Identifier: Apache-2.0
 *
 * carry - what the rule of updates keeps (momentum, and the step that it counts) from one training of a network to the next: states that follow
 * their weight, so that every pass between slices and copies them with it. Files do not hold them.
 */
#include "pass/pass.h"
#include "train/build_record.h"
#include "train/neurons.h"
#include "train/trainer.h"

static cop_status carry_one(cop_graph *model, const cop_trainer *t, cop_vid w, const char *what)
{
	const cop_graph *g = cop__trainer_graph(t);
	cop_vid there = cop__find(g, model->value[w].name), kept = there ? cop__follower(g, there, what) : 0;

	return kept && !cop__follow(model, w, COP_STATE, what, cop__t(g, kept), NULL) ? (cop__failed(model->cx)) : COP_OK;
}

static void drop(cop_graph *model, cop_vid w, const char *what)
{
	cop_vid v = cop__follower(model, w, what);
	if (v) cop__put_contents(model, v, NULL);
}

/* States of rules that did not run are of older weights. */
static void forget(cop_graph *model, cop_vid w)
{
	for (int i = 0; cop__moved_name(i); i++) drop(model, w, cop__moved_name(i));
	for (int i = 0; cop_updates.row(i); i++) {
		const cop_update *u = (const cop_update *)(const void *)cop_updates.row(i);
		for (int k = 0; k < LEN(u->state) && u->state[k]; k++) drop(model, w, u->state[k]);
	}
}

/* What the rule keeps once for all weights, and what such a number has as its followers. */
static cop_status carry_once(cop_graph *model, const cop_graph *g)
{
	for (int32_t v = 1; v <= model->n_value; v++)
		if (cop__is_of_rule(&model->value[v])) cop__put_contents(model, (cop_vid)v, NULL);
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (!cop__is_of_rule(x) || cop__find(model, x->name)) continue;
		cop_vid to = cop__data(model, COP_STATE, x->name, &x->type, NULL);
		if (!to) return cop__failed(model->cx);
		if (x->of) model->value[to].of = cop__find(model, g->value[x->of].name);
	}
	return COP_OK;
}

cop_status cop__trainer_carry(cop_trainer *t, cop_graph *model)
{
	const cop_graph *g = cop__trainer_graph(t);
	const cop_build *b = cop__trainer_build(t);
	const int32_t n = model->n_value;
	cop_type one = cop__type(COP_I32, 1, DIMS(1));

	for (int32_t w = 1; w <= n; w++) {
		if (model->value[w].role != COP_PARAM) continue;
		forget(model, (cop_vid)w);
		for (int k = 0; cop__build_kept(b, k); k++) COP_TRY(carry_one(model, t, (cop_vid)w, cop__build_kept(b, k)));
	}
	COP_TRY(carry_once(model, g));
	if (cop__find(g, "step") && !cop__find(model, "step") && !cop__data(model, COP_STATE, "step", &one, NULL)) return COP_NOMEM;
	return cop_trainer_pull(t, model);
}

static bool is_kept(const cop_graph *g, cop_vid v)
{
	if (cop__is_of_rule(&g->value[v])) return true;
	for (int i = 0; g->value[v].of && cop__moved_name(i); i++)
		if (cop__follower(g, g->value[v].of, cop__moved_name(i)) == v) return true;
	for (int i = 0; g->value[v].of && cop_updates.row(i); i++) {
		const cop_update *u = (const cop_update *)(const void *)cop_updates.row(i);
		for (int k = 0; k < LEN(u->state) && u->state[k]; k++)
			if (cop__follower(g, g->value[v].of, u->state[k]) == v) return true;
	}
	return false;
}

/* The rest of the graph, weights in their order. */
static cop_status without(cop_graph **out, const cop_graph *g, cop_goes_fn *goes)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	int32_t *readers = cop__readers(g, &(*out)->mem);
	cop_status st = readers ? cop__copy_inputs(*out, g, map) : COP_NOMEM;
	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role < COP_CONST || goes(g, (cop_vid)v, readers)) continue;
		if (!cop__copy_value(*out, g, map, (cop_vid)v)) st = cop__failed(g->cx);
	}
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = cop__copy_node(*out, g, map, n);
	if (!st) st = cop__copy_end(*out, g, map);
	return cop__pass_end(out, st);
}

cop_status cop__take_away(cop_graph *model, cop_goes_fn *goes)
{
	cop_graph *made;

	COP_TRY(without(&made, model, goes));
	cop_graph old = *model;
	*model = *made;
	*made = old;
	cop_graph_free(made);
	return COP_OK;
}

static bool is_carried(const cop_graph *g, cop_vid v, const int32_t *readers) { return is_kept(g, v) || (!readers[v] && !strcmp(g->value[v].name, "step")); }

cop_status cop__carry_nothing(cop_graph *model)
{
	bool any = false;

	for (int32_t v = 1; v <= model->n_value; v++) any |= is_kept(model, (cop_vid)v) || (model->value[v].role == COP_STATE && !strcmp(model->value[v].name, "step"));
	return any ? cop__take_away(model, is_carried) : COP_OK;
}
