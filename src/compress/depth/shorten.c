/* SPDX-License-Identifier: Apache-2.0
 *
 * shorten - the stage: fewer layers for a part of the time. It cuts the chains of a network into stretches, each of
 * which becomes one layer (chain.h), so that the stretches take at most the time that is given, and the network is
 * hurt least; trains on; and merges.
 *
 * Kim et al. 2023 (arXiv 2301.12187) choose which bounds go by dynamic programming over two tables, the time of each
 * stretch and what it costs. LayerMerge (Kim et al. 2024, arXiv 2406.12837) lets layers go, too, since a merged kernel
 * grows: 3x3 and 3x3 are 5x5. As there, those with the smallest weights go first. The time is what the merged layer
 * takes on the target; what it costs is the rise of the loss on samples, at once or after a short training. All
 * padding of a stretch is moved before its first layer before the training, so that merging changes nothing after it.
 */
#include "compress/depth/chain.h"
#include "compress/layers.h"
#include "pass/pass.h"
#include "plan/plan.h"

#include <stdlib.h>

enum { LOSS, RANDOM, FLOATS = 0, INT8 };
typedef struct shorten_options {
	float latency;
	char target[64];
	int32_t as, by, samples, tune, kernel;
} shorten_options;
static const cop_option options[] = {
	COP_OPT_REAL(shorten_options, latency, 0.01, 1, "1",
		"the part of the time of the whole network that may stay; 1: only what does not raise the loss goes"),
	COP_OPT_TEXT(shorten_options, target, "host",
		"the machine whose time counts, from `coppice targets`: host, "
		"where layers are measured, or one for whose kernels there are prices"),
	COP_OPT_WORD(shorten_options, as, "floats|int8", "floats",
		"in which form the network will run there; int8: quantize comes after this stage"),
	COP_OPT_WORD(shorten_options, by, "loss|random", "loss",
		"what a stretch costs: the rise of the loss, or drawn from the seed as a control"),
	COP_OPT_WHOLE(shorten_options, samples, 1, 100000000, "256",
		"on how many samples of the validation set the loss is measured"),
	COP_OPT_WHOLE(shorten_options, tune, 0, 100000, "0",
		"epochs of training before the loss of each is measured, as in the papers: "
		"better, and as many trainings as there are candidates"),
	COP_OPT_WHOLE(shorten_options, kernel, 1, 99, "7", "the largest kernel that layers are merged into"),
	COP_OPT_END,
};

typedef struct shortening {
	const shorten_options *o;
	const cop_means *m;
	const cop_train_args *a;
	cop_chains c;
	cop_pricer p;
	cop_stretch *all;             /* the candidates */
	int32_t n, cap;
	double whole, rest, limit;    /* time: of the network, of what no chain has, for the chains */
	cop_stretch *chosen;
	int32_t n_chosen;
} shortening;

/* ---- candidates ---- */

/* Every link by itself: the network as it is. They are the first candidates, in order. */
static cop_status single_links(shortening *z)
{
	for (int32_t i = 0; i < z->c.n; i++) {
		cop_stretch s = {.from = i, .to = i + 1};
		cop__stretch_fit(&s, &z->c);
		COP_TRY(cop__price_stretch(&s.time, &z->p, &z->c, &s));
		COP_TRY(cop__grow(z->p.cx, &z->all, &z->cap, z->n, sizeof *z->all));
		z->all[z->n++] = s;
	}
	return COP_OK;
}

static cop_status loss_of(double *loss, const shortening *z, const cop_graph *g)
{
	cop_dataset few = *(z->m->valid ? z->m->valid : z->m->train);
	cop_score s;

	few.count = COP_MIN(few.count, z->o->samples);
	COP_TRY(cop_eval(&s, g, &few, 64, z->m->a->threads));
	*loss = (double)s.loss;
	return COP_OK;
}

static cop_status tune(cop_graph *g, const shortening *z)
{
	cop_train_args a = *z->a;

	a.epochs = z->o->tune;
	a.checkpoint = NULL, a.resume = false;
	return cop__train(g, z->m->train, z->m->valid, &a, "shorten", NULL, 0);
}

static cop_status damage_of(cop_stretch *s, const shortening *z, double before)
{
	cop_graph *g;

	if (z->o->by == RANDOM) {
		s->damage = (double)cop__rand_unit(z->m->a->seed, cop__hash_text("shorten"), (uint64_t)z->n);
		return COP_OK;
	}
	COP_TRY(cop__rewire(&g, &z->c, s, 1));
	cop_status st = z->o->tune ? tune(g, z) : COP_OK;
	if (!st) st = loss_of(&s->damage, z, g);
	s->damage -= before;
	cop_graph_free(g);
	return st;
}

/* Links from .. to-1 without those layers, if that is one layer, and quicker than the links by themselves. */
static cop_status candidate(shortening *z, int32_t from, int32_t to, uint32_t gone, double before)
{
	cop_stretch s = {.from = from, .to = to, .gone = gone};
	double apart = 0;

	if (!cop__stretch_fit(&s, &z->c) || COP_MAX(s.kh, s.kw) > z->o->kernel) return COP_OK;
	if (!s.kh && !cop__stretch_is_block(&s, &z->c)) return COP_OK; /* nothing is left, and nothing goes around it */
	for (int32_t i = from; i < to; i++) apart += z->all[i].time;
	COP_TRY(cop__price_stretch(&s.time, &z->p, &z->c, &s));
	if (s.time >= apart) return COP_OK;
	COP_TRY(damage_of(&s, z, before));
	const char *name = z->c.g->value[cop__arg(z->c.g, z->c.link[to - 1].layer, 1)].name;
	cop__log(z->p.cx, COP_LOG_INFO,
		"shorten: %d layers up to %s as %d x %d: %.4g of %.4g, the loss rises by %.4f", to - from, name, s.kh, s.kw, s.time, apart, s.damage);
	COP_TRY(cop__grow(z->p.cx, &z->all, &z->cap, z->n, sizeof *z->all));
	z->all[z->n++] = s;
	return COP_OK;
}

/* With all layers, and without the smallest one, the two smallest ones ... that can be left out. */
static cop_status candidates_of(shortening *z, int32_t from, int32_t to, double before)
{
	uint32_t gone = 0;

	if (to - from > 1) COP_TRY(candidate(z, from, to, gone, before));
	for (;;) {
		int32_t least = -1;
		for (int32_t i = from; i < to; i++) {
			const cop_chained *l = &z->c.link[i];
			bool may = l->leaves && !(gone >> (i - from) & 1);
			if (may && (least < 0 || l->size < z->c.link[least].size)) least = i;
		}
		if (least < 0) return COP_OK;
		gone |= 1u << (least - from);
		COP_TRY(candidate(z, from, to, gone, before));
	}
}

static cop_status candidates(shortening *z)
{
	double before;

	COP_TRY(loss_of(&before, z, z->c.g));
	for (int32_t from = 0; from < z->c.n; from++) {
		int32_t end = COP_MIN(z->c.link[from].end, from + COP_STRETCH_MOST);
		for (int32_t to = from + 1; to <= end; to++) COP_TRY(candidates_of(z, from, to, before));
	}
	return COP_OK;
}

/* ---- the choice ---- */

static cop_status times(shortening *z)
{
	COP_TRY(single_links(z));
	COP_TRY(cop__price_graph(&z->whole, &z->p, z->c.g, z->m->train));
	z->rest = z->whole;
	for (int32_t i = 0; i < z->c.n; i++) z->rest -= z->all[i].time;
	if (z->rest < 0) z->whole -= z->rest, z->rest = 0; /* measured apart, layers take a little longer */
	z->limit = (double)z->o->latency * z->whole - z->rest;
	return COP_OK;
}

static cop_status choose(shortening *z)
{
	cop_ctx *cx = z->p.cx;
	double least = 0;
	int32_t *choice = cop__arena_get(&z->c.mem, sizeof *choice * (size_t)(z->c.n + 1));

	z->chosen = cop__arena_get(&z->c.mem, sizeof *z->chosen * (size_t)(z->c.n + 1));
	if (!choice || !z->chosen) return COP_NOMEM;
	cop_status st = cop__cover(choice, &z->n_chosen, &least, cx, z->all, z->n, z->c.n, z->limit);
	for (int32_t i = 0; !st && i < z->n_chosen; i++) z->chosen[i] = z->all[choice[i]];
	if (st == COP_BUDGET)
		return cop__error(cx, COP_ARG, "shorten: '%s' can't be brought to latency: %.3g of its time on %s by merging "
			"layers or leaving them out; %.3g is the least", z->c.g->name, (double)z->o->latency, z->o->target,
			(z->rest + least) / z->whole);
	return st;
}

static int32_t changed(const shortening *z)
{
	int32_t n = 0;

	for (int32_t i = 0; i < z->n_chosen; i++) n += z->chosen[i].to - z->chosen[i].from > 1 || z->chosen[i].gone;
	return n;
}

static void tell(const shortening *z)
{
	int32_t layers = 0;
	double time = z->rest;

	for (int32_t i = 0; i < z->n_chosen; i++) layers += z->chosen[i].kh > 0, time += z->chosen[i].time;
	cop__log(z->p.cx, COP_LOG_INFO, "shorten: %d layers in place of %d, %.3g of the time on %s", layers, z->c.n,
		z->whole > 0 ? time / z->whole : 1, z->o->target);
}

/* ---- merging ---- */

/* The stretch of the layer with that weight, by the names that it has: the network is another one by now. */
static int32_t stretch_of(const shortening *z, const char *weight)
{
	for (int32_t i = 0; i < z->n_chosen; i++)
		for (int32_t k = z->chosen[i].from; k < z->chosen[i].to; k++)
			if (!strcmp(z->c.g->value[cop__arg(z->c.g, z->c.link[k].layer, 1)].name, weight)) return i;
	return -1;
}

static bool together(const void *ud, const char *first, const char *second)
{
	int32_t i = stretch_of(ud, first);
	return i >= 0 && i == stretch_of(ud, second);
}

/* Are there layers to merge, or were some left out and that is all? */
static bool any_merges(const shortening *z)
{
	for (int32_t i = 0; i < z->n_chosen; i++)
		if (cop__stretch_keeps(&z->chosen[i]) > 1) return true;
	return false;
}

/* Without need batch norm stays, so that what comes next trains with it. */
static cop_status merge(cop_graph **g, const shortening *z)
{
	cop_graph *merged = NULL;
	const cop_merging how = {.together = together, .ud = z};

	if (!any_merges(z)) return COP_OK;
	COP_TRY(cop__pass_then(g, cop__pass_to_infer));
	COP_TRY(cop__pass_then(g, cop__pass_fold_bn));
	COP_TRY(cop__carry_nothing(*g));
	COP_TRY(cop__pass_merge_by(&merged, *g, &how));
	cop_graph_free(*g);
	*g = merged;
	return COP_OK;
}

/* ---- the stage ---- */

static cop_status shorten(cop_graph **out, shortening *z)
{
	COP_TRY(times(z));
	COP_TRY(candidates(z));
	COP_TRY(choose(z));
	tell(z);
	if (!changed(z)) return COP_OK;
	COP_TRY(cop__rewire(out, &z->c, z->chosen, z->n_chosen));
	COP_TRY(cop__train(*out, z->m->train, z->m->valid, z->a, "shorten", NULL, 0));
	return merge(out, z);
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	cop_train_args a = cop__stage_args(s, m);
	shortening z = {.o = (const void *)s->own.bytes, .m = m, .a = &a, .p = {.cx = (*g)->cx}};
	cop_graph *out = NULL;

	cop_status st = cop__chains_find(&z.c, *g);
	if (!st) st = cop__price_begin(&z.p, z.o->target, z.o->as == INT8);
	if (!st) st = shorten(&out, &z);
	cop__price_end(&z.p);
	cop__free((*g)->cx, z.all);
	cop__chains_free(&z.c);
	if (st) return cop_graph_free(out), st;
	if (!out) return COP_OK;
	cop_graph_free(*g);
	*g = out;
	return COP_OK;
}

static cop_status check(cop_ctx *cx, const char *where, const void *own)
{
	const shorten_options *o = own;
	cop_target t;

	COP_TRY(cop_target_find(&t, cx, o->target));
	if (!strcmp(o->target, "host") || cop__has_prices(&t)) return COP_OK;
	return cop__error(cx, COP_ARG,
		"%s: there are no prices of kernels for %s; give target: host or target: cortex-m4", where, o->target);
}

static cop_status fits(const cop_graph *g, const cop_stage *s)
{
	cop_chains c;

	(void)s;
	cop_status st = cop__chains_find(&c, g);
	if (!st && !c.n)
		st = cop__error(g->cx, COP_ARG, "shorten: '%s' has no convolution or fully connected layer whose weights are "
			"known and its own", g->name);
	cop__chains_free(&c);
	return st;
}

const cop_stage_row cop_stage_shorten = {
	.row = {"shorten", "merges layers and leaves some out, for a part of the time on a machine, by dynamic programming",
		"Kim et al. 2023, arXiv 2301.12187; LayerMerge, Kim et al. 2024, arXiv 2406.12837", options,
		sizeof(shorten_options)},
	.terms = cop__terms_whole, .training = cop__training, .needs = COP_HAS_FLOATS,
	.never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_MASKS | COP_HAS_SHARED,
	.check = check, .fits = fits, .run = run,
};
