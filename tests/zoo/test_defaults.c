/* SPDX-License-Identifier: Apache-2.0
 *
 * What networks are trained with when nothing else is said: every row holds settings that can be read, letters are never mirrored, what is
 * given stays, and docs/training.md says the same as the table.
 */
#include "help.h"

#include "data/augment.h"
#include "train/schedule.h"
#include "zoo/zoo.h"

#include <stdio.h>

static cop_dataset set_of(int rank, int a, int b, int c) { return (cop_dataset){.name = "set", .count = 1, .classes = 2, .x = {.dtype = COP_F32, .rank = rank, .dim = {a, b, c}}}; }
static cop_train_args of(const char *name, const cop_dataset *d)
{
	cop_train_args a = {0};
	cop_train_defaults(&a, name, d);
	return a;
}

/* Of the last row, too, whose name is empty. */
static void test_rows(void **state)
{
	const cop_dataset colour = set_of(3, 32, 32, 3), grey = set_of(3, 28, 28, 1);
	cop_ctx *cx = new_ctx();

	(void)state;
	for (const cop_zoo_row *r = cop__zoo_rows;; r++) {
		const cop_train_args a = of(r->row.name, &colour), b = of(r->row.name, &grey);
		cop_augment in_colour, in_grey;
		cop_schedule s;
		cop_graph *g, *train;

		assert_true(a.epochs > 0 && a.batch > 0 && a.lr > 0 && a.smooth >= 0 && a.smooth < 1);
		assert_true(a.epochs == r->train.epochs && a.batch == r->train.batch && a.lr == r->train.lr); /* its own row, no other one */
		assert_string_equal(a.update, r->train.update);
		OK(cx, cop__schedule_parse(&s, cx, a.schedule));
		OK(cx, cop__augment_parse(&in_colour, cx, a.augment));
		OK(cx, cop__augment_parse(&in_grey, cx, b.augment));
		assert_false(in_grey.flip || in_grey.alternate); /* a mirrored letter is another one or none */
		assert_false(cop__augment_moves(&in_colour) && !in_colour.flip && !in_colour.alternate);
		if (cop_zoo_build(&g, cx, r->row.name, NULL)) { /* a name that takes sizes */
			cop_error_clear(cx);
			OK(cx, cop_zoo_build(&g, cx, "mlp-4x3", NULL));
		}
		OK(cx, cop_graph_train(&train, g, a.update));
		cop_graph_free(train);
		cop_graph_free(g);
		if (!r->build) break;
	}
	cop_ctx_free(cx);
}

static void test_data(void **state)
{
	const cop_dataset colour = set_of(3, 32, 32, 3), grey = set_of(3, 32, 32, 1), first = set_of(3, 3, 32, 32), table = set_of(1, 3, 0, 0), steps = set_of(2, 100, 3, 0);

	(void)state;
	assert_non_null(strstr(of("resnet-8", &colour).augment, "flip"));
	assert_null(strstr(of("resnet-8", &grey).augment, "flip"));
	assert_non_null(strstr(of("lenet-5", &grey).augment, "shift"));
	assert_string_equal(of("resnet-8", &first).augment, "none");
	assert_string_equal(of("mlp-3x8x2", &table).augment, "none");
	assert_string_equal(of("resnet-8", &steps).augment, "none");
	assert_string_equal(of("resnet-8", NULL).augment, "none");
	const cop_dataset axes = set_of(3, 128, 1, 3);
	assert_string_equal(of("net.txt", &colour).augment, "flip,crop=4");
	assert_string_equal(of("net.txt", &axes).augment, "none"); /* of an accelerometer, say */

	cop_dataset bare = colour; /* samples to be given back, unless a teacher answers */
	cop_train_args taught = {.policies = "distill:teacher=big.cop,part=1"};
	bare.classes = 0;
	assert_string_equal(of("resnet-8", &bare).augment, "none");
	cop_train_defaults(&taught, "resnet-8", &bare);
	assert_non_null(strstr(taught.augment, "flip"));
	bare.targets = 1;
	assert_non_null(strstr(of("resnet-8", &bare).augment, "flip"));
	assert_string_equal(of("net.txt", &bare).augment, "none"); /* nobody knows what its targets say */
}

static void test_names(void **state)
{
	static const char *const family[][2] = {{"resnet-110", "resnet-20"}, {"resnet-20@64", "resnet-20"}, {"resnet-18@32", "resnet-18"}, {"mobilenet-v2-1.0@96", "mobilenet-v2-0.35@128"}, {"mlp-2x3", "mlp-784x100x10"}};

	(void)state;
	for (int i = 0; i < LEN(family); i++) assert_ptr_equal(cop__zoo_find(family[i][0]), cop__zoo_find(family[i][1]));
	assert_ptr_not_equal(cop__zoo_find("resnet-18"), cop__zoo_find("resnet-20"));
	assert_ptr_not_equal(cop__zoo_find("resnet-8"), cop__zoo_find("resnet-20"));
	assert_null(cop__zoo_find("lenet-5b")->build);
	assert_null(cop__zoo_find("")->build);
}

static void test_given(void **state)
{
	const cop_dataset colour = set_of(3, 32, 32, 3);
	cop_train_args none = {.policies = "none"};
	cop_train_defaults(&none, "airbench-0.5", &colour);
	assert_string_equal(none.policies, "none");
	assert_non_null(strstr(of("airbench-0.5", &colour).policies, "whiten"));
	assert_null(of("resnet-8", &colour).policies);
	cop_train_args a = {.epochs = 3, .batch = 5, .lr = 0.25f, .update = "adam", .schedule = "constant", .augment = "erase=2", .smooth = 0.5f};

	(void)state;
	cop_train_defaults(&a, "resnet-8", &colour);
	assert_true(a.epochs == 3 && a.batch == 5 && a.lr == 0.25f && a.smooth == 0.5f);
	assert_string_equal(a.update, "adam");
	assert_string_equal(a.schedule, "constant");
	assert_string_equal(a.augment, "erase=2");
}

/* ---- the page ---- */

static const char *page(void)
{
	static char text[1 << 16];
	FILE *f = fopen(COP_SOURCE_DIR "/docs/training.md", "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	return text;
}

static void test_page(void **state)
{
	char line[400];

	(void)state;
	for (const cop_zoo_row *r = cop__zoo_rows;; r++) {
		const cop_train_args a = of(r->row.name, NULL);
		snprintf(line, sizeof line, "| %s%s%s | %d | %d | %g | `%s` | `%s` | `%s` | `%s` |\n", *r->row.name ? "`" : "", *r->row.name ? r->row.name : "any other", *r->row.name ? "`" : "", a.epochs, a.batch, (double)a.lr,
			a.update, a.schedule, r->train.colour, r->train.grey);
		if (!strstr(page(), line)) fail_msg("docs/training.md lacks this row of zoo.def:\n%s", line);
		if (!r->build) break;
	}
}

/* The table of options is printed from their rows. */
static void test_options(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_text t;

	(void)state;
	cop__text_init(&t, cx);
	cop__options_page(&t, cop__augment_options);
	OK(cx, t.status);
	if (!strstr(page(), t.data)) fail_msg("docs/training.md lacks this table:\n%s", t.data);
	cop__text_free(&t);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_data), cmocka_unit_test(test_names),
		cmocka_unit_test(test_given), cmocka_unit_test(test_page), cmocka_unit_test(test_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
