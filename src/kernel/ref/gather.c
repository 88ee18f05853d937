/* SPDX-License-Identifier: Apache-2.0
 *
 * gather - runs of INNER elements picked by index, by the width of an element. resample - weighted sums of TAPS such runs,
 * in the order of the table. An index from outside never leaves the operand.
 */
#include "kernel/kernel.h"

void cop_gather_32(const cop_call *c);
void cop_gather_16(const cop_call *c);
void cop_gather_8(const cop_call *c);
void cop_resample_f32(const cop_call *c);

static inline int32_t inside(int32_t i, int32_t n)
{
	i += i < 0 ? n : 0;
	return i < 0 ? 0 : i >= n ? n - 1 : i;
}

#define GATHER(BITS, T)                                                                                         \
	void cop_gather_##BITS(const cop_call *c)                                                               \
	{                                                                                                       \
		const int32_t *k = c->k, *index = c->buf[2], inner = k[OK_INNER], rows = k[OK_OUTER] * k[OK_COUNT]; \
		for (int32_t r = cop_from(c, rows, 1), end = cop_to(c, rows, 1); r < end; r++) {                \
			ptrdiff_t from = (ptrdiff_t)(r / k[OK_COUNT]) * k[OK_N] + inside(index[r % k[OK_COUNT]], k[OK_N]); \
			const T *x = (const T *)c->buf[1] + from * inner;                                       \
			T *y = (T *)c->buf[0] + (ptrdiff_t)r * inner;                                           \
			for (int32_t i = 0; i < inner; i++) y[i] = x[i];                                        \
		}                                                                                               \
	}
GATHER(32, uint32_t)
GATHER(16, uint16_t)
GATHER(8, uint8_t)

void cop_resample_f32(const cop_call *c)
{
	const int32_t *k = c->k, *index = c->buf[2], inner = k[OK_INNER], taps = k[OK_TAPS], rows = k[OK_OUTER] * k[OK_COUNT];
	const float *w = c->buf[3];

	for (int32_t r = cop_from(c, rows, 1), end = cop_to(c, rows, 1); r < end; r++) {
		const float *x = (const float *)c->buf[1] + (ptrdiff_t)(r / k[OK_COUNT]) * k[OK_N] * inner;
		float *y = (float *)c->buf[0] + (ptrdiff_t)r * inner;
		int32_t at = r % k[OK_COUNT] * taps;
		for (int32_t t = 0; t < taps; t++) {
			const float *from = x + (ptrdiff_t)inside(index[at + t], k[OK_N]) * inner;
			float f = w[at + t];
			if (!t)
				for (int32_t i = 0; i < inner; i++) y[i] = f * from[i];
			else
				for (int32_t i = 0; i < inner; i++) y[i] += f * from[i];
		}
	}
}
