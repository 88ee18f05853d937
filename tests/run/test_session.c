/* SPDX-License-Identifier: Apache-2.0
 *
 * A session: steps whose guard reads 0 are left out, whoever writes the guard; state lives from run to run and goes back
 * into a graph.
 */
#include "help.h"

static cop_session *open_text(cop_ctx *cx, const char *text, cop_graph **g, cop_plan **p)
{
	cop_session *s;
	cop_target t;

	OK(cx, cop_graph_parse(g, cx, text, strlen(text)));
	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_plan_build(p, g, 1, &t));
	OK(cx, cop_session_new(&s, *p, 2));
	return s;
}

static int32_t *word(cop_session *s, const char *name)
{
	cop_tensor t;
	cop_session_tensor(s, 0, name, &t);
	return t.data;
}

/* The host writes the first guard; the second is the first's counter, which a step writes. */
static void guards(void **state)
{
	static const char text[] = "state n i32[1]\nstate m i32[1]\nstate on i32[1]\n"
				   "n' = count n guard=on\nm' = count m guard=n\noutput n'\noutput m'\n";
	static const struct { int32_t on, n, m; } runs[] = {{0, 0, 0}, {1, 1, 0}, {0, 1, 1}, {-5, 2, 2}, {0, 2, 3}};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	cop_plan *p;
	cop_session *s = open_text(cx, text, &g, &p);

	for (int i = 0; i < LEN(runs); i++) {
		*word(s, "on") = runs[i].on;
		OK(cx, cop_session_run(s, 0));
		assert_int_equal(*word(s, "n"), runs[i].n);
		assert_int_equal(*word(s, "m"), runs[i].m);
	}
	OK(cx, cop_session_pull(s, g));
	assert_int_equal(*(const int32_t *)g->value[cop__find(g, "m")].data, 3);
	assert_int_equal(cop_session_run(s, 1), COP_ARG);
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(guards)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
