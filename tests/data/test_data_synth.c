/* SPDX-License-Identifier: Apache-2.0
 *
 * synth-digits: the same bytes on every machine and in any order, no two samples alike, all classes about equally
 * often, and a task that is neither trivial nor hopeless: the nearest class mean gets some right and many wrong.
 */
#include "data/make.h"

#include <math.h>
#include <time.h>

static cop_ctx *cx;

static cop_dataset *open(const char *split, int32_t limit)
{
	cop_dataset *d;
	if (cop_data_open(&d, cx, "synth-digits", split, limit)) fail_msg("%s", cop_error_text(cx));
	return d;
}

/* If this changes, every number ever reported on synth-digits has to be measured again. */
static void test_golden(void **state)
{
	(void)state;
	static const struct { const char *split; uint32_t crc; } want[] = {{"train", 0x2693dc41}, {"test", 0xf3607ca0}};
	for (int i = 0; i < 2; i++) {
		cop_dataset *d = open(want[i].split, 200);
		cop_store *s = cop__store_of(d);
		uint32_t crc = 0;
		for (int k = 0; k < 200; k++) {
			assert_int_equal(cop__store_fill(s, k), COP_OK);
			crc = cop__crc32c(s->code + k * 784, 784, crc);
			crc = cop__crc32c(&(uint8_t){(uint8_t)s->label[k]}, 1, crc);
		}
		if (crc != want[i].crc) fail_msg("%s: crc %08x, %08x is expected", want[i].split, crc, want[i].crc);
		cop_data_free(d);
	}
}

/* Sample 55,000 + i of "train+valid" is sample i of "valid"; the order of asking does not matter. */
static void test_order(void **state)
{
	(void)state;
	cop_dataset *all = open("train+valid", 0), *valid = open("valid", 0), *train = open("train", 0),
	            *test = open("test", 0);
	float x[784], y[784];
	int32_t a, b;
	assert_int_equal(all->count, 60000);
	assert_int_equal(valid->count, 5000);
	assert_int_equal(train->count, 55000);
	assert_int_equal(test->count, 10000);
	static const int at[] = {4999, 0, 17};
	for (int i = 0; i < 3; i++) {
		assert_int_equal(all->get(all->ud, 55000 + at[i], x, &a), COP_OK);
		assert_int_equal(valid->get(valid->ud, at[i], y, &b), COP_OK);
		assert_memory_equal(x, y, sizeof x);
		assert_int_equal(a, b);
		assert_int_equal(test->get(test->ud, at[i], y, &b), COP_OK);
		assert_memory_not_equal(x, y, sizeof x);
	}
	cop_data_free(all), cop_data_free(valid), cop_data_free(train), cop_data_free(test);
}

/* Another part held out: the last samples of the training part, and those alone are not trained with. */
static void test_fraction(void **state)
{
	static const struct { float valid; int32_t count; } row[] = {{0.1f, 6000}, {0.25f, 15000}, {0.00001f, 1}, {0.99999994f, 59999}, {1.0f / 12, 5000}};
	float x[784], y[784];
	int32_t a, b;

	(void)state;
	cop_dataset *all = open("train+valid", 0), *d[2];
	for (int i = 0; i < LEN(row); i++) {
		for (int k = 0; k < 2; k++) assert_int_equal(cop_data_open_as(&d[k], cx, "synth-digits", &(cop_data_args){.split = k ? "valid" : "train", .valid = row[i].valid}), COP_OK);
		assert_int_equal(d[1]->count, row[i].count);
		assert_int_equal(d[0]->count, 60000 - row[i].count);
		assert_int_equal(d[1]->get(d[1]->ud, 0, x, &a), COP_OK);
		assert_int_equal(all->get(all->ud, d[0]->count, y, &b), COP_OK);
		assert_memory_equal(x, y, sizeof x);
		cop_data_free(d[0]), cop_data_free(d[1]);
	}
	static const float wrong[] = {-0.1f, 1, 2, NAN};
	for (int i = 0; i < LEN(wrong); i++) assert_int_equal(cop_data_open_as(&d[0], cx, "synth-digits", &(cop_data_args){.split = "valid", .valid = wrong[i]}), COP_ARG);
	cop_data_free(all);
}

static void test_hardness(void **state)
{
	(void)state;
	enum { N = 6000 };
	static double mean[10][784];
	int count[10] = {0}, right = 0, ink = 0;
	float x[784];
	int32_t label;
	clock_t t = clock();
	cop_dataset *d = open("train", N), *e = open("test", 2000);
	for (int i = 0; i < N; i++) {
		assert_int_equal(d->get(d->ud, i, x, &label), COP_OK);
		count[label]++;
		int dark = 0;
		for (int k = 0; k < 784; k++) {
			mean[label][k] += (double)x[k];
			dark += x[k] > 0.5f;
		}
		ink += dark >= 15 && dark <= 300;
	}
	print_message("%.0f images/s\n", N / ((double)(clock() - t) / CLOCKS_PER_SEC));
	assert_true(ink > N * 0.99); /* something is drawn, and not a blot */
	for (int c = 0; c < 10; c++) assert_in_range(count[c], N / 10 * 8 / 10, N / 10 * 12 / 10);
	for (int i = 0; i < 2000; i++) {
		int best = 0;
		double least = 1e9;
		assert_int_equal(e->get(e->ud, i, x, &label), COP_OK);
		for (int c = 0; c < 10; c++) {
			double s = 0;
			for (int k = 0; k < 784; k++)
				s += ((double)x[k] - mean[c][k] / count[c]) * ((double)x[k] - mean[c][k] / count[c]);
			if (s < least) least = s, best = c;
		}
		right += best == label;
	}
	print_message("nearest mean: %.1f %%\n", right / 20.0);
	assert_in_range(right, 900, 1700);
	cop_data_free(d), cop_data_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_golden), cmocka_unit_test(test_order), cmocka_unit_test(test_fraction), cmocka_unit_test(test_hardness)};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	cop_ctx_free(cx);
	return rc;
}
