/* SPDX-License-Identifier: Apache-2.0
 *
 * trial - what a layer contributes: how far the loss falls when it is trained beside the last layer for a while. All trials begin with a last layer that was
 * trained before, take the same samples in the same order, and are compared with one that goes on with the last layer alone. And the rate that suits the layers, and which
 * of them train well together.
 */
#include "compress/adapt/adapt.h"
#include "run/deploy.h"

#include <math.h>
#include <stdlib.h>

/* On a task that is new a hundred steps say little: the smallest rate seems best, and weights seem to gain nothing. So layers share ALL_STEPS, and a rate gets LONG.
 * Where there are fewer samples than that, they come again, as they will in the training. */
enum { SHORT = 100, LONG = 1000, ALL_STEPS = 20000, PASSES = 3 };

/* Some samples of a set, drawn: of every three the first, which trials are scored on, or others. */
typedef struct few { cop_dataset d; cop_dataset *of; int32_t *at, passes; } few;

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const few *f = ud;
	return f->of->get(f->of->ud, f->at[i], x, label);
}

static cop_status target(void *ud, int32_t i, float *y)
{
	const few *f = ud;
	return f->of->target(f->of->ud, f->at[i], y);
}

static cop_status take(few *f, cop_adapter *z, int32_t n, bool scored)
{
	cop_dataset *of = z->data;
	int32_t all = 0;

	*f = (few){.d = *of, .of = of, .at = cop__arena_get(&z->mem, sizeof *f->at * (size_t)of->count)};
	if (!f->at) return COP_NOMEM;
	for (int32_t i = 0; i < of->count; i++)
		if ((i % 3 == 0) == scored) f->at[all++] = i;
	f->d.count = COP_MIN(n, all);
	f->passes = COP_MIN(COP_MAX(n / COP_MAX(f->d.count, 1), 1), PASSES);
	for (int32_t i = 0; i < f->d.count; i++) { /* the first of a shuffled order */
		const int32_t k = i + (int32_t)(cop__rand((uint32_t)z->a->seed, cop__hash_text("trial"), (uint64_t)i) % (uint32_t)(all - i)), was = f->at[i];
		f->at[i] = f->at[k];
		f->at[k] = was;
	}
	f->d.get = get;
	f->d.target = of->target ? target : NULL;
	f->d.free = NULL;
	f->d.ud = f;
	return COP_OK;
}

/* ---- one trial ---- */

typedef struct trials { cop_adapter *z; few train, rates, probe; cop_graph *began; float lr; double alone, least; int64_t done, all; } trials;

static void tell(trials *t)
{
	if (t->z->a->progress) t->z->a->progress(t->z->a->ud, ++t->done, t->all);
}

/* g with what spec names trained on samples, as a network that was never trained, the rate falling as it will; COP_OK and *out NULL: it ran away. */
static cop_status trained(cop_graph **out, trials *t, const cop_graph *g, const char *spec, few *on)
{
	const cop_adapt_args *a = t->z->a;
	const cop_train_args train = {.epochs = on->passes, .batch = 1, .threads = a->threads, .lr = t->lr, .update = spec, .schedule = "cosine", .augment = "none", .seed = a->seed};

	COP_TRY(cop__adapt_prepared(out, g, spec));
	cop_status st = cop_train(*out, &on->d, NULL, &train);
	if (!st) st = cop_graph_settle(out);
	if (!st) return COP_OK;
	cop_graph_free(*out);
	*out = NULL;
	if (st != COP_DIVERGED) return st;
	cop_error_clear(t->z->cx);
	return COP_OK;
}

static cop_status loss_of(double *loss, trials *t, const cop_graph *g)
{
	cop_score s;

	COP_TRY(cop_eval(&s, g, &t->probe.d, 16, t->z->a->threads));
	*loss = isfinite(s.loss) ? (double)s.loss : INFINITY;
	return COP_OK;
}

static cop_status try_it(double *loss, trials *t, const cop_graph *from, const char *spec, few *on)
{
	cop_graph *g;

	*loss = INFINITY;
	COP_TRY(trained(&g, t, from, spec, on));
	cop_status st = g ? loss_of(loss, t, g) : COP_OK;
	cop_graph_free(g);
	if (!st) tell(t);
	return st;
}

static cop_status try_levels(double *loss, trials *t, const uint8_t *level)
{
	cop_text spec;

	cop__text_init(&spec, t->z->cx);
	cop_status st = cop__adapt_spec(&spec, t->z, level);
	if (!st) st = try_it(loss, t, t->began, spec.data, &t->train);
	cop__text_free(&spec);
	return st;
}

/* ---- the rate ---- */

static const float rates[] = {0.3f, 0.1f, 0.03f, 0.01f, 0.003f, 0.001f, 3e-4f, 1e-4f};
enum { RATES = LEN(rates), USUAL = 6 }; /* those behind are looked at only if the last before them was best, or all ran away */
static const double NEARLY = 0.85;

/* The lowest rate that gains nearly as much as the best, both over the lowest one that was tried: training is longer than this trial, and one that is a little too
 * high runs away in it. */
static cop_status find_rate(trials *t, const char *spec)
{
	double loss[RATES], least = INFINITY;
	int n = 0, best = -1;

	if (t->z->a->lr > 0) return t->lr = t->z->a->lr, COP_OK;
	for (; n < RATES && (n < USUAL || best < 0 || best == n - 1); n++) {
		t->all += n ? n >= USUAL : USUAL;
		t->lr = rates[n];
		COP_TRY(try_it(&loss[n], t, t->z->g, spec, &t->rates));
		if (loss[n] < least) least = loss[n], best = n;
	}
	t->least = least;
	if (best < 0) return cop__error(t->z->cx, COP_DIVERGED, "adapt: training runs away at every rate down to %g", (double)t->lr);
	for (int i = best; i < n; i++)
		if (isfinite(loss[i]) && loss[i] <= least + (1 - NEARLY) * (loss[n - 1] - least)) t->lr = rates[i];
	return COP_OK;
}

static cop_status samples(trials *t, cop_adapter *z)
{
	int32_t trials_of_layers = 1, trial = z->a->trial;

	for (int32_t i = 0; i < z->n; i++) trials_of_layers += z->item[i].can[COP_TRAIN_BIAS] + z->item[i].can[COP_TRAIN_ALL];
	if (!trial) trial = COP_MIN(COP_MAX(ALL_STEPS / trials_of_layers, SHORT), LONG);
	*t = (trials){.z = z, .all = trials_of_layers};
	if (z->data->count < 3) return cop__error(z->cx, COP_ARG, "adapt: '%s' has %d samples, and at least 3 are needed to find out what layers contribute", z->data->name, z->data->count);
	COP_TRY(take(&t->train, z, trial, false));
	COP_TRY(take(&t->rates, z, COP_MAX(trial, LONG), false));
	return take(&t->probe, z, z->a->score ? z->a->score : 200, true);
}

/* As long as the one of a rate, unless a length was given. */
static few *long_enough(trials *t) { return t->z->a->trial ? &t->train : &t->rates; }

cop_status cop__adapt_rate(float *lr, double *loss, cop_adapter *z, const char *spec)
{
	trials t;

	*lr = z->a->lr;
	if (*lr > 0 && !loss) return COP_OK;
	COP_TRY(samples(&t, z));
	t.all = 0;
	COP_TRY(find_rate(&t, spec));
	if (z->a->lr > 0) {
		t.all = 1;
		COP_TRY(try_it(&t.least, &t, z->g, spec, long_enough(&t)));
	}
	*lr = t.lr;
	if (loss) *loss = t.least;
	return COP_OK;
}

/* ---- what layers contribute ---- */

/* The rate that suits the biases of all layers: that of the last layer alone may be too much for the others, and that of all weights so little that hardly a layer
 * gains by it, since a few layers run away with more. Those then seem to gain nothing, and are left out. */
static cop_status common_rate(trials *t, uint8_t *level)
{
	const cop_adapter *z = t->z;
	cop_text spec;

	for (int32_t i = 0; i < z->n; i++) level[i] = z->item[i].can[COP_TRAIN_BIAS] ? COP_TRAIN_BIAS : COP_TRAIN_ALL;
	cop__text_init(&spec, z->cx);
	cop_status st = cop__adapt_spec(&spec, z, level);
	if (!st) st = find_rate(t, spec.data);
	cop__text_free(&spec);
	memset(level, 0, (size_t)z->n);
	return st;
}

/* The last layer, trained for twice as long as a trial: drawn at random it would say little about the others. */
static cop_status begin(trials *t)
{
	cop_graph *once = NULL;
	cop_text spec;

	cop__text_init(&spec, t->z->cx);
	cop_status st = cop__adapt_spec(&spec, t->z, NULL);
	if (!st) st = trained(&once, t, t->z->g, spec.data, &t->train);
	if (!st && once) st = trained(&t->began, t, once, spec.data, &t->train);
	cop_graph_free(once);
	cop__text_free(&spec);
	if (!st && !t->began) return cop__error(t->z->cx, COP_DIVERGED, "adapt: training of the last layer alone runs away at the rate %g; take a lower one", (double)t->lr);
	return st ? st : try_levels(&t->alone, t, NULL);
}

static cop_status all(trials *t)
{
	cop_adapter *z = t->z;
	uint8_t *level = cop__arena_get(&z->mem, (size_t)z->n + 1);
	double loss;

	if (!level) return COP_NOMEM;
	COP_TRY(common_rate(t, level));
	COP_TRY(begin(t));
	for (int32_t i = z->n - 1; i >= 0; i--)
		for (uint8_t k = COP_TRAIN_BIAS; k < COP_TRAIN_LEVELS; k++) {
			cop_adapt_item *it = &z->item[i];
			if (!it->can[k]) continue;
			level[i] = k;
			COP_TRY(try_levels(&loss, t, level));
			level[i] = COP_TRAIN_NONE;
			it->gain[k] = t->alone - loss;
			it->can[k] = it->gain[k] > 0;
		}
	return COP_OK;
}

cop_status cop__adapt_gains(cop_adapter *z)
{
	trials t;

	COP_TRY(samples(&t, z));
	cop_status st = all(&t);
	cop_graph_free(t.began);
	return st;
}

/* ---- together ---- */

/* Weights and bias of layer i, or its bias, as `level` says. */
typedef struct part { double gain; int32_t i; uint8_t level; bool chosen; } part;

static int by_gain(const void *a, const void *b)
{
	const part *x = a, *y = b;

	if (x->chosen != y->chosen) return x->chosen ? -1 : 1;
	if (x->gain != y->gain) return x->gain > y->gain ? -1 : 1;
	return x->i != y->i ? (x->i > y->i) - (x->i < y->i) : x->level - y->level;
}

/* What gains by itself: first what was chosen, then the rest, the most gain first. */
static int32_t list(part *all, const cop_adapter *z, const uint8_t *chosen)
{
	int32_t n = 0;

	for (int32_t i = 0; i < z->n; i++)
		for (uint8_t k = COP_TRAIN_BIAS; k < COP_TRAIN_LEVELS; k++)
			if (z->item[i].can[k]) all[n++] = (part){z->item[i].gain[k], i, k, chosen[i] == k};
	qsort(all, (size_t)n, sizeof *all, by_gain);
	return n;
}

/* Each is kept if the plan still fits and the loss falls further. */
static cop_status one_by_one(trials *t, uint8_t *level, const part *all, int32_t n)
{
	const cop_adapter *z = t->z;
	double least = t->alone, bytes, loss;

	for (const part *p = all; p < all + n; p++) {
		const uint8_t was = level[p->i];
		if (was >= p->level) continue;
		level[p->i] = p->level;
		COP_TRY(cop__adapt_bytes(&bytes, z, level));
		loss = INFINITY;
		if (!z->t.ram || bytes <= (double)z->t.ram) COP_TRY(try_levels(&loss, t, level));
		if (loss < least) least = loss;
		else level[p->i] = was;
	}
	return COP_OK;
}

cop_status cop__adapt_together(uint8_t *level, cop_adapter *z, float lr)
{
	trials t;
	part *all = cop__arena_get(&z->mem, sizeof *all * ((size_t)z->n * 2 + 1));

	if (!all) return COP_NOMEM;
	COP_TRY(samples(&t, z));
	t.train = *long_enough(&t);
	t.lr = lr;
	const int32_t n = list(all, z, level);
	t.all = n + 1;
	memset(level, COP_TRAIN_NONE, (size_t)z->n);
	cop_status st = begin(&t);
	if (!st) st = one_by_one(&t, level, all, n);
	cop_graph_free(t.began);
	return st;
}

/* ---- the time of a step ---- */

cop_status cop__adapt_seconds(double *of_step, const cop_adapter *z, const char *spec)
{
	enum { STEPS = 5 };
	cop_graph *g;
	cop_trainer *t = NULL;

	COP_TRY(cop__adapt_prepared(&g, z->g, spec));
	cop_status st = cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 1, .threads = 1, .spec = spec});
	*of_step = INFINITY;
	for (int i = 0; !st && i <= STEPS; i++) { /* the first one finds cold caches; of the others the quickest was disturbed least */
		double began = cop__seconds();
		st = cop_trainer_step(t, 0, NULL);
		if (i) *of_step = fmin(*of_step, cop__seconds() - began);
	}
	cop_trainer_free(t);
	cop_graph_free(g);
	return st;
}
