/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv - convolution of int8 or int16, weights i8, i4 or i2. Sums are integers: every order gives the same bits. What lies in the
 * padding is ZX, the zero of x, since the bias holds -ZX * sum w already.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

static inline int32_t weight_i8(const void *w, int32_t i) { return ((const int8_t *)w)[i]; }
static inline int32_t weight_i4(const void *w, int32_t i)
{
	int32_t b = ((const uint8_t *)w)[i / 2];
	return ((i % 2 ? b >> 4 : b & 15) ^ 8) - 8;
}
static int32_t weight_i2(const void *w, int32_t i) { return ((((const uint8_t *)w)[i / 4] >> (2 * (i % 4)) & 3) ^ 2) - 2; }

/* Products that 32 bits hold the sum of, whatever they are: of int16, 511 times 2^22. A whole sum of int8 is proven to fit, one of int16 has 64 bits. */
enum { MOST_i8 = INT32_MAX, MOST_i16 = 511 };
typedef int32_t sum_i8;
typedef int64_t sum_i16;

/* One result before it is scaled. w: the filter, from `at` on, its runs of c/g weights `run` elements apart. x: the image, from channel c0 on. No division: small
 * cores have none. */
#define DOT(X, T, WEIGHT)                                                                                       \
	static sum_##X dot_##X##_##WEIGHT(const int32_t *k, const T *x, const void *w, int32_t at, int32_t run, int32_t oh, int32_t ow) \
	{                                                                                                       \
		int32_t cg = k[CK_C] / k[CK_G];                                                                 \
		sum_##X s = 0;                                                                                  \
		for (int32_t kh = 0, h = oh * k[CK_SH] - k[CK_PT]; kh < k[CK_KH]; kh++, h += k[CK_DH])          \
			for (int32_t kw = 0, v = ow * k[CK_SW] - k[CK_PL]; kw < k[CK_KW]; kw++, v += k[CK_DW], at += run) { \
				int32_t inside = h >= 0 && h < k[CK_H] && v >= 0 && v < k[CK_W];                \
				const T *a = inside ? x + (size_t)(h * k[CK_W] + v) * (size_t)k[CK_C] : x;      \
				for (int32_t c = 0; c < cg;) {                                                  \
					int32_t part = 0, end = cg - c > MOST_##X ? c + MOST_##X : cg;          \
					for (; c < end; c++) part += weight_##WEIGHT(w, at + c) * (inside ? a[c] : k[QK_ZX]); \
					s += part;                                                              \
				}                                                                               \
			}                                                                                       \
		return s;                                                                                       \
	}

/* y: NAME is of activations X and weights WEIGHT, whose runs begin at multiples of TO_WHOLE + 1. */
#define QCONV(NAME, X, T, WEIGHT, TO_WHOLE, REQUANT)                                                            \
	DOT(X, T, WEIGHT)                                                                                       \
	void cop_qconv_##NAME(const cop_call *call);                                                            \
	void cop_qconv_##NAME(const cop_call *call)                                                             \
	{                                                                                                       \
		const int32_t *k = call->k, *b = call->buf[3], *m = call->buf[4];                               \
		int32_t rows = k[CK_N] * k[CK_OH], from = cop_from(call, rows, 1), to = cop_to(call, rows, 1), o_n = k[CK_O]; \
		int32_t cg = k[CK_C] / k[CK_G], og = o_n / k[CK_G], run = (cg + (TO_WHOLE)) & ~(TO_WHOLE), filter = k[CK_KH] * k[CK_KW] * run; \
		T *y = (T *)call->buf[0] + (size_t)from * (size_t)k[CK_OW] * (size_t)o_n;                       \
		for (int32_t r = from; r < to; r++)                                                             \
			for (int32_t ow = 0; ow < k[CK_OW]; ow++)                                               \
				for (int32_t o = 0; o < o_n; o++) {                                             \
					const T *x = (const T *)call->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]) + o / og * cg; \
					sum_##X acc = b[o] + dot_##X##_##WEIGHT(k, x, call->buf[2], o * filter, run, r % k[CK_OH], ow); \
					*y++ = (T)cop_clampi(cop_wrap_add(k[QK_ZY], REQUANT(acc, m, o, o_n, k[QK_TWICE], k[QK_UP])), k[CK_LO], k[CK_HI]); \
				}                                                                               \
	}
QCONV(i8, i8, int8_t, i8, 0, cop_requant)
QCONV(i4, i8, int8_t, i4, 1, cop_requant)
QCONV(i2, i8, int8_t, i2, 3, cop_requant)
QCONV(i16, i16, int16_t, i8, 0, cop_requant_wide)
QCONV(i16_i4, i16, int16_t, i4, 1, cop_requant_wide)
