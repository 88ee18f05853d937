/* SPDX-License-Identifier: Apache-2.0
 *
 * shares - which layers each node of a step is there for. The updates of a layer are its own, and so is what they alone read. Going back from the loss, the
 * error passes the layers from the last one to the first: what several layers need is there as soon as the last of these, or one before it, is trained.
 */
#include "op/op.h"
#include "plan/plan.h"
#include "train/neurons.h"

/* The first and the last layer whose updates need a value; last below 0: none does. */
typedef struct range { int32_t first, last; } range;
static const range nobody = {INT32_MAX, -1};

static range both(range a, range b) { return (range){COP_MIN(a.first, b.first), COP_MAX(a.last, b.last)}; }

typedef struct sharing {
	const cop_graph *step, *model;
	const cop_neurons *n;
	const int32_t *readers; /* in the model */
	range *of;              /* of values of the step */
	bool *forward;
} sharing;

/* The layer of a weight; what belongs to none of them is always trained, as the last one is. */
static int32_t layer_of(const sharing *s, const char *name)
{
	for (int32_t l = 0; l < s->n->n_layer; l++) {
		const cop_channels *c = &s->n->layer[l];
		const cop_vid of[1 + COP_ALSO] = {c->w, c->also[0], c->also[1], c->also[2]};
		for (int i = 0; i <= COP_ALSO; i++)
			if (of[i] && !strcmp(s->model->value[of[i]].name, name)) return l;
	}
	return s->n->n_layer - 1;
}

/* The weight that is updated where v is written, or whose momentum is; 0: neither. Running means go on without updates. */
static cop_vid updated(const sharing *s, cop_vid v)
{
	const cop_value *x = &s->step->value[v];
	const cop_vid at = x->role == COP_PARAM ? v : x->role == COP_STATE ? x->of : 0, known = x->role == COP_STATE ? cop__find(s->model, x->name) : 0;

	return at && s->step->value[at].role == COP_PARAM && !(known && s->readers[known]) ? at : 0;
}

static range needed_by(const sharing *s, cop_nid k)
{
	range r = nobody;

	for (int i = 0; i < COP_MAX_OUT; i++) {
		const cop_vid y = s->step->node[k].out[i], w = y ? updated(s, cop__base(s->step, y)) : 0;
		const int32_t l = w ? layer_of(s, s->step->value[w].name) : 0;
		if (y) r = both(r, s->of[y]);
		if (w) r = both(r, (range){l, l});
	}
	/* a number for all, such as a learnt rate, makes no layer need the others */
	return r.first < r.last && cop_type_count(cop__outt(s->step, k, 0)) == 1 ? nobody : r;
}

/* What no update needs, such as a layer's part of a sum over all, is there where the gradients are that it reads. */
static range where_read(const sharing *s, cop_nid k)
{
	range r = nobody;

	for (int i = 0; i < s->step->node[k].n_in; i++) {
		const cop_vid x = s->step->node[k].in[i];
		if (!s->forward[x] && s->step->value[x].role == COP_TEMP) r = both(r, s->of[x]);
	}
	return r.first == r.last ? r : nobody;
}

static void share(cop_shares *out, const sharing *s, cop_nid k, double cost)
{
	range r = s->forward[s->step->node[k].out[0]] ? nobody : needed_by(s, k);

	for (int i = 0; i < s->step->node[k].n_in && r.last >= 0; i++) s->of[s->step->node[k].in[i]] = both(s->of[s->step->node[k].in[i]], r);
	if (r.last < 0) r = where_read(s, k);
	if (r.last < 0 || r.last == s->n->n_layer - 1) out->fixed += cost;
	else if (r.first == r.last) out->layer[r.last].own += cost;
	else out->layer[r.last].reach += cost;
}

cop_status cop__step_shares(cop_shares *out, cop_arena *mem, const cop_graph *step, const double *cost, const cop_graph *model, const cop_neurons *n)
{
	const sharing s = {step, model, n, cop__readers(model, mem), cop__arena_get(mem, sizeof *s.of * ((size_t)step->n_value + 1)), cop__arena_get(mem, (size_t)step->n_value + 1)};

	*out = (cop_shares){.layer = cop__arena_get(mem, sizeof *out->layer * (size_t)n->n_layer)};
	if (!s.readers || !s.of || !s.forward || !out->layer) return COP_NOMEM;
	for (int32_t v = 0; v <= step->n_value; v++) s.of[v] = nobody;
	cop__mark_forward(s.forward, step);
	for (cop_nid k = (cop_nid)step->n_node; k > 0; k--) share(out, &s, k, cost[k]);
	return COP_OK;
}
