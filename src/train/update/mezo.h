/* SPDX-License-Identifier: Apache-2.0
 *
 * mezo.h - the options of the rule mezo, for the trainer, which does what a graph can't.
 */
#ifndef COP_MEZO_H
#define COP_MEZO_H

#include "train/trainer.h"

typedef struct cop_mezo { float eps, decay; int32_t draw, seed; char last[128]; } cop_mezo;
enum { COP_DRAW_NORMAL, COP_DRAW_SIGNS };

/* Number i of the direction of a step along the weight of that name. */
float cop__mezo_along(const cop_mezo *o, const char *name, int64_t step, int64_t i);

/* One step: `run` runs the network forward, and says the loss, on weights that the step moves. */
typedef struct cop_zeroth {
	const cop_mezo *o;
	const cop_build *b;
	cop_trainer *t;
	float lr;
	cop_status (*named)(const cop_trainer *t, const char *name, cop_tensor *out);
	cop_status (*run)(cop_trainer *t, float lr, float *loss); /* lr: of what moves by its gradient */
} cop_zeroth;
cop_status cop__zeroth_step(const cop_zeroth *z, float *loss);

#endif
