/* SPDX-License-Identifier: Apache-2.0
 *
 * Classes put together and left out: which samples stay, in which order, with which class; names that are not there, twice there or empty.
 */
#include "make.h"

static cop_ctx *cx;
static const char *const animal[] = {"bird", "cat", "dog", "horse", "ship"};

/* Samples 0 to 9 whose one number is their place; classes 0 1 2 3 4 0 1 2 3 4. lazily: made when they are wanted. */
static cop_status make(cop_store *s, int32_t i, uint8_t *code, float *value, int32_t *label)
{
	(void)s;
	if (code) *code = (uint8_t)i;
	if (value) *value = (float)i;
	*label = i % 5;
	return COP_OK;
}

static cop_store *store(bool reals, bool lazily)
{
	cop_names n;
	cop_store *s;

	assert_int_equal(cop__store_new(&s, cx, "zoo"), COP_OK);
	assert_int_equal(cop__store_shape(s, 1, (const int32_t[]){1}, reals), COP_OK);
	assert_int_equal(cop__store_room(s, 10), COP_OK);
	for (int i = 0; i < 256; i++) s->lut[i] = (float)i;
	cop__names_init(&n, cx);
	for (int i = 0; i < LEN(animal); i++) assert_int_equal(cop__names_add(&n, animal[i]), COP_OK);
	assert_int_equal(cop__store_classes(s, &n), COP_OK);
	cop__names_free(&n);
	s->make = make;
	s->have = cop__alloc(cx, 10);
	for (int i = 0; i < 10 && !lazily; i++) assert_int_equal(cop__store_fill(s, i), COP_OK);
	return s;
}

static void says(const char *what)
{
	if (!strstr(cop_error_text(cx), what)) fail_msg("'%s' is not in '%s'", what, cop_error_text(cx));
	cop_error_clear(cx);
}

static const struct row { const char *group, *only, *names, *samples; /* "place:class" */ } row[] = {
	{"pet=cat,dog", NULL, "pet bird horse ship", "0:1 1:0 2:0 3:2 4:3 5:1 6:0 7:0 8:2 9:3"},
	{" pet = cat , dog ; other = * ", NULL, "pet other", "0:1 1:0 2:0 3:1 4:1 5:1 6:0 7:0 8:1 9:1"},
	{"other=*;pet=dog", NULL, "other pet", "0:0 1:0 2:1 3:0 4:0 5:0 6:0 7:1 8:0 9:0"},
	{NULL, "ship,cat", "cat ship", "1:0 4:1 6:0 9:1"},
	{NULL, "dog", "dog", "2:0 7:0"},
	{"pet=cat,dog", "pet, bird", "pet bird", "0:1 1:0 2:0 5:1 6:0 7:0"},
};

static void check(const cop_store *s, const struct row *r)
{
	char names[80] = "", samples[200] = "";
	float x;
	int32_t label;

	for (int32_t k = 0; k < s->d.classes; k++) snprintf(names + strlen(names), 20, "%s%s", k ? " " : "", s->d.class_name[k]);
	for (int32_t i = 0; i < s->d.count; i++) {
		assert_int_equal(s->d.get(s->d.ud, i, &x, &label), COP_OK);
		snprintf(samples + strlen(samples), 20, "%s%g:%d", i ? " " : "", (double)x, label);
	}
	assert_string_equal(names, r->names);
	assert_string_equal(samples, r->samples);
}

static void chosen(void **state)
{
	(void)state;
	for (int i = 0; i < 4 * LEN(row); i++) {
		const struct row *r = &row[i / 4];
		cop_store *s = store(i & 1, i & 2);
		if (r->group) assert_int_equal(cop__store_group(s, r->group), COP_OK);
		if (r->only) assert_int_equal(cop__store_only(s, r->only), COP_OK);
		check(s, r);
		cop__store_free(s);
	}
}

static void refused(void **state)
{
	static const struct { const char *group, *only, *why; } bad[] = {
		{"pet=cat,dgo", NULL, "has no class 'dgo'; did you mean 'dog'?"}, {"pet=cat;beast=cat", NULL, "group 'beast': class 'cat' is in a group already"},
		{"pet", NULL, "group 'pet': NAME=CLASS,CLASS"}, {"=cat", NULL, "group '': NAME=CLASS"}, {"a=*;b=*", NULL, "group 'b': '*' takes all"},
		{"pet=cat;pet=dog", NULL, "group 'pet' is given twice"}, {"pet=", NULL, "has no class ''"}, {"", NULL, "NAME=CLASS"},
		{NULL, "cat,,dog", "has no class ''"}, {NULL, "bird;cat", "has no class 'bird;cat'"},
	};
	(void)state;
	for (int i = 0; i < LEN(bad); i++) {
		cop_store *s = store(false, false);
		assert_int_equal(bad[i].group ? cop__store_group(s, bad[i].group) : cop__store_only(s, bad[i].only), COP_ARG);
		says(bad[i].why);
		assert_int_equal(s->d.count, 10); /* nothing has changed */
		assert_int_equal(s->d.classes, 5);
		cop__store_free(s);
	}
	cop_store *s = store(true, false);
	s->d.classes = 0;
	assert_int_equal(cop__store_only(s, "cat"), COP_ARG);
	says("has no classes to choose from");
	cop__store_free(s);
}

/* The first samples of what is left; labels that are hidden. */
static void opened(void **state)
{
	static const char *const two = "a=0,1,2,3,4;b=*";
	cop_dataset *d;
	float x[784];
	int32_t label;

	(void)state;
	assert_int_equal(cop_data_open_as(&d, cx, "synth-digits", &(cop_data_args){.only = "3", .limit = 20}), COP_OK);
	assert_int_equal(d->count, 20);
	assert_int_equal(d->classes, 1);
	assert_string_equal(d->class_name[0], "3");
	cop_data_free(d);
	assert_int_equal(cop_data_open_as(&d, cx, "synth-digits", &(cop_data_args){.group = two, .limit = 20}), COP_OK);
	assert_int_equal(d->count, 20);
	assert_int_equal(d->classes, 2);
	cop_data_free(d);
	assert_int_equal(cop_data_open_as(&d, cx, "synth-digits", &(cop_data_args){.task = COP_TASK_REBUILD, .limit = 5}), COP_OK);
	assert_int_equal(d->classes, 0);
	assert_null(d->class_name);
	assert_int_equal(d->get(d->ud, 0, x, &label), COP_OK);
	cop_data_free(d);
	assert_int_equal(cop_data_open_as(&d, cx, "synth-digits", &(cop_data_args){.only = "ten"}), COP_ARG);
	says("has no class 'ten'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(chosen), cmocka_unit_test(refused), cmocka_unit_test(opened)};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	cop_ctx_free(cx);
	return rc;
}
