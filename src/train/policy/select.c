/* SPDX-License-Identifier: Apache-2.0
 *
 * select - in each epoch only so many neurons are trained as a budget allows, those that some way of choosing puts first. The others are left out as
 * those at equilibrium are: no memory is taken for their gradients, nor for inputs of layers in which none is trained.
 */
#include "train/policy/select.h"

#include <stdio.h>

typedef struct options { int32_t by, first, samples, reading; char budget[24]; float mu, mass; } options;
typedef struct chooser {
	const options *o;
	cop_budget budget;
	cop_velocity v;
	bool *live, *layer;
	float *number, *key; /* [count] velocities or squares; of the way */
} chooser;

static const cop_option table[] = {
	COP_OPT_AMONG(options, by, &cop_ways, "velocity", "how neurons are chosen"),
	COP_OPT_TEXT(options, budget, "20%", "how much may be trained: a part of the weights before the last layer, or bytes of gradients and of the inputs that wait for them"),
	COP_OPT_WORD(options, first, "random|all", "random", "what is trained in the first epoch where velocities choose, which are not known then"),
	COP_OPT_REAL(options, mass, 0, 1, "0.8", "of tra-dy: the part of the gradients, each for the memory of its layer, that the layers in question have"),
	COP_OPT_REAL(options, mu, 0, 1, "0.5", "of velocity: how much of the velocity before is taken off"),
	COP_OPT_WORD(options, reading, COP_VELOCITY_READINGS, "code", "of velocity: as the code of the authors has it, or as the paper"),
	COP_OPT_WHOLE(options, samples, 1, 1000000, "64", "samples that are kept out of the training, to measure on"),
	COP_OPT_END,
};

static int needs(const chooser *c) { return cop__way(c->o->by)->needs; }

static cop_status data(void *ud, const cop_dataset *d) { return cop__velocity_data(&((chooser *)ud)->v, d); }
static cop_status build(void *ud, cop_build *b)
{
	chooser *c = ud;
	return needs(c) & COP_NEEDS_VELOCITY ? cop__velocity_build(&c->v, b) : COP_OK;
}

static cop_status keep_out(void *ud, const cop_progress *p, const cop_chosen *c)
{
	(void)p;
	cop__velocity_keep_out(&((chooser *)ud)->v, c);
	return COP_OK;
}

/* Those of the coming epoch. */
static cop_status pick(chooser *c, const cop_progress *p, const cop_way *way, int32_t epoch)
{
	cop_neurons n;
	cop_taken t;
	cop_arena mem;

	cop__arena_init(&mem, p->model->cx);
	cop_status st = cop__neurons_find(&n, &mem, p->model, c->v.names, "select");
	if (!st) way->key(c->key, &(cop_chooser){&n, c->number, c->number, c->layer, p->seed, epoch});
	if (!st) st = cop__select_neurons(c->live, &t, c->key, &n, &c->budget, p->batch, p->model->cx);
	if (!st)
		cop__log(p->model->cx, COP_LOG_INFO, "select: in epoch %d, %d of %d neurons are trained, %lld of %lld numbers; gradients and inputs that wait for them take %lld bytes", epoch + 1,
			t.neurons, n.hidden, (long long)t.numbers, (long long)n.numbers, (long long)t.bytes);
	cop__arena_free(&mem);
	return st;
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
	if (needs(c) & COP_NEEDS_GRADIENT) COP_TRY(cop__neuron_gradients(c->number, p->model, NULL, &c->v, p->threads));
	COP_TRY(pick(c, p, waits ? cop__way(cop__row_index(&cop_ways, "random", 6)) : cop__way(c->o->by), 0));
	return waits && c->o->first ? COP_OK : cop__neurons_list(model, c->v.names, "select", c->live);
}

static cop_status epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	chooser *c = ud;

	if (p->epoch + 1 >= p->epochs) return COP_OK;
	if (needs(c) & COP_NEEDS_VELOCITY) COP_TRY(cop__velocity_measure(c->number, &c->v, p));
	if (needs(c) & COP_NEEDS_GRADIENT) COP_TRY(cop__neuron_gradients(c->number, p->model, NULL, &c->v, p->threads));
	*v = COP_REPLAN;
	return pick(c, p, cop__way(c->o->by), p->epoch + 1);
}

static cop_status rebuild(void *ud, cop_graph *model)
{
	chooser *c = ud;
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
