/* SPDX-License-Identifier: Apache-2.0
 *
 * mezo.h - the options of the rule mezo.
 */
#ifndef COP_MEZO_H
#define COP_MEZO_H

#include "core/core.h"
#include "kernel/along.h"

typedef struct cop_mezo { float eps, decay; int32_t draw, seed; char last[128]; } cop_mezo; /* draw: of kernel/along.h */

/* Number i of the direction of a step along the weight of that name. */
static inline float cop__mezo_along(const cop_mezo *o, const char *name, int32_t step, int64_t i)
{
	return cop_along((uint32_t)o->seed, (uint32_t)step, cop__hash_text(name), (uint32_t)i, o->draw);
}

#endif
