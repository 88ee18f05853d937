/* SPDX-License-Identifier: Apache-2.0
 *
 * drr - the stage: trains with a penalty on weights that are not zero (train/policy/drr.c), cuts a few times what is below a threshold that the
 * loss on the validation set decides (tamade.c), and trains on without the penalty. Then what no longer reaches the output, or what no input
 * reaches any more, is removed, and what such units put out becomes part of the next biases.
 */
#include "compress/layers.h"
#include "compress/smallest/tamade.h"
#include "pass/pass.h"
#include "train/policy/drr.h"

#include <math.h>
#include <stdio.h>

typedef struct drr_options { float alpha, beta, over, tolerance, self, temperature; int32_t cuts; } drr_options;
static const cop_option options[] = {
	COP_OPT_REAL(drr_options, alpha, 0, 1, "2e-5", "what a weight that is not zero adds to the loss: the higher, the fewer stay"),
	COP_OPT_REAL(drr_options, beta, 0.001, 1e6, "10", "how sharply zero is told from the rest: a weight of 1/beta counts 63 percent"),
	COP_OPT_REAL(drr_options, over, 0.01, 0.9, "0.6", "the part of the epochs with the penalty; the rest learns what the cuts took"),
	COP_OPT_WHOLE(drr_options, cuts, 1, 1000, "4", "how often weights are cut, evenly over that part"),
	COP_OPT_REAL(drr_options, tolerance, 0, 100, "0.05", "the part by which a cut may raise the loss on the validation set"),
	COP_OPT_REAL(drr_options, self, 0, 1, "0.7", "how much of the loss is the distance from the network as it was; 0: none. `distill` in --policies takes its place"),
	COP_OPT_REAL(drr_options, temperature, 0.01, 1000, "3", "both are softened by it"),
	COP_OPT_END,
};

typedef struct cutter {
	const drr_options *o;
	const cop_stage *s;
	const cop_means *m;
	cop_graph *was, *probe; /* the network at the start, and what is scored */
} cutter;

static bool cut_here(const cutter *c, const cop_graph *g, int32_t v)
{
	return cop__compressible(g, (cop_vid)v, c->s->terms.layers) && cop__floats(g, (cop_vid)v);
}

/* ---- the threshold ---- */

static void clear_below(float *w, int64_t n, float thr)
{
	for (int64_t i = 0; i < n; i++)
		if (fabsf(w[i]) < thr) w[i] = 0;
}

static cop_status loss_at(void *ud, float thr, double *loss)
{
	cutter *c = ud;
	cop_dataset *d = c->m->valid ? c->m->valid : c->m->train;
	cop_graph *g;
	cop_score s;

	COP_TRY(cop__pass_copy(&g, c->probe));
	cop_status st = COP_OK;
	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		if (!cut_here(c, g, v)) continue;
		float *w = cop__own(g, (cop_vid)v);
		if (!w) st = COP_NOMEM;
		else clear_below(w, cop_type_count(cop__t(g, (cop_vid)v)), thr);
	}
	if (!st) st = cop_eval(&s, g, d, 100, c->m->a->threads);
	*loss = st ? 0 : (double)s.loss;
	cop_graph_free(g);
	return st;
}

static float largest(const cutter *c, const cop_graph *g)
{
	float most = 0;

	for (int32_t v = 1; v <= g->n_value; v++) {
		const float *w = cut_here(c, g, v) ? cop__floats(g, (cop_vid)v) : NULL;
		for (int64_t i = 0; w && i < cop_type_count(cop__t(g, (cop_vid)v)); i++) most = fmaxf(most, fabsf(w[i]));
	}
	return most;
}

/* ---- a cut ---- */

/* Zeros in the weight, in its mask, and in what the rule of updates keeps for it. */
static cop_status cut_one(const cop_progress *p, const char *weight, float thr)
{
	char name[COP_FOLLOWER];
	cop_tensor w, t;

	COP_TRY(cop__trainer_named(p->t, weight, &w));
	const int64_t n = cop_type_count(&w.type);
	for (int i = -1; i < 0 || cop__build_kept(cop__trainer_build(p->t), i); i++) {
		COP_TRY(cop__follower_name(name, cop__trainer_graph(p->t)->cx, weight, i < 0 ? "mask" : cop__build_kept(cop__trainer_build(p->t), i)));
		COP_TRY(cop__trainer_named(p->t, name, &t));
		for (int64_t k = 0; k < n; k++)
			if (fabsf(((float *)w.data)[k]) < thr) ((float *)t.data)[k] = 0;
	}
	clear_below(w.data, n, thr);
	return COP_OK;
}

static cop_status cut(cutter *c, const cop_progress *p)
{
	float thr;

	COP_TRY(cop_trainer_pull(p->t, c->probe));
	COP_TRY(cop__tamade(&thr, 2 * largest(c, c->probe), (double)c->o->tolerance, loss_at, c));
	for (int32_t v = 1; v <= c->was->n_value; v++)
		if (cut_here(c, c->was, v)) COP_TRY(cut_one(p, c->was->value[v].name, thr));
	cop__log(c->was->cx, COP_LOG_INFO, "drr: epoch %d: weights below %.4g are cut", p->epoch + 1, (double)thr);
	return COP_OK;
}

/* After the k-th of so many equal parts of the time with the penalty. */
static bool due(const drr_options *o, int64_t step, int64_t steps)
{
	const double each = (double)o->over * (double)steps / (double)o->cuts;
	const int64_t now = (int64_t)((double)step / each + 1e-9), before = (int64_t)((double)(step - 1) / each + 1e-9);
	return step && now > before && before < o->cuts;
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	cutter *c = ud;
	(void)v;
	return due(c->o, p->step, p->steps) ? cut(c, p) : COP_OK;
}

/* ---- the stage ---- */

/* A mask for every weight that may be cut: ones where it is not zero. */
static cop_status add_masks(const cutter *c, cop_graph *g)
{
	const int32_t n = g->n_value;

	for (int32_t v = 1; v <= n; v++) {
		if (!cut_here(c, g, v) || cop__follower(g, (cop_vid)v, "mask")) continue;
		cop_type t = *cop__t(g, (cop_vid)v);
		cop_vid mask = cop__follow(g, (cop_vid)v, COP_STATE, "mask", &t, NULL);
		float *ones = mask ? cop__own(g, mask) : NULL;
		if (!ones) return cop__failed(g->cx);
		for (int64_t i = 0; i < cop_type_count(&t); i++) ones[i] = 1;
	}
	return COP_OK;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const drr_options *o = (const void *)s->own.bytes;
	cutter c = {.o = o, .s = s, .m = m};
	cop_train_args a = cop__stage_args(s, m);
	cop_policy policy[3];
	cop_drr_options pull = {o->alpha, o->beta, o->over, ""};
	cop_taught taught = {o->self, o->temperature, NULL};
	cop_arena mem;
	int n = 0;

	snprintf(pull.of, sizeof pull.of, "%s", s->terms.layers);
	cop__arena_init(&mem, (*g)->cx);
	cop_status st = add_masks(&c, *g);
	if (!st) st = cop__pass_copy(&c.was, *g);
	if (!st) st = cop__pass_copy(&c.probe, *g);
	if (o->self > 0 && !cop__policies_answer(a.policies)) policy[n++] = cop__taught(&taught); /* first: it weighs what is there before it */
	policy[n++] = (cop_policy){.name = "cut", .ud = &c, .after = after};
	if (!st) st = cop__drr(&policy[n++], &mem, &pull);
	if (!st) st = cop__train(*g, m->train, m->valid, &a, "drr", policy, n);
	if (!st) st = cop__drop_constant_of(g, COP_DROP_ROUNDED); /* what no longer reaches the output */
	cop_graph_free(c.was);
	cop_graph_free(c.probe);
	cop__arena_free(&mem);
	return st;
}

const cop_stage_row cop_stage_drr = {
	.row = {"drr", "trains with a penalty on weights that are not zero, cuts what the validation set does "
		"not miss, and removes what has no say any more", COP_DRR_SOURCE, options, sizeof(drr_options)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .gives = COP_HAS_MASKS,
	.can = cop__can_change, .run = run,
};
