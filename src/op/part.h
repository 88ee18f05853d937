/* SPDX-License-Identifier: Apache-2.0
 *
 * part.h - layers of whose weight a part alone is trained: some of the channels that it reads (pass/parts.c). Such a weight is paste(canvas, part, list),
 * along its last axis; of a depthwise layer, whose filters are channels, along its first. The gradient is computed for the part, of those channels of the
 * layer's input alone: nothing else of the input waits for it.
 */
#ifndef COP_OP_PART_H
#define COP_OP_PART_H

#include "op/grad.h"

/* The gradient of weight w by `op`, or that of its part. attr begins with a cop_conv_attr, or is NULL (fc). */
cop_status cop__grad_weight(cop_grad *d, cop_vid w, int op, void *attr, cop_vid dy, cop_vid x);
/* The weight for the gradient of x: one that is pasted is pasted again, so that it need not lie in memory between the two passes. */
cop_vid cop__weight_again(cop_grad *d, cop_vid w, cop_vid x);

#endif
