/* SPDX-License-Identifier: Apache-2.0
 *
 * round: a layer that rounded twice rounds once, and differs by one unit at most, seldom.
 */
#include "pass/nets.h"

static int8_t *results(cop_ctx *cx, cop_graph *g, int64_t *count)
{
	cop_host host;
	cop_tensor v;

	OK(cx, cop__host_open(&host, &g, 1, 0, 1));
	for (int32_t i = 0; i < g->n_input; i++) {
		OK(cx, cop_session_tensor(host.s, 0, g->value[g->input[i]].name, &v));
		fill_value(g, g->input[i], v.data, (uint32_t)i + 1);
	}
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_io(host.s, 0, 0, true, &v));
	*count = cop_type_count(&v.type);
	int8_t *copy = malloc((size_t)*count);
	memcpy(copy, v.data, (size_t)*count);
	cop__host_close(&host);
	return copy;
}

/* Does the node round as TFLite does? */
static bool is_twice(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qadd_attr, a, g, n);
	return g->node[n].op == OP_qconv ? cop__in(g, n, 3)->rank == 2 : a.exact;
}

static void walk(int op, int *nodes, int64_t *all, int64_t *differ)
{
	for (int which = 0;; which++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g, *h;
		int64_t count;
		OK(cx, cop__graph_new(&g, cx, "sample"));
		cop_nid n = cop_ops[op]->sample(g, which);
		if (!n) {
			cop_graph_free(g);
			cop_ctx_free(cx);
			return;
		}
		OK(cx, cop__output(g, cop__res(g, n, 0), "y"));
		OK(cx, cop__pass_dce(&h, g));
		OK(cx, cop_graph_apply(&h, "round:mode=single"));
		assert_false(is_twice(h, 1));
		if (is_twice(g, n)) { /* what rounds twice is TFLite's; what rounded once can't go back */
			cop_graph *same;
			OK(cx, cop__pass_dce(&same, g));
			OK(cx, cop_graph_apply(&same, "round:mode=tflite"));
			assert_true(is_twice(same, 1));
			cop_graph_free(same);
			assert_int_equal(cop_graph_apply(&h, "round:mode=tflite"), COP_ARG);
			cop_error_clear(cx);
		}
		int8_t *a = results(cx, g, &count), *b = results(cx, h, &count);
		for (int64_t i = 0; is_twice(g, n) && i < count; i++) {
			if (abs(a[i] - b[i]) > 1) fail_msg("%s %d: element %d is %d, and %d when it is rounded once", cop_ops[op]->name, which, (int)i, a[i], b[i]);
			*differ += a[i] != b[i];
		}
		*all += is_twice(g, n) ? count : 0;
		*nodes += is_twice(g, n);
		free(a);
		free(b);
		cop_graph_free(g);
		cop_graph_free(h);
		cop_ctx_free(cx);
	}
}

static void test_single(void **state)
{
	static const int ops[] = {OP_qconv, OP_qadd};

	(void)state;
	for (int i = 0; i < LEN(ops); i++) {
		int64_t all = 0, differ = 0;
		int nodes = 0;
		walk(ops[i], &nodes, &all, &differ);
		print_message("%s: %d nodes, %lld of %lld results differ\n", cop_ops[ops[i]]->name, nodes, (long long)differ, (long long)all);
		assert_true(nodes > 1 && differ * 20 < all);
	}
}

static void test_unknown(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop__graph_new(&g, cx, "net"));
	OK(cx, cop__output(g, relu(g, input(g, 2, DIMS(1, 3))), "y"));
	assert_int_equal(cop_graph_apply(&g, "round:mode=never"), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "round: mode must be one of single, tflite, not never"));
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_single), cmocka_unit_test(test_unknown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
