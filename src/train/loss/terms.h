/* SPDX-License-Identifier: Apache-2.0
 *
 * terms.h - short words for losses that are made of operators. Each gives 0 where an operand is 0.
 */
#ifndef COP_LOSS_TERMS_H
#define COP_LOSS_TERMS_H

#include "op/axes.h"
#include "train/build.h"

static inline cop_vid two(cop_graph *g, int op, cop_vid a, cop_vid b)
{
	static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};
	return a && b ? cop__apply(g, op, &plain, VIDS(a, b)) : 0;
}

static inline cop_vid one(cop_graph *g, int op, const void *attr, cop_vid v) { return v ? cop__apply(g, op, attr, VIDS(v)) : 0; }

static inline cop_vid number(cop_graph *g, float v)
{
	char name[40];

	cop__format(name, sizeof name, "teacher's %.9g", (double)v);
	return cop__scalar(g, name, v);
}

static inline cop_vid times(cop_graph *g, cop_vid v, float by) { return by == 1 ? v : two(g, OP_mul, v, number(g, by)); }
static inline cop_vid mean(cop_graph *g, cop_vid v, int32_t axes) { return one(g, OP_reduce, &(cop_reduce_attr){REDUCE_MEAN, axes, 0}, v); }

#endif
