/* SPDX-License-Identifier: Apache-2.0
 *
 * told - what a run tells while it goes: progress, and why it can't go on.
 */
#include "train/loop.h"

#include <math.h>
#include <stdio.h>

int64_t cop__loop_steps(const cop_loop *l) { return l->per_epoch * l->a->epochs; }
double cop__loop_seconds(const cop_loop *l) { return l->earlier + cop__seconds() - l->began; }

/* What a step of this epoch costs, beside one that trains all. */
static void tell_cost(cop_epoch *e, const cop_loop *l)
{
	const cop_step_cost *now = &l->cost, *all = &l->whole;
	const double seconds = l->step_cpu[1] > 0 ? l->step_cpu[0] / l->step_cpu[1] : 0;

	e->flops = (float)((now->forward + now->rest) / COP_MAX(all->forward + all->rest, 1));
	e->backward = (float)(now->rest / COP_MAX(all->rest, 1));
	e->published = (float)cop__published_share(l->model);
	e->step_seconds = seconds;
	e->step_time = l->step_cpu[2] > 0 ? (float)(seconds / l->step_cpu[2]) : -1;
}

/* What there is to be told now. j NULL: within an epoch. */
static cop_epoch epoch_now(const cop_loop *l, const cop_judged *j)
{
	double seconds = cop__seconds() - l->began, rate = seconds > 0 ? (double)l->images / seconds : 0;
	int32_t epoch = (int32_t)((l->step - 1) / l->per_epoch);

	return (cop_epoch){.epoch = epoch + 1, .epochs = l->a->epochs, .done = j ? 1 : (float)(l->step - epoch * l->per_epoch) / (float)l->of_epoch,
		.loss = (float)(l->sum_loss / (double)COP_MIN(COP_MAX(1, l->step - epoch * l->per_epoch), l->of_epoch)), .samples = l->samples, .accuracy = j ? j->accuracy : -1, .mse = j ? j->mse : -1,
		.best = l->best.epoch, .lr = cop__trainer_rate(l->t), .images_per_second = l->trained > 0
		? (double)l->images / l->trained : rate, .seconds = l->earlier + seconds,
		.seconds_left = rate > 0 ? (double)(cop__loop_steps(l) - l->step) * l->a->batch / rate : 0, .stage = l->stage};
}

void cop__loop_tell(cop_loop *l)
{
	double t = cop__seconds();

	if (!l->a->progress || t - l->reported < 0.1) return;
	l->reported = t;
	const cop_epoch e = epoch_now(l, NULL);
	l->a->progress(l->a->ud, &e);
}

void cop__loop_tell_epoch(cop_loop *l, const cop_judged *j)
{
	cop_epoch e = epoch_now(l, j);

	if (l->step_cpu[1] > 0 && !l->front.g && !cop__has_lists(l->model)) l->step_cpu[2] = l->step_cpu[0] / l->step_cpu[1];
	tell_cost(&e, l);
	l->step_cpu[0] = l->step_cpu[1] = 0;
	l->reported = cop__seconds();
	cop__epoch_note(&l->epochs, &e);
	if (l->a->progress) l->a->progress(l->a->ud, &e);
}

/* ---- an epoch that is done, as a line ---- */

void cop__epoch_note(cop_text *t, const cop_epoch *e)
{
	cop__text_add(t, "%s %d %d %d %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld\n", e->stage, e->epoch, e->epochs, e->best,
		cop__real_bits((double)e->loss), cop__real_bits((double)e->accuracy), cop__real_bits((double)e->mse),
		cop__real_bits((double)e->lr), cop__real_bits(e->seconds), (long long)e->samples,
		cop__real_bits((double)e->flops), cop__real_bits((double)e->backward), cop__real_bits((double)e->published), cop__real_bits((double)e->step_time),
		cop__real_bits(e->step_seconds));
}

void cop__epochs_tell(const cop_text *t, void (*progress)(void *ud, const cop_epoch *e), void *ud)
{
	long long n[11];
	char stage[16];
	int used = 0;
	cop_epoch e = {.done = 1, .stage = stage};

	for (const char *p = t->len ? t->data : "";
		progress && sscanf(p, "%15s %d %d %d %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld\n%n", stage, &e.epoch, &e.epochs, &e.best, &n[0], &n[1],
		&n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9], &n[10], &used) == 15; p += used) {
		e.loss = (float)cop__real_of_bits(n[0]);
		e.accuracy = (float)cop__real_of_bits(n[1]);
		e.mse = (float)cop__real_of_bits(n[2]);
		e.lr = (float)cop__real_of_bits(n[3]);
		e.seconds = cop__real_of_bits(n[4]);
		e.samples = n[5];
		e.flops = (float)cop__real_of_bits(n[6]);
		e.backward = (float)cop__real_of_bits(n[7]);
		e.published = (float)cop__real_of_bits(n[8]);
		e.step_time = (float)cop__real_of_bits(n[9]);
		e.step_seconds = cop__real_of_bits(n[10]);
		progress(ud, &e);
	}
}

/* ---- why it can't go on ---- */

/* The first parameter in graph order that holds a NaN or an infinity. */
static const char *first_bad(const cop_loop *l)
{
	const cop_graph *g = cop__trainer_graph(l->t);
	cop_tensor t;

	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role != COP_PARAM || x->type.dtype != COP_F32 || cop__trainer_named(l->t, x->name, &t)) continue;
		for (int64_t i = 0; i < cop_type_count(&x->type); i++)
			if (!isfinite(((float *)t.data)[i])) return x->name;
	}
	return NULL;
}

cop_status cop__loop_diverged(const cop_loop *l, float loss)
{
	const char *bad = first_bad(l);

	return cop__error(l->cx, COP_DIVERGED,
		"the loss became %g in epoch %d, step %lld; %s%s%s; the weights of the start of that "
		"epoch are kept; a smaller learning rate than %g may help",
		(double)loss, (int)((l->step - 1) / l->per_epoch) + 1, (long long)l->step,
			bad ? "the first parameter that is not finite is '" : "the parameters are still finite",
		bad ? bad : "", bad ? "'" : "", (double)l->a->lr);
}

cop_progress cop__loop_progress(cop_loop *l, int32_t epoch, float loss, float accuracy)
{
	const float lr = l->a->lr > 0 ? cop__trainer_rate(l->t) / l->a->lr : 1;
	return (cop_progress){l->t, l->step, cop__loop_steps(l), epoch, l->a->epochs, loss, accuracy, -1, l->sample, l->a->batch, &l->frozen, l->model, lr, l->a->seed,
		l->a->batch, l->a->threads, l->a->lr};
}
