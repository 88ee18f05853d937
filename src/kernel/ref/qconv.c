/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv - int8 convolution, weights i8 or i4. Sums are integers: every order gives the same bits. What lies in the
 * padding is ZX, the zero of x, since the bias holds -ZX * sum w already.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

typedef int32_t weight_of(const void *w, int32_t i);

static int32_t weight_i8(const void *w, int32_t i) { return ((const int8_t *)w)[i]; }
static int32_t weight_i4(const void *w, int32_t i)
{
	int32_t b = ((const uint8_t *)w)[i / 2];
	return ((i % 2 ? b >> 4 : b & 15) ^ 8) - 8;
}

/* One result before it is scaled. w: the filter, its runs of c/g weights `run` elements apart. x: the image, from channel c0 on. */
static int32_t dot(const int32_t *k, const int8_t *x, const void *w, weight_of *get, int32_t base, int32_t run, int32_t oh, int32_t ow)
{
	int32_t cg = k[CK_C] / k[CK_G], s = 0;

	for (int32_t tap = 0; tap < k[CK_KH] * k[CK_KW]; tap++) {
		int32_t h = oh * k[CK_SH] - k[CK_PT] + tap / k[CK_KW] * k[CK_DH], v = ow * k[CK_SW] - k[CK_PL] + tap % k[CK_KW] * k[CK_DW];
		int32_t inside = h >= 0 && h < k[CK_H] && v >= 0 && v < k[CK_W], at = base + tap * run;
		const int8_t *a = inside ? x + (size_t)(h * k[CK_W] + v) * (size_t)k[CK_C] : x;
		for (int32_t c = 0; c < cg; c++) s += get(w, at + c) * (inside ? a[c] : k[QK_ZX]);
	}
	return s;
}

static inline void qconv(const cop_call *call, weight_of *get, int32_t to_whole)
{
	const int32_t *k = call->k, *b = call->buf[3], *m = call->buf[4];
	int32_t rows = k[CK_N] * k[CK_OH], from = cop_from(call, rows, 1), to = cop_to(call, rows, 1), o_n = k[CK_O];
	int32_t cg = k[CK_C] / k[CK_G], og = o_n / k[CK_G], run = (cg + to_whole) & ~to_whole, filter = k[CK_KH] * k[CK_KW] * run;
	int8_t *y = (int8_t *)call->buf[0] + (size_t)from * (size_t)k[CK_OW] * (size_t)o_n;

	for (int32_t r = from; r < to; r++)
		for (int32_t ow = 0; ow < k[CK_OW]; ow++)
			for (int32_t o = 0; o < o_n; o++) {
				const int8_t *x = (const int8_t *)call->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]) + o / og * cg;
				int32_t acc = b[o] + dot(k, x, call->buf[2], get, o * filter, run, r % k[CK_OH], ow);
				*y++ = (int8_t)cop_clampi(cop_wrap_add(k[QK_ZY], cop_requant(acc, m, o, o_n, k[QK_TWICE], k[QK_UP])), k[CK_LO], k[CK_HI]);
			}
}

void cop_qconv_i8(const cop_call *call) { qconv(call, weight_i8, 0); }
void cop_qconv_i4(const cop_call *call) { qconv(call, weight_i4, 1); }
