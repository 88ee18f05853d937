/* SPDX-License-Identifier: Apache-2.0
 *
 * qaddconv - int8 sums of distances: no multiplication but the one that scales each result. What lies in the padding is ZX, a zero, and counts.
 */
#include "kernel/quant.h"
#include "kernel/window.h"

static int32_t distance(const int8_t *x, const int8_t *w, int32_t n)
{
	int32_t sum = 0;

	for (int32_t i = 0; i < n; i++) {
		int32_t d = x[i] - w[i];
		sum += d < 0 ? -d : d;
	}
	return sum;
}

/* Output pixel (oh, ow) of an image, all of its channels. */
static void pixel(const cop_call *call, int8_t *y, const int8_t *image, int32_t oh, int32_t ow)
{
	const int32_t *k = call->k, *b = call->buf[3], *m = call->buf[4];
	int32_t groups = k[CK_G], cg = k[CK_C] / groups, o_n = k[CK_O], og = o_n / groups, taps = k[CK_KH] * k[CK_KW] * cg;
	const int8_t *w = call->buf[2];

	for (int32_t g = 0; g < groups; g++, image += cg) {
		const int8_t *x = cop_window(call->work, k, image, cg, oh, ow);
		for (int32_t o = g * og; o < (g + 1) * og; o++, w += taps) {
			int32_t acc = cop_wrap_add(b[o], -distance(x, w, taps));
			*y++ = (int8_t)cop_clampi(cop_wrap_add(k[QK_ZY], cop_scale_single(acc, m[o], k[QK_UP])), k[CK_LO], k[CK_HI]);
		}
	}
}

void cop_qaddconv_i8(const cop_call *call) { cop_window_pixels(call, pixel); }
