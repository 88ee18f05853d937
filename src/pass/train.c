/* SPDX-License-Identifier: Apache-2.0
 *
 * train - the training graph of a model: forward with batch statistics, loss, backward, updates.
 *
 * The optimiser's state becomes STATE values that follow their parameter (`of`): w.m, w.v. A parameter whose
 * STATE "<w>.mask" exists has its gradient multiplied by it: what is zero under the mask stays exactly zero, with
 * momentum and decay too. One "<w>.rows" restricts the update to listed output rows. The learning rate and the
 * step are STATE "lr" and "step", so that emitted code can set them. Weight decay spares vectors (biases, batch norm).
 */
#include "core/need.h"
#include "op/grad.h"
#include "pass/pass.h"

#include <stdio.h>

static const char known[] = "loss smooth update momentum nesterov decay clip b1 b2 eps layers lr sgd adam adamw";

typedef struct spec {
	char loss[8], update[8], layers[128];
	float smooth, momentum, decay, clip, b1, b2, eps, lr;
	int32_t nesterov;
} spec;

static cop_status parse(cop_ctx *cx, const char *text, spec *s)
{
	cop_hint hint;
	cop_args a = {cx, "training", text ? text : "", text ? strlen(text) : 0};
	const float big = 1e30f;

	*s = (spec){.loss = "xent", .update = "sgd", .layers = "*", .momentum = 0.9f, .b1 = 0.9f, .b2 = 0.999f, .eps = 1e-8f, .lr = 0.01f};
	COP_TRY(cop__args_check(&a, known));
	COP_TRY(cop__args_s(&a, "loss", s->loss, sizeof s->loss));
	COP_TRY(cop__args_s(&a, "update", s->update, sizeof s->update));
	COP_TRY(cop__args_s(&a, "layers", s->layers, sizeof s->layers));
	for (int i = 0; i < 3; i++) { /* "adam" alone is short for update=adam */
		static const char *const name[] = {"sgd", "adam", "adamw"};
		if (cop__args_has(&a, name[i])) snprintf(s->update, sizeof s->update, "%s", name[i]);
	}
	COP_TRY(cop__args_f(&a, "smooth", 0, 0.999f, &s->smooth));
	COP_TRY(cop__args_f(&a, "momentum", 0, 0.99999f, &s->momentum));
	COP_TRY(cop__args_f(&a, "decay", 0, big, &s->decay));
	COP_TRY(cop__args_f(&a, "clip", 0, big, &s->clip));
	COP_TRY(cop__args_f(&a, "b1", 0, 0.99999f, &s->b1));
	COP_TRY(cop__args_f(&a, "b2", 0, 0.9999999f, &s->b2));
	COP_TRY(cop__args_f(&a, "eps", 0, 1, &s->eps));
	COP_TRY(cop__args_f(&a, "lr", 0, big, &s->lr));
	COP_TRY(cop__args_i(&a, "nesterov", 0, 1, &s->nesterov));
	if (strcmp(s->loss, "xent") && strcmp(s->loss, "mse")) return cop__error(cx, COP_ARG, "training: loss=%s: must be xent or mse", s->loss);
	if (strcmp(s->update, "sgd") && strcmp(s->update, "adam") && strcmp(s->update, "adamw"))
		return cop__error(cx, COP_ARG, "training: update=%s: must be sgd, adam or adamw%s", s->update, cop__hint_in(&hint, s->update, strlen(s->update), "sgd adam adamw"));
	return COP_OK;
}

static cop_vid add_loss(cop_graph *g, const spec *s)
{
	cop_vid y = g->n_output ? g->output[0] : 0;
	const cop_type *t = cop__t(g, y);

	if (!strcmp(s->loss, "mse")) {
		cop_type like = *t;
		return cop__apply(g, OP_mse, NULL, VIDS(y, cop__input(g, "target", &like)));
	}
	if (t->rank != 2) {
		cop__error(g->cx, COP_SHAPE, "loss=xent needs logits [batch, classes] as the first output, got %d dimensions", t->rank);
		return 0;
	}
	cop_type label = cop__type(COP_I32, 1, DIMS(t->dim[0]));
	return cop__apply(g, OP_xent, &(cop_xent_attr){s->smooth}, VIDS(y, cop__input(g, "label", &label)));
}

/* A STATE that follows w: "<w>.<suffix>", of w's type, zero. */
static cop_vid follow(cop_graph *g, cop_vid w, const char *suffix)
{
	char name[160];
	cop_type t = *cop__t(g, w);

	snprintf(name, sizeof name, "%s.%s", g->value[w].name, suffix);
	cop_vid v = cop__find(g, name);
	if (!v && (v = cop__data(g, COP_STATE, name, &t, NULL))) g->value[v].of = w;
	return v;
}

static cop_vid scalar_state(cop_graph *g, const char *name, cop_dtype d, const void *init)
{
	cop_vid v = cop__find(g, name);
	cop_type t = cop__type(d, 1, DIMS(1));
	return v ? v : cop__data(g, COP_STATE, name, &t, init);
}

static cop_vid masked(cop_graph *g, cop_vid w, cop_vid dw)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	char name[160];

	snprintf(name, sizeof name, "%s.mask", g->value[w].name);
	cop_vid mask = cop__find(g, name);
	return mask ? cop__apply(g, OP_mul, &none, VIDS(dw, mask)) : dw;
}

/* Scales every gradient by min(1, clip / norm of them all); updates then wait for the last gradient. */
static cop_status clip_all(cop_graph *g, float max, int n, cop_vid *dw)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_vid sum = 0;

	for (int i = 0; i < n; i++) {
		if (!dw[i]) continue;
		cop_vid s = cop__apply(g, OP_sumsq, NULL, VIDS(dw[i]));
		sum = sum ? cop__apply(g, OP_add, &none, VIDS(sum, s)) : s;
	}
	cop_vid scale = sum ? cop__apply(g, OP_clip_norm, &(cop_clip_norm_attr){max}, VIDS(sum)) : 0;
	for (int i = 0; scale && i < n; i++)
		if (dw[i]) dw[i] = cop__apply(g, OP_mul, &none, VIDS(dw[i], scale));
	return g->cx->code;
}

static cop_vid update(cop_graph *g, const spec *s, cop_vid w, cop_vid dw)
{
	float decay = cop__t(g, w)->rank > 1 ? s->decay : 0;
	cop_vid lr = scalar_state(g, "lr", COP_F32, &s->lr);
	char rows[160];

	if (strcmp(s->update, "sgd")) {
		cop_vid step = scalar_state(g, "step", COP_I32, NULL), m = follow(g, w, "m"), v = follow(g, w, "v");
		cop_adam_attr a = {s->b1, s->b2, s->eps, decay, !strcmp(s->update, "adamw")};
		return cop__apply(g, OP_adam, &a, VIDS(w, dw, lr, step, m, v));
	}
	snprintf(rows, sizeof rows, "%s.rows", g->value[w].name);
	cop_vid r = cop__find(g, rows), m = s->momentum > 0 ? follow(g, w, "m") : 0;
	if (r && g->value[r].of != w) r = 0;
	cop_nid n = cop__node(g, OP_sgd, &(cop_sgd_attr){s->momentum, s->nesterov, decay}, VIDS(w, dw, lr, m, r));
	if (n && m) cop__want_out(g, n, 1);
	return n ? cop__res(g, n, 0) : 0;
}

static cop_status assemble(cop_graph *g, const spec *s)
{
	cop_arena mem;
	int n = 0;
	cop_vid loss = add_loss(g, s);

	if (!loss) return g->cx->code;
	cop__arena_init(&mem, g->cx);
	cop_vid *w = cop__arena_get(&mem, sizeof *w * (size_t)(g->n_value + 1)), *dw = cop__arena_get(&mem, sizeof *dw * (size_t)(g->n_value + 1));
	for (int32_t v = 1; w && dw && v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role == COP_PARAM && x->type.dtype == COP_F32 && x->type.enc == COP_DENSE && cop__match(s->layers, x->name)) w[n++] = (cop_vid)v;
	}
	cop_status st = w && dw ? COP_OK : COP_NOMEM;
	if (!st && !n) st = cop__error(g->cx, COP_ARG, "training: no parameter matches layers=%s", s->layers);
	if (!st) st = cop__differentiate(g, loss, n, w, dw);
	for (int i = 0; !st && i < n; i++)
		if (dw[i] && !(dw[i] = masked(g, w[i], dw[i]))) st = g->cx->code;
	if (!st && s->clip > 0) st = clip_all(g, s->clip, n, dw);
	for (int i = 0; !st && i < n; i++)
		if (dw[i] && !update(g, s, w[i], dw[i])) st = g->cx->code;
	cop_vid step = cop__find(g, "step");
	if (!st && step && !cop__apply(g, OP_count, NULL, VIDS(step))) st = g->cx->code;
	cop__arena_free(&mem);
	if (!st) st = cop__output(g, loss, "loss");
	return st;
}

cop_status cop_graph_train(cop_graph **out, const cop_graph *model, const char *text)
{
	COP_NEED(COP_CX(model), out);
	*out = NULL;
	COP_NEED(COP_CX(model), model);
	cop_graph *open = NULL, *active = NULL, *fused = NULL;
	spec s;
	cop_status st = parse(model->cx, text, &s);

	*out = NULL;
	if (!st) st = cop__pass_unroll(&open, model);
	if (!st) st = cop__pass_to_train(&active, open);
	if (!st) st = cop__pass_fuse(&fused, active);
	if (!st) st = assemble(fused, &s);
	if (!st) st = cop__pass_dce(out, fused);
	if (!st) st = cop_graph_verify(*out);
	cop_graph_free(open);
	cop_graph_free(active);
	cop_graph_free(fused);
	if (st && *out) cop_graph_free(*out), *out = NULL;
	return st;
}
