/* SPDX-License-Identifier: Apache-2.0
 *
 * synth-scenes: the same bytes on every machine and in any order; each target names a cell in which there is ink, and a digit that lies there;
 * the parts share no scene.
 */
#include "data/make.h"

static cop_ctx *cx;
enum { SIDE = 48, CELLS = 6, KINDS = 10, TARGETS = CELLS * CELLS * KINDS };

static cop_dataset *open(const char *split, int32_t limit)
{
	cop_dataset *d;
	if (cop_data_open(&d, cx, "synth-scenes", split, limit)) fail_msg("%s", cop_error_text(cx));
	return d;
}

/* If this changes, every number ever reported on synth-scenes has to be measured again. */
static void golden(void **state)
{
	static const struct { const char *split; uint32_t crc; } want[] = {{"train", 0x4ebd2a96}, {"test", 0x7376a653}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		cop_dataset *d = open(want[i].split, 100);
		cop_store *s = cop__store_of(d);
		uint32_t crc = 0;
		for (int k = 0; k < 100; k++) {
			assert_int_equal(cop__store_fill(s, k), COP_OK);
			crc = cop__crc32c(s->code + k * SIDE * SIDE, SIDE * SIDE, crc);
			for (int t = 0; t < TARGETS; t++) crc = cop__crc32c(&(uint8_t){(uint8_t)s->target[k * TARGETS + t]}, 1, crc);
		}
		if (crc != want[i].crc) fail_msg("%s: crc %08x, %08x is expected", want[i].split, crc, want[i].crc);
		cop_data_free(d);
	}
}

static float ink(const float *x, int row, int column)
{
	float sum = 0;
	for (int i = 0; i < 64; i++) sum += x[(row * 8 + i / 8) * SIDE + column * 8 + i % 8];
	return sum;
}

/* Targets are asked for before samples. In a cell with a digit's middle there is ink; so is there in the mean of all such cells ten times what is in
 * an empty picture's corner. */
static void cells(void **state)
{
	static float x[SIDE * SIDE], y[TARGETS];
	cop_dataset *d = open("test", 300);
	int32_t label, seen[KINDS] = {0}, many[4] = {0};
	float marked = 0, all = 0;
	int marks = 0;

	(void)state;
	assert_int_equal(d->targets, TARGETS);
	assert_int_equal(d->classes, 0);
	assert_string_equal(d->target_name[0], "0@0,0");
	assert_string_equal(d->target_name[(2 * CELLS + 4) * KINDS + 3], "3@2,4");
	for (int i = 0; i < d->count; i++) {
		int n = 0;
		assert_int_equal(d->target(d->ud, i, y), COP_OK);
		assert_int_equal(d->get(d->ud, i, x, &label), COP_OK);
		for (int t = 0; t < TARGETS; t++) {
			assert_true(y[t] == 0 || y[t] == 1);
			if (y[t] == 0) continue;
			n++, marks++, seen[t % KINDS]++;
			marked += ink(x, t / KINDS / CELLS, t / KINDS % CELLS);
		}
		assert_in_range(n, 1, 3);
		many[n]++;
		for (int c = 0; c < CELLS * CELLS; c++) all += ink(x, c / CELLS, c % CELLS);
	}
	for (int n = 1; n <= 3; n++) assert_in_range(many[n], 60, 140); /* a third each */
	for (int k = 0; k < KINDS; k++) assert_in_range(seen[k], 30, 90); /* of about 600 */
	assert_true(marked / (float)marks > 4 * all / (float)(d->count * CELLS * CELLS));
	cop_data_free(d);
}

static void parts(void **state)
{
	static float x[SIDE * SIDE], y[SIDE * SIDE];
	cop_dataset *all = open("train+valid", 0), *valid = open("valid", 0), *test = open("test", 0);
	int32_t a, b;

	(void)state;
	assert_int_equal(all->count, 12000);
	assert_int_equal(valid->count, 1000);
	assert_int_equal(test->count, 2000);
	assert_int_equal(all->get(all->ud, 11007, x, &a), COP_OK);
	assert_int_equal(valid->get(valid->ud, 7, y, &b), COP_OK);
	assert_memory_equal(x, y, sizeof x);
	assert_int_equal(test->get(test->ud, 7, y, &b), COP_OK);
	assert_memory_not_equal(x, y, sizeof x);
	cop_data_free(all), cop_data_free(valid), cop_data_free(test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(cells), cmocka_unit_test(parts)};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	cop_ctx_free(cx);
	return rc;
}
