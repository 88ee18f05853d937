/* SPDX-License-Identifier: Apache-2.0
 *
 * What a network carries beside its layers: printed and read again, kept by every pass and by the file, refused where it is wrong.
 */
#include "help.h"

#include "graph/about.h"

static const char *const names[] = {"cat", "night snake", "caf\xc3\xa9", "= \\x20\t#", "%5"};
static const char text[] = "graph g\ninput x f32[1,4]\nparam w f32[5,4]\nparam b f32[5]\ny = fc x w b\noutput y\n";

static cop_graph *net(cop_ctx *cx)
{
	cop_graph *g;
	const cop_samples s = {.times = 0.5f, .channels = 2, .mean = {1, -2.25f}, .std = {3, 1e-3f}, .layout = COP_LAYOUT_FIRST};

	OK(cx, cop_graph_parse(&g, cx, text, sizeof text - 1));
	OK(cx, cop_graph_classes_set(g, names, LEN(names)));
	OK(cx, cop_graph_targets_set(g, names, 2));
	OK(cx, cop_graph_samples_set(g, &s));
	cop_graph_accuracy_set(g, 0.9375f);
	return g;
}

static void same(const cop_graph *g, const char *after)
{
	cop_samples s;

	for (int i = 0; i < LEN(names); i++)
		if (!cop_graph_class(g, i) || strcmp(cop_graph_class(g, i), names[i])) fail_msg("%s: class %d is '%s'", after, i, cop_graph_class(g, i));
	assert_null(cop_graph_class(g, LEN(names)));
	assert_null(cop_graph_class(g, -1));
	assert_string_equal(cop_graph_target(g, 1), names[1]);
	assert_null(cop_graph_target(g, 2));
	cop_graph_samples(g, &s);
	assert_true(s.times == 0.5f && s.channels == 2 && s.mean[0] == 1 && s.mean[1] == -2.25f && s.std[0] == 3 && s.std[1] == 1e-3f);
	assert_int_equal(s.layout, COP_LAYOUT_FIRST);
	assert_true(cop_graph_accuracy(g) == 0.9375f);
}

static cop_status keep(void *ud, const void *bytes, size_t size)
{
	cop__text_bytes(ud, bytes, size);
	return ((cop_text *)ud)->status;
}

static void in_text_and_file(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *again;
	cop_text t;

	(void)state;
	cop__text_init(&t, cx);
	OK(cx, cop_graph_print(g, keep, &t));
	assert_non_null(strstr(t.data, "class night\\x20snake\n"));
	assert_non_null(strstr(t.data, "samples times=0.5 mean=1,-2.25 std=3,0.001 layout=first\naccuracy 0.9375\n"));
	OK(cx, cop_graph_parse(&again, cx, t.data, t.len));
	same(again, "text");
	cop_graph_free(again);
	OK(cx, cop_model_save(g, "about.cop"));
	OK(cx, cop_model_load(&again, cx, "./about.cop"));
	same(again, "file");
	remove("about.cop");
	cop_graph_free(again);
	cop__text_free(&t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Those that need an option get one that does for this network. */
static void every_pass(void **state)
{
	cop_ctx *cx = new_ctx();
	int ran = 0;

	(void)state;
	for (int i = 0; cop_pass_name(i, NULL); i++) {
		cop_graph *g;
		char spec[80];
		if (!strcmp(cop_pass_name(i, NULL), "head")) continue; /* other classes: test_head */
		g = net(cx);
		snprintf(spec, sizeof spec, "%s%s", cop_pass_name(i, NULL), !strcmp(cop_pass_name(i, NULL), "batch") ? ":n=3" : "");
		if (!cop_graph_apply(&g, spec)) same(g, spec), ran++;
		cop_error_clear(cx);
		cop_graph_free(g);
	}
	if (ran < 8) fail_msg("only %d passes ran", ran);
	cop_graph *g = net(cx), *train;
	OK(cx, cop_graph_train(&train, g, "loss=xent"));
	same(train, "training");
	cop_graph_free(train);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	static const struct { const char *line, *says; } lies[] = {
		{"class a\nclass a\n", "two classes of 'g' are called 'a'"},
		{"class a\nclass b\nclass c\nclass d\nclass e\nclass f\n", "6 names of classes, but 5 outputs"},
		{"class a\\x00\n", "a zero byte"},
		{"target a\ntarget a\n", "two targets"},
		{"samples mean=1\n", "as many std as mean"},
		{"samples mean=1 std=0\n", "std must be positive"},
		{"samples mean=1,nan std=1,1\n", "std must be positive"},
		{"samples times=0x\n", "times, mean, std or layout"},
		{"samples times=-1\n", "a positive number"},
		{"samples layout=round\n", "times, mean, std or layout"},
		{"samples colour=3\n", "times, mean, std or layout"},
		{"accuracy 1.5\n", "from 0 to 1"},
		{"accuracy much\n", "from 0 to 1"},
	};
	static const char *const twice[] = {"a", "b", "a"}, *const empty[] = {"a", ""};
	cop_ctx *cx = new_ctx();
	char whole[600];
	cop_graph *g;

	(void)state;
	for (int i = 0; i < LEN(lies); i++) {
		snprintf(whole, sizeof whole, "%s%s", lies[i].line, text);
		assert_int_not_equal(cop_graph_parse(&g, cx, whole, strlen(whole)), COP_OK);
		if (!strstr(cop_error_text(cx), lies[i].says)) fail_msg("%s: %s", lies[i].line, cop_error_text(cx));
		cop_error_clear(cx);
	}
	g = net(cx); /* what is refused leaves the old names */
	assert_int_equal(cop_graph_classes_set(g, twice, 3), COP_ARG);
	cop_error_clear(cx);
	assert_int_equal(cop_graph_classes_set(g, empty, 2), COP_ARG);
	cop_error_clear(cx);
	same(g, "refused");
	OK(cx, cop_graph_classes_set(g, NULL, 0));
	assert_null(cop_graph_class(g, 0));
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Files without any of it keep their first line, which older programs read; a later version says so. */
static void versions(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	void *bytes;
	size_t size;

	(void)state;
	for (int with = 0; with < 2; with++) {
		if (with) g = net(cx);
		else OK(cx, cop_graph_parse(&g, cx, text, sizeof text - 1));
		OK(cx, cop_model_save(g, "about.cop"));
		OK(cx, cop_file_read(&bytes, &size, cx, "about.cop", 0));
		assert_memory_equal(bytes, with ? "coppice 2\n" : "coppice 1\n", 10);
		((char *)bytes)[8] = '4';
		cop_graph_free(g);
		assert_int_equal(cop_model_read(&g, cx, bytes, size), COP_FORMAT);
		assert_non_null(strstr(cop_error_text(cx), "version 4, but this program reads versions 1 to 3"));
		cop_error_clear(cx);
		cop_free(cx, bytes);
		remove("about.cop");
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(in_text_and_file), cmocka_unit_test(every_pass), cmocka_unit_test(refused), cmocka_unit_test(versions)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
