/* SPDX-License-Identifier: Apache-2.0
 *
 * emit - a model as C for a target: the graphs of inference and training, one plan of both with the portable kernels or
 * those for a target's DSP instructions, and the files. Everything that can be refused is refused before the first file
 * is written.
 *
 * With training, batch normalisation is not folded into the weights: both entries share them.
 */
#include "core/need.h"
#include "emit/emit.h"
#include "pass/pass.h"
#include "train/trainer.h"

#include <ctype.h>
#include <stdio.h>

/* A C identifier from the model's name or the caller's. */
static cop_status make_name(cop_emission *e, const char *name)
{
	size_t n = 0;

	if (!name || !*name) name = e->model->name;
	if (isdigit((unsigned char)*name)) e->name[n++] = 'n';
	for (; *name && n + 1 < sizeof e->name; name++) e->name[n++] = isalnum((unsigned char)*name) ? *name : '_';
	if (!n || *name) return cop__error(e->cx, COP_ARG, "emit: the name must have 1 to %zu characters", sizeof e->name - 2);
	for (size_t i = 0; i < n; i++) e->upper[i] = (char)toupper((unsigned char)e->name[i]);
	return COP_OK;
}

static cop_status infer_graph(cop_emission *e)
{
	cop_graph **g = &e->graph[COP_EMIT_INFER];

	COP_TRY((e->graph[COP_EMIT_TRAIN] ? cop__pass_strip : cop__pass_to_infer)(g, e->model));
	COP_TRY(cop__pass_then(g, cop__pass_fuse));
	return cop__pass_then(g, cop__pass_dce);
}

static cop_status choose_forms(cop_graph **g, uint32_t isa)
{
	cop_graph *formed;

	COP_TRY(cop__plan_forms(&formed, *g, isa));
	if (!formed) return COP_OK;
	cop_graph_free(*g);
	*g = formed;
	return COP_OK;
}

/* Budgets are checked below, by what is printed. */
static cop_status make_plan(cop_emission *e, const cop_target *t)
{
	cop_target own = *t;

	own.isa &= COP_ISA_DSP;
	own.threads = 1;
	own.ram = own.flash = 0;
	own.coded = true;
	if (!e->graph[COP_EMIT_TRAIN]) COP_TRY(choose_forms(&e->graph[COP_EMIT_INFER], own.isa));
	return cop_plan_build(&e->plan, e->graph, e->graph[COP_EMIT_TRAIN] ? 2 : 1, &own);
}

/* The weight that takes the most flash. */
static const char *largest(const cop_emission *e, char buf[96])
{
	size_t most = 0;

	strcpy(buf, "code");
	for (int32_t i = 0; i < e->plan->n_var; i++) {
		const cop_var *v = &e->plan->var[i];
		size_t bytes = cop_type_bytes(&v->type);
		if (bytes <= most || v->role == COP_STATE) continue;
		most = bytes;
		snprintf(buf, 96, "'%.60s' with %zu", v->name, bytes);
	}
	return buf;
}

static bool could_be_coded(const cop_emission *e)
{
	return cop__can_code(e->graph[COP_EMIT_INFER]) && !cop__emit_codes(e, false) && !cop__emit_codes(e, true);
}

/* What is printed against the target: arrays and a stack in RAM, weights and first contents in flash. */
static cop_status check_budget(cop_emission *e, const cop_target *t)
{
	const size_t *bytes = e->plan->bytes;
	size_t need;
	char label[96], beside[48] = "";

	e->flash = cop__emit_flash_bytes(e);
	need = bytes[COP_SEG_ARENA] + bytes[COP_SEG_PARAM] + bytes[COP_SEG_STATE];
	e->ram = need + bytes[COP_SEG_FAST];
	need += COP_STACK;
	if (t->fast_ram) snprintf(beside, sizeof beside, " beside %zu of fast RAM", t->fast_ram);
	if (t->ram && need > t->ram)
		return cop__error(e->cx, COP_BUDGET,
			"target %s has %zu bytes of RAM%s, %zu are needed (%zu too many): arena %zu, parameters %zu, state %zu, "
			"stack %d; the arena's peak is at %s", t->name, t->ram, beside, need, need - t->ram, bytes[COP_SEG_ARENA],
			bytes[COP_SEG_PARAM],
			bytes[COP_SEG_STATE], COP_STACK, cop__plan_peak(e->plan, label));
	if (t->flash && e->flash > t->flash)
		return cop__error(e->cx, COP_BUDGET,
			"target %s has %zu bytes of flash, the weights alone need %zu (%zu too many), the "
			"largest of them %s%s", t->name, t->flash, e->flash, e->flash - t->flash, largest(e, label), could_be_coded(e) ?
			"; they may take less if they are coded (emit --code, or cop_graph_code)" : "");
	e->plan->target.ram = t->ram;
	e->plan->target.flash = t->flash;
	return COP_OK;
}

static cop_status write_files(cop_emission *e)
{
	char path[sizeof e->name + 4];
	cop_text h, c;
	cop_status st;

	cop__text_init(&h, e->cx);
	cop__text_init(&c, e->cx);
	cop__emit_header(&h, e);
	COP_GO(cop__emit_source(&c, e));
	COP_GO(h.status);
	strcpy(path, e->name);
	COP_GO(e->fn(e->ud, strcat(path, ".h"), h.data, h.len));
	strcpy(path, e->name);
	COP_GO(e->fn(e->ud, strcat(path, ".c"), c.data, c.len));
	COP_GO(cop__emit_kernels(e));
	COP_GO(cop__emit_guide(e));
	st = cop__emit_board(e);
done:
	cop__text_free(&h);
	cop__text_free(&c);
	return st;
}

cop_status cop_emit_c(const cop_graph *g, const cop_target *t, const cop_emit_args *a, cop_file_fn *fn, void *ud)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), t);
	COP_NEED(COP_CX(g), fn);
	COP_TRY(cop__not_outline(g, "emitted"));
	cop_emission e = {.cx = g->cx, .model = g, .fn = fn, .ud = ud};
	cop_status st = make_name(&e, a ? a->name : NULL);

	if (!st && (!g->n_input || !g->n_output))
		st = cop__error(g->cx, COP_ARG, "emit: model '%s' has no input or no output", g->name);
	if (!st && a && a->train) st = cop__graph_train_on_device(&e.graph[COP_EMIT_TRAIN], g, a->train_spec);
	if (!st) st = infer_graph(&e);
	if (!st) st = make_plan(&e, t);
	if (!st) st = check_budget(&e, t);
	if (!st) st = cop__emit_check_name(&e);
	if (!st) st = write_files(&e);
	cop_plan_free(e.plan);
	if (a && a->deployed) {
		*a->deployed = st ? NULL : e.graph[COP_EMIT_INFER];
		if (!st) e.graph[COP_EMIT_INFER] = NULL;
	}
	for (int i = 0; i < COP_EMIT_ENTRIES; i++) cop_graph_free(e.graph[i]);
	return st;
}
