/* SPDX-License-Identifier: Apache-2.0
 *
 * qsparse - int8 convolution whose weights are mostly zero, from rows of weights and gaps (kernel/gaps.h): the bits of qconv.c, as a product with a
 * zero adds nothing. The window of a pixel is put side by side in scratch first, unless it is one tap.
 */
#include "kernel/gaps.h"
#include "kernel/quant.h"
#include "kernel/window.h"

void cop_qsparse_i8(const cop_call *c)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	int32_t o_n = k[CK_O], rows = k[CK_N] * k[CK_OH], from = cop_from(c, rows, 1), to = cop_to(c, rows, 1);
	int8_t *y = (int8_t *)c->buf[0] + (size_t)from * (size_t)k[CK_OW] * (size_t)o_n;

	for (int32_t i = from * k[CK_OW]; i < to * k[CK_OW]; i++) {
		int32_t r = i / k[CK_OW];
		const int8_t *image = (const int8_t *)c->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]);
		const int8_t *x = cop_window(c->work, k, image, k[CK_C], r % k[CK_OH], i % k[CK_OW]);
		const uint32_t *w = c->pack;
		for (int32_t o = 0; o < o_n; o++) {
			const uint32_t *end = w + 1 + COP_GAP_WORDS * (*w >> 16);
			const int8_t *at = x;
			int32_t s = b[o];
			for (w++; w < end; w++) {
				uint32_t two = *w;
				at += two >> 8 & 255;
				s = cop_wrap_add(s, (int8_t)two * *at);
				at += two >> 24;
				s = cop_wrap_add(s, (int8_t)(two >> 16) * *at);
			}
			*y++ = (int8_t)cop_clampi(cop_wrap_add(k[QK_ZY], cop_requant(s, m, o, o_n, k[QK_TWICE], k[QK_UP])), k[CK_LO], k[CK_HI]);
		}
	}
}
