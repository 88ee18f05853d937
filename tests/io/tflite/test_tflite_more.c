/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators of TensorFlow Lite, one or a few in a file: small models made by make_tflite_more_reference.py, and what TFLite's
 * reference kernels make of them in one run or several. Every byte of integers; floats to 1e-5 of the largest. Then files that
 * are no models.
 */
#include "help.h"
#include "io/cop/cop.h"

static const char path[] = COP_SOURCE_DIR "/tests/io/tflite/reference/tflite_more.txt";

/* Hexadecimal digits up to a comma or the end, in place; *p moves behind them. */
static size_t unhex(char **p)
{
	size_t n = 0;
	unsigned byte;
	char *at = *p;

	for (; sscanf(*p, "%2x", &byte) == 1; *p += 2) at[n++] = (char)byte;
	if (**p == ',') ++*p;
	return n;
}

static void compare(const char *name, int run, const cop_tensor *y, const char *want, size_t bytes)
{
	float most = 1, v;

	if (cop_type_bytes(&y->type) != bytes) fail_msg("%s: a result has %zu bytes, expected %zu", name, cop_type_bytes(&y->type), bytes);
	for (size_t i = 0; i < bytes / 4 && y->type.dtype == COP_F32; i++) {
		memcpy(&v, want + 4 * i, 4);
		most = fmaxf(most, fabsf(v));
	}
	for (size_t i = 0; i < bytes / 4 && y->type.dtype == COP_F32; i++) {
		memcpy(&v, want + 4 * i, 4);
		float have = ((const float *)y->data)[i];
		if (!(fabsf(have - v) <= 1e-5f * most)) fail_msg("%s, run %d: result %zu is %g, expected %g", name, run, i, (double)have, (double)v);
	}
	for (size_t i = 0; i < bytes && y->type.dtype != COP_F32; i++)
		if (((const char *)y->data)[i] != want[i]) fail_msg("%s, run %d: byte %zu is %d, expected %d", name, run, i, ((const char *)y->data)[i], want[i]);
}

/* Runs one after the other on one session: what lives from run to run is part of the reference. */
static void check_runs(cop_ctx *cx, const char *name, cop_session *s, char **part, int n_part)
{
	cop_tensor t;

	for (int run = 0; run < n_part / 2; run++) {
		char *in = strdup(part[2 * run]), *out = strdup(part[2 * run + 1]), *p = in;
		for (int i = 0; *p && *p != '-'; i++) {
			char *at = p;
			size_t n = unhex(&p);
			OK(cx, cop_session_io(s, 0, i, false, &t));
			assert_int_equal(cop_type_bytes(&t.type), n);
			memcpy(t.data, at, n);
		}
		OK(cx, cop_session_run(s, 0));
		p = out;
		for (int i = 0; *p; i++) {
			char *at = p;
			size_t n = unhex(&p);
			OK(cx, cop_session_io(s, 0, i, true, &t));
			compare(name, run, &t, at, n);
		}
		free(in);
		free(out);
	}
}

/* As read; through a .cop file, in the deployed form; by whatever kernels this machine has. The runs are made twice, a reset between. */
static void check(cop_ctx *cx, const char *name, const void *file, size_t size, char **part, int n_part)
{
	for (int form = 0; form < 3; form++) {
		cop_graph *g, *again;
		cop_plan *plan;
		cop_session *s;
		cop_target target;
		cop_text text;
		if (cop_model_read(&g, cx, file, size)) fail_msg("%s: %s", name, cop_error_text(cx));
		if (form) {
			cop__text_init(&text, cx);
			OK(cx, cop_graph_apply(&g, "to_infer fuse"));
			OK(cx, cop__model_write(&text, g, NULL, 0, COP_CODEC_RAW));
			OK(cx, cop_model_read(&again, cx, text.data, text.len));
			cop__text_free(&text);
			cop_graph_free(g);
			g = again;
		}
		OK(cx, cop_target_find(&target, cx, "host"));
		if (form < 2) target.isa = COP_ISA_REF;
		OK(cx, cop_plan_build(&plan, &g, 1, &target));
		OK(cx, cop_session_new(&s, plan, 1));
		check_runs(cx, name, s, part, n_part);
		cop_session_reset(s);
		check_runs(cx, name, s, part, n_part);
		cop_session_free(s);
		cop_plan_free(plan);
		cop_graph_free(g);
	}
}

static void test_operators(void **state)
{
	static char line[1 << 15];
	int cases = 0;
	FILE *f = fopen(path, "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		cop_ctx *cx = new_ctx();
		char *part[16], *name = strtok(line, " "), *file = strtok(NULL, " \n"), *end = file, *p;
		int n_part = 0;
		while (n_part < 16 && (p = strtok(NULL, " \n"))) part[n_part++] = p;
		assert_true(file && n_part >= 2 && n_part % 2 == 0);
		size_t size = unhex(&end);
		check(cx, name, file, size, part, n_part);
		cop_ctx_free(cx);
		cases++;
	}
	fclose(f);
	assert_true(cases >= 80);
}

/* ---- files that are no models ---- */

#define B(text) text, sizeof text - 1 /* bytes */
static void test_foreign(void **state)
{
	static const struct { const char *file, *bytes; size_t n; const char *says; } rows[] = {
		{"a.tflite", B(""), "is empty"},
		{"a.onnx", B(""), "is empty"},
		{"a.cop", B(""), "is empty"},
		{"a.tflite", B("\0\0\0\0\0\0\0\0\0\0"), "nothing but zeros"},
		{"a.tflite", B("\n <!DOCTYPE html><html>"), "is a page of the web"},
		{"a.onnx", B("<HTML><body>404"), "is a page of the web"},
		{"a.tflite", B("version https://git-lfs.github.com/spec/v1\noid"), "is a pointer of Git LFS"},
		{"a.tflite", B("PK\3\4....archive/data.pkl"), "is a PyTorch model"},
		{"a.pt", B("PK\3\4...."), "is a PyTorch model"},
		{"a.keras", B("PK\3\4...."), "is a Keras model"},
		{"a.tflite", B("PK\3\4....model.tflite"), "is a zip archive"},
		{"a.h5", B("\x89HDF\r\n\x1a\n...."), "is an HDF5 file, probably a Keras model"},
		{"a.pth", B("\x80\2}q\1"), "is a pickle of Python, probably a PyTorch model"},
		{"a.tflite", B("\x1f\x8b\10\0"), "is compressed by gzip"},
		{"a.tflite", B("\34\0\0\0TFL2...."), "of the schema's version 2"},
		{"a.pte", B("\34\0\0\0ET12...."), "is an ExecuTorch program"},
		{"a.tflite", B("hello, world"), "is not a TensorFlow Lite model, although its name says so"},
		{"a.TFLITE", B("hello, world"), "is not a TensorFlow Lite model, although its name says so"},
		{"a.onnx", B("hello, world"), "is a text, not an ONNX model"},
		{"a.cop", B("hello, world"), "is not a .cop file, although its name says so"},
		{"a.cc", B("const unsigned char model[] = {0x1c"), "is a model as C source"},
		{"a.safetensors", B("\100\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}"), "holds weights alone"},
		{"a.bin", B("hello, world"), "Coppice cannot read this as a model"},
	};
	char folder[] = "/tmp/cop_foreign_XXXXXX", name[128];

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < LEN(rows); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		snprintf(name, sizeof name, "%s/%s", folder, rows[i].file);
		FILE *f = fopen(name, "wb");
		assert_true(f && fwrite(rows[i].bytes, 1, rows[i].n, f) == rows[i].n && !fclose(f));
		assert_int_not_equal(cop_model_import(&g, cx, name, NULL), COP_OK);
		assert_null(g);
		if (!strstr(cop_error_text(cx), rows[i].says) || !strstr(cop_error_text(cx), rows[i].file)) fail_msg("%s: %s\nexpected: %s", rows[i].file, cop_error_text(cx), rows[i].says);
		remove(name);
		cop_ctx_free(cx);
	}
	remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_operators), cmocka_unit_test(test_foreign)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
