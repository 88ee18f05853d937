/* SPDX-License-Identifier: Apache-2.0
 *
 * taps.h - which results of a convolution read a position of its input.
 */
#ifndef COP_TAPS_H
#define COP_TAPS_H

#include <stdint.h>

/* Output position that reads input position `in` through tap k, or -1. */
static inline int32_t cop_tap_source(int32_t in, int32_t pad, int32_t k, int32_t dilation, int32_t stride, int32_t out)
{
	int32_t at = in + pad - k * dilation;
	return at >= 0 && at % stride == 0 && at / stride < out ? at / stride : -1;
}

#endif
