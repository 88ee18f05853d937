/* SPDX-License-Identifier: Apache-2.0
 *
 * cut.h - a network in two at one of its values: what computes it, and what goes on from it.
 */
#ifndef COP_CUT_H
#define COP_CUT_H

#include "pass/pass.h"

/* Does all that comes behind v, a value that g computes, read nothing that comes before it but v and weights? */
bool cop__can_cut(const cop_graph *g, cop_vid v);
cop_status cop__cut_head(cop_graph **out, const cop_graph *g, const cop_vid *v, int n); /* from the inputs to the n values v, its outputs */
cop_status cop__cut_tail(cop_graph **out, const cop_graph *g, cop_vid v); /* from v, its input, to the outputs */

#endif
