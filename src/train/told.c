/* SPDX-License-Identifier: Apache-2.0
 *
 * told - what a run tells while it goes: progress, and why it can't go on.
 */
#include "train/loop.h"

#include <math.h>

int64_t cop__loop_steps(const cop_loop *l) { return l->per_epoch * l->a->epochs; }
double cop__loop_seconds(const cop_loop *l) { return l->earlier + cop__seconds() - l->began; }

void cop__loop_report(cop_loop *l, const cop_judged *j)
{
	double t = cop__seconds();
	int64_t steps = cop__loop_steps(l);

	if (!l->a->progress || (!j && t - l->reported < 0.1)) return;
	l->reported = t;
	int32_t epoch = (int32_t)((l->step - 1) / l->per_epoch);
	double seconds = t - l->began, rate = seconds > 0 ? (double)l->images / seconds : 0;
	cop_epoch e = {.epoch = epoch + 1, .epochs = l->a->epochs, .done = j ? 1 : (float)(l->step - epoch * l->per_epoch) / (float)l->per_epoch,
		.loss = (float)(l->sum_loss / (double)COP_MAX(1, l->step - epoch * l->per_epoch)), .accuracy = j ? j->accuracy : -1, .mse = j ? j->mse : -1,
		.best = l->best.epoch, .lr = cop__trainer_rate(l->t), .images_per_second = l->trained > 0 ? (double)l->images / l->trained : rate,
		.seconds = l->earlier + seconds, .seconds_left = rate > 0 ? (double)(steps - l->step) * l->a->batch / rate : 0, .stage = l->stage};
	l->a->progress(l->a->ud, &e);
}

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

	return cop__error(l->cx, COP_DIVERGED, "the loss became %g in epoch %d, step %lld; %s%s%s; the weights of the start of that epoch are kept; a smaller learning rate than %g may help",
		(double)loss, (int)((l->step - 1) / l->per_epoch) + 1, (long long)l->step, bad ? "the first parameter that is not finite is '" : "the parameters are still finite",
		bad ? bad : "", bad ? "'" : "", (double)l->a->lr);
}
