/* SPDX-License-Identifier: Apache-2.0
 *
 * ONNX models made here, one message at a time: what is refused and with which sentence, what is folded, how layouts meet, and
 * a round trip of the zoo's networks through the writer and the reader. Numbers from outside are in test_onnx_node.c and
 * test_onnx_models.c.
 */
#include "ox_accepted.h"

static void input(maker *m, int rank, const int64_t *dim) { info(m, GRAPH_INPUT, "x", OX_FLOAT, rank, dim); }
static void output(maker *m) { info(m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL); }

static void test_refused(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	maker m = begin(cx);
	const float w[4] = {1, 2, 3, 4};

	input(&m, D(1, 4)), output(&m), node(&m, "NoSuch", "x", "y", NULL, 0);
	refuses(&m, 17, "node 'y' (NoSuch): this operator is not supported");
	m = begin(cx), input(&m, D(1, 4)), output(&m), node(&m, "Relu", "x", "y", "strange", 3);
	refuses(&m, 17, "attribute 'strange' is not supported");
	m = begin(cx), input(&m, D(1, 4)), output(&m), node(&m, "Add", "x b", "a", NULL, 0), node(&m, "Relu", "a", "b", NULL, 0), node(&m, "Relu", "b", "y", NULL, 0);
	refuses(&m, 17, "cycle");
	m = begin(cx), input(&m, D(1, 4)), output(&m), node(&m, "Add", "x gone", "y", NULL, 0);
	refuses(&m, 17, "reads 'gone'");
	m = begin(cx), input(&m, D(1, 4)), output(&m), node(&m, "Relu", "x", "y", NULL, 0), node(&m, "Exp", "x", "y", NULL, 0);
	refuses(&m, 17, "writes 'y'");
	m = begin(cx), input(&m, D(1, -5)), output(&m), node(&m, "Relu", "x", "y", NULL, 0);
	refuses(&m, 17, "dimension 1 of input 'x' is -5");
	m = begin(cx), input(&m, D(1, (int64_t)1 << 31)), output(&m), node(&m, "Relu", "x", "y", NULL, 0);
	refuses(&m, 17, "dimension 1 of input 'x'");
	m = begin(cx), input(&m, D(1, -7)), output(&m), node(&m, "Relu", "x", "y", NULL, 0);
	refuses(&m, 17, "is 'N'");
	m = begin(cx), input(&m, D(1, 4)), output(&m), initializer(&m, "w", OX_FLOAT, D(5), w, 16), node(&m, "Add", "x w", "y", NULL, 0);
	refuses(&m, 17, "do not make its 16 bytes");
	m = begin(cx), input(&m, D(1, 4)), output(&m), initializer(&m, "w", OX_FLOAT, D(-1), w, 16), node(&m, "Add", "x w", "y", NULL, 0);
	refuses(&m, 17, "dimension 0 is -1");
	m = begin(cx), input(&m, D(1, 4)), output(&m), initializer(&m, "w", 17, D(4), w, 4), node(&m, "Add", "x w", "y", NULL, 0);
	refuses(&m, 17, "float8e4m3fn is not supported");
	m = begin(cx), input(&m, D(1, 4)), output(&m), node(&m, "Relu", "x", "y", NULL, 0);
	refuses(&m, 99, "operator set 99");
	m = begin(cx), input(&m, D(1, 4)), output(&m), node(&m, "Concat", "x x", "y", "axis", 7);
	refuses(&m, 17, "axis 7 of 2 dimensions");
	m = begin(cx), input(&m, D(1, 4)), output(&m), node(&m, "Reshape", "x x", "y", NULL, 0);
	refuses(&m, 17, "must be known when the model is read");
	m = begin(cx), input(&m, D(1, 4)), node(&m, "Relu", "x", "y", NULL, 0);
	refuses(&m, 17, "no output");
	m = begin(cx), input(&m, D(1, 4)), output(&m), initializer(&m, "w", OX_FLOAT, D(4, 1), w, 16), node(&m, "MatMulInteger", "x w", "y", NULL, 0);
	refuses(&m, 17, "input 0 and its zero point must be whole numbers");
	cop_ctx_free(cx);
}

/* An unused node may be anything: it is not read. */
static void test_dead(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	maker m = begin(cx);

	input(&m, D(1, 4)), output(&m), node(&m, "NoSuch", "x", "z", NULL, 0), node(&m, "Relu", "x", "y", NULL, 0);
	cop_graph *g = accepted(&m);
	assert_int_equal(g->n_node, 1);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* x.view(x.size(0), -1): all of the arithmetic is done while reading, and nodes may stand in any order. */
static void test_folded(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	maker m = begin(cx);
	const int64_t zero = 0, minus = -1;

	input(&m, D(-7, 3, 2, 2)), output(&m);
	node(&m, "Reshape", "x shape", "y", NULL, 0);
	node(&m, "Concat", "n rest", "shape", "axis", 0);
	node(&m, "Unsqueeze", "size axes", "n", NULL, 0);
	node(&m, "Gather", "s zero", "size", "axis", 0);
	node(&m, "Shape", "x", "s", NULL, 0);
	initializer(&m, "zero", OX_INT64, 0, NULL, &zero, 8), initializer(&m, "axes", OX_INT64, D(1), &zero, 8), initializer(&m, "rest", OX_INT64, D(1), &minus, 8);
	cop_graph *g = accepted(&m);
	const cop_type *y = cop__t(g, g->output[0]);
	assert_int_equal(g->n_node, 1);
	assert_int_equal(y->rank, 2);
	assert_int_equal(y->dim[0], 1);
	assert_int_equal(y->dim[1], 12);
	OK(cx, cop_graph_apply(&g, "batch:n=5"));
	assert_int_equal(cop__t(g, g->output[0])->dim[0], 5);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static int count(const cop_graph *g, int op)
{
	int n = 0;
	for (int32_t i = 1; i <= g->n_node; i++) n += g->node[i].op == op;
	return n;
}

/* conv, relu, conv: channels move once on the way in and once on the way out. */
static void test_layouts(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	maker m = begin(cx);
	float w[3 * 3 * 9];

	for (int i = 0; i < LEN(w); i++) w[i] = (float)i / 100;
	input(&m, D(1, 3, 8, 8)), output(&m), initializer(&m, "w", OX_FLOAT, D(3, 3, 3, 3), w, sizeof w);
	node(&m, "Conv", "x w", "a", NULL, 0), node(&m, "Relu", "a", "b", NULL, 0), node(&m, "Conv", "b w", "c", NULL, 0), node(&m, "Add", "c c", "y", NULL, 0);
	cop_graph *g = accepted(&m);
	assert_int_equal(count(g, OP_transpose), 2);
	assert_int_equal(count(g, OP_conv), 2);
	assert_true(cop__find(g, "w") && !cop__find(g, "w.2")); /* one weight, shared */
	assert_true(cop__t(g, cop__find(g, "w"))->dim[3] == 3);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Cut anywhere, a model is refused or (where only a name or a trailing field is lost) still one; nothing else happens. */
static void test_cut(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	maker m = begin(cx);
	const float w[4] = {1, 2, 3, 4};
	cop_graph *g;

	input(&m, D(1, 4)), output(&m), initializer(&m, "w", OX_FLOAT, D(4), w, 16), node(&m, "Add", "x w", "a", NULL, 0), node(&m, "Softmax", "a", "y", "axis", 1);
	cop_text t = end(&m, 17);
	for (size_t n = 0; n < t.len; n++) {
		if (!cop__onnx_read(&g, cx, "net", NULL, t.data, n, NULL)) fail_msg("cut at byte %zu it was accepted", n);
		assert_true(cop_error_text(cx)[0]);
		cop_error_clear(cx);
	}
	for (size_t n = 0; n < t.len; n++) { /* and every byte turned over */
		t.data[n] = (char)~t.data[n];
		if (!cop__onnx_read(&g, cx, "net", NULL, t.data, t.len, NULL)) cop_graph_free(g);
		cop_error_clear(cx);
		t.data[n] = (char)~t.data[n];
	}
	cop__text_free(&t);
	cop_ctx_free(cx);
}

/* What was written is read again without what the writer turned round, and computes the same. */
static void round_trip(cop_ctx *cx, const char *name)
{
	cop_graph *g[2];
	cop_plan *p;
	cop_session *s;
	cop_target t;
	cop_tensor x, y;
	cop_text file;
	float *first = NULL;
	const cop_zoo_args none = {.seed = 3};

	OK(cx, cop_zoo_build(&g[0], cx, name, &none));
	OK(cx, cop_graph_apply(&g[0], "to_infer fuse"));
	cop__text_init(&file, cx);
	OK(cx, cop__onnx_write(&file, g[0]));
	OK(cx, cop__onnx_read(&g[1], cx, "net", NULL, file.data, file.len, NULL));
	assert_int_equal(count(g[1], OP_transpose), 0); /* those of the file meet */
	OK(cx, cop_target_find(&t, cx, "host"));
	for (int k = 0; k < 2; k++) {
		OK(cx, cop_plan_build(&p, &g[k], 1, &t));
		OK(cx, cop_session_new(&s, p, 1));
		OK(cx, cop_session_io(s, 0, 0, false, &x));
		OK(cx, cop_session_io(s, 0, 0, true, &y));
		int64_t n = cop_type_count(&y.type);
		for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((float *)x.data)[i] = cop__rand_unit(5, 0, (uint64_t)i) * 2 - 1;
		OK(cx, cop_session_run(s, 0));
		if (!k) first = malloc(4 * (size_t)n), memcpy(first, y.data, 4 * (size_t)n);
		for (int64_t i = 0; k && i < n; i++) assert_float_equal(((float *)y.data)[i], first[i], 1e-4);
		cop_session_free(s);
		cop_plan_free(p);
		cop_graph_free(g[k]);
	}
	free(first);
	cop__text_free(&file);
}

static void test_round_trip(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	static const char *const list[] = {"lenet-5", "mlp-784x32x10", "ds-cnn", "resnet-8"};

	for (int i = 0; i < LEN(list); i++) round_trip(cx, list[i]);
	cop_ctx_free(cx);
}

static void test_table(void **state)
{
	(void)state;
	assert_true(cop__ox_table_distinct());
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_refused), cmocka_unit_test(test_dead), cmocka_unit_test(test_folded),
		cmocka_unit_test(test_layouts), cmocka_unit_test(test_cut), cmocka_unit_test(test_round_trip)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
