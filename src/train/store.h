/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h - values that the backward pass reads, kept in fewer bytes.
 */
#ifndef COP_TRAIN_STORE_H
#define COP_TRAIN_STORE_H

#include "op/grad.h"
#include "pass/pass.h"

/* saved= of a training: as they are; as bytes and bits where gradients of values stay exact; those that batch norm and smooth functions want, too. */
enum cop_saved { COP_SAVED_FLOAT, COP_SAVED_INT8, COP_SAVED_ALL };

/* g: forward up to node `forward`, then backward. *map: the new value of each old one. */
cop_status cop__keep_less(cop_graph **out, const cop_graph *g, cop_nid forward, bool all, cop_vid **map);

#endif
