/* SPDX-License-Identifier: Apache-2.0
 *
 * ema - the result is an exponential mean of the weights of all steps, and of the running means of batch norm. At first it
 * forgets faster: after step t it keeps at most (1 + t) / (10 + t).
 */
#include "train/policy/average.h"

typedef struct options { float decay; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, decay, 0, 0.999999, "0.998", "part of the mean that each step keeps"),
	COP_OPT_END,
};

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	const cop_averages *a = ud;
	const options *o = a->o;
	float soon = (float)(1 + p->step) / (float)(10 + p->step);

	(void)v;
	return cop__averages_move(a, p->t, 1 - COP_MIN(o->decay, soon));
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	COP_TRY(cop__averages_make(out, mem, o, "ema", true));
	out->after = after;
	out->finish = cop__averages_bake;
	return COP_OK;
}

const cop_policy_row cop_policy_ema = {
	.row = {"ema", "the mean of the weights of the last steps is the result",
		"Polyak and Juditsky 1992, SIAM J. Control and Optimization 30(4)", table, sizeof(options)}, .make = make};
