/* SPDX-License-Identifier: Apache-2.0
 *
 * l1 and slimming - single numbers are trained to zero: after each step of a rate r they go towards 0 by r * strength, and those that are nearer become 0.
 * That is the exact step of the sum of magnitudes; a gradient of it would leave numbers that swing around zero. l1: all weights of layers;
 * slimming: the scales of batch norm, so that whole channels close.
 */
#include "pass/pass.h"
#include "train/policy.h"

#include <math.h>

typedef struct options { float strength; char layers[128]; } options;
typedef struct shrinking { const options *o; cop_arena *mem; bool scales; cop_handle *w; int32_t n; } shrinking;

#define OPTIONS(strength_, text) { \
	COP_OPT_REAL(options, strength, 0, 1e6, strength_, "how far towards zero in a step of the rate 1"), \
	COP_OPT_NAMES(options, layers, "*", text), \
	COP_OPT_END, \
}

static const cop_option weights[] = OPTIONS("1e-4", "which weights: names, `*` for any run, `|` between alternatives");
static const cop_option scales[] = OPTIONS("1e-4", "which scales: names, `*` for any run, `|` between alternatives");

static bool is_scale(const cop_graph *g, cop_vid v)
{
	for (int32_t n = 1; n <= g->n_node; n++)
		if (g->node[n].op == OP_bn && cop__arg(g, (cop_nid)n, 1) == v) return true;
	return false;
}

static cop_status build(void *ud, cop_build *b)
{
	shrinking *s = ud;
	const cop_graph *g = cop__build_model(b);

	s->n = 0;
	if (!(s->w = cop__arena_get(s->mem, sizeof *s->w * (size_t)(g->n_value + 1)))) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role != COP_PARAM || !cop__floats(g, (cop_vid)v) || !cop__match(s->o->layers, x->name) || !cop__build_trains(b, x->name)) continue;
		if (s->scales ? !is_scale(g, (cop_vid)v) : x->type.rank < 2) continue;
		if (!(s->w[s->n++] = cop__build_value(b, x->name))) return COP_NOMEM;
	}
	if (s->n) return COP_OK;
	return cop__error(g->cx, COP_ARG,
		s->scales ? "slimming: '%s' has no batch norm whose scale is trained and matches '%s'; lasso:coupled=... needs none"
		: "l1: '%s' has no weight that is trained and matches '%s'",
		g->name, s->o->layers);
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	shrinking *s = ud;
	const float by = cop__trainer_rate(p->t) * s->o->strength;
	cop_tensor t;

	(void)v;
	for (int32_t i = 0; i < s->n; i++) {
		COP_TRY(cop__trainer_tensor(p->t, s->w[i], &t));
		float *w = t.data;
		for (int64_t j = 0, n = cop_type_count(&t.type); j < n; j++) w[j] = copysignf(COP_MAX(fabsf(w[j]) - by, 0.0f), w[j]);
	}
	return COP_OK;
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o, const char *name, bool of_scales)
{
	shrinking *s = cop__arena_get(mem, sizeof *s);

	if (!s) return COP_NOMEM;
	*s = (shrinking){.o = o, .mem = mem, .scales = of_scales};
	*out = (cop_policy){.name = name, .ud = s, .build = build, .after = after};
	return COP_OK;
}

static cop_status make_l1(cop_policy *out, cop_arena *mem, const void *o) { return make(out, mem, o, "l1", false); }
static cop_status make_slimming(cop_policy *out, cop_arena *mem, const void *o) { return make(out, mem, o, "slimming", true); }

const cop_policy_row cop_policy_l1 = {.row = {"l1", "single weights are trained to zero",
	"Tibshirani 1996, J. R. Stat. Soc. B 58(1)", weights, sizeof(options)}, .make = make_l1};
const cop_policy_row cop_policy_slimming = {
	.row = {"slimming", "scales of batch norm are trained to zero, so that channels close",
		"Liu et al. 2017, arXiv 1708.06519", scales, sizeof(options)}, .make = make_slimming};
