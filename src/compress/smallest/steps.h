/* SPDX-License-Identifier: Apache-2.0
 *
 * steps.h - training towards whole multiples of a step, for whoever does it besides the stage.
 */
#ifndef COP_COMPRESS_STEPS_H
#define COP_COMPRESS_STEPS_H

#include "compress/compress.h"

/* The options of the stage `steps`; its row has their meaning and defaults. self: the part of the loss that a teacher's
 * answers are. bias_start 0: biases, and scales of batch norm, are left as they are. */
typedef struct cop_steps_stage { float rate, prior, start, bias_start, self, temperature; } cop_steps_stage;
extern const cop_stage_row cop_stage_steps;

/* Trains *g so. teacher NULL: the network as it is. */
cop_status cop__train_steps(cop_graph **g, const cop_means *m, const cop_train_args *a, const cop_steps_stage *o,
	const char *layers, const cop_graph *teacher);

#endif
