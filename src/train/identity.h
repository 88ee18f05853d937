/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.h - all that decides the result of a run, as text, a line each: "label\tvalue\n". A checkpoint holds it, so that no run goes on from
 * another's (io/cop/checkpoint.h). Threads and paths are not in it.
 */
#ifndef COP_IDENTITY_H
#define COP_IDENTITY_H

#include "graph/graph.h"

void cop__identity_bytes(cop_text *t, const char *label, const char *name, const void *bytes, size_t size); /* by their hash */
cop_status cop__identity_graph(cop_text *t, const char *label, const cop_graph *g);
/* Shape, count, classes, and a hash of samples: of all in a small set, else of some thousands, evenly spread. d NULL: none. */
cop_status cop__identity_data(cop_text *t, const char *label, cop_dataset *d);
void cop__identity_args(cop_text *t, const cop_train_args *a);

/* Do two graphs hold the same parameters and states, bit for bit? */
bool cop__same_weights(const cop_graph *a, const cop_graph *b);

#endif
