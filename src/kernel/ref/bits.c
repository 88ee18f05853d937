/* SPDX-License-Identifier: Apache-2.0
 *
 * bits - numbers as bits and back: bit i of a row is bit i % 8 of its byte i / 8.
 */
#include "kernel/kernel.h"

/* Of a row of C numbers x, those from b on, as a byte: 1 from the edge of its channel on. */
#define PACKBITS(NAME, T, EDGE)                                                                                 \
	void cop_packbits_##NAME(const cop_call *call);                                                         \
	void cop_packbits_##NAME(const cop_call *call)                                                          \
	{                                                                                                       \
		int32_t c = call->k[PB_C], bytes = (c + 7) / 8, rows = call->k[PB_ROWS];                        \
		const EDGE zero = (EDGE)call->k[PB_ZERO], *t = call->buf[2] ? call->buf[2] : &zero;             \
		int32_t step = call->buf[2] ? 1 : 0;                                                            \
		for (int32_t r = cop_from(call, rows, 1), to = cop_to(call, rows, 1); r < to; r++) {            \
			const T *x = (const T *)call->buf[1] + (size_t)r * (size_t)c;                           \
			uint8_t *y = (uint8_t *)call->buf[0] + (size_t)r * (size_t)bytes;                       \
			const EDGE *edge = t;                                                                   \
			for (int32_t b = 0; b < bytes; b++) {                                                   \
				uint32_t bits = 0;                                                              \
				for (int32_t i = 0; i < 8 && b * 8 + i < c; i++, edge += step) bits |= (uint32_t)(x[b * 8 + i] >= *edge) << i; \
				y[b] = (uint8_t)bits;                                                           \
			}                                                                                       \
		}                                                                                               \
	}
PACKBITS(f32, float, float)
PACKBITS(i8, int8_t, int32_t)

#define UNPACKBITS(NAME, T)                                                                                     \
	void cop_unpackbits_##NAME(const cop_call *call);                                                       \
	void cop_unpackbits_##NAME(const cop_call *call)                                                        \
	{                                                                                                       \
		int32_t c = call->k[UB_C], bytes = (c + 7) / 8, rows = call->k[UB_ROWS];                        \
		T zero = (T)call->k[UB_ZERO], one = (T)call->k[UB_ONE];                                               \
		for (int32_t r = cop_from(call, rows, 1), to = cop_to(call, rows, 1); r < to; r++) {            \
			const uint8_t *x = (const uint8_t *)call->buf[1] + (size_t)r * (size_t)bytes;           \
			T *y = (T *)call->buf[0] + (size_t)r * (size_t)c;                                       \
			for (int32_t i = 0; i < c; i++) y[i] = x[i / 8] >> (i % 8) & 1 ? one : zero;               \
		}                                                                                               \
	}
UNPACKBITS(f32, float)
UNPACKBITS(i8, int8_t)
