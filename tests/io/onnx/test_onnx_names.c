/* SPDX-License-Identifier: Apache-2.0
 *
 * Names in ONNX files: those of a network and those that the writer makes up never meet, however often a network is exported and
 * read; a file in which a name stands for two values is refused.
 */
#include "ox_run.h"

/* A name of more than 100 bytes; two of them differ in the last alone. */
#define LONG "a_name_that_is_much_longer_than_what_the_writer_keeps_of_it_0123456789012345678901234567890123456789012345678901234"

/* input, weight, bias, between, output */
static const char *const cases[][5] = {
	{"x", "w", "b", "t", "y"}, {"_1", "_2", "_3", "_4", "_5"}, {"v1", "v2", "v3", "v4", "v5"}, {"v5", "v4", "v3", "v2", "v1"}, {"_9", "w", "w.oihw", "_1", "w.oihw.2"},
	{"_1.2", "_1", "_1.oihw", "_2", "_1.3"}, {"a/b", "a.b", "a_b", "a:b", "a-b"}, {"\xc3\xa4", "\xc3\xb6", "\xc3\xbc", "\xc3\x9f", "\xe2\x82\xac"}, {"0", "1", "2", "3", "4"},
	{"index", "zero", "const", "causal", "0.5"}, {LONG "1", LONG "2", LONG "3", LONG "4", LONG "5"}, {"v", "_", "v0", "_0", "v_1"}, {"v3", "_7", "v8", "v12", "_12"},
};

static const int64_t zero[2] = {0, 0}, far[2] = {100, 100}, axes[2] = {2, 3}, steps[2] = {1, 2};

/* conv, relu, a slice with a step (several nodes when it is written), conv with the same weight */
static cop_text model(cop_ctx *cx, const char *const name[5])
{
	maker m = begin(cx);
	float w[3 * 3 * 9], b[3] = {0.5f, -0.25f, 1};
	char in[1200];

	for (int i = 0; i < LEN(w); i++) w[i] = cop__rand_unit(4, 0, (uint64_t)i) - 0.5f;
	info(&m, GRAPH_INPUT, name[0], OX_FLOAT, D(1, 3, 8, 9)), info(&m, GRAPH_OUTPUT, name[4], OX_FLOAT, 0, NULL);
	initializer(&m, name[1], OX_FLOAT, D(3, 3, 3, 3), w, sizeof w), initializer(&m, name[2], OX_FLOAT, D(3), b, sizeof b);
	initializer(&m, "from", OX_INT64, D(2), zero, 16), initializer(&m, "to", OX_INT64, D(2), far, 16), initializer(&m, "axes", OX_INT64, D(2), axes, 16), initializer(&m, "by", OX_INT64, D(2), steps, 16);
	snprintf(in, sizeof in, "%s %s %s", name[0], name[1], name[2]);
	node(&m, "Conv", in, "first", NULL, 0);
	node(&m, "Relu", "first", name[3], NULL, 0);
	snprintf(in, sizeof in, "%s from to axes by", name[3]);
	node(&m, "Slice", in, "cut", NULL, 0);
	snprintf(in, sizeof in, "cut %s", name[1]);
	node(&m, "Conv", in, name[4], NULL, 0);
	return end(&m, 17);
}

static void test_again_and_again(void **state)
{
	(void)state;
	static ran first, now;

	for (int k = 0; k < LEN(cases); k++) {
		cop_ctx *cx = new_ctx();
		cop_text t = model(cx, cases[k]);
		char ends[2][128];
		for (int times = 0; times < 4; times++) {
			cop_graph *g = read_text(cx, &t);
			const char *in = g->value[g->input[0]].name, *out = g->value[g->output[0]].name;
			if (times && (strncmp(in, ends[0], 90) || strncmp(out, ends[1], 90))) fail_msg("'%s' and '%s' became '%s' and '%s'", ends[0], ends[1], in, out);
			snprintf(ends[0], sizeof ends[0], "%s", in), snprintf(ends[1], sizeof ends[1], "%s", out);
			cop__text_init(&t, cx);
			OK(cx, cop__onnx_write(&t, g));
			run_graph(times ? &now : &first, cx, g);
			for (int i = 0; times && i < first.n; i++)
				if (!(fabsf(now.y[i] - first.y[i]) <= 1e-5f)) fail_msg("names of case %d, written %d times: element %d is %g, was %g", k, times, i, (double)now.y[i], (double)first.y[i]);
			assert_true(!times || now.n == first.n);
		}
		cop__text_free(&t);
		cop_ctx_free(cx);
	}
}

static void test_written_twice(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	const float w[4] = {1, 2, 3, 4};
	maker m = begin(cx);

	info(&m, GRAPH_INPUT, "x", OX_FLOAT, D(1, 4)), info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL);
	initializer(&m, "w", OX_FLOAT, D(4), w, 16), node(&m, "Relu", "x", "w", NULL, 0), node(&m, "Add", "x w", "y", NULL, 0);
	refuses(&m, 17, "node 'w' (Relu): writes 'w', which is an initialiser");
	m = begin(cx), info(&m, GRAPH_INPUT, "x", OX_FLOAT, D(1, 4)), info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL);
	initializer(&m, "w", OX_FLOAT, D(4), w, 16), initializer(&m, "w", OX_FLOAT, D(4), w, 16), node(&m, "Add", "x w", "y", NULL, 0);
	refuses(&m, 17, "initialiser 'w' stands in the file twice");
	m = begin(cx), info(&m, GRAPH_INPUT, "x", OX_FLOAT, D(1, 4)), info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL);
	node(&m, "Relu", "x", "x", NULL, 0), node(&m, "Exp", "x", "y", NULL, 0);
	refuses(&m, 17, "'x'");
	m = begin(cx), info(&m, GRAPH_INPUT, "x", OX_FLOAT, D(1, 4)), info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL);
	node(&m, "Relu", "x", "a", NULL, 0), node(&m, "Exp", "x", "a", NULL, 0), node(&m, "Exp", "x", "y", NULL, 0); /* also where nobody asks */
	refuses(&m, 17, "node 'a' (Exp): writes 'a', which node 0 ('a') writes already");
	cop_ctx_free(cx);
}

/* A border of whole numbers of 8 and 32 bits, written and read again. */
static void borders_of_integers(void **state)
{
	static const char *const type[] = {"i32", "i8", "u8"};
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int i = 0; i < LEN(type); i++) {
		char text[200];
		cop_graph *g, *again;
		cop_text t;
		snprintf(text, sizeof text, "graph g\ninput x %s[3,4]\ny = pad x before=0,1 after=0,2 value=%d\noutput y\n", type[i], i < 2 ? -7 : 7);
		OK(cx, cop_graph_parse(&g, cx, text, strlen(text)));
		cop__text_init(&t, cx);
		OK(cx, cop__onnx_write(&t, g));
		OK(cx, cop__onnx_read(&again, cx, "net", NULL, t.data, t.len, NULL));
		bool found = false;
		for (cop_nid n = 1; n <= (cop_nid)again->n_node; n++) {
			if (again->node[n].op != OP_pad) continue;
			COP_ATTR(cop_pad_attr, a, again, n);
			found = a.value == (i < 2 ? -7.0f : 7.0f);
		}
		assert_true(found);
		cop__text_free(&t);
		cop_graph_free(again);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_again_and_again), cmocka_unit_test(test_written_twice), cmocka_unit_test(borders_of_integers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
