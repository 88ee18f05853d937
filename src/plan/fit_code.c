/* SPDX-License-Identifier: Apache-2.0
 *
 * fit_code - choosing which layers are coded in flash (pass/code.c), and by which code, so that the RAM that decoded
 * weights take and the instructions stay within bounds: layers in which they do not are left out, for several sizes of the
 * parts that large layers are computed in. Small parts cost instructions, since each reads the input again: without a limit
 * on these the least product of flash and instructions wins.
 */
#include "core/need.h"
#include "enc/code.h"
#include "pass/pass.h"
#include "plan/plan.h"

#include <math.h>

/* Where there is no limit: so much of the RAM without codes, or as much as the smallest boards have. */
static const double MORE = 1.5;
enum { SMALL = 16 << 10 };

/* instructions: where kernels have prices; else 1. decoding: of them */
typedef struct trial { cop_graph *g; cop_code by; size_t flash, ram; int32_t coded; double instructions, decoding; } trial;

/* What is allowed; 0: any, but for RAM. */
typedef struct limits { size_t ram, flash; double instructions; } limits;

static bool too_slow(const trial *x, const limits *most) { return most->instructions > 0 && x->instructions > most->instructions; }

static cop_status plan_of(cop_plan **p, cop_graph *g, const cop_target *t)
{
	cop_target open = *t;

	open.ram = open.flash = 0;
	open.isa &= COP_ISA_DSP;
	open.coded = true;
	return cop_plan_build(p, &g, 1, &open);
}

static void figures_of(trial *x, const cop_plan *p, const cop_target *t)
{
	cop_priced price;

	x->instructions = cop__plan_price(&price, p, t) ? (double)price.instructions : 1;
	x->decoding = (double)price.decoding;
	x->flash = cop__plan_flash(p);
	x->ram = p->bytes[COP_SEG_ARENA] + p->bytes[COP_SEG_FAST] + p->bytes[COP_SEG_STATE] + p->bytes[COP_SEG_PARAM];
	x->coded = 0;
	for (int32_t s = 0; s < p->entry[0].n_step; s++) x->coded += p->entry[0].step[s].code != NULL;
}

/* Is w the weight `name`, or some filters of it (pass/code.c)? */
static bool is_part(const char *w, const char *name)
{
	size_t n = strlen(name);
	return !strncmp(w, name, n) && (!w[n] || (w[n] == '.' && w[n + 1 + strspn(w + n + 1, "0123456789")] == 0));
}

/* The layer of g that a step is, or is some filters of. Returns how many are new. */
static int32_t leave_out_step(bool *skip, const cop_graph *g, const cop_plan *p, const cop_step *st)
{
	const char *w = p->entry[0].g->value[cop__arg(p->entry[0].g, st->node, 1)].name;
	int32_t n_new = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (skip[n] || g->node[n].op != OP_qconv || !is_part(w, g->value[cop__arg(g, n, 1)].name)) continue;
		skip[n] = true;
		n_new++;
	}
	return n_new;
}

/* Layers of g that are decoded in a step which takes more than `most`. Returns how many are new. */
static int32_t leave_out(bool *skip, const cop_graph *g, const cop_plan *p, size_t most)
{
	const size_t kept = p->bytes[COP_SEG_STATE] + p->bytes[COP_SEG_PARAM];
	int32_t n_new = 0;

	for (int32_t s = 0; s < p->entry[0].n_step; s++) {
		const cop_step *st = &p->entry[0].step[s];
		if (!st->code || st->live + kept <= most) continue;
		n_new += leave_out_step(skip, g, p, st);
	}
	return n_new;
}

/* Which of the coded layers stays uncoded first where all together take too long: the one that takes longest to decode, or the one whose code saves least for
 * that. The first way leaves few layers out, the second one little flash. */
static double badness(const cop_step *st, bool for_flash)
{
	const size_t uncoded = st->row ? st->row[st->word[CK_O]] : st->image_bytes; /* image_bytes is that of the largest part */

	return cop__decoding_price(st) / (for_flash ? (double)uncoded - (double)st->code_bytes : 1);
}

/* Returns how many are new: 1, or 0. */
static int32_t leave_out_worst(bool *skip, const cop_graph *g, const cop_plan *p, bool for_flash)
{
	const cop_step *worst = NULL;

	for (int32_t s = 0; s < p->entry[0].n_step; s++) {
		const cop_step *st = &p->entry[0].step[s];
		if (st->code && (!worst || badness(st, for_flash) > badness(worst, for_flash))) worst = st;
	}
	return worst ? leave_out_step(skip, g, p, worst) : 0;
}

/* Which layers have a kernel for sparse weights without a mark, and of which of them it takes no more flash than tables would; [n_node+1]. */
typedef struct sparse { bool *is, *stays; } sparse;

static cop_status find_sparse(sparse *out, const cop_graph *g, const cop_plan *p)
{
	for (int32_t s = 0; s < p->entry[0].n_step; s++) {
		const cop_step *st = &p->entry[0].step[s];
		size_t size;
		void *code;
		if (!st->kernel->steps || p->entry[0].g->node[st->node].op != OP_qconv || !st->weight) continue;
		COP_TRY(cop__code_image(&code, &size, g->cx, st->weight, cop_type_bytes(cop__in(p->entry[0].g, st->node, 1))));
		cop__free(g->cx, code);
		const char *w = p->entry[0].g->value[cop__arg(p->entry[0].g, st->node, 1)].name;
		for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
			if (g->node[n].op == OP_qconv && !strcmp(w, g->value[cop__arg(g, n, 1)].name))
				out->is[n] = true, out->stays[n] = st->kernel->pack_bytes(st->word) <= size;
	}
	return COP_OK;
}

/* What is tried: tables in dense layers and those that take less flash so; the adaptive code in all, those with kernels for sparse weights not in parts that are layers of their own. */
static cop_coding coding(cop_code by, int32_t buffer, bool *skip, const sparse *z)
{
	return (cop_coding){by, buffer, skip, by == COP_CODE_ADAPTIVE ? z->is : NULL};
}

/* Coded with parts of `buffer` bytes; without the layers that then take too much. x->g NULL: it can't be done within
 * `limits`. */
static cop_status attempt(trial *x, const cop_graph *g, const cop_target *t, cop_code by, int32_t buffer, bool for_flash, const limits *most,
	const sparse *z)
{
	bool *skip = cop__alloc(g->cx, (size_t)g->n_node + 1);
	bool again = true;
	cop_status st = skip ? COP_OK : COP_NOMEM;
	const cop_coding how = coding(by, buffer, skip, z);

	*x = (trial){.by = by};
	if (!st && by == COP_CODE_TABLES) memcpy(skip, z->stays, (size_t)g->n_node + 1);
	while (!st && again) {
		cop_plan *p = NULL;
		cop_graph_free(x->g);
		x->g = NULL;
		if (!(st = cop__pass_code(&x->g, g, &how))) st = plan_of(&p, x->g, t);
		if (!st) figures_of(x, p, t);
		again = !st && ((x->ram > most->ram && leave_out(skip, g, p, most->ram)) || (too_slow(x, most) && leave_out_worst(skip, g, p, for_flash)));
		cop_plan_free(p);
	}
	if (st || x->ram > most->ram || too_slow(x, most)) cop_graph_free(x->g), x->g = NULL;
	cop__free(g->cx, skip);
	return st;
}

static double cost(const trial *x) { return (double)x->flash * x->instructions; }

/* Is x better? What fits the flash goes first. */
static bool better(const trial *x, const trial *best, const limits *most)
{
	if (!best->g) return true;
	bool fits = !most->flash || x->flash <= most->flash, fitted = !most->flash || best->flash <= most->flash;
	if (fits != fitted) return fits;
	return most->instructions > 0 && x->flash != best->flash ? x->flash < best->flash : cost(x) < cost(best);
}

static cop_status find_best(trial *best, const cop_graph *g, const cop_target *t, cop_code by, const limits *most, const sparse *z)
{
	static const int32_t buffer[] = {0, 32 << 10, 24 << 10, 16 << 10, 12 << 10, 8 << 10, 6 << 10, 4 << 10, 3 << 10,
		2 << 10, 1 << 10};
	const size_t plain = best->flash;

	for (cop_code c = COP_CODE_TABLES; c <= COP_CODE_ADAPTIVE; c++)
		for (int i = 0; i < LEN(buffer) && (by == c || by == COP_CODE_AUTO); i++)
			for (int k = 0; k <= (most->instructions > 0); k++) {
				trial x;
				COP_TRY(attempt(&x, g, t, c, buffer[i], k, most, z));
				cop_graph *worse = x.g;
				if (x.g && x.coded && x.flash < plain && better(&x, best, most)) worse = best->g, *best = x;
				cop_graph_free(worse);
			}
	return COP_OK;
}

static size_t most_ram(const cop_target *t, const trial *plain)
{
	if (t->ram) return t->ram > COP_STACK ? t->ram - COP_STACK : t->ram;
	return (size_t)fmax(MORE * (double)plain->ram, SMALL - COP_STACK);
}

static cop_status check(const cop_graph *g, const cop_target *t, const cop_code_args *a)
{
	if (a->by < COP_CODE_TABLES || a->by > COP_CODE_AUTO) return cop__error(g->cx, COP_ARG, "there is no code %d", (int)a->by);
	if (a->instructions < 0) return cop__error(g->cx, COP_ARG, "a run can't take %lld instructions", (long long)a->instructions);
	if (!a->instructions || cop__has_prices(t)) return COP_OK;
	return cop__error(g->cx, COP_ARG, "how many instructions a run takes on %s can't be foretold, so they can't be limited", t->name);
}

cop_status cop_graph_code(cop_graph **gp, const cop_target *t, const cop_code_args *a, cop_coded *out)
{
	COP_NEED(NULL, gp);
	COP_NEED(NULL, *gp);
	COP_NEED((*gp)->cx, t);
	COP_NEED((*gp)->cx, a);
	COP_NEED((*gp)->cx, out);
	cop_ctx *cx = (*gp)->cx;
	const size_t nodes = (size_t)(*gp)->n_node + 1;
	trial best = {.g = NULL};
	cop_plan *p;

	COP_TRY(check(*gp, t, a));
	COP_TRY(plan_of(&p, *gp, t));
	figures_of(&best, p, t);
	*out = (cop_coded){.flash_before = best.flash, .ram_before = best.ram,
		.instructions_before = (int64_t)best.instructions};
	sparse z = {cop__alloc(cx, nodes), cop__alloc(cx, nodes)};
	cop_status st = z.is && z.stays ? find_sparse(&z, *gp, p) : COP_NOMEM;
	cop_plan_free(p);
	if (!st) st = find_best(&best, *gp, t, a->by, &(limits){most_ram(t, &best), t->flash, (double)a->instructions}, &z);
	cop__free(cx, z.is);
	cop__free(cx, z.stays);
	if (st) return cop_graph_free(best.g), st;
	out->flash = best.flash, out->ram = best.ram, out->instructions = (int64_t)best.instructions;
	if (!best.g) return COP_OK;
	out->layers = best.coded, out->by = best.by, out->decoding = (int64_t)best.decoding;
	cop_graph_free(*gp);
	*gp = best.g;
	return COP_OK;
}
