/* SPDX-License-Identifier: Apache-2.0
 *
 * window.h - the numbers that a filter of an int8 convolution meets at one place, side by side, for kernels that read them from one address.
 */
#ifndef COP_WINDOW_H
#define COP_WINDOW_H

#include "kernel/kernel.h"
#include "kernel/quant.h"

/* Inlined into the loops around them, the sums would lose the registers of a small core. */
#if defined(__GNUC__)
#define COP_APART __attribute__((noinline))
#else
#define COP_APART
#endif

/* The taps of output pixel (oh, ow) of an image, `cg` channels of each from x on: in d, or where they lie if it is one tap inside. What lies
 * in the padding is ZX. */
static inline const int8_t *cop_window(int8_t *d, const int32_t *k, const int8_t *x, int32_t cg, int32_t oh, int32_t ow)
{
	const int8_t *first = d;
	int32_t v0 = ow * k[CK_SW] - k[CK_PL], run = cg == k[CK_C] && k[CK_DW] == 1 && v0 >= 0 && v0 + k[CK_KW] <= k[CK_W]; /* a row of taps is one run */

	for (int32_t kh = 0, h = oh * k[CK_SH] - k[CK_PT]; kh < k[CK_KH]; kh++, h += k[CK_DH]) /* no division: small cores have none */
		for (int32_t kw = 0, v = v0; kw < k[CK_KW]; kw++, v += k[CK_DW]) {
			int32_t inside = h >= 0 && h < k[CK_H] && v >= 0 && v < k[CK_W];
			const int8_t *a = inside ? x + (size_t)(h * k[CK_W] + v) * (size_t)k[CK_C] : x, *end = d + (run ? k[CK_KW] * cg : cg);
			if (inside && k[CK_KH] * k[CK_KW] == 1) return a;
			if (inside) while (d < end) *d++ = *a++;
			else while (d < end) *d++ = (int8_t)k[QK_ZX];
			if (run) break;
		}
	return first;
}

/* What is stored of a sum of output channel o. */
static inline int8_t cop_window_result(const cop_call *call, int32_t o, int32_t sum)
{
	const int32_t *k = call->k, acc = cop_wrap_add(((const int32_t *)call->buf[3])[o], sum);
	return (int8_t)cop_clampi(cop_wrap_add(k[QK_ZY], cop_requant(acc, call->buf[4], o, k[CK_O], k[QK_TWICE], k[QK_UP])), k[CK_LO], k[CK_HI]);
}

/* All output pixels (oh, ow) of this part's rows, the results of each from y on; image: where the sample of it begins. */
typedef void cop_window_pixel(const cop_call *call, int8_t *y, const int8_t *image, int32_t oh, int32_t ow);
static inline void cop_window_pixels(const cop_call *call, cop_window_pixel *pixel)
{
	const int32_t *k = call->k;
	int32_t rows = k[CK_N] * k[CK_OH], to = cop_to(call, rows, 1), r = cop_from(call, rows, 1), oh = r % k[CK_OH];
	const int8_t *image = (const int8_t *)call->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]);
	int8_t *y = (int8_t *)call->buf[0] + (size_t)r * (size_t)k[CK_OW] * (size_t)k[CK_O];

	for (; r < to; r++) {
		for (int32_t ow = 0; ow < k[CK_OW]; ow++, y += k[CK_O]) pixel(call, y, image, oh, ow);
		if (++oh < k[CK_OH]) continue;
		oh = 0;
		image += (size_t)(k[CK_H] * k[CK_W] * k[CK_C]);
	}
}

#endif
