/* SPDX-License-Identifier: Apache-2.0
 *
 * math.h - the float functions of the kernels, for a machine without libm.
 *
 * Only +, -, *, /, conversions and the correctly rounded square root are used, in a fixed order, so that
 * with -ffp-contract=off every IEEE machine returns the same bits. No tables, no state. Round to nearest is assumed.
 * Largest errors, checked against libm in tests/kernel/test_math.c:
 *   cop_expf 1 ulp (denormal results too), cop_logf 1 ulp, cop_tanhf 2 ulp, cop_sigmoidf 3 ulp, cop_erff 2 ulp,
 *   cop_expm1f 4 ulp, cop_log1pf 3 ulp, cop_sinf and cop_cosf 3 ulp, cop_atanf 3 ulp, cop_powf 1 ulp.
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

/* Whole numbers, ties to even; the sum with 2^23 leaves no room for a fraction. -0 stays. */
static inline float cop_roundf(float x)
{
	float a = cop_absf(x);

	return a < 8388608.0f ? cop_signf((a + 8388608.0f) - 8388608.0f, x) : x;
}
static inline float cop_floorf(float x)
{
	float r = cop_roundf(x);
	return r > x ? r - 1.0f : r;
}
static inline float cop_ceilf(float x)
{
	float r = cop_roundf(x);
	return r < x ? cop_signf(cop_absf(r + 1.0f), x) : r;
}

/* e^x - 1 and log(1 + x), x finite and > -1, where x is small: what rounding 1 + x or e^x took away is divided out again. */
static inline float cop_expm1f(float x)
{
	float u = cop_expf(x);

	if (u == 1.0f) return x;
	return u == COP_INFF || u < 1e-8f ? u - 1.0f : (u - 1.0f) * (x / cop_logf(u));
}
static inline float cop_log1pf(float x)
{
	float u = 1.0f + x;
	return u == 1.0f ? x : cop_logf(u) * (x / (u - 1.0f));
}

/* x = n pi/2 + r, |r| <= pi/4, 0 <= n < 4, x >= 0 and finite. x is m 2^e with a whole m, so of 2/pi only 96 bits from weight
 * 2^(1-e) on matter: those before give multiples of 4 quarters, those behind less than 2^-70. */
static inline int32_t cop_quarter(float x, float *r)
{
	static const uint32_t two_over_pi[8] = {0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};
	const uint64_t m = (uint64_t)((cop_bits(x) & 0x7fffff) | 0x800000);
	const int32_t first = (cop_bits(x) >> 23) - 120;
	uint64_t bits = 0, q, n;

	*r = x;
	if (x < 0.785398163f) return 0;
	const uint32_t *w = two_over_pi + first / 32;
	const int32_t s = first % 32;
	bits = (uint64_t)w[0] << 32 | w[1];
	if (s) bits = bits << s | w[2] >> (32 - s);
	q = m * bits + (m * (s ? w[2] << s | w[3] >> (32 - s) : w[2]) >> 32); /* quarters: 2 bits before the point, 62 behind */
	n = (q + (1ull << 61)) >> 62;
	*r = (float)(int64_t)(q - (n << 62)) * 3.40612158e-19f; /* pi/2 2^-62 */
	return (int32_t)n;
}
static inline float cop_wave(float r, int32_t n) /* sin(r + n pi/2), |r| <= pi/4 */
{
	float z = r * r, p;

	if (n & 1) p = 1.0f - (0.5f * z - z * z * (1.0f / 24 - z * (1.0f / 720 - z * (1.0f / 40320 - z * (1.0f / 3628800)))));
	else p = r - r * z * (1.0f / 6 - z * (1.0f / 120 - z * (1.0f / 5040 - z * (1.0f / 362880))));
	return n & 2 ? -p : p;
}
static inline float cop_sinf(float x)
{
	float a = cop_absf(x), r;
	int32_t n;

	if (!(a < COP_INFF)) return x - x;
	n = cop_quarter(a, &r);
	r = cop_wave(r, n);
	return cop_bits(x) < 0 ? -r : r;
}
static inline float cop_cosf(float x)
{
	float a = cop_absf(x), r;
	int32_t n;

	if (!(a < COP_INFF)) return x - x;
	n = cop_quarter(a, &r);
	return cop_wave(r, n + 1);
}

/* Down to |t| <= tan(pi/8) by atan x = pi/2 - atan(1/x) and atan x = pi/4 + atan((x - 1) / (x + 1)); then the series. */
static inline float cop_atanf(float x)
{
	float a = cop_absf(x), t = a > 1.0f ? 1.0f / a : a, base = 0.0f, z, p;

	if (t > 0.414213562f) {
		base = 0.785398163f;
		t = (t - 1.0f) / (t + 1.0f);
	}
	z = t * t;
	p = 1.0f / 17 - z * (1.0f / 19);
	p = 1.0f / 15 - z * p;
	p = 1.0f / 13 - z * p;
	p = 1.0f / 11 - z * p;
	p = 1.0f / 9 - z * p;
	p = 1.0f / 7 - z * p;
	p = 1.0f / 5 - z * p;
	p = 1.0f / 3 - z * p;
	p = base + (t - t * z * p);
	if (a > 1.0f) p = 1.57079633f - p;
	return cop_signf(p, x);
}

/* a^y for finite a > 0: e^(y log a) in double, as the product would multiply the logarithm's error. */
static inline float cop_powpos(float a, float y)
{
	int32_t e = 0, i;
	double f, s, z, p, t, r;

	if (a < 1.17549435e-38f) { /* denormal */
		a *= 16777216.0f;
		e = -24;
	}
	i = cop_bits(a) - 0x3f3504f3; /* as in cop_logf */
	i = (i - (i < 0 ? 0x7fffff : 0)) / 0x800000;
	f = (double)cop_unbits(cop_bits(a) - i * 0x800000) - 1.0;
	s = f / (2.0 + f);
	z = s * s;
	p = 1 + z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15)))))));
	t = (double)y * ((e + i) * 0.69314718055994531 + 2 * s * p);
	if (t > 88.8) return COP_INFF;
	if (t < -104) return 0.0f;
	i = (int32_t)(t * 1.4426950408889634 + (t < 0 ? -0.5 : 0.5));
	r = t - i * 0.69314718055994531;
	p = 1 + r * (1 + r * (1.0 / 2 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120 + r * (1.0 / 720 + r * (1.0 / 5040 + r * (1.0 / 40320 + r * (1.0 / 362880)))))))));
	return (float)p * cop_exp2i(i / 2) * cop_exp2i(i - i / 2);
}

/* With the special cases of C: of -1, 0, infinities and NaN, and of negative x, which takes whole y only. */
static inline float cop_powf(float x, float y)
{
	float a = cop_absf(x), p;
	int odd = 0;

	if (y == 0.0f || x == 1.0f) return 1.0f;
	if (x != x || y != y) return x + y;
	if (cop_absf(y) < 16777216.0f) {
		if ((float)(int32_t)y == y) odd = (int32_t)y & 1;
		else if (x < 0.0f && a < COP_INFF) return __builtin_nanf("");
	}
	if (a == 1.0f) p = 1.0f;
	else if (cop_absf(y) == COP_INFF) p = (a > 1.0f) == (y > 0.0f) ? COP_INFF : 0.0f;
	else if (a == 0.0f || a == COP_INFF) p = (a == 0.0f) == (y > 0.0f) ? 0.0f : COP_INFF;
	else p = cop_powpos(a, y);
	return cop_bits(x) < 0 && odd ? -p : p;
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
/* The part of it that does not depend on c. */
static inline uint32_t cop_hash32_of(uint32_t seed, uint32_t a, uint32_t b)
{
	uint32_t h = cop_mix32(seed + 0x9e3779b9u);

	h = cop_mix32(h + a * 0x9e3779b1u);
	return cop_mix32(h + b * 0x85ebca77u);
}
static inline uint32_t cop_hash32(uint32_t seed, uint32_t a, uint32_t b, uint32_t c) { return cop_mix32(cop_hash32_of(seed, a, b) ^ c * 0xc2b2ae3du); }

#endif
