/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h - what the target columns of a table are.
 */
#ifndef COP_DATA_TABLE_H
#define COP_DATA_TABLE_H

#include "data/data.h"

/* labels: the fields of the target columns, row by row; names: of these columns. Fills the classes and labels of s, or its targets.
 * like: NULL, or the training part, which decides. path is for messages. */
cop_status cop__table_targets(cop_store *s, const cop_store *like, cop_task task, const cop_names *labels, const cop_names *names, const char *path);

#endif
