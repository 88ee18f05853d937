/* SPDX-License-Identifier: Apache-2.0
 *
 * prune - the stage: removes weights while the network keeps training.
 *
 * Each tensor gets a STATE "<w>.mask" of ones and zeros; the training graph multiplies gradients by it, so a weight that was set to zero
 * stays exactly zero. What is cut is decided on the weights of the moment.
 */
#include "compress/prune/pruner.h"

#include <stdio.h>

static const cop_option options[] = {
	{COP_OPTION_FIELD(cop_prune_options, keep, COP_RATES,
		"the part that stays: a number, or a map of patterns to numbers, as `{conv*: 0.5, fc*: "
		"0.08}` (then `scope: layer`); not with `what: nm`"), .lo = 0.0001, .hi = 1},
	COP_OPT_CHOICE(cop_prune_options, what, &cop__grains, "weight", "what goes as a whole"),
	COP_OPT_CHOICE(cop_prune_options, by, &cop__scores, "magnitude", "the score that decides"),
	COP_OPT_CHOICE(cop_prune_options, scope, &cop__scopes, "global", "how the cut is divided among the layers"),
	COP_OPT_CHOICE(cop_prune_options, schedule, &cop__cuts, "cubic", "when there are cuts"),
	COP_OPT_WHOLE(cop_prune_options, samples, 0, 1e6, "0",
		"samples of the training set that a score looks at, where it needs any; 0: 4096 for obd and fisher, else 256"),
	COP_OPT_FLAG(cop_prune_options, train, "yes", "whether the network trains on; no: it is cut, and that is all (then `schedule: once`)"),
	COP_OPT_END,
};

/* ---- out of the session and back ---- */

static bool moves(const cop_pruner *p) { return (p->by->reads & COP_READS_MOVED) != 0; }

static cop_status build(void *ud, cop_build *b)
{
	cop_pruner *p = ud;

	for (int32_t i = 0; i < p->it.n_layer; i++) {
		const char *name = p->it.layer[i].name, *kept;
		cop_held *h = &p->held[i];
		*h = (cop_held){.weight = cop__build_value(b, name), .mask = cop__build_follower(b, name, "mask")};
		while (h->n_kept < COP_HELD && (kept = cop__build_kept(b, h->n_kept))) h->kept[h->n_kept++] = cop__build_follower(b, name, kept);
		if (!h->weight || !h->mask) return cop__failed(p->it.cx);
		if (moves(p)) COP_TRY(cop__moved_build(p, b, i));
	}
	return p->when->returns ? cop__rewind_build(p, b) : COP_OK;
}

/* Weights, and which items are there still: those of which any number is. */
static cop_status gather(cop_pruner *p, const cop_progress *m)
{
	memset(p->mask, 0, sizeof *p->mask * (size_t)p->it.n);
	for (int32_t i = 0; i < p->it.n_layer; i++) {
		const cop_pruned *l = &p->it.layer[i];
		float *w, *mask;
		COP_TRY(cop__held(&w, m, p->held[i].weight));
		COP_TRY(cop__held(&mask, m, p->held[i].mask));
		memcpy(p->weight + l->offset, w, sizeof *w * (size_t)l->count);
		for (int64_t j = 0; !l->follows && j < l->count; j++) {
			int64_t k = cop__item_of(&p->it, l, j);
			if (k >= 0 && mask[j] != 0) p->mask[k] = 1;
		}
	}
	return moves(p) ? cop__moved_gather(p, m) : COP_OK;
}

static void clear(const cop_pruner *p, const cop_pruned *l, float *v)
{
	for (int64_t j = 0; j < l->count; j++) {
		int64_t k = cop__item_of(&p->it, l, j);
		if (k >= 0 && p->mask[k] == 0) v[j] = 0;
	}
}

/* Zeros for what has gone: in the weight, in its mask, in what the rule of updates keeps for it. */
static cop_status scatter(cop_pruner *p, const cop_progress *m)
{
	if (moves(p)) COP_TRY(cop__moved_scatter(p, m));
	for (int32_t i = 0; i < p->it.n_layer; i++) {
		const cop_held *h = &p->held[i];
		float *x;
		for (int k = -2; k < h->n_kept; k++) {
			cop_handle handle = k == -2 ? h->weight : k == -1 ? h->mask : h->kept[k];
			if (!cop__find(cop__trainer_graph(m->t), cop__build_name(cop__trainer_build(m->t), handle))) continue; /* the rule keeps none for this one */
			COP_TRY(cop__held(&x, m, handle));
			clear(p, &p->it.layer[i], x);
		}
	}
	return COP_OK;
}

/* Weights that a score has changed after the cut. */
static cop_status mend(cop_pruner *p, const cop_progress *m, const cop_look *l)
{
	float *w;

	if (!p->by->mend) return COP_OK;
	COP_TRY(p->by->mend(l, p->weight));
	for (int32_t i = 0; i < p->it.n_layer; i++) {
		COP_TRY(cop__held(&w, m, p->held[i].weight));
		memcpy(w, p->weight + p->it.layer[i].offset, sizeof *w * (size_t)p->it.layer[i].count);
		clear(p, &p->it.layer[i], w);
	}
	return COP_OK;
}

/* ---- cutting ---- */

/* The network as it is now, for scores that look at more than weights. */
static cop_status model_of(cop_graph **out, const cop_pruner *p, const cop_progress *m)
{
	COP_TRY(cop__pass_copy(out, p->g));
	return cop_trainer_pull(m->t, *out);
}

static cop_status cut(cop_pruner *p, const cop_progress *m, double t)
{
	const cop_prune_options *o = p->o;
	const cop_cut c = {.it = &p->it, .score = p->score, .mask = p->mask, .scratch = p->scratch, .room = p->room, .order = p->order,
		.keep = &o->keep, .options = o->scope.o.bytes, .t = t, .part = p->when->part};
	cop_look l = {.it = &p->it, .row = p->by, .options = o->by.o.bytes, .train = p->m->train, .a = p->m->a, .samples = cop__score_samples(p->by, o->samples),
		.weight = p->weight, .moved = p->moved, .mask = p->mask, .score = p->score};
	bool more = p->by->all || p->by->mend || p->by->reads & ~(uint32_t)(COP_READS_WEIGHT | COP_READS_MOVED);
	cop_graph *model = NULL;

	COP_TRY(gather(p, m));
	cop_status st = more ? model_of(&model, p, m) : COP_OK;
	l.model = model;
	if (!st) st = cop__look(&l);
	if (!st && p->it.bundle) cop__cut_bundles(&c);
	else if (!st) cop__allot(o->scope.row)->cut(&c);
	if (!st && p->rewind) st = cop__rewind_return(p, m, t >= 1);
	if (!st) st = scatter(p, m);
	if (!st) st = mend(p, m, &l);
	cop_graph_free(model);
	return st;
}

static cop_status at(cop_pruner *p, const cop_progress *m)
{
	double t;
	return p->when->due(&t, p->o->schedule.o.bytes, m->step, m->steps) ? cut(p, m, t) : COP_OK;
}

static cop_status before(void *ud, const cop_progress *m)
{
	cop_pruner *p = ud;

	if (!m->step || p->rewind) COP_TRY(at(p, m)); /* a round that is over is scored with its own weights, so the next one begins with the cut */
	if (p->rewind) cop__rewind_rate(p, m);
	return moves(p) ? cop__moved_before(p, m) : COP_OK;
}

static cop_status after(void *ud, const cop_progress *m, cop_verdict *v)
{
	cop_pruner *p = ud;

	(void)v;
	if (moves(p)) COP_TRY(cop__moved_after(p, m));
	if (p->rewind) COP_TRY(cop__rewind_note(p, m));
	return p->rewind && m->step < m->steps ? COP_OK : at(p, m);
}

/* ---- the stage ---- */

/* A mask for every tensor; one that is there already (an earlier stage) goes on. */
static cop_status add_masks(cop_graph *g, const cop_items *it)
{
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		cop_type t = *cop__t(g, l->v);
		char name[160];
		snprintf(name, sizeof name, "%s.mask", l->name);
		if (cop__find(g, name)) continue;
		cop_vid mask = cop__data(g, COP_STATE, name, &t, NULL);
		float *ones = mask ? cop__own(g, mask) : NULL;
		if (!ones) return cop__failed(g->cx);
		for (int64_t j = 0; j < l->count; j++) ones[j] = 1;
		g->value[mask].of = l->v;
	}
	return COP_OK;
}

static cop_status room(cop_pruner *p)
{
	cop_arena *mem = &p->it.mem;

	p->held = cop__arena_get(mem, sizeof *p->held * (size_t)p->it.n_layer);
	p->weight = cop__arena_get(mem, (size_t)p->it.count * 4);
	p->moved = cop__arena_get(mem, moves(p) ? (size_t)p->it.count * 4 : 4);
	p->score = cop__arena_get(mem, (size_t)p->it.n * 4);
	p->mask = cop__arena_get(mem, (size_t)p->it.n * 4);
	p->scratch = cop__arena_get(mem, (size_t)p->it.n * 4);
	p->room = cop__arena_get(mem, (size_t)p->it.n * 8);
	p->order = cop__arena_get(mem, (size_t)p->it.n * 4);
	return p->room && p->order && p->held && p->weight && p->moved && p->score && p->mask && p->scratch ? COP_OK : COP_NOMEM;
}

/* A weight that the rule of updates leaves as it is can't make good for what goes. */
static cop_status none_frozen(const cop_items *it, const char *update)
{
	const char *at = update ? strstr(update, "layers=") : NULL;
	char only[128];

	if (!at) return COP_OK;
	snprintf(only, sizeof only, "%.*s", (int)strcspn(at + 7, " ,"), at + 7);
	for (int32_t i = 0; i < it->n_layer; i++)
		if (!it->layer[i].follows && !cop__match(only, it->layer[i].name))
			return cop__error(it->cx, COP_ARG,
				"prune: '%s' is frozen: update trains layers=%s alone; leave it out with layers, or give train: no",
				it->layer[i].name, only);
	return COP_OK;
}

/* One cut and no step: a trainer holds the tensors all the same. */
static cop_status cut_alone(cop_pruner *p, const cop_train_args *a)
{
	cop_trainer *t;
	cop_build *b;

	COP_TRY(cop__build_new(&b, p->g, 1, cop_type_count(&p->m->train->x)));
	cop_status st = cop__build_spec(b, a->update ? a->update : "");
	if (!st) cop__build_no_terms(b);
	if (!st) st = cop__build_term(b, &(cop_term){.loss = cop__loss("mse")});
	if (!st) st = build(p, b);
	if (st) return cop__build_free(b), st;
	COP_TRY(cop__trainer_new(&t, b, a->threads, false));
	st = cut(p, &(cop_progress){.t = t}, 1);
	if (!st) st = cop__trainer_carry(t, p->g);
	cop_trainer_free(t);
	return st;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const cop_prune_options *o = (const void *)s->own.bytes;
	cop_train_args a = cop__stage_args(s, m);
	cop_pruner p = {.o = o, .when = cop__when(o->schedule.row), .by = cop__score(o->by.row), .m = m, .g = *g, .a = &a};
	const cop_policy policy = {.name = "prune", .ud = &p, .build = build, .before = before, .after = after};

	cop_status st = cop__items_begin(&p.it, *g, s->terms.layers, &o->what);
	if (!st && o->train) st = none_frozen(&p.it, a.update);
	if (!st) st = add_masks(*g, &p.it);
	if (!st) st = room(&p);
	if (!st && !o->train) st = cut_alone(&p, &a);
	else if (!st) st = cop__train(*g, m->train, m->valid, &a, "prune", &policy, 1);
	cop__items_free(&p.it);
	return st;
}

static cop_status check(cop_ctx *cx, const char *where, const void *own)
{
	const cop_prune_options *o = own;
	const cop_allot_row *scope = cop__allot(o->scope.row);
	const bool nm = !strcmp(cop__grain(o->what.row)->row.name, "nm");

	if (nm && o->keep.n) return cop__error(cx, COP_ARG, "%s: what: nm keeps n of every m; leave keep out", where);
	if (!nm && !o->keep.n) return cop__error(cx, COP_ARG, "%s: keep is missing: the part that stays", where);
	if (!nm && !scope->by_layer && (o->keep.n > 1 || strcmp(o->keep.at[0].layers, "*")))
		return cop__error(cx, COP_ARG, "%s: scope: %s has one keep for all; give scope: layer for several", where, scope->row.name);
	if (!o->train && !cop__when(o->schedule.row)->at_once)
		return cop__error(cx, COP_ARG, "%s: train: no leaves one moment for cuts; give schedule: once", where);
	if (cop__when(o->schedule.row)->returns && (cop__score(o->by.row)->returns || cop__score(o->by.row)->mend))
		return cop__error(cx, COP_ARG, "%s: by: %s changes or brings back weights, and schedule: %s has them return to what "
			"they were; choose another of the two", where, cop__score(o->by.row)->row.name,
			cop__when(o->schedule.row)->row.name);
	if (cop__score(o->by.row)->reads & COP_READS_MOVED && cop__when(o->schedule.row)->at_once)
		return cop__error(cx, COP_ARG,
			"%s: by: %s adds up while the network trains, and schedule: %s cuts before that; give schedule: cubic or iterative",
			where, cop__score(o->by.row)->row.name,
			cop__when(o->schedule.row)->row.name);
	return COP_OK;
}

/* Weights that stay as they are stay alike. */
static uint32_t allows(const cop_stage *s)
{
	const cop_prune_options *o = (const void *)s->own.bytes;
	return o->train || cop__score(o->by.row)->mend ? 0 : COP_HAS_SHARED;
}

/* Before any work: has the network what the score reads? */
static cop_status fits(const cop_graph *g, const cop_stage *s)
{
	const cop_prune_options *o = (const void *)s->own.bytes;
	cop_items it;

	cop_status st = cop__items_begin(&it, g, s->terms.layers, &o->what);
	if (!st && it.bundle && cop__stage_given(s, "scope"))
		st = cop__error(g->cx, COP_ARG,
			"prune: what: nm cuts every m weights for themselves, so that nothing is left to divide; leave scope out");
	if (!st && it.may_close && cop__allot(o->scope.row)->by_layer)
		st = cop__error(g->cx, COP_ARG,
			"prune: what: layer has one item in each layer, so a part of each can't stay; give another scope than layer");
	if (!st && o->train) st = none_frozen(&it, s->training.update);
	if (!st) st = cop__look_fits(g, &it, cop__score(o->by.row), cop__grain(o->what.row)->row.name);
	cop__items_free(&it);
	return st;
}

const cop_stage_row cop_stage_prune = {
	.row = {"prune", "removes weights while the network keeps training", "Han et al. 2015, arXiv 1506.02626", options, sizeof(cop_prune_options)},
	.terms = cop__terms, .training = cop__training_unscheduled, .needs = COP_HAS_FLOATS,
	.never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .gives = COP_HAS_MASKS, .bears_rounding = true,
	.allows = allows, .check = check, .fits = fits, .can = cop__can_change, .run = run,
};
