/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint.h - the state of a training: weights, optimiser state and a few numbers in one .cop file.
 */
#ifndef COP_IO_CHECKPOINT_H
#define COP_IO_CHECKPOINT_H

#include "io/cop.h"

/* Everything g holds, uncoded, and the numbers; beside, then renamed. The file is a model too. */
cop_status cop__checkpoint_write(const char *path, const cop_graph *g, const cop_number *number, int n);
/* PARAM and STATE back into g by name; each must be in the file with the same type, and zeros come back as
 * zeros. The numbers asked for (by name) are filled in; one the file lacks is a failure. */
cop_status cop__checkpoint_read(const char *path, cop_graph *g, cop_number *number, int n);

#endif
