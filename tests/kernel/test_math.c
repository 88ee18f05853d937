/* SPDX-License-Identifier: Apache-2.0
 *
 * math.h against the C library in double, over grids of bit patterns; the bounds are those math.h states.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/math.h"

#include <math.h>

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static float pow075(float x) { return cop_powf(x, 0.75f); }
static double dpow075(double x) { return pow(x, 0.75); }
static float powm25(float x) { return cop_powf(x, -2.5f); }
static double dpowm25(double x) { return pow(x, -2.5); }
static float pow17(float x) { return cop_powf(1.7f, x); }
static double dpow17(double x) { return pow((double)1.7f, x); }
static const struct row {
	const char *name;
	float (*got)(float);
	double (*want)(double);
	double ulp, lo, hi; /* the grid, both signs where lo < 0 */
} rows[] = {
	{"exp", cop_expf, exp, 1.0, -87.3, 88.72},
	{"exp, denormal", cop_expf, exp, 1.0, -103.9, -87.4},
	{"log", cop_logf, log, 1.0, 0, 3.4e38},
	{"tanh", cop_tanhf, tanh, 2.0, -20, 20},
	{"sigmoid", cop_sigmoidf, sigmoid, 3.0, -87, 87},
	{"erf", cop_erff, erf, 2.0, -10, 10},
	{"sqrt", cop_sqrtf, sqrt, 0.5, 0, 3.4e38},
	{"expm1", cop_expm1f, expm1, 4.0, -100, 88.7},
	{"log1p", cop_log1pf, log1p, 3.0, -0.999, 3.4e38},
	{"sin", cop_sinf, sin, 3.0, -3.4e38, 3.4e38},
	{"cos", cop_cosf, cos, 3.0, -3.4e38, 3.4e38},
	{"atan", cop_atanf, atan, 3.0, -3.4e38, 3.4e38},
	{"pow 0.75", pow075, dpow075, 1.0, 0, 3.4e38},
	{"pow -2.5", powm25, dpowm25, 1.0, 1e-15, 1e15},
	{"1.7^x", pow17, dpow17, 1.0, -164, 167},
	{"round", cop_roundf, rint, 0, -3.4e38, 3.4e38},
	{"floor", cop_floorf, floor, 0, -3.4e38, 3.4e38},
	{"ceil", cop_ceilf, ceil, 0, -3.4e38, 3.4e38},
};

/* Distance in units of the last place of the float nearest to `want`. */
static double ulps(float got, double want)
{
	int e;

	frexp(want, &e);
	e = e - 24 < -149 ? -149 : e - 24;
	return fabs((double)got - want) / ldexp(1, e);
}

static void test_against_libm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];
		double worst = 0;
		float at = 0;

		/* every 499th float of both signs (a prime, so that the low bits vary) */
		for (uint32_t b = 1; b < 0x7f800000u; b += 499)
			for (int sign = 0; sign < 2; sign++) {
				float x = cop_unbits((int32_t)(b | (uint32_t)sign << 31));
				double e;

				if (!((double)x >= r->lo && (double)x <= r->hi)) continue;
				e = ulps(r->got(x), r->want((double)x));
				if (!(e <= worst)) worst = e, at = x;
			}
		print_message("%-14s worst %.3f ulp at %.9g\n", r->name, worst, (double)at);
		assert_true(worst > 0 || r->ulp <= 0);
		assert_true(worst <= r->ulp);
	}
}

static void test_limits(void **state)
{
	const float inf = INFINITY, nan_ = NAN;

	(void)state;
	assert_true(cop_expf(inf) == inf && cop_expf(-inf) == 0 && cop_expf(89) == inf && cop_expf(-200) == 0);
	assert_true(cop_expf(0) == 1 && cop_expf(88.72f) < inf && cop_expf(-103.9f) > 0);
	assert_true(cop_logf(0) == -inf && cop_logf(inf) == inf && isnan(cop_logf(-1)) && isnan(cop_logf(-inf)));
	assert_true(cop_logf(1) == 0);
	assert_true(cop_tanhf(inf) == 1 && cop_tanhf(-inf) == -1 && signbit(cop_tanhf(-0.0f)));
	assert_true(cop_erff(inf) == 1 && cop_erff(-inf) == -1 && signbit(cop_erff(-0.0f)));
	assert_true(cop_sigmoidf(inf) == 1 && cop_sigmoidf(-inf) == 0 && cop_sigmoidf(0) == 0.5f);
	assert_true(isnan(cop_expf(nan_)) && isnan(cop_logf(nan_)) && isnan(cop_tanhf(nan_)));
	assert_true(isnan(cop_sigmoidf(nan_)) && isnan(cop_erff(nan_)) && isnan(cop_clampf(nan_, 0, 1)));
	assert_true(cop_clampf(2, 0, 1) == 1 && cop_clampf(-2, 0, 1) == 0 && cop_clampf(0.5f, 0, 1) == 0.5f);
	assert_true(cop_clampf(-inf, -inf, inf) == -inf && cop_absf(-3) == 3 && !signbit(cop_absf(-0.0f)));
	assert_true(cop_minf(1, 2) == 1 && cop_maxf(1, 2) == 2);
	assert_true(cop_expm1f(inf) == inf && cop_expm1f(-inf) == -1 && isnan(cop_expm1f(nan_)));
	assert_true(isnan(cop_sinf(inf)) && isnan(cop_cosf(-inf)) && isnan(cop_sinf(nan_)) && signbit(cop_sinf(-0.0f)));
	assert_true(cop_roundf(-inf) == -inf && isnan(cop_floorf(nan_)) && signbit(cop_ceilf(-0.5f)) && signbit(cop_roundf(-0.0f)));
}

/* Every pair of these, also where C's pow has a rule of its own. */
static void test_pow(void **state)
{
	static const float v[] = {0.0f, -0.0f, 1, -1, 2, -2, 3, -3, 0.5f, -0.5f, 2.5f, -2.5f, 1e-40f, 3e38f, -3e38f, 16777216, INFINITY, -INFINITY, NAN};
	const size_t n = sizeof v / sizeof v[0];

	(void)state;
	for (size_t i = 0; i < n * n; i++) {
		float x = v[i / n], y = v[i % n], got = cop_powf(x, y), want = (float)pow((double)x, (double)y);
		if (isnan(want) ? isnan(got) : signbit(got) == signbit(want) && (got == want || ulps(got, (double)want) <= 1)) continue;
		print_message("%g ^ %g is %g, not %g\n", (double)x, (double)y, (double)got, (double)want);
		assert_true(0);
	}
}

/* The bits that every machine has to return: a changed digit here means devices no longer agree with hosts. */
static void test_bits(void **state)
{
	static float (*const fn[])(float) = {cop_expf, cop_logf, cop_tanhf, cop_sigmoidf, cop_erff};
	uint32_t h = 0;

	(void)state;
	for (size_t f = 0; f < sizeof fn / sizeof fn[0]; f++)
		for (int i = 1; i < 4000; i++) h = cop_mix32(h ^ (uint32_t)cop_bits(fn[f]((float)i * 0.0037f)));
	assert_int_equal(h, 0x9826c953u);
	assert_int_equal(cop_hash32(1, 2, 3, 4), 0x244e31f4u);
}

static void test_hash(void **state)
{
	enum { N = 1 << 16 };
	int ones[32] = {0}, flips = 0;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		uint32_t h = cop_hash32(7, 1, 2, i), d = h ^ cop_hash32(7, 1, 3, i);
		for (int b = 0; b < 32; b++) {
			ones[b] += (int)(h >> b & 1);
			flips += (int)(d >> b & 1);
		}
	}
	for (int b = 0; b < 32; b++) assert_in_range(ones[b], N / 2 - 800, N / 2 + 800); /* six deviations */
	assert_in_range(flips, 16 * N - 5000, 16 * N + 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_libm),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_pow),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
