/* SPDX-License-Identifier: Apache-2.0
 *
 * embedded.h - the texts that tools/embed.c put into the library: portable kernels and board files,
 * by their path in the source tree. The last row has no path.
 */
#ifndef COP_EMBEDDED_H
#define COP_EMBEDDED_H

#include <stddef.h>

typedef struct cop_embedded { const char *path; const unsigned char *bytes; size_t size; } cop_embedded;
extern const cop_embedded cop_embedded_files[];

#endif
