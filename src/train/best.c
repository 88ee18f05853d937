/* SPDX-License-Identifier: Apache-2.0
 *
 * best - scores after each epoch: which one was the best, and its weights. They are kept as the bytes of a file, which a checkpoint holds as they
 * are.
 */
#include "io/cop/cop.h"
#include "pass/lower.h"
#include "train/loop.h"

#include <math.h>

cop_status cop__best_begin(cop_loop *l)
{
	cop_best *b = &l->best;

	cop__text_init(&b->file, l->cx);
	b->keep = l->a->keep == COP_KEEP_BEST;
	if (!b->keep) return COP_OK;
	if (!l->valid) return cop__error(l->cx, COP_ARG, "training: to keep the best epoch needs a validation set, whose score says which that is");
	for (int p = 0; p < l->n_policy; p++)
		if (l->policy[p].finish)
			return cop__error(l->cx, COP_ARG,
				"training: policy '%s' makes the result from all epochs, so the best one can't be kept; keep the last",
				l->policy[p].name);
	return COP_OK;
}

static cop_status score(cop_judged *j, const cop_loop *l)
{
	cop_score s;

	*j = (cop_judged){-1, -1};
	if (!l->valid) return COP_OK;
	cop_graph *whole = NULL; /* a network that rounds is scored as the integers that it stands for */
	cop_status st = cop__rounds(l->model) ? cop__pass_unfake(&whole, l->model) : COP_OK;
	if (!st) st = cop_eval(&s, whole ? whole : l->model, l->valid, 64, l->a->threads);
	cop_graph_free(whole);
	COP_TRY(st);
	j->accuracy = s.accuracy;
	if (s.accuracy < 0) j->mse = l->valid->targets ? s.mse : s.loss;
	return COP_OK;
}

cop_status cop__best_judge(cop_loop *l, cop_judged *j, int32_t epoch)
{
	cop_best *b = &l->best;

	COP_TRY(score(j, l));
	float now = cop__score_of(j);
	if (!l->valid || isnan(now) || (b->epoch && now <= b->score)) return COP_OK;
	b->epoch = epoch;
	b->score = now;
	if (!b->keep) return COP_OK;
	cop__text_free(&b->file);
	return cop__model_write(&b->file, l->model, NULL, 0, COP_CODEC_RAW);
}

void cop__best_forget(cop_loop *l)
{
	l->best.score = -INFINITY;
	cop__text_free(&l->best.file);
}

bool cop__best_is_earlier(const cop_loop *l) { return l->best.file.len && l->best.epoch < (l->step + l->per_epoch - 1) / l->per_epoch; }

cop_status cop__best_take(cop_loop *l)
{
	const cop_best *b = &l->best;
	cop_graph *from;
	cop_status st = COP_OK;

	COP_TRY(cop__model_read(&from, l->cx, "the weights of the best epoch", b->file.data, b->file.len, NULL, 0, NULL));
	for (int32_t v = 1; !st && v <= l->model->n_value; v++) {
		const cop_value *x = &l->model->value[v];
		cop_vid f = x->role == COP_PARAM || x->role == COP_STATE ? cop__find(from, x->name) : 0;
		if (f) st = cop__share(l->model, (cop_vid)v, from, f);
	}
	cop_graph_free(from);
	return st;
}

cop_status cop__loop_keep_network(cop_loop *l)
{
	cop__text_free(&l->rebuilt);
	return l->a->checkpoint ? cop__model_write(&l->rebuilt, l->model, NULL, 0, COP_CODEC_RAW) : COP_OK;
}
