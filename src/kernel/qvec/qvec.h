/* SPDX-License-Identifier: Apache-2.0
 *
 * qvec.h - the few operations of an ISA that the fast int8 kernels are written in. Each file of this folder is compiled once
 * for each ISA, with -DVW (lanes of 32 bits) and -DQISA (the name that VN gives its symbols).
 *
 * A 32-bit lane of an activation vector holds G neighbours of a sum: two i16 (multiply and add pairs: exact, which
 * vpmaddubsw is not), four bytes (dot-product instructions) or half of eight (products of matrices). x86 multiplies unsigned by signed bytes, so there an activation
 * is staged as q + 128 and 128 * sum w is taken off the bias. Results are the same bits as those of kernel/ref.
 * Loads may run over the end of a tensor by 64 bytes, stores never do.
 */
#ifndef COP_QVEC_H
#define COP_QVEC_H

#include "kernel/kernel.h"

#include <string.h>
#if defined(QPLAIN)
#elif defined(__aarch64__)
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif

#define VN__(x, isa) cop_##x##_##isa
#define VN_(x, isa) VN__(x, isa)
#define VN(x) VN_(x, QISA)

#if defined(QPLAIN) || defined(__AVX512VNNI__) || defined(__AVXVNNI__)
enum { G = 4, OFFSET = 128 };
typedef uint8_t qe; /* an activation as it is staged */
typedef int8_t qw;  /* a depthwise weight as it is packed */
#elif defined(__ARM_FEATURE_MATMUL_INT8)
#define MATRICES 1 /* 2 pixels by 8 of a sum, times 8 by 2 channels: dense layers alone */
enum { G = 8, OFFSET = 0 };
typedef int8_t qe, qw;
#elif defined(__ARM_FEATURE_DOTPROD)
enum { G = 4, OFFSET = 0 };
typedef int8_t qe, qw;
#else
#define PAIRS 1
enum { G = 2, OFFSET = 0 };
typedef int16_t qe, qw;
#endif
#ifndef MATRICES
#define MATRICES 0
#endif

#if VW == 8 && defined(__AVX512VL__) /* half of the lanes that there are */
#define NARROW 1
#else
#define NARROW 0
#endif

typedef int32_t vi __attribute__((vector_size(VW * 4)));
typedef int32_t viu __attribute__((vector_size(VW * 4), aligned(1), may_alias));
typedef float vf __attribute__((vector_size(VW * 4)));
typedef uint32_t vw __attribute__((vector_size(VW * 4))); /* words: they wrap */
typedef float vfu __attribute__((vector_size(VW * 4), aligned(4), may_alias));
typedef int8_t b16 __attribute__((vector_size(16)));
typedef int8_t b16u __attribute__((vector_size(16), aligned(1), may_alias));
typedef int8_t bvu __attribute__((vector_size(VW), aligned(1), may_alias));
typedef int16_t h16 __attribute__((vector_size(32)));
typedef int16_t h16u __attribute__((vector_size(32), aligned(1), may_alias));
typedef int32_t word __attribute__((aligned(1), may_alias));

#define AI static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif
#define LDI(p) ((vi)*(const viu *)(p))
#define STI(p, x) (*(viu *)(p) = (viu)(x))
#define LDB(p) ((b16)*(const b16u *)(p))
#define STB(p, x) (*(b16u *)(p) = (b16u)(x))

AI long lmin(long a, long b) { return a < b ? a : b; }
AI long lmax(long a, long b) { return a > b ? a : b; }
AI long up_to(long a, long b) { return (a + b - 1) / b * b; }

/* Weight i, of 8, 4 or 2 bits, of the run of c at a tap; a run begins at a byte. */
AI int8_t weight_at(const void *w, int bits, long tap, long c, long i)
{
	const long each = 8 / bits, sign = 1 << (bits - 1);
	long v = ((const uint8_t *)w)[tap * ((c + each - 1) / each) + i / each] >> i % each * bits & (2 * sign - 1);
	return (int8_t)((v ^ sign) - sign);
}

/* What all results of a call share. up: of the single rounding. plain: every shift of the double one is to the right, by
 * little, and no sum is large, so that the zero point can be added before the shift. */
typedef struct rule {
	int32_t zy, up;
	bool twice, plain;
	int8_t lo, hi;
} rule;

#if defined(QPLAIN) /* any machine: what there is instead of instructions it may lack, for tests */

AI vi splat(int32_t x) { return (vi){0} + x; }
AI vi load_w(const int8_t *p) { return LDI(p); }
AI vi load_qw(const qw *p) { return LDI(p); }
AI vi dot(vi acc, vi x, vi w)
{
	for (int i = 0; i < VW; i++)
		for (int g = 0; g < 4; g++) acc[i] += (uint8_t)(x[i] >> 8 * g) * (int8_t)(w[i] >> 8 * g);
	return acc;
}
AI vi once(vi a, vi m, int64_t half, int right)
{
	for (int i = 0; i < VW; i++) a[i] = (int32_t)(((int64_t)a[i] * m[i] + half) >> right);
	return a;
}
AI vi high_mul(vi a, vi m)
{
	for (int i = 0; i < VW; i++) a[i] = (int32_t)(((int64_t)a[i] * m[i] + (1 << 30)) >> 31);
	return a;
}
AI vi sll(vi a, vi n) { return (vi)((vi)a << n); }
AI vi sra(vi a, vi n) { return a >> n; }
AI vi vmax(vi a, vi b) { return (a & (a > b)) | (b & ~(a > b)); }
AI b16 bytes_clamp(b16 y, const rule *r)
{
	for (int i = 0; i < 16; i++) y[i] = y[i] < r->lo ? r->lo : y[i] > r->hi ? r->hi : y[i];
	return y;
}
AI b16 narrow(vi a)
{
	b16 y = {0};
	for (int i = 0; i < VW; i++) y[i] = (int8_t)(a[i] < -128 ? -128 : a[i] > 127 ? 127 : a[i]);
	return y;
}

#elif defined(__aarch64__)

AI vi splat(int32_t x) { return (vi)vdupq_n_s32(x); }
#if PAIRS
AI vi load_w(const int8_t *p) { return (vi)vmovl_s8(vld1_s8(p)); }
AI vi dot(vi acc, vi x, vi w) /* the first of each pair in the lower half, the second in the upper one */
{
	int32x4_t a = vmlal_s16((int32x4_t)acc, vget_low_s16((int16x8_t)w), vget_low_s16((int16x8_t)x));
	return (vi)vmlal_high_s16(a, (int16x8_t)w, (int16x8_t)x);
}
#define DOT_ALL
AI vi dot_all(vi acc, vi x, vi w)
{
	int16x4_t pair = vget_low_s16((int16x8_t)x);
	int32x4_t a = vmlal_lane_s16((int32x4_t)acc, vget_low_s16((int16x8_t)w), pair, 0);
	return (vi)vmlal_high_lane_s16(a, (int16x8_t)w, pair, 1);
}
#else
AI vi load_w(const int8_t *p) { return LDI(p); }
AI vi dot(vi acc, vi x, vi w) { return (vi)vdotq_s32((int32x4_t)acc, (int8x16_t)w, (int8x16_t)x); }
#endif
AI vi load_qw(const qw *p) { return LDI(p); }
AI vi once(vi a, vi m, int64_t half, int right)
{
	int64x2_t down = vdupq_n_s64(-right), add = vdupq_n_s64(half);
	int64x2_t l = vaddq_s64(vmull_s32(vget_low_s32((int32x4_t)a), vget_low_s32((int32x4_t)m)), add);
	int64x2_t h = vaddq_s64(vmull_high_s32((int32x4_t)a, (int32x4_t)m), add);
	return (vi)vcombine_s32(vmovn_s64(vshlq_s64(l, down)), vmovn_s64(vshlq_s64(h, down)));
}
AI vi high_mul(vi a, vi m) { return (vi)vqrdmulhq_s32((int32x4_t)a, (int32x4_t)m); }
AI vi sll(vi a, vi n) { return (vi)vshlq_s32((int32x4_t)a, (int32x4_t)n); }
AI vi sra(vi a, vi n) { return (vi)vshlq_s32((int32x4_t)a, vnegq_s32((int32x4_t)n)); }
AI vi vmax(vi a, vi b) { return (vi)vmaxq_s32((int32x4_t)a, (int32x4_t)b); }
AI b16 bytes_clamp(b16 y, const rule *r)
{
	return (b16)vminq_s8(vmaxq_s8((int8x16_t)y, vdupq_n_s8(r->lo)), vdupq_n_s8(r->hi));
}
AI b16 narrow(vi a)
{
	int8x8_t q = vqmovn_s16(vcombine_s16(vqmovn_s32((int32x4_t)a), vqmovn_s32((int32x4_t)a)));
	return (b16)vcombine_s8(q, q);
}

#else

#if VW == 16
#define MM(x) _mm512_##x
#define SET64 _mm512_set1_epi64
typedef __m512i mi;
#define ODD(e, o) _mm512_mask_blend_epi32(0xaaaa, e, o)
#else
#define MM(x) _mm256_##x
#define SET64 _mm256_set1_epi64x
typedef __m256i mi;
#define ODD(e, o) _mm256_blend_epi32(e, o, 0xaa)
#endif

AI vi splat(int32_t x) { return (vi)MM(set1_epi32)(x); }
#if PAIRS
#if VW == 16
AI vi load_w(const int8_t *p) { return (vi)_mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)p)); }
#else
AI vi load_w(const int8_t *p) { return (vi)_mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)p)); }
#endif
AI vi dot(vi acc, vi x, vi w) { return acc + (vi)MM(madd_epi16)((mi)x, (mi)w); }
#else
AI vi load_w(const int8_t *p) { return LDI(p); }
AI vi dot(vi acc, vi x, vi w)
{
#if !defined(__clang__) && defined(__AVX512VNNI__) /* gcc copies the accumulators of the intrinsic */
	__asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w));
	return acc;
#elif !defined(__clang__)
	__asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(x), "x"(w));
	return acc;
#elif defined(__AVX512VNNI__)
	return (vi)MM(dpbusd_epi32)((mi)acc, (mi)x, (mi)w);
#else
	return (vi)_mm256_dpbusd_avx_epi32((mi)acc, (mi)x, (mi)w);
#endif
}
#endif
AI vi load_qw(const qw *p) { return LDI(p); }

/* The even lanes' products and the odd ones', from bit `right` on. */
AI vi once(vi a, vi m, int64_t half, int right)
{
	mi h = SET64(half), e, o;
	e = MM(add_epi64)(MM(mul_epi32)((mi)a, (mi)m), h);
	o = MM(add_epi64)(MM(mul_epi32)(MM(srli_epi64)((mi)a, 32), MM(srli_epi64)((mi)m, 32)), h);
	if (right == 32) return (vi)ODD(MM(srli_epi64)(e, 32), o);
	if (right > 32) return (vi)ODD(MM(srli_epi64)(e, 32), o) >> (right - 32);
	if (right == 31) return (vi)ODD(MM(srli_epi64)(e, 31), MM(slli_epi64)(o, 1));
	return (vi)ODD(MM(srl_epi64)(e, _mm_cvtsi32_si128(right)), MM(sll_epi64)(o, _mm_cvtsi32_si128(32 - right)));
}
AI vi high_mul(vi a, vi m) { return once(a, m, 1 << 30, 31); }
AI vi sll(vi a, vi n) { return (vi)MM(sllv_epi32)((mi)a, (mi)n); }
AI vi sra(vi a, vi n) { return (vi)MM(srav_epi32)((mi)a, (mi)n); }
AI vi vmax(vi a, vi b) { return (vi)MM(max_epi32)((mi)a, (mi)b); }
AI b16 bytes_clamp(b16 y, const rule *r)
{
	return (b16)_mm_min_epi8(_mm_max_epi8((__m128i)y, _mm_set1_epi8(r->lo)), _mm_set1_epi8(r->hi));
}
AI b16 narrow(vi a)
{
#if VW == 16
	return (b16)_mm512_cvtsepi32_epi8((mi)a);
#else
	__m128i q = _mm_packs_epi32(_mm256_castsi256_si128((mi)a), _mm256_extracti128_si256((mi)a, 1));
	return (b16)_mm_packs_epi16(q, q);
#endif
}

#endif

/* The same group of x, in every lane of it, for all lanes of w. */
#ifndef DOT_ALL
AI vi dot_all(vi acc, vi x, vi w) { return dot(acc, x, w); }
#endif

/* The multipliers of VW results. TFLite's rounding is a doubling high product, then a shift, ties away from zero. */
typedef struct factor { vi m, left, right, half, some; } factor;

AI factor factor_of(vi m, vi s)
{
	vi zero = {0}, right = vmax(-s, zero), some = right > zero;
	return (factor){m, vmax(s, zero), right, sll(splat(1), vmax(right - 1, zero)) & some, some};
}

AI vi twice(vi a, const factor *f)
{
	a = high_mul(sll(a, f->left), f->m);
	return sra((vi)((vw)a + (vw)f->half + (vw)((a >> 31) & f->some)), f->right);
}

enum { LITTLE = 22, LARGE = 1 << 28 };

/* Is the call plain: o channels, their sums of `taps` products and biases b, shifts s? */
AI bool plain_shifts(const int32_t *s, const int32_t *b, long o, long taps)
{
	int32_t bad = taps > LARGE >> 14;

	for (long i = 0; i < o; i++) bad |= (s[i] >= 0) | (s[i] < -LITTLE) | (b[i] >= LARGE) | (b[i] <= -LARGE);
	return !bad;
}

/* The n results of VW channels, one after the other step apart: multipliers are fetched once. */
AI void requant(const int n, const int step, vi *a, const int32_t *m, const int32_t *s, const rule *r)
{
	if (r->plain) {
		vi f = LDI(m), right = -LDI(s), half = sll(splat(2 * r->zy + 1), right - 1);
		UNROLL
		for (int i = 0; i < n; i++) {
			vi t = high_mul(a[i * step], f);
			a[i * step] = sra((vi)((vw)t + (vw)half + (vw)(t >> 31)), right); /* lanes behind the last channel wrap */
		}
	} else if (r->twice) {
		factor f = factor_of(LDI(m), LDI(s));
		UNROLL
		for (int i = 0; i < n; i++) a[i * step] = (vi)((vw)twice(a[i * step], &f) + (uint32_t)r->zy);
	} else { /* the zero point is added before the shift */
		vi f = LDI(m);
		int64_t half = ((int64_t)1 << (31 - r->up)) + r->zy * ((int64_t)1 << (32 - r->up));
		if (LIKELY(!r->up)) {
			UNROLL
			for (int i = 0; i < n; i++) a[i * step] = once(a[i * step], f, half, 32);
		} else {
			UNROLL
			for (int i = 0; i < n; i++) a[i * step] = once(a[i * step], f, half, 32 - r->up);
		}
	}
}

/* The first n bytes, 0 < n <= 16. */
AI void put_some(int8_t *y, b16 q, long n)
{
	typedef int64_t two __attribute__((vector_size(16)));
	uint64_t t = (uint64_t)((two)q)[0];

	if (n == 16) {
		STB(y, q);
		return;
	}
	if (n & 8) {
		memcpy(y, &t, 8);
		t = (uint64_t)((two)q)[1];
		y += 8;
	}
	if (n & 4) {
		memcpy(y, &t, 4);
		t >>= 32;
		y += 4;
	}
	if (n & 2) {
		memcpy(y, &t, 2);
		t >>= 16;
		y += 2;
	}
	if (n & 1) *y = (int8_t)t;
}

/* n <= VW results, saturated, held within the bounds and stored. */
AI void put(int8_t *y, vi a, long n, const rule *r)
{
	b16 q = bytes_clamp(narrow(a), r);
	if (n == VW && VW == 8) {
		typedef int64_t two __attribute__((vector_size(16)));
		int64_t t = ((two)q)[0];
		memcpy(y, &t, 8);
	} else {
		put_some(y, q, n);
	}
}

#if VW == 8 && !defined(QPLAIN)
AI b16 narrow2(vi a, vi b)
{
	mi p = _mm256_packs_epi32((mi)a, (mi)b); /* a0-3 b0-3 | a4-7 b4-7 */
	__m128i q = _mm_packs_epi16(_mm256_castsi256_si128(p), _mm256_extracti128_si256(p, 1));
	return (b16)_mm_shuffle_epi32(q, 0xd8);
}
#endif

/* Two vectors: n <= 2 VW results. */
AI void put2(int8_t *y, vi a, vi b, long n, const rule *r)
{
#if VW == 8 && !defined(QPLAIN)
	put_some(y, bytes_clamp(narrow2(a, b), r), n);
#else
	put(y, a, lmin(n, VW), r);
	if (n > VW) put(y + VW, b, n - VW, r);
#endif
}

/* Two vectors to two places: n <= VW results each. */
AI void put_both(int8_t *y, int8_t *z, vi a, vi b, long n, const rule *r)
{
#if VW == 8 && !defined(QPLAIN)
	if (LIKELY(n == VW)) {
		typedef int64_t two __attribute__((vector_size(16)));
		two q = (two)bytes_clamp(narrow2(a, b), r);
		int64_t first = q[0], second = q[1];
		memcpy(y, &first, 8);
		memcpy(z, &second, 8);
		return;
	}
#endif
	put(y, a, n, r);
	put(z, b, n, r);
}

/* Bytes as they are staged. Writes whole vectors: up to 15 elements more. */
AI void stage16(qe *d, b16 x)
{
#if PAIRS && VW >= 8 && !defined(QPLAIN) /* gcc 12 makes four instructions of the conversion below */
	*(h16u *)d = (h16u)_mm256_cvtepi8_epi16((__m128i)x);
#elif PAIRS
	*(h16u *)d = (h16u)__builtin_convertvector(x, h16);
#else
	STB(d, OFFSET ? x ^ -128 : x);
#endif
}
AI void stage(qe *d, const int8_t *x, long n)
{
	for (long i = 0; i < n; i += 16) stage16(d + i, LDB(x + i));
}
AI void stage_fill(qe *d, int32_t x, long n)
{
	for (long i = 0; i < n; i += 16) stage16(d + i, (b16){0} + (int8_t)x);
}

#endif
