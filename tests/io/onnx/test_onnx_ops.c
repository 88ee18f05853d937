/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators of ONNX that become several of the graph, with attributes that were drawn: against what ONNX Runtime computes
 * (reference/onnx_ops.txt, by make_onnx_ops_reference.py), as they are read and once more after they were written and read again.
 */
#include "ox_run.h"

enum { LINE = 8192 };

static size_t bytes_of(uint8_t *to, const char *hex)
{
	size_t n = 0;
	unsigned v;

	while (sscanf(hex + 2 * n, "%2x", &v) == 1) to[n++] = (uint8_t)v;
	return n;
}

static void fill(cop_tensor *x, int i)
{
	for (int64_t k = 0; k < cop_type_count(&x->type); k++) {
		if (x->type.dtype == COP_F32) ((float *)x->data)[k] = (float)((37 * k + 11 * i + 5) % 101) / 50.0f - 1;
		else ((int32_t *)x->data)[k] = (int32_t)((7 * k + i) % 5);
	}
}

static double element(const cop_tensor *x, int64_t k)
{
	switch (x->type.dtype) {
	case COP_F32: return (double)((float *)x->data)[k];
	case COP_I32: return ((int32_t *)x->data)[k];
	case COP_I8: return ((int8_t *)x->data)[k];
	default: return ((uint8_t *)x->data)[k];
	}
}

/* "want 2 3 : 1 2 3 4 5 6": 1e-4 of the largest, infinities and what is no number as they are. */
static void compare(const char *name, const cop_tensor *y, const char *line)
{
	const char *colon = strchr(line, ':') + 1;
	double most = 1, v;
	int used, rank = 0, d;

	for (const char *s = line + 5; sscanf(s, "%d%n", &d, &used) == 1; s += used) {
		if (rank >= y->type.rank || y->type.dim[rank] != d) fail_msg("%s: dimension %d is not %d", name, rank, d);
		rank++;
	}
	assert_int_equal(rank, y->type.rank);
	for (const char *s = colon; sscanf(s, "%lf%n", &v, &used) == 1; s += used)
		if (isfinite(v)) most = fmax(most, fabs(v));
	for (int64_t k = 0; k < cop_type_count(&y->type); k++, colon += used) {
		assert_int_equal(sscanf(colon, "%lf%n", &v, &used), 1);
		double got = element(y, k);
		if (isnan(v) ? !isnan(got) : isinf(v) ? got < v || got > v : !(fabs(got - v) <= 1e-4 * most)) fail_msg("%s: element %lld is %g, ONNX Runtime has %g", name, (long long)k, got, v);
	}
}

/* Runs g on the numbers that stand for its inputs and compares each result with its line. Frees g. */
static void run_and_compare(cop_ctx *cx, const char *name, cop_graph *g, char (*want)[LINE], int n_want)
{
	cop_host host;
	cop_tensor x;
	cop_type io;

	OK(cx, cop__host_open(&host, &g, 1, COP_ISA_ALL, 1));
	for (int i = 0; cop_graph_io_type(g, false, i, &io); i++) {
		OK(cx, cop_session_io(host.s, 0, i, false, &x));
		fill(&x, i);
	}
	OK(cx, cop_session_run(host.s, 0));
	for (int i = 0; i < n_want; i++) {
		OK(cx, cop_session_io(host.s, 0, i, true, &x));
		compare(name, &x, want[i]);
	}
	cop__host_close(&host);
	cop_graph_free(g);
}

static void one(const char *name, const uint8_t *bytes, size_t size, char (*want)[LINE], int n_want)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *again;
	cop_text file;

	if (cop__onnx_read(&g, cx, name, NULL, bytes, size, NULL)) fail_msg("%s: %s", name, cop_error_text(cx));
	cop__text_init(&file, cx);
	OK(cx, cop__onnx_write(&file, g));
	OK(cx, cop__onnx_read(&again, cx, name, NULL, file.data, file.len, NULL));
	run_and_compare(cx, name, g, want, n_want);
	run_and_compare(cx, name, again, want, n_want);
	cop__text_free(&file);
	cop_ctx_free(cx);
}

static void test_against_onnx_runtime(void **state)
{
	(void)state;
	static char line[LINE], name[64], want[4][LINE];
	static uint8_t bytes[LINE / 2];
	size_t size = 0;
	int n_want = 0, seen = 0, at;
	FILE *f = fopen(COP_SOURCE_DIR "/tests/io/onnx/reference/onnx_ops.txt", "r");

	assert_non_null(f);
	for (bool more = true; more;) {
		more = fgets(line, sizeof line, f) != NULL;
		if (more && !strncmp(line, "want ", 5)) {
			assert_true(n_want < LEN(want));
			snprintf(want[n_want++], sizeof *want, "%s", line);
			continue;
		}
		if (size) one(name, bytes, size, want, n_want), seen++;
		n_want = 0, size = 0;
		if (more && sscanf(line, "model %63s %n", name, &at) == 1) size = bytes_of(bytes, line + at);
	}
	fclose(f);
	assert_true(seen >= 60);
}

/* Of equal elements those that stand first are the largest, however many there are. */
static void test_ties(void **state)
{
	(void)state;
	static ran got;
	cop_ctx *cx = new_ctx();

	for (int64_t len = 6; len <= 206; len += 200) {
		maker m = begin(cx);
		info(&m, GRAPH_INPUT, "x", OX_FLOAT, D(2, len)), info(&m, GRAPH_OUTPUT, "i", OX_INT64, 0, NULL);
		initializer(&m, "k", OX_INT64, D(1), &(int64_t){3}, 8), node(&m, "Sub", "x x", "zero", NULL, 0), node(&m, "TopK", "zero k", "v i", NULL, 0);
		node(&m, "Identity", "v", "w", NULL, 0);
		run_model(&got, &m, 17);
		assert_int_equal(got.n, 6);
		for (int k = 0; k < 6; k++) assert_float_equal(got.y[k], (float)(k % 3), 0);
	}
	cop_ctx_free(cx);
}

/* The labels of a classifier may be names: they are left out, the scores stay; alone, or as an operand, they are refused. */
static void test_text_labels(void **state)
{
	(void)state;
	static const float w[6] = {1, 2, -1, 0.5f, 1, 0}, two[2] = {0.5f, -1};
	static const char *const outputs[] = {"ly", "l", "z"};
	cop_ctx *cx = new_ctx();
	cop_type t;

	for (int i = 0; i < LEN(outputs); i++) {
		maker m = begin(cx);
		cop_text a;
		info(&m, GRAPH_INPUT, "x", OX_FLOAT, D(1, 3));
		for (const char *s = outputs[i]; *s; s++) info(&m, GRAPH_OUTPUT, (char[]){*s, 0}, OX_FLOAT, 0, NULL);
		cop__text_init(&a, cx);
		attr_floats(&a, cx, "coefficients", 6, w), attr_floats(&a, cx, "intercepts", 2, two), attr_strings(&a, cx, "classlabels_strings", "cat dog");
		node_with(&m, "ai.onnx.ml", "LinearClassifier", "x", "l y", &a);
		node(&m, "Identity", "l", "k", NULL, 0), node(&m, "Unsqueeze", "k axes", "z", NULL, 0), initializer(&m, "axes", OX_INT64, D(1), &(int64_t){0}, 8);
		if (i) {
			refuses(&m, 17, "is text, which is not supported");
			continue;
		}
		cop_graph *g = accepted(&m);
		assert_true(cop_graph_io_type(g, true, 0, &t) && t.rank == 2 && t.dim[1] == 2);
		assert_false(cop_graph_io_type(g, true, 1, &t));
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ties), cmocka_unit_test(test_text_labels), cmocka_unit_test(test_against_onnx_runtime)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
