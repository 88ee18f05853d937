/* SPDX-License-Identifier: Apache-2.0
 *
 * vec.h - a vector of VW floats in the compiler's vector extensions, and the few things those lack.
 *
 * Each file of this folder is compiled once for each ISA, with -DVW=4 (NEON), 8 (AVX2) or 16 (AVX-512) and VN(x),
 * which names x for that ISA: VN(conv_f32) is cop_conv_f32_avx2. Only minimum, maximum and the stores of part of
 * a vector are written per ISA.
 * Loads may run over the end of a tensor: every buffer has 64 readable bytes behind it. Stores never do.
 */
#ifndef COP_VEC_H
#define COP_VEC_H

#include "kernel/kernel.h"

#include <string.h>
#if VW == 4 && defined(__aarch64__)
#include <arm_neon.h>
#elif VW > 4
#include <immintrin.h>
#endif

#ifndef VN
#define VN_(x, isa) cop_##x##_##isa
#if VW == 16
#define VN(x) VN_(x, avx512)
#elif VW == 8
#define VN(x) VN_(x, avx2)
#else
#define VN(x) VN_(x, neon)
#endif
#endif

typedef float v __attribute__((vector_size(VW * 4)));
typedef int32_t vi __attribute__((vector_size(VW * 4)));
typedef float vu __attribute__((vector_size(VW * 4), aligned(4), may_alias));
typedef int32_t viu __attribute__((vector_size(VW * 4), aligned(4), may_alias));
typedef uint32_t vw __attribute__((vector_size(VW * 4))); /* words: they wrap */

#define AI static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
/* Before a loop of constant count: arrays of vectors indexed by it then live in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif

#define LD(p) ((v)*(const vu *)(p))
#define ST(p, x) (*(vu *)(p) = (vu)(x))
#define LDI(p) ((vi)*(const viu *)(p))
#define STI(p, x) (*(viu *)(p) = (viu)(x))

AI v splat(float x)
{
#if VW == 16
	return (v)_mm512_set1_ps(x);
#elif VW == 8
	return (v)_mm256_set1_ps(x);
#else
	return (v){x, x, x, x};
#endif
}

AI vi splati(int32_t x)
{
#if VW == 16
	return (vi)_mm512_set1_epi32(x);
#elif VW == 8
	return (vi)_mm256_set1_epi32(x);
#else
	return (vi){x, x, x, x};
#endif
}

/* The larger and the smaller; y when either is NaN, so that vmax(lo, y) lets a NaN through. */
AI v vmax(v a, v y)
{
#if VW == 16
	return (v)_mm512_max_ps((__m512)a, (__m512)y);
#elif VW == 8
	return (v)_mm256_max_ps((__m256)a, (__m256)y);
#else
	vi m = a > y;
	return (v)(((vi)a & m) | ((vi)y & ~m));
#endif
}

AI v vmin(v a, v y)
{
#if VW == 16
	return (v)_mm512_min_ps((__m512)a, (__m512)y);
#elif VW == 8
	return (v)_mm256_min_ps((__m256)a, (__m256)y);
#else
	vi m = a < y;
	return (v)(((vi)a & m) | ((vi)y & ~m));
#endif
}

/* The fused activation. */
AI v clamp(v y, v lo, v hi) { return vmin(hi, vmax(lo, y)); }
AI float clamp1(float y, float lo, float hi)
{
	y = y < lo ? lo : y;
	return y > hi ? hi : y;
}

/* a where the mask (all ones or zero, as comparisons give) is set, else b. */
AI v choose(vi mask, v a, v b) { return (v)(((vi)a & mask) | ((vi)b & ~mask)); }

/* A bit for each lane that is set. */
AI uint32_t bits_of(vi set)
{
#if VW == 16
	return _mm512_movepi32_mask((__m512i)set);
#elif VW == 8
	return (uint32_t)_mm256_movemask_ps((__m256)set);
#else
	const vi one = set & (vi){1, 2, 4, 8};
	return (uint32_t)(one[0] | one[1] | one[2] | one[3]);
#endif
}

/* 0, 1, 2, ... */
AI vi lanes(void)
{
	vi r;
	UNROLL
	for (int i = 0; i < VW; i++) r[i] = i;
	return r;
}

/* The first n lanes from memory, 0 < n <= VW; the others are 0. Reads whole vectors. */
AI v ldn(const float *p, long n)
{
#if VW == 16
	return (v)_mm512_maskz_loadu_ps((__mmask16)(0xffffu >> (16 - n)), p);
#else
	return (v)((vi)LD(p) & (lanes() < splati((int32_t)n)));
#endif
}

/* Stores the first n lanes, 0 < n <= VW. */
AI void stn(float *p, v x, long n)
{
#if VW == 16
	_mm512_mask_storeu_ps(p, (__mmask16)(0xffffu >> (16 - n)), (__m512)x);
#elif VW == 8
	__m128 h = _mm256_castps256_ps128((__m256)x);
	if (n == 8) {
		ST(p, x);
		return;
	}
	if (n & 4) {
		_mm_storeu_ps(p, h);
		h = _mm256_extractf128_ps((__m256)x, 1);
		p += 4;
	}
	if (n & 2) {
		_mm_storel_pi((__m64 *)p, h);
		h = _mm_movehl_ps(h, h);
		p += 2;
	}
	if (n & 1) _mm_store_ss(p, h);
#else
	for (long i = 0; i < n; i++) p[i] = x[i];
#endif
}

/* The sum of all lanes, always in the same order: upper half onto lower half. */
AI float vsum(v a)
{
#if VW == 4
	float x = a[0] + a[2], y = a[1] + a[3];
	return x + y;
#else
#if VW == 16
	__m256 h = _mm256_add_ps(_mm512_castps512_ps256((__m512)a), _mm512_extractf32x8_ps((__m512)a, 1));
#else
	__m256 h = (__m256)a;
#endif
	__m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(q) + _mm_cvtss_f32(_mm_shuffle_ps(q, q, 1));
#endif
}

AI long lmin(long a, long b) { return a < b ? a : b; }

/* The smaller of integers. */
AI vi imin(vi a, vi b)
{
	const vi m = a < b;
	return (a & m) | (b & ~m);
}

/* Does a row list (NULL: none) count and name rows that are there? Where not, the portable kernel says what becomes of it. */
AI bool vrows_fit(const int32_t *list, int32_t cap, int32_t rows)
{
	if (!list) return true;
	if (list[0] != cop_listed(list, cap)) return false;
	for (int32_t i = 1; i <= list[0]; i++)
		if (list[i] != cop_inside(list[i], rows)) return false;
	return true;
}
AI long lmax(long a, long b) { return a > b ? a : b; }

/* Floats into floats: short runs that memcpy would call out for. */
AI void vcopy(float *y, const float *x, long n)
{
	long i = 0;
	for (; i + VW <= n; i += VW) ST(y + i, LD(x + i));
	if (i < n) stn(y + i, LD(x + i), n - i);
}

AI void vzero(float *y, long n)
{
	long i = 0;
	for (; i + VW <= n; i += VW) ST(y + i, (v){0});
	if (i < n) stn(y + i, (v){0}, n - i);
}

#endif
