/* SPDX-License-Identifier: Apache-2.0
 *
 * run - works through a recipe: measure, do the stage, measure again, keep it or undo it. What is measured is the accuracy
 * on the validation set by the plan that will run, and the bytes of the file as it would be written now. The
 * test set is looked at twice only: before the first stage and after the last.
 *
 * With order: search all of that is done for each order of the stages that makes sense (order.h), and the best is handed back.
 */
#include "core/need.h"
#include "compress/compress.h"
#include "train/policy.h"
#include "compress/encode.h"
#include "compress/history.h"
#include "compress/layers.h"
#include "compress/order.h"
#include "compress/resume.h"
#include "io/cop/checkpoint.h"
#include "io/cop/cop.h"
#include "pass/pass.h"
#include "run/deploy.h"

#include <stdio.h>

typedef struct measured { float accuracy, loss; size_t bytes; } measured;

typedef struct job {
	cop_graph *g;
	const cop_recipe *r;
	cop_means m;
	cop_train_args *a; /* the caller's, with a checkpoint for each stage */
	cop_history *h;
	const cop_resume *keep;
	measured now;      /* of g; what is undone leaves it as it is */
} job;

/* ---- measuring ---- */

/* Bytes of the file if it were written now, each weight in its smallest encoding. */
static cop_status file_bytes(size_t *bytes, const cop_graph *g, cop_encodings *e)
{
	cop_graph *encoded = NULL;
	cop_status st = cop__encode_weights(&encoded, g, "*", COP_CODEC_AUTO, e);

	if (!st) st = cop__model_size_by(bytes, encoded, cop__encodings_stored, e);
	cop_graph_free(encoded);
	return st;
}

static cop_status measure(measured *out, const cop_graph *g, const cop_means *m)
{
	cop_score score;

	COP_TRY(cop_eval(&score, g, m->valid ? m->valid : m->train, 100, m->a->threads));
	out->accuracy = score.accuracy;
	out->loss = score.loss;
	return file_bytes(&out->bytes, g, m->encodings);
}

static cop_status whole(cop_compress_side *out, const cop_graph *g, const job *j)
{
	cop_target t;
	cop_score test = {.accuracy = -1};

	COP_TRY(cop_target_find(&t, g->cx, "host"));
	COP_TRY(cop_measure(&out->figures, g, &t));
	COP_TRY(cop__latency(&out->microseconds, g));
	if (j->m.test) COP_TRY(cop_eval(&test, g, j->m.test, 100, j->a->threads));
	out->accuracy = test.accuracy;
	out->figures.file_bytes = j->now.bytes;
	return COP_OK;
}

/* ---- a stage ---- */

/* Why the stage does not pay, or "". Data without labels are judged by their loss, in percent of it. */
static void judge(cop_stage_result *r, const cop_terms *t)
{
	double cost = r->accuracy[0] >= 0 ? 100 * (double)(r->accuracy[0] - r->accuracy[1]) : 100 * (double)(r->loss[1] / r->loss[0] - 1);
	double gain = (double)r->bytes[0] / (double)r->bytes[1];

	r->why[0] = 0;
	if (cost > (double)t->may_cost + 1e-9) cop__format(r->why, sizeof r->why, "it cost %.2f points, %.2f were allowed", cost, (double)t->may_cost);
	else if (gain < (double)t->must_gain) cop__format(r->why, sizeof r->why, "the file shrank %.2f times, %.2f were asked", gain, (double)t->must_gain);
	r->kept = !r->why[0];
}

static void say(cop_ctx *cx, const cop_stage_result *r)
{
	cop__log(cx, COP_LOG_INFO, "%s: accuracy %.2f %% -> %.2f %%, file %zu -> %zu bytes; %s%s", r->stage,
		100 * (double)r->accuracy[0], 100 * (double)r->accuracy[1],
		r->bytes[0], r->bytes[1], r->kept ? "kept" : "undone: ", r->why);
	if (r->kept && r->accuracy[1] >= 0 && r->accuracy[1] < r->accuracy[0] / 2)
		cop__log(cx, COP_LOG_WARN, "%s: the accuracy fell to %.2f %% from %.2f %%, and may_cost allows it", r->stage,
			100 * (double)r->accuracy[1], 100 * (double)r->accuracy[0]);
}

/* One stage; a failure to meet its terms is no failure of the call. */
static cop_status try_stage(job *j, const cop_stage *s)
{
	cop_graph *work = NULL;
	cop_stage_result *r = &j->h->result.stage[j->h->result.n_stage];
	measured after = {0};
	double began = cop__now();

	COP_TRY(cop__pass_copy(&work, j->g));
	cop_status st = s->row->run(&work, s, &j->m);
	if (!st) st = measure(&after, work, &j->m);
	if (st) return cop_graph_free(work), st;
	*r = (cop_stage_result){.accuracy = {j->now.accuracy, after.accuracy}, .loss = {j->now.loss, after.loss},
		.bytes = {j->now.bytes, after.bytes}, .seconds = cop__now() - began};
	snprintf(r->stage, sizeof r->stage, "%s", s->row->row.name);
	judge(r, &s->terms);
	j->h->result.n_stage++;
	say(j->g->cx, r);
	cop_graph *old = r->kept ? j->g : work;
	if (r->kept) j->g = work, j->now = after;
	cop_graph_free(old);
	return COP_OK;
}

/* From stage `from` on. Within that one its training is resumed where the caller wants it and left something. */
static cop_status all_stages(job *j, int32_t from)
{
	const cop_resume *keep = j->keep;
	bool resume = j->a->resume;
	char path[1024], done[1024];
	cop_status st = COP_OK;

	for (int32_t i = COP_MAX(from, 0); !st && i < j->r->n_stage; i++) {
		st = cop__resume_save(keep, j->g, j->h, i);
		if (!st && keep->base && i > 0) st = cop__checkpoint_unlink(j->g->cx, cop__resume_stage_path(done, keep->base, i - 1));
		if (keep->base) j->a->checkpoint = cop__resume_stage_path(path, keep->base, i);
		j->a->resume = resume && i == from;
		if (!st) st = try_stage(j, &j->r->stage[i]);
	}
	j->a->checkpoint = keep->base;
	j->a->resume = resume;
	return st;
}

/* Measures, works, measures; the result is kept with all that is to be said of it. first: what was handed in. */
static cop_status work(job *j, const cop_graph *first, int32_t from)
{
	cop_compress_result *r = &j->h->result;

	COP_TRY(measure(&j->now, j->g, &j->m));
	if (from < 0) COP_TRY(whole(&r->before, j->g, j));
	COP_TRY(all_stages(j, from));
	COP_TRY(cop__carry_nothing(j->g));
	COP_TRY(whole(&r->after, j->g, j));
	COP_TRY(cop__history_layers(j->h, first, j->g));
	return cop__resume_save(j->keep, j->g, j->h, j->r->n_stage);
}

/* ---- the call ---- */

static int32_t encodable(const cop_graph *g)
{
	int32_t n = 0;

	for (int32_t v = 1; v <= g->n_value; v++) n += cop__can_encode(g, (cop_vid)v, NULL);
	return n;
}

/* The stages in one order, on the network as it came or from where its checkpoint was left. text: what decides the result besides data and
 * training. On failure *h is to be freed, too. */
static cop_status one_order(cop_graph **g, cop_history *h, const cop_recipe *r, const cop_means *m, const char *text, size_t size)
{
	cop_resume keep = {.run.cx = (*g)->cx};
	cop_encodings e;
	cop_graph *first = NULL;
	cop_train_args a = *m->a;
	job j = {.g = *g, .r = r, .m = *m, .a = &a, .h = h, .keep = &keep};
	cop_ctx *cx = (*g)->cx;
	int32_t from;

	j.m.a = &a, j.m.encodings = &e;
	cop__encodings_begin(&e, cx);
	cop__history_begin(h, cx, r->name, &a);
	h->result.weights = encodable(*g);
	cop_status st = cop__pass_copy(&first, *g);
	if (!st) st = cop__resume_begin(&keep, *g, &j.m, text, size);
	if (!st) st = cop__resume_load(&keep, &j.g, h, &j.m, r->n_stage, &from);
	if (!st && from < r->n_stage) st = cop__recipe_fits(r, first); /* what is done may have been written over what it was made of */
	if (!st && from < r->n_stage) st = work(&j, first, from);
	*g = j.g;
	h->result.encoded = e.tried;
	cop__resume_free(&keep);
	cop__encodings_free(&e);
	cop_graph_free(first);
	return st;
}

/* ---- order: search ---- */

typedef struct searching {
	const cop_recipe *r;
	const cop_means *m;
	const char *text;    /* of the recipe */
	size_t size;
	cop_orders o;
	cop_order_result all[COP_MOST_ORDERS];
	int32_t best;        /* -1: none yet */
	cop_graph *made;     /* by the best, and its history */
	cop_history history;
	cop_text orders;     /* JSON: what each did */
} searching;

static void keep_better(searching *s, int32_t k, cop_graph *made, cop_history *h)
{
	if (s->best >= 0 && !cop__order_better(&s->all[k], &s->all[s->best])) {
		cop__history_free(h);
		cop_graph_free(made);
		return;
	}
	if (s->best >= 0) cop__history_free(&s->history);
	cop_graph_free(s->made);
	s->made = made, s->history = *h, s->best = k;
}

static cop_status try_order(searching *s, const cop_graph *came, int32_t k)
{
	cop_order_result *o = &s->all[k];
	cop_train_args a = *s->m->a;
	cop_means m = *s->m;
	cop_graph *made = NULL;
	cop_history h;
	cop_recipe r;
	cop_text what;
	char path[1024];

	m.a = &a;
	if (a.checkpoint) a.checkpoint = cop__order_path(path, a.checkpoint, k);
	cop__order_recipe(&r, s->r, s->o.at[k]);
	cop__order_text(o->order, sizeof o->order, s->r, s->o.at[k]);
	cop__log(came->cx, COP_LOG_INFO, "order %d of %d: %s", k + 1, s->o.n, o->order);
	COP_TRY(cop__pass_copy(&made, came));
	cop__text_init(&what, came->cx);
	cop__text_bytes(&what, s->text, s->size);
	cop__text_add(&what, "\n%s", o->order);
	cop_status st = what.status;
	h = (cop_history){.cx = came->cx};
	if (!st) st = one_order(&made, &h, &r, &m, what.data, what.len);
	cop__text_free(&what);
	if (st) return cop__history_free(&h), cop_graph_free(made), st;
	cop__order_result(o, s->r, &h.result);
	cop__history_order(&s->orders, o, &h.result);
	keep_better(s, k, made, &h);
	return COP_OK;
}

static cop_status search(cop_graph **g, cop_history *h, const cop_recipe *r, const cop_means *m, const char *text, size_t size)
{
	searching s = {.r = r, .m = m, .text = text, .size = size, .best = -1};
	cop_ctx *cx = (*g)->cx;

	COP_TRY(cop__recipe_fits(r, *g));
	COP_TRY(cop__orders_find(&s.o, r, *g));
	cop__text_init(&s.orders, cx);
	cop_status st = COP_OK;
	for (int32_t k = 0; !st && k < s.o.n; k++) st = try_order(&s, *g, k);
	if (!st) st = s.orders.status;
	if (st) {
		if (s.best >= 0) cop__history_free(&s.history);
		cop__text_free(&s.orders);
		return cop_graph_free(s.made), st;
	}
	s.all[s.best].best = true;
	*h = s.history;
	h->orders = s.orders;
	memcpy(h->result.order, s.all, sizeof s.all);
	h->result.n_order = s.o.n;
	cop_graph_free(*g);
	*g = s.made;
	return COP_OK;
}

cop_status cop_compress(cop_graph **g, const char *recipe, size_t size, cop_dataset *train, cop_dataset *valid, cop_dataset *test,
	const cop_train_args *args, cop_compress_result *result, cop_write_fn *write, void *ud)
{
	COP_NEED(NULL, g);
	COP_NEED(NULL, *g);
	COP_NEED((*g)->cx, recipe);
	COP_NEED((*g)->cx, train);
	COP_NEED((*g)->cx, args);
	cop_recipe r;
	cop_history h = {.cx = (*g)->cx};
	cop_train_args a = *args;
	cop_means m = {train, valid, test, &a, NULL, ""};

	COP_TRY(cop__recipe_parse(&r, h.cx, recipe, size));
	COP_TRY(cop__policies_teachers(m.teachers, sizeof m.teachers, h.cx, a.policies));
	if (r.search) COP_TRY(search(g, &h, &r, &m, recipe, size));
	cop_status st = r.search ? COP_OK : one_order(g, &h, &r, &m, recipe, size);
	if (!st && result) *result = h.result;
	if (!st) st = cop__history_end(&h, write, ud);
	cop__history_free(&h);
	return st;
}
