/* SPDX-License-Identifier: Apache-2.0
 *
 * code.h - coded weights: the form in which they lie in flash (kernel/coded.h).
 */
#ifndef COP_CODE_H
#define COP_CODE_H

#include "core/core.h"

/* The code of an image of `bytes` bytes, at a whole word; freed with cop__free. */
cop_status cop__code_image(void **out, size_t *size, cop_ctx *cx, const void *image, size_t bytes);

#endif
