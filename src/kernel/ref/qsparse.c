/* SPDX-License-Identifier: Apache-2.0
 *
 * qsparse - int8 convolution whose weights are mostly zero, from rows of weights and gaps (kernel/gaps.h): the bits of qconv.c, as a product with a
 * zero adds nothing. The window of a pixel is put side by side in scratch first, unless it is one tap.
 */
#include "kernel/gaps.h"
#include "kernel/window.h"

static void pixel(const cop_call *call, int8_t *y, const int8_t *image, int32_t oh, int32_t ow)
{
	const int8_t *x = cop_window(call->work, call->k, image, call->k[CK_C], oh, ow);
	const uint32_t *w = call->pack;

	for (int32_t o = 0; o < call->k[CK_O]; o++) {
		const uint32_t *end = w + 1 + COP_GAP_WORDS * (*w >> 16);
		const int8_t *at = x;
		int32_t sum = 0;
		for (w++; w < end; w++) {
			uint32_t two = *w;
			at += two >> 8 & 255;
			sum = cop_wrap_add(sum, (int8_t)two * *at);
			at += two >> 24;
			sum = cop_wrap_add(sum, (int8_t)(two >> 16) * *at);
		}
		y[o] = cop_window_result(call, o, sum);
	}
}

void cop_qsparse_i8(const cop_call *call) { cop_window_pixels(call, pixel); }
