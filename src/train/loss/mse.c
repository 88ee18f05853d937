/* SPDX-License-Identifier: Apache-2.0
 *
 * mse - the mean of the squared differences from a target of the same shape.
 */
#include "op/op.h"
#include "train/build.h"

static cop_vid build(cop_graph *g, const void *o, cop_vid y, cop_vid target)
{
	(void)o;
	return cop__apply(g, OP_mse, NULL, VIDS(y, target));
}

const cop_loss cop_loss_mse = {.row = {"mse", "mean squared difference from a target of the same shape", NULL, NULL, 0}, .build = build};
