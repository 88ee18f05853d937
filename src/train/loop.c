/* SPDX-License-Identifier: Apache-2.0
 *
 * loop - epochs over a data set. One session runs the training graph; between epochs the weights are pulled
 * into the model and the model is scored on the validation set.
 *
 * The order of samples, their augmentation and the dropout masks are functions of (seed, epoch, step), so a run that
 * is stopped anywhere and resumed from its checkpoint ends with the same bits. The checkpoint of a run that is done holds its
 * result; whoever called removes it when that is safe elsewhere. A loss that is not finite ends the
 * run; the model then holds the weights of the last epoch's start.
 */
#include "core/need.h"
#include "data/batch.h"
#include "io/cop/checkpoint.h"
#include "pass/pass.h"
#include "plan/plan.h"
#include "train/identity.h"
#include "train/policy.h"
#include "train/schedule.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

typedef struct loop {
	cop_ctx *cx;
	cop_graph *model, *g;    /* g: the training graph */
	cop_plan *plan;
	cop_session *s;
	cop_batches *batch;
	cop_dataset *train, *valid; /* the first as the network takes it */
	cop_dataset *fitted, *fitted_valid;
	const cop_train_args *a;
	const char *stage;
	const cop_policy *policy;
	int n_policy;
	cop_schedule schedule;
	cop_tensor x, target, y, loss, lr; /* target: labels, or the values to reproduce */
	int64_t per_epoch, step;
	bool labels;
	int32_t *label;
	double began, reported, trained; /* seconds */
	int64_t images;
	double sum_loss;
	int64_t sum_right, sum_count;
	cop_text run, epochs;    /* what decides the result; a line for each epoch that is done: loss, accuracy, rate */
	bool finished;
	cop_parts part;   /* where samples lie in x */
	float *placed;    /* samples as they come, where they lie otherwise in x; else NULL */
} loop;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- set up ---- */

static cop_status make_graph(loop *l, int32_t classes, int64_t each)
{
	cop_graph *batched = NULL, *bare = NULL;
	char spec[400];

	cop__format(spec, sizeof spec, "%s loss=%s smooth=%g", l->a->update ? l->a->update : "sgd momentum=0.9", classes ? "xent" : "mse", (double)l->a->smooth);
	cop_status st = cop__batch_for(&batched, l->model, &(cop_sized_args){.n = l->a->batch, .each = each}, NULL);
	if (!st) st = cop__without_units(&bare, batched);
	if (!st) st = cop_graph_train(&l->g, bare, spec);
	cop_graph_free(bare);
	cop_graph_free(batched);
	return st;
}

static cop_status bind_tensors(loop *l)
{
	COP_TRY(cop_session_io(l->s, 0, 0, false, &l->x));
	cop__parts_of(&l->part, l->g, l->g->input[0], l->a->batch);
	if (l->part.lead > 1 && !(l->placed = cop__alloc(l->cx, cop_type_bytes(&l->x.type)))) return COP_NOMEM;
	COP_TRY(cop_session_io(l->s, 0, 1, false, &l->target));
	COP_TRY(cop_session_io(l->s, 0, 0, true, &l->y));
	COP_TRY(cop_session_tensor(l->s, 0, "loss", &l->loss));
	return cop_session_tensor(l->s, 0, "lr", &l->lr);
}

static cop_status set_up(loop *l, cop_dataset *train)
{
	cop_target t;
	char augment[200];

	COP_TRY(cop__adopt_names(l->model, train));
	COP_TRY(cop__fit_for(&l->train, &l->fitted, l->model, train));
	if (l->valid) COP_TRY(cop__fit_for(&l->valid, &l->fitted_valid, l->model, l->valid));
	train = l->train;
	if (train->count < 1) return cop__error(l->cx, COP_ARG, "data set '%s' is empty", train->name);
	COP_TRY(cop__schedule_parse(&l->schedule, l->cx, l->a->schedule));
	COP_TRY(cop__normalise(l->model, train, l->a->augment, augment, sizeof augment));
	if (train->targets) COP_TRY(cop__units(l->model, train));
	COP_TRY(make_graph(l, train->classes, cop_type_count(&train->x)));
	COP_TRY(cop_target_find(&t, l->cx, "host"));
	t.threads = l->a->threads;
	COP_TRY(cop_plan_build(&l->plan, &l->g, 1, &t));
	COP_TRY(cop_session_new(&l->s, l->plan, l->a->threads));
	COP_TRY(cop__batch_new(&l->batch, l->cx, train, &(cop_batch_args){.size = l->a->batch, .augment = augment, .seed = l->a->seed}));
	l->per_epoch = cop__batch_count(l->batch);
	l->labels = train->classes > 0;
	if (!(l->label = cop__alloc(l->cx, sizeof *l->label * (size_t)l->a->batch))) return COP_NOMEM;
	return bind_tensors(l);
}

static void tear_down(loop *l)
{
	cop__batch_free(l->batch);
	cop__free(l->cx, l->label);
	cop__free(l->cx, l->placed);
	cop_session_free(l->s);
	cop_plan_free(l->plan);
	cop_graph_free(l->g);
	cop__text_free(&l->run);
	cop__text_free(&l->epochs);
	cop_data_free(l->fitted_valid);
	cop_data_free(l->fitted);
}

/* ---- a step ---- */

/* The rows that fill up the last batch would count as samples of 0: they become copies of those that are there. */
static void repeat(float *rows, const int32_t *label, int32_t n, int64_t each)
{
	int32_t there = 0;

	while (there < n && label[there] >= 0) there++;
	for (int32_t r = there; there && r < n; r++) memcpy(rows + (size_t)r * (size_t)each, rows + (size_t)(r % there) * (size_t)each, sizeof *rows * (size_t)each);
}

/* Labels, or numbers to predict in units of their deviation, or the samples themselves. */
static cop_status set_target(loop *l, int32_t i)
{
	int32_t batch = l->a->batch, n = l->train->targets;

	if (l->labels) return memcpy(l->target.data, l->label, sizeof *l->label * (size_t)batch), COP_OK;
	if (!n) return memcpy(l->target.data, l->x.data, cop_type_bytes(&l->x.type)), COP_OK;
	COP_TRY(cop__batch_targets(l->target.data, l->batch, i));
	cop__to_units(l->target.data, l->model, batch, n);
	repeat(l->target.data, l->label, batch, n);
	repeat(l->x.data, l->label, batch, cop_type_count(&l->x.type) / batch);
	return COP_OK;
}

static void count_right(loop *l)
{
	const float *y = l->y.data;
	const int32_t *label = l->label;
	int32_t c = l->y.type.dim[l->y.type.rank - 1];

	for (int32_t i = 0; i < l->a->batch; i++, y += c) {
		int32_t best = 0;
		if (label[i] < 0) continue;
		for (int32_t j = 1; j < c; j++)
			if (y[j] > y[best]) best = j;
		l->sum_right += best == label[i];
		l->sum_count++;
	}
}

static void report(loop *l, float accuracy, bool force)
{
	double t = now();
	int64_t steps = l->per_epoch * l->a->epochs;

	if (!l->a->progress || (!force && t - l->reported < 0.1)) return;
	l->reported = t;
	int32_t epoch = (int32_t)((l->step - 1) / l->per_epoch);
	double seconds = t - l->began, rate = seconds > 0 ? (double)l->images / seconds : 0;
	cop_epoch e = {.epoch = epoch + 1, .epochs = l->a->epochs, .done = (float)(l->step - epoch * l->per_epoch) / (float)l->per_epoch,
		.loss = (float)(l->sum_loss / (double)COP_MAX(1, l->step - epoch * l->per_epoch)), .accuracy = accuracy, .lr = *(float *)l->lr.data,
		.images_per_second = l->trained > 0 ? (double)l->images / l->trained : rate, .seconds = seconds,
		.seconds_left = rate > 0 ? (double)(steps - l->step) * l->a->batch / rate : 0, .stage = l->stage};
	l->a->progress(l->a->ud, &e);
}

/* The first parameter in graph order that holds a NaN or an infinity. */
static const char *first_bad(const loop *l)
{
	cop_tensor t;

	for (int32_t v = 1; v <= l->g->n_value; v++) {
		const cop_value *x = &l->g->value[v];
		if (x->role != COP_PARAM || x->type.dtype != COP_F32 || cop_session_tensor(l->s, 0, x->name, &t)) continue;
		for (int64_t i = 0; i < cop_type_count(&x->type); i++)
			if (!isfinite(((float *)t.data)[i])) return x->name;
	}
	return NULL;
}

static cop_status diverged(const loop *l, float loss)
{
	const char *bad = first_bad(l);

	return cop__error(l->cx, COP_DIVERGED, "the loss became %g in epoch %d, step %lld; %s%s%s; the weights of the start of that epoch are kept; a smaller learning rate than %g may help",
		(double)loss, (int)((l->step - 1) / l->per_epoch) + 1, (long long)l->step, bad ? "the first parameter that is not finite is '" : "the parameters are still finite",
		bad ? bad : "", bad ? "'" : "", (double)l->a->lr);
}

static cop_moment moment(const loop *l, int32_t epoch, float loss, float accuracy)
{
	return (cop_moment){l->s, l->g, l->step, l->per_epoch * l->a->epochs, epoch, l->a->epochs, loss, accuracy};
}

static cop_status one_step(loop *l, int32_t epoch, int64_t i, bool *finish)
{
	cop_verdict v = COP_GO_ON;
	double t0 = now();

	COP_TRY(cop__batch_get(l->placed ? l->placed : l->x.data, l->label, l->batch, (int32_t)i, 0, 1));
	for (int32_t k = 0; l->placed && k < l->a->batch; k++) cop__part_put(&l->part, l->x.data, k, (const char *)l->placed + k * l->part.lead * l->part.bytes);
	COP_TRY(set_target(l, (int32_t)i));
	*(float *)l->lr.data = l->a->lr * cop__schedule_at(&l->schedule, epoch + (double)i / (double)l->per_epoch, l->a->epochs);
	COP_TRY(cop_session_run(l->s, 0));
	l->step++;
	l->images += l->a->batch;
	l->trained += now() - t0;
	float loss = *(float *)l->loss.data;
	if (!isfinite(loss)) return diverged(l, loss);
	l->sum_loss += (double)loss;
	if (l->labels) count_right(l);
	for (int p = 0; p < l->n_policy; p++) {
		cop_moment m = moment(l, epoch, loss, -1);
		if (l->policy[p].on_step) COP_TRY(l->policy[p].on_step(l->policy[p].ud, &m, &v));
	}
	*finish = v == COP_FINISH;
	if (l->step % l->per_epoch) report(l, -1, false); /* the end of an epoch is reported with its accuracy */
	return COP_OK;
}

/* ---- an epoch ---- */

/* Numbers are written by their bits: what is read back is what was there, in any locale. */
static int64_t bits_of(double v)
{
	int64_t b;
	memcpy(&b, &v, sizeof b);
	return b;
}

static double of_bits(int64_t b)
{
	double v;
	memcpy(&v, &b, sizeof v);
	return v;
}

static cop_status save(const loop *l)
{
	cop_number n[] = {{.name = "step", .i = l->step}, {.name = "finished", .i = l->finished}, {.name = "loss", .i = bits_of(l->sum_loss)}, {.name = "right", .i = l->sum_right},
		{.name = "count", .i = l->sum_count}, {.name = "epochs", .text = l->epochs.len ? l->epochs.data : "", .size = l->epochs.len}};

	if (!l->a->checkpoint) return COP_OK;
	COP_TRY(l->epochs.status);
	COP_TRY(cop_session_pull(l->s, l->g));
	return cop__checkpoint_write(l->a->checkpoint, l->g, l->run.data, n, LEN(n));
}

static cop_status push(const loop *l)
{
	cop_tensor t;

	for (int32_t v = 1; v <= l->g->n_value; v++) {
		const cop_value *x = &l->g->value[v];
		if ((x->role != COP_PARAM && x->role != COP_STATE) || !x->data) continue;
		COP_TRY(cop_session_tensor(l->s, 0, x->name, &t));
		const cop_var *var = cop__plan_var(l->plan, x->name);
		if (var && var->written) memcpy(t.data, x->data, cop_type_bytes(&x->type));
	}
	return COP_OK;
}

/* Tells of the epochs that an earlier process has done, as it did. */
static void tell_again(loop *l)
{
	long long loss, accuracy, lr;
	int used = 0;
	int32_t n = 0;

	for (const char *p = l->epochs.len ? l->epochs.data : ""; sscanf(p, "%lld %lld %lld\n%n", &loss, &accuracy, &lr, &used) == 3; p += used) {
		cop_epoch e = {.epoch = ++n, .epochs = l->a->epochs, .done = 1, .loss = (float)of_bits(loss), .accuracy = (float)of_bits(accuracy), .lr = (float)of_bits(lr), .stage = l->stage};
		if (l->a->progress) l->a->progress(l->a->ud, &e);
	}
}

/* A result that was written over its own input is known by its weights; any other network is another run's. */
static cop_status same_network(const loop *l)
{
	cop_number n[] = {{.name = "step"}, {.name = "finished"}};
	cop_graph *from;
	bool there, other;

	COP_TRY(cop__checkpoint_load(&from, l->cx, l->a->checkpoint, n, LEN(n)));
	bool done = (n[1].i || n[0].i == l->per_epoch * l->a->epochs) && cop__same_weights(l->model, from);
	cop_graph_free(from);
	return done ? COP_OK : cop__checkpoint_find(&there, &other, l->cx, l->a->checkpoint, l->run.data, NULL);
}

static cop_status resume(loop *l, bool other)
{
	cop_number n[] = {{.name = "step"}, {.name = "finished"}, {.name = "loss"}, {.name = "right"}, {.name = "count"}, {.name = "epochs"}};
	const char *path = l->a->checkpoint;

	if (other) COP_TRY(same_network(l));
	COP_TRY(cop__checkpoint_read(path, l->g, n, LEN(n)));
	l->step = n[0].i;
	l->finished = n[1].i || l->step == l->per_epoch * l->a->epochs;
	l->sum_loss = of_bits(n[2].i);
	l->sum_right = n[3].i;
	l->sum_count = n[4].i;
	cop__text_bytes(&l->epochs, n[5].text ? n[5].text : "", n[5].size);
	COP_TRY(l->epochs.status);
	if (l->step < 0 || l->step > l->per_epoch * l->a->epochs) return cop__error(l->cx, COP_FORMAT, "%s: step %lld is none of this run", path, (long long)l->step);
	COP_TRY(push(l));
	tell_again(l);
	return cop_session_pull(l->s, l->model);
}

/* Before any work: is the checkpoint's place free, or ours? */
static cop_status look(loop *l)
{
	const cop_train_args *a = l->a;
	bool there, other;

	if (!a->checkpoint) return COP_OK;
	cop__text_add(&l->run, "stage\t%s\n", l->stage);
	cop__identity_args(&l->run, a);
	COP_TRY(cop__identity_data(&l->run, "data", l->train));
	COP_TRY(cop__identity_graph(&l->run, "network", l->model));
	COP_TRY(cop__checkpoint_find(&there, &other, l->cx, a->checkpoint, l->run.data, a->resume ? "network" : NULL));
	return there && a->resume ? resume(l, other) : COP_OK;
}

static cop_status end_epoch(loop *l, int32_t epoch, bool *finish)
{
	cop_verdict v = COP_GO_ON;
	float accuracy = -1;

	COP_TRY(cop_session_pull(l->s, l->model));
	if (l->valid && l->labels) {
		cop_score score;
		COP_TRY(cop_eval(&score, l->model, l->valid, 64, l->a->threads));
		accuracy = score.accuracy;
	}
	report(l, accuracy, true);
	for (int p = 0; p < l->n_policy; p++) {
		cop_moment m = moment(l, epoch, (float)(l->sum_loss / (double)l->per_epoch), accuracy);
		if (l->policy[p].on_epoch) COP_TRY(l->policy[p].on_epoch(l->policy[p].ud, &m, &v));
	}
	*finish |= v == COP_FINISH;
	l->finished = *finish;
	cop__text_add(&l->epochs, "%lld %lld %lld\n", (long long)bits_of(l->sum_loss / (double)l->per_epoch), (long long)bits_of((double)accuracy),
		(long long)bits_of((double)*(float *)l->lr.data));
	l->sum_loss = 0;
	l->sum_right = l->sum_count = 0;
	return save(l);
}

static cop_status run(loop *l)
{
	bool finish = l->finished, fresh = true;

	for (int p = 0; p < l->n_policy; p++) {
		cop_moment m = moment(l, (int32_t)(l->step / l->per_epoch), 0, -1);
		if (l->policy[p].on_start) COP_TRY(l->policy[p].on_start(l->policy[p].ud, &m));
	}
	while (!finish && l->step < l->per_epoch * l->a->epochs) {
		int32_t epoch = (int32_t)(l->step / l->per_epoch);
		if (cop__stopped(l->cx)) {
			COP_TRY(cop_session_pull(l->s, l->model));
			COP_TRY(save(l));
			return cop__error(l->cx, COP_STOPPED, "stopped in epoch %d, step %lld%s%s", epoch + 1, (long long)l->step,
				l->a->checkpoint ? ", saved in " : "", l->a->checkpoint ? l->a->checkpoint : "");
		}
		if (l->step % l->per_epoch == 0 || fresh) COP_TRY(cop__batch_epoch(l->batch, epoch));
		fresh = false;
		COP_TRY(one_step(l, epoch, l->step % l->per_epoch, &finish));
		if (finish || l->step % l->per_epoch == 0) COP_TRY(end_epoch(l, epoch, &finish));
	}
	return COP_OK;
}

cop_status cop__train(cop_graph *g, cop_dataset *train, cop_dataset *valid, const cop_train_args *a,
	const char *stage, const cop_policy *policy, int n_policy)
{
	loop l = {.cx = g->cx, .model = g, .valid = valid, .a = a, .stage = stage, .policy = policy, .n_policy = n_policy, .began = now()};

	if (a->epochs < 1 || a->batch < 1) return cop__error(g->cx, COP_ARG, "training: %d epochs of batches of %d; both must be at least 1", a->epochs, a->batch);
	cop__text_init(&l.run, l.cx);
	cop__text_init(&l.epochs, l.cx);
	cop_status st = set_up(&l, train);
	if (!st) st = look(&l);
	if (!st) st = run(&l);
	tear_down(&l);
	return st;
}

cop_status cop_train(cop_graph *g, cop_dataset *train, cop_dataset *valid, const cop_train_args *a)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), train);
	COP_NEED(COP_CX(g), a);
	return cop__train(g, train, valid, a, "train", NULL, 0);
}
