/* SPDX-License-Identifier: Apache-2.0
 *
 * steps - what a step takes, layer by layer: in operations, which are counted, or in seconds, as it runs on this machine. Where only some neurons of a layer
 * are trained, it does not take as much less: the error has to come to all of them, kernels go by vectors of neurons, and these are put next to each other
 * first. So steps with a quarter and with three quarters of the neurons of each layer are looked at, too.
 */
#include "train/build_record.h"
#include "train/policy/select.h"

#include <math.h>

typedef struct looking {
	const cop_progress *p;
	const char *names;
	const cop_neurons *n;
	cop_arena *mem;
	bool timed;
} looking;

static cop_status look(cop_shares *s, const looking *m, cop_trainer *t)
{
	const cop_graph *step = cop__trainer_graph(t);
	double *cost;

	if (m->timed) {
		COP_TRY(cop__trainer_seconds(&step, &cost, m->mem, t));
		return cop__step_shares(s, m->mem, step, cost, m->p->model, m->n);
	}
	if (!(cost = cop__arena_get(m->mem, sizeof *cost * ((size_t)step->n_node + 1)))) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)step->n_node; n++) cost[n] = cop__node_flops(step, n);
	return cop__step_shares(s, m->mem, step, cost, m->p->model, m->n);
}

/* So many of a layer, in quarters. */
static int32_t some(const cop_channels *c, int quarters) { return COP_MAX(1, c->rows * quarters / 4); }

static cop_status listed_trainer(cop_trainer **t, const looking *m, int quarters)
{
	cop_graph *g = NULL;
	cop_build *b = NULL;
	bool *live = cop__arena_get(m->mem, (size_t)m->n->count + 1);
	cop_status st = live ? cop_graph_copy(&g, m->p->model) : COP_NOMEM;

	for (int32_t l = 0; !st && l < m->n->n_layer; l++) memset(live + m->n->layer[l].first, true, (size_t)some(&m->n->layer[l], quarters));
	if (!st) st = cop__neurons_list(g, m->names, "select", live);
	if (!st) st = cop__build_new(&b, g, m->p->batch, 0);
	if (!st) st = cop__build_spec(b, "loss=mse update=sgd momentum=0");
	cop_graph_free(g);
	if (st) return cop__build_free(b), st;
	cop__build_like(b, cop__trainer_build(m->p->t));
	return cop__trainer_new(t, b, m->p->threads, false);
}

/* own[n_layer]: each layer's gradients and updates with so many neurons. */
static cop_status look_at_some(double *own, const looking *m, int quarters)
{
	cop_trainer *t = NULL;
	cop_shares s;
	cop_status st = listed_trainer(&t, m, quarters);

	if (!st) st = look(&s, m, t);
	for (int32_t l = 0; !st && l < m->n->n_layer; l++) own[l] = s.layer[l].own;
	cop_trainer_free(t);
	return st;
}

/* A line through both. */
static cop_status look_at_parts(cop_layer_price *price, const looking *m)
{
	double *few = cop__arena_get(m->mem, sizeof *few * (size_t)m->n->n_layer), *many = cop__arena_get(m->mem, sizeof *many * (size_t)m->n->n_layer);

	if (!few || !many) return COP_NOMEM;
	COP_TRY(look_at_some(few, m, 1));
	COP_TRY(look_at_some(many, m, 3));
	for (int32_t l = 0; l < m->n->n_layer - 1; l++) {
		const int32_t a = some(&m->n->layer[l], 1), b = some(&m->n->layer[l], 3);
		price[l].each = b > a ? fmax(0, (many[l] - few[l]) / (b - a)) : 0;
		price[l].open = fmax(0, few[l] - price[l].each * a);
	}
	return COP_OK;
}

cop_status cop__step_prices(cop_step_prices *out, cop_arena *mem, const cop_progress *p, const char *names, const cop_budget *b, bool parts)
{
	cop_neurons n;
	cop_shares s;
	const looking m = {p, names, &n, mem, b->unit == COP_BUDGET_SECONDS};

	COP_TRY(cop__neurons_find(&n, mem, p->model, names, "select"));
	COP_TRY(look(&s, &m, p->t));
	*out = (cop_step_prices){cop__arena_get(mem, sizeof *out->layer * (size_t)n.n_layer), s.fixed};
	if (!out->layer) return COP_NOMEM;
	for (int32_t l = 0; l < n.n_layer; l++) out->layer[l] = (cop_layer_price){s.layer[l].reach, 0, 0, s.layer[l].own};
	return parts ? look_at_parts(out->layer, &m) : COP_OK;
}
