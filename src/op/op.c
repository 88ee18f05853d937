/* SPDX-License-Identifier: Apache-2.0
 *
 * op - what the rows of operators share when they type their results.
 */
#include "op/op.h"

cop_status cop__set_out(cop_graph *g, cop_nid n, int i, cop_dtype dtype, int32_t rank, const int32_t *dim)
{
	cop_vid v = g->node[n].out[i];
	if (v) g->value[v].type = cop__type(dtype, rank, dim);
	return COP_OK;
}

cop_status cop__set_out_like(cop_graph *g, cop_nid n, int i, cop_vid like)
{
	const cop_type *t = cop__t(g, like);
	return cop__set_out(g, n, i, t->dtype, t->rank, t->dim);
}

cop_status cop__need(const cop_graph *g, cop_nid n, int i, cop_dtype dtype, int32_t rank)
{
	const cop_type *t = cop__in(g, n, i);

	if (!cop__arg(g, n, i)) return cop__fail(g, COP_ARG, n, "input %d is missing", i);
	if (t->dtype != dtype)
		return cop__fail(g, COP_ARG, n, "input %d must be %s, got %s", i, cop__dtype_text(dtype), cop__dtype_text(t->dtype));
	if (rank >= 0 && t->rank != rank)
		return cop__fail(g, COP_SHAPE, n, "input %d must have %d dimensions, got %d", i, rank, t->rank);
	return COP_OK;
}
