/* SPDX-License-Identifier: Apache-2.0
 *
 * made.h - rules of updates that are made of the operators for everything: slower than a kernel of their own, and a file of thirty lines.
 */
#ifndef COP_UPDATE_MADE_H
#define COP_UPDATE_MADE_H

#include "op/axes.h"
#include "train/build.h"

static const cop_act_attr cop_made_none = {COP_NO_LO, COP_NO_HI};

static inline cop_vid cop__made(const cop_param *p, int op, cop_vid a, cop_vid b) { return a && b ? cop__apply(p->g, op, &cop_made_none, VIDS(a, b)) : 0; }

static inline cop_vid cop__made_times(const cop_param *p, cop_vid v, float by)
{
	char name[40];

	cop__format(name, sizeof name, "update.%.9g", (double)by);
	return by == 1 ? v : cop__made(p, OP_mul, v, cop__scalar(p->g, name, by));
}

/* keep a + (1 - keep) b */
static inline cop_vid cop__made_mean(const cop_param *p, float keep, cop_vid a, cop_vid b)
{
	return cop__made(p, OP_add, cop__made_times(p, a, keep), cop__made_times(p, b, 1 - keep));
}

static inline cop_vid cop__made_map(const cop_param *p, int fn, cop_vid v) { return v ? cop__apply(p->g, OP_map, &(cop_map_attr){fn, 0, 0}, VIDS(v)) : 0; }

/* The state or the parameter becomes that value. */
static inline cop_vid cop__made_set(const cop_param *p, cop_vid v, cop_vid value) { return v && value ? cop__apply(p->g, OP_assign, NULL, VIDS(v, value)) : 0; }

#endif
