/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors.h - the reader behind cop_weights_load, from memory.
 */
#ifndef COP_IO_SAFETENSORS_H
#define COP_IO_SAFETENSORS_H

#include "graph/graph.h"

/* Fills the values of the same names; `file` is for messages. */
cop_status cop__weights_parse(cop_graph *g, const char *file, const void *bytes, size_t size);

#endif
