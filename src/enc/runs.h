/* SPDX-License-Identifier: Apache-2.0
 *
 * runs.h - weights under an adaptive code: the form in which they lie in flash (kernel/runs.h).
 */
#ifndef COP_ENC_RUNS_H
#define COP_ENC_RUNS_H

#include "core/core.h"

/* The code of an image of `bytes` bytes, at a whole word; freed with cop__free. */
cop_status cop__code_runs(void **out, size_t *size, cop_ctx *cx, const void *image, size_t bytes);
/* The same of rows x n weights whose image is single ones in rows, with gaps of `unit` bytes (kernel/gaps.h). NULL and 0 bytes: rows are too long. */
cop_status cop__code_rows(void **out, size_t *size, cop_ctx *cx, const int8_t *w, int32_t rows, int32_t n, int32_t unit);

#endif
