/* SPDX-License-Identifier: Apache-2.0
 *
 * code.h - coded weights: the form in which they lie in flash (kernel/coded.h).
 */
#ifndef COP_CODE_H
#define COP_CODE_H

#include "core/core.h"

/* What is coded for byte i of an image; of pairs, 256 b + a, the upper one may come out as 128. */
static inline int cop__symbol_at(const uint8_t *image, size_t i, bool pairs)
{
	if (!pairs || i % 2 == 0) return (int8_t)image[i];
	return ((int16_t)(image[i - 1] | image[i] << 8) - (int8_t)image[i - 1]) / 256;
}

/* The code of an image of `bytes` bytes, at a whole word; freed with cop__free. */
cop_status cop__code_image(void **out, size_t *size, cop_ctx *cx, const void *image, size_t bytes);
#endif
