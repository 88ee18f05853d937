/* SPDX-License-Identifier: Apache-2.0
 *
 * aim - the call: what is asked for, and what is left to say at the end. The rounds between are those of rounds.c.
 */
#include "core/need.h"
#include "compress/aim/aim.h"
#include "train/policy.h"
#include "compress/layers.h"
#include "pass/pass.h"
#include "run/deploy.h"

#include <math.h>
#include <stdio.h>

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

/* Of what is given back: coded weights take less flash, and more instructions. */
static cop_status say_lacks(cop_aimer *z)
{
	char *to = z->h->result.lacks;
	const size_t size = sizeof z->h->result.lacks;
	const double drop = cop__aim_drop(z, &z->now);

	*to = 0;
	if (z->final == COP_FINAL_CODED) COP_TRY(cop__aim_price(&z->now, z, z->g));
	for (int r = 0; r < COP_N_RESOURCE; r++) {
		size_t n = strlen(to);
		if (cop__aim_missed(z, r))
			cop__format(to + n, size - n, "%s%.*f %s, %.*f are allowed", n ? "; " : "", r == COP_R_MS ? 3 : 0, z->now.of[r],
				cop__resource_name[r], r == COP_R_MS ? 3 : 0, z->limit[r]);
	}
	size_t n = strlen(to);
	if (z->aims->bounded && drop > cop__aim_allowed(z) + 1e-4)
		cop__format(to + n, size - n, "%s%.2f points lost, %.2f are allowed", n ? "; " : "", drop, cop__aim_allowed(z));
	return COP_OK;
}

/* Where a few samples make the whole drop that is allowed, chance decides: on other samples it will be another one. */
static void warn_of_chance(const cop_aimer *z)
{
	enum { FEW = 4 };
	const int32_t n = (z->m.valid ? z->m.valid : z->m.train)->count;
	const double p = (double)z->first.accuracy, one = 100.0 / n;

	if (!z->aims->bounded || p < 0 || (double)z->aims->max_drop >= FEW * one) return;
	cop__log(z->cx, COP_LOG_WARN, "compress: %d samples decide, and one of them is %.2f points: chance has a say in what is kept. Accuracy on them is "
		"that of other samples to within %.1f points (95 %%); more samples for validation tell more", n, one, 196 * sqrt(p * (1 - p) / n));
}

static cop_status work(cop_aimer *z, const cop_resume *keep, const cop_graph *first, int32_t from)
{
	cop_compress_result *r = &z->h->result;
	cop_graph *q = NULL;

	z->final = COP_FINAL_FLOATS;
	COP_TRY(cop__aim_score(&z->first, z, first, 0));
	COP_TRY(cop__aim_price(&z->first, z, first));
	if (from < 0) warn_of_chance(z);
	z->came = first;
	if (from < 0) COP_TRY(side(&r->before, z, first));
	COP_TRY(cop__aim_rounds(z, keep, from));
	z->final = cop__aim_last_form(z);
	COP_TRY(cop__carry_nothing(z->g));
	COP_TRY(cop__aim_final(&q, z, z->g, z->final, 0));
	cop_status st = side(&r->after, z, q);
	cop_graph_free(z->g);
	z->g = q;
	if (!st) st = say_lacks(z);
	if (!st) st = cop__history_layers(z->h, first, z->g);
	return st ? st : cop__resume_save(keep, z->g, z->h, COP_MAX_STAGES);
}

/* ---- what is asked for ---- */

static cop_status check_limits(const cop_aimer *z)
{
	const cop_aims *a = z->aims;
	const char *t = z->t.name;

	if (a->bounded && !(a->max_drop >= 0 && a->max_drop <= 100))
		return cop__error(z->cx, COP_ARG, "compress: max_drop must be from 0 to 100 points");
	if (!a->bounded && !a->file && cop__aim_only_file(a))
		return cop__error(z->cx, COP_ARG,
			"compress: nothing is asked for: give the points that may be lost, or a limit on file, "
			"RAM, flash, MACs, instructions or milliseconds");
	if (a->ram && z->t.ram && a->ram > z->t.ram)
		return cop__error(z->cx, COP_ARG, "compress: %zu bytes of RAM are allowed, but %s has only %zu", a->ram, t, z->t.ram);
	if (a->flash && z->t.flash && a->flash > z->t.flash)
		return cop__error(z->cx, COP_ARG, "compress: %zu bytes of flash are allowed, but %s has only %zu", a->flash, t,
			z->t.flash);
	if (a->milliseconds > 0 && strcmp(t, "host"))
		return cop__error(z->cx, COP_ARG,
			"compress: milliseconds can be measured on this machine only, not for %s: limit the "
			"instructions or the MACs instead", t);
	if (a->instructions && !cop__has_prices(&z->t))
		return cop__error(z->cx, COP_ARG,
			"compress: there are no prices of kernels in instructions for %s: limit the MACs instead", t);
	return COP_OK;
}

static cop_status check_network(const cop_graph *g)
{
	uint32_t has = cop__has(g);

	if (has & COP_HAS_INTEGERS)
		return cop__error(g->cx, COP_ARG,
			"compress: '%s' is a network of integers already: give the float network that it was made from", g->name);
	if (has & COP_HAS_CODES)
		return cop__error(g->cx, COP_ARG,
			"compress: the weights of '%s' are encoded already: give the network that it was made from, or make plain numbers of them (coppice apply NET decode -o PLAIN)", g->name);
	return has & COP_HAS_FLOATS ? COP_OK : cop__error(g->cx, COP_ARG,
		"compress: '%s' has no weights that could be removed", g->name);
}

/* The score that was asked for. */
static cop_status read_by(cop_aimer *z)
{
	const char *by = z->aims->by;
	int row = -1;

	if (by) COP_TRY(cop__row_read(&row, z->by.o.bytes, sizeof z->by.o.bytes, z->cx, "by", &cop__scores, by, strlen(by)));
	z->by.row = row;
	if (row >= 0 && cop__score(row)->reads & COP_READS_MOVED)
		return cop__error(z->cx, COP_ARG, "compress: by: %s adds up while a network trains, and here channels are chosen between trainings: take another score", by);
	return COP_OK;
}

static cop_status begin(cop_aimer *z, const cop_graph *g)
{
	const cop_aims *a = z->aims;
	const double limit[COP_N_RESOURCE] = {(double)a->file, (double)a->ram, (double)a->flash, (double)a->macs,
		(double)a->instructions, (double)a->milliseconds};

	COP_TRY(cop_target_find(&z->t, z->cx, a->target ? a->target : "host"));
	COP_TRY(check_limits(z));
	COP_TRY(check_network(g));
	COP_TRY(read_by(z));
	memcpy(z->limit, limit, sizeof limit);
	z->watched[COP_R_MS] = limit[COP_R_MS] > 0;
	return COP_OK;
}

/* All that decides the result besides network, data and training: in the place of a recipe. */
static void aims_text(char *to, size_t size, const cop_aimer *z)
{
	const cop_aims *a = z->aims;
	cop__format(to, size, "%s %s %d %.9g %zu %zu %zu %lld %lld %.9g", z->t.name, a->by ? a->by : "", a->bounded, (double)a->max_drop, a->file,
		a->ram, a->flash, (long long)a->macs, (long long)a->instructions, (double)a->milliseconds);
}

cop_status cop_compress_to(cop_graph **g, const cop_aims *aims, cop_dataset *train, cop_dataset *valid,
	cop_dataset *test, const cop_train_args *args, cop_compress_result *result,
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
	cop_aimer z = {.cx = cx, .aims = aims, .m = {train, valid, test, &a, &e, ""}, .a = &a, .h = &h};
	char text[300];
	int32_t from;

	COP_TRY(begin(&z, *g));
	COP_TRY(cop__policies_teachers(z.m.teachers, sizeof z.m.teachers, cx, a.policies));
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
	h.result.code = cop__aim_code(z.g);
	if (!st && result) *result = h.result;
	if (!st) st = cop__history_end(&h, write, ud);
	cop__free(cx, z.lever);
	cop__free(cx, z.score);
	cop__resume_free(&keep);
	cop__history_free(&h);
	cop__encodings_free(&e);
	cop_graph_free(first);
	return st;
}
