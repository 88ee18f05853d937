/* SPDX-License-Identifier: Apache-2.0
 *
 * qrescale - sums, or activations of int16, times a multiplier, by TFLite's double rounding, within bounds.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

static inline int32_t rescaled(int32_t x, const int32_t *k)
{
	return cop_clampi(cop_wrap_add(cop_scale_double(x, k[QT_MULT], k[QT_SHIFT]), k[QT_ZERO]), k[QT_LO], k[QT_HI]);
}

#define RESCALE(NAME, T, X)                                                                                            \
	void cop_qrescale_##NAME(const cop_call *c);                                                                   \
	void cop_qrescale_##NAME(const cop_call *c)                                                                    \
	{                                                                                                              \
		T *y = c->buf[0];                                                                                      \
		const X *x = c->buf[1];                                                                                \
		int32_t from = cop_from(c, c->k[QT_COUNT], 64), to = cop_to(c, c->k[QT_COUNT], 64);                    \
		for (int32_t i = from; i < to; i++) y[i] = (T)rescaled(x[i], c->k);                                    \
	}
RESCALE(i8, int8_t, int32_t)
RESCALE(i32, int32_t, int32_t)
RESCALE(i16, int16_t, int16_t)
RESCALE(i8_i16, int8_t, int16_t)
