/* SPDX-License-Identifier: Apache-2.0
 *
 * loop - epochs over a data set. A trainer runs the steps; between epochs the weights are pulled into the model and the model is scored on the
 * validation set. A loss that is not finite ends the run; the model then holds the weights of the last epoch's start.
 */
#include "core/need.h"
#include "train/loop.h"

#include <math.h>

enum { MOST_POLICIES = 16, MOST_REFUSED = 100 }; /* of steps that a guard refuses, one after the other: then it is not the samples */

/* ---- a step ---- */

/* Shares of the classes, smoothed as a label would be. */
static cop_status set_soft(cop_loop *l, int32_t i)
{
	const int32_t c = l->target.type.dim[1];
	const float smooth = l->a->smooth;
	float *t = l->target.data;

	COP_TRY(cop__batch_soft(t, l->batch, i));
	for (int32_t r = 0; r < l->a->batch && smooth > 0; r++, t += c) {
		float sum = 0;
		for (int32_t j = 0; j < c; j++) sum += t[j];
		for (int32_t j = 0; j < c; j++) t[j] = (1 - smooth) * t[j] + smooth * sum / (float)c;
	}
	return COP_OK;
}

static bool is_float(const cop_loop *l) { return l->x.type.dtype == COP_F32; }

/* Labels, or numbers to predict in units of their deviation, or the samples themselves. */
static cop_status set_target(cop_loop *l, int32_t i)
{
	int32_t batch = l->a->batch, n = l->train->targets;

	if (!l->target.data) return COP_OK;
	if (l->soft) return set_soft(l, i);
	if (l->labels) return memcpy(l->target.data, l->label, sizeof *l->label * (size_t)batch), COP_OK;
	if (!n) return memcpy(l->target.data, is_float(l) ? l->x.data : l->placed, cop_type_bytes(&l->target.type)), COP_OK;
	COP_TRY(cop__batch_targets(l->target.data, l->batch, i));
	cop__to_units(l->target.data, l->model, batch, n);
	return COP_OK;
}

typedef cop_status policy_fn(void *ud, const cop_progress *p, cop_verdict *v);

/* The strongest verdict of all policies. */
static cop_status ask(cop_verdict *all, policy_fn *fn, void *ud, const cop_progress *p)
{
	cop_verdict v = COP_GO_ON;

	if (fn) COP_TRY(fn(ud, p, &v));
	*all = COP_MAX(*all, v);
	return COP_OK;
}

static cop_status place_batch(cop_loop *l, int32_t i)
{
	if (l->front.g) {
		COP_TRY(cop__frozen_place(l, i));
		return set_target(l, i);
	}
	COP_TRY(cop__batch_get(l->placed ? l->placed : l->x.data, l->label, l->batch, i, 0, 1));
	if (!is_float(l)) COP_TRY(cop_tensor_copy(l->cx, &l->x, &(cop_tensor){cop__type(COP_F32, l->x.type.rank, l->x.type.dim), l->placed}));
	for (int32_t k = 0; l->placed && is_float(l) && k < l->a->batch; k++) cop__part_put(&l->part, l->x.data, k, (const char *)l->placed + k * l->part.lead * l->part.bytes);
	return set_target(l, i);
}

static cop_status one_step(cop_loop *l, int32_t epoch, int64_t i, cop_verdict *v)
{
	double t0 = cop__seconds();
	cop_progress now = cop__loop_progress(l, epoch, 0, -1);

	l->samples += cop__batch_samples(l->sample, l->batch, (int32_t)i);
	COP_TRY(place_batch(l, (int32_t)i));
	cop__trainer_set_rate(l->t, l->a->lr * cop__schedule_at(&l->schedule, epoch + (double)i / (double)l->of_epoch, l->a->epochs));
	for (int p = 0; p < l->n_policy; p++)
		if (l->policy[p].before) COP_TRY(l->policy[p].before(l->policy[p].ud, &now));
	double c0 = cop__cpu_seconds();
	COP_TRY(cop__trainer_run(l->t));
	l->step_cpu[0] += cop__cpu_seconds() - c0;
	l->step_cpu[1]++;
	l->step++;
	l->images += l->a->batch;
	l->trained += cop__seconds() - t0;
	float loss = cop__trainer_loss(l->t);
	if (isfinite(loss)) l->refused = 0, l->sum_loss += (double)loss;
	else if (!l->guarded || ++l->refused > MOST_REFUSED) return cop__loop_diverged(l, loss);
	now = cop__loop_progress(l, epoch, loss, -1);
	for (int p = 0; p < l->n_policy; p++) COP_TRY(ask(v, l->policy[p].after, l->policy[p].ud, &now));
	if (i + 1 < l->of_epoch) cop__loop_tell(l); /* the end of an epoch is reported with its score */
	return COP_OK;
}

/* ---- an epoch ---- */

/* Its samples, in their order. again: the run goes on within it. */
static cop_status begin_epoch(cop_loop *l, int32_t epoch, bool again)
{
	COP_TRY(cop__batch_epoch(l->batch, epoch));
	l->of_epoch = l->per_epoch;
	if (!l->weight) return COP_OK;
	const cop_progress now = cop__loop_progress(l, epoch, 0, -1);
	const cop_chosen c = {l->weight, cop__batch_order(l->batch), l->train->count, l->a->batch, l->a->seed, again};
	for (int32_t i = 0; i < c.count; i++) l->weight[i] = 1;
	for (int p = 0; p < l->n_policy; p++)
		if (l->policy[p].choose) COP_TRY(l->policy[p].choose(l->policy[p].ud, &now, &c));
	COP_TRY(cop__batch_keep(l->batch, l->weight));
	l->of_epoch = cop__batch_count(l->batch);
	return COP_OK;
}

static bool rebuilds(cop_verdict v) { return v == COP_REBUILD || v == COP_REPLAN; }

static cop_status end_epoch(cop_loop *l, int32_t epoch, cop_verdict *v)
{
	cop_judged judged;

	COP_TRY(cop_trainer_pull(l->t, l->model));
	COP_TRY(cop__best_judge(l, &judged, epoch + 1));
	cop__loop_tell_epoch(l, &judged);
	cop_progress now = cop__loop_progress(l, epoch, (float)(l->sum_loss / (double)l->of_epoch), judged.accuracy);
	now.mse = judged.mse;
	for (int p = 0; p < l->n_policy; p++) COP_TRY(ask(v, l->policy[p].epoch, l->policy[p].ud, &now));
	l->finished = *v == COP_FINISH;
	l->sum_loss = 0;
	return rebuilds(*v) ? COP_OK : cop__loop_save(l); /* it is saved as it will be */
}

/* The structure, or what is trained of it, changes: the weights and what the rule of updates keeps for them go on. */
static cop_status rebuild(cop_loop *l, cop_verdict v)
{
	float rate = cop__trainer_said_rate(l->t);

	COP_TRY(cop__trainer_carry(l->t, l->model));
	for (int p = 0; p < l->n_policy; p++)
		if (l->policy[p].rebuild) COP_TRY(l->policy[p].rebuild(l->policy[p].ud, l->t, l->model));
	COP_TRY(cop__loop_keep_network(l));
	l->carried = true;
	if (v == COP_REBUILD) cop__best_forget(l);
	COP_TRY(cop__loop_rebuild(l));
	cop__trainer_set_rate(l->t, rate);
	return COP_OK;
}

static cop_status stopped(cop_loop *l, int32_t epoch)
{
	COP_TRY(cop_trainer_pull(l->t, l->model));
	COP_TRY(cop__loop_save(l));
	return cop__error(l->cx, COP_STOPPED, "stopped in epoch %d, step %lld%s%s", epoch + 1, (long long)l->step,
		l->a->checkpoint ? ", saved in " : "", l->a->checkpoint ? l->a->checkpoint : "");
}

static cop_status epochs(cop_loop *l)
{
	bool fresh = true;

	while (!l->finished && l->step < cop__loop_steps(l)) {
		int32_t epoch = (int32_t)(l->step / l->per_epoch);
		int64_t i = l->step % l->per_epoch;
		cop_verdict v = COP_GO_ON, of_epoch = COP_GO_ON;
		if (cop__stopped(l->cx)) return stopped(l, epoch);
		if (i == 0 || fresh) COP_TRY(begin_epoch(l, epoch, i > 0));
		fresh = false;
		COP_TRY(one_step(l, epoch, i, &v));
		if (rebuilds(v)) COP_TRY(rebuild(l, v));
		if (v != COP_FINISH && i + 1 < l->of_epoch) {
			COP_TRY(cop__loop_save_in_time(l));
			continue;
		}
		if (i + 1 == l->of_epoch) l->step = (epoch + 1) * l->per_epoch;
		if (v == COP_FINISH) of_epoch = v;
		COP_TRY(end_epoch(l, epoch, &of_epoch));
		if (!rebuilds(of_epoch)) continue;
		COP_TRY(rebuild(l, of_epoch));
		COP_TRY(cop__loop_save(l));
	}
	return COP_OK;
}

static cop_status end(cop_loop *l)
{
	const cop_progress now = cop__loop_progress(l, l->a->epochs, 0, -1);

	if (cop__best_is_earlier(l)) COP_TRY(cop__best_take(l)); /* what the rule of updates keeps is of the last step */
	else if (l->carry) COP_TRY(cop__trainer_carry(l->t, l->model));
	for (int p = 0; p < l->n_policy; p++)
		if (l->policy[p].finish) COP_TRY(l->policy[p].finish(l->policy[p].ud, &now, l->model));
	return COP_OK;
}

/* The caller's, then those that have a name in the options. */
static cop_status all_policies(cop_loop *l)
{
	cop_policy *all = cop__arena_get(&l->mem, sizeof *all * (size_t)(l->n_policy + MOST_POLICIES));
	int named;

	if (!all) return COP_NOMEM;
	if (l->n_policy) memcpy(all, l->policy, sizeof *all * (size_t)l->n_policy);
	COP_TRY(cop__policies_read(all + l->n_policy, &named, MOST_POLICIES, &l->mem, l->a->policies));
	l->policy = all;
	l->n_policy += named;
	return COP_OK;
}

static cop_status train_all(cop_loop *l, cop_dataset *train)
{
	const cop_train_args *a = l->a;

	if (a->epochs < 1 || a->batch < 1) return cop__error(l->cx, COP_ARG, "training: %d epochs of batches of %d; both must be at least 1", a->epochs, a->batch);
	cop__text_init(&l->run, l->cx);
	cop__text_init(&l->network, l->cx);
	cop__text_init(&l->epochs, l->cx);
	cop__text_init(&l->rebuilt, l->cx);
	cop__arena_init(&l->mem, l->cx);
	l->began = l->saved = cop__seconds();
	cop_status st = all_policies(l);
	if (!st) st = cop__best_begin(l);
	if (!st) st = cop__loop_set_up(l, train);
	if (!st) st = cop__loop_look(l);
	if (!st) st = epochs(l);
	if (!st) st = end(l);
	for (int p = 0; p < l->n_policy; p++)
		if (l->policy[p].leave) l->policy[p].leave(l->policy[p].ud, l->model);
	if (!l->carry && l->carried) st = st ? st : cop__carry_nothing(l->model);
	if (l->lists && cop__no_lists(l->model) && !st) st = cop__failed(l->cx);
	cop__loop_tear_down(l);
	return st;
}

cop_status cop__train(cop_graph *g, cop_dataset *train, cop_dataset *valid, const cop_train_args *a,
	const char *stage, const cop_policy *policy, int n_policy)
{
	return train_all(&(cop_loop){.cx = g->cx, .model = g, .valid = valid, .a = a, .stage = stage, .policy = policy, .n_policy = n_policy, .carry = true}, train);
}

cop_status cop_train(cop_graph *g, cop_dataset *train, cop_dataset *valid, const cop_train_args *a)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), train);
	COP_NEED(COP_CX(g), a);
	return train_all(&(cop_loop){.cx = g->cx, .model = g, .valid = valid, .a = a, .stage = "train"}, train);
}
