/* SPDX-License-Identifier: Apache-2.0
 *
 * test_quant - the arithmetic of int8 against numbers from outside: multipliers and results worked out from TFLite's definition
 * in exact arithmetic, softmax against floats, and the single rounding against its definition in doubles.
 */
#include "help.h"
#include "kernel/quant.h"
#include "op/qscale.h"

void cop_qsoftmax_i8(const cop_call *c);

static void multipliers(void **state)
{
	static const struct { double real; int32_t m, shift; } gold[] = {
		{.0123456789, 1696777188, -6}, {.5, 1073741824, 0}, {1.75, 1879048192, 1}, {.9999999999, 1073741824, 1}, {.0003921568, 1724723846, -11}, {0, 0, 0},
	};
	int32_t m, shift;

	(void)state;
	for (int i = 0; i < LEN(gold); i++) {
		cop__multiplier_double(&m, &shift, gold[i].real);
		assert_int_equal(m, gold[i].m);
		assert_int_equal(shift, gold[i].shift);
	}
	cop__multiplier_double(&m, &shift, 1e-12);
	assert_int_equal(m, 0);
}

static void double_rounding(void **state)
{
	static const struct { double real; int32_t x, y; } gold[] = {
		{.5, -1, 0}, {.5, 12345, 6173}, {.5, -12345, -6172}, {.0003921568, 12345, 5}, {.0003921568, -12345, -5}, {.0003921568, 123456, 48}, {.0003921568, -123456, -48},
		{1.75, 4, 7}, {1.75, -4, -7},
	};
	int32_t m, shift;

	(void)state;
	for (int i = 0; i < LEN(gold); i++) {
		cop__multiplier_double(&m, &shift, gold[i].real);
		assert_int_equal(cop_scale_double(gold[i].x, m, shift), gold[i].y);
	}
	assert_int_equal(cop_high_mul(INT32_MIN, INT32_MIN), INT32_MAX);
	/* both roundings together are never more than one apart from the single one */
	cop__multiplier_double(&m, &shift, .0123456789);
	int differ = 0;
	for (int32_t x = -20000; x < 20000; x++) {
		int32_t once = (int32_t)(((int64_t)x * m + ((int64_t)1 << (30 - shift))) >> (31 - shift)), twice = cop_scale_double(x, m, shift);
		assert_true(once - twice >= -1 && once - twice <= 1);
		differ += once != twice;
	}
	assert_int_equal(differ, 494);
}

static void single_rounding(void **state)
{
	static const double real[] = {.0123456789, .25, .4999, .5, 1.9, 37.5};
	int32_t m, up;

	(void)state;
	for (int i = 0; i < LEN(real); i++) {
		assert_true(cop__multipliers_single(&m, &up, &real[i], 1));
		for (int32_t x = -30000; x < 30000; x += 7) {
			double exact = (double)x * ldexp(m, up - 32);
			assert_int_equal(cop_scale_single(x, m, up), (int32_t)floor(exact + 0.5));
			assert_true(fabs(exact - x * real[i]) < 1e-3 + fabs(x * real[i]) * 1e-6);
		}
	}
	assert_false(cop__multipliers_single(&m, &up, (double[]){4e9}, 1));
}

static void sums(void **state)
{
	cop_qadd_attr a;
	(void)state;
	cop__qadd_scales(&a, 0.05, 0.02, 0.06, false);
	assert_true(a.sy >= 20 && a.ma < 1 << 22 && a.mb < 1 << 22);
	assert_true(fabs(ldexp(a.ma, -a.sy) - 0.05 / 0.06) < 1e-6 && fabs(ldexp(a.mb, -a.sy) - 0.02 / 0.06) < 1e-6);
	cop__qadd_scales(&a, 0.05, 0.02, 0.06, true); /* half of the larger scale is the unit */
	assert_int_equal(a.ma, 1 << 30);
	assert_int_equal(a.sa, 0);
}

static void softmax(void **state)
{
	int8_t x[10], y[10];
	void *buf[2] = {y, x};

	(void)state;
	for (int t = 0; t < 200; t++) {
		double scale = 0.01 + 0.002 * t, sum = 0;
		cop_qsoftmax_attr a = cop__qsoftmax_scale(scale, 1);
		const int32_t k[QS_WORDS] = {1, 10, a.mult, a.shift, a.least};
		for (int i = 0; i < 10; i++) x[i] = (int8_t)cop__rand(1, (uint32_t)t, (uint64_t)i);
		cop_qsoftmax_i8(&(cop_call){.buf = buf, .k = k, .part = 0, .parts = 1});
		for (int i = 0; i < 10; i++) sum += exp(scale * x[i]);
		for (int i = 0; i < 10; i++) assert_true(fabs((y[i] + 128) / 256.0 - exp(scale * x[i]) / sum) <= 1.01 / 256);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(multipliers), cmocka_unit_test(double_rounding), cmocka_unit_test(single_rounding), cmocka_unit_test(sums), cmocka_unit_test(softmax)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
