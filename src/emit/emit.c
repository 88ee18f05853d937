/* SPDX-License-Identifier: Apache-2.0
 *
 * emit - a model as C for a target: the graphs of inference and training, one plan of both with the portable kernels,
 * and the files. Everything that can be refused is refused before the first file is written.
 *
 * With training, batch normalisation is not folded into the weights: both entries share them.
 */
#include "emit/emit.h"
#include "pass/pass.h"

#include <ctype.h>

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
	cop_graph *plain = NULL, *fused = NULL;
	cop_status st = e->graph[COP_EMIT_TRAIN] ? cop__pass_strip(&plain, e->model) : cop__pass_to_infer(&plain, e->model);

	if (!st) st = cop__pass_fuse(&fused, plain);
	if (!st) st = cop__pass_dce(&e->graph[COP_EMIT_INFER], fused);
	cop_graph_free(plain);
	cop_graph_free(fused);
	return st;
}

static cop_status make_plan(cop_emission *e, const cop_target *t)
{
	cop_target own = *t;

	own.isa = COP_ISA_REF;
	own.threads = 1;
	return cop_plan_build(&e->plan, e->graph, e->graph[COP_EMIT_TRAIN] ? 2 : 1, &own);
}

static void use(cop_emission *e, const cop_graph *g, cop_vid v)
{
	cop_vid base = v ? cop__base(g, v) : 0;

	if (base && g->value[base].role >= COP_CONST) e->used[cop__plan_var(e->plan, g->value[base].name) - e->plan->var] = true;
}

static cop_status find_used(cop_emission *e)
{
	if (!(e->used = cop__alloc(e->cx, (size_t)e->plan->n_var + 1))) return COP_NOMEM;
	for (int en = 0; en < e->plan->n_entry; en++) {
		const cop_graph *g = e->graph[en];
		for (int32_t n = 1; n <= g->n_node; n++) {
			for (int i = 0; i < g->node[n].n_in; i++) use(e, g, g->node[n].in[i]);
			for (int i = 0; i < COP_MAX_OUT; i++) use(e, g, g->node[n].out[i]);
			use(e, g, g->node[n].guard);
		}
		for (int32_t i = 0; i < g->n_output; i++) use(e, g, g->output[i]);
	}
	return COP_OK;
}

/* Like the plan's own check, with the first contents of state in flash. */
static cop_status count_bytes(cop_emission *e, const cop_target *t)
{
	const size_t *bytes = e->plan->bytes;

	e->flash = cop__emit_flash_bytes(e);
	e->ram = bytes[COP_SEG_ARENA] + bytes[COP_SEG_PARAM] + bytes[COP_SEG_STATE];
	if (t->flash && e->flash > t->flash)
		return cop__error(e->cx, COP_BUDGET, "target %s has %zu bytes of flash, the weights alone need %zu (%zu too many)", t->name, t->flash,
			e->flash, e->flash - t->flash);
	return COP_OK;
}

static cop_status write_files(const cop_emission *e)
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
	st = cop__emit_board(e);
done:
	cop__text_free(&h);
	cop__text_free(&c);
	return st;
}

cop_status cop_emit_c(const cop_graph *g, const cop_target *t, const cop_emit_args *a, cop_file_fn *fn, void *ud)
{
	cop_emission e = {.cx = g->cx, .model = g, .fn = fn, .ud = ud};
	cop_status st = make_name(&e, a ? a->name : NULL);

	if (!st && (!g->n_input || !g->n_output)) st = cop__error(g->cx, COP_ARG, "emit: model '%s' has no input or no output", g->name);
	if (!st && a && a->train) st = cop_graph_train(&e.graph[COP_EMIT_TRAIN], g, a->train_spec);
	if (!st) st = infer_graph(&e);
	if (!st) st = make_plan(&e, t);
	if (!st) st = find_used(&e);
	if (!st) st = count_bytes(&e, t);
	if (!st) st = cop__emit_check_name(&e);
	if (!st) st = write_files(&e);
	cop__free(e.cx, e.used);
	cop_plan_free(e.plan);
	for (int i = 0; i < COP_EMIT_ENTRIES; i++) cop_graph_free(e.graph[i]);
	return st;
}
