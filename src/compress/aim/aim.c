/* SPDX-License-Identifier: Apache-2.0
 *
 * aim - the call: what is asked for, the rounds, and what is left to say at the end. Between rounds a checkpoint is written as between the stages of a recipe
 * (resume.h); how large the next step is follows from which rounds were kept, so the history is all that it needs.
 */
#include "core/need.h"
#include "compress/aim/aim.h"
#include "compress/layers.h"
#include "pass/pass.h"
#include "run/deploy.h"

#include <math.h>
#include <stdio.h>

static const double STEP = 0.7, LAST_STEP = 0.93; /* what a round leaves of each resource; a round that would leave more than the second is not worth its training */

/* ---- one round is written down ---- */

static void note(cop_aimer *z, const char *name, const char *what, const cop_point *from, const cop_point *to, double began)
{
	cop_stage_result *r = &z->h->result.stage[z->h->result.n_stage++];
	const cop_figures *a = &from->figures, *b = &to->figures;
	double drop = cop__aim_drop(z, to);

	*r = (cop_stage_result){.accuracy = {from->accuracy, to->accuracy}, .loss = {from->loss, to->loss}, .bytes = {a->file_bytes, b->file_bytes}, .seconds = cop__now() - began,
		.flash = {a->flash_bytes, b->flash_bytes}, .ram = {a->ram_bytes, b->ram_bytes}, .macs = {a->macs, b->macs}, .instructions = {a->instructions, b->instructions}};
	snprintf(r->stage, sizeof r->stage, "%s", name);
	snprintf(r->what, sizeof r->what, "%s", what);
	if (!isfinite(to->loss) || (z->aims->bounded && drop > (double)z->aims->max_drop + 1e-9))
		cop__format(r->why, sizeof r->why, "%.2f points would be lost in all, %.2f are allowed", drop, (double)z->aims->max_drop);
	r->kept = !r->why[0];
	cop__log(z->cx, COP_LOG_INFO, "%s%s%s: accuracy %.2f %% -> %.2f %%, file %zu -> %zu, flash %zu -> %zu, RAM %zu -> %zu bytes; %s%s", name, *what ? ": " : "", what, 100 * (double)from->accuracy,
		100 * (double)to->accuracy, a->file_bytes, b->file_bytes, a->flash_bytes, b->flash_bytes, a->ram_bytes, b->ram_bytes, r->kept ? "kept" : "undone: ", r->why);
}

static const cop_stage_result *last(const cop_aimer *z) { return &z->h->result.stage[z->h->result.n_stage - 1]; }

static cop_status point_of(cop_point *p, cop_aimer *z, const cop_graph *g)
{
	cop_graph *q;

	COP_TRY(cop__aim_final(&q, z, g, z->final, 0));
	cop_status st = cop__aim_score(p, z, q, 0);
	if (!st) st = cop__aim_price(p, z, q);
	cop_graph_free(q);
	return st;
}

/* ---- the form at the end ---- */

static bool only_file(const cop_aims *a) { return !a->ram && !a->flash && !a->macs && !a->instructions && !(a->milliseconds > 0); }

/* A file alone is smallest when floats are coded; everything else falls with integers. */
static cop_final best_final(const cop_aimer *z) { return only_file(z->aims) && (z->aims->file || !strcmp(z->t.name, "host")) ? COP_FINAL_CODES : COP_FINAL_INTEGERS; }

static cop_status first_stage(cop_aimer *z)
{
	double began = cop__now();

	z->final = best_final(z);
	COP_TRY(point_of(&z->now, z, z->g));
	note(z, z->final == COP_FINAL_CODES ? "encode" : "quantize", "", &z->first, &z->now, began);
	return COP_OK;
}

static void settle_final(cop_aimer *z) { z->final = z->h->result.stage[0].kept ? best_final(z) : COP_FINAL_FLOATS; }

/* ---- rounds ---- */

static bool missed(const cop_aimer *z, int r) { return z->limit[r] > 0 && z->now.of[r] > z->limit[r]; }

static bool any_missed(const cop_aimer *z)
{
	for (int r = 0; r < COP_N_RESOURCE; r++)
		if (missed(z, r)) return true;
	return false;
}

static bool any_limit(const cop_aimer *z)
{
	for (int r = 0; r < COP_N_RESOURCE; r++)
		if (z->limit[r] > 0) return true;
	return false;
}

/* What a target has bounds the network, too, where that is not small enough anyway. */
static void machine_limits(cop_aimer *z)
{
	if (!z->limit[COP_R_RAM] && z->t.ram && z->now.of[COP_R_RAM] > (double)z->t.ram) z->limit[COP_R_RAM] = (double)z->t.ram;
	if (!z->limit[COP_R_FLASH] && z->t.flash && z->now.of[COP_R_FLASH] > (double)z->t.flash) z->limit[COP_R_FLASH] = (double)z->t.flash;
}

/* What this round may leave: a step towards the limits that are missed; without limits, a step down of what counts on such a machine. */
static void allow(cop_aimer *z, double step)
{
	const bool counted = z->now.of[COP_R_INSTRUCTIONS] > 0, free = !any_limit(z);
	const bool down[COP_N_RESOURCE] = {[COP_R_FILE] = free && z->final == COP_FINAL_CODES, [COP_R_FLASH] = free && z->final != COP_FINAL_CODES,
		[COP_R_INSTRUCTIONS] = free && counted && z->final != COP_FINAL_CODES, [COP_R_MACS] = free && !counted && z->final != COP_FINAL_CODES};

	for (int r = 0; r < COP_N_RESOURCE; r++) {
		z->watched[r] = down[r] || z->limit[r] > 0;
		z->allowed[r] = down[r] ? step * z->now.of[r] : fmax(z->limit[r], fmin(step * z->now.of[r], z->now.of[r]));
	}
}

/* The size of the next step, from what became of those before. */
static double step_now(const cop_aimer *z)
{
	double step = STEP;

	for (int32_t i = 1; i < z->h->result.n_stage; i++)
		if (!z->h->result.stage[i].kept) step = sqrt(step);
	return step;
}

static cop_status retrain(cop_aimer *z, cop_graph *g)
{
	cop_train_args a = *z->a;

	a.policies = NULL;
	a.keep = COP_KEEP_LAST;
	return cop__train(g, z->m.train, z->m.valid, &a, "prune", NULL, 0);
}

/* *worth false: no level of any layer brings the network nearer. */
static cop_status round_of(bool *worth, cop_aimer *z)
{
	cop_graph *work = NULL;
	cop_point after = {0};
	double began = cop__now();
	char what[160];
	int32_t *choice = NULL;

	*worth = true;
	const cop_level said = z->cx->log_level;
	if (said == COP_LOG_INFO) z->cx->log_level = COP_LOG_WARN; /* nobody wants to hear of the networks that are only tried */
	cop_status st = cop__aim_curves(z);
	if (!st && !(choice = cop__alloc(z->cx, sizeof *choice * (size_t)(z->n_lever + 1)))) st = COP_NOMEM;
	if (!st && (st = cop__aim_choose(z, choice)) == COP_BUDGET) *worth = false, st = COP_OK;
	z->cx->log_level = said;
	if (!st && *worth) st = cop__levers_pull(&work, z, choice, what, sizeof what);
	cop__free(z->cx, choice);
	if (st || !*worth) return st;
	if (!*what) return cop_graph_free(work), *worth = false, COP_OK;
	st = cop__carry_nothing(work); /* momentum would bring back what went */
	if (!st) st = retrain(z, work);
	if (!st) st = point_of(&after, z, work);
	if (st) return cop_graph_free(work), st;
	note(z, "prune", what, &z->now, &after, began);
	if (last(z)->kept) {
		cop_graph *old = z->g;
		z->g = work, work = old;
		z->now = after;
	}
	cop_graph_free(work);
	return COP_OK;
}

static cop_status rounds(cop_aimer *z, const cop_resume *keep, int32_t from)
{
	const bool resume = z->a->resume;
	char path[1024], done[1024];
	bool worth = true;
	cop_status st = COP_OK;

	for (int32_t i = from; !st && worth && i < COP_MAX_STAGES; i++) {
		double step = step_now(z);
		if (step > LAST_STEP || (any_limit(z) && !any_missed(z))) break;
		allow(z, step);
		st = cop__resume_save(keep, z->g, z->h, i);
		if (!st && keep->base) st = cop__checkpoint_unlink(z->cx, cop__resume_stage_path(done, keep->base, i - 1));
		if (keep->base) z->a->checkpoint = cop__resume_stage_path(path, keep->base, i);
		z->a->resume = resume && i == from;
		if (!st) st = round_of(&worth, z);
	}
	z->a->checkpoint = keep->base;
	z->a->resume = resume;
	return st;
}

/* ---- before and after ---- */

static cop_status side(cop_compress_side *s, cop_aimer *z, const cop_graph *q)
{
	cop_point p;
	cop_score test = {.accuracy = -1};

	COP_TRY(cop__aim_price(&p, z, q));
	s->figures = p.figures;
	COP_TRY(cop__latency(&s->microseconds, q));
	if (z->m.test) COP_TRY(cop_eval(&test, q, z->m.test, 100, z->a->threads));
	s->accuracy = test.accuracy;
	return COP_OK;
}

static void say_lacks(cop_aimer *z)
{
	char *to = z->h->result.lacks;
	const size_t size = sizeof z->h->result.lacks;
	const double drop = cop__aim_drop(z, &z->now);

	*to = 0;
	for (int r = 0; r < COP_N_RESOURCE; r++) {
		size_t n = strlen(to);
		if (missed(z, r)) cop__format(to + n, size - n, "%s%.*f %s, %.*f are allowed", n ? "; " : "", r == COP_R_MS ? 3 : 0, z->now.of[r], cop__resource_name[r], r == COP_R_MS ? 3 : 0, z->limit[r]);
	}
	size_t n = strlen(to);
	if (z->aims->bounded && drop > (double)z->aims->max_drop + 1e-9) cop__format(to + n, size - n, "%s%.2f points lost, %.2f are allowed", n ? "; " : "", drop, (double)z->aims->max_drop);
}

static cop_status work(cop_aimer *z, const cop_resume *keep, const cop_graph *first, int32_t from)
{
	cop_compress_result *r = &z->h->result;
	cop_graph *q = NULL;

	z->final = COP_FINAL_FLOATS;
	COP_TRY(cop__aim_score(&z->first, z, first, 0));
	COP_TRY(cop__aim_price(&z->first, z, first));
	if (from < 0) {
		COP_TRY(side(&r->before, z, first));
		COP_TRY(first_stage(z));
	}
	settle_final(z);
	if (from >= 0 || z->final == COP_FINAL_FLOATS) COP_TRY(point_of(&z->now, z, z->g));
	machine_limits(z);
	COP_TRY(rounds(z, keep, COP_MAX(from, 1)));
	say_lacks(z);
	COP_TRY(cop__carry_nothing(z->g));
	COP_TRY(cop__aim_final(&q, z, z->g, z->final, 0));
	cop_status st = side(&r->after, z, q);
	cop_graph_free(z->g);
	z->g = q;
	if (!st) st = cop__history_layers(z->h, first, z->g);
	return st ? st : cop__resume_save(keep, z->g, z->h, COP_MAX_STAGES);
}

/* ---- what is asked for ---- */

static cop_status check_limits(const cop_aimer *z)
{
	const cop_aims *a = z->aims;
	const char *t = z->t.name;

	if (a->bounded && !(a->max_drop >= 0 && a->max_drop <= 100)) return cop__error(z->cx, COP_ARG, "compress: max_drop must be from 0 to 100 points");
	if (!a->bounded && !a->file && only_file(a)) return cop__error(z->cx, COP_ARG, "compress: nothing is asked for: give the points that may be lost, or a limit on file, RAM, flash, MACs, instructions or milliseconds");
	if (a->ram && z->t.ram && a->ram > z->t.ram) return cop__error(z->cx, COP_ARG, "compress: %zu bytes of RAM are allowed, but %s has only %zu", a->ram, t, z->t.ram);
	if (a->flash && z->t.flash && a->flash > z->t.flash) return cop__error(z->cx, COP_ARG, "compress: %zu bytes of flash are allowed, but %s has only %zu", a->flash, t, z->t.flash);
	if (a->milliseconds > 0 && strcmp(t, "host"))
		return cop__error(z->cx, COP_ARG, "compress: milliseconds can be measured on this machine only, not for %s: limit the instructions or the MACs instead", t);
	if (a->instructions && !cop__has_prices(&z->t)) return cop__error(z->cx, COP_ARG, "compress: there are no prices of kernels in instructions for %s: limit the MACs instead", t);
	return COP_OK;
}

static cop_status check_network(const cop_graph *g)
{
	uint32_t has = cop__has(g);

	if (has & COP_HAS_INTEGERS) return cop__error(g->cx, COP_ARG, "compress: '%s' is a network of integers already: give the float network that it was made from", g->name);
	if (has & COP_HAS_CODES) return cop__error(g->cx, COP_ARG, "compress: the weights of '%s' are encoded already: give the float network that it was made from", g->name);
	return has & COP_HAS_FLOATS ? COP_OK : cop__error(g->cx, COP_ARG, "compress: '%s' has no weights that could be removed", g->name);
}

static cop_status begin(cop_aimer *z, const cop_graph *g)
{
	const cop_aims *a = z->aims;
	const double limit[COP_N_RESOURCE] = {(double)a->file, (double)a->ram, (double)a->flash, (double)a->macs, (double)a->instructions, (double)a->milliseconds};

	COP_TRY(cop_target_find(&z->t, z->cx, a->target ? a->target : "host"));
	COP_TRY(check_limits(z));
	COP_TRY(check_network(g));
	memcpy(z->limit, limit, sizeof limit);
	z->watched[COP_R_MS] = limit[COP_R_MS] > 0;
	return COP_OK;
}

/* All that decides the result besides network, data and training: in the place of a recipe. */
static void aims_text(char *to, size_t size, const cop_aimer *z)
{
	const cop_aims *a = z->aims;
	cop__format(to, size, "%s %d %.9g %zu %zu %zu %lld %lld %.9g", z->t.name, a->bounded, (double)a->max_drop, a->file, a->ram, a->flash, (long long)a->macs, (long long)a->instructions, (double)a->milliseconds);
}

cop_status cop_compress_to(cop_graph **g, const cop_aims *aims, cop_dataset *train, cop_dataset *valid, cop_dataset *test, const cop_train_args *args, cop_compress_result *result,
	cop_write_fn *write, void *ud)
{
	COP_NEED(NULL, g);
	COP_NEED(NULL, *g);
	COP_NEED((*g)->cx, aims);
	COP_NEED((*g)->cx, train);
	COP_NEED((*g)->cx, args);
	cop_history h;
	cop_resume keep;
	cop_encodings e;
	cop_graph *first = NULL;
	cop_train_args a = *args;
	cop_ctx *cx = (*g)->cx;
	cop_aimer z = {.cx = cx, .aims = aims, .m = {train, valid, test, &a, &e}, .a = &a, .h = &h};
	char text[300];
	int32_t from;

	COP_TRY(begin(&z, *g));
	COP_TRY(cop__pass_copy(&first, *g));
	z.g = *g;
	aims_text(text, sizeof text, &z);
	cop__encodings_begin(&e, cx);
	cop__history_begin(&h, cx, "aims", &a);
	cop_status st = cop__resume_begin(&keep, *g, &z.m, text, strlen(text));
	if (!st) st = cop__resume_load(&keep, &z.g, &h, &z.m, COP_MAX_STAGES, &from);
	if (!st && from < COP_MAX_STAGES) st = work(&z, &keep, first, from);
	else if (!st) z.final = COP_FINAL_FLOATS;
	*g = z.g;
	if (!st && result) *result = h.result;
	if (!st) st = cop__history_end(&h, write, ud);
	cop__free(cx, z.lever);
	cop__resume_free(&keep);
	cop__history_free(&h);
	cop__encodings_free(&e);
	cop_graph_free(first);
	return st;
}
