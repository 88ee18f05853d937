/* SPDX-License-Identifier: Apache-2.0
 *
 * xent - cross-entropy of the softmax of logits with the number of a class: the mean of -log p[label] over samples that have a label.
 */
#include "op/op.h"
#include "train/build.h"

typedef struct options { float smooth; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, smooth, 0, 0.999, "0", "label smoothing: the part of the target that is spread over all classes"),
	COP_OPT_END,
};

static cop_vid build(cop_graph *g, const void *o, cop_vid y, cop_vid target)
{
	const options *a = o;
	return cop__apply(g, OP_xent, &(cop_xent_attr){a->smooth}, VIDS(y, target));
}

const cop_loss cop_loss_xent = {
	.row = {"xent", "cross-entropy of logits with the number of a class", "label smoothing: Szegedy et al. 2016, arXiv 1512.00567", table, sizeof(options)},
	.labels = true, .logits = true, .build = build};
