/* SPDX-License-Identifier: Apache-2.0
 *
 * soft - cross-entropy of logits with a distribution over the classes, -sum t log p: for mixed samples and weighted classes.
 */
#include "op/op.h"
#include "train/build.h"

static cop_vid soft(cop_graph *g, const void *o, cop_vid y, cop_vid target)
{
	(void)o;
	return cop__apply(g, OP_softxent, NULL, VIDS(y, target));
}

const cop_loss cop_loss_soft = {.row = {"soft", "cross-entropy of logits with a distribution over the classes", NULL, NULL, 0}, .logits = true, .build = soft};
