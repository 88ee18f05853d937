/* SPDX-License-Identifier: Apache-2.0
 *
 * grow - a decay that grows from 0 to `strength` over the training, and is up to 2^alpha times stronger for channels that matter little: of
 * the groups of a layer the longest has the factor 1, the shortest 2^alpha. So what is to be removed later is already small then, and what it did
 * has moved to the rest. How long groups are is measured anew every few steps; the factors are a state of the training.
 */
#include "train/policy/spans.h"

#include <math.h>

typedef struct options { float strength, alpha; int32_t every; char layers[128]; } options;
typedef struct grow { const options *o; cop_arena *mem; cop_spans spans; cop_handle factor; } grow;

static const cop_option table[] = {
	COP_OPT_REAL(options, strength, 0, 1e6, "5e-4", "the decay at the end, of the groups that matter most"),
	COP_OPT_REAL(options, alpha, 0, 30, "4", "those that matter least decay 2^alpha times as fast"),
	COP_OPT_WHOLE(options, every, 1, 1000000, "100", "steps after which it is measured anew what matters"),
	COP_OPT_NAMES(options, layers, "*", "which weights: names, `*` for any run, `|` between alternatives"),
	COP_OPT_END,
};

static cop_status build(void *ud, cop_build *b)
{
	grow *g = ud;

	COP_TRY(cop__spans_build(&g->spans, g->mem, b, COP_BY_COUPLING, g->o->layers));
	cop_type t = cop__type(COP_F32, 1, DIMS(g->spans.n_group));
	return (g->factor = cop__build_state(b, "grow.factor", &t, NULL, NULL)) ? COP_OK : COP_NOMEM;
}

/* Lengths are of the mean square: groups of a pool may have different sizes. */
static void set_factors(const cop_spans *s, float alpha, float *factor)
{
	for (int32_t from = 0, to; from < s->n_group; from = to) {
		double least = INFINITY, most = 0;
		for (to = from; to < s->n_group && s->pool[to] == s->pool[from]; to++) {
			double length = sqrt(s->sq[to] / (double)s->size[to]);
			least = COP_MIN(least, length), most = COP_MAX(most, length);
		}
		for (int32_t k = from; k < to; k++) factor[k] = most > least ? exp2f(alpha * (float)((most - sqrt(s->sq[k] / (double)s->size[k])) / (most - least))) : 1;
	}
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	grow *g = ud;
	cop_spans *s = &g->spans;
	double step = (double)cop__trainer_rate(p->t) * (double)g->o->strength * (double)p->step / (double)p->steps;
	cop_tensor t;

	(void)v;
	COP_TRY(cop__trainer_tensor(p->t, g->factor, &t));
	const float *factor = t.data;
	if ((p->step - 1) % g->o->every == 0) {
		COP_TRY(cop__spans_measure(s, p->t));
		set_factors(s, g->o->alpha, t.data);
	}
	for (int32_t k = 0; k < s->n_group; k++) s->factor[k] = (float)COP_MAX(1 - step * (double)factor[k], 0.0);
	return cop__spans_scale(s, p->t);
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	grow *g = cop__arena_get(mem, sizeof *g);

	if (!g) return COP_NOMEM;
	*g = (grow){.o = o, .mem = mem};
	*out = (cop_policy){.name = "grow", .ud = g, .build = build, .after = after};
	return COP_OK;
}

const cop_policy_row cop_policy_grow = {
	.row = {"grow", "a decay that grows, strongest for channels that matter least",
		"Fang et al. 2023, arXiv 2301.12900; Wang et al. 2021, arXiv 2012.09243", table, sizeof(options)}, .make = make};
