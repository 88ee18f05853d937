/* SPDX-License-Identifier: Apache-2.0
 *
 * early_bird - the stage: which channels would stay is asked after each epoch; once the answer has settled, long before the weights have, the network is cut
 * to them, and the rest of the epochs are run on the small one. Masks of the last epochs are a state of the training, so that a run that is resumed
 * cuts where it would have cut.
 */
#include "compress/layers.h"
#include "compress/prune/score.h"
#include "compress/slim/slim.h"

enum { MOST_KEPT = 32 };

typedef struct bird_options { cop_rates keep; cop_choice by, scope; int32_t window, after, samples; float distance; char policies[128]; } bird_options;
static const cop_option options[] = {
	{COP_OPTION_FIELD(bird_options, keep, COP_RATES,
		"the part of the channels that stays: a number, or a map of patterns to numbers (then `scope: layer`)"), .lo = 0.0001,
		.hi = 1, .needed = true},
	COP_OPT_CHOICE(bird_options, by, &cop__scores, "l2", "the score of a channel; bn-scale where batch norm follows every layer"),
	COP_OPT_CHOICE(bird_options, scope, &cop__scopes, "layer", "how the cut is divided among the layers; global is as published, and may nearly close a layer where scores differ from layer to layer"),
	COP_OPT_WHOLE(bird_options, window, 2, MOST_KEPT, "5", "epochs whose masks have to agree"),
	COP_OPT_REAL(bird_options, distance, 0, 1, "0.1", "the part of the channels in which the mask of an epoch may differ from each of those before it"),
	COP_OPT_WHOLE(bird_options, after, 0, 1e6, "0", "cuts after this epoch whatever the masks say, as a control; 0: when they agree"),
	COP_OPT_WHOLE(bird_options, samples, 0, 1e6, "0",
		"samples of the training set that a score looks at, where it needs any; 0: 4096 for obd and fisher, else 256"),
	COP_OPT_TEXT(bird_options, policies, NULL, "what acts besides, as in --policies: slimming makes scales of batch norm that matter little small"),
	COP_OPT_END,
};
static cop_choice channels(void) { return (cop_choice){.row = cop__row_index(&cop__grains, "channel", 7)}; } /* what goes as a whole */

typedef struct bird {
	const bird_options *o;
	const cop_means *m;
	cop_graph *g;                   /* the model; between steps it has the weights of the last epoch */
	cop_items it;
	float *weight;                  /* [count] */
	float *score, *mask, *scratch, *room; /* [items], room twice that */
	int32_t *order;                 /* [items] */
	cop_handle masks, seen;         /* of the last epochs, one after the other in a ring; how many epochs */
	bool cut;
	float far;                      /* the largest distance of the last mask */
} bird;

/* ---- the mask of an epoch ---- */

static double at_once(double keep, double t) { return (void)t, keep; }

static cop_status ask(bird *e)
{
	const cop_look l = {.it = &e->it, .row = cop__score(e->o->by.row), .options = e->o->by.o.bytes, .model = e->g,
		.train = e->m->train, .a = e->m->a, .samples = cop__score_samples(cop__score(e->o->by.row), e->o->samples),
		.weight = e->weight, .mask = e->mask, .score = e->score};
	const cop_cut c = {.it = &e->it, .score = e->score, .mask = e->mask, .scratch = e->scratch, .room = e->room,
		.order = e->order, .keep = &e->o->keep, .options = e->o->scope.o.bytes, .t = 1, .part = at_once};

	for (int32_t i = 0; i < e->it.n_layer; i++) {
		const cop_pruned *p = &e->it.layer[i];
		const float *w = cop__floats(e->g, cop__find(e->g, p->name));
		if (w) memcpy(e->weight + p->offset, w, sizeof *w * (size_t)p->count);
	}
	for (int64_t k = 0; k < e->it.n; k++) e->mask[k] = 1;
	COP_TRY(cop__look(&l));
	cop__allot(e->o->scope.row)->cut(&c);
	return COP_OK;
}

static float distance(const float *a, const float *b, int64_t n)
{
	int64_t differ = 0;

	for (int64_t k = 0; k < n; k++) differ += a[k] != b[k];
	return (float)((double)differ / (double)n);
}

/* Puts the mask into the ring. Do all that are in it agree with it? */
static cop_status settled(bool *yes, bird *e, const cop_progress *p)
{
	cop_tensor masks, seen;
	const int64_t n = e->it.n;

	COP_TRY(cop__trainer_tensor(p->t, e->masks, &masks));
	COP_TRY(cop__trainer_tensor(p->t, e->seen, &seen));
	float *ring = masks.data, *count = seen.data;
	memcpy(ring + (int32_t)*count % e->o->window * n, e->mask, sizeof *ring * (size_t)n);
	*count += 1;
	*yes = *count >= (float)e->o->window;
	e->far = 0;
	for (int32_t i = 0; i < COP_MIN(e->o->window, (int32_t)*count); i++) {
		const float far = distance(ring + i * n, e->mask, n);
		e->far = COP_MAX(e->far, far);
	}
	*yes = *yes && e->far <= e->o->distance;
	return COP_OK;
}

/* ---- the policy ---- */

static cop_status build(void *ud, cop_build *b)
{
	bird *e = ud;
	const cop_graph *g = cop__build_model(b);
	cop_type ring = cop__type(COP_F32, 2, DIMS(e->o->window, (int32_t)e->it.n)), one = cop__type(COP_F32, 1, DIMS(1));

	for (int32_t i = 0; i < e->it.n_layer; i++) { /* a run that is resumed after the cut has narrower layers */
		cop_vid v = cop__find(g, e->it.layer[i].name);
		if (!v || cop_type_count(cop__t(g, v)) != e->it.layer[i].count) return e->cut = true, COP_OK;
	}
	e->masks = cop__build_state(b, "early-bird.masks", &ring, NULL, NULL);
	e->seen = cop__build_state(b, "early-bird.seen", &one, NULL, NULL);
	return e->masks && e->seen ? COP_OK : cop__failed(g->cx);
}

static cop_status epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	bird *e = ud;
	bool yes;

	if (e->cut) return COP_OK;
	COP_TRY(ask(e));
	COP_TRY(settled(&yes, e, p));
	if (e->o->after) yes = p->epoch + 1 >= e->o->after;
	if (!yes || p->epoch + 1 >= p->epochs) return COP_OK; /* nothing would train what is left */
	cop__log(e->g->cx, COP_LOG_INFO,
		"early-bird: after epoch %d of %d, at a rate of %g, the masks differ in %.3f of the channels", p->epoch + 1,
		p->epochs, (double)cop__trainer_rate(p->t), (double)e->far);
	*v = COP_REBUILD;
	return COP_OK;
}

/* The groups of links whose items go. */
static void groups_of(uint8_t *drop, const bird *e, const cop_groups *s)
{
	for (int32_t i = 0; i < e->it.n_layer; i++) {
		const cop_pruned *l = &e->it.layer[i];
		cop_vid v = cop__find(s->g, l->name);
		int64_t row = l->count / cop__t(s->g, v)->dim[0];
		for (int64_t j = 0; !l->follows && j < l->count; j += row) {
			int32_t k = e->it.of[l->offset + j];
			if (k >= 0 && e->mask[k] == 0) drop[cop__group_of(s, v, 0, (int32_t)(j / row))] = 1;
		}
	}
}

static cop_status rebuild(void *ud, cop_trainer *t, cop_graph *model)
{
	bird *e = ud;
	cop_groups s;
	cop_graph *small = NULL;
	cop_status st = cop__groups(&s, model);
	uint8_t *drop = st ? NULL : cop__arena_get(&s.mem, (size_t)s.n_group + 1);

	(void)t;
	if (!st && !drop) st = COP_NOMEM;
	if (!st) groups_of(drop, e, &s), st = cop__pass_slice_groups(&small, &s, drop);
	cop__groups_free(&s);
	if (st) return st;
	cop__log(model->cx, COP_LOG_INFO, "early-bird: %lld multiply-accumulates instead of %lld", (long long)cop__macs_of(small), (long long)cop__macs_of(model));
	cop_graph old = *model;
	*model = *small;
	*small = old;
	cop_graph_free(small);
	e->cut = true;
	return COP_OK;
}

static cop_status finish(void *ud, const cop_progress *p, cop_graph *model)
{
	const bird *e = ud;

	if (!e->cut)
		cop__log(model->cx, COP_LOG_WARN,
			"early-bird: nothing was cut: in %d epochs the masks of %d did not come to agree before "
			"the last (%.3f of the channels differ, %g may)", p->epochs, e->o->window,
		(double)e->far, (double)e->o->distance);
	return COP_OK;
}

/* ---- the stage ---- */

static cop_status room(bird *e)
{
	cop_arena *mem = &e->it.mem;
	size_t n = (size_t)e->it.n * 4;

	e->weight = cop__arena_get(mem, (size_t)e->it.count * 4);
	e->score = cop__arena_get(mem, n), e->mask = cop__arena_get(mem, n), e->scratch = cop__arena_get(mem, n),
		e->room = cop__arena_get(mem, 2 * n), e->order = cop__arena_get(mem, n);
	return e->weight && e->score && e->mask && e->scratch && e->room && e->order ? COP_OK : COP_NOMEM;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	bird e = {.o = (const void *)s->own.bytes, .m = m, .g = *g};
	cop_train_args a = cop__stage_args(s, m);
	const cop_policy policy = {.name = "early-bird", .ud = &e, .build = build, .epoch = epoch, .rebuild = rebuild, .finish = finish};

	a.policies = *e.o->policies ? e.o->policies : NULL;
	const cop_choice what = channels();
	cop_status st = cop__items_begin(&e.it, *g, s->terms.layers, &what);
	if (!st) st = room(&e);
	if (!st) st = cop__train(*g, m->train, m->valid, &a, "early-bird", &policy, 1);
	cop__items_free(&e.it);
	return st;
}

static cop_status check(cop_ctx *cx, const char *where, const void *own)
{
	const bird_options *o = own;
	const cop_allot_row *scope = cop__allot(o->scope.row);
	const cop_score_row *by = cop__score(o->by.row);

	if (!scope->by_layer && (o->keep.n > 1 || strcmp(o->keep.at[0].layers, "*")))
		return cop__error(cx, COP_ARG, "%s: scope: %s has one keep for all; give scope: layer for several", where,
			scope->row.name);
	if (by->reads & COP_READS_MOVED)
		return cop__error(cx, COP_ARG,
			"%s: by: %s adds up over a training, and masks are compared on the way; choose another score", where, by->row.name);
	return COP_OK;
}

static cop_status fits(const cop_graph *g, const cop_stage *s)
{
	const bird_options *o = (const void *)s->own.bytes;
	const cop_choice what = channels();
	cop_items it;

	cop_status st = cop__items_begin(&it, g, s->terms.layers, &what);
	if (!st) st = cop__look_fits(g, &it, cop__score(o->by.row), "channel");
	cop__items_free(&it);
	return st;
}

const cop_stage_row cop_stage_early_bird = {
	.row = {"early-bird", "trains, cuts the network to the channels that will stay as soon as it is known which, "
		"and trains the rest of the epochs on the small one", "You et al. 2020, arXiv 1909.11957", options,
		sizeof(bird_options)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS,
	.never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_MASKS | COP_HAS_SHARED, .check = check, .fits = fits,
	.can = cop__can_change, .run = run,
};
