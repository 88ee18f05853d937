/* SPDX-License-Identifier: Apache-2.0
 *
 * pow2 - rounding to powers of two, by the bits of floats: the exponent goes up where the fraction is above that of the root of 2.
 */
#include "kernel/kernel.h"

enum { GRAIN = 64, BIAS = 127, ROOT = 0x3504f3 /* fraction of the largest float below sqrt(2) */ };

static uint32_t rounded(uint32_t u, int32_t lo, int32_t hi, int32_t zero)
{
	uint32_t size = u & 0x7fffffff;
	int32_t p = (int32_t)(size >> 23) - BIAS + ((size & 0x7fffff) > ROOT);

	if (size > 0x7f800000) return u; /* NaN */
	if (!size || (zero && size < (uint32_t)(lo - 1 + BIAS) << 23)) return 0;
	p = p < lo ? lo : p > hi ? hi : p;
	return (u & 0x80000000) | (uint32_t)(p + BIAS) << 23;
}

void cop_pow2_f32(const cop_call *c)
{
	const int32_t *k = c->k, to = cop_to(c, k[P2_COUNT], GRAIN);
	const uint32_t *x = c->buf[1];
	uint32_t *y = c->buf[0];

	for (int32_t i = cop_from(c, k[P2_COUNT], GRAIN); i < to; i++) y[i] = rounded(x[i], k[P2_LO], k[P2_HI], k[P2_ZERO]);
}
