/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_pad keeps every bit, for floats and int8, and leaves a border that is not the zero point; drop_softmax keeps the class;
 * int8_io computes on bytes what the network computed on the floats they stand for.
 */
#include "pass/nets.h"

static cop_vid padded(cop_graph *g, cop_vid x, float value)
{
	return cop__apply(g, OP_pad, &(cop_pad_attr){.before = {0, 1, 2}, .after = {0, 1, 0}, .value = value}, VIDS(x));
}

static void test_fold_pad(void **state)
{
	cop_ctx *cx = new_ctx();
	(void)state;
	for (int zero = 0; zero < 2; zero++) {
		cop_graph *g, *f;
		OK(cx, cop__graph_new(&g, cx, "net"));
		cop_vid x = padded(g, input(g, 4, DIMS(1, 6, 5, 3)), zero ? 0 : 1);
		OK(cx, cop__output(g, fc(g, flatten(g, conv(g, x, "c", 4, 3, 1, 1, true)), "f", 3, true), "y"));
		OK(cx, cop__pass_batch(&f, g, 1));
		OK(cx, cop_graph_apply(&f, "fold_pad"));
		assert_int_equal(f->n_node, g->n_node - zero);
		assert_true(difference(cx, g, f) == 0);
		cop_graph_free(f);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* x f32 -> quantize -> qconv 1x1 -> qsoftmax -> dequantize */
static cop_graph *int8_net(cop_ctx *cx)
{
	static const int8_t w[12] = {1, -2, 3, 40, -50, 60, 7, 80, -9, -20, 30, 5};
	static const int32_t b[4] = {100, -200, 300, 50}, m[4] = {1 << 28, 1 << 27, 1 << 28, 1 << 28};
	cop_graph *g;
	cop_type wt = cop__type(COP_I8, 4, DIMS(4, 1, 1, 3)), bt = cop__type(COP_I32, 1, DIMS(4));

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid q = cop__apply(g, OP_quantize, &(cop_quantize_attr){0.05f, 3, COP_I8}, VIDS(input(g, 4, DIMS(1, 1, 1, 3))));
	cop_vid y = cop__apply(g, OP_qconv, &(cop_qconv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, 3, -4, -128, 127, 0, 0, 0},
		VIDS(q, cop__data(g, COP_CONST, "w", &wt, w), cop__data(g, COP_CONST, "b", &bt, b), cop__data(g, COP_CONST, "m", &bt, m)));
	y = cop__apply(g, OP_qsoftmax, &(cop_qsoftmax_attr){1431655765, 22, -186}, VIDS(y));
	OK(cx, cop__output(g, cop__apply(g, OP_dequantize, &(cop_dequantize_attr){1.0f / 256, -128}, VIDS(y)), "y"));
	return g;
}

static int largest(const float *y)
{
	int at = 0;
	for (int i = 1; i < 4; i++)
		if (y[i] > y[at]) at = i;
	return at;
}

static void test_drop_softmax(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = int8_net(cx), *f = int8_net(cx);
	int64_t n;
	(void)state;
	OK(cx, cop_graph_apply(&f, "drop_softmax"));
	assert_int_equal(f->n_node, g->n_node - 1);
	float *a = run_graph(cx, g, 1, &n), *b = run_graph(cx, f, 1, &n);
	assert_int_equal(largest(a), largest(b));
	free(a);
	free(b);
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_int8_io(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = int8_net(cx), *f = int8_net(cx);
	cop_type in, out;
	(void)state;
	OK(cx, cop_graph_apply(&f, "int8_io"));
	OK(cx, cop_graph_verify(f));
	assert_int_equal(f->n_node, g->n_node - 2);
	OK(cx, cop_graph_io(f, &in, &out));
	assert_true(in.dtype == COP_I8 && *in.q.scale == 0.05f && *in.q.zero == 3);
	assert_true(out.dtype == COP_I8 && *out.q.scale == 1.0f / 256 && *out.q.zero == -128);
	assert_string_equal(f->value[f->input[0]].name, "x");
	assert_string_equal(f->value[f->output[0]].name, "y");
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* An input that is a result itself, and one that nobody reads. */
static void test_unread_inputs(void **state)
{
	static const char text[] = "graph g\ninput x f32[1,4]\ninput z f32[1,4]\ny = clip x lo=0\noutput y\noutput z\n";
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop_graph_parse(&g, cx, text, sizeof text - 1));
	OK(cx, cop_graph_apply(&g, "int8_io"));
	OK(cx, cop_graph_verify(g));
	assert_int_equal(g->n_input, 2);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_fold_pad), cmocka_unit_test(test_drop_softmax), cmocka_unit_test(test_int8_io), cmocka_unit_test(test_unread_inputs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
