/* SPDX-License-Identifier: Apache-2.0
 *
 * The real sets, where COPPICE_DATA has them: checksums, sizes, classes, and a few samples known from elsewhere.
 * What is not there is skipped and named.
 */
#include "data/make.h"

static cop_ctx *cx;

/* counts of train+valid, valid, test; labels of the first sample of train and of test (-1: not known) */
static const struct row {
	const char *name;
	int32_t count[3], dim[3], classes, label_train, label_test;
} rows[] = {
	{"mnist", {60000, 5000, 10000}, {28, 28, 1}, 10, 5, 7},
	{"fashion-mnist", {60000, 5000, 10000}, {28, 28, 1}, 10, 9, 9},
	{"cifar10", {50000, 4166, 10000}, {32, 32, 3}, 10, 6, 3},
	{"cifar10-jpeg", {50000, 4166, 10000}, {32, 32, 3}, 10, 6, 3},
	{"kws-mfcc", {0, 0, 1000}, {49, 10, 1}, 12, 0, 7},
	{"fsdd", {2700, 225, 300}, {49, 10, 1}, 10, -1, -1},
};

static bool missing(const char *name)
{
	cop_data_info info;
	for (int i = 0; cop_data_list(cx, i, &info); i++)
		if (!strcmp(info.name, name)) return !info.present;
	return true;
}

static void part(const struct row *r, const char *split, int32_t want, int32_t limit, int32_t label0)
{
	cop_dataset *d;
	int32_t label, seen[16] = {0};
	cop_status st = cop_data_open(&d, cx, r->name, split, limit);
	if (st && lacking(cx)) {
		print_message("%s: skipped, %s\n", r->name, cop_error_text(cx));
		cop_error_clear(cx);
		return;
	}
	if (st) fail_msg("%s", cop_error_text(cx));
	assert_int_equal(d->count, limit ? limit : want);
	assert_int_equal(d->classes, r->classes);
	float *x = malloc(sizeof *x * (size_t)cop_type_count(&d->x));
	for (int k = 0; k < 3; k++) assert_int_equal(d->x.dim[k], r->dim[k]);
	for (int32_t i = 0; i < d->count; i++) {
		assert_int_equal(d->get(d->ud, i, x, &label), COP_OK);
		assert_in_range(label, 0, d->classes - 1);
		if (!i && label0 >= 0) assert_int_equal(label, label0);
		seen[label]++;
		if (r->dim[0] != 49)
			for (int64_t k = 0; k < cop_type_count(&d->x); k++) assert_true(x[k] >= 0 && x[k] <= 1);
	}
	for (int c = 0; c < d->classes && !limit; c++) assert_true(seen[c] > 0);
	free(x);
	cop_data_free(d);
}

static void test_sets(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(rows); i++) {
		const struct row *r = &rows[i];
		if (missing(r->name)) {
			print_message("%s: skipped, not in COPPICE_DATA\n", r->name);
			continue;
		}
		if (cop_data_check(cx, r->name) && !lacking(cx)) fail_msg("%s", cop_error_text(cx));
		cop_error_clear(cx);
		part(r, "test", r->count[2], 0, r->label_test);
		if (!r->count[0]) {
			cop_dataset *d;
			assert_int_equal(cop_data_open(&d, cx, r->name, "train", 0), COP_ARG);
			assert_says(cx, "test part only");
			cop_error_clear(cx);
			continue;
		}
		part(r, "valid", r->count[1], 0, -1);
		part(r, "train", r->count[0] - r->count[1], 100, r->label_train);
	}
}

/* The first training image of MNIST is a 5 whose pixels add up to 27525. */
static void test_mnist_pixels(void **state)
{
	(void)state;
	cop_dataset *d;
	float x[784], sum = 0;
	int32_t label;
	if (missing("mnist")) {
		print_message("mnist: skipped, not in COPPICE_DATA\n");
		return;
	}
	if (cop_data_open(&d, cx, "mnist", "train", 1)) {
		if (!lacking(cx)) fail_msg("%s", cop_error_text(cx));
		cop_error_clear(cx);
		return;
	}
	assert_int_equal(d->get(d->ud, 0, x, &label), COP_OK);
	for (int i = 0; i < 784; i++) sum += x[i] * 255;
	assert_int_equal((int)(sum + 0.5f), 27525);
	assert_int_equal(label, 5);
	cop_data_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sets), cmocka_unit_test(test_mnist_pixels)};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	cop_ctx_free(cx);
	return rc;
}
