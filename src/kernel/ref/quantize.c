/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize - floats to bytes (ties away from zero, as TFLite) and back.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

void cop_quantize_i8(const cop_call *c)
{
	int8_t *y = c->buf[0];
	const float *x = c->buf[1], scale = cop_f(c->k[QQ_SCALE]);
	int32_t from = cop_from(c, c->k[QQ_COUNT], 64), to = cop_to(c, c->k[QQ_COUNT], 64);

	for (int32_t i = from; i < to; i++) y[i] = (int8_t)cop_clampi(cop_round_away(x[i] / scale) + c->k[QQ_ZERO], -128, 127);
}

void cop_quantize_u8(const cop_call *c)
{
	uint8_t *y = c->buf[0];
	const float *x = c->buf[1], scale = cop_f(c->k[QQ_SCALE]);
	int32_t from = cop_from(c, c->k[QQ_COUNT], 64), to = cop_to(c, c->k[QQ_COUNT], 64);

	for (int32_t i = from; i < to; i++) y[i] = (uint8_t)cop_clampi(cop_round_away(x[i] / scale) + c->k[QQ_ZERO], 0, 255);
}

#define DEQUANTIZE(name, type)                                                                                         \
	void name(const cop_call *c)                                                                                   \
	{                                                                                                              \
		float *y = c->buf[0], scale = cop_f(c->k[QQ_SCALE]);                                                   \
		const type *x = c->buf[1];                                                                             \
		int32_t from = cop_from(c, c->k[QQ_COUNT], 64), to = cop_to(c, c->k[QQ_COUNT], 64);                    \
		for (int32_t i = from; i < to; i++) y[i] = scale * (float)((int32_t)x[i] - c->k[QQ_ZERO]);             \
	}
DEQUANTIZE(cop_dequantize_i8, int8_t)
DEQUANTIZE(cop_dequantize_u8, uint8_t)
DEQUANTIZE(cop_dequantize_i32, int32_t)
