/* SPDX-License-Identifier: Apache-2.0
 *
 * session - a plan with memory. All memory is taken once, here; runs allocate nothing.
 */
#include "core/need.h"
#include "plan/plan.h"
#include "run/deploy.h"
#include "run/pool.h"

#include <math.h>

typedef struct sequence { cop_job *job; int32_t n; } sequence;

struct cop_session {
	cop_ctx *cx;
	const cop_plan *plan;
	cop_pool *pool;
	char *segment[COP_N_SEG];
	sequence *entry;
	cop_arena mem;
};

static void *address(const cop_session *s, cop_place p)
{
	if (p.seg == COP_SEG_NONE) return NULL;
	if (p.seg == COP_SEG_FIXED) return (void *)(uintptr_t)p.data; /* kernels only read it */
	return s->segment[p.seg] + p.off;
}

static cop_job make_job(const cop_session *s, const cop_step *st, void **buf)
{
	for (int i = 0; i < st->n_buf; i++) buf[i] = address(s, st->buf[i]);
	return (cop_job){.fn = st->kernel->fn, .call = {.buf = buf, .k = st->word, .work = address(s, st->work), .pack = address(s, st->pack)},
		.work_bytes = st->work_bytes, .guard = address(s, st->guard), .split = st->split};
}

/* Packing writes to where the kernel will read. */
static cop_job make_pack(const cop_session *s, const cop_step *st, const cop_job *main)
{
	cop_job j = *main;
	j.fn = st->kernel->pack;
	j.call.work = address(s, st->pack);
	j.work_bytes = 0;
	return j;
}

static bool packs_each_run(const cop_step *st) { return st->kernel->pack && !st->pack_once; }

static cop_status bind_entry(cop_session *s, int e)
{
	const cop_entry *pe = &s->plan->entry[e];
	sequence *q = &s->entry[e];

	q->job = cop__arena_get(&s->mem, sizeof *q->job * (size_t)(2 * pe->n_step + 1));
	if (!q->job) return COP_NOMEM;
	for (int32_t i = 0; i < pe->n_step; i++) {
		const cop_step *st = &pe->step[i];
		void **buf = cop__arena_get(&s->mem, sizeof *buf * COP_MAX_BUF);
		if (!buf) return COP_NOMEM;
		cop_job main = make_job(s, st, buf);
		if (st->kernel->pack) {
			cop_job pack = make_pack(s, st, &main);
			if (packs_each_run(st)) q->job[q->n++] = pack;
			else cop__pool_run(s->pool, &pack, 1);
		}
		q->job[q->n++] = main;
	}
	return COP_OK;
}

static void load_vars(cop_session *s)
{
	for (int32_t i = 0; i < s->plan->n_var; i++) {
		const cop_var *v = &s->plan->var[i];
		if (v->written && v->init) memcpy(address(s, v->place), v->init, cop_type_bytes(&v->type));
	}
}

void cop_session_reset(cop_session *s)
{
	if (!s) return;
	for (int seg = COP_SEG_PARAM; seg <= COP_SEG_STATE; seg++) memset(s->segment[seg], 0, s->plan->bytes[seg]);
	load_vars(s);
}

cop_status cop_session_new(cop_session **out, const cop_plan *p, int threads)
{
	COP_NEED(COP_CX(p), out);
	*out = NULL;
	COP_NEED(COP_CX(p), p);
	for (int e = 0; e < p->n_entry; e++) COP_TRY(cop__not_outline(p->entry[e].g, "run"));
	cop_session *s = cop__alloc(p->cx, sizeof *s);
	cop_status st = COP_OK;

	*out = NULL;
	if (!s) return COP_NOMEM;
	s->cx = p->cx;
	s->plan = p;
	cop__arena_init(&s->mem, p->cx);
	for (int seg = COP_SEG_PARAM; !st && seg < COP_N_SEG; seg++) /* 64 bytes of slack: fast kernels read past the end */
		if (!(s->segment[seg] = cop__alloc_aligned(p->cx, p->bytes[seg] + 64, 64))) st = COP_NOMEM;
	if (!st) st = cop__pool_new(&s->pool, p->cx, COP_MIN(threads, p->target.threads));
	if (!st && !(s->entry = cop__arena_get(&s->mem, sizeof *s->entry * (size_t)p->n_entry))) st = COP_NOMEM;
	if (!st) load_vars(s);
	for (int e = 0; !st && e < p->n_entry; e++) st = bind_entry(s, e);
	if (!st) return *out = s, COP_OK;
	cop_session_free(s);
	return st;
}

void cop_session_free(cop_session *s)
{
	if (!s) return;
	cop_ctx *cx = s->cx;
	cop__pool_free(s->pool);
	for (int seg = 0; seg < COP_N_SEG; seg++) cop__free_aligned(cx, s->segment[seg]);
	cop__arena_free(&s->mem);
	cop__free(cx, s);
}

static cop_status check_entry(const cop_session *s, int entry)
{
	return entry >= 0 && entry < s->plan->n_entry ? COP_OK : cop__error(s->cx, COP_ARG, "the plan has no entry %d", entry);
}

cop_status cop_session_tensor(cop_session *s, int entry, const char *name, cop_tensor *out)
{
	COP_NEED(COP_CX(s), s);
	COP_NEED(COP_CX(s), name);
	COP_NEED(COP_CX(s), out);
	COP_TRY(check_entry(s, entry));
	const cop_graph *g = s->plan->entry[entry].g;
	cop_vid v = cop__find(g, name);

	if (!v) return cop__error(s->cx, COP_ARG, "entry %d has no value '%s'", entry, name);
	*out = (cop_tensor){g->value[v].type, address(s, s->plan->entry[entry].place[v])};
	return COP_OK;
}

cop_status cop_session_io(cop_session *s, int entry, int32_t i, bool output, cop_tensor *out)
{
	COP_NEED(COP_CX(s), s);
	COP_NEED(COP_CX(s), out);
	COP_TRY(check_entry(s, entry));
	const cop_graph *g = s->plan->entry[entry].g;

	if (i < 0 || i >= (output ? g->n_output : g->n_input))
		return cop__error(s->cx, COP_ARG, "entry %d has no %s %d", entry, output ? "output" : "input", i);
	cop_vid v = output ? g->output[i] : g->input[i];
	*out = (cop_tensor){g->value[v].type, address(s, s->plan->entry[entry].place[v])};
	return COP_OK;
}

cop_status cop_session_run(cop_session *s, int entry)
{
	COP_NEED(NULL, s);
	COP_TRY(check_entry(s, entry));
	cop__pool_run(s->pool, s->entry[entry].job, s->entry[entry].n);
	return COP_OK;
}

/* ---- time ---- */

/* Of each step by itself, with the packing before it: the least so far. */
static double time_steps(double *least, cop_session *s, int entry)
{
	const cop_entry *e = &s->plan->entry[entry];
	const cop_job *job = s->entry[entry].job;
	double all = 0;

	for (int32_t i = 0, n; i < e->n_step; i++, job += n) {
		const double began = cop__seconds();
		n = packs_each_run(&e->step[i]) ? 2 : 1;
		cop__pool_run(s->pool, job, n);
		const double now = cop__seconds() - began;
		least[i] = fmin(least[i], now);
		all += now;
	}
	return all;
}

/* The clock takes time of its own: steps have their part of what the whole run takes without it, unless others use the processor in each of those. */
cop_status cop__step_seconds(double *seconds, cop_session *s, int entry)
{
	enum { LEAST = 5, MOST = 40 };
	double whole = INFINITY, sum = 0, spent = 0;

	COP_TRY(check_entry(s, entry));
	const int32_t n = s->plan->entry[entry].n_step;
	for (int32_t i = 0; i < n; i++) seconds[i] = INFINITY;
	for (int r = 0; r < LEAST || (r < MOST && spent < 1); r++) {
		spent += time_steps(seconds, s, entry);
		const double began = cop__seconds();
		COP_TRY(cop_session_run(s, entry));
		whole = fmin(whole, cop__seconds() - began);
	}
	for (int32_t i = 0; i < n; i++) sum += seconds[i];
	for (int32_t i = 0; i < n && whole < sum; i++) seconds[i] *= whole / sum;
	return COP_OK;
}

cop_status cop_session_pull(const cop_session *s, cop_graph *g)
{
	COP_NEED(COP_CX(g), s);
	COP_NEED(COP_CX(g), g);
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role != COP_PARAM && x->role != COP_STATE) continue;
		const cop_var *var = cop__plan_var(s->plan, x->name);
		size_t bytes = cop_type_bytes(&x->type);
		if (!var || !var->written || cop_type_bytes(&var->type) != bytes) continue;
		void *own = cop__own(g, (cop_vid)v);
		if (!own) return COP_NOMEM;
		memcpy(own, address(s, var->place), bytes);
	}
	return COP_OK;
}
