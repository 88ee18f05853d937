/* SPDX-License-Identifier: Apache-2.0
 *
 * qadd - int8 sums rounded once, for Cortex-M with DSP instructions: seven instructions an element. The zero points of the
 * operands are one constant; a most significant product is the shift, the rounding and the zero point of the result. In place.
 */
#include "kernel/cortexm/dsp.h"

static inline int8_t sum(int32_t a, int32_t b, int32_t ma, int32_t mb, int32_t zeros, int32_t shift, int32_t zero)
{
	return (int8_t)cop_sat8(cop_scale_add((int32_t)((uint32_t)(a * ma) + (uint32_t)(b * mb) + (uint32_t)zeros), shift, zero));
}

void cop_qadd_dsp(const cop_call *c)
{
	const int32_t *k = c->k;
	const int8_t *a = c->buf[1], *b = c->buf[2];
	int8_t *y = c->buf[0];
	int32_t ma = k[QA_MA], mb = k[QA_MB], zero = k[QA_ZY], zeros = -k[QA_ZA] * ma - k[QA_ZB] * mb, shift = (int32_t)(1u << (32 - k[QA_SY])), n = k[QA_COUNT];

	for (; n >= 4; n -= 4, a += 4, b += 4, y += 4) {
		y[0] = sum(a[0], b[0], ma, mb, zeros, shift, zero);
		y[1] = sum(a[1], b[1], ma, mb, zeros, shift, zero);
		y[2] = sum(a[2], b[2], ma, mb, zeros, shift, zero);
		y[3] = sum(a[3], b[3], ma, mb, zeros, shift, zero);
	}
	for (; n; n--) *y++ = sum(*a++, *b++, ma, mb, zeros, shift, zero);
}
