/* SPDX-License-Identifier: Apache-2.0
 *
 * rounds - what is done, one stage after the other: integers (or encoded weights) first, then rounds in which channels
 * or weights go, then, where flash counts, weights of 4 bits, and a training that makes the code of weights short. Each
 * is measured in the form in which the network will be deployed, and kept or undone.
 *
 * What comes next follows from the stages that are written down, so a run that is stopped needs nothing else to go on.
 * Between stages a checkpoint is written as between those of a recipe (resume.h).
 */
#include "compress/aim/aim.h"
#include "compress/layers.h"
#include "compress/smallest/steps.h"
#include "pass/pass.h"
#include "train/policy.h"

#include <math.h>
#include <stdio.h>

/* what a round leaves of each resource; a round that would leave more than the second is not worth its training */
static const double STEP = 0.7, LAST_STEP = 0.93;
static const double EXPECTED = 0.5;               /* of the flash of integers, what coded ones take */
enum { SMALL_RAM = 16 << 10 };
static const double MORE_INSTRUCTIONS = 1.1;
/* of the points that may be lost, what the rounds may take where the code of weights is trained after them */
static const double PART = 0.6;
/* of that training: from the shortest code on, until it is good enough */
static const float rates[] = {2e-5f, 1e-5f, 3e-6f};

/* ---- a stage is written down ---- */

static void note(cop_aimer *z, const char *name, const char *what, const cop_point *from, const cop_point *to,
	double part, double began)
{
	cop_stage_result *r = &z->h->result.stage[z->h->result.n_stage++];
	const cop_figures *a = &from->figures, *b = &to->figures;
	double drop = cop__aim_drop(z, to), most = part < 1 ? part * (double)z->aims->max_drop : cop__aim_allowed(z);

	*r = (cop_stage_result){.accuracy = {from->accuracy, to->accuracy}, .loss = {from->loss, to->loss},
		.bytes = {a->file_bytes, b->file_bytes}, .seconds = cop__now() - began,
		.flash = {a->flash_bytes, b->flash_bytes}, .ram = {a->ram_bytes, b->ram_bytes}, .macs = {a->macs, b->macs},
		.instructions = {a->instructions, b->instructions}};
	snprintf(r->stage, sizeof r->stage, "%s", name);
	snprintf(r->what, sizeof r->what, "%s", what);
	if (!isfinite(to->loss) || (z->aims->bounded && drop > most + 1e-4))
		cop__format(r->why, sizeof r->why, "%.2f points would be lost in all, %.2f are allowed%s", drop, most,
			part < 1 ? " here: the last training needs the rest" : "");
	r->kept = !r->why[0];
	cop__log(z->cx, COP_LOG_INFO,
		"%s%s%s: accuracy %.2f %% -> %.2f %%, file %zu -> %zu, flash %zu -> %zu, RAM %zu -> %zu bytes; %s%s", name,
		*what ? ": " : "", what, 100 * (double)from->accuracy,
		100 * (double)to->accuracy, a->file_bytes, b->file_bytes, a->flash_bytes, b->flash_bytes, a->ram_bytes, b->ram_bytes,
			r->kept ? "kept" : "undone: ", r->why);
}

static const cop_stage_result *stage(const cop_aimer *z, int32_t i) { return &z->h->result.stage[i]; }
static bool is_called(const cop_aimer *z, int32_t i, const char *name) { return !strcmp(stage(z, i)->stage, name); }

/* The last stage that was kept; 0: the first one, or none. */
static int32_t last_kept(const cop_aimer *z)
{
	int32_t i = z->h->result.n_stage - 1;
	while (i > 0 && !stage(z, i)->kept) i--;
	return COP_MAX(i, 0);
}

static bool has_codes(const cop_aimer *z) { return last_kept(z) > 0 && is_called(z, last_kept(z), "code"); }

static bool any_limit(const cop_aimer *z)
{
	for (int r = 0; r < COP_N_RESOURCE; r++)
		if (z->limit[r] > 0) return true;
	return false;
}

static bool gained_nothing(const cop_stage_result *s) { return (double)s->flash[1] > 0.9 * (double)s->flash[0]; }

/* How often the training for codes was tried since then; one that gained nothing need not be tried again. */
static int code_tries(const cop_aimer *z)
{
	int n = 0;
	for (int32_t i = last_kept(z) + 1; i < z->h->result.n_stage; i++)
		if (is_called(z, i, "code")) n += gained_nothing(stage(z, i)) ? LEN(rates) : 1;
	return n;
}

static bool few_tried(const cop_aimer *z)
{
	for (int32_t i = last_kept(z) + 1; i < z->h->result.n_stage; i++)
		if (is_called(z, i, "bits")) return true;
	return false;
}

/* Were weights of 4 bits good enough? */
static bool has_few(const cop_aimer *z)
{
	for (int32_t i = 1; i < z->h->result.n_stage; i++)
		if (is_called(z, i, "bits") && stage(z, i)->kept) return true;
	return false;
}

/* Will codes come at the end, or few bits? */
static bool expects_codes(const cop_aimer *z) { return z->coding && z->final == COP_FINAL_INTEGERS; }
static bool expects_form(const cop_aimer *z) { return z->few && z->final == COP_FINAL_INTEGERS; }

static cop_status point_of(cop_point *p, cop_aimer *z, const cop_graph *g, cop_final final)
{
	cop_graph *q;

	COP_TRY(cop__aim_final(&q, z, g, final, 0));
	cop_status st = cop__aim_score(p, z, q, 0);
	if (!st) st = cop__aim_price(p, z, q);
	cop_graph_free(q);
	return st;
}

/* What a stage has made takes the place of what was, if it was kept. */
static void settle(cop_aimer *z, cop_graph *made, const cop_point *now)
{
	if (stage(z, z->h->result.n_stage - 1)->kept) {
		cop_graph *old = z->g;
		z->g = made, made = old;
		z->now = *now;
	}
	cop_graph_free(made);
}

/* ---- the form at the end ---- */

bool cop__aim_only_file(const cop_aims *a)
{
	return !a->ram && !a->flash && !a->macs && !a->instructions && !(a->milliseconds > 0);
}

/* A file alone is smallest when floats are coded; everything else falls with integers. */
static cop_final best_final(const cop_aimer *z)
{
	return cop__aim_only_file(z->aims) && (z->aims->file || !strcmp(z->t.name, "host")) ? COP_FINAL_CODES
		: COP_FINAL_INTEGERS;
}

static cop_status first_stage(cop_aimer *z)
{
	double began = cop__now();

	z->final = best_final(z);
	COP_TRY(point_of(&z->now, z, z->g, z->final));
	note(z, z->final == COP_FINAL_CODES ? "encode" : "quantize", "", &z->first, &z->now, 1, began);
	return COP_OK;
}

cop_final cop__aim_last_form(const cop_aimer *z)
{
	return has_codes(z) || (z->coding && z->final == COP_FINAL_INTEGERS) ? COP_FINAL_CODED : z->final;
}

/* ---- what is missing ---- */

bool cop__aim_missed(const cop_aimer *z, int r) { return z->limit[r] > 0 && z->now.of[r] > z->limit[r]; }

/* Of the flash that integers take, what coded ones took last, or are expected to take; 1: none were good enough. */
static double coded_part(const cop_aimer *z)
{
	double part = EXPECTED;

	for (int32_t i = 1; i < z->h->result.n_stage; i++)
		if (is_called(z, i, "code") && stage(z, i)->kept)
			part = (double)stage(z, i)->flash[1] / (double)stage(z, i)->flash[0];
	return code_tries(z) >= LEN(rates) ? 1 : part;
}

/* Of flash what codes will leave. */
static double will_be(const cop_aimer *z, int r)
{
	return z->now.of[r] * (r == COP_R_FLASH && expects_codes(z) && !has_codes(z) ? coded_part(z) : 1);
}

static bool any_missed(const cop_aimer *z)
{
	for (int r = 0; r < COP_N_RESOURCE; r++)
		if (z->limit[r] > 0 && will_be(z, r) > z->limit[r]) return true;
	return false;
}

/* What a target has bounds the network, too, where the first stage does not make it small enough anyway. A run that goes
 * on asks the same. */
static void machine_limits(cop_aimer *z)
{
	const cop_stage_result *s = stage(z, 0);

	if (!(z->limit[COP_R_RAM] > 0) && z->t.ram && s->ram[s->kept] > z->t.ram) z->limit[COP_R_RAM] = (double)z->t.ram;
	if (!(z->limit[COP_R_FLASH] > 0) && z->t.flash && s->flash[s->kept] > z->t.flash)
		z->limit[COP_R_FLASH] = (double)z->t.flash;
}

/* What this round may leave: a step towards the limits that are missed; without limits, a step down of what counts on
 * such a machine. Where weights are coded afterwards, the rounds look at integers as they are. */
static void allow(cop_aimer *z, double step)
{
	const bool counted = z->now.of[COP_R_INSTRUCTIONS] > 0, free = !any_limit(z), integers = z->final != COP_FINAL_CODES;
	const bool down[COP_N_RESOURCE] = {[COP_R_FILE] = free && !integers, [COP_R_FLASH] = free && integers && !expects_codes(z),
		[COP_R_INSTRUCTIONS] = free && counted && integers,
		[COP_R_MACS] = free && !counted && integers};

	for (int r = 0; r < COP_N_RESOURCE; r++) {
		double now = z->now.of[r], limit = z->limit[r];
		if (r == COP_R_FLASH && expects_codes(z)) limit /= coded_part(z), now /= has_codes(z) ? coded_part(z) : 1;
		z->watched[r] = down[r] || z->limit[r] > 0;
		z->allowed[r] = down[r] ? step * now : fmax(limit, fmin(step * now, now));
	}
	if (z->most_ram > 0) z->watched[COP_R_RAM] = true, z->allowed[COP_R_RAM] = z->most_ram; /* narrower layers may no longer work in place */
}

/* What of a step, as a power of it, is worth trying after one that lost `drop` points where `most` were allowed: what is lost
 * grows about with the square of what goes. */
static double smaller(double drop, double most)
{
	return isfinite(drop) && drop > 0 ? fmin(fmax(sqrt(fmax(most, 0) / drop), 0.25), 0.7) : 0.5;
}

/* From what became of the rounds before. One that was undone because there was too little training comes again with four times as much, once; else less goes. */
static cop_round round_after(const cop_aimer *z, int32_t n)
{
	enum { LONGER = 2, LONG = 4 };
	const double most = (expects_form(z) ? PART : 1) * (double)z->aims->max_drop;
	cop_round next = {STEP, 1};

	for (int32_t i = 1; i < n; i++) {
		const cop_stage_result *s = stage(z, i);
		if (s->kept || !is_called(z, i, "prune")) continue;
		if (s->lacks_training && next.times < LONG) {
			next.times = LONG;
			continue;
		}
		next.times = COP_MAX(next.times, LONGER);
		next.leaves = pow(next.leaves, smaller(cop__aim_drop(z, &(cop_point){.accuracy = s->accuracy[1], .loss = s->loss[1]}), most));
	}
	return next;
}

cop_round cop__aim_round(const cop_aimer *z) { return round_after(z, z->h->result.n_stage); }

/* ---- rounds ---- */

/* Where there are classes, the network as it came is the teacher, unless the caller has a better one; hints come beside it. */
static const cop_graph *teacher(const cop_aimer *z)
{
	return z->first.accuracy >= 0 && !cop__policies_answer(z->m.teachers) ? z->came : NULL;
}

static cop_train_args training(const cop_aimer *z)
{
	cop_train_args a = *z->a;

	a.policies = *z->m.teachers ? z->m.teachers : NULL;
	a.keep = COP_KEEP_LAST;
	return a;
}

static cop_status retrain(cop_aimer *z, cop_graph *g)
{
	cop_train_args a = training(z);
	cop_taught taught = {0.7f, 3, teacher(z)};
	cop_policy policy = cop__taught(&taught);

	a.epochs *= cop__aim_round(z).times;
	return cop__train(g, z->m.train, z->m.valid, &a, "prune", &policy, teacher(z) ? 1 : 0);
}

/* What a round that leaves so much takes away; COP_BUDGET: nothing brings it nearer. */
static cop_status pull(cop_graph **work, cop_aimer *z, double leaves, char *what, size_t size)
{
	int32_t *choice = cop__alloc(z->cx, sizeof *choice * (size_t)(z->n_lever + 1));

	allow(z, leaves);
	cop_status st = choice ? cop__aim_choose(z, choice) : COP_NOMEM;
	if (!st) st = cop__levers_pull(work, z, choice, what, size);
	cop__free(z->cx, choice);
	return st;
}

/* Was it undone since the last stage that was kept, with as much training? What is too long for the text cannot be told. */
static bool tried(const cop_aimer *z, const char *what, int32_t times)
{
	if (strlen(what) + 1 == sizeof stage(z, 0)->what) return false;
	for (int32_t i = last_kept(z) + 1; i < z->h->result.n_stage; i++)
		if (is_called(z, i, "prune") && !strcmp(stage(z, i)->what, what) && round_after(z, i).times >= times) return true;
	return false;
}

/* The levels of layers are few, so that a smaller step may lead to what was tried before; then a smaller one is taken. `what` stays empty where nothing is left to try. */
static cop_status choose(cop_graph **work, cop_aimer *z, char *what, size_t size)
{
	const cop_level said = z->cx->log_level;
	const cop_round next = cop__aim_round(z);

	/* nobody wants to hear of the networks that are only tried */
	if (said == COP_LOG_INFO) z->cx->log_level = COP_LOG_WARN;
	allow(z, next.leaves); /* curves price what is watched */
	cop_status st = cop__aim_curves(z);
	for (double leaves = next.leaves; !st && leaves <= LAST_STEP; leaves = sqrt(leaves)) {
		st = pull(work, z, leaves, what, size);
		if (st || !tried(z, what, next.times)) break;
		cop_graph_free(*work);
		*work = NULL, *what = 0;
	}
	z->cx->log_level = said;
	return st == COP_BUDGET ? COP_OK : st;
}

/* Of a round that was undone: if it lost more on samples that it trained on than on others, training is missing. Else more of it would only fit them closer. */
static cop_status look_why(cop_aimer *z, const cop_graph *g)
{
	enum { SAMPLES = 2000 };
	cop_stage_result *s = &z->h->result.stage[z->h->result.n_stage - 1];
	const size_t n = strlen(s->why);
	cop_point was, is;

	if (s->kept) return COP_OK;
	COP_TRY(cop__aim_score_train(&was, z, z->came, SAMPLES));
	COP_TRY(cop__aim_score_train(&is, z, g, SAMPLES));
	const double lost = cop__aim_lost(&was, &is), drop = cop__aim_drop(z, &(cop_point){.accuracy = s->accuracy[1], .loss = s->loss[1]});
	s->lacks_training = lost > fmax(drop, cop__aim_allowed(z));
	if (s->lacks_training) cop__format(s->why + n, sizeof s->why - n, "; and %.2f on training samples: more training may help", lost);
	return COP_OK;
}

static cop_status prune(cop_aimer *z)
{
	cop_graph *work = NULL;
	cop_point after = {0};
	double began = cop__now();
	char what[160] = "";

	cop_status st = choose(&work, z, what, sizeof what);
	z->stuck |= !*what;
	if (st || z->stuck) return cop_graph_free(work), st;
	st = cop__carry_nothing(work); /* momentum would bring back what went */
	if (!st) st = retrain(z, work);
	if (!st) st = point_of(&after, z, work, z->final);
	if (st) return cop_graph_free(work), st;
	note(z, "prune", what, &z->now, &after, expects_form(z) ? PART : 1, began);
	st = look_why(z, work);
	settle(z, work, &after);
	return st;
}

/* What p takes more of than it may, or than codes may still leave. NULL: nothing. */
static const char *breaks(const cop_aimer *z, const cop_point *p)
{
	for (int r = 0; r < COP_N_RESOURCE; r++)
		if (z->limit[r] > 0 && p->of[r] > z->limit[r] && (z->coding || z->now.of[r] <= z->limit[r])) return cop__resource_name[r];
	if (z->most_ram > 0 && p->of[COP_R_RAM] > z->most_ram) return cop__resource_name[COP_R_RAM];
	return z->most_instructions > 0 && p->of[COP_R_INSTRUCTIONS] > z->most_instructions ? cop__resource_name[COP_R_INSTRUCTIONS] : NULL;
}

/* Weights of 4 bits, but for those at the ends, rounded so that what follows makes good for the error. Nothing is trained. */
static cop_status bits(cop_aimer *z)
{
	cop_graph *same = NULL;
	cop_point after = {0};
	double began = cop__now();

	COP_TRY(point_of(&after, z, z->g, COP_FINAL_FEW));
	COP_TRY(cop__pass_copy(&same, z->g));
	note(z, "bits", "weights of 4 bits", &z->now, &after, 1, began);
	cop_stage_result *s = &z->h->result.stage[z->h->result.n_stage - 1];
	const char *what = breaks(z, &after);
	if (what) cop__format(s->why, sizeof s->why, "there would still be too many %s", what);
	if (gained_nothing(s)) cop__format(s->why, sizeof s->why, "%zu bytes of flash would become %zu", s->flash[0], s->flash[1]);
	s->kept = !*s->why;
	if (s->kept) z->final = COP_FINAL_FEW, z->stuck = false; /* another network */
	settle(z, same, &after);
	return COP_OK;
}

/* Few values for each weight, under a price for the length of their code; as recipes/smallest.yaml does it. */
static cop_status code(cop_aimer *z)
{
	cop_steps_stage how;
	cop_train_args a = training(z);
	cop_graph *work = NULL;
	cop_point after = {0};
	double began = cop__now();
	char what[40];

	cop__options_default(cop_stage_steps.row.options, &how);
	how.rate = rates[code_tries(z)];
	how.bias_start = 0;
	if (!teacher(z)) how.self = 0;
	if (code_tries(z)) a.epochs *= 2; /* as in rounds */
	a.update = "adam";
	a.lr = 0.0005f;
	a.schedule = "cosine";
	COP_TRY(cop__pass_copy(&work, z->g));
	cop_status st = cop__carry_nothing(work);
	if (!st) st = cop__train_steps(&work, &z->m, &a, &how, "*", teacher(z));
	if (!st) st = point_of(&after, z, work, COP_FINAL_CODED);
	if (st) return cop_graph_free(work), st;
	cop__format(what, sizeof what, "rate %g", (double)how.rate);
	note(z, "code", what, &z->now, &after, 1, began);
	cop_stage_result *s = &z->h->result.stage[z->h->result.n_stage - 1];
	if (gained_nothing(s)) {
		cop__format(s->why, sizeof s->why, "%zu bytes of flash would become %zu", s->flash[0], s->flash[1]);
		s->kept = false;
	}
	z->stuck = false; /* another network, or other expectations */
	settle(z, work, &after);
	return COP_OK;
}

/* NULL: nothing is left to be done. Without limits channels go before weights get few bits or a code, with limits also after that, if flash is still missing. Codes are shorter, but take a
 * training, instructions and RAM: they come where 4 bits lose too much or miss a limit. */
static cop_status (*next(const cop_aimer *z))(cop_aimer *z)
{
	const bool formed = has_codes(z) || z->final == COP_FINAL_FEW, few = z->few && !formed && !few_tried(z);
	const bool small_enough = any_limit(z) ? !any_missed(z) : formed || few_tried(z) || code_tries(z);

	if (z->h->result.n_stage >= COP_MAX_STAGES) return NULL;
	if (!z->stuck && !small_enough && cop__aim_round(z).leaves <= LAST_STEP) return prune;
	if (few) return bits;
	return z->coding && !formed && code_tries(z) < LEN(rates) ? code : NULL;
}

cop_status cop__aim_rounds(cop_aimer *z, const cop_resume *keep, int32_t from)
{
	const bool resume = z->a->resume;
	char path[1024], done[1024];
	cop_status (*what)(cop_aimer *);

	if (from < 0) COP_TRY(first_stage(z));
	z->final = !stage(z, 0)->kept ? COP_FINAL_FLOATS : has_few(z) ? COP_FINAL_FEW : best_final(z);
	if (from >= 0 || z->final == COP_FINAL_FLOATS)
		COP_TRY(point_of(&z->now, z, z->g, has_codes(z) ? COP_FINAL_CODED : z->final));
	machine_limits(z);
	/* Without limits nothing but flash is bought with codes of weights: RAM stays within that of integers alone, or what the
	 * smallest boards have, and instructions rise by a tenth at most. */
	z->most_ram = any_limit(z) ? 0 : fmax((double)stage(z, 0)->ram[stage(z, 0)->kept], SMALL_RAM - COP_STACK);
	z->few = z->coding = (z->final == COP_FINAL_INTEGERS || z->final == COP_FINAL_FEW) && strcmp(z->t.name, "host") &&
		(z->limit[COP_R_FLASH] > 0 || !any_limit(z));
	cop_status st = z->coding ? cop__aim_could_code(&z->coding, z) : COP_OK;
	z->most_instructions = any_limit(z) ? 0 : MORE_INSTRUCTIONS * (double)stage(z, 0)->instructions[stage(z, 0)->kept]; /* rounds make room for codes */
	while (!st && (what = next(z))) {
		const int32_t i = z->h->result.n_stage;
		st = cop__resume_save(keep, z->g, z->h, i);
		if (!st && keep->base) st = cop__checkpoint_unlink(z->cx, cop__resume_stage_path(done, keep->base, i - 1));
		if (keep->base) z->a->checkpoint = cop__resume_stage_path(path, keep->base, i);
		z->a->resume = resume && i == from;
		if (!st) st = what(z);
	}
	z->a->checkpoint = keep->base;
	z->a->resume = resume;
	return st;
}
