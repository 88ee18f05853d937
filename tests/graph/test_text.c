/* SPDX-License-Identifier: Apache-2.0
 *
 * The text form: every sample of every op, printed, parsed and printed again, is the same text; and what is
 * wrong with a text is said with its line.
 */
#include "help.h"

static cop_status keep(void *ud, const void *bytes, size_t size)
{
	cop__text_bytes(ud, bytes, size);
	return ((cop_text *)ud)->status;
}

static void round_trip(cop_ctx *cx, cop_graph *g, const char *what)
{
	cop_text a, b;
	cop_graph *again;

	cop__text_init(&a, cx);
	cop__text_init(&b, cx);
	OK(cx, cop_graph_print(g, keep, &a));
	cop_status st = cop_graph_parse(&again, cx, a.data, a.len);
	if (st) fail_msg("%s: %s\n%s", what, cop_error_text(cx), a.data);
	OK(cx, cop_graph_print(again, keep, &b));
	if (strcmp(a.data, b.data)) fail_msg("%s: printed\n%s\nthen\n%s", what, a.data, b.data);
	cop_graph_free(again);
	cop__text_free(&a);
	cop__text_free(&b);
}

static void every_op(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	for (int i = 1; i < COP_N_OP; i++) {
		for (int which = 0;; which++) {
			cop_graph *g;
			OK(cx, cop__graph_new(&g, cx, "sample"));
			cop_nid n = cop_ops[i]->sample(g, which);
			if (n) want_all(g, n);
			if (n) OK(cx, cop__output(g, cop__res(g, n, 0), NULL));
			bool plain = n != 0; /* samples update inputs, which a whole graph may not */
			for (int k = 0; n && k < COP_MAX_OUT; k++) plain &= !g->value[cop__res(g, n, k)].alias;
			if (plain) round_trip(cx, g, cop_ops[i]->name);
			cop_graph_free(g);
			if (!n) break;
		}
	}
	cop_ctx_free(cx);
}

/* Results that are called as statements are. */
static void names_of_statements(void **state)
{
	static const char text[] = "graph names\ninput x f32[2,3]\noutput = clip x lo=0\ninput = sigmoid output\nstate = tanh input\noutput state\n";
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop_graph_parse(&g, cx, text, sizeof text - 1));
	assert_int_equal(g->n_node, 3);
	assert_string_equal(g->value[g->output[0]].name, "state");
	round_trip(cx, g, "names");
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void bad_texts(void **state)
{
	(void)state;
	static const struct { const char *text, *want; } bad[] = {
		{"input x f32[1,0]\n", "line 1: bad dimensions"},
		{"input x f32[1,2,3,4,5,6,7]\n", "line 1: bad dimensions"},
		{"input x f99[1]\n", "line 1: unknown number format"},
		{"input x f32[1]\ninput x f32[1]\n", "used twice"},
		{"input x f32[4]\ny = nosuch x\n", "line 2: unknown op 'nosuch'"},
		{"input x f32[4]\ny = clip z\n", "line 2: no such value 'z'"},
		{"input x f32[4]\ny = clip x lo=a\n", "line 2: not a number"},
		{"input x f32[4]\ny = clip x nope=1\n", "no such attribute"},
		{"input x f32[4]\ny = clip x x x x x x x x x x\n", "too many inputs"},
		{"input x f32[1000000,1000000]\n", "2^31"},
		{"input x f32[4]\ny = clip x\n", "no output"},
		{"y = clip %1\n", "no such value '%1'"},
		{"output y\n", "no such value 'y'"},
		{"graph\n", "expected: graph name"},
		{"input x f32[1,4]\nstate r i32[3,1]\ns = reshape r rank=1 dim=3\ny = fc_dw x x s\noutput y\n", "input 2 holds indices"},
	};
	cop_ctx *cx = new_ctx();
	for (int i = 0; i < LEN(bad); i++) {
		cop_graph *g;
		assert_true(cop_graph_parse(&g, cx, bad[i].text, strlen(bad[i].text)) != COP_OK);
		assert_null(g);
		if (!strstr(cop_error_text(cx), bad[i].want)) fail_msg("text %d: got \"%s\", expected \"%s\"", i, cop_error_text(cx), bad[i].want);
		cop_error_clear(cx);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_op), cmocka_unit_test(names_of_statements), cmocka_unit_test(bad_texts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
