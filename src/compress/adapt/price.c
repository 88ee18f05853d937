/* SPDX-License-Identifier: Apache-2.0
 *
 * price - the RAM of a step, as its plan has it: the arena with the input in it, the weights that are trained, what else lives from step to step, and
 * the stack. The entries are those of emitted code, inference and training in one arena.
 */
#include "compress/adapt/adapt.h"
#include "train/trainer.h"

cop_status cop__adapt_prepared(cop_graph **out, const cop_graph *g, const char *spec)
{
	int32_t layers;

	COP_TRY(cop_graph_copy(out, g));
	cop_status st = cop_graph_trainable(out, spec, &layers);
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}

static cop_status plan(cop_step_ram *out, cop_graph *infer, const cop_graph *g, const cop_target *t, const char *spec)
{
	cop_graph *entry[2] = {infer, NULL};
	cop_target own = *t;
	cop_plan *p;

	own.isa &= COP_ISA_DSP;
	own.threads = 1;
	own.ram = own.flash = 0;
	own.coded = true;
	COP_TRY(cop__graph_train_on_device(&entry[1], g, spec));
	cop_status st = cop_plan_build(&p, entry, 2, &own);
	if (!st) {
		*out = (cop_step_ram){.arena = p->bytes[COP_SEG_ARENA] + p->bytes[COP_SEG_FAST], .parameters = p->bytes[COP_SEG_PARAM], .state = p->bytes[COP_SEG_STATE]};
		out->all = out->arena + out->parameters + out->state + COP_STACK;
		for (int32_t i = 0; i < p->n_var; i++) out->parts += p->var[i].place.seg == COP_SEG_PARAM;
		cop_plan_free(p);
	}
	cop_graph_free(entry[1]);
	return st;
}

/* The first layers in bands, as they were found to save most for the last layer alone. A choice that trains one of them is planned without. */
static cop_status in_bands(cop_graph **g, const cop_adapter *z)
{
	char pass[256];
	cop_patch again;

	if (!z->bands.bands) return COP_OK;
	if (!*z->bands.at) {
		cop_target t = z->t;
		t.threads = 1;
		return cop_graph_patch(g, &t, z->a->patch, &again);
	}
	cop__format(pass, sizeof pass, "patch:at=%s,bands=%d", z->bands.at, z->bands.bands);
	cop_status st = cop_graph_apply(g, pass);
	if (st && st != COP_NOMEM) cop_error_clear(z->cx), st = COP_OK;
	return st;
}

cop_status cop__adapt_ram(cop_step_ram *out, const cop_adapter *z, const char *spec)
{
	cop_graph *g, *infer = NULL;

	COP_TRY(cop__adapt_prepared(&g, z->priced, spec));
	cop_status st = in_bands(&g, z);
	if (!st) st = cop__pass_strip(&infer, g);
	if (!st) st = cop__pass_then(&infer, cop__pass_fuse);
	if (!st) st = cop__pass_then(&infer, cop__pass_dce);
	if (!st) st = plan(out, infer, g, &z->t, spec);
	cop_graph_free(infer);
	cop_graph_free(g);
	return st;
}

cop_status cop__adapt_bands(cop_adapter *z, const char *spec)
{
	cop_graph *g;
	cop_target t = z->t;

	if (!(z->a->patch > 0)) return COP_OK;
	t.threads = 1;
	COP_TRY(cop__adapt_prepared(&g, z->priced, spec));
	cop_status st = cop_graph_patch(&g, &t, z->a->patch, &z->bands);
	cop_graph_free(g);
	return st;
}

/* Bytes of a parameter. */
static double bytes_of(const cop_adapter *z, const char *name) { return name ? (double)cop_type_bytes(cop__t(z->g, cop__find(z->g, name))) : 0; }

static cop_status with(double *ram, cop_adapter *z, uint8_t *level, int32_t i, uint8_t what)
{
	cop_step_ram r;
	cop_text spec;

	cop__text_init(&spec, z->cx);
	level[i] = what;
	cop_status st = cop__adapt_spec(&spec, z, level);
	if (!st) st = cop__adapt_ram(&r, z, spec.data);
	level[i] = COP_TRAIN_NONE;
	cop__text_free(&spec);
	if (!st) *ram = (double)r.all;
	return st;
}

/* Each layer beside the last one alone. What a bias adds is its bytes; the rest of that plan is what it takes to get there. */
cop_status cop__adapt_prices(cop_adapter *z)
{
	uint8_t *level = cop__arena_get(&z->mem, (size_t)z->n + 1);
	double all, few;

	if (!level) return COP_NOMEM;
	for (int32_t i = z->n - 1; i >= 0; i--) {
		cop_adapt_item *it = &z->item[i];
		if (cop__stopped(z->cx)) return cop__error(z->cx, COP_STOPPED, "stopped while layers were planned");
		COP_TRY(with(&all, z, level, i, COP_TRAIN_ALL));
		it->price[COP_TRAIN_BIAS] = bytes_of(z, it->bias);
		it->price[COP_TRAIN_ALL] = it->price[COP_TRAIN_BIAS] + bytes_of(z, it->weight);
		it->reach = all - it->price[COP_TRAIN_ALL];
		if (!it->can[COP_TRAIN_BIAS]) continue;
		COP_TRY(with(&few, z, level, i, COP_TRAIN_BIAS));
		it->reach = few - it->price[COP_TRAIN_BIAS];
		it->price[COP_TRAIN_ALL] = all - it->reach;
	}
	return COP_OK;
}
