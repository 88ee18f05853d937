/* SPDX-License-Identifier: Apache-2.0
 *
 * mezo.h - the options of the rule mezo.
 */
#ifndef COP_MEZO_H
#define COP_MEZO_H

#include "core/core.h"

typedef struct cop_mezo { float eps, decay; int32_t draw, seed; char last[128]; } cop_mezo; /* draw: of kernel/along.h */

#endif
