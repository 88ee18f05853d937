/* SPDX-License-Identifier: Apache-2.0
 *
 * select - in each epoch only so many neurons are trained as a budget allows, those that some way of choosing puts first. The others are left out as
 * those at equilibrium are: no memory is taken for their gradients, nor for inputs of layers in which none is trained.
 */
#include "train/policy/select.h"

#include <stdio.h>

typedef struct options { int32_t by, first, samples, reading, every; char budget[24]; float mu, mass; } options;
typedef struct chooser {
	const options *o;
	cop_budget budget;
	cop_velocity v;
	bool *live, *layer;
	float *number, *key; /* [count] what the way needs; of the way */
	float *price;        /* [4 n_layer + 1] of a step (cop_step_prices), where the budget is one of steps: it is measured once, and is a state of the training */
	int32_t n_layer;
	cop_handle of_price;
} chooser;

static const cop_option table[] = {
	COP_OPT_AMONG(options, by, &cop_ways, "velocity", "how neurons are chosen"),
	COP_OPT_TEXT(options, budget, "20%", "how much may be trained: a part of the weights before the last layer; or bytes of gradients and of the inputs that wait for them; or what a step takes: 3Mflops, 60%flops; or 2.5ms, 60%ms, which depend on the machine"),
	COP_OPT_WHOLE(options, every, 1, 1000000, "1", "epochs for which a choice holds"),
	COP_OPT_WORD(options, first, "random|all", "random", "what is trained in the first epoch where velocities choose, which are not known then"),
	COP_OPT_REAL(options, mass, 0, 1, "0.8", "of tra-dy: the part of the gradients, each for the memory of its layer, that the layers in question have"),
	COP_OPT_REAL(options, mu, 0, 1, "0.5", "of velocity: how much of the velocity before is taken off"),
	COP_OPT_WORD(options, reading, COP_VELOCITY_READINGS, "code", "of velocity: as the code of the authors has it, or as the paper"),
	COP_OPT_WHOLE(options, samples, 1, 1000000, "64", "samples that are kept out of the training, to measure on"),
	COP_OPT_END,
};

static int needs(const chooser *c) { return cop__way(c->o->by)->needs; }

static size_t price_size(const chooser *c) { return sizeof *c->price * (size_t)(4 * c->n_layer + 1); }

static cop_status data(void *ud, const cop_dataset *d) { return cop__velocity_data(&((chooser *)ud)->v, d); }
static cop_status build(void *ud, cop_build *b)
{
	chooser *c = ud;

	if (needs(c) & COP_NEEDS_VELOCITY) COP_TRY(cop__velocity_build(&c->v, b));
	if (!c->price) return COP_OK;
	const cop_type t = cop__type(COP_F32, 1, DIMS(4 * c->n_layer + 1));
	c->of_price = cop__build_state(b, "select.price", &t, c->price, NULL);
	return c->of_price ? COP_OK : COP_NOMEM;
}

static cop_status keep_out(void *ud, const cop_progress *p, const cop_chosen *c)
{
	(void)p;
	cop__velocity_keep_out(&((chooser *)ud)->v, c);
	return COP_OK;
}

/* ---- what a step takes ---- */

static cop_status measure_step(chooser *c, const cop_progress *p)
{
	const cop_way *way = cop__way(c->o->by);
	cop_step_prices s;
	cop_neurons n;

	if (c->budget.unit < COP_BUDGET_SECONDS) return COP_OK;
	COP_TRY(cop__step_prices(&s, c->v.mem, p, c->v.names, &c->budget, way->take == COP_TAKE_NEURONS));
	COP_TRY(cop__neurons_find(&n, c->v.mem, p->model, c->v.names, "select"));
	c->n_layer = n.n_layer;
	if (!(c->price = cop__arena_get(c->v.mem, price_size(c)))) return COP_NOMEM;
	for (int32_t l = 0; l < n.n_layer; l++) {
		const double of[] = {s.layer[l].reach, s.layer[l].open, s.layer[l].each, s.layer[l].all};
		for (int i = 0; i < 4; i++) c->price[4 * l + i] = (float)of[i];
	}
	c->price[4 * n.n_layer] = (float)s.fixed;
	return COP_OK;
}

static cop_status prices(cop_prices *out, cop_arena *mem, const chooser *c, const cop_progress *p, const cop_neurons *n)
{
	cop_step_prices s = {cop__arena_get(mem, sizeof *s.layer * (size_t)n->n_layer), 0};

	if (!s.layer) return COP_NOMEM;
	for (int32_t l = 0; c->price && l < n->n_layer; l++) {
		const float *f = c->price + 4 * l;
		s.layer[l] = (cop_layer_price){(double)f[0], (double)f[1], (double)f[2], (double)f[3]};
	}
	if (c->price) s.fixed = (double)c->price[4 * n->n_layer];
	return cop__prices(out, mem, &c->budget, n, p->batch, &s);
}

/* ---- the coming epoch ---- */

static void tell(const cop_taken *t, const cop_prices *x, const cop_neurons *n, cop_ctx *cx, int32_t epoch)
{
	const bool ms = x->unit == COP_BUDGET_SECONDS;

	cop__log(cx, COP_LOG_INFO, "select: in epoch %d, %d of %d neurons are trained, %lld of %lld numbers; gradients and inputs that wait for them take %lld bytes", epoch + 1,
		t->neurons, n->hidden, (long long)t->numbers, (long long)n->numbers, (long long)t->bytes);
	if (x->unit >= COP_BUDGET_SECONDS)
		cop__log(cx, COP_LOG_INFO, "select: a step should take %.4g %s; the budget is %.4g", (ms ? 1e3 : 1e-6) * t->price, ms ? "ms" : "million operations", (ms ? 1e3 : 1e-6) * x->limit);
}

static cop_status pick(chooser *c, const cop_progress *p, const cop_way *way, int32_t epoch)
{
	cop_neurons n;
	cop_prices x;
	cop_taken t;
	cop_arena mem;

	cop__arena_init(&mem, p->model->cx);
	cop_status st = cop__neurons_find(&n, &mem, p->model, c->v.names, "select");
	if (!st) st = prices(&x, &mem, c, p, &n);
	if (!st) way->key(c->key, &(cop_chooser){&n, c->number, c->number, c->number, c->layer, p->seed, epoch});
	if (!st) st = cop__take_within(c->live, &t, way->take, c->key, &n, &x, p->batch, p->model->cx);
	if (!st) tell(&t, &x, &n, p->model->cx, epoch);
	cop__arena_free(&mem);
	return st;
}

/* What the way needs beside velocities. */
static cop_status measure(chooser *c, const cop_progress *p)
{
	if (needs(c) & COP_NEEDS_GRADIENT) return cop__neuron_gradients(c->number, p->model, NULL, &c->v, p->threads);
	return needs(c) & COP_NEEDS_RISE ? cop__neuron_rises(c->number, p->model, p->t, p->given, &c->v, p->threads) : COP_OK;
}

static cop_status find_layers(chooser *c, const cop_progress *p)
{
	cop_neurons n;

	COP_TRY(cop__neuron_gradients(c->number, p->model, NULL, &c->v, p->threads));
	COP_TRY(cop__neurons_find(&n, c->v.mem, p->model, c->v.names, "select"));
	if (!(c->layer = cop__arena_get(c->v.mem, (size_t)n.n_layer + 1))) return COP_NOMEM;
	return cop__good_layers(c->layer, &n, c->number, c->o->mass, p->batch, p->model->cx);
}

static cop_status start(void *ud, const cop_progress *p, cop_graph *model)
{
	chooser *c = ud;
	const bool waits = needs(c) & COP_NEEDS_VELOCITY;

	COP_TRY(cop__velocity_begin(&c->v, p));
	c->live = cop__arena_get(c->v.mem, (size_t)c->v.count + 1);
	c->number = cop__arena_get(c->v.mem, sizeof *c->number * ((size_t)c->v.count + 1));
	c->key = cop__arena_get(c->v.mem, sizeof *c->key * ((size_t)c->v.count + 1));
	if (!c->live || !c->number || !c->key) return COP_NOMEM;
	if (needs(c) & COP_NEEDS_LAYERS) COP_TRY(find_layers(c, p));
	COP_TRY(measure(c, p));
	COP_TRY(measure_step(c, p));
	COP_TRY(pick(c, p, waits ? cop__way(cop__row_index(&cop_ways, "random", 6)) : cop__way(c->o->by), 0));
	return waits && c->o->first ? COP_OK : cop__neurons_list(model, c->v.names, "select", c->live);
}

static cop_status epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	chooser *c = ud;

	if (p->epoch + 1 >= p->epochs) return COP_OK;
	if (needs(c) & COP_NEEDS_VELOCITY) COP_TRY(cop__velocity_measure(c->number, &c->v, p));
	if ((p->epoch + 1) % c->o->every) return COP_OK;
	COP_TRY(measure(c, p));
	if (c->price) {
		cop_tensor kept;
		COP_TRY(cop__trainer_tensor(p->t, c->of_price, &kept));
		memcpy(c->price, kept.data, price_size(c));
	}
	*v = COP_REPLAN;
	return pick(c, p, cop__way(c->o->by), p->epoch + 1);
}

static cop_status rebuild(void *ud, cop_trainer *t, cop_graph *model)
{
	chooser *c = ud;

	(void)t;
	return cop__neurons_list(model, c->v.names, "select", c->live);
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *options_)
{
	const options *o = options_;
	chooser *c = cop__arena_get(mem, sizeof *c);

	if (!c) return COP_NOMEM;
	*c = (chooser){.o = o, .v = {.who = "select", .mem = mem, .reading = o->reading, .samples = o->samples, .mu = o->mu}};
	*out = (cop_policy){.name = "select", .ud = c, .leaves_out = true, .data = data, .choose = keep_out, .build = build, .start = start, .epoch = epoch, .rebuild = rebuild};
	return cop__budget_read(&c->budget, mem->cx, o->budget);
}

const cop_policy_row cop_policy_select = {
	.row = {"select", "as many neurons are trained in an epoch as a budget allows, and others in the next one", "Quelennec et al. 2024, arXiv 2312.05282", table, sizeof(options)}, .make = make};
