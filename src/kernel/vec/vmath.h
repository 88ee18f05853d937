/* SPDX-License-Identifier: Apache-2.0
 *
 * vmath.h - the functions of kernel/math.h on vectors, and stores of whole or partial vectors.
 *
 * The same polynomials; with fused multiply-adds the last bit may differ from the portable ones. Errors in ulp
 * over the whole range: exp 1.1, log 1.1, tanh 1.3, sigmoid 2.2, erf 1.8. NaN goes through, infinities give the limits.
 */
#ifndef COP_VMATH_H
#define COP_VMATH_H

#include "kernel/math.h"
#include "kernel/vec/vec.h"

/* Keeps a loaded vector in a register: the compiler else reads memory again in each of its uses. */
#if defined(__aarch64__)
#define KEEP(x) __asm__("" : "+w"(x))
#elif VW > 4
#define KEEP(x) __asm__("" : "+v"(x))
#else
#define KEEP(x) (void)(x)
#endif

/* Before a loop of few turns that is to stay one: the compiler else writes out as many as an array bound allows. */
#if defined(__clang__)
#define ROLLED _Pragma("clang loop unroll(disable)")
#else
#define ROLLED _Pragma("GCC unroll 1")
#endif

/* A full store where n is the constant VW, else the first n lanes. */
AI void put(float *p, v x, long n)
{
	if (n == VW) ST(p, x);
	else stn(p, x, n);
}

/* The first n of VW bytes from integer lanes below 256, and VW bytes into lanes. */
AI void put_u8(uint8_t *p, vi x, long n)
{
	uint8_t t[VW];
#if VW == 16
	_mm_storeu_si128((__m128i *)t, _mm512_cvtepi32_epi8((__m512i)x));
#elif VW == 8
	__m256i h = _mm256_permute4x64_epi64(_mm256_packus_epi32((__m256i)x, (__m256i)x), 0x08);
	_mm_storel_epi64((__m128i *)t, _mm_packus_epi16(_mm256_castsi256_si128(h), _mm256_castsi256_si128(h)));
#else
	for (int i = 0; i < VW; i++) t[i] = (uint8_t)x[i];
#endif
	if (n == VW) memcpy(p, t, VW);
	else memcpy(p, t, (size_t)n);
}
AI vi get_u8(const uint8_t *p)
{
#if VW == 16
	return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
#elif VW == 8
	return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
#elif defined(__aarch64__)
	uint32_t four;
	memcpy(&four, p, 4);
	return (vi)vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
#else
	return (vi){p[0], p[1], p[2], p[3]};
#endif
}

/* The first n of VW signed bytes, and VW of them into lanes. */
AI void put_i8(int8_t *p, vi x, long n) { put_u8((uint8_t *)p, x & 255, n); }
AI vi get_i8(const int8_t *p) { return (get_u8((const uint8_t *)p) ^ 128) - 128; }

/* cop_hash32 of lanes of c; of: cop_hash32_of. */
AI vw vhash32(uint32_t of, vw c)
{
	vw h = of ^ c * 0xc2b2ae3du;

	h ^= h >> 16;
	h *= 0x7feb352du;
	h ^= h >> 15;
	h *= 0x846ca68bu;
	return h ^ h >> 16;
}

AI v vabs(v x) { return (v)((vi)x & 0x7fffffff); }
/* The magnitude of p >= 0 with the sign of x. */
AI v vsign(v p, v x) { return (v)((vi)p | ((vi)x & splati(INT32_MIN))); }

AI v vsqrt(v x)
{
#if VW == 16
	return (v)_mm512_sqrt_ps((__m512)x);
#elif VW == 8
	return (v)_mm256_sqrt_ps((__m256)x);
#elif defined(__aarch64__)
	return (v)vsqrtq_f32((float32x4_t)x);
#else
	for (int i = 0; i < VW; i++) x[i] = cop_sqrtf(x[i]);
	return x;
#endif
}

AI float vmaxlane(v a)
{
	float t[VW] __attribute__((aligned(64)));
	ST(t, a);
	for (int h = VW / 2; h > 0; h /= 2) {
		UNROLL
		for (int i = 0; i < h; i++) t[i] = cop_maxf(t[i], t[i + h]);
	}
	return t[0];
}

AI v vexp(v x)
{
	v n, r, p;
	vi i;

	x = clamp(x, splat(-104.5f), splat(89.0f));
	n = (x * 1.44269502f + 12582912.0f) - 12582912.0f;
	r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
	p = splat(1.0f / 5040);
	p = p * r + 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r * r + r + 1.0f;
	i = __builtin_convertvector(n, vi);
	/* 2^n in two factors, so that the last denormals and infinity come out right */
	return p * (v)(((i >> 1) + 127) << 23) * (v)((i - (i >> 1) + 127) << 23);
}

AI v vlog(v x)
{
	const vi small = x < 1.17549435e-38f; /* denormals */
	v y = choose(small, x * 8388608.0f, x), f, s, z, r, n;
	vi e = (vi)((vw)y - 0x3f3504f3) >> 23; /* rounded down */

	f = (v)((vw)y - ((vw)e << 23)) - 1.0f;
	s = f / (2.0f + f);
	z = s * s;
	r = z * (2.0f / 3 + z * (2.0f / 5 + z * (2.0f / 7 + z * (2.0f / 9))));
	n = __builtin_convertvector(e, v) - choose(small, splat(23.0f), splat(0.0f));
	r = n * 0.693145752f + (f - (s * (f - r) - n * 1.42860677e-6f));
	r = choose(x == COP_INFF, x, choose(x == 0.0f, splat(-COP_INFF), r));
	return choose(x < 0.0f, splat(__builtin_nanf("")), choose(x != x, x, r));
}

/* Half to even: beyond 2^22 every number is whole already. */
AI v vround(v x)
{
	v a = vabs(x);
	return vsign(choose(a < 4194304.0f, (a + 8388608.0f) - 8388608.0f, a), x);
}

AI v vtanh(v x)
{
	v a = vabs(x), z = a * a, p, q;

	p = splat(-0.00571704470f);
	p = p * z + 0.0206505861f;
	p = p * z - 0.0537434965f;
	p = p * z + 0.133314908f;
	p = p * z - 0.333332837f;
	p = p * z * a + a;
	q = vmin(splat(10.0f), a);
	q = 1.0f - 2.0f / (vexp(q + q) + 1.0f);
	return vsign(choose(a < 0.625f, p, q), x);
}

AI v vsigmoid(v x)
{
	v e = vexp(-vabs(x));
	return choose(x < 0.0f, e, splat(1.0f)) / (1.0f + e);
}

AI v verf(v x)
{
	v a = vabs(x), z = a * a, p, q, b;

	p = splat(-0.000599085295f);
	p = p * z + 0.00499318028f;
	p = p * z - 0.0267666169f;
	p = p * z + 0.112818159f;
	p = p * z - 0.376124948f;
	p = p * z + 0.128379107f;
	p = p * a + a;
	b = vmin(splat(4.0f), a);
	q = splat(-0.000195720786f);
	q = q * b + 0.00304109394f;
	q = q * b - 0.0222184546f;
	q = q * b + 0.103914030f;
	q = q * b + 0.637202263f;
	q = q * b + 1.12766373f;
	q = q * b + 0.000198554044f;
	q = 1.0f - vexp(-q);
	return vsign(choose(a < 0.921875f, p, q), x);
}

#endif
