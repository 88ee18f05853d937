/* SPDX-License-Identifier: Apache-2.0
 *
 * hint.h - losses that compare a value within the network with one within a teacher.
 */
#ifndef COP_LOSS_HINT_H
#define COP_LOSS_HINT_H

#include "train/build.h"

typedef struct cop_hint_weight { float weight; } cop_hint_weight;

/* positions: how many (height times width) both values need, the same number; 0: any. */
typedef struct cop_hint_row { cop_loss loss; int32_t positions; } cop_hint_row;

enum { COP_HINTS = 3 };
extern const cop_hint_row cop_hint_rows[COP_HINTS];

#endif
