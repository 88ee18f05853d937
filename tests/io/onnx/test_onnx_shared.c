/* SPDX-License-Identifier: Apache-2.0
 *
 * One array of an ONNX model, several readers that want it in other layouts: each pair of them gives the bits that it gives when
 * both have an array of their own.
 */
#include "ox_run.h"

/* Nodes that read the array, which stands as '@' among their inputs. */
typedef struct reader { const char *op, *in; } reader;
typedef struct group { int rank; int64_t dim[5]; reader reader[9]; } group;

static const group groups[] = {
	{3, {4, 3, 5}, {{"Conv", "x3 @"}, {"Conv", "l3 @"}, {"ConvTranspose", "z3 @"}, {"ReduceMax", "@"}, {"Add", "k3 @"}, {"Transpose", "@"}, {"Identity", "@"}, {"MatMul", "n3 @"}}},
	{4, {4, 3, 3, 2}, {{"Conv", "x4 @"}, {"Conv", "l4 @"}, {"ConvTranspose", "z4 @"}, {"ReduceMax", "@"}, {"Add", "k4 @"}, {"Flatten", "@"}, {"Transpose", "@"}}},
	{5, {2, 3, 2, 3, 2}, {{"Conv", "x5 @"}, {"ReduceMax", "@"}, {"Mul", "k5 @"}, {"Transpose", "@"}}},
	{2, {4, 4}, {{"Gemm", "x2 @"}, {"MatMul", "x2 @"}, {"MatMul", "@ x2"}, {"ReduceMax", "@"}, {"Gather", "@ i"}, {"Add", "x2 @"}, {"Transpose", "@"}, {"MatMul", "y3 @"}}},
	{1, {4}, {{"Conv", "x3 w3 @"}, {"Gemm", "x2 w2 @"}, {"Add", "x2 @"}, {"Conv", "x4 w4 @"}, {"BatchNormalization", "z3 @ @ @ @"}, {"LayerNormalization", "x2 @ @"}, {"PRelu", "x2 @"},
		{"BatchNormalization", "z4 @ @ @ @"}}},
};

static void floats(maker *m, const char *name, int rank, const int64_t *dim, uint32_t stream)
{
	float v[400];
	int64_t n = 1;

	for (int i = 0; i < rank; i++) n *= dim[i];
	assert_true(n <= LEN(v));
	for (int64_t i = 0; i < n; i++) v[i] = 0.25f + cop__rand_unit(9, stream, (uint64_t)i);
	initializer(m, name, OX_FLOAT, rank, dim, v, 4 * (size_t)n);
}

static void inputs(maker *m)
{
	static const int64_t two = 2;

	info(m, GRAPH_INPUT, "x2", OX_FLOAT, D(4, 4)), info(m, GRAPH_INPUT, "x3", OX_FLOAT, D(1, 3, 9)), info(m, GRAPH_INPUT, "l3", OX_FLOAT, D(2, 3, 7)), info(m, GRAPH_INPUT, "z3", OX_FLOAT, D(1, 4, 6));
	info(m, GRAPH_INPUT, "k3", OX_FLOAT, D(4, 3, 5)), info(m, GRAPH_INPUT, "n3", OX_FLOAT, D(4, 2, 3)), info(m, GRAPH_INPUT, "y3", OX_FLOAT, D(2, 3, 4)), info(m, GRAPH_INPUT, "x4", OX_FLOAT, D(1, 3, 5, 4));
	info(m, GRAPH_INPUT, "l4", OX_FLOAT, D(2, 3, 4, 4)), info(m, GRAPH_INPUT, "z4", OX_FLOAT, D(1, 4, 3, 3)), info(m, GRAPH_INPUT, "k4", OX_FLOAT, D(4, 3, 3, 2)), info(m, GRAPH_INPUT, "x5", OX_FLOAT, D(1, 3, 3, 4, 4));
	info(m, GRAPH_INPUT, "k5", OX_FLOAT, D(2, 3, 2, 3, 2));
	floats(m, "w2", D(4, 4), 2), floats(m, "w3", D(4, 3, 5), 3), floats(m, "w4", D(4, 3, 3, 2), 4);
	initializer(m, "i", OX_INT64, 0, NULL, &two, 8);
}

/* The node with `name` for '@'. */
static void reads(maker *m, const reader *r, const char *name, const char *out)
{
	char in[64] = "";

	for (const char *s = r->in; *s; s++) {
		size_t n = strlen(in);
		if (*s == '@') snprintf(in + n, sizeof in - n, "%s", name);
		else snprintf(in + n, sizeof in - n, "%c", *s);
	}
	node(m, r->op, in, out, NULL, 0);
	info(m, GRAPH_OUTPUT, out, OX_FLOAT, 0, NULL);
}

static void pair(const group *p, const reader *a, const reader *b, bool shown)
{
	static ran got[2];
	cop_ctx *cx = new_ctx();

	for (int own = 0; own < 2; own++) {
		maker m = begin(cx);
		inputs(&m);
		floats(&m, "s", p->rank, p->dim, 1), floats(&m, "t", p->rank, p->dim, 1);
		reads(&m, a, "s", "a");
		reads(&m, b, own ? "t" : "s", "b");
		if (shown) info(&m, GRAPH_OUTPUT, own ? "t" : "s", OX_FLOAT, 0, NULL);
		run_model(&got[own], &m, 17);
	}
	if (got[0].n != got[1].n || memcmp(got[0].y, got[1].y, 4 * (size_t)got[0].n)) fail_msg("%s (%s) and %s (%s) disturb each other", a->op, a->in, b->op, b->in);
	cop_ctx_free(cx);
}

static void test_pairs(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(groups); i++)
		for (const reader *a = groups[i].reader; a < groups[i].reader + LEN(groups[i].reader) && a->op; a++)
			for (const reader *b = groups[i].reader; b < groups[i].reader + LEN(groups[i].reader) && b->op; b++) pair(&groups[i], a, b, a > b);
}

/* Bytes with a scale for each row, and their readers. */
static void test_quantised(void **state)
{
	(void)state;
	static const reader other[] = {{"Conv", "x3 @"}, {"ReduceMax", "@"}, {"Transpose", "@"}, {"Add", "k3 @"}};
	static ran got[2];
	cop_ctx *cx = new_ctx();
	int8_t q[60];
	float scale[4] = {0.5f, 0.25f, 0.125f, 1}, one = 0.0625f;

	for (int i = 0; i < LEN(q); i++) q[i] = (int8_t)(i * 37);
	for (int k = 0; k < LEN(other); k++) {
		for (int own = 0; own < 2; own++) {
			maker m = begin(cx);
			inputs(&m);
			initializer(&m, "q", OX_INT8, D(4, 3, 5), q, 60), initializer(&m, "scale", OX_FLOAT, D(4), scale, 16), initializer(&m, "one", OX_FLOAT, 0, NULL, &one, 4);
			node(&m, "QuantizeLinear", "x3 one", "xq", NULL, 0), node(&m, "DequantizeLinear", "xq one", "x", NULL, 0);
			node(&m, "DequantizeLinear", "q scale", "w", "axis", 0), node(&m, "DequantizeLinear", "q scale", "v", "axis", 0);
			node(&m, "Conv", "x w", "c", NULL, 0), node(&m, "QuantizeLinear", "c one", "y", NULL, 0), info(&m, GRAPH_OUTPUT, "y", OX_UINT8, 0, NULL);
			reads(&m, &other[k], own ? "v" : "w", "b");
			run_model(&got[own], &m, 17);
		}
		assert_int_equal(got[0].n, got[1].n);
		for (int i = 0; i < got[0].n; i++) /* the layer is of integers in one case and may not be in the other: a step */
			if (!(fabsf(got[0].y[i] - got[1].y[i]) <= 1)) fail_msg("%s: element %d is %g and %g", other[k].op, i, (double)got[0].y[i], (double)got[1].y[i]);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs), cmocka_unit_test(test_quantised)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
