/* SPDX-License-Identifier: Apache-2.0
 *
 * resume - how a recipe that was stopped goes on. Between stages one file is written: the model with the number of the next stage
 * and the history so far, so that none of the three can be older than the others. Within a stage its training has a checkpoint
 * of its own, FILE.stageN. When all is done the first file holds the result and the whole history, until the caller has both elsewhere.
 */
#include "core/need.h"
#include "compress/order.h"
#include "compress/resume.h"

#include "io/cop/checkpoint.h"
#include "train/identity.h"

#include <stdio.h>

const char *cop__resume_stage_path(char out[1024], const char *base, int32_t stage)
{
	snprintf(out, 1024, "%.1000s.stage%d", base, stage);
	return out;
}

cop_status cop__resume_begin(cop_resume *r, const cop_graph *g, const cop_means *m, const char *recipe, size_t size)
{
	*r = (cop_resume){.base = m->a->checkpoint};
	cop__text_init(&r->run, g->cx);
	if (!r->base) return COP_OK;
	if (strlen(r->base) > 1000) return cop__error(g->cx, COP_ARG, "%.60s...: the path of the checkpoint is longer than 1000 characters", r->base);
	cop__text_add(&r->run, "stage\trecipe\n");
	cop__identity_args(&r->run, m->a);
	cop__identity_bytes(&r->run, "recipe", "text", recipe, size);
	COP_TRY(cop__identity_data(&r->run, "data", m->train));
	COP_TRY(cop__identity_data(&r->run, "validation data", m->valid));
	COP_TRY(cop__identity_data(&r->run, "test data", m->test));
	return cop__identity_graph(&r->run, "network", g);
}

void cop__resume_free(cop_resume *r) { cop__text_free(&r->run); }

cop_status cop__resume_save(const cop_resume *r, const cop_graph *g, const cop_history *h, int32_t stage)
{
	cop_text t;

	if (!r->base) return COP_OK;
	cop__text_init(&t, g->cx);
	cop_status st = cop__history_pack(&t, h);
	const cop_number n[] = {{.name = "next", .i = stage}, {.name = "history", .text = t.data, .size = t.len}};
	if (!st) st = cop__checkpoint_write(r->base, g, r->run.data, n, LEN(n));
	cop__text_free(&t);
	return st;
}

/* Stages' checkpoints are ours if the recipe's is; without it they are somebody's. */
static cop_status look_at_stages(const cop_resume *r, cop_ctx *cx, bool ours)
{
	char path[1024];
	bool there, other;

	for (int32_t i = 0; i < COP_MAX_STAGES; i++) {
		COP_TRY(cop__checkpoint_find(&there, &other, cx, cop__resume_stage_path(path, r->base, i), NULL, NULL));
		if (there && !ours) return cop__error(cx, COP_ARG, "%s: is the checkpoint of another run; remove it, or give the checkpoint another path", path);
	}
	return COP_OK;
}

static cop_status load(cop_resume *r, cop_graph **g, cop_history *h, int32_t n_stage, int32_t *stage, bool other)
{
	cop_number n[] = {{.name = "next"}, {.name = "history"}};
	cop_graph *saved;
	bool there;

	COP_TRY(cop__checkpoint_load(&saved, (*g)->cx, r->base, n, LEN(n)));
	cop_status st = COP_OK;
	if (n[0].i < 0 || n[0].i > n_stage || !n[1].text) st = cop__error(h->cx, COP_FORMAT, "%s: is not a checkpoint of this recipe", r->base);
	if (!st && other && !(n[0].i == n_stage && cop__same_weights(*g, saved))) /* the result may have been written over its input */
		st = cop__checkpoint_find(&there, &other, h->cx, r->base, r->run.data, NULL);
	if (!st) st = cop__history_unpack(h, n[1].text, n[1].size, r->base);
	if (st) return cop_graph_free(saved), st;
	*stage = (int32_t)n[0].i;
	cop_graph_free(*g);
	*g = saved;
	cop__epochs_tell(&h->epochs, h->progress, h->ud);
	return COP_OK;
}

cop_status cop__resume_load(cop_resume *r, cop_graph **g, cop_history *h, const cop_means *m, int32_t n_stage, int32_t *stage)
{
	bool there, other, resume = m->a->resume;

	*stage = -1;
	if (!r->base) return COP_OK;
	COP_TRY(cop__checkpoint_find(&there, &other, h->cx, r->base, r->run.data, resume ? "network" : NULL));
	COP_TRY(look_at_stages(r, h->cx, there));
	return there && resume ? load(r, g, h, n_stage, stage, other) : COP_OK;
}

/* The recipe's own last: while it is there, the others are known to be ours. */
static cop_status remove_one(cop_ctx *cx, const char *base)
{
	char path[1024];

	for (int32_t i = 0; strlen(base) <= 1000 && i < COP_MAX_STAGES; i++) COP_TRY(cop__checkpoint_unlink(cx, cop__resume_stage_path(path, base, i)));
	return cop__checkpoint_unlink(cx, base);
}

cop_status cop_checkpoint_remove(cop_ctx *cx, const char *base)
{
	COP_NEED(cx, base);
	char path[1024];

	for (int32_t k = 1; strlen(base) <= 1000 && k < COP_MOST_ORDERS; k++) COP_TRY(remove_one(cx, cop__order_path(path, base, k)));
	return remove_one(cx, base);
}
