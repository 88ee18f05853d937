/* SPDX-License-Identifier: Apache-2.0
 *
 * prune - the stage: removes weights while the network keeps training.
 *
 * Each tensor gets a STATE "<w>.mask" of ones and zeros; the training graph multiplies gradients by it, so a weight that was set to zero
 * stays exactly zero. What is cut is decided on the weights of the moment.
 */
#include "compress/layers.h"
#include "compress/prune/prune.h"

#include <stdio.h>

typedef struct prune_options { cop_rates keep; cop_choice what, by, scope, schedule; } prune_options;
static const cop_option options[] = {
	{COP_OPTION_FIELD(prune_options, keep, COP_RATES, "the part that stays: a number, or a map of patterns to numbers, as `{conv*: 0.5, fc*: 0.08}` (then `scope: layer`)"), .lo = 0.0001, .hi = 1, .needed = true},
	COP_OPT_CHOICE(prune_options, what, &cop__grains, "weight", "what goes as a whole"),
	COP_OPT_CHOICE(prune_options, by, &cop__scores, "magnitude", "the score that decides"),
	COP_OPT_CHOICE(prune_options, scope, &cop__scopes, "global", "how the cut is divided among the layers"),
	COP_OPT_CHOICE(prune_options, schedule, &cop__cuts, "cubic", "when there are cuts"),
	COP_OPT_END,
};

typedef struct pruner {
	const prune_options *o;
	const cop_when_row *when;
	const cop_score_row *by;
	uint64_t seed;
	cop_items it;
	float *weight, *item; /* [count]; the numbers of one item */
	float *score, *mask, *scratch; /* [items] */
} pruner;

/* ---- out of the session and back ---- */

static cop_status view(const cop_progress *m, const cop_pruned *l, const char *suffix, cop_tensor *t)
{
	char name[160];
	snprintf(name, sizeof name, "%s%s", l->name, suffix);
	return cop__trainer_named(m->t, name, t);
}

/* Weights, and which items are there still: those of which any number is. */
static cop_status gather(pruner *p, const cop_progress *m)
{
	cop_tensor w, mask;

	memset(p->mask, 0, sizeof *p->mask * (size_t)p->it.n);
	for (int32_t i = 0; i < p->it.n_layer; i++) {
		const cop_pruned *l = &p->it.layer[i];
		COP_TRY(view(m, l, "", &w));
		COP_TRY(view(m, l, ".mask", &mask));
		memcpy(p->weight + l->offset, w.data, sizeof *p->weight * (size_t)l->count);
		for (int64_t j = 0; !l->follows && j < l->count; j++) {
			int64_t k = p->it.of ? p->it.of[l->offset + j] : l->offset + j;
			if (k >= 0 && ((const float *)mask.data)[j] != 0) p->mask[k] = 1;
		}
	}
	return COP_OK;
}

/* The i-th tensor that belongs to one that is masked: itself, its mask, and what the rule of updates keeps for it. NULL past the last. */
static const char *belongs(const cop_progress *m, int i)
{
	static const char *const first[] = {NULL, "mask"};
	return i < LEN(first) ? first[i] : cop__build_kept(cop__trainer_build(m->t), i - LEN(first));
}

static void clear(const pruner *p, const cop_pruned *l, float *v)
{
	for (int64_t j = 0; j < l->count; j++) {
		int64_t k = p->it.of ? p->it.of[l->offset + j] : l->offset + j;
		if (k >= 0 && p->mask[k] == 0) v[j] = 0;
	}
}

/* Zeros for what has gone. */
static cop_status scatter(pruner *p, const cop_progress *m)
{
	for (int32_t i = 0; i < p->it.n_layer; i++) {
		const cop_pruned *l = &p->it.layer[i];
		for (int k = 0; !k || belongs(m, k); k++) {
			char name[COP_FOLLOWER];
			cop_tensor t;
			if (!k) snprintf(name, sizeof name, "%s", l->name);
			else COP_TRY(cop__follower_name(name, p->it.cx, l->name, belongs(m, k)));
			if (!cop__find(cop__trainer_graph(m->t), name)) continue;
			COP_TRY(cop__trainer_named(m->t, name, &t));
			clear(p, l, t.data);
		}
	}
	return COP_OK;
}

/* ---- cutting ---- */

static void score(pruner *p, const cop_pruned *l)
{
	cop_scored x = {.seed = p->seed, .stream = cop__hash_text(l->name), .n = 1};

	for (int64_t i = 0; i < l->items; i++) {
		int64_t k = l->first + i;
		x.index = (uint64_t)i;
		x.weight = p->weight + k;
		if (p->it.of) {
			const int64_t *at = &p->it.start[k];
			x.weight = p->item;
			x.n = at[1] - at[0];
			for (int64_t j = 0; j < x.n; j++) p->item[j] = p->weight[p->it.member[at[0] + j]];
		}
		p->score[k] = p->by->of(&x);
	}
}

static cop_status cut(pruner *p, const cop_progress *m, double t)
{
	const cop_cut c = {&p->it, p->score, p->mask, p->scratch, &p->o->keep, t, p->when->part};

	COP_TRY(gather(p, m));
	for (int32_t i = 0; i < p->it.n_layer; i++) score(p, &p->it.layer[i]);
	cop__allot(p->o->scope.row)->cut(&c);
	return scatter(p, m);
}

static cop_status at(pruner *p, const cop_progress *m)
{
	double t;
	return p->when->due(&t, p->o->schedule.o.bytes, m->step, m->steps) ? cut(p, m, t) : COP_OK;
}

static cop_status before(void *ud, const cop_progress *m) { return m->step ? COP_OK : at(ud, m); }
static cop_status after(void *ud, const cop_progress *m, cop_verdict *v) { return (void)v, at(ud, m); }

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

static cop_status room(pruner *p)
{
	cop_arena *mem = &p->it.mem;

	p->weight = cop__arena_get(mem, (size_t)p->it.count * 4);
	p->item = cop__arena_get(mem, p->it.of ? (size_t)p->it.count * 4 : 4);
	p->score = cop__arena_get(mem, (size_t)p->it.n * 4);
	p->mask = cop__arena_get(mem, (size_t)p->it.n * 4);
	p->scratch = cop__arena_get(mem, (size_t)p->it.n * 4);
	return p->weight && p->item && p->score && p->mask && p->scratch ? COP_OK : COP_NOMEM;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const prune_options *o = (const void *)s->own.bytes;
	pruner p = {.o = o, .when = cop__when(o->schedule.row), .by = cop__score(o->by.row), .seed = m->a->seed};
	cop_train_args a = cop__stage_args(s, m);
	const cop_policy policy = {.name = "prune", .ud = &p, .before = before, .after = after};

	cop_status st = cop__items_begin(&p.it, *g, s->terms.layers, &o->what);
	if (!st) st = add_masks(*g, &p.it);
	if (!st) st = room(&p);
	if (!st) st = cop__train(*g, m->train, m->valid, &a, "prune", &policy, 1);
	cop__items_free(&p.it);
	return st;
}

/* What pruning can hand to a score. */
enum { HANDED = COP_SCORE_WEIGHT };

static cop_status check(cop_ctx *cx, const char *where, const void *own)
{
	const prune_options *o = own;
	const cop_allot_row *scope = cop__allot(o->scope.row);

	if (!scope->by_layer && (o->keep.n > 1 || strcmp(o->keep.at[0].layers, "*")))
		return cop__error(cx, COP_ARG, "%s: scope: %s has one keep for all; give scope: layer for several", where, scope->row.name);
	if (cop__score(o->by.row)->needs & ~(uint32_t)HANDED) return cop__error(cx, COP_ARG, "%s: by: %s needs more than weights", where, cop__score(o->by.row)->row.name);
	return COP_OK;
}

const cop_stage_row cop_stage_prune = {
	.row = {"prune", "removes weights while the network keeps training", "Han et al. 2015, arXiv 1506.02626", options, sizeof(prune_options)},
	.terms = cop__terms, .training = cop__training_unscheduled, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS, .gives = COP_HAS_MASKS,
	.check = check, .can = cop__can_change, .run = run,
};
