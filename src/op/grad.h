/* SPDX-License-Identifier: Apache-2.0
 *
 * grad.h - reverse-mode differentiation as a pass: backward nodes are appended to the same graph.
 */
#ifndef COP_GRAD_H
#define COP_GRAD_H

#include "op/op.h"

/* v, or what reads as -0 while the node that computes it is skipped. */
cop_vid cop__unskipped(cop_graph *g, cop_vid v);
void cop__guard_since(cop_graph *g, cop_nid last, cop_vid guard); /* the guard of nodes behind `last` */

/* Differentiates the scalar `loss` of g for the values in `wrt` and appends the backward nodes.
 * out[i] is the gradient of wrt[i], or 0 where the loss does not depend on it. It is guarded where guarded nodes alone
 * lead to wrt[i]. */
cop_status cop__differentiate(cop_graph *g, cop_vid loss, int n, const cop_vid *wrt, cop_vid *out);

/* The diagonal of the Hessian, passed back as gradients are (LeCun et al. 1990, Optimal brain damage): h is that of
 * value y, and out[i] becomes that of wrt[i]. Cross terms are left out, and of an activation f only f'^2 is taken
 * (Gauss-Newton), so that nothing is negative where h is not. Fails, naming the node, where one has no such rule. */
cop_status cop__curvature(cop_graph *g, cop_vid y, cop_vid h, int n, const cop_vid *wrt, cop_vid *out);

/* Can the gradients of w be told apart by samples? */
bool cop__squares_apart(const cop_graph *g, int32_t batch, cop_vid w);
/* out[i]: the squares of the gradients of wrt[i] for each sample alone, summed over the samples, where dy is the
 * gradient of value y. Where one of wrt can't be told apart, there must be one sample. */
cop_status cop__square_gradients(cop_graph *g, int32_t samples, cop_vid y, cop_vid dy, int n, const cop_vid *wrt,
	cop_vid *out);

#endif
