/* SPDX-License-Identifier: Apache-2.0
 *
 * shrink - whatever can go without changing a bit of a result: nodes that hand on what they get, borders that a convolution can
 * read as its padding, and channels that no input can change. `emit`, `bench` and `quantize` do it without being asked.
 */
#include "pass/pass.h"

static cop_status drop(cop_graph **out, const cop_graph *g) { return cop__pass_drop_constant(out, g, COP_DROP_EXACT); }

cop_status cop__pass_shrink(cop_graph **out, const cop_graph *g)
{
	*out = NULL;
	COP_TRY(cop__pass_strip(out, g));
	COP_TRY(cop__pass_then(out, cop__pass_fold_pad));
	COP_TRY(cop__pass_then(out, drop));
	return cop__pass_then(out, cop__pass_dce);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_shrink(out, g);
}

const cop_pass cop_pass_shrink = {COP_ROW("shrink", "removes what no bit of a result needs: constant channels, borders, layers that change nothing"), run};
