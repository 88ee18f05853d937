/* SPDX-License-Identifier: Apache-2.0
 *
 * eight.h - eight numbers at once, which is what a byte of bits is made of, whatever the lanes of the machine.
 */
#ifndef COP_EIGHT_H
#define COP_EIGHT_H

#include "kernel/qvec/qvec.h"

typedef int32_t v8 __attribute__((vector_size(32)));
typedef uint32_t v8w __attribute__((vector_size(32))); /* words: they wrap */
typedef int32_t v8u __attribute__((vector_size(32), aligned(4), may_alias));
typedef float f8u __attribute__((vector_size(32), aligned(4), may_alias));
typedef int8_t b8 __attribute__((vector_size(8)));
typedef int8_t b8u __attribute__((vector_size(8), aligned(1), may_alias));

AI v8 either(v8 mask, v8 yes, v8 no) { return (yes & mask) | (no & ~mask); }

#if defined(QPLAIN)
AI v8 eight_bytes(const int8_t *p) { return __builtin_convertvector((b8)*(const b8u *)p, v8); }
AI v8 least(v8 a, v8 b) { return either(a < b, a, b); }
AI v8 most(v8 a, v8 b) { return either(a > b, a, b); }
AI void put_eight(int8_t *p, v8 x) { *(b8u *)p = __builtin_convertvector(x, b8); }
#elif defined(__aarch64__)
typedef union halves { v8 v; int32x4_t part[2]; } halves;
AI v8 eight_bytes(const int8_t *p)
{
	const int16x8_t x = vmovl_s8(vld1_s8(p));
	return (halves){.part = {vmovl_s16(vget_low_s16(x)), vmovl_high_s16(x)}}.v;
}
AI v8 least(v8 a, v8 b)
{
	const halves x = {a}, y = {b};
	return (halves){.part = {vminq_s32(x.part[0], y.part[0]), vminq_s32(x.part[1], y.part[1])}}.v;
}
AI v8 most(v8 a, v8 b)
{
	const halves x = {a}, y = {b};
	return (halves){.part = {vmaxq_s32(x.part[0], y.part[0]), vmaxq_s32(x.part[1], y.part[1])}}.v;
}
AI void put_eight(int8_t *p, v8 x)
{
	const halves y = {x};
	vst1_s8(p, vmovn_s16(vcombine_s16(vmovn_s32(y.part[0]), vmovn_s32(y.part[1]))));
}
#else
AI v8 eight_bytes(const int8_t *p) { return (v8)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)); }
AI v8 least(v8 a, v8 b) { return (v8)_mm256_min_epi32((__m256i)a, (__m256i)b); }
AI v8 most(v8 a, v8 b) { return (v8)_mm256_max_epi32((__m256i)a, (__m256i)b); }
/* Lanes hold what fits in a byte. */
AI void put_eight(int8_t *p, v8 x)
{
	const __m128i h = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
	_mm_storel_epi64((void *)p, _mm_packs_epi16(h, h));
}
#endif

/* Bit i: the sign of lane i. */
AI unsigned ones_of(v8 mask)
{
#if defined(QPLAIN) || defined(__aarch64__)
	unsigned bits = 0;
	for (int i = 0; i < 8; i++) bits |= (mask[i] & 1u) << i;
	return bits;
#else
	return (unsigned)_mm256_movemask_ps((__m256)mask);
#endif
}

/* The lower half of a * b / 2^15, down. */
AI v8 times_2_15(v8 a, v8 b)
{
#if defined(QPLAIN)
	for (int i = 0; i < 8; i++) a[i] = (int32_t)((int64_t)a[i] * b[i] >> 15);
	return a;
#elif defined(__aarch64__)
	halves x = {a}, y = {b};
	for (int i = 0; i < 2; i++)
		x.part[i] = vcombine_s32(vshrn_n_s64(vmull_s32(vget_low_s32(x.part[i]), vget_low_s32(y.part[i])), 15), vshrn_n_s64(vmull_high_s32(x.part[i], y.part[i]), 15));
	return x.v;
#else
	const __m256i even = _mm256_srli_epi64(_mm256_mul_epi32((__m256i)a, (__m256i)b), 15);
	const __m256i odd = _mm256_slli_epi64(_mm256_mul_epi32(_mm256_srli_epi64((__m256i)a, 32), _mm256_srli_epi64((__m256i)b, 32)), 17);
	return (v8)_mm256_blend_epi32(even, odd, 0xaa);
#endif
}

#endif
