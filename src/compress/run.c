/* SPDX-License-Identifier: Apache-2.0
 *
 * run - works through a recipe: measure, do the stage, measure again, keep it or undo it. What is measured is the accuracy
 * on the validation set by the plan that will run, and the bytes of the file as it would be written now. The
 * test set is looked at twice only: before the first stage and after the last.
 */
#include "core/need.h"
#include "compress/compress.h"
#include "compress/history.h"
#include "compress/resume.h"
#include "io/cop/checkpoint.h"
#include "pass/pass.h"
#include "run/deploy.h"

#include <stdio.h>
#include <time.h>

bool cop__compressible(const cop_graph *g, cop_vid v, const char *layers)
{
	const cop_value *x = &g->value[v];
	return x->role == COP_PARAM && x->type.dtype == COP_F32 && x->type.enc == COP_DENSE && x->type.rank >= 2 && cop__match(layers, x->name);
}

cop_train_args cop__stage_args(const cop_stage *s, const cop_workshop *w)
{
	cop_train_args a = *w->a;

	if (s->epochs) a.epochs = s->epochs;
	if (s->lr > 0) a.lr = s->lr;
	if (*s->update) a.update = s->update;
	if (*s->schedule) a.schedule = s->schedule;
	return a;
}

cop_status cop__stage_train(cop_graph **g, const cop_stage *s, const cop_workshop *w)
{
	cop_train_args a = cop__stage_args(s, w);
	return cop__train(*g, w->train, w->valid, &a, "train", NULL, 0);
}

static cop_status clone(cop_graph **out, const cop_graph *g)
{
	return cop__pass_batch(out, g, cop__t(g, g->input[0])->dim[0]);
}

/* Bytes of the file if it were written now, each weight in its smallest encoding. */
static cop_status file_bytes(size_t *bytes, const cop_graph *g)
{
	static const cop_stage smallest = {.kind = COP_STAGE_ENCODE, .codec = "smallest", .layers = "*"};
	cop_graph *copy = NULL;
	cop_status st = clone(&copy, g);

	if (!st) st = cop__stage_encode(&copy, &smallest, NULL);
	if (!st) st = cop__model_size(bytes, copy);
	cop_graph_free(copy);
	return st;
}

static cop_status measure(cop_mark *m, const cop_graph *g, const cop_workshop *w)
{
	cop_score score;

	COP_TRY(cop_eval(&score, g, w->valid ? w->valid : w->train, 100, w->a->threads));
	m->accuracy = score.accuracy;
	m->loss = score.loss;
	return file_bytes(&m->bytes, g);
}

static cop_status do_stage(cop_graph **g, const cop_stage *s, const cop_workshop *w)
{
	switch (s->kind) {
	case COP_STAGE_PRUNE: return cop__stage_prune(g, s, w);
	case COP_STAGE_SHARE: return cop__stage_share(g, s, w);
	case COP_STAGE_ENCODE: return cop__stage_encode(g, s, w);
	case COP_STAGE_QUANTIZE: return cop__stage_quantize(g, s, w);
	default: return cop__stage_train(g, s, w);
	}
}

/* Why the stage does not pay, or "". Data without labels are judged by their loss, in percent of it. */
static void judge(cop_verdict_text *why, const cop_stage *s, const cop_mark *before, const cop_mark *after)
{
	double cost = before->accuracy >= 0 ? 100 * (double)(before->accuracy - after->accuracy) : 100 * (double)(after->loss / before->loss - 1);
	double gain = (double)before->bytes / (double)after->bytes;

	why->text[0] = 0;
	if (cost > (double)s->may_cost + 1e-9) cop__format(why->text, sizeof why->text, "it cost %.2f points, %.2f were allowed", cost, (double)s->may_cost);
	else if (gain < (double)s->must_gain) cop__format(why->text, sizeof why->text, "the file shrank %.2f times, %.2f were asked", gain, (double)s->must_gain);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One stage; a failure to meet its terms is no failure of the call. */
static cop_status try_stage(cop_graph **g, const cop_stage *s, const cop_workshop *w, cop_history *h)
{
	cop_graph *work = NULL;
	cop_mark before, after;
	cop_verdict_text why = {""};
	double began = now();

	COP_TRY(measure(&before, *g, w));
	COP_TRY(clone(&work, *g));
	cop_status st = do_stage(&work, s, w);
	if (!st) st = measure(&after, work, w);
	if (st) {
		cop_graph_free(work);
		return st;
	}
	judge(&why, s, &before, &after);
	cop__history_stage(h, cop__stage_text(s->kind), &before, &after, why.text, now() - began);
	cop__log((*g)->cx, COP_LOG_INFO, "%s: accuracy %.2f %% -> %.2f %%, file %zu -> %zu bytes; %s%s", cop__stage_text(s->kind), 100 * (double)before.accuracy,
		100 * (double)after.accuracy, before.bytes, after.bytes, why.text[0] ? "undone: " : "kept", why.text);
	if (!why.text[0] && after.accuracy >= 0 && after.accuracy < before.accuracy / 2)
		cop__log((*g)->cx, COP_LOG_WARN, "%s: the accuracy fell to %.2f %% from %.2f %%, and may_cost allows it", cop__stage_text(s->kind), 100 * (double)after.accuracy, 100 * (double)before.accuracy);
	if (why.text[0]) {
		cop_graph_free(work);
		return COP_OK;
	}
	cop_graph_free(*g);
	*g = work;
	return COP_OK;
}

static cop_status whole(cop_history *h, const char *key, const cop_graph *g, const cop_workshop *w)
{
	cop_target t;
	cop_score test = {.accuracy = -1};
	cop_figures f;
	double microseconds;

	COP_TRY(cop_target_find(&t, g->cx, "host"));
	COP_TRY(cop_measure(&f, g, &t));
	COP_TRY(file_bytes(&f.file_bytes, g));
	COP_TRY(cop__latency(&microseconds, g));
	if (w->test) COP_TRY(cop_eval(&test, g, w->test, 100, w->a->threads));
	cop__history_figures(h, key, &test, &f, microseconds);
	return COP_OK;
}

/* From stage `from` on. Within that one its training is resumed where the caller wants it and left something. */
static cop_status all_stages(cop_graph **g, const cop_recipe *r, int32_t from, const cop_workshop *w, cop_train_args *a, cop_history *h, const cop_resume *keep)
{
	bool resume = a->resume;
	char path[1024], done[1024];
	cop_status st = COP_OK;

	for (int32_t i = COP_MAX(from, 0); !st && i < r->n_stage; i++) {
		st = cop__resume_save(keep, *g, h, i);
		if (!st && keep->base && i > 0) st = cop__checkpoint_unlink((*g)->cx, cop__resume_stage_path(done, keep->base, i - 1));
		if (keep->base) a->checkpoint = cop__resume_stage_path(path, keep->base, i);
		a->resume = resume && i == from;
		if (!st) st = try_stage(g, &r->stage[i], w, h);
	}
	a->checkpoint = keep->base;
	a->resume = resume;
	return st;
}

/* Measures, works, measures; the result is kept with all that is to be said of it. first: what was handed in. */
static cop_status work(cop_graph **g, const cop_graph *first, const cop_recipe *r, int32_t from, const cop_workshop *w, cop_train_args *a, cop_history *h, const cop_resume *keep)
{
	if (from < 0) COP_TRY(whole(h, "before", *g, w));
	COP_TRY(all_stages(g, r, from, w, a, h, keep));
	COP_TRY(cop__carry_nothing(*g));
	COP_TRY(whole(h, "after", *g, w));
	COP_TRY(cop__history_layers(h, first, *g));
	return cop__resume_save(keep, *g, h, r->n_stage);
}

cop_status cop_compress(cop_graph **g, const char *recipe, size_t size, cop_dataset *train, cop_dataset *valid, cop_dataset *test,
	const cop_train_args *args, cop_write_fn *write, void *ud)
{
	COP_NEED(NULL, g);
	COP_NEED(NULL, *g);
	COP_NEED((*g)->cx, recipe);
	COP_NEED((*g)->cx, train);
	COP_NEED((*g)->cx, args);
	cop_recipe r;
	cop_history h;
	cop_resume keep;
	cop_graph *first = NULL;
	cop_train_args a = *args;
	cop_workshop w = {train, valid, test, &a};
	cop_ctx *cx = (*g)->cx;
	int32_t from;

	COP_TRY(cop__recipe_parse(&r, cx, recipe, size));
	COP_TRY(cop__recipe_fits(&r, *g));
	COP_TRY(clone(&first, *g));
	cop__history_begin(&h, cx, r.name, &a);
	cop_status st = cop__resume_begin(&keep, *g, &w, recipe, size);
	if (!st) st = cop__resume_load(&keep, g, &h, &w, r.n_stage, &from);
	if (!st && from < r.n_stage) st = work(g, first, &r, from, &w, &a, &h, &keep);
	if (!st) st = cop__history_end(&h, write, ud);
	cop__resume_free(&keep);
	cop__history_free(&h);
	cop_graph_free(first);
	return st;
}
