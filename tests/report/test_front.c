/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of several networks no other one beats, by hand; and their page: each of them in the table and in the picture, names escaped, the line through those of the front.
 */
#include "help.h"
#include "report/report.h"

#include <unistd.h>

static cop_compared at(const char *name, double accuracy, size_t bytes) { return (cop_compared){.name = name, .accuracy = (float)accuracy, .figures = {.file_bytes = bytes, .macs = 1234567}}; }

static void front(void **state)
{
	static const struct { const char *what; int n; double accuracy[5]; size_t bytes[5]; bool front[5]; } row[] = {
		{"a chain: all", 3, {0.9, 0.8, 0.7}, {300, 200, 100}, {true, true, true}},
		{"smaller and better beats", 2, {0.9, 0.8}, {100, 200}, {true, false}},
		{"as good and smaller beats", 2, {0.9, 0.9}, {200, 100}, {false, true}},
		{"as small and better beats", 2, {0.8, 0.9}, {100, 100}, {false, true}},
		{"twins beat nobody", 2, {0.9, 0.9}, {100, 100}, {true, true}},
		{"unknown accuracy", 2, {-1, 0.1}, {10, 100}, {false, true}},
		{"one in the middle is beaten", 4, {0.99, 0.90, 0.95, 0.5}, {400, 300, 200, 100}, {true, false, true, true}},
	};

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_compared p[5];
		for (int k = 0; k < row[i].n; k++) p[k] = at("x", row[i].accuracy[k], row[i].bytes[k]);
		cop_compare_front(p, row[i].n);
		for (int k = 0; k < row[i].n; k++)
			if (p[k].front != row[i].front[k]) fail_msg("%s: network %d", row[i].what, k);
	}
}

static int count(const char *text, const char *part)
{
	int n = 0;
	for (const char *p = text; (p = strstr(p, part)); p++) n++;
	return n;
}

static void page(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_compared p[] = {at("a/dense.cop", 0.99, 400000), at("<b>.cop", 0.985, 20000), at("c.cop", 0.9, 50000), at("d.cop", -1, 50000)};
	char path[64];
	void *text;
	size_t size;

	(void)state;
	snprintf(path, sizeof path, "/tmp/coppice-front-%d.html", (int)getpid());
	cop_compare_front(p, LEN(p));
	OK(cx, cop_report_front_html(path, cx, p, LEN(p), "cortex-m4"));
	OK(cx, cop_file_read(&text, &size, cx, path, 0));
	assert_int_equal(count(text, "<circle"), 3); /* one has no accuracy */
	assert_int_equal(count(text, "r=\"5\" fill=\"#12a089\""), 2);
	assert_int_equal(count(text, "<b>"), 0);
	assert_non_null(strstr(text, "&lt;b"));
	assert_non_null(strstr(text, ".cop *</td><td>98.50 %</td><td>20,000</td>"));
	assert_non_null(strstr(text, "dense.cop *</td><td>99.00 %</td><td>400,000</td>"));
	assert_non_null(strstr(text, "on cortex-m4"));
	cop_free(cx, text);
	unlink(path);
	/* all at one place: a page without a picture that divides by nothing */
	OK(cx, cop_report_front_html(path, cx, p, 1, NULL));
	OK(cx, cop_file_read(&text, &size, cx, path, 0));
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	cop_free(cx, text);
	unlink(path);
	cop_ctx_free(cx);
}

/* Sizes under the picture lie within it, rise to the right, and none stands over another; there are some, whatever the sizes. */
static void sizes(void **state)
{
	static const size_t span[][2] = {{1000, 1100}, {3000, 9000}, {20000, 400000}, {500, 900000000}, {1, 2}};
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int i = 0; i < LEN(span); i++) {
		cop_compared p[] = {at("a", 0.9, span[i][0]), at("b", 0.95, span[i][1])};
		char path[64];
		void *text;
		size_t size;
		double last = 62 - 20;
		int labels = 0;
		snprintf(path, sizeof path, "/tmp/coppice-sizes-%d.html", (int)getpid());
		OK(cx, cop_report_front_html(path, cx, p, LEN(p), NULL));
		OK(cx, cop_file_read(&text, &size, cx, path, 0));
		for (const char *l = text; (l = strstr(l, "v5\" stroke=\"currentColor\"/><text x=\"")); labels++) {
			double x = atof(l = strstr(l, "<text x=\"") + 9);
			if (!(x >= 62 && x <= 480 - 16)) fail_msg("%zu to %zu bytes: a label at %g", span[i][0], span[i][1], x);
			if (!(x - last >= 20)) fail_msg("%zu to %zu bytes: a label at %g stands over that at %g", span[i][0], span[i][1], x, last);
			last = x;
		}
		if (i > 0) assert_true(labels >= 1);
		cop_free(cx, text);
		unlink(path);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(front), cmocka_unit_test(page), cmocka_unit_test(sizes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
