/* SPDX-License-Identifier: Apache-2.0
 *
 * Every table of methods, walked: each row is told in a line, each option has a field of its own kind, a default that can be written and a
 * range that is kept, and a sentence for what is wrong. A new row is tested by being there.
 */
#include "core/options.h"
#include "help.h"

#define TABLE(symbol) extern const cop_table symbol;
#include "compress/tables.def"
#undef TABLE
static const cop_table *const tables[] = {
#define TABLE(symbol) &symbol,
#include "compress/tables.def"
#undef TABLE
};

static const size_t size_of[] = {[COP_WHOLE] = 4, [COP_REAL] = 4, [COP_FLAG] = sizeof(bool), [COP_WORD] = 4, [COP_RATES] = sizeof(cop_rates), [COP_CHOICE] = sizeof(cop_choice)};

static void one_option(cop_ctx *cx, const cop_table *t, const cop_row *r, const cop_option *o)
{
	cop_values v;

	if (!o->help || !*o->help) fail_msg("%s: %s: '%s' has no help", t->name, r->name, o->name);
	if (strcspn(o->name, " ,:=|;") != strlen(o->name)) fail_msg("%s: %s: '%s' can't be written", t->name, r->name, o->name);
	if (o->offset + o->size > r->size) fail_msg("%s: %s: '%s' lies outside of its struct", t->name, r->name, o->name);
	if (o->kind != COP_TEXT && o->kind != COP_NAMES && o->size != size_of[o->kind]) fail_msg("%s: %s: the field of '%s' has another type", t->name, r->name, o->name);
	if (o->kind == COP_CHOICE && (!o->among || o->words || !o->value)) fail_msg("%s: %s: '%s' has no table, or no row by default", t->name, r->name, o->name);
	if (o->kind == COP_WORD && !o->words == !o->among) fail_msg("%s: %s: '%s' has words or a table, one of the two", t->name, r->name, o->name);
	if ((o->kind == COP_WHOLE || o->kind == COP_REAL || o->kind == COP_RATES) && !(o->lo < o->hi)) fail_msg("%s: %s: '%s' has no range", t->name, r->name, o->name);
	if (!*cop__option_values(&v, o)) fail_msg("%s: %s: '%s' takes no value", t->name, r->name, o->name);
	if (o->value && o->needed) fail_msg("%s: %s: '%s' is needed and has a default", t->name, r->name, o->name);
	for (const cop_option *p = r->options; p < o; p++)
		if (!strcmp(p->name, o->name) || p->offset == o->offset) fail_msg("%s: %s: '%s' and '%s' are one", t->name, r->name, p->name, o->name);
	void *to = cop__alloc(cx, r->size + 64), *same = cop__alloc(cx, r->size + 64);
	cop_options set = {.cx = cx, .where = r->name, .part = {{.option = r->options, .to = to}}};
	cop__options_default(r->options, same);
	if (o->value) OK(cx, cop__option_set(&set, o->name, strlen(o->name), o->value, strlen(o->value))); /* a default can be written, and is what it says */
	if (o->value) assert_memory_equal((char *)to + o->offset, (char *)same + o->offset, o->kind == COP_TEXT || o->kind == COP_NAMES ? strlen(o->value) + 1 : o->size);
	set.part[0].given = 0;
	if (o->kind == COP_WHOLE || o->kind == COP_REAL || o->kind == COP_RATES || o->kind == COP_WORD) {
		assert_int_equal(cop__option_set(&set, o->name, strlen(o->name), "no such thing", 13), COP_ARG);
		if (!strstr(cop_error_text(cx), o->name) || !strstr(cop_error_text(cx), v.text)) fail_msg("'%s' does not name the option and its values", cop_error_text(cx));
		cop_error_clear(cx);
	}
	cop__free(cx, to);
	cop__free(cx, same);
}

static void one_row(cop_ctx *cx, const cop_table *t, int i)
{
	const cop_row *r = t->row(i);
	cop_method m;

	if (!r->name || !*r->name || !r->summary || !*r->summary) fail_msg("%s: row %d is not told of", t->name, i);
	if (strlen(r->summary) > 160 || r->summary[strlen(r->summary) - 1] == '.') fail_msg("%s: %s: one line, without a full stop", t->name, r->name);
	if (cop__row_index(t, r->name, strlen(r->name)) != i) fail_msg("%s: there are two '%s'", t->name, r->name);
	assert_true(cop_table_row(&m, t->name, i));
	assert_string_equal(m.name, r->name);
	for (const cop_option *o = r->options; o && o->name; o++) one_option(cx, t, r, o);
	cop_options none = {.cx = cx, .where = r->name, .part = {{.option = r->options}}};
	assert_int_equal(cop__option_set(&none, "nosuch", 6, "1", 1), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "there is no option 'nosuch'; it takes "));
	cop_error_clear(cx);
}

static void every_row(void **state)
{
	cop_ctx *cx = *state;
	cop_method m;
	int rows = 0;

	for (int t = 0; t < LEN(tables); t++) {
		const char *summary = NULL;
		assert_string_equal(cop_table_name(t, &summary), tables[t]->name);
		assert_true(summary && *summary);
		int i = 0;
		for (; tables[t]->row(i); i++) one_row(cx, tables[t], i);
		assert_true(i > 0);
		assert_false(cop_table_row(&m, tables[t]->name, i));
		assert_null(tables[t]->row(-1));
		rows += i;
	}
	assert_true(rows > 20);
	assert_null(cop_table_name(LEN(tables), NULL));
	assert_null(cop_table_name(-1, NULL));
	assert_false(cop_table_row(&m, "nosuch", 0));
	assert_false(cop_table_row(&m, NULL, 0));
}

/* What others see of an option. */
static void from_outside(void **state)
{
	cop_method_option o;

	(void)state;
	assert_true(cop_table_option(&o, "schedules", 1, 0));
	assert_string_equal(o.name, "every");
	assert_string_equal(o.kind, "real");
	assert_string_equal(o.fallback, "10");
	assert_string_equal(o.values, "0.001 to 1000000");
	assert_false(o.needed);
	assert_true(cop_table_option(&o, "passes", 1, 0)); /* batch */
	assert_true(o.needed && !strcmp(o.name, "n") && !o.fallback);
	assert_false(cop_table_option(&o, "passes", 1, 1));
	assert_false(cop_table_option(&o, "passes", 1, -1));
	assert_false(cop_table_option(&o, "nosuch", 1, 0));
}

static int up(void **state) { return *state = new_ctx(), 0; }
static int down(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_row), cmocka_unit_test(from_outside)};
	return cmocka_run_group_tests(tests, up, down);
}
