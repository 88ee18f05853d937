/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of decoded samples by hand: its limits, samples picked in an order with all that belongs to them, samples that are made when they are
 * wanted and once, names of classes, and the means and deviations of channels.
 */
#include "make.h"
#include "data/batch.h"

#include <math.h>

static cop_ctx *cx;

static cop_store *store(int32_t rank, const int32_t *dim, bool reals, int32_t count)
{
	cop_store *s;

	assert_int_equal(cop__store_new(&s, cx, "made"), COP_OK);
	assert_int_equal(cop__store_shape(s, rank, dim, reals), COP_OK);
	assert_int_equal(cop__store_room(s, count), COP_OK);
	return s;
}

static void says(const char *what)
{
	if (!strstr(cop_error_text(cx), what)) fail_msg("'%s' is not in '%s'", what, cop_error_text(cx));
	cop_error_clear(cx);
}

/* ---- shapes and room ---- */

static void limits(void **state)
{
	static const struct { int32_t rank, dim[3]; const char *why; } shape[] = {
		{0, {1}, "rank 0"}, {4, {1, 1, 1}, "rank 4"}, {1, {0}, "axis 0 of a sample is 0 long"}, {2, {3, -1}, "axis 1 of a sample is -1 long"}, {1, {COP_DATA_EACH + 1}, "is 16777217 long"},
		{2, {COP_DATA_EACH, 2}, "more than 16777216 elements"}, {3, {4096, 4096, 2}, "more than 16777216 elements"}, {1, {COP_DATA_EACH}, NULL}, {3, {4096, 4096, 1}, NULL}, {1, {1}, NULL}, {3, {2, 3, 4}, NULL},
	};
	(void)state;
	for (int i = 0; i < LEN(shape); i++) {
		cop_store *s;
		assert_int_equal(cop__store_new(&s, cx, "made"), COP_OK);
		cop_status st = cop__store_shape(s, shape[i].rank, shape[i].dim, false);
		assert_int_equal(st, shape[i].why ? COP_SHAPE : COP_OK);
		if (st) says(shape[i].why);
		else for (int k = 0; k < shape[i].rank; k++) assert_int_equal(s->d.x.dim[k], shape[i].dim[k]);
		cop__store_free(s);
	}
	/* 4 GiB: of 2^24 codes a sample 256, of reals 64 */
	for (int reals = 0; reals < 2; reals++) {
		cop_store *s;
		assert_int_equal(cop__store_new(&s, cx, "made"), COP_OK);
		assert_int_equal(cop__store_shape(s, 1, (const int32_t[]){COP_DATA_EACH}, reals), COP_OK);
		assert_int_equal(cop__store_room(s, reals ? 65 : 257), COP_NOMEM);
		says("use a limit");
		assert_int_equal(cop__store_room(s, -1), COP_NOMEM);
		cop_error_clear(cx);
		cop__store_free(s);
	}
}

/* ---- picking ---- */

static void picked(void **state)
{
	static const int32_t order[] = {9, 4, 0, 3, 3, 9};
	(void)state;
	for (int reals = 0; reals < 2; reals++) {
		cop_store *all = store(2, (const int32_t[]){2, 2}, reals, 5), *s;
		cop_names names;
		for (int i = 0; i < 5; i++) {
			all->label[i] = 10 + i;
			for (int k = 0; k < 4; k++)
				if (reals) all->value[4 * i + k] = (float)i + 0.25f * (float)k;
				else all->code[4 * i + k] = (uint8_t)(16 * i + k);
		}
		cop__names_init(&names, cx);
		for (int i = 0; i < 2; i++) assert_int_equal(cop__names_add(&names, i ? "rise" : "price"), COP_OK);
		assert_int_equal(cop__store_targets(all, &names), COP_OK);
		for (int i = 0; i < 10; i++) all->target[i] = (float)i;
		all->lut[16] = 77;
		cop__store_say(all, "one sentence");
		assert_int_equal(cop__store_new(&s, cx, "picked"), COP_OK);
		assert_int_equal(cop__store_pick(s, all, order, 1, 4), COP_OK); /* 4 0 3 3 */
		assert_true(s->d.count == 4 && s->d.x.rank == 2 && s->d.x.dim[1] == 2 && s->d.targets == 2);
		for (int i = 0; i < 4; i++) {
			float x[4], y[2];
			int32_t label, from = order[1 + i];
			assert_int_equal(s->d.get(s->d.ud, i, x, &label), COP_OK);
			assert_int_equal(label, 10 + from);
			for (int k = 0; k < 4; k++) assert_true(x[k] == (reals ? (float)from + 0.25f * (float)k : all->lut[16 * from + k]));
			assert_int_equal(s->d.target(s->d.ud, i, y), COP_OK);
			assert_true(y[0] == (float)(2 * from) && y[1] == (float)(2 * from + 1));
		}
		assert_string_equal(s->d.target_name[1], "rise");
		assert_non_null(strstr(s->d.note, "one sentence"));
		cop__store_free(s);
		cop__names_free(&names);
		cop__store_free(all);
	}
}

/* Codes are v / 255 unless a reader says otherwise. */
static void codes(void **state)
{
	(void)state;
	cop_store *s = store(1, (const int32_t[]){3}, false, 1);
	float x[3];
	int32_t label = -5;
	memcpy(s->code, "\x00\x33\xff", 3);
	assert_int_equal(s->d.get(s->d.ud, 0, x, &label), COP_OK);
	assert_true(x[0] == 0 && fabsf(x[1] - 0.2f) < 1e-7f && x[2] == 1 && label == 0);
	assert_true(cop__store_of(&s->d) == s);
	assert_int_equal(s->d.get(s->d.ud, 1, x, &label), COP_ARG); /* past the last */
	cop_error_clear(cx);
	assert_int_equal(s->d.get(s->d.ud, -1, x, &label), COP_ARG);
	cop_error_clear(cx);
	cop__store_free(s);
}

/* ---- made when wanted ---- */

static int made[4];
static cop_status make(cop_store *s, int32_t i, uint8_t *code, float *value, int32_t *label)
{
	(void)s, (void)value;
	made[i]++;
	code[0] = (uint8_t)(10 * i), code[1] = 1;
	*label = i;
	return i == 3 ? COP_IO : COP_OK;
}

static void lazily(void **state)
{
	(void)state;
	cop_store *s = store(1, (const int32_t[]){2}, false, 4);
	float x[2];
	int32_t label;
	s->make = make;
	s->have = cop__alloc(cx, 4);
	for (int k = 0; k < 2; k++) {
		assert_int_equal(cop__store_fill(s, 2), COP_OK);
		assert_int_equal(s->d.get(s->d.ud, 2, x, &label), COP_OK);
		assert_true(label == 2 && fabsf(x[0] - 20.0f / 255) < 1e-7f && fabsf(x[1] - 1.0f / 255) < 1e-7f);
		assert_int_equal(cop__store_fill(s, 3), COP_IO); /* one that could not be made is tried again */
	}
	assert_true(made[0] == 0 && made[1] == 0 && made[2] == 1 && made[3] == 2);
	cop__store_free(s);
}

/* ---- names ---- */

static void classes(void **state)
{
	static const struct { int32_t label[5]; int n; const char *want[3]; int32_t place[5]; } row[] = {
		{{7, 3, 7, 9, 3}, 3, {"3", "7", "9"}, {1, 0, 1, 2, 0}}, {{0, 0, 0, 0, 0}, 1, {"0"}, {0}}, {{-2, 10, 1, 10, -2}, 3, {"-2", "1", "10"}, {0, 2, 1, 2, 0}},
	};
	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_store *s = store(1, (const int32_t[]){1}, false, 5);
		memcpy(s->label, row[i].label, sizeof row[i].label);
		assert_int_equal(cop__store_class_numbers(s, row[i].label, 5), COP_OK);
		assert_int_equal(s->d.classes, row[i].n);
		for (int k = 0; k < row[i].n; k++) assert_string_equal(s->d.class_name[k], row[i].want[k]);
		for (int k = 0; k < 5; k++) assert_int_equal(s->label[k], row[i].place[k]);
		if (i) {
			cop__store_free(s);
			continue;
		}
		assert_int_equal(cop__store_class_list(s, "a b c d e f g hat"), COP_OK); /* number 9 has no word */
		assert_string_equal(s->d.class_name[0], "d");
		assert_string_equal(s->d.class_name[1], "hat");
		assert_string_equal(s->d.class_name[2], "9");
		cop__store_free(s);
	}
	cop_store *s = store(1, (const int32_t[]){1}, false, 1);
	assert_int_equal(cop__store_class_list(s, "cat night dog"), COP_OK);
	assert_int_equal(s->d.classes, 3);
	assert_string_equal(s->d.class_name[1], "night");
	assert_string_equal(s->d.class_name[2], "dog");
	cop__store_free(s);
}

/* ---- means and deviations ---- */

/* Two channels, two samples of two places. Codes 0 51 102 153 and 255 four times; reals 1 2 3 6 and -1 -1 -1 -1. */
static void statistics(void **state)
{
	static const uint8_t code[8] = {0, 255, 51, 255, 102, 255, 153, 255};
	static const float value[8] = {1, -1, 2, -1, 3, -1, 6, -1};
	float mean[2], std[2];
	(void)state;
	for (int reals = 0; reals < 2; reals++) {
		cop_store *s = store(3, (const int32_t[]){2, 1, 2}, reals, 2);
		if (reals) memcpy(s->value, value, sizeof value);
		else memcpy(s->code, code, sizeof code);
		assert_int_equal(cop__batch_channels(&s->d), 2);
		assert_int_equal(cop__batch_stats(mean, std, 2, cx, &s->d), COP_OK);
		assert_true(fabsf(mean[0] - (reals ? 3 : 0.3f)) < 1e-6f && fabsf(std[0] - (reals ? sqrtf(3.5f) : 0.2f * sqrtf(1.25f))) < 1e-6f);
		assert_true(fabsf(mean[1] - (reals ? -1 : 1)) < 1e-6f && std[1] == 1); /* all alike */
		cop__store_free(s);
	}
	/* the counters of codes are emptied every 128 samples, and at the end */
	for (int n = 127; n <= 257; n += n == 129 ? 126 : 1) {
		cop_store *s = store(1, (const int32_t[]){1}, false, n);
		for (int i = 0; i < n; i++) s->code[i] = i == n - 1 ? 255 : 0;
		assert_int_equal(cop__batch_stats(mean, std, 1, cx, &s->d), COP_OK);
		assert_true(fabs((double)mean[0] - 1.0 / n) < 1e-7);
		cop__store_free(s);
	}
}

/* ---- order ---- */

/* Every sample once in each epoch; another order with another seed or epoch, the same again with the same. */
static void orders(void **state)
{
	enum { N = 50 };
	static const struct { uint64_t seed; int32_t epoch; } row[] = {{1, 0}, {1, 1}, {2, 0}, {1, 0}, {1, 7}};
	int32_t order[LEN(row)][N];
	float x[N];
	(void)state;
	cop_store *s = store(1, (const int32_t[]){1}, true, N);
	for (int i = 0; i < N; i++) s->value[i] = (float)i;
	for (int i = 0; i < LEN(row); i++) {
		cop_batches *b;
		int seen[N] = {0};
		assert_int_equal(cop__batch_new(&b, cx, &s->d, &(cop_batch_args){.size = N, .seed = row[i].seed}), COP_OK);
		assert_int_equal(cop__batch_count(b), 1);
		assert_int_equal(cop__batch_epoch(b, row[i].epoch), COP_OK);
		assert_int_equal(cop__batch_get(x, order[i], b, 0, 0, 1), COP_OK);
		for (int k = 0; k < N; k++) seen[order[i][k] = (int32_t)x[k]]++;
		for (int k = 0; k < N; k++) assert_int_equal(seen[k], 1);
		assert_int_equal(cop__batch_epoch(b, -1), COP_ARG);
		cop_error_clear(cx);
		cop__batch_free(b);
	}
	for (int i = 0; i < LEN(row); i++)
		for (int k = 0; k < i; k++) assert_true(!memcmp(order[i], order[k], sizeof order[i]) == (i == 3 && k == 0));
	cop__store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(limits), cmocka_unit_test(picked), cmocka_unit_test(codes), cmocka_unit_test(lazily), cmocka_unit_test(classes), cmocka_unit_test(statistics), cmocka_unit_test(orders)};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	cop_ctx_free(cx);
	return rc;
}
