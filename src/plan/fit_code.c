/* SPDX-License-Identifier: Apache-2.0
 *
 * fit_code - choosing which layers are coded in flash (pass/code.c), so that the RAM that decoded weights take stays
 * within bounds: layers in which it does not are left out, for several sizes of the parts that large layers are
 * computed in. Small parts cost instructions, since each reads the input again: the least product of flash and
 * instructions wins.
 */
#include "core/need.h"
#include "enc/code.h"
#include "pass/pass.h"
#include "plan/plan.h"

#include <math.h>

/* Where there is no limit: so much of the RAM without codes, or as much as the smallest boards have. */
static const double MORE = 1.5;
enum { SMALL = 16 << 10 };

/* instructions: where kernels have prices; else 1 */
typedef struct trial { cop_graph *g; size_t flash, ram; int32_t coded; double instructions; } trial;

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
	x->flash = cop__plan_flash(p);
	x->ram = p->bytes[COP_SEG_ARENA] + p->bytes[COP_SEG_FAST] + p->bytes[COP_SEG_STATE] + p->bytes[COP_SEG_PARAM];
	x->coded = 0;
	for (int32_t s = 0; s < p->entry[0].n_step; s++) x->coded += p->entry[0].step[s].code && !p->entry[0].step[s].parts;
}

/* Is w the weight `name`, or some filters of it (pass/code.c)? */
static bool is_part(const char *w, const char *name)
{
	size_t n = strlen(name);
	return !strncmp(w, name, n) && (!w[n] || (w[n] == '.' && w[n + 1 + strspn(w + n + 1, "0123456789")] == 0));
}

/* Layers of g that are decoded in a step which takes more than `most`. Returns how many are new. */
static int32_t leave_out(bool *skip, const cop_graph *g, const cop_plan *p, size_t most)
{
	const size_t kept = p->bytes[COP_SEG_STATE] + p->bytes[COP_SEG_PARAM];
	int32_t n_new = 0;

	for (int32_t s = 0; s < p->entry[0].n_step; s++) {
		const cop_step *st = &p->entry[0].step[s];
		if (!st->code || st->parts || st->live + kept <= most) continue;
		const char *w = p->entry[0].g->value[cop__arg(p->entry[0].g, st->node, 1)].name;
		for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
			if (skip[n] || g->node[n].op != OP_qconv || !is_part(w, g->value[cop__arg(g, n, 1)].name)) continue;
			skip[n] = true;
			n_new++;
		}
	}
	return n_new;
}

/* Layers of which the kernel for sparse weights, which they have without a mark, takes no more flash than their code
 * would. */
static cop_status keep_sparse(bool *skip, const cop_graph *g, const cop_plan *p)
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
				skip[n] = st->kernel->pack_bytes(st->word) <= size;
	}
	return COP_OK;
}

/* Coded with parts of `buffer` bytes; without the layers that then take too much. x->g NULL: it can't be done within
 * `most`. */
static cop_status attempt(trial *x, const cop_graph *g, const cop_target *t, int32_t buffer, size_t most,
	const bool *sparse)
{
	bool *skip = cop__alloc(g->cx, (size_t)g->n_node + 1);
	bool again = true;
	cop_status st = skip ? COP_OK : COP_NOMEM;

	*x = (trial){.g = NULL};
	if (!st) memcpy(skip, sparse, (size_t)g->n_node + 1);
	while (!st && again) {
		cop_plan *p = NULL;
		cop_graph_free(x->g);
		x->g = NULL;
		if (!(st = cop__pass_code(&x->g, g, buffer, skip))) st = plan_of(&p, x->g, t);
		if (!st) figures_of(x, p, t);
		again = !st && x->ram > most && leave_out(skip, g, p, most);
		cop_plan_free(p);
	}
	if (st || x->ram > most) cop_graph_free(x->g), x->g = NULL;
	cop__free(g->cx, skip);
	return st;
}

static double cost(const trial *x) { return (double)x->flash * x->instructions; }

cop_status cop_graph_code(cop_graph **gp, const cop_target *t, cop_coded *out)
{
	COP_NEED(NULL, gp);
	COP_NEED(NULL, *gp);
	COP_NEED((*gp)->cx, t);
	COP_NEED((*gp)->cx, out);
	static const int32_t buffer[] = {0, 32 << 10, 24 << 10, 16 << 10, 12 << 10, 8 << 10, 6 << 10, 4 << 10, 3 << 10,
		2 << 10, 1 << 10};
	trial best = {.g = NULL}, plain, x;
	cop_plan *p;

	COP_TRY(plan_of(&p, *gp, t));
	figures_of(&best, p, t);
	bool *sparse = cop__alloc((*gp)->cx, (size_t)(*gp)->n_node + 1);
	cop_status st = sparse ? keep_sparse(sparse, *gp, p) : COP_NOMEM;
	cop_plan_free(p);
	plain = best;
	*out = (cop_coded){.flash_before = best.flash, .ram_before = best.ram,
		.instructions_before = (int64_t)best.instructions};
	const size_t most = t->ram > COP_STACK ? t->ram - COP_STACK
		: t->ram ? t->ram : (size_t)fmax(MORE * (double)best.ram, SMALL - COP_STACK);
	for (int i = 0; !st && i < LEN(buffer); i++) {
		st = attempt(&x, *gp, t, buffer[i], most, sparse);
		if (!st && x.g && x.coded && x.flash < plain.flash && (!best.g || cost(&x) < cost(&best))) {
			cop_graph_free(best.g);
			best = x;
		} else {
			cop_graph_free(x.g);
		}
	}
	cop__free((*gp)->cx, sparse);
	if (st) return cop_graph_free(best.g), st;
	out->flash = best.flash, out->ram = best.ram, out->instructions = (int64_t)best.instructions;
	if (!best.g) return COP_OK;
	out->layers = best.coded;
	cop_graph_free(*gp);
	*gp = best.g;
	return COP_OK;
}
