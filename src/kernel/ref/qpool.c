/* SPDX-License-Identifier: Apache-2.0
 *
 * qpool - averages of int8 and int16 over windows, NHWC. Cells in the padding count neither in the sum nor in the divisor.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

static int32_t mean(const int32_t *k, int32_t sum, int32_t cells)
{
	int32_t d = sum - cells * k[QP_ZX], half = cells / 2;

	if (k[QP_M]) return cop_wrap_add(k[QP_ZY], cop_scale_double(d, k[QP_M], k[QP_S]));
	return k[QP_ZX] + (d > 0 ? d + half : d - half) / cells;
}

#define AVGPOOL(NAME, T)                                                                                        \
	void cop_qavgpool_##NAME(const cop_call *call);                                                         \
	void cop_qavgpool_##NAME(const cop_call *call)                                                          \
	{                                                                                                       \
		const int32_t *k = call->k;                                                                     \
		int32_t rows = k[PK_N] * k[PK_OH], from = cop_from(call, rows, 1), to = cop_to(call, rows, 1), c_n = k[PK_C]; \
		T *y = (T *)call->buf[0] + (size_t)from * (size_t)k[PK_OW] * (size_t)c_n;                       \
		for (int32_t r = from; r < to; r++)                                                             \
			for (int32_t ow = 0; ow < k[PK_OW]; ow++) {                                             \
				const T *x = (const T *)call->buf[1] + (size_t)(r / k[PK_OH]) * (size_t)(k[PK_H] * k[PK_W] * c_n); \
				int32_t h0 = r % k[PK_OH] * k[PK_SH] - k[PK_PT], w0 = ow * k[PK_SW] - k[PK_PL], h1 = h0 + k[PK_KH], w1 = w0 + k[PK_KW]; \
				h0 = h0 < 0 ? 0 : h0;                                                           \
				w0 = w0 < 0 ? 0 : w0;                                                           \
				h1 = h1 > k[PK_H] ? k[PK_H] : h1;                                               \
				w1 = w1 > k[PK_W] ? k[PK_W] : w1;                                               \
				for (int32_t c = 0; c < c_n; c++) {                                             \
					int32_t sum = 0;                                                        \
					for (int32_t h = h0; h < h1; h++)                                       \
						for (int32_t w = w0; w < w1; w++) sum += x[(h * k[PK_W] + w) * c_n + c]; \
					*y++ = (T)cop_clampi(mean(k, sum, (h1 - h0) * (w1 - w0)), k[QP_LO], k[QP_HI]); \
				}                                                                               \
			}                                                                                       \
	}
AVGPOOL(i8, int8_t)
AVGPOOL(i16, int16_t)
