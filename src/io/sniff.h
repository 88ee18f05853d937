/* SPDX-License-Identifier: Apache-2.0
 *
 * sniff.h - what a file is that is no model we read, told by its first bytes and its ending.
 */
#ifndef COP_SNIFF_H
#define COP_SNIFF_H

#include "core/core.h"

/* Records the sentence "FILE: is empty; ..." and returns COP_FORMAT when the bytes are known to be something else, or fall short of
 * what the ending promises. COP_OK: they may be one of our formats. */
cop_status cop__sniff(cop_ctx *cx, const char *file, const void *bytes, size_t size);
/* Does it begin like a network as text: 'input', behind blanks and remarks? */
bool cop__is_network(const void *bytes, size_t size);
bool cop__ends(const char *file, const char *ending);

#endif
