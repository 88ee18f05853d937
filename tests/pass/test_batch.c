/* SPDX-License-Identifier: Apache-2.0
 *
 * batch: the first sample of a batch of five gets the result that it gets alone.
 */
#include "pass/nets.h"

static void test_rows(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *f;
	int64_t n, m;
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = relu(g, bn(g, conv(g, input(g, 4, DIMS(1, 6, 6, 2)), "c", 4, 3, 1, 1, true), "n"));
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){4, {1, 3, 12, 4}}, VIDS(x)); /* spells its batch out */
	x = cop__apply(g, OP_slice, &(cop_slice_attr){.from = {0, 1}, .size = {1, 2, 12, 4}}, VIDS(x));
	OK(cx, cop__output(g, fc(g, flatten(g, x), "f", 3, true), "y"));
	OK(cx, cop__pass_batch(&f, g, 5));
	assert_int_equal(cop__t(f, f->input[0])->dim[0], 5);
	assert_int_equal(cop__t(f, f->output[0])->dim[0], 5);
	float *one = run_graph(cx, g, 5, &n), *five = run_graph(cx, f, 5, &m);
	assert_int_equal(n * 5, m);
	for (int64_t i = 0; i < n; i++) assert_true(fabsf(one[i] - five[i]) < 1e-5f);
	assert_true(five[0] != five[n]);
	free(one);
	free(five);
	OK(cx, cop_graph_apply(&f, "batch:n=1"));
	assert_true(difference(cx, g, f) == 0);
	assert_int_equal(cop_graph_apply(&f, "batch"), COP_ARG);
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
