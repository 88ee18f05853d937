/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint.h - the state of a training: weights, optimiser state and a few numbers in one .cop file, and what the run was given.
 */
#ifndef COP_IO_CHECKPOINT_H
#define COP_IO_CHECKPOINT_H

#include "io/cop/cop.h"

/* run: all that decides the result, a line each: "lr\t0.1\n". Everything g holds is written, uncoded, and the numbers; beside, then
 * renamed. The file is a model too. */
cop_status cop__checkpoint_write(const char *path, const cop_graph *g, const char *run, const cop_number *number, int n);
/* Is there one of this run? A file of other origin is refused (COP_FORMAT), and the checkpoint of another run (COP_ARG) in a sentence that
 * says what differs; a difference in the line `but` alone (NULL: none) is told in *differs instead. */
cop_status cop__checkpoint_find(bool *there, bool *differs, cop_ctx *cx, const char *path, const char *run, const char *but);
/* PARAM and STATE back into g by name; each must be in the file with the same type, and zeros come back as
 * zeros. The numbers asked for (by name) are filled in; one the file lacks is a failure. Texts are copied into g. */
cop_status cop__checkpoint_read(const char *path, cop_graph *g, cop_number *number, int n);
/* The file as a graph of its own, likewise. */
cop_status cop__checkpoint_load(cop_graph **out, cop_ctx *cx, const char *path, cop_number *number, int n);
/* Removes a checkpoint; a file of other origin stays. Fails when it could not. */
cop_status cop__checkpoint_unlink(cop_ctx *cx, const char *path);

#endif
