/* SPDX-License-Identifier: Apache-2.0
 *
 * saved - checkpoints of a run. The order of samples, their augmentation and the dropout masks are functions of (seed, epoch, step), so a run that
 * is stopped anywhere and resumed from its checkpoint ends with the same bits. The checkpoint of a run that is done holds its result;
 * whoever called removes it when that is safe elsewhere.
 *
 * It is the training graph, with all of its states. Where the structure of the network changed on the way, the network as that left it lies in the
 * file, too: from there the training graph is made anew.
 */
#include "io/cop/checkpoint.h"
#include "train/identity.h"
#include "train/loop.h"

cop_status cop__loop_save(cop_loop *l)
{
	cop_number n[] = {{.name = "step", .i = l->step}, {.name = "finished", .i = l->finished},
		{.name = "rebuilt", .text = l->rebuilt.len ? l->rebuilt.data : "", .size = l->rebuilt.len}, {.name = "loss", .i = cop__real_bits(l->sum_loss)},
		{.name = "seconds", .i = cop__real_bits(cop__loop_seconds(l))}, {.name = "epochs", .text = l->epochs.len ? l->epochs.data : "", .size = l->epochs.len},
		{.name = "samples", .i = l->samples}, {.name = "best_epoch", .i = l->best.epoch}, {.name = "best_score", .i = cop__real_bits((double)l->best.score)},
		{.name = "best", .text = l->best.file.len ? l->best.file.data : "", .size = l->best.file.len}, {.name = "frozen", .i = l->frozen.to}, {.name = "frozen_bytes", .i = l->frozen.bytes}};

	if (!l->a->checkpoint) return COP_OK;
	COP_TRY(l->epochs.status);
	l->saved = cop__seconds();
	return cop__checkpoint_write(l->a->checkpoint, cop__trainer_hold(l->t), l->run.data, n, LEN(n));
}

cop_status cop__loop_save_in_time(cop_loop *l)
{
	const float every = l->a->checkpoint_every > 0 ? l->a->checkpoint_every : 600;
	return cop__seconds() - l->saved < (double)every ? COP_OK : cop__loop_save(l);
}

/* Is the model the result of this checkpoint? */
static cop_status is_result(bool *is, const cop_loop *l, const cop_graph *from, const cop_number *best)
{
	cop_graph *kept;

	*is = !best->size && cop__same_weights(l->model, from);
	if (!best->size) return COP_OK;
	COP_TRY(cop__model_read(&kept, l->cx, l->a->checkpoint, best->text, best->size, NULL, 0, NULL));
	*is = cop__same_weights(l->model, kept);
	cop_graph_free(kept);
	return COP_OK;
}

/* A result that was written over its own input is known by its weights; any other network is another run's. */
static cop_status same_network(const cop_loop *l)
{
	cop_number n[] = {{.name = "step"}, {.name = "finished"}, {.name = "best"}};
	cop_graph *from;
	bool there, other, is;

	COP_TRY(cop__checkpoint_load(&from, l->cx, l->a->checkpoint, n, LEN(n)));
	cop_status st = is_result(&is, l, from, &n[2]);
	cop_graph_free(from);
	if (st) return st;
	bool done = (n[1].i || n[0].i == cop__loop_steps(l)) && is;
	return done ? COP_OK : cop__checkpoint_find(&there, &other, l->cx, l->a->checkpoint, l->run.data, NULL);
}

/* A network that is not that of the start any more takes its place. */
static cop_status changed_network(cop_loop *l)
{
	cop_number number[] = {{.name = "rebuilt"}, {.name = "frozen"}, {.name = "frozen_bytes"}};
	cop_graph *from, *rebuilt = NULL;

	COP_TRY(cop__checkpoint_load(&from, l->cx, l->a->checkpoint, number, LEN(number)));
	cop__text_free(&l->rebuilt); /* that of this start */
	cop__text_bytes(&l->rebuilt, number->text ? number->text : "", number->size);
	l->frozen = (cop_frozen){(int32_t)number[1].i, number[2].i};
	cop_graph_free(from);
	COP_TRY(l->rebuilt.status);
	if (!l->rebuilt.len) return COP_OK;
	COP_TRY(cop__model_read(&rebuilt, l->cx, l->a->checkpoint, l->rebuilt.data, l->rebuilt.len, NULL, 0, NULL));
	cop_graph old = *l->model;
	*l->model = *rebuilt;
	*rebuilt = old;
	cop_graph_free(rebuilt);
	return cop__loop_rebuild(l);
}

static cop_status resume(cop_loop *l, bool other)
{
	cop_number n[] = {{.name = "step"}, {.name = "finished"}, {.name = "loss"}, {.name = "epochs"}, {.name = "seconds"},
		{.name = "best_epoch"}, {.name = "best_score"}, {.name = "best"}, {.name = "samples"}};
	const char *path = l->a->checkpoint;

	if (other) COP_TRY(same_network(l));
	COP_TRY(changed_network(l));
	COP_TRY(cop__checkpoint_read(path, cop__trainer_hold(l->t), n, LEN(n)));
	l->step = n[0].i;
	l->finished = n[1].i || l->step == cop__loop_steps(l);
	l->sum_loss = cop__real_of_bits(n[2].i);
	cop__text_bytes(&l->epochs, n[3].text ? n[3].text : "", n[3].size);
	l->earlier = cop__real_of_bits(n[4].i);
	l->best.epoch = (int32_t)n[5].i;
	l->best.score = (float)cop__real_of_bits(n[6].i);
	cop__text_bytes(&l->best.file, n[7].text ? n[7].text : "", n[7].size);
	l->samples = n[8].i;
	COP_TRY(l->epochs.status);
	COP_TRY(l->best.file.status);
	if (l->step < 0 || l->step > cop__loop_steps(l)) return cop__error(l->cx, COP_FORMAT, "%s: step %lld is none of this run", path, (long long)l->step);
	cop__trainer_push(l->t);
	cop__epochs_tell(&l->epochs, l->a->progress, l->a->ud);
	return cop_trainer_pull(l->t, l->model);
}

cop_status cop__loop_look(cop_loop *l)
{
	const cop_train_args *a = l->a;
	bool there, other;

	if (!a->checkpoint) return COP_OK;
	cop__text_add(&l->run, "stage\t%s\n", l->stage);
	cop__identity_args(&l->run, a);
	for (int p = 0; p < l->n_policy; p++)
		if (l->policy[p].identity) COP_TRY(l->policy[p].identity(l->policy[p].ud, &l->run));
	COP_TRY(cop__identity_data(&l->run, "data", l->train));
	if (a->policies || l->best.keep) COP_TRY(cop__identity_data(&l->run, "validation data", l->valid)); /* it decides when to stop, or what is kept */
	cop__text_add(&l->run, "%s", l->network.data);
	COP_TRY(cop__checkpoint_find(&there, &other, l->cx, a->checkpoint, l->run.data, a->resume ? "network" : NULL));
	return there && a->resume ? resume(l, other) : COP_OK;
}
