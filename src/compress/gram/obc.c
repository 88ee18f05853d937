/* SPDX-License-Identifier: Apache-2.0
 *
 * obc - the stage: optimal brain compression. Every row of a layer tells in which order its weights would go and what each costs once the rest makes
 * good for it; these costs are scores like any other, so an allotment of pruning decides; then the rest of each row is solved for. Nothing is trained.
 */
#include "compress/gram/gram.h"
#include "compress/prune/prune.h"

#include <math.h>

typedef struct obc_options { cop_rates keep; cop_choice what, scope; int32_t n, m, samples; float damp; } obc_options;
static const cop_option options[] = {
	COP_OPT_RATES(obc_options, keep, 0.0001, 1, "0.5", "the part that stays: a number, or a map of patterns to numbers (then `scope: layer`)"),
	COP_OPT_CHOICE(obc_options, what, &cop__grains, "weight", "what goes as a whole, within a row"),
	COP_OPT_CHOICE(obc_options, scope, &cop__scopes, "global", "how the cut is divided among the layers"),
	COP_OPT_WHOLE(obc_options, n, 1, 63, "2", "with m: how many of each m stay"),
	COP_OPT_WHOLE(obc_options, m, 0, 64, "0", "of each m weights side by side n stay, in every row, in place of keep; 0: keep decides"),
	COP_OPT_WHOLE(obc_options, samples, 1, 1e6, "1024", "samples of the training set that tell what the layers see"),
	COP_OPT_REAL(obc_options, damp, 1e-6, 10, "0.01", "what is added to the diagonal, as a part of its mean"),
	COP_OPT_END,
};

typedef struct work {
	cop_graph *g;
	const obc_options *o;
	cop_items it;
	cop_gram *gram;               /* [n_layer] */
	float *score, *mask, *scratch; /* [items] */
	/* of the layer at hand */
	double *damped, *inverse, *room; /* [k,k], [k,k], [k k + k] */
	float *cost, *row;            /* [k]; row: of weights */
	int32_t *order, *item, *bucket, *name; /* [k]; name: the item of the whole that a row's item is */
	char *trace;
} work;

/* ---- a layer ---- */

static cop_status matrices(work *z, const cop_gram *m, int32_t group, const char *name)
{
	const size_t n = (size_t)m->k * (size_t)m->k;
	const float *h = m->h + (size_t)group * n;

	cop__damped(z->damped, h, m->k, (double)z->o->damp);
	memcpy(z->inverse, z->damped, sizeof *z->inverse * n);
	if (!cop__invert(z->inverse, m->k, z->room)) return cop__error(z->it.cx, COP_ARG, "obc: the products of what '%s' sees have no inverse; a larger damp gives them one", name);
	return COP_OK;
}

/* The items of a row, counted from 0. */
static cop_obs_rule rule_of(work *z, const cop_pruned *l, int32_t k, int32_t row)
{
	cop_obs_rule r = {.k = k, .item = z->item, .most = 1};
	const int32_t depth = cop__t(z->g, l->v)->dim[cop__t(z->g, l->v)->rank - 1], m = z->o->m;
	int32_t *count = z->order; /* free as yet */

	for (int32_t j = 0; j < k; j++) {
		int64_t at = l->offset + (int64_t)row * k + j;
		int32_t all = z->it.of ? z->it.of[at] : (int32_t)at, i = r.items;
		if (z->it.of) for (i = 0; i < r.items && z->name[i] != all;) i++; /* few: what goes as a whole is large */
		if (i == r.items) z->name[r.items++] = all, count[i] = 0;
		z->item[j] = i;
		r.most = COP_MAX(r.most, ++count[i]);
		if (m) z->bucket[i] = j / depth * ((depth + m - 1) / m) + j % depth / m;
	}
	if (m) r.bucket = z->bucket, r.buckets = k / depth * ((depth + m - 1) / m), r.full = m - z->o->n;
	return r;
}

/* Scores: what a weight costs when it goes. None is below that of one before it, so that what goes is the beginning of the order. */
static void score_row(work *z, const cop_obs_rule *r, double by)
{
	float most = 0;

	for (int32_t t = 0; t < r->items; t++) {
		most = fmaxf(most, z->cost[t]);
		z->score[z->name[z->order[t]]] = (float)((double)most * by);
		if (z->o->m) z->mask[z->name[z->order[t]]] = isinf(z->cost[t]);
	}
}

/* 1/2 w'Hw: what a row puts out, at the scale of its costs. */
static double energy(const float *w, const float *h, int32_t k)
{
	double e = 0;

	for (int32_t i = 0; i < k; i++) {
		double s = 0;
		for (int32_t j = 0; j < k; j++) s += (double)h[(size_t)i * (size_t)k + (size_t)j] * (double)w[j];
		e += 0.5 * s * (double)w[i];
	}
	return e;
}

static cop_status for_rows(work *z, int32_t i, cop_status (*fn)(work *z, int32_t i, int32_t row, double by), double by)
{
	const cop_gram *m = &z->gram[i];
	int32_t rows = cop__t(z->g, z->it.layer[i].v)->dim[0], per = rows / m->groups;

	for (int32_t row = 0; row < rows; row++) {
		if (row % per == 0) COP_TRY(matrices(z, m, row / per, z->it.layer[i].name));
		COP_TRY(fn(z, i, row, by));
		if (cop__stopped(z->it.cx)) return cop__error(z->it.cx, COP_STOPPED, "stopped while '%s' was pruned", z->it.layer[i].name);
	}
	return COP_OK;
}

static cop_status trace_row(work *z, int32_t i, int32_t row, double by)
{
	const cop_pruned *l = &z->it.layer[i];
	const int32_t k = z->gram[i].k;
	const float *w = cop__floats(z->g, l->v) + (size_t)row * (size_t)k, *h = cop__gram_of_row(&z->gram[i], cop__t(z->g, l->v)->dim[0], row);
	const cop_obs_rule r = rule_of(z, l, k, row);
	const double gain = (double)z->gram[i].gain[row];

	for (int32_t j = 0; j < k; j++) z->row[j] = h[(size_t)j * (size_t)k + (size_t)j] > 0 ? w[j] : 0; /* what is never seen costs nothing */
	cop__obs_trace(z->cost, z->order, z->row, z->inverse, &r, z->trace);
	score_row(z, &r, by * gain * gain);
	return COP_OK;
}

static cop_status correct_row(work *z, int32_t i, int32_t row, double by)
{
	const cop_pruned *l = &z->it.layer[i];
	const int32_t k = z->gram[i].k;
	float *w = cop__own(z->g, l->v), *mask = cop__own(z->g, cop__follower(z->g, l->v, "mask"));

	(void)by;
	if (!w || !mask) return COP_NOMEM;
	w += (size_t)row * (size_t)k, mask += (size_t)row * (size_t)k;
	for (int32_t j = 0; j < k; j++) {
		int64_t at = l->offset + (int64_t)row * k + j;
		mask[j] = z->mask[z->it.of ? z->it.of[at] : at];
	}
	if (!cop__obs_correct(w, mask, z->damped, z->inverse, k, z->room)) return cop__error(z->it.cx, COP_ARG, "obc: '%s': the rest of row %d can't be solved for; a larger damp helps", l->name, row);
	return COP_OK;
}

static cop_status trace_layer(work *z, int32_t i)
{
	const cop_gram *m = &z->gram[i];
	const float *w = cop__floats(z->g, z->it.layer[i].v);
	int32_t rows = cop__t(z->g, z->it.layer[i].v)->dim[0];
	double all = 0; /* costs count as parts of it, so that layers can be compared */

	for (int32_t r = 0; r < rows; r++) all += (double)m->gain[r] * (double)m->gain[r] * energy(w + (size_t)r * (size_t)m->k, cop__gram_of_row(m, rows, r), m->k);
	return for_rows(z, i, trace_row, all > 0 ? 1 / all : 1);
}

/* ---- the stage ---- */

static double all_at_once(double keep, double t) { return (void)t, keep; }

static cop_status room(work *z)
{
	cop_arena *mem = &z->it.mem;
	size_t k = 0, n = (size_t)z->it.n, of_trace = 0;

	for (int32_t i = 0; i < z->it.n_layer; i++) {
		size_t of = (size_t)z->gram[i].k;
		const cop_obs_rule r = {.k = (int32_t)of, .items = (int32_t)of, .buckets = (int32_t)of};
		k = COP_MAX(k, of);
		of_trace = COP_MAX(of_trace, cop__obs_room(&r));
	}
	z->score = cop__arena_get(mem, n * 4), z->mask = cop__arena_get(mem, n * 4), z->scratch = cop__arena_get(mem, n * 4);
	z->damped = cop__arena_get(mem, k * k * 8), z->inverse = cop__arena_get(mem, k * k * 8), z->room = cop__arena_get(mem, (k * k + k) * 8);
	z->cost = cop__arena_get(mem, k * 4), z->row = cop__arena_get(mem, k * 4);
	z->order = cop__arena_get(mem, k * 4), z->item = cop__arena_get(mem, k * 4), z->bucket = cop__arena_get(mem, k * 4), z->name = cop__arena_get(mem, k * 4);
	z->trace = cop__arena_get(mem, of_trace);
	return z->score && z->mask && z->scratch && z->damped && z->inverse && z->room && z->cost && z->row && z->order && z->item && z->bucket && z->name && z->trace ? COP_OK : COP_NOMEM;
}

/* All that go as a whole lie in one row, and each is small. */
static cop_status within_rows(const work *z)
{
	for (int32_t i = 0; i < z->it.n_layer; i++) {
		const cop_pruned *l = &z->it.layer[i];
		cop_why why;
		if (!cop__can_gram(z->g, l->v, &why)) return cop__error(z->it.cx, COP_ARG, "obc: %s: name the others as layers", why.text);
	}
	if (strcmp(cop__grain(z->o->what.row)->row.name, "channel") || z->o->m) return COP_OK;
	return cop__error(z->it.cx, COP_ARG, "obc: what: channel: nothing of a row is left that could make good for it");
}

/* What earlier stages have taken stays taken: it is zero, and costs nothing. */
static void what_is_left(work *z)
{
	memset(z->mask, 0, sizeof *z->mask * (size_t)z->it.n);
	for (int32_t i = 0; i < z->it.n_layer; i++) {
		const cop_pruned *l = &z->it.layer[i];
		const float *mask = cop__floats(z->g, cop__follower(z->g, l->v, "mask"));
		for (int64_t j = 0; j < l->count; j++)
			if (mask[j] != 0) z->mask[z->it.of ? z->it.of[l->offset + j] : l->offset + j] = 1;
	}
}

static cop_status compress(work *z, const cop_means *m)
{
	const cop_gram_args a = {z->o->samples, m->a->threads, m->a->seed};
	const cop_cut cut = {&z->it, NULL, NULL, NULL, &z->o->keep, 1, all_at_once};

	if (!(z->gram = cop__arena_get(&z->it.mem, sizeof *z->gram * (size_t)z->it.n_layer))) return COP_NOMEM;
	for (int32_t i = 0; i < z->it.n_layer; i++) z->gram[i].weight = z->it.layer[i].v;
	COP_TRY(cop__grams(z->gram, z->it.n_layer, z->g, m->train, &a));
	COP_TRY(room(z));
	COP_TRY(cop__masks_add(z->g, &z->it));
	what_is_left(z);
	for (int32_t i = 0; i < z->it.n_layer; i++) COP_TRY(trace_layer(z, i));
	cop_cut c = cut;
	c.score = z->score, c.mask = z->mask, c.scratch = z->scratch;
	if (!z->o->m) cop__allot(z->o->scope.row)->cut(&c);
	for (int32_t i = 0; i < z->it.n_layer; i++) COP_TRY(for_rows(z, i, correct_row, 0));
	return COP_OK;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	work z = {.g = *g, .o = (const void *)s->own.bytes};

	if (z.o->m && cop__stage_given(s, "keep")) return cop__error((*g)->cx, COP_ARG, "recipe, line %d: obc: m says how many stay, so keep can't", s->line);
	cop_status st = cop__items_begin(&z.it, *g, s->terms.layers, &z.o->what);
	if (!st) st = within_rows(&z);
	if (!st) st = compress(&z, m);
	cop__grams_free(z.gram, z.it.n_layer, (*g)->cx);
	cop__items_free(&z.it);
	return st;
}

static cop_status check(cop_ctx *cx, const char *where, const void *own)
{
	const obc_options *o = own;
	const cop_allot_row *scope = cop__allot(o->scope.row);

	if (!scope->by_layer && (o->keep.n > 1 || strcmp(o->keep.at[0].layers, "*"))) return cop__error(cx, COP_ARG, "%s: scope: %s has one keep for all; give scope: layer for several", where, scope->row.name);
	if (o->m && o->n >= o->m) return cop__error(cx, COP_ARG, "%s: n: %d of each m: %d would stay, so nothing would go", where, o->n, o->m);
	if (o->m && strcmp(cop__grain(o->what.row)->row.name, "weight")) return cop__error(cx, COP_ARG, "%s: m counts single weights; leave what out", where);
	return COP_OK;
}

const cop_stage_row cop_stage_obc = {
	.row = {"obc", "removes weights by what each costs once the others of its row make good for it, and has them do so; nothing is trained", "Frantar and Alistarh 2022, arXiv 2208.11580", options, sizeof(obc_options)},
	.terms = cop__terms, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS, .gives = COP_HAS_MASKS, .check = check, .can = cop__can_gram, .run = run,
};
