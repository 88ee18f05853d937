/* SPDX-License-Identifier: Apache-2.0
 *
 * Branches whose condition is known, and functions of a model: what is written out computes what the same nodes compute in the
 * model's own graph.
 */
#include "ox_run.h"

static const int64_t four = 4, one = 1, second = 1;

static void begin_x(maker *m, const char *outputs)
{
	info(m, GRAPH_INPUT, "x", OX_FLOAT, D(2, 4));
	for (const char *s = outputs; *s; s++) info(m, GRAPH_OUTPUT, (char[]){*s, 0}, OX_FLOAT, 0, NULL);
	initializer(m, "four", OX_INT64, 0, NULL, &four, 8), initializer(m, "one", OX_INT64, 0, NULL, &one, 8), initializer(m, "second", OX_INT64, 0, NULL, &second, 8);
}

/* cond = (x.shape[1] == what) */
static void condition(maker *m, const char *what, const char *cond)
{
	node(m, "Shape", "x", "s", NULL, 0), node(m, "Gather", "s second", "d", "axis", 0);
	char in[32];
	snprintf(in, sizeof in, "d %s", what);
	node(m, "Equal", in, cond, NULL, 0);
}

/* A branch that computes op(read) twice under names that the other branch has, too. */
static maker branch(cop_ctx *cx, const char *op, const char *read, const char *result)
{
	maker m = begin(cx);

	node(&m, op, read, "t", NULL, 0), node(&m, op, "t", result, NULL, 0);
	info(&m, GRAPH_OUTPUT, result, OX_FLOAT, 0, NULL);
	return m;
}

static void if_node(maker *m, const char *cond, maker *then, maker *other, const char *out)
{
	cop_text attrs;

	cop__text_init(&attrs, m->cx);
	attr_graph(&attrs, m->cx, "then_branch", then), attr_graph(&attrs, m->cx, "else_branch", other);
	node_with(m, "", "If", cond, out, &attrs);
}

static void expect(ran *got, cop_ctx *cx, const char *op)
{
	static ran want;
	maker m = begin(cx);

	begin_x(&m, "y"), node(&m, op, "x", "t", NULL, 0), node(&m, op, "t", "y", NULL, 0);
	run_model(&want, &m, 17);
	assert_int_equal(got->n, want.n);
	if (memcmp(got->y, want.y, 4 * (size_t)want.n)) fail_msg("%s of %s is something else", op, op);
}

static void test_taken(void **state)
{
	(void)state;
	static const struct { const char *what, *op; } cases[] = {{"four", "Tanh"}, {"one", "Sin"}};
	static ran got;
	cop_ctx *cx = new_ctx();

	for (int i = 0; i < LEN(cases); i++) {
		maker m = begin(cx), a = branch(cx, "Tanh", "x", "r"), b = branch(cx, "Sin", "x", "r");
		begin_x(&m, "y"), condition(&m, cases[i].what, "c"), if_node(&m, "c", &a, &b, "y");
		run_model(&got, &m, 17);
		expect(&got, cx, cases[i].op);
	}
	cop_ctx_free(cx);
}

/* The branch that is not taken, and who feeds it alone, may be anything; an inner condition may be known in the outer branch only. */
static void test_left_alone(void **state)
{
	(void)state;
	static ran got;
	cop_ctx *cx = new_ctx();
	maker m = begin(cx), a = branch(cx, "NoSuch", "odd", "r"), b = begin(cx), c = branch(cx, "Tanh", "x", "q"), d = branch(cx, "AlsoNone", "x", "q");

	begin_x(&m, "y"), node(&m, "NeverHeardOf", "x", "odd", NULL, 0), condition(&m, "one", "c");
	node(&b, "Equal", "d four", "inner", NULL, 0), if_node(&b, "inner", &c, &d, "r"), info(&b, GRAPH_OUTPUT, "r", OX_FLOAT, 0, NULL);
	if_node(&m, "c", &a, &b, "y");
	run_model(&got, &m, 17);
	expect(&got, cx, "Tanh");
	cop_ctx_free(cx);
}

static void test_unknown(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	maker m = begin(cx), a = branch(cx, "Tanh", "x", "r"), b = branch(cx, "Sin", "x", "r");

	begin_x(&m, "y"), info(&m, GRAPH_INPUT, "c", OX_BOOL, D(1)), if_node(&m, "c", &a, &b, "y");
	refuses(&m, 17, "node 'y' (If): input 0 ('c') must be known when the model is read");
	m = begin(cx), a = branch(cx, "NoSuch", "x", "r"), b = branch(cx, "Sin", "x", "r");
	begin_x(&m, "y"), condition(&m, "four", "c"), if_node(&m, "c", &a, &b, "y");
	refuses(&m, 17, "(NoSuch): this operator is not supported");
	cop_ctx_free(cx);
}

/* ---- functions ---- */

typedef struct function { cop_text t; } function;

static function define(cop_ctx *cx, const char *name, const char *in, const char *out)
{
	function f;

	cop__text_init(&f.t, cx);
	cop__pb_put_text(&f.t, FUNCTION_NAME, name), cop__pb_put_text(&f.t, FUNCTION_DOMAIN, "pkg");
	names(&f.t, FUNCTION_INPUT, in), names(&f.t, FUNCTION_OUTPUT, out);
	return f;
}

static void opset(cop_text *t, cop_ctx *cx, uint32_t field, int version)
{
	cop_text set;

	cop__text_init(&set, cx);
	cop__pb_put_int(&set, OPSET_VERSION, version), put(t, field, &set);
}

static void run_functions(ran *got, cop_ctx *cx, maker *m, function *f, int n)
{
	cop_text t = end(m, 17);

	for (int i = 0; i < n; i++) put(&t, MODEL_FUNCTIONS, &f[i].t);
	run_graph(got, cx, read_text(cx, &t));
}

/* twice(a) = leaky(leaky(a)), leaky(a; slope = 0.5) = LeakyRelu(a; alpha = slope), pass(a) = a, old softmax by the function's own set */
static void test_functions(void **state)
{
	(void)state;
	static ran got;
	cop_ctx *cx = new_ctx();
	maker m = begin(cx);
	cop_text attrs, half;
	function f[4] = {define(cx, "leaky", "a", "b"), define(cx, "twice", "a", "t"), define(cx, "pass", "a unused", "a"), define(cx, "old", "a", "b")};

	cop__text_init(&attrs, cx), attr_ref(&attrs, cx, "alpha", "slope"), node_into(&f[0].t, FUNCTION_NODE, cx, "", "LeakyRelu", "a", "b", &attrs);
	half = attr_begin(cx, "slope"), cop__pb_put_float(&half, ATTR_F, 0.5f), put(&f[0].t, FUNCTION_ATTRIBUTE, &half);
	cop__text_init(&attrs, cx), attr_ref(&attrs, cx, "slope", "outer"), node_into(&f[1].t, FUNCTION_NODE, cx, "pkg", "leaky", "a", "b", &attrs); /* by the call's */
	node_into(&f[1].t, FUNCTION_NODE, cx, "pkg", "leaky", "b", "t", NULL); /* by default */
	node_into(&f[3].t, FUNCTION_NODE, cx, "", "Softmax", "a", "b", NULL), opset(&f[3].t, cx, FUNCTION_OPSET, 11); /* axis 1 and all behind */
	begin_x(&m, "yzpq");
	cop__text_init(&attrs, cx), attr_f(&attrs, cx, "outer", 0.25f), node_with(&m, "pkg", "twice", "x", "y", &attrs);
	cop__text_init(&attrs, cx), attr_f(&attrs, cx, "outer", 2), node_with(&m, "pkg", "twice", "x", "z", &attrs);
	node_with(&m, "pkg", "pass", "x", "p", NULL), node_with(&m, "pkg", "old", "x", "q", NULL);
	run_functions(&got, cx, &m, f, 4);
	assert_int_equal(got.n, 32);
	for (int i = 0; i < 8; i++) {
		float x = cop__rand_unit(7, 0, (uint64_t)i) * 2 - 1;
		assert_float_equal(got.y[i], x < 0 ? 0.125f * x : x, 1e-6);
		assert_float_equal(got.y[8 + i], x, 1e-6);
		assert_float_equal(got.y[16 + i], x, 0);
	}
	cop_ctx_free(cx);
}

/* Each calls the next twice: 2^40 nodes, and one calls itself. */
static void test_bombs(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	char name[2][16];

	for (int depth = 20; depth <= 31; depth += 11) {
		maker m = begin(cx);
		begin_x(&m, "y"), node_with(&m, "pkg", "f0", "x", "y", NULL);
		cop_text t = end(&m, 17);
		for (int i = 0; i < depth; i++) {
			snprintf(name[0], 16, "f%d", i), snprintf(name[1], 16, "f%d", i + 1);
			function f = define(cx, name[0], "a", "c");
			node_into(&f.t, FUNCTION_NODE, cx, "pkg", name[1], "a", "b", NULL), node_into(&f.t, FUNCTION_NODE, cx, "pkg", name[1], "b", "c", NULL), put(&t, MODEL_FUNCTIONS, &f.t);
		}
		assert_int_equal(cop__onnx_read(&g, cx, "net", NULL, t.data, t.len, NULL), COP_FORMAT);
		assert_non_null(strstr(cop_error_text(cx), "2^18 nodes"));
		cop_error_clear(cx), cop__text_free(&t);
	}
	maker m = begin(cx);
	begin_x(&m, "y"), node_with(&m, "pkg", "f", "x", "y", NULL);
	cop_text t = end(&m, 17);
	function f = define(cx, "f", "a", "b");
	node_into(&f.t, FUNCTION_NODE, cx, "pkg", "f", "a", "b", NULL), put(&t, MODEL_FUNCTIONS, &f.t);
	assert_int_equal(cop__onnx_read(&g, cx, "net", NULL, t.data, t.len, NULL), COP_FORMAT);
	assert_non_null(strstr(cop_error_text(cx), "32 deep"));
	cop_error_clear(cx), cop__text_free(&t);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken), cmocka_unit_test(test_left_alone), cmocka_unit_test(test_unknown), cmocka_unit_test(test_functions),
		cmocka_unit_test(test_bombs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
