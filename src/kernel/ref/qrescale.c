/* SPDX-License-Identifier: Apache-2.0
 *
 * qrescale - sums times a multiplier, by TFLite's double rounding, within bounds.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

static inline int32_t rescaled(int32_t x, const int32_t *k)
{
	return cop_clampi(cop_wrap_add(cop_scale_double(x, k[QT_MULT], k[QT_SHIFT]), k[QT_ZERO]), k[QT_LO], k[QT_HI]);
}

void cop_qrescale_i8(const cop_call *c)
{
	int8_t *y = c->buf[0];
	const int32_t *x = c->buf[1], *k = c->k;
	int32_t from = cop_from(c, k[QT_COUNT], 64), to = cop_to(c, k[QT_COUNT], 64);

	for (int32_t i = from; i < to; i++) y[i] = (int8_t)rescaled(x[i], k);
}

void cop_qrescale_i32(const cop_call *c)
{
	int32_t *y = c->buf[0];
	const int32_t *x = c->buf[1], *k = c->k;
	int32_t from = cop_from(c, k[QT_COUNT], 64), to = cop_to(c, k[QT_COUNT], 64);

	for (int32_t i = from; i < to; i++) y[i] = rescaled(x[i], k);
}
