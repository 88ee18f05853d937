/* SPDX-License-Identifier: Apache-2.0
 *
 * container.h - what writing and reading of a .cop file agree on; cop.c has the layout.
 */
#ifndef COP_IO_CONTAINER_H
#define COP_IO_CONTAINER_H

#include "io/cop/cop.h"

#define COP_MAGIC "coppice " /* then one digit, the version, and the end of the line */
enum { COP_OLDEST = '1', COP_NEWEST = '2', COP_PACKED = '3' }; /* the last is the form of pack.c */

/* What a coder is called in a file. 2 was another range coder, before the first release. */
static const uint8_t cop_codec_number[COP_N_CODEC] = {[COP_CODEC_RAW] = 0, [COP_CODEC_HUFFMAN] = 1, [COP_CODEC_RANGE] = 3};

#endif
