/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.h - the packed form of a .cop file, for small networks whose weights are coded: there the text and what stands around each tensor would
 * be a tenth of the file.
 */
#ifndef COP_IO_PACK_H
#define COP_IO_PACK_H

#include "io/cop/cop.h"

enum { COP_PACK_UP_TO = 1 << 18 }; /* bytes of the file in its other form */

/* Whether a file of so many bytes is tried in this form: it holds encoded weights, and nothing else is to be read in it. */
bool cop__pack_suits(const cop_graph *g, size_t bytes);
/* Appends the file. head: the text of the graph. */
cop_status cop__pack_write(cop_text *out, const cop_graph *g, const char *head, size_t size);
bool cop__is_packed(const uint8_t *p, size_t size);
cop_status cop__pack_read(cop_graph **out, cop_ctx *cx, const char *file, const uint8_t *p, size_t size);

#endif
