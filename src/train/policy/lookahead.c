/* SPDX-License-Identifier: Apache-2.0
 *
 * lookahead - the rule of updates runs ahead for a few steps; then slow weights go a part of the way, and it goes on from there.
 */
#include "train/policy/average.h"

#include <math.h>

typedef struct options { int32_t steps; float part, power; bool means; } options;

static const cop_option table[] = {
	COP_OPT_WHOLE(options, steps, 1, 1000000, "5", "steps ahead"),
	COP_OPT_REAL(options, part, 0, 1, "0.5", "part of the way that the slow weights go"),
	COP_OPT_REAL(options, power, 0, 100, "0", "they go all of the way at first, and come down to `part` as this power of the time that has passed; the last step leaves the slow weights as they are. 0: `part` throughout"),
	COP_OPT_FLAG(options, means, "no", "the running means of batch norm follow, too"),
	COP_OPT_END,
};

/* Of step `done` of all. */
static float part_at(const options *o, int64_t done, int64_t all)
{
	if (!(o->power > 0)) return o->part;
	return done < all ? 1 - (1 - o->part) * (float)pow((double)done / (double)all, (double)o->power) : 0;
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	const cop_averages *a = ud;
	const options *o = a->o;

	(void)v;
	if (p->step % o->steps && p->step < p->steps) return COP_OK; /* the last steps count, however many they are */
	COP_TRY(cop__averages_move(a, p->t, part_at(o, p->step, p->steps)));
	return cop__averages_back(a, p->t);
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	COP_TRY(cop__averages_make(out, mem, o, "slow", ((const options *)o)->means));
	out->name = "lookahead";
	out->after = after;
	return COP_OK;
}

const cop_policy_row cop_policy_lookahead = {
	.row = {"lookahead", "slow weights follow the fast ones every few steps", "Zhang et al. 2019, arXiv 1907.08610",
		table, sizeof(options)}, .make = make};
