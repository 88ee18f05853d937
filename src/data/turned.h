/* SPDX-License-Identifier: Apache-2.0
 *
 * turned.h - images for networks of other programs, which take channels first.
 */
#ifndef COP_DATA_TURNED_H
#define COP_DATA_TURNED_H

#include "core/core.h"

typedef struct cop_turned { cop_dataset d; const cop_dataset *of; cop_ctx *cx; } cop_turned;

/* d, or in `room` the same set with samples [h,w,c] as [c,h,w], where a network's input `in` [n,c,h,w] asks for that and not for
 * [n,h,w,c]. room lives as long as the set is used; it is not freed. */
cop_dataset *cop__data_turned(cop_turned *room, cop_ctx *cx, cop_dataset *d, const cop_type *in);

#endif
