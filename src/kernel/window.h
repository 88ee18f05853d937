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

	for (int32_t kh = 0; kh < k[CK_KH]; kh++) /* no division: small cores have none */
		for (int32_t kw = 0; kw < k[CK_KW]; kw++) {
			int32_t h = oh * k[CK_SH] - k[CK_PT] + kh * k[CK_DH], v = ow * k[CK_SW] - k[CK_PL] + kw * k[CK_DW];
			int32_t inside = h >= 0 && h < k[CK_H] && v >= 0 && v < k[CK_W];
			const int8_t *a = inside ? x + (size_t)(h * k[CK_W] + v) * (size_t)k[CK_C] : x;
			if (inside && k[CK_KH] * k[CK_KW] == 1) return a;
			for (int32_t c = 0; c < cg; c++) *d++ = inside ? a[c] : (int8_t)k[QK_ZX];
		}
	return first;
}

/* All output pixels (oh, ow) of this part's rows, the results of each from y on; image: where the sample of it begins. */
typedef void cop_window_pixel(const cop_call *call, int8_t *y, const int8_t *image, int32_t oh, int32_t ow);
static inline void cop_window_pixels(const cop_call *call, cop_window_pixel *pixel)
{
	const int32_t *k = call->k;
	int32_t rows = k[CK_N] * k[CK_OH], from = cop_from(call, rows, 1), to = cop_to(call, rows, 1);
	int8_t *y = (int8_t *)call->buf[0] + (size_t)from * (size_t)k[CK_OW] * (size_t)k[CK_O];

	for (int32_t r = from; r < to; r++)
		for (int32_t ow = 0; ow < k[CK_OW]; ow++, y += k[CK_O])
			pixel(call, y, (const int8_t *)call->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]), r % k[CK_OH], ow);
}

#endif
