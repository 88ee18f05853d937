/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize - floats to integers (ties away from zero, as TFLite) and back.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

#define QUANTIZE(NAME, T, LO, HI)                                                                                      \
	void cop_quantize_##NAME(const cop_call *c);                                                                   \
	void cop_quantize_##NAME(const cop_call *c)                                                                    \
	{                                                                                                              \
		T *y = c->buf[0];                                                                                      \
		const float *x = c->buf[1], scale = cop_f(c->k[QQ_SCALE]);                                             \
		int32_t from = cop_from(c, c->k[QQ_COUNT], 64), to = cop_to(c, c->k[QQ_COUNT], 64);                    \
		for (int32_t i = from; i < to; i++) y[i] = (T)cop_clampi(cop_round_away(x[i] / scale) + c->k[QQ_ZERO], LO, HI); \
	}
QUANTIZE(i8, int8_t, -128, 127)
QUANTIZE(u8, uint8_t, 0, 255)
QUANTIZE(i16, int16_t, -32768, 32767)

#define DEQUANTIZE(NAME, T)                                                                                            \
	void cop_dequantize_##NAME(const cop_call *c);                                                                 \
	void cop_dequantize_##NAME(const cop_call *c)                                                                  \
	{                                                                                                              \
		float *y = c->buf[0], scale = cop_f(c->k[QQ_SCALE]);                                                   \
		const T *x = c->buf[1];                                                                                \
		int32_t from = cop_from(c, c->k[QQ_COUNT], 64), to = cop_to(c, c->k[QQ_COUNT], 64);                    \
		for (int32_t i = from; i < to; i++) y[i] = scale * (float)((int32_t)x[i] - c->k[QQ_ZERO]);             \
	}
DEQUANTIZE(i8, int8_t)
DEQUANTIZE(u8, uint8_t)
DEQUANTIZE(i16, int16_t)
DEQUANTIZE(i32, int32_t)
