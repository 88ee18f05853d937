/* SPDX-License-Identifier: Apache-2.0
 *
 * ema - the result is an exponential mean of the weights of all steps, and of the running means of batch norm. At first it forgets faster:
 * after step t it keeps at most (1 + t) / (10 + t).
 */
#include "train/policy/average.h"

typedef struct options { float decay; } options;
typedef struct ema { const options *o; cop_arena *mem; cop_averages a; } ema;

static const cop_option table[] = {
	COP_OPT_REAL(options, decay, 0, 0.999999, "0.998", "part of the mean that each step keeps"),
	COP_OPT_END,
};

static cop_status build(void *ud, cop_build *b)
{
	ema *e = ud;
	return cop__averages_build(&e->a, e->mem, b, "ema", true);
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	ema *e = ud;
	float soon = (float)(1 + p->step) / (float)(10 + p->step);

	(void)v;
	return cop__averages_move(&e->a, p->t, 1 - COP_MIN(e->o->decay, soon));
}

static cop_status finish(void *ud, const cop_progress *p, cop_graph *model)
{
	ema *e = ud;
	return cop__averages_bake(&e->a, p->t, model);
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	ema *e = cop__arena_get(mem, sizeof *e);

	if (!e) return COP_NOMEM;
	*e = (ema){.o = o, .mem = mem};
	*out = (cop_policy){.name = "ema", .ud = e, .build = build, .after = after, .finish = finish};
	return COP_OK;
}

const cop_policy_row cop_policy_ema = {
	.row = {"ema", "the mean of the weights of the last steps is the result", "Polyak and Juditsky 1992, SIAM J. Control and Optimization 30(4)", table, sizeof(options)}, .make = make};
