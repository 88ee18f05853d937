/* SPDX-License-Identifier: Apache-2.0
 *
 * made.h - rules of updates that are made of the operators for everything: slower than a kernel of their own, and a file of thirty lines.
 */
#ifndef COP_UPDATE_MADE_H
#define COP_UPDATE_MADE_H

#include "op/axes.h"
#include "train/build.h"

/* Each gives 0 where a value that it needs is 0: who builds asks once, at the end. */

static const cop_act_attr cop_made_none = {COP_NO_LO, COP_NO_HI};

static inline cop_vid cop__made(const cop_param *p, int op, cop_vid a, cop_vid b)
{
	const bool plain = op == OP_max || op == OP_min; /* without bounds */
	return a && b ? cop__apply(p->g, op, plain ? NULL : &cop_made_none, VIDS(a, b)) : 0;
}

/* A constant; the same one for the same number. */
static inline cop_vid cop__made_number(const cop_param *p, float v)
{
	char name[40];

	cop__format(name, sizeof name, "update.%.9g", (double)v);
	return cop__scalar(p->g, name, v);
}

static inline cop_vid cop__made_times(const cop_param *p, cop_vid v, float by) { return by == 1 ? v : cop__made(p, OP_mul, v, cop__made_number(p, by)); }

/* keep a + (1 - keep) b */
static inline cop_vid cop__made_mean(const cop_param *p, float keep, cop_vid a, cop_vid b)
{
	return cop__made(p, OP_add, cop__made_times(p, a, keep), cop__made_times(p, b, 1 - keep));
}

/* The same, where keep is a value. */
static inline cop_vid cop__made_blend(const cop_param *p, cop_vid keep, cop_vid a, cop_vid b)
{
	return cop__made(p, OP_add, cop__made(p, OP_mul, a, keep), cop__made(p, OP_mul, b, cop__made(p, OP_sub, cop__made_number(p, 1), keep)));
}

/* v, and no less than that. */
static inline cop_vid cop__made_least(const cop_param *p, cop_vid v, float least)
{
	return v ? cop__apply(p->g, OP_clip, &(cop_act_attr){least, COP_NO_HI}, VIDS(v)) : 0;
}

/* The sum of a b over all elements, f32[1]. */
static inline cop_vid cop__made_dot(const cop_param *p, cop_vid a, cop_vid b)
{
	cop_vid v = cop__made(p, OP_mul, a, b);
	return v ? cop__apply(p->g, OP_sum_to, &(cop_shape_attr){1, {1}}, VIDS(v)) : 0;
}

/* Of the step that is being done, from 1. */
static inline cop_vid cop__made_step(const cop_param *p)
{
	cop_vid v = cop__param_step(p);
	return v ? cop__made(p, OP_add, cop__apply(p->g, OP_cast, &(cop_cast_attr){COP_F32}, VIDS(v)), cop__made_number(p, 1)) : 0;
}

/* 1 - b^t */
static inline cop_vid cop__made_rest(const cop_param *p, cop_vid b, cop_vid t)
{
	return cop__made(p, OP_sub, cop__made_number(p, 1), b && t ? cop__apply(p->g, OP_pow, NULL, VIDS(b, t)) : 0);
}

/* The gradient with what decay adds to it. */
static inline cop_vid cop__made_decayed(const cop_param *p, cop_vid d, cop_vid w, float decay)
{
	return decay > 0 ? cop__made(p, OP_add, d, cop__made_times(p, w, decay)) : d;
}

static inline cop_vid cop__made_map(const cop_param *p, int fn, cop_vid v) { return v ? cop__apply(p->g, OP_map, &(cop_map_attr){fn, 0, 0}, VIDS(v)) : 0; }

static inline cop_vid cop__made_list(const cop_param *p) { return cop__follower(p->g, p->w, "rows"); }

/* Of something of the parameter's shape the rows that are trained; without a list all of it. */
static inline cop_vid cop__made_rows(const cop_param *p, cop_vid v)
{
	cop_vid list = cop__made_list(p);

	if (!list || !v) return v;
	cop_vid at = cop__apply(p->g, OP_slice, &(cop_slice_attr){.from = {1}, .step = {1, 1, 1, 1, 1, 1}}, VIDS(list));
	return at ? cop__apply(p->g, OP_gather, &(cop_axis_attr){0}, VIDS(v, at)) : 0;
}

/* The state or the parameter becomes that value: with a list these rows of it, by a plain step to there. */
static inline cop_vid cop__made_set(const cop_param *p, cop_vid v, cop_vid value)
{
	cop_vid list = cop__made_list(p);

	if (!v || !value) return 0;
	if (!list) return cop__apply(p->g, OP_assign, NULL, VIDS(v, value));
	cop_vid way = cop__made(p, OP_sub, cop__made_rows(p, v), value);
	return way ? cop__apply(p->g, OP_sgd, &(cop_sgd_attr){0, 0, 0}, VIDS(v, way, cop__made_number(p, 1), 0, list)) : 0;
}

#endif
