/* SPDX-License-Identifier: Apache-2.0
 *
 * start - what a run over a data set needs before its first step, and the trainer of a network that has changed on the way.
 */
#include "train/identity.h"
#include "train/loop.h"

cop_status cop__build_training(cop_build *b, const cop_train_args *a, bool labels, bool soft)
{
	const char *update = a->update ? a->update : "";
	cop_text t;

	cop__build_bf16(b, a->bf16);
	cop__text_init(&t, cop__build_model(b)->cx);
	cop__text_add(&t, "%s", update);
	if (!strstr(update, "loss=") && soft) cop__text_add(&t, " loss=soft");
	else if (!strstr(update, "loss=") && labels) cop__text_add(&t, " loss=xent smooth=%g", (double)a->smooth);
	else if (!strstr(update, "loss=")) cop__text_add(&t, " loss=mse");
	cop_status st = t.status ? t.status : cop__build_spec(b, t.data);
	cop__text_free(&t);
	return st;
}

static cop_status make_trainer(cop_loop *l)
{
	cop_build *b;
	cop_graph *back;

	COP_TRY(cop__frozen_make(l, &back));
	cop_status st = cop__build_new(&b, back ? back : l->model, l->a->batch, back ? 0 : cop_type_count(&l->train->x));
	cop_graph_free(back);
	if (!st) st = cop__build_training(b, l->a, l->labels, l->soft);
	if (!st) l->guarded = cop__build_guarded(b);
	for (int p = 0; !st && p < l->n_policy; p++)
		if (l->policy[p].build) st = l->policy[p].build(l->policy[p].ud, b);
	if (st) return cop__build_free(b), st;
	COP_TRY(cop__trainer_new(&l->t, b, l->a->threads, false));
	return cop__step_cost(&l->cost, cop__trainer_graph(l->t));
}

/* What policies want to know of the data. own: the caller has a loss of his own, against other than parts of classes. *weighs: one of them weighs samples. */
static cop_status tell_policies(cop_loop *l, bool own, bool *weighs)
{
	bool chosen = false, apart = false, taught = false;

	for (int p = 0; p < l->n_policy; p++) {
		const cop_policy *of = &l->policy[p];
		apart |= of->apart, taught |= of->taught;
		if (apart && taught) return cop__error(l->cx, COP_ARG, "prefix: a teacher sees the samples, and the first layers run apart: take one of the two policies");
		if (of->weighs && (!l->labels || own))
			return cop__error(l->cx, COP_ARG, "%s weighs samples: it needs data with classes, and the loss that belongs to them, xent or soft", of->name);
		if (of->data) COP_TRY(of->data(of->ud, l->train));
		*weighs |= of->weighs;
		chosen |= of->choose != NULL;
	}
	if (!chosen) return COP_OK;
	l->weight = cop__arena_get(&l->mem, sizeof *l->weight * (size_t)l->train->count);
	return l->weight ? COP_OK : COP_NOMEM;
}

/* Does what the data have belong into the target of the loss? */
static cop_status check_target(const cop_loop *l)
{
	const cop_type *t = &l->target.type;
	const int64_t rows = l->a->batch, n = cop_type_count(t), each = cop_type_count(&l->train->x);
	const cop_dataset *d = l->train;

	if (l->soft || d->targets) {
		const int64_t want = l->soft ? d->classes : d->targets;
		if (t->dtype == COP_F32 && n == rows * want) return COP_OK;
	} else if (l->labels) {
		if (t->dtype == COP_I32 && n == rows) return COP_OK;
	} else {
		if (t->dtype == COP_F32 && n == rows * each) return COP_OK;
		return cop__error(l->cx, COP_ARG,
			"training: data set '%s' has neither labels nor targets, so a network can learn to give back its input alone; "
			"this one takes %lld numbers and gives %lld. Add labels, or let a teacher answer: "
			"--policies distill:teacher=FILE,part=1", d->name, (long long)each, (long long)(n / rows));
	}
	return cop__error(l->cx, COP_ARG, "training: the loss does not fit data set '%s', which has %s%d %s for a sample", d->name,
		l->labels ? "one of " : "", l->labels ? d->classes : d->targets, l->labels ? "classes" : "targets");
}

/* The last input, if the loss has a target: a teacher alone has none. */
static cop_status bind_tensors(cop_loop *l)
{
	const cop_graph *g = cop__trainer_graph(l->t);
	const char *last = g->value[g->input[g->n_input - 1]].name;

	COP_TRY(cop_trainer_input(l->t, 0, &l->x));
	cop__parts_of(&l->part, g, g->input[0], l->a->batch);
	if (l->part.lead > 1 && l->x.type.dtype != COP_F32)
		return cop__error(l->cx, COP_ARG, "training: the input '%s' takes bytes, and samples of a batch do not lie one after the other in it; train the network with floats at its ends", g->value[g->input[0]].name);
	if ((l->part.lead > 1 || l->x.type.dtype != COP_F32) && !l->placed && !(l->placed = cop__alloc(l->cx, sizeof *l->placed * (size_t)cop_type_count(&l->x.type)))) return COP_NOMEM;
	l->target.data = NULL;
	if (strcmp(last, "label") && strcmp(last, "target")) return COP_OK;
	if (cop__find(g, "label") && cop__find(g, "target"))
		return cop__error(l->cx, COP_ARG, "training: the loss compares with a teacher's answers: --policies distill says whose");
	COP_TRY(cop_trainer_input(l->t, g->n_input - 1, &l->target));
	return check_target(l);
}

cop_status cop__loop_rebuild(cop_loop *l)
{
	cop_trainer_free(l->t);
	l->t = NULL;
	COP_TRY(make_trainer(l));
	COP_TRY(bind_tensors(l));
	return cop__frozen_ready(l);
}

/* Policies that leave neurons or first layers out begin with a training of all, which also says what that costs. */
static cop_status start_policies(cop_loop *l)
{
	bool apart = false;

	l->whole = l->cost;
	for (int p = 0; p < l->n_policy; p++) {
		const cop_policy *of = &l->policy[p];
		const cop_progress now = cop__loop_progress(l, 0, 0, -1);
		if (of->leaves_out && (l->lists || cop__has_lists(l->model)))
			return cop__error(l->cx, COP_ARG, "%s: '%s' has lists of rows already that another policy or a file has made; only one can choose what is trained", of->name, l->model->name);
		l->lists |= of->leaves_out;
		if (of->start) COP_TRY(of->start(of->ud, &now, l->model));
		apart |= of->apart;
	}
	if (l->lists && apart) return cop__error(l->cx, COP_ARG, "policies: one leaves neurons out and another freezes first layers; take one of them");
	if (l->lists) COP_TRY(cop__loop_keep_network(l));
	return l->lists || l->frozen.to ? cop__loop_rebuild(l) : COP_OK;
}

cop_status cop__loop_set_up(cop_loop *l, cop_dataset *train)
{
	char augment[200];

	COP_TRY(cop__adopt_names(l->model, train));
	COP_TRY(cop__scale_samples(l->model, train, l->a->augment));
	COP_TRY(cop__fit_for(&l->train, &l->fitted, l->model, train));
	if (l->valid) COP_TRY(cop__fit_for(&l->valid, &l->fitted_valid, l->model, l->valid));
	train = l->train;
	if (train->count < 1) return cop__error(l->cx, COP_ARG, "data set '%s' is empty", train->name);
	l->labels = train->classes > 0;
	COP_TRY(cop__schedule_parse(&l->schedule, l->cx, l->a->schedule));
	COP_TRY(cop__normalise(l->model, train, l->a->augment, augment, sizeof augment));
	if (train->targets) COP_TRY(cop__units(l->model, train));
	for (int p = 0; p < l->n_policy; p++)
		if (l->policy[p].begin) COP_TRY(l->policy[p].begin(l->policy[p].ud, l->model, train));
	const char *update = l->a->update ? l->a->update : "";
	const bool soft = strstr(update, "loss=soft"), own_loss = strstr(update, "loss=");
	bool weighs = false;
	COP_TRY(tell_policies(l, own_loss && !soft, &weighs));
	COP_TRY(cop__batch_new(&l->batch, l->cx, train, &(cop_batch_args){.size = l->a->batch, .augment = augment, .seed = l->a->seed, .soft = l->labels && (soft || !own_loss)}));
	l->soft = l->labels && (soft || weighs || cop__batch_is_soft(l->batch));
	COP_TRY(make_trainer(l));
	if (l->valid && !cop__can_score(l->model, l->valid)) l->valid = NULL; /* a teacher's samples need no labels */
	l->per_epoch = l->of_epoch = cop__batch_count(l->batch);
	if (!(l->sample = cop__arena_get(&l->mem, sizeof *l->sample * (size_t)l->a->batch))) return COP_NOMEM;
	if (!(l->label = cop__alloc(l->cx, sizeof *l->label * (size_t)l->a->batch))) return COP_NOMEM;
	COP_TRY(bind_tensors(l));
	if (l->a->checkpoint) COP_TRY(cop__identity_graph(&l->network, "network", l->model));
	return start_policies(l);
}

void cop__loop_tear_down(cop_loop *l)
{
	cop__batch_free(l->batch);
	cop__free(l->cx, l->label);
	cop__free(l->cx, l->placed);
	cop_trainer_free(l->t);
	cop__frozen_free(l);
	cop__text_free(&l->run);
	cop__text_free(&l->network);
	cop__text_free(&l->epochs);
	cop__text_free(&l->rebuilt);
	cop__arena_free(&l->mem);
	cop__text_free(&l->best.file);
	cop_data_free(l->fitted_valid);
	cop_data_free(l->fitted);
}
