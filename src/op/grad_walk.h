/* SPDX-License-Identifier: Apache-2.0
 *
 * grad_walk.h - the inside of a cop_grad, for grad.c and curvature.c, which walk a graph backwards.
 */
#ifndef COP_GRAD_WALK_H
#define COP_GRAD_WALK_H

#include "op/grad.h"

struct cop_grad {
	cop_graph *g;
	int32_t n_forward;   /* values that existed before the walk (and optional outputs asked for since are never wanted) */
	cop_vid *grad;       /* [n_forward+1] */
	bool *wanted;
	cop_vid guard;       /* of the node whose gradient is taken */
	cop_nid last;        /* nodes behind it have no guard yet */
	/* curvature: a square stands for the operand; what it gets goes to that */
	cop_vid stand[COP_MAX_IN], real[COP_MAX_IN];
	int n_stand;
};

cop_status cop__walk_begin(cop_grad *d, cop_arena *mem, cop_graph *g, int n, const cop_vid *wrt);
bool cop__walk_reached(const cop_grad *d, cop_nid n);

#endif
