/* SPDX-License-Identifier: Apache-2.0
 *
 * The language of options: every kind of value, every way to write it, and the sentence for every mistake.
 */
#include "core/options.h"
#include "help.h"

typedef struct small { int32_t x; } small;
static const cop_option small_options[] = {COP_OPT_WHOLE(small, x, 1, 9, "3", "a number"), COP_OPT_END};
static const cop_row rows[] = {{"plain", "nothing to set", NULL, NULL, 0}, {"small", "one number", "Nobody 1999", small_options, sizeof(small)}};
static const cop_row *row(int i) { return i >= 0 && i < LEN(rows) ? &rows[i] : NULL; }
static const cop_table sizes = {"sizes", "size", "for this test", row};

typedef struct all {
	int32_t n, by, size;
	float part;
	bool quick;
	char name[8];
	cop_rates keep;
	cop_choice kind;
} all;
static const cop_option options[] = {
	COP_OPT_WHOLE(all, n, -2, 100, "50", "how many"),
	COP_OPT_WORD(all, by, "magnitude|random", "random", "by which score"),
	COP_OPT_AMONG(all, size, &sizes, "small", "of which size"),
	COP_OPT_REAL(all, part, 0.0001, 1, "0.6", "the part"),
	COP_OPT_FLAG(all, quick, "no", "without waiting"),
	COP_OPT_TEXT(all, name, NULL, "what it is called"),
	COP_OPT_RATES(all, keep, 0, 1, NULL, "what stays"),
	COP_OPT_CHOICE(all, kind, &sizes, "plain", "of which kind"),
	COP_OPT_END,
};

static cop_status read_in(all *a, cop_ctx *cx, const char *text)
{
	cop_options o = {.cx = cx, .where = "here", .part = {{.option = options, .to = a}}};

	memset(a, 0, sizeof *a);
	cop__options_default(options, a);
	COP_TRY(cop__options_read(&o, text, strlen(text)));
	return cop__options_end(&o);
}

static void defaults(void **state)
{
	cop_ctx *cx = *state;
	all a;

	OK(cx, read_in(&a, cx, " , "));
	assert_int_equal(a.n, 50);
	assert_int_equal(a.by, 1);
	assert_int_equal(a.size, 1);
	assert_true(a.part == 0.6f);
	assert_false(a.quick);
	assert_string_equal(a.name, "");
	assert_int_equal(a.keep.n, 0);
	assert_true(cop__rate_of(&a.keep, "w", 0.25f) == 0.25f);
}

static void every_kind(void **state)
{
	cop_ctx *cx = *state;
	all a;

	OK(cx, read_in(&a, cx, "n=-2,by:magnitude part=1e-4\tquick,name=a=b:c size:plain keep=0.25"));
	assert_int_equal(a.n, -2);
	assert_int_equal(a.by, 0);
	assert_int_equal(a.size, 0);
	assert_true(a.part == 1e-4f);
	assert_true(a.quick);
	assert_string_equal(a.name, "a=b:c");
	assert_true(cop__rate_of(&a.keep, "anything", 1) == 0.25f);
	OK(cx, read_in(&a, cx, "quick=no keep=conv*|c1:0.5;b:x*:0.125;*:1 n=1e2"));
	assert_false(a.quick);
	assert_int_equal(a.n, 100);
	assert_int_equal(a.keep.n, 3);
	assert_true(cop__rate_of(&a.keep, "c1", 0) == 0.5f && cop__rate_of(&a.keep, "b:x9", 0) == 0.125f && cop__rate_of(&a.keep, "fc", 0) == 1);
}

static void mistakes(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{"m=3", "here: there is no option 'm'; it takes n, by, size, part, quick, name, keep, kind"},
		{"kep=3", "here: there is no option 'kep'; it takes n, by, size, part, quick, name, keep, kind; did you mean 'keep'?"},
		{"n=101", "here: n must be a whole number from -2 to 100, not 101"},
		{"n=-3", "here: n must be a whole number from -2 to 100, not -3"},
		{"n=2.5", "here: n must be a whole number from -2 to 100, not 2.5"},
		{"n=", "here: n must be a whole number from -2 to 100, not "},
		{"n", "here: n must be a whole number from -2 to 100"},
		{"n=1x", "here: n must be a whole number from -2 to 100, not 1x"},
		{"n=1,n=1", "here: n is given twice"},
		{"part=nan", "here: part must be a number from 0.0001 to 1, not nan"},
		{"part=1.01", "here: part must be a number from 0.0001 to 1, not 1.01"},
		{"part=0", "here: part must be a number from 0.0001 to 1, not 0"},
		{"part=1;", "here: part must be a number from 0.0001 to 1, not 1;"},
		{"by=magnitud", "here: by must be one of magnitude, random, not magnitud; did you mean 'magnitude'?"},
		{"by=magnitude|random", "here: by must be one of magnitude, random, not magnitude|random"},
		{"by=rand", "here: by must be one of magnitude, random, not rand; did you mean 'random'?"},
		{"size=smal", "here: size must be one of plain, small, not smal; did you mean 'small'?"},
		{"quick=maybe", "here: quick must be yes or no, not maybe"},
		{"name=12345678", "here: name must be a text of fewer than 8 characters"},
		{"keep=2", "here: keep must be a number, or patterns with a number each, from 0 to 1, not 2"},
		{"keep=a:0.5;b", "here: keep must be a number, or patterns with a number each, from 0 to 1, not a:0.5;b"},
		{"keep=a:", "here: keep must be a number, or patterns with a number each, from 0 to 1, not a:"},
		{"keep=:1", "here: keep must be a number, or patterns with a number each, from 0 to 1, not :1"},
		{"=1", "here: there is no option '=1'; it takes n, by, size, part, quick, name, keep, kind"},
	};
	cop_ctx *cx = *state;
	all a;

	for (int i = 0; i < LEN(bad); i++) {
		assert_int_equal(read_in(&a, cx, bad[i].text), COP_ARG);
		assert_string_equal(cop_error_text(cx), bad[i].says);
		cop_error_clear(cx);
	}
}

/* The options of the row that is chosen are there beside its name, before it or after; those of other rows are not. */
static void choices(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{"x=1", "here: there is no option 'x'; it takes n, by, size, part, quick, name, keep, kind"},
		{"kind=plain,x=1", "here: there is no option 'x'; it takes n, by, size, part, quick, name, keep, kind"},
		{"kind=small,zzz=1", "here: there is no option 'zzz'; it takes n, by, size, part, quick, name, keep, kind, x"},
		{"x=10,kind=small", "here: x must be a whole number from 1 to 9, not 10"},
		{"x=4,x=4,kind=small", "here: x is given twice"},
		{"kind=large", "here: kind must be one of plain, small, not large"},
		{"kind=small,kind=small", "here: kind is given twice"},
	};
	cop_ctx *cx = *state;
	all a;

	OK(cx, read_in(&a, cx, ""));
	assert_int_equal(a.kind.row, 0);
	OK(cx, read_in(&a, cx, "kind=small"));
	assert_true(a.kind.row == 1 && ((small *)a.kind.o.bytes)->x == 3);
	OK(cx, read_in(&a, cx, "x=4,n=1,kind=small"));
	assert_true(a.kind.row == 1 && ((small *)a.kind.o.bytes)->x == 4);
	for (int i = 0; i < LEN(bad); i++) {
		assert_int_equal(read_in(&a, cx, bad[i].text), COP_ARG);
		assert_string_equal(cop_error_text(cx), bad[i].says);
		cop_error_clear(cx);
	}
}

/* A map of a recipe comes pattern by pattern. */
static void rates_one_by_one(void **state)
{
	cop_ctx *cx = *state;
	all a = {.n = 0};
	cop_options o = {.cx = cx, .where = "here", .part = {{.option = small_options, .to = &(small){0}}, {.option = options, .to = &a}}};
	char name[8];

	for (int i = 0; i < COP_MAX_RATES; i++) {
		snprintf(name, sizeof name, "w%d", i);
		OK(cx, cop__option_rate(&o, "keep", name, "0.5"));
	}
	assert_int_equal(a.keep.n, COP_MAX_RATES);
	assert_true(cop__option_given(&o, "keep") && !cop__option_given(&o, "x"));
	assert_int_equal(cop__option_rate(&o, "keep", "z", "0.5"), COP_ARG);
	assert_string_equal(cop_error_text(cx), "here: keep has more than 16 patterns");
	cop_error_clear(cx);
	assert_int_equal(cop__option_rate(&o, "x", "z", "0.5"), COP_ARG);
	assert_string_equal(cop_error_text(cx), "here: x takes one value, not one for each pattern");
	cop_error_clear(cx);
	OK(cx, cop__option_set(&o, "x", 1, "7", 1));
	assert_true(cop__option_given(&o, "x"));
}

static void needed(void **state)
{
	static const cop_option must[] = {{COP_OPTION_FIELD(small, x, COP_WHOLE, "how many there are"), .lo = 0, .hi = 5, .needed = true}, COP_OPT_END};
	cop_ctx *cx = *state;
	small a;
	cop_options o = {.cx = cx, .where = "there", .part = {{.option = must, .to = &a}}};

	assert_int_equal(cop__options_end(&o), COP_ARG);
	assert_string_equal(cop_error_text(cx), "there: x is missing: how many there are");
	cop_error_clear(cx);
	OK(cx, cop__options_read(&o, "x=5", 3));
	OK(cx, cop__options_end(&o));
}

static void rows_by_name(void **state)
{
	cop_ctx *cx = *state;
	small a = {0};
	const char *rest;
	int i;

	OK(cx, cop__row_read(&i, &a, sizeof a, cx, "place", &sizes, "small:x=4", 9));
	assert_true(i == 1 && a.x == 4);
	OK(cx, cop__row_read(&i, &a, sizeof a, cx, NULL, &sizes, "small x:5", 9));
	assert_int_equal(a.x, 5);
	OK(cx, cop__row_read(&i, &a, sizeof a, cx, NULL, &sizes, "small", 5));
	assert_int_equal(a.x, 3);
	OK(cx, cop__row_find(&i, &rest, cx, NULL, &sizes, "plain,a b", 9));
	assert_int_equal(i, 0);
	assert_string_equal(rest, "a b");
	assert_int_equal(cop__row_read(&i, &a, sizeof a, cx, "place", &sizes, "smal:x=4", 8), COP_ARG);
	assert_string_equal(cop_error_text(cx), "place: there is no size 'smal'; there are plain, small; did you mean 'small'?");
	cop_error_clear(cx);
	assert_int_equal(cop__row_read(&i, &a, sizeof a, cx, "place", &sizes, "plain:x=4", 9), COP_ARG);
	assert_string_equal(cop_error_text(cx), "place: plain: there is no option 'x'; it takes none");
	cop_error_clear(cx);
	assert_int_equal(cop__row_read(&i, &a, sizeof a, cx, NULL, &sizes, "small:x=10", 10), COP_ARG);
	assert_string_equal(cop_error_text(cx), "small: x must be a whole number from 1 to 9, not 10");
	cop_error_clear(cx);
}

static void page(void **state)
{
	cop_text t;

	cop__text_init(&t, *state);
	cop__options_page(&t, small_options);
	assert_string_equal(t.data, "| option | meaning | values | default |\n|---|---|---|---|\n| `x` | a number | 1 to 9 | `3` |\n");
	cop__text_free(&t);
}

static void patterns(void **state)
{
	(void)state;
	assert_true(cop__match("conv*|fc", "conv1.w") && cop__match("conv*|fc", "fc") && !cop__match("conv*|fc", "fc1"));
}

static int up(void **state) { return *state = new_ctx(), 0; }
static int down(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(defaults), cmocka_unit_test(every_kind), cmocka_unit_test(mistakes), cmocka_unit_test(choices), cmocka_unit_test(rates_one_by_one),
		cmocka_unit_test(needed), cmocka_unit_test(rows_by_name), cmocka_unit_test(page), cmocka_unit_test(patterns)};
	return cmocka_run_group_tests(tests, up, down);
}
