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

/* A bound of floats that is not written is none; one of integers is 0, like every other integer. */
static void bounds_of_integers(void **state)
{
	static const char text[] = "graph g\ninput x f32[2]\nparam p f32[1]\nlow = fakequant x p lo=-6 least=0.01\nhigh = fakequant x p hi=6 least=0.01\nfree = clip x\noutput low\noutput high\noutput free\n";
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop_graph_parse(&g, cx, text, sizeof text - 1));
	const int32_t *low = g->node[g->value[cop__find(g, "low")].producer].attr, *high = g->node[g->value[cop__find(g, "high")].producer].attr, *none = g->node[g->value[cop__find(g, "free")].producer].attr;
	assert_true(low[0] == -6 && low[1] == 0 && high[0] == 0 && high[1] == 6);
	assert_true(none[0] == cop__bits(COP_NO_LO) && none[1] == cop__bits(COP_NO_HI));
	round_trip(cx, g, "bounds of integers");
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Running means of a scale that a training makes of other numbers: the scale is a result, and named after all that holds numbers. */
static void state_of_a_result(void **state)
{
	static const char text[] = "graph g\ninput x f32[2]\nstate mean f32[2]\ngamma = clip x lo=0\ny = add gamma mean\noutput y\n";
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop_graph_parse(&g, cx, text, sizeof text - 1));
	g->value[cop__find(g, "mean")].of = cop__find(g, "gamma");
	round_trip(cx, g, "a state of a result");
	cop_graph_free(g);
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

/* A name of up to 40 bytes, of all that there are but zero, many of them those that mean something in the text. */
static void any_name(char name[44], uint64_t seed, const char *unique)
{
	static const char special[] = "_=%# \\\n\r\tx0a\33";
	int n = (int)(cop__rand(seed, 1, 0) % 4 ? cop__rand(seed, 1, 1) % 4 : cop__rand(seed, 1, 1) % 38);

	for (int i = 0; i < n; i++) {
		uint32_t r = cop__rand(seed, 2, (uint64_t)i);
		name[i] = r & 1 ? special[(r >> 1) % (sizeof special - 1)] : (char)(1 + (r >> 1) % 255);
	}
	snprintf(name + n, 6, "%s", unique);
}

/* Whatever values are called, the text reads back as the same graph. */
static void any_names(void **state)
{
	static const char *const fixed[] = {"_", "=", "%1", "#", "\\", "\\x41", "a=b", "of=w", "output", "input", "class", "graph", " ", "\n", "\33[31m", "%", "scale=1", "\xff"};
	cop_ctx *cx = new_ctx();

	(void)state;
	for (uint64_t seed = 0; seed < 2000; seed++) {
		char name[5][44];
		cop_graph *g;
		for (int i = 0; i < 5; i++) {
			any_name(name[i], 8 * seed + (uint64_t)i, (const char *[]){"", "y", "x", "w", "v"}[i]);
			if (seed < 5 * LEN(fixed) && i == (int)seed % 5) snprintf(name[i], sizeof name[i], "%s", fixed[seed / 5]); /* each in each place */
		}
		bool once = *name[0] && *name[1];
		for (int i = 0; i < 5; i++)
			for (int k = 0; k < i; k++) once &= strcmp(name[i], name[k]) != 0;
		if (!once) continue;
		OK(cx, cop__graph_new(&g, cx, name[0]));
		cop_vid x = cop__input(g, name[1], &(cop_type){.dtype = COP_F32, .rank = 2, .dim = {1, 4}, .q.axis = -1});
		cop_vid w = cop__data(g, COP_PARAM, name[2], &(cop_type){.dtype = COP_F32, .rank = 2, .dim = {1, 4}, .q.axis = -1}, NULL);
		cop_vid m = cop__data(g, COP_STATE, name[3], &(cop_type){.dtype = COP_F32, .rank = 2, .dim = {1, 4}, .q.axis = -1}, NULL);
		assert_true(x && w && m);
		g->value[m].of = w;
		cop_vid a = cop__apply(g, OP_add, NULL, 2, (cop_vid[]){x, w}), y = cop__apply(g, OP_add, NULL, 2, (cop_vid[]){a, m});
		cop__name(g, y, name[4]);
		OK(cx, cop__output(g, y, NULL));
		round_trip(cx, g, "random names");
		cop_text t;
		cop_graph *again;
		cop__text_init(&t, cx);
		OK(cx, cop_graph_print(g, keep, &t));
		OK(cx, cop_graph_parse(&again, cx, t.data, t.len));
		assert_string_equal(again->name, name[0]);
		assert_string_equal(again->value[again->input[0]].name, name[1]);
		assert_true(cop__find(again, name[2]) && again->value[cop__find(again, name[3])].of == cop__find(again, name[2]) && cop__find(again, name[4]) == again->output[0]);
		cop__text_free(&t);
		cop_graph_free(again);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

static void long_names(void **state)
{
	cop_ctx *cx = new_ctx();
	char name[3000];
	cop_graph *g;

	(void)state;
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = 0;
	OK(cx, cop__graph_new(&g, cx, ""));
	assert_string_equal(g->name, "net");
	cop_vid x = cop__input(g, name, &(cop_type){.dtype = COP_F32, .rank = 2, .dim = {1, 4}, .q.axis = -1});
	assert_int_equal(cop__input(g, "", &(cop_type){.dtype = COP_F32, .rank = 2, .dim = {1, 4}, .q.axis = -1}), 0);
	cop_error_clear(cx);
	cop_vid y = cop__apply(g, OP_add, NULL, 2, (cop_vid[]){x, x});
	cop__name(g, y, "");
	OK(cx, cop__output(g, y, NULL));
	round_trip(cx, g, "a long name");
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
		{"input dy f32[2,9,7,19]\ninput w f32[19,3,3,9]\ny = conv_dx dy w sh=1 sw=1 pt=1 pl=1 pb=1 pr=1 dh=1 dw=1 groups=2147483647 h=9 w=7\noutput y\n", "more than 2^31"},
		{"graph \\x00z\n", "line 1: a zero byte"},
		{"input x f32[1,4]\n%1 = clip x lo=0\nparam w f32[1,4] of=%1\ny = add %1 w\noutput y\n", "line 3: expected the name of an input"},
		{"input x f32[1,4]\nparam w f32[1,4] of=_\ny = add x w\noutput y\n", "line 2: expected the name of an input"},
		{"input x f32[1,4]\nstate r i32[3,1]\ns = reshape r rank=1 dim=3\ny = fc_dw x x s\noutput y\n", "input 2 holds indices"},
		{"input k f32[1]\nparam w f32[4]\nstate s i32[1]\na = perturb w k k s\nb = perturb w k k s\noutput b\n", "'w' is overwritten twice"},
		{"input k f32[1]\nparam w f32[4]\nstate s i32[1]\n%1 = perturb w k k s\na = perturb %1 k k s\nb = perturb %1 k k s\noutput b\n", "'a value' is overwritten twice"},
		{"input k f32[1]\ninput w f32[4]\nstate s i32[1]\nc = clip w\na = perturb c k k s\noutput a\n", "neither parameter nor state"},
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_op), cmocka_unit_test(state_of_a_result), cmocka_unit_test(bounds_of_integers), cmocka_unit_test(names_of_statements), cmocka_unit_test(any_names), cmocka_unit_test(long_names), cmocka_unit_test(bad_texts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
