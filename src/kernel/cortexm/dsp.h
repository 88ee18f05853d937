/* SPDX-License-Identifier: Apache-2.0
 *
 * dsp.h - the instructions of Arm's DSP extension (Cortex-M4, M7, M33, M55) that int8 kernels use: as assembler for compilers that take
 * GNU's (gcc, clang, armclang), as the functions of arm_acle.h for others (or with COP_NO_ASM), in C where the processor lacks them. The
 * bits are the same. And what all these kernels share: pairs of int16 and the last step of a sum.
 */
#ifndef COP_DSP_H
#define COP_DSP_H

#include "kernel/kernel.h"
#include "kernel/quant.h"

#if !defined(__GNUC__)
#include <string.h>
#endif

/* COP_DSP: inner loops in assembler. They take nearly all registers, so they are functions of their own, without a frame. */
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__) && !defined(COP_NO_ASM)
#define COP_DSP 1
#else
#define COP_DSP 0
#endif
#if defined(__ARM_FEATURE_SIMD32) && __ARM_FEATURE_SIMD32 && !COP_DSP
#include <arm_acle.h>
#define COP_ACLE 1
#else
#define COP_ACLE 0
#endif

/* Loops that need their registers for themselves, and what is too rare to stand in several places; what is to be compiled for each constant it is called with. */
#if defined(__GNUC__)
#define COP_OUT_OF_LINE __attribute__((noinline, unused)) static
#define COP_IN_LINE __attribute__((always_inline)) static inline
#else
#define COP_OUT_OF_LINE static
#define COP_IN_LINE static inline
#endif

/* Four bytes from any address. */
static inline uint32_t cop_load4(const void *p)
{
	uint32_t v;
#if defined(__GNUC__)
	__builtin_memcpy(&v, p, 4);
#else
	memcpy(&v, p, 4);
#endif
	return v;
}
static inline void cop_store4(void *p, uint32_t v)
{
#if defined(__GNUC__)
	__builtin_memcpy(p, &v, 4);
#else
	memcpy(p, &v, 4);
#endif
}

#if COP_DSP
static inline uint32_t cop_pair(int32_t low, int32_t high)
{
	uint32_t r;
	__asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(r) : "r"(low), "r"(high));
	return r;
}
/* The low half of one and the high half of another. */
static inline uint32_t cop_halves(uint32_t low, uint32_t high)
{
	uint32_t r;
	__asm__("pkhbt %0, %1, %2" : "=r"(r) : "r"(low), "r"(high));
	return r;
}
static inline uint32_t cop_high_pair(uint32_t low, uint32_t high)
{
	uint32_t r;
	__asm__("pkhtb %0, %1, %2, asr #16" : "=r"(r) : "r"(high), "r"(low));
	return r;
}
static inline uint32_t cop_even(uint32_t v)
{
	uint32_t r;
	__asm__("sxtb16 %0, %1" : "=r"(r) : "r"(v));
	return r;
}
static inline uint32_t cop_odd(uint32_t v)
{
	uint32_t r;
	__asm__("sxtb16 %0, %1, ror #8" : "=r"(r) : "r"(v));
	return r;
}
static inline uint32_t cop_minus(uint32_t a, uint32_t b)
{
	uint32_t r;
	__asm__("ssub16 %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
	return r;
}
static inline int32_t cop_dual(uint32_t a, uint32_t b, int32_t s)
{
	__asm__("smlad %0, %1, %2, %0" : "+r"(s) : "r"(a), "r"(b));
	return s;
}
static inline int32_t cop_scale_add(int32_t acc, int32_t m, int32_t zero)
{
	int32_t r;
	__asm__("smmlar %0, %1, %2, %3" : "=r"(r) : "r"(acc), "r"(m), "r"(zero));
	return r;
}
/* The single rounding with a shift to the right by n more than 32, from 1 on; half: 2^(n - 1) */
static inline int32_t cop_scale_down(int32_t acc, int32_t m, int32_t n, int32_t half, int32_t zero)
{
	int32_t r;
	__asm__("smmla %0, %1, %2, %3\n asr %0, %0, %4\n add %0, %0, %5" : "=&r"(r) : "r"(acc), "r"(m), "r"(half), "r"(n), "r"(zero));
	return r;
}
/* COP_TWICE; factor: 2^(32 - shift) */
static inline int32_t cop_scale_twice(int32_t acc, int32_t m, int32_t factor, int32_t zero)
{
	int32_t r;
	__asm__("qadd %0, %1, %1\n smmulr %0, %0, %2\n add %0, %0, %0, asr #31" : "=&r"(r) : "r"(acc), "r"(m));
	return cop_scale_add(r, factor, zero);
}
static inline int32_t cop_sat8(int32_t v)
{
	int32_t r;
	__asm__("ssat %0, #8, %1" : "=r"(r) : "r"(v));
	return r;
}
#endif

#if !COP_DSP
static inline uint32_t cop_halves(uint32_t low, uint32_t high) { return (low & 0xffff) | (high & 0xffff0000); }
static inline uint32_t cop_high_pair(uint32_t low, uint32_t high) { return low >> 16 | (high & 0xffff0000); }
#endif
#if COP_DSP
#elif COP_ACLE
static inline uint32_t cop_pair(int32_t low, int32_t high) { return ((uint32_t)low & 0xffff) | (uint32_t)high << 16; }
static inline uint32_t cop_even(uint32_t v) { return (uint32_t)__sxtb16((int8x4_t)v); }
static inline uint32_t cop_odd(uint32_t v) { return (uint32_t)__sxtb16((int8x4_t)(v >> 8)); }
static inline uint32_t cop_minus(uint32_t a, uint32_t b) { return (uint32_t)__ssub16((int16x2_t)a, (int16x2_t)b); }
static inline int32_t cop_dual(uint32_t a, uint32_t b, int32_t s) { return __smlad((int16x2_t)a, (int16x2_t)b, s); }
static inline int32_t cop_scale_add(int32_t acc, int32_t m, int32_t zero) { return zero + cop_scale_single(acc, m, 0); }
static inline int32_t cop_sat8(int32_t v) { return __ssat(v, 8); }
#else
static inline uint32_t cop_pair(int32_t low, int32_t high) { return ((uint32_t)low & 0xffff) | (uint32_t)high << 16; }
/* Bytes 0 and 2, 1 and 3, as a pair of int16. */
static inline uint32_t cop_even(uint32_t v) { return cop_pair((int8_t)v, (int8_t)(v >> 16)); }
static inline uint32_t cop_odd(uint32_t v) { return cop_pair((int8_t)(v >> 8), (int8_t)(v >> 24)); }
static inline uint32_t cop_minus(uint32_t a, uint32_t b) { return ((a - b) & 0xffff) | ((a >> 16) - (b >> 16)) << 16; }
/* s + the products of both halves */
static inline int32_t cop_dual(uint32_t a, uint32_t b, int32_t s)
{
	return (int32_t)((uint32_t)s + (uint32_t)((int16_t)a * (int16_t)b) + (uint32_t)((int16_t)(a >> 16) * (int16_t)(b >> 16)));
}
/* zero + (acc * m + half) >> 32 */
static inline int32_t cop_scale_add(int32_t acc, int32_t m, int32_t zero) { return zero + cop_scale_single(acc, m, 0); }
static inline int32_t cop_sat8(int32_t v) { return cop_clampi(v, -128, 127); }
#endif

/* How sums become results. ONCE: cop_scale_add and cop_sat8. TWICE: the double rounding by shifts of 2 and more to the right: a saturating
 * doubling, a rounded high product, less 1 below zero, and cop_scale_add with a power of two. Up to 20, what saturates is
 * out of int8's range whatever follows; above, it must not. Else SLOW. */
enum { COP_SLOW, COP_ONCE, COP_TWICE };

COP_OUT_OF_LINE int32_t cop_scale_kind(const int32_t *k, const int32_t *b, const int32_t *m)
{
	int32_t few = k[CK_KH] * k[CK_KW] * k[CK_C] <= 16384;

	if (k[CK_LO] != -128 || k[CK_HI] != 127) return COP_SLOW;
	if (!k[QK_TWICE]) return k[QK_UP] ? COP_SLOW : COP_ONCE;
	for (const int32_t *s = m + k[CK_O], *end = s + k[CK_O]; (uint32_t)(*s + 20) <= 18; ) /* from -20 to -2: nothing else matters */
		if (++s == end) return COP_TWICE;
	for (int32_t o = 0; o < k[CK_O]; o++) {
		int32_t shift = m[k[CK_O] + o], small = few && b[o] < 1 << 29 && b[o] > -(1 << 29);
		if (m[o] && (shift > -2 || shift < (small ? -31 : -20))) return COP_SLOW; /* by 0: the shift does not matter */
	}
	return COP_TWICE;
}

/* The sum of output channel o as int8, any rounding and any bounds. */
COP_OUT_OF_LINE int8_t cop_finish(const int32_t *k, const int32_t *m, int32_t o, int32_t acc)
{
	return (int8_t)cop_clampi(cop_wrap_add(k[QK_ZY], cop_requant(acc, m, o, k[CK_O], k[QK_TWICE], k[QK_UP])), k[CK_LO], k[CK_HI]);
}

/* ---- dense weights in pairs of filters ----
 * Pack word 0: PACK_EXACT, PACK_PARTS or 0. Then for each pair of filters (a: even, b: odd) their words, two taps each, an even number of them.
 * A word's low half holds a's and b's weight for one tap, its high half for the next: half = 256 b + a as one int16. So the
 * word as it is multiplies 256 b + a, its even bytes a, and b's sum is the difference / 256, without taking b's bytes out.
 * That holds while b's weights are not -128 and b's sum stays within 24 bits, as that of PART_WORDS words always does: PACK_PARTS says
 * that only parts' sums do. With a weight of -128 the halves hold plain bytes, and word 0 is 0.
 * A run of bytes x0 x1 x2 x3 becomes the words (x0,x2) (x1,x3); of the last 1, 2 or 3: (x0,-), (x0,x1), (x0,x2) (x1,-). */
enum { PACK_EXACT = 1, PACK_PARTS = 2, PART_WORDS = 256 };

/* Of few bits: few.h. PACK_FEW_PARTS: as PACK_PARTS says. */
enum { PACK_FEW = 3, PACK_FEW_PARTS = 4 };

static inline int32_t cop_run_words(int32_t run) { return (run >> 2) * 2 + ((run & 3) + 1) / 2; }

/* Adds one word's products with the taps x to the sums of both filters. */
#if COP_DSP || COP_ACLE
static inline void cop_two_filters(uint32_t w, uint32_t x, int32_t exact, int32_t *a, int32_t *b)
{
	uint32_t even = cop_even(w);

	*a = cop_dual(even, x, *a);
	*b = cop_dual(cop_odd(exact ? cop_minus(w, even) : w), x, *b);
}
#else
COP_OUT_OF_LINE void cop_two_filters(uint32_t w, uint32_t x, int32_t exact, int32_t *a, int32_t *b)
{
	for (int32_t i = 0; i < 2; i++, w >>= 16, x >>= 16) {
		int32_t wa = (int8_t)w, wb = ((int16_t)w - (exact ? wa : 0)) >> 8;
		*a = cop_wrap_add(*a, wa * (int16_t)x); /* wraps, as the instructions do: what the bias holds ahead comes back */
		*b = cop_wrap_add(*b, wb * (int16_t)x);
	}
}
#endif

/* n numbers, step bytes from one to the next, to int16. */
static inline int16_t *cop_widen(int16_t *d, const int8_t *x, int32_t n, int32_t step)
{
	for (; n >= 4; n -= 4, d += 4, x += 4 * step) {
		int16_t a = x[0], b = x[step], e = x[2 * step], f = x[3 * step];
		d[0] = a;
		d[1] = b;
		d[2] = e;
		d[3] = f;
	}
	for (; n; n--, x += step) *d++ = *x;
	return d;
}

/* n bytes to pairs, `step` words from one to the next. */
static inline uint32_t *cop_expand(uint32_t *d, const int8_t *x, int32_t n, int32_t step)
{
	for (; n >= 8; n -= 8, x += 8, d += 4 * step) {
		uint32_t u = cop_load4(x), v = cop_load4(x + 4);
		d[0] = cop_even(u);
		d[step] = cop_odd(u);
		d[2 * step] = cop_even(v);
		d[3 * step] = cop_odd(v);
	}
	if (n & 4) {
		uint32_t u = cop_load4(x);
		d[0] = cop_even(u);
		d[step] = cop_odd(u);
		x += 4, d += 2 * step;
	}
	if (n & 2) *d = cop_pair(x[0], x[1 + (n & 1)]), d += step;
	if (n & 1) *d = (uint32_t)x[n >> 1 & 1], d += step;
	return d;
}

#endif
