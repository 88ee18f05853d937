/* SPDX-License-Identifier: Apache-2.0
 *
 * errors.h - what the kernels of errors as bytes share with the planner: how much is done at a time.
 *
 *   1x1         four channels of up to CHUNK pixels; the weights of those channels are turned, so that a multiplication takes two filters
 *   depthwise   a channel of a band of rows, whose results lie apart by the stride in a plane with its padding: then it is a convolution of stride 1 with
 *               the filter turned round
 */
#ifndef COP_ERRORS_H
#define COP_ERRORS_H

#include "kernel/cortexm/dsp.h"

enum { ERROR_LANES = 4, ERROR_CHUNK = 64, ERROR_BAND = 256 };

static inline int32_t cop_error_rows(const int32_t *k)
{
	const int32_t rows = ERROR_BAND / k[CK_W];
	return rows < 1 ? 1 : rows < k[CK_H] ? rows : k[CK_H];
}
/* Of a line, even: windows are taken two at a time. */
static inline int32_t cop_error_pitch(const int32_t *k) { return (k[CK_W] + 3) & ~1; }

#endif
