/* SPDX-License-Identifier: Apache-2.0
 *
 * neq - neurons at equilibrium: after each epoch those whose output has stopped to change are left out of the next one: of the gradient of their
 * weights, of the update, of momentum and decay. They are measured all the same, and come back when their output changes again.
 */
#include "train/policy/neq.h"
#include "train/policy/select.h"

#include <math.h>
#include <stdlib.h>

enum threshold { FIXED, RATE, PART, LEARNT, STEPS };
typedef struct options { float eps, mu, part, step; int32_t threshold, reading, samples, warmup, every; } options;
typedef struct neq { const options *o; cop_velocity v; cop_moves moves; bool *live; float *velocity, *rise, eps; cop_handle of_eps; } neq;

static const cop_option table[] = {
	COP_OPT_REAL(options, eps, 0, 2, "1e-3", "a neuron whose velocity is no larger is left out"),
	COP_OPT_WORD(options, threshold, "fixed|rate|part|learnt|steps", "fixed", "what becomes of eps: it stays; it rises as the learning rate falls; it leaves out a part of all neurons; it is learnt after each epoch on the samples that are kept out; it is learnt at each step"),
	COP_OPT_REAL(options, part, 0, 1, "0.5", "with threshold=part: of the neurons, those that are left out"),
	COP_OPT_REAL(options, step, 0, 10, "0.5", "with threshold=learnt or steps: the most that the logarithm of eps moves in an epoch"),
	COP_OPT_WHOLE(options, every, 1, 1000000, "20", "with threshold=steps: after so many steps neurons on the other side of eps than before are left out, or come back"),
	COP_OPT_REAL(options, mu, 0, 1, "0.5", "how much of the velocity before is taken off"),
	COP_OPT_WORD(options, reading, COP_VELOCITY_READINGS, "code", "how the velocity follows from similarities: as the code of the authors has it, or as the paper"),
	COP_OPT_WHOLE(options, samples, 1, 1000000, "64", "samples that are kept out of the training, to measure on"),
	COP_OPT_WHOLE(options, warmup, 1, 1000000, "1", "epochs in which all neurons are trained"),
	COP_OPT_END,
};

static cop_status data(void *ud, const cop_dataset *d) { return cop__velocity_data(&((neq *)ud)->v, d); }

static cop_status build(void *ud, cop_build *b)
{
	neq *q = ud;
	const cop_type one = cop__type(COP_F32, 1, DIMS(1));

	if (q->o->threshold >= LEARNT && !(q->of_eps = cop__build_state(b, "neurons.eps", &one, &q->eps, NULL))) return COP_NOMEM;
	COP_TRY(cop__velocity_build(&q->v, b));
	return q->o->threshold == STEPS && q->v.state ? cop__moves_build(&q->moves, q->live, q->v.mem, b, q->v.names) : COP_OK;
}

static cop_status choose(void *ud, const cop_progress *p, const cop_chosen *c)
{
	(void)p;
	cop__velocity_keep_out(&((neq *)ud)->v, c);
	return COP_OK;
}

static cop_status start(void *ud, const cop_progress *p, cop_graph *model)
{
	neq *q = ud;

	(void)model;
	COP_TRY(cop__velocity_begin(&q->v, p));
	q->live = cop__arena_get(q->v.mem, (size_t)q->v.count + 1);
	q->velocity = cop__arena_get(q->v.mem, sizeof *q->velocity * ((size_t)q->v.count + 1));
	q->rise = cop__arena_get(q->v.mem, sizeof *q->rise * ((size_t)q->v.count + 1));
	return q->live && q->velocity && q->rise ? COP_OK : COP_NOMEM;
}

/* ---- the threshold ---- */

static int in_order(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

float cop__slowest(const float *velocity, int32_t n, float part, float *room)
{
	const int32_t at = (int32_t)(part * (float)n);

	for (int32_t i = 0; i < n; i++) room[i] = fabsf(velocity[i]);
	qsort(room, (size_t)n, sizeof *room, in_order);
	return at ? room[at - 1] : -1;
}

/* Our derivation, in the spirit of SCoTTi (Li et al. 2023, arXiv 2312.12483), whose own rule is not known to us. A neuron moves by m(eps) d in an epoch, m = 1 where
 * |v| > eps; for the slope of m a sigmoid stands, so dm/deps = -s(1 - s)/T. The loss on the samples that are kept out then changes with eps by the sum of
 * -s(1 - s)/T times its rise g d with a neuron's move. Of that sum only the sign and how much all agree is used, -1 to 1: the size of eps is not known, so its logarithm moves. */
float cop__learn_threshold(float eps, float step, const float *velocity, const float *rise, int32_t n, float t)
{
	double sum = 0, size = 0;

	for (int32_t i = 0; i < n; i++) {
		const double s = 1 / (1 + exp(-((double)fabsf(velocity[i]) - (double)eps) / (double)t)), w = s * (1 - s) * (double)rise[i];
		sum += w;
		size += fabs(w);
	}
	return size > 0 ? eps * expf(step * (float)(sum / size)) : eps;
}

static cop_status learn(neq *q, const cop_progress *p)
{
	cop_graph *before = NULL;
	cop_tensor eps;
	const float *velocity;

	COP_TRY(cop__trainer_tensor(p->t, q->of_eps, &eps));
	q->eps = *(const float *)eps.data;
	cop_status st = cop__velocity_before(&before, &velocity, &q->v, p);
	if (!st && p->epoch >= q->o->warmup) {
		st = cop__neuron_gradients(q->rise, p->model, before, &q->v, p->threads);
		const float t = cop__slowest(velocity, q->v.hidden, 0.5f, q->velocity) / 2;
		if (!st && t > 0) q->eps = *(float *)eps.data = cop__learn_threshold(q->eps, q->o->step, velocity, q->rise, q->v.hidden, t);
	}
	cop_graph_free(before);
	return st;
}

/* That of the epoch that is done, by the velocities after it. */
static float threshold(neq *q, const cop_progress *p)
{
	if (q->o->threshold == RATE) return q->o->eps / COP_MAX(p->lr, 1e-6f);
	return q->o->threshold == PART ? cop__slowest(q->velocity, q->v.hidden, q->o->part, q->rise) : q->eps;
}

/* Which neurons are trained with eps, and how many; *changed: others than before. */
static int32_t choose_live(bool *changed, neq *q, const float *velocity, float eps)
{
	int32_t n = 0;

	*changed = false;
	for (int32_t i = 0; i < q->v.hidden; i++) {
		const float speed = fabsf(velocity[i]);
		const bool live = q->o->reading == COP_VELOCITY_PAPER && q->o->threshold != PART ? speed >= eps : speed > eps;
		*changed |= q->live[i] != live;
		n += q->live[i] = live;
	}
	return n;
}

/* threshold=steps. An epoch's end chooses by new velocities. */
static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	neq *q = ud;
	const float *velocity;
	cop_tensor eps;
	bool changed = false;

	COP_TRY(cop__moves_rise(q->rise, &q->moves, q->live, p));
	COP_TRY(cop__trainer_tensor(p->t, q->of_eps, &eps));
	COP_TRY(cop__velocity_now(&velocity, &q->v, p));
	q->eps = *(float *)eps.data;
	if (p->epoch < q->o->warmup) return COP_OK;
	const float t = cop__slowest(velocity, q->v.hidden, 0.5f, q->velocity) / 2, step = q->o->step * (float)p->epochs / (float)p->steps;
	if (t > 0) q->eps = *(float *)eps.data = cop__learn_threshold(q->eps, step, velocity, q->rise, q->v.hidden, t);
	if (p->step % q->o->every == 0 && p->step % (p->steps / p->epochs)) choose_live(&changed, q, velocity, q->eps);
	if (changed) *v = COP_REPLAN;
	return COP_OK;
}

static cop_status epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	neq *q = ud;
	bool changed;

	if (q->o->threshold == LEARNT) COP_TRY(learn(q, p));
	COP_TRY(cop__velocity_measure(q->velocity, &q->v, p));
	const float eps = p->epoch + 1 < q->o->warmup ? -1 : threshold(q, p); /* -1: all are faster */
	const int32_t n = choose_live(&changed, q, q->velocity, eps);
	cop__log(p->model->cx, COP_LOG_INFO, "neq: after epoch %d, %d of %d neurons move faster than %g", p->epoch + 1, n, q->v.hidden, (double)eps);
	if (p->epoch + 1 < p->epochs) *v = COP_REPLAN;
	return COP_OK;
}

static cop_status rebuild(void *ud, cop_trainer *t, cop_graph *model)
{
	neq *q = ud;

	if (q->o->threshold == STEPS) {
		COP_TRY(cop__velocity_keep(&q->v, t));
		COP_TRY(cop__moves_keep(&q->moves, t));
	}
	return cop__neurons_list(model, q->v.names, "neq", q->live);
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *options_)
{
	const options *o = options_;
	neq *q = cop__arena_get(mem, sizeof *q);

	if (!q) return COP_NOMEM;
	*q = (neq){.o = o, .eps = o->eps, .v = {.who = "neq", .mem = mem, .reading = o->reading, .samples = o->samples, .mu = o->mu}};
	*out = (cop_policy){.name = "neq", .ud = q, .leaves_out = true, .data = data, .choose = choose, .build = build, .start = start, .epoch = epoch, .rebuild = rebuild};
	if (o->threshold == STEPS) out->after = after;
	return COP_OK;
}

const cop_policy_row cop_policy_neq = {
	.row = {"neq", "neurons whose output has stopped to change are left out of the training until it changes again", "Neurons at equilibrium: Bragagnolo et al. 2022, NeurIPS",
		table, sizeof(options)}, .make = make};
