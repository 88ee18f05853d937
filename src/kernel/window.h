/* SPDX-License-Identifier: Apache-2.0
 *
 * window.h - the numbers that a filter of an int8 convolution meets at one place, side by side, for kernels that read them from one address.
 */
#ifndef COP_WINDOW_H
#define COP_WINDOW_H

#include "kernel/kernel.h"

/* The taps of output pixel (oh, ow) of an image, `cg` channels of each from x on: in d, or where they lie if it is one tap inside. What lies
 * in the padding is ZX. */
static inline const int8_t *cop_window(int8_t *d, const int32_t *k, const int8_t *x, int32_t cg, int32_t oh, int32_t ow)
{
	const int8_t *first = d;

	for (int32_t tap = 0; tap < k[CK_KH] * k[CK_KW]; tap++) {
		int32_t h = oh * k[CK_SH] - k[CK_PT] + tap / k[CK_KW] * k[CK_DH], v = ow * k[CK_SW] - k[CK_PL] + tap % k[CK_KW] * k[CK_DW];
		int32_t inside = h >= 0 && h < k[CK_H] && v >= 0 && v < k[CK_W];
		const int8_t *a = inside ? x + (size_t)(h * k[CK_W] + v) * (size_t)k[CK_C] : x;
		if (inside && k[CK_KH] * k[CK_KW] == 1) return a;
		for (int32_t c = 0; c < cg; c++) *d++ = inside ? a[c] : (int8_t)k[QK_ZX];
	}
	return first;
}

#endif
