/* SPDX-License-Identifier: Apache-2.0
 *
 * packbits - numbers as bits, eight channels at once: each is compared with the edge of its channel, or all with one number.
 */
#include "kernel/qvec/eight.h"

#if defined(QPLAIN) || defined(__AVX512VPOPCNTDQ__) || (PAIRS && ((defined(__AVX2__) && VW == 8) || defined(__aarch64__)))

AI v8 not_below_i8(const int8_t *x, const int32_t *edge, v8 zero) { return eight_bytes(x) >= (edge ? (v8)*(const v8u *)edge : zero); }
AI v8 not_below_f32(const float *x, const float *edge, v8 zero)
{
	typedef float f8 __attribute__((vector_size(32)));
	return (f8)*(const f8u *)x >= (edge ? (f8)*(const f8u *)edge : __builtin_convertvector(zero, f8));
}

#define PACKBITS(NAME, T, EDGE)                                                                                                               \
	void VN(packbits_##NAME)(const cop_call *call)                                                                                        \
	{                                                                                                                                     \
		const int32_t c = call->k[PB_C], bytes = (c + 7) / 8, rows = call->k[PB_ROWS], zero = call->k[PB_ZERO];                       \
		const EDGE *t = call->buf[2];                                                                                                 \
		const v8 zeros = (v8){0} + zero;                                                                                              \
		for (int32_t r = cop_from(call, rows, 1), to = cop_to(call, rows, 1); r < to; r++) {                                          \
			const T *x = (const T *)call->buf[1] + (size_t)r * (size_t)c;                                                         \
			uint8_t *y = (uint8_t *)call->buf[0] + (size_t)r * (size_t)bytes;                                                     \
			int32_t i = 0;                                                                                                        \
			for (; i + 8 <= c; i += 8) *y++ = (uint8_t)ones_of(not_below_##NAME(x + i, t ? t + i : NULL, zeros));                 \
			for (unsigned bits = 0, at = 0; i < c; i++) {                                                                         \
				bits |= (unsigned)(x[i] >= (t ? t[i] : (EDGE)zero)) << at++;                                                  \
				*y = (uint8_t)bits;                                                                                           \
			}                                                                                                                     \
		}                                                                                                                             \
	}
PACKBITS(f32, float, float)
PACKBITS(i8, int8_t, int32_t)

#endif
