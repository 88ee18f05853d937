/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h - values that the backward pass reads, and those that it makes, in fewer bytes.
 */
#ifndef COP_TRAIN_STORE_H
#define COP_TRAIN_STORE_H

#include "op/grad.h"
#include "pass/pass.h"

/* saved= of a training; store.c says what each is. */
enum cop_saved { COP_SAVED_FLOAT, COP_SAVED_EXACT, COP_SAVED_INT8, COP_SAVED_ALL };

/* g: forward up to node `forward`, then backward. *map: the new value of each old one. */
cop_status cop__keep_less(cop_graph **out, const cop_graph *g, cop_nid forward, enum cop_saved how, cop_vid **map);
/* The same for errors=int8: errors of int8 layers become bytes (errors.c). */
cop_status cop__errors_as_bytes(cop_graph **out, const cop_graph *g, cop_nid forward, int32_t round, cop_vid **map);

#endif
