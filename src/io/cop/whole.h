/* SPDX-License-Identifier: Apache-2.0
 *
 * whole.h - weights of int8, int4 and int2 as whole numbers, for the coders.
 */
#ifndef COP_IO_WHOLE_H
#define COP_IO_WHOLE_H

#include "enc/codes.h"

bool cop__whole_codable(const cop_type *t, const void *data); /* has a coder something to gain? */
cop_status cop__codes_of_whole(cop_codes *c, cop_ctx *cx, const cop_type *t, const void *data, int32_t rows, int32_t cols);
/* Of codes that nobody has checked: what is no such number is refused. */
cop_status cop__whole_of_codes(uint8_t *q, cop_ctx *cx, const char *name, const cop_type *t, const cop_codes *c);

#endif
