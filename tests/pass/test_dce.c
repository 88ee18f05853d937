/* SPDX-License-Identifier: Apache-2.0
 *
 * dce: what nobody needs goes, what is updated stays, and the interface is not touched.
 */
#include "pass/nets.h"

static void test_drops(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *f;
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = input(g, 4, DIMS(1, 6, 6, 2));
	cop_type t = cop__type(COP_F32, 1, DIMS(3));
	cop__input(g, "unread", &t);
	cop_vid a = conv(g, x, "used", 3, 3, 1, 1, true);
	relu(g, conv(g, a, "dead", 3, 3, 1, 1, true));
	cop_nid pool = cop__node(g, OP_maxpool, &(cop_pool_attr){2, 2, 2, 2, 0, 0, 0, 0, 0}, VIDS(a));
	assert_true(cop__want_out(g, pool, 1));
	cop__data(g, COP_STATE, "loose", &t, NULL);
	OK(cx, cop__output(g, cop__res(g, pool, 0), "y"));
	OK(cx, cop__pass_dce(&f, g));
	assert_int_equal(f->n_node, 2);
	assert_int_equal(f->node[2].out[1], 0);
	assert_int_equal(f->n_input, 2);
	assert_true(cop__find(f, "used.w") && !cop__find(f, "dead.w") && !cop__find(f, "loose"));
	assert_true(difference(cx, g, f) == 0);
	cop_graph_free(f);
	/* other passes keep what nobody reads */
	OK(cx, cop_graph_apply(&g, "fuse"));
	assert_true(cop__find(g, "loose") && cop__find(g, "dead.w"));
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_updates_stay(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *f;
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_type t = cop__type(COP_I32, 1, DIMS(1));
	cop_vid x = input(g, 2, DIMS(1, 3));
	cop_vid a = cop__data(g, COP_STATE, "step", &t, NULL), b = cop__data(g, COP_STATE, "other", &t, NULL);
	assert_true(cop__apply(g, OP_count, NULL, VIDS(a)) && cop__apply(g, OP_count, NULL, VIDS(b)));
	OK(cx, cop__output(g, relu(g, x), "y"));
	OK(cx, cop__pass_dce(&f, g));
	assert_int_equal(count_op(f, OP_count), 2);
	for (int32_t n = 1; n <= f->n_node; n++)
		if (f->node[n].op == OP_count) assert_int_equal(f->value[f->node[n].out[0]].alias, f->node[n].in[0]);
	cop_graph_free(f);
	OK(cx, cop_graph_apply(&g, "dce:keep=st*"));
	assert_int_equal(count_op(g, OP_count), 1);
	assert_true(cop__find(g, "step") && !cop__find(g, "other"));
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_drops), cmocka_unit_test(test_updates_stay)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
