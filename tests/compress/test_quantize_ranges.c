/* SPDX-License-Identifier: Apache-2.0
 *
 * What quantisation works with: ranges of values against numbers by hand and from make_quantize_reference.py, and rounding by its invariants.
 */
#include "help.h"
#include "compress/quantize/quantize.h"

/* ---- ranges ---- */

static void test_range(void **state)
{
	static const struct { float lo, hi; int bits; bool symmetric; float scale; int32_t zero; } row[] = {
		{-1, 3, 8, false, 4.0f / 255, -64}, {-1, 3, 8, true, 3.0f / 127, 0}, {2, 6, 8, false, 6.0f / 255, -128}, {-5, -1, 8, false, 5.0f / 255, 127},
		{0, 15, 4, false, 1, -8}, {-7, 7, 4, true, 1, 0}, {0, 0, 8, false, 1, 0}, {-3.5f, 3, 4, true, 0.5f, 0},
	};
	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_qrange r = cop__qrange(row[i].lo, row[i].hi, row[i].bits, row[i].symmetric);
		assert_float_equal(r.scale, row[i].scale, 1e-6);
		assert_int_equal(r.zero, row[i].zero);
		assert_int_equal(cop__quantise(0, &r), r.zero); /* 0 is exact */
		assert_int_equal(cop__quantise(1e30f, &r), r.hi);
		assert_int_equal(cop__quantise(-1e30f, &r), r.lo);
	}
	cop_qrange half = {1, 0, -128, 127};
	assert_int_equal(cop__quantise(0.5f, &half), 1); /* away from zero */
	assert_int_equal(cop__quantise(-2.5f, &half), -3);
}

static void see_all(cop_seen *s, int64_t *count, const float *x, int64_t n)
{
	*s = (cop_seen){.count = count};
	memset(count, 0, sizeof *count * COP_SEEN_BINS);
	cop__see(s, x, n);
}

/* The counts are those of one pass over sorted numbers, whatever comes first. */
static void test_histogram(void **state)
{
	static int64_t a[COP_SEEN_BINS], b[COP_SEEN_BINS];
	static float up[3000], down[3000];
	cop_seen s, t = {.count = b};
	int64_t sum = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) up[i] = down[2999 - i] = 0.01f * (float)(i - 1000) * (float)(i - 1000) * (i < 1000 ? -0.1f : 1);
	see_all(&s, a, up, 3000);
	for (int i = 0; i < 3000; i += 7) cop__see(&t, down + i, COP_MIN(7, 3000 - i));
	assert_memory_equal(a, b, sizeof a);
	assert_true(s.reach == t.reach && s.lo == up[0] && s.hi == up[2999] && s.reach >= s.hi && s.reach < 2 * s.hi);
	for (int i = 0; i < COP_SEEN_BINS; i++) sum += a[i];
	assert_int_equal(sum, 3000);
}

static void test_percentile(void **state)
{
	static int64_t count[COP_SEEN_BINS];
	static float x[100001];
	cop_seen s;
	cop_qrange r;

	for (int i = 0; i < 100000; i++) x[i] = (float)i / 100000;
	x[100000] = 64; /* one in 100,001 */
	see_all(&s, count, x, 100001);
	OK(*state, cop__qrange_of(&r, *state, &s, COP_RANGE_MINMAX, 8, false));
	assert_float_equal(r.scale * 255, 64, 1e-4);
	OK(*state, cop__qrange_of(&r, *state, &s, COP_RANGE_PERCENTILE, 8, false));
	assert_float_equal(r.scale * 255, 1, 2 * 64.0 / 2048); /* bins are 1/32 wide: the outlier set them */
}

/* The range by squared error is no worse, on the numbers themselves, than any part of the whole, up to a bin's width. */
static void test_mse(void **state)
{
	static int64_t count[COP_SEEN_BINS];
	static float x[20000];
	double got = 0, least = 1e30;
	cop_seen s;
	cop_qrange r;

	for (int i = 0; i < LEN(x); i++) x[i] = cop__rand_normal(3, 1, (uint64_t)i);
	see_all(&s, count, x, LEN(x));
	OK(*state, cop__qrange_of(&r, *state, &s, COP_RANGE_MSE, 4, false));
	for (int c = 0; c <= 60; c++) {
		cop_qrange t = c ? cop__qrange(s.lo * (float)c / 60, s.hi * (float)c / 60, 4, false) : r;
		double sum = 0;
		for (int i = 0; i < LEN(x); i++) {
			double e = (double)(x[i] - t.scale * (float)(cop__quantise(x[i], &t) - t.zero));
			sum += e * e;
		}
		if (c) least = fmin(least, sum);
		else got = sum;
	}
	assert_true(got < 1.01 * least);
}

static int half_bell(double *b, int n, double width)
{
	for (int i = 0; i < n; i++) b[i] = floor(1e6 * exp(-(i / width) * (i / width)));
	return n;
}

/* Half of all numbers are the zeros of a ReLU: the range still reaches into the tail. */
static void test_kl_zeros(void **state)
{
	static int64_t count[COP_SEEN_BINS];
	static float x[40000];
	cop_seen s;
	cop_qrange r;

	for (int i = 0; i < LEN(x); i++) x[i] = fmaxf(0, cop__rand_normal(4, 1, (uint64_t)i));
	see_all(&s, count, x, LEN(x));
	OK(*state, cop__qrange_of(&r, *state, &s, COP_RANGE_KL, 8, false));
	assert_true(r.scale * 255 > 2);
}

/* Numbers of make_quantize_reference.py. */
static void test_kl(void **state)
{
	static double b[1024], room[2048];
	int n;

	(void)state;
	for (n = 0; n < 512; n++) b[n] = 100;
	assert_int_equal(cop__kl_threshold(b, n, 128, room), 512);
	assert_int_equal(cop__kl_threshold(b, half_bell(b, 512, 100), 128, room), 333);
	n = half_bell(b, 256, 60);
	memset(b + n, 0, sizeof *b * 767);
	b[1023] = 5;
	assert_int_equal(cop__kl_threshold(b, 1024, 128, room), 198);
	for (n = 0; n < 1024; n++) b[n] = floor(1e5 * exp(-n / 40.0));
	assert_int_equal(cop__kl_threshold(b, n, 128, room), 417);
	assert_int_equal(cop__kl_threshold(b, n, 8, room), 231);
}

/* ---- rounding ---- */

static void products(float *h, int k, int samples, uint32_t stream, bool diagonal)
{
	memset(h, 0, sizeof *h * (size_t)(k * k));
	for (int s = 0; s < samples; s++) {
		float common = cop__rand_unit(5, stream, (uint64_t)s), x[64];
		for (int i = 0; i < k; i++) x[i] = common + cop__rand_unit(5, stream + 1, (uint64_t)(s * k + i));
		for (int i = 0; i < k; i++)
			for (int j = 0; j < k; j++) h[i * k + j] += diagonal && i != j ? 0 : x[i] * x[j] / (float)samples;
	}
}

static void test_adaround(void **state)
{
	enum { K = 12, ROWS = 20 };
	float h[K * K], w[K], d[K], scale = 0.13f;
	int8_t q[K], nearest[K], all[K];
	double ours = 0, best = 0, plain = 0;

	for (uint32_t row = 0; row < ROWS; row++) {
		bool carried = row % 2;
		products(h, K, 200, 10 + 2 * row, row < 4);
		for (int i = 0; i < K; i++) {
			w[i] = cop__rand_unit(8, row, (uint64_t)i) * 1.6f - 0.8f;
			d[i] = 0.02f * (cop__rand_unit(9, row, (uint64_t)i) - 0.5f);
			q[i] = nearest[i] = (int8_t)cop__round_weight(w[i], scale, 7);
		}
		OK(*state, cop__adaround(q, *state, w, scale, K, h, carried ? d : NULL, 7, 300));
		double n = cop__round_cost(nearest, w, scale, K, h, carried ? d : NULL), a = cop__round_cost(q, w, scale, K, h, carried ? d : NULL), least = 1e30;
		assert_true(a <= n + 1e-9);
		for (int i = 0; i < K; i++) { /* never more than a step, never beyond the integers */
			assert_true(fabsf((float)q[i] - w[i] / scale) < 1 || fabsf(w[i] / scale) > 7);
			assert_true(q[i] >= -7 && q[i] <= 7);
			if (row < 4 && !carried) assert_int_equal(q[i], nearest[i]); /* products that do not mix: the nearest is best */
		}
		for (int bits = 0; bits < 1 << K; bits++) {
			for (int i = 0; i < K; i++) all[i] = (int8_t)COP_MAX(-7, COP_MIN(7, (int)floorf(w[i] / scale) + (bits >> i & 1)));
			least = fmin(least, cop__round_cost(all, w, scale, K, h, carried ? d : NULL));
		}
		plain += n, ours += a, best += least;
	}
	assert_true(ours - best < 0.25 * (plain - best)); /* most of the way from the nearest to the best of all 2^12 */
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_range), cmocka_unit_test(test_histogram), cmocka_unit_test(test_percentile), cmocka_unit_test(test_mse), cmocka_unit_test(test_kl),
		cmocka_unit_test(test_kl_zeros), cmocka_unit_test(test_adaround)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
