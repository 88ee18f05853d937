/* SPDX-License-Identifier: Apache-2.0
 *
 * math.h - the float functions of the kernels, for a machine without libm.
 *
 * Only +, -, *, /, conversions and the correctly rounded square root are used, in a fixed order, so that
 * with -ffp-contract=off every IEEE machine returns the same bits. No tables, no state. Round to nearest is assumed.
 * Largest errors, checked against libm in tests/kernel/test_math.c:
 *   cop_expf 1 ulp (denormal results too), cop_logf 1 ulp, cop_tanhf 2 ulp, cop_sigmoidf 3 ulp, cop_erff 2 ulp.
 * NaN goes through every function. Infinities give the limits.
 */
#ifndef COP_KERNEL_MATH_H
#define COP_KERNEL_MATH_H

#include <stdint.h>

/* Before a loop whose iterations are independent although a result may lie exactly on an operand. */
#if defined(__clang__)
#define COP_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define COP_IVDEP _Pragma("GCC ivdep")
#else
#define COP_IVDEP
#endif

static inline int32_t cop_bits(float f)
{
	union { float f; int32_t i; } u;
	u.f = f;
	return u.i;
}
static inline float cop_unbits(int32_t i)
{
	union { int32_t i; float f; } u;
	u.i = i;
	return u.f;
}

#define COP_INFF (__builtin_inff())

static inline float cop_absf(float x) { return cop_unbits(cop_bits(x) & 0x7fffffff); }
/* The magnitude of p >= 0 with the sign of x. */
static inline float cop_signf(float p, float x) { return cop_bits(x) < 0 ? -p : p; }
/* One instruction where compiled with -fno-math-errno; a machine without it needs a sqrtf. */
static inline float cop_sqrtf(float x) { return __builtin_sqrtf(x); }
/* The second argument where either is NaN, as SSE's minps and maxps do. */
static inline float cop_minf(float a, float b) { return a < b ? a : b; }
static inline float cop_maxf(float a, float b) { return a > b ? a : b; }
/* NaN stays NaN, and -0 stays -0 at a bound of 0. */
static inline float cop_clampf(float x, float lo, float hi)
{
	x = x < lo ? lo : x;
	return x > hi ? hi : x;
}

/* 2^n for -126 <= n <= 127. */
static inline float cop_exp2i(int32_t n) { return cop_unbits((n + 127) * (1 << 23)); }

/* e^x = 2^n e^r with |r| <= ln2/2; the Taylor series up to r^7 leaves 5e-9 of the result.
 * 2^n is applied in two factors, so that results down to the last denormal come out rounded. */
static inline float cop_expf(float x)
{
	float n, r, p;
	int32_t i;

	if (x > 88.7228317f) return COP_INFF;
	if (x < -103.972084f) return 0.0f;
	if (x != x) return x;
	n = (x * 1.44269502f + 12582912.0f) - 12582912.0f; /* 1.5 * 2^23: the sum is rounded to an integer */
	r = (x - n * 0.693145752f) - n * 1.42860677e-6f;   /* ln 2 in two parts; the first product is exact */
	p = 1.0f / 5040;
	p = p * r + 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r * r + r + 1.0f;
	i = (int32_t)n;
	return p * cop_exp2i(i / 2) * cop_exp2i(i - i / 2);
}

/* x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt 2; with s = f / (2 + f), log(1 + f) = 2 atanh s = f - s (f - R). */
static inline float cop_logf(float x)
{
	int32_t i, e, e0 = 0;
	float f, s, z, r, n;

	if (!(x > 0.0f)) return x == 0.0f ? -COP_INFF : x != x ? x : __builtin_nanf("");
	if (x == COP_INFF) return x;
	if (x < 1.17549435e-38f) { /* denormal */
		x *= 8388608.0f;
		e0 = -23;
	}
	i = cop_bits(x) - 0x3f3504f3;                /* sqrt(1/2) */
	e = (i - (i < 0 ? 0x7fffff : 0)) / 0x800000; /* rounded down */
	f = cop_unbits(cop_bits(x) - e * 0x800000) - 1.0f;
	s = f / (2.0f + f);
	z = s * s;
	r = z * (2.0f / 3 + z * (2.0f / 5 + z * (2.0f / 7 + z * (2.0f / 9))));
	n = (float)(e + e0);
	return n * 0.693145752f + (f - (s * (f - r) - n * 1.42860677e-6f));
}

/* Near 0 an odd polynomial (minimax for |x| < 0.625), else 1 - 2 / (e^2|x| + 1). The sign is put back last. */
static inline float cop_tanhf(float x)
{
	float a = cop_absf(x), z = a * a, p;

	if (a < 0.625f) {
		p = -0.00571704470f;
		p = p * z + 0.0206505861f;
		p = p * z - 0.0537434965f;
		p = p * z + 0.133314908f;
		p = p * z - 0.333332837f;
		p = p * z * a + a;
	} else if (a <= 9.1f) {
		p = 1.0f - 2.0f / (cop_expf(a + a) + 1.0f);
	} else {
		p = a != a ? a : 1.0f;
	}
	return cop_signf(p, x);
}

static inline float cop_sigmoidf(float x)
{
	float e = cop_expf(-cop_absf(x));

	return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* Near 0 an odd polynomial; then 1 - e^-g(|x|) with g = -log erfc as a polynomial; both minimax on their interval. */
static inline float cop_erff(float x)
{
	float a = cop_absf(x), z = a * a, p;

	if (a < 0.921875f) {
		p = -0.000599085295f;
		p = p * z + 0.00499318028f;
		p = p * z - 0.0267666169f;
		p = p * z + 0.112818159f;
		p = p * z - 0.376124948f;
		p = p * z + 0.128379107f;
		p = p * a + a;
	} else if (a <= 4.0f) {
		p = -0.000195720786f;
		p = p * a + 0.00304109394f;
		p = p * a - 0.0222184546f;
		p = p * a + 0.103914030f;
		p = p * a + 0.637202263f;
		p = p * a + 1.12766373f;
		p = p * a + 0.000198554044f;
		p = 1.0f - cop_expf(-p);
	} else {
		p = a != a ? a : 1.0f;
	}
	return cop_signf(p, x);
}

/* The counter-based hash behind dropout: every bit of the result depends on every bit of the arguments,
 * and nothing on the order in which elements are drawn. One round of multiply-xorshift for each argument. */
static inline uint32_t cop_mix32(uint32_t h)
{
	h ^= h >> 16;
	h *= 0x7feb352du;
	h ^= h >> 15;
	h *= 0x846ca68bu;
	return h ^ h >> 16;
}
static inline uint32_t cop_hash32(uint32_t seed, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t h = cop_mix32(seed + 0x9e3779b9u);

	h = cop_mix32(h + a * 0x9e3779b1u);
	h = cop_mix32(h + b * 0x85ebca77u);
	return cop_mix32(h ^ c * 0xc2b2ae3du);
}

#endif
