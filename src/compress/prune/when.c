/* SPDX-License-Identifier: Apache-2.0
 *
 * when - at which steps there are cuts, and what is left after each.
 */
#include "compress/prune/prune.h"

#include <math.h>

#define OVER(T, text) COP_OPT_REAL(T, over, 0, 1, "0.6", text)
static const cop_option cop__over_options[] = {
	OVER(cop_over_options, "the part of the epochs over which the cuts go on"),
	COP_OPT_WHOLE(cop_over_options, every, 1, 1e6, "50", "steps from one cut to the next"),
	COP_OPT_END,
};
static const cop_option cop__rounds_options[] = {
	OVER(cop_rounds_options, "the part of the epochs over which the rounds are spread"),
	COP_OPT_WHOLE(cop_rounds_options, rounds, 1, 1000, "5", "how many cuts"),
	COP_OPT_END,
};
static const cop_option cop__tickets_options[] = {
	COP_OPT_WHOLE(cop_tickets_options, rounds, 1, 1000, "5", "how many cuts; the epochs are divided among one round more"),
	COP_OPT_REAL(cop_tickets_options, rewind, 0, 1e6, "0",
		"epochs of the first round after which the weights are noted, to which they return; 0: before the first step"),
	COP_OPT_FLAG(cop_tickets_options, redraw, "no", "whether the last round begins with weights drawn anew, as a control"),
	COP_OPT_END,
};

#define WHEN(name, options, size, at_once, returns, summary, source) static bool due_##name(double *t, const void *options_, int64_t step, int64_t steps); static double part_##name(double keep, double t);
#include "compress/prune/when.def"
#undef WHEN
static const cop_when_row rows[] = {
#define WHEN(name, options, size, at_once, returns, summary, source) {{#name, summary, source, options, size}, due_##name, part_##name, at_once, returns},
#include "compress/prune/when.def"
#undef WHEN
};
static const cop_row *row(int i) { return i >= 0 && i < LEN(rows) ? &rows[i].row : NULL; }
const cop_table cop__cuts = {"cuts", "schedule of cuts", "when pruning cuts", row};
const cop_when_row *cop__when(int32_t i) { return &rows[i]; }

/* The step after which the last cut is; it is one at least. */
static double end_of(float over, int64_t steps) { return COP_MAX((double)over * (double)steps, 1.0); }

/* ---- cubic ---- */

double cop__cubic(double from, double to, double t)
{
	double left = 1 - COP_MIN(COP_MAX(t, 0.0), 1.0);
	return to + (from - to) * left * left * left;
}

static double part_cubic(double keep, double t) { return cop__cubic(1, keep, t); }

static bool due_cubic(double *t, const void *options, int64_t step, int64_t steps)
{
	const cop_over_options *o = options;
	double end = end_of(o->over, steps);
	bool last = (double)step >= end && (double)(step - 1) < end;

	*t = last ? 1 : (double)step / end;
	return step && (last || ((double)step <= end && step % o->every == 0));
}

/* ---- once ---- */

static double part_once(double keep, double t) { return (void)t, keep; }
static bool due_once(double *t, const void *options, int64_t step, int64_t steps) { return (void)options, (void)steps, *t = 1, !step; }

/* ---- iterative: after n of r rounds keep^(n/r) is left ---- */

static double part_iterative(double keep, double t) { return pow(keep, t); }

/* Is a round of `each` steps over after this one, and how many of `rounds` are? */
static bool round_over(double *t, double each, int32_t rounds, int64_t step)
{
	int64_t now = (int64_t)((double)step / each + 1e-9), before = (int64_t)((double)(step - 1) / each + 1e-9); /* rounds that are over */

	*t = COP_MIN((double)now / (double)rounds, 1.0);
	return step && now > before && before < rounds;
}

static bool due_iterative(double *t, const void *options, int64_t step, int64_t steps)
{
	const cop_rounds_options *o = options;
	return round_over(t, end_of(o->over, steps) / (double)o->rounds, o->rounds, step);
}

/* ---- tickets: the same, with a round more than cuts ---- */

static double part_tickets(double keep, double t) { return part_iterative(keep, t); }

static bool due_tickets(double *t, const void *options, int64_t step, int64_t steps)
{
	const cop_tickets_options *o = options;
	/* where there are fewer steps than rounds, all are over before the last one */
	double each = COP_MIN((double)steps / (o->rounds + 1), (double)(steps - 1) / o->rounds);
	return round_over(t, COP_MAX(each, 1e-9), o->rounds, step);
}
