/* SPDX-License-Identifier: Apache-2.0
 *
 * lookahead - the rule of updates runs ahead for a few steps; then slow weights go a part of the way, and it goes on from there.
 */
#include "train/policy/average.h"

typedef struct options { int32_t steps; float part; } options;

static const cop_option table[] = {
	COP_OPT_WHOLE(options, steps, 1, 1000000, "5", "steps ahead"),
	COP_OPT_REAL(options, part, 0, 1, "0.5", "part of the way that the slow weights go"),
	COP_OPT_END,
};

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	const cop_averages *a = ud;
	const options *o = a->o;

	(void)v;
	if (p->step % o->steps && p->step < p->steps) return COP_OK; /* the last steps count, however many they are */
	COP_TRY(cop__averages_move(a, p->t, o->part));
	return cop__averages_back(a, p->t);
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	COP_TRY(cop__averages_make(out, mem, o, "slow", false));
	out->name = "lookahead";
	out->after = after;
	return COP_OK;
}

const cop_policy_row cop_policy_lookahead = {
	.row = {"lookahead", "slow weights follow the fast ones every few steps", "Zhang et al. 2019, arXiv 1907.08610",
		table, sizeof(options)}, .make = make};
