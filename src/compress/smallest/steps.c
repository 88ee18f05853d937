/* SPDX-License-Identifier: Apache-2.0
 *
 * steps - the stage: every weight and bias becomes a whole multiple of a step of its tensor (train/form/steps.c), and the training pays for what
 * the multiples take in a file: rate * sum ln(1 + |v / step| / a), a code length under a prior with long tails.
 */
#include "compress/smallest/steps.h"
#include "compress/layers.h"
#include "pass/pass.h"
#include "train/form/steps.h"
#include "train/policy.h"

static const cop_option options[] = {
	COP_OPT_REAL(cop_steps_stage, rate, 0, 1, "1e-5", "what a natural unit of code length adds to the loss: the higher, the smaller the file"),
	COP_OPT_REAL(cop_steps_stage, prior, 0.001, 1000, "0.3", "the multiple at which the code begins to grow"),
	COP_OPT_REAL(cop_steps_stage, start, 0.001, 1000, "0.5", "the step at first, over the mean size of the weights of a tensor that are not zero"),
	COP_OPT_REAL(cop_steps_stage, bias_start, 0.001, 1000, "0.3", "the same of biases"),
	COP_OPT_REAL(cop_steps_stage, self, 0, 1, "0.7", "how much of the loss is the distance from the network as it was; 0: none. `distill` in --policies takes its place"),
	COP_OPT_REAL(cop_steps_stage, temperature, 0.01, 1000, "3", "both are softened by it"),
	COP_OPT_END,
};

static bool rounds(const cop_graph *g, int32_t v, const char *layers)
{
	const cop_value *x = &g->value[v];
	return x->role == COP_PARAM && x->name && cop__floats(g, (cop_vid)v) && cop__match(layers, x->name);
}

typedef struct steps { const cop_steps_stage *o; const char *layers; } steps;

static cop_status build(void *ud, cop_build *b)
{
	const steps *s = ud;
	const cop_steps_stage *o = s->o;
	const cop_graph *g = cop__build_model(b);

	for (int32_t v = 1; v <= g->n_value; v++) {
		const char *name = g->value[v].name;
		if (!rounds(g, v, s->layers) || (cop__t(g, (cop_vid)v)->rank < 2 && !(o->bias_start > 0))) continue;
		cop_steps_options form = {cop__t(g, (cop_vid)v)->rank > 1 ? o->start : o->bias_start};
		COP_TRY(cop__build_form(b, name, cop__form("steps"), &form));
		cop_term t = {.loss = &cop_loss_rate, .options = &(cop_rate_options){o->prior}, .weight = o->rate,
			.y = cop__build_follower(b, name, COP_STEPS_LATENT), .target = cop__build_follower(b, name, COP_STEPS_STEP)};
		if (!t.y || !t.target) return COP_NOMEM;
		if (o->rate > 0) COP_TRY(cop__build_term(b, &t));
	}
	return COP_OK;
}

cop_status cop__train_steps(cop_graph **g, const cop_means *m, const cop_train_args *a, const cop_steps_stage *o, const char *layers, const cop_graph *teacher)
{
	steps s = {o, layers};
	cop_taught taught = {o->self, o->temperature, teacher};
	cop_policy policy[2];
	int n = 0;

	if (o->self > 0 && !cop__policies_answer(a->policies)) policy[n++] = cop__taught(&taught);
	policy[n++] = (cop_policy){.name = "steps", .ud = &s, .build = build};
	COP_TRY(cop__train(*g, m->train, m->valid, a, "steps", policy, n));
	return cop__drop_constant_of(g, COP_DROP_EXACT); /* what rounding has left without a reader; biases stay whole steps */
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	cop_train_args a = cop__stage_args(s, m);
	return cop__train_steps(g, m, &a, (const void *)s->own.bytes, s->terms.layers, NULL);
}

const cop_stage_row cop_stage_steps = {
	.row = {"steps",
		"makes every weight and bias a whole multiple of a step that is trained with it, and pays for the length of its code",
		COP_STEPS_SOURCE, options, sizeof(cop_steps_stage)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .gives = COP_HAS_SHARED,
	.allows = cop__allows_whole, .can = cop__can_change, .run = run,
};
