/* SPDX-License-Identifier: Apache-2.0
 *
 * test_samples - how `coppice run` finds samples: an array of the shape of the input goes in as it is; more samples come out one after the
 * other, whether the network takes them side by side or not. By a table of networks that treat their first axis in every way; the numbers
 * are NumPy's.
 */
#include "pass/pass.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SAMPLES = 3 };

static char home[64];

/* Shapes for one sample, for three along an axis of their own, and (longer: where that is another) for a first axis three times as long. */
static const struct row { const char *name, *net, *one, *all, *numbers, *longer; } rows[] = {
	{"a mean along the first axis, which goes", "input x f32[1,4,3]\ny = reduce x fn=1 axes=1",
		"4x3", "3x4x3",
		"-5 2 -2 5 1 -3 4 0 -4 3 -1 -5 0 -4 3 -1 -5 2 -2 5 1 -3 4 0 5 1 -3 4 0 -4 3 -1 -5 2 -2 5", NULL},
	{"a mean along the first axis, which stays", "input x f32[1,4,3]\ny = reduce x fn=1 axes=1 keep=1",
		"1x4x3", "3x4x3",
		"-5 2 -2 5 1 -3 4 0 -4 3 -1 -5 0 -4 3 -1 -5 2 -2 5 1 -3 4 0 5 1 -3 4 0 -4 3 -1 -5 2 -2 5", NULL},
	{"a mean of all, no axis left", "input x f32[1,6]\ny = reduce x fn=1 axes=3",
		"", "3",
		"-0.333333 -0.833333 0.5", NULL},
	{"a mean of all, no axis of samples", "input x f32[3,1,4]\ny = reduce x fn=1 axes=7",
		"", "3",
		"-0.416667 0 0.416667", NULL},
	{"a mean of rows that are no samples", "input x f32[3,4]\ny = reduce x fn=1 axes=1",
		"4", "3x4",
		"-2.66667 0.666667 0.333333 0 -1.33333 -1.66667 1.66667 1.33333 0 -0.333333 -0.666667 2.66667", NULL},
	{"a sum of each row", "input x f32[3,4]\ny = reduce x axes=2",
		"3", "3x3",
		"0 2 -7 -2 0 2 7 -2 0", "9"},
	{"the first axis moves", "input x f32[1,4,3]\ny = transpose x rank=3 dim=1,0,2",
		"4x1x3", "3x4x1x3",
		"-5 2 -2 5 1 -3 4 0 -4 3 -1 -5 0 -4 3 -1 -5 2 -2 5 1 -3 4 0 5 1 -3 4 0 -4 3 -1 -5 2 -2 5", NULL},
	{"all axes turn", "input x f32[2,3]\ny = transpose x rank=2 dim=1,0",
		"3x2", "3x3x2",
		"-5 5 2 1 -2 -3 0 -1 -4 -5 3 2 5 4 1 0 -3 -4", NULL},
	{"one axis of all", "input x f32[1,4,3]\ny = reshape x rank=1 dim=-1",
		"12", "3x12",
		"-5 2 -2 5 1 -3 4 0 -4 3 -1 -5 0 -4 3 -1 -5 2 -2 5 1 -3 4 0 5 1 -3 4 0 -4 3 -1 -5 2 -2 5", NULL},
	{"one axis of all rows", "input x f32[3,4]\ny = reshape x rank=1 dim=-1",
		"12", "3x12",
		"-5 2 -2 5 1 -3 4 0 -4 3 -1 -5 0 -4 3 -1 -5 2 -2 5 1 -3 4 0 5 1 -3 4 0 -4 3 -1 -5 2 -2 5", NULL},
	{"an axis before the rows", "input x f32[3,2]\ny = reshape x rank=3 dim=1,3,2",
		"1x3x2", "3x3x2",
		"-5 2 -2 5 1 -3 0 -4 3 -1 -5 2 5 1 -3 4 0 -4", "3x1x3x2"},
	{"no axis at all", "input x f32[1,1]\ny = reshape x rank=0",
		"", "3",
		"-5 0 5", NULL},
	{"the place of the largest along the first axis", "input x f32[3,4]\ny = argmax x",
		"4", "3x4",
		"1 2 1 0 2 1 2 1 0 2 1 2", NULL},
	{"shares along the first axis", "input x f32[3,2]\nt = transpose x rank=2 dim=1,0\ns = softmax t\ny = transpose s rank=2 dim=1,0",
		"3x2", "3x3x2",
		"0.00235563 0.0474107 0.0473142 0.95227 0.95033 0.000319451 0.0474107 0.00235563 0.95227 0.0473142 0.000319451 0.95033 0.992976 0.0474107 0.000333106 0.95227 0.00669062 0.000319451", "9x2"},
	{"joined along the first axis", "input x f32[1,4]\nconst c f32[3,4]\ny = concat x x",
		"2x4", "3x2x4",
		"-5 2 -2 5 -5 2 -2 5 0 -4 3 -1 0 -4 3 -1 5 1 -3 4 5 1 -3 4", NULL},
	{"rows of the first axis", "input x f32[3,4]\nconst i i32[2]\ny = gather x i",
		"2x4", "3x2x4",
		"-4 3 -1 -5 -5 2 -2 5 1 -3 4 0 0 -4 3 -1 -5 2 -2 5 5 1 -3 4", NULL},
	{"a constant for each row", "input x f32[3,4]\nconst c f32[3,4]\ny = add x c",
		"3x4", "3x3x4",
		"-5 3 0 8 5 2 10 7 4 12 9 6 0 -3 5 2 -1 7 4 12 9 6 14 11 5 2 -1 7 4 1 9 6 3 11 8 16", "9x4"},
	{"a result that no sample changes", "input x f32[1,4]\nconst c f32[3,4]\ny = reshape c rank=1 dim=12",
		"12", "3x12",
		"0 1 2 3 4 5 6 7 8 9 10 11 0 1 2 3 4 5 6 7 8 9 10 11 0 1 2 3 4 5 6 7 8 9 10 11", NULL},
	{"bytes, the first axis moves", "input x i8[1,4,3]\ny = transpose x rank=3 dim=1,0,2",
		"4x1x3", "3x4x1x3",
		"-5 2 -2 5 1 -3 4 0 -4 3 -1 -5 0 -4 3 -1 -5 2 -2 5 1 -3 4 0 5 1 -3 4 0 -4 3 -1 -5 2 -2 5", NULL},
	{"whole numbers, an axis goes", "input x i32[1,4,3]\ny = reshape x rank=2 dim=4,3",
		"4x3", "3x4x3",
		"-5 2 -2 5 1 -3 4 0 -4 3 -1 -5 0 -4 3 -1 -5 2 -2 5 1 -3 4 0 5 1 -3 4 0 -4 3 -1 -5 2 -2 5", NULL},
	{"bytes, an axis goes", "input x i8[1,4,3]\ny = reshape x rank=2 dim=4,3",
		"4x3", "3x4x3",
		"-5 2 -2 5 1 -3 4 0 -4 3 -1 -5 0 -4 3 -1 -5 2 -2 5 1 -3 4 0 5 1 -3 4 0 -4 3 -1 -5 2 -2 5", NULL},
};

static cop_ctx *cx;

/* What is left open in the text: c counts from 0, i is {2, 0}. */
static void set_constants(cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_type *t = cop__t(g, (cop_vid)v);
		if (g->value[v].role != COP_CONST) continue;
		char *data = cop__arena_get(&g->mem, cop_type_bytes(t));
		for (int k = 0; k < cop_type_count(t); k++)
			if (t->dtype == COP_F32) ((float *)(void *)data)[k] = (float)k;
			else ((int32_t *)(void *)data)[k] = k ? 0 : 2;
		g->value[v].data = data;
	}
}

/* Samples from 0 on, x[k] = (7 k + 5 sample) mod 11 - 5; n = 0: one, in the shape of the input; own: along an axis of their own. */
static void write_samples(const cop_graph *g, int n, bool own)
{
	cop_tensor x = {.data = NULL};
	float real[512];
	int32_t whole[512];
	int8_t byte[512];

	assert_true(cop_graph_io_type(g, false, 0, &x.type));
	int count = (int)cop_type_count(&x.type), many = n ? n : 1;
	for (int i = 0; i < count * many; i++) real[i] = (float)((i % count * 7 + i / count * 5) % 11 - 5), byte[i] = (int8_t)(whole[i] = (int32_t)real[i]);
	for (int i = own ? x.type.rank++ : 0; i > 0; i--) x.type.dim[i] = x.type.dim[i - 1];
	x.type.dim[0] = own ? many : x.type.dim[0] * many;
	x.data = x.type.dtype == COP_F32 ? (void *)real : x.type.dtype == COP_I32 ? (void *)whole : (void *)byte;
	assert_int_equal(cop_npy_write(cx, "x.npy", &x), COP_OK);
}

static double number(const cop_tensor *y, int64_t i)
{
	return y->type.dtype == COP_F32 ? ((float *)y->data)[i] : y->type.dtype == COP_I8 ? ((int8_t *)y->data)[i] : ((int32_t *)y->data)[i];
}

static void check(const struct row *r, const char *line, const char *path, const char *shape, int samples)
{
	char full[600], have[64] = "", err[500] = "";
	cop_tensor y;
	const char *p = r->numbers;

	snprintf(full, sizeof full, "%s run %s -q >out 2>err", COP_BINARY, line);
	int code = system(full);
	FILE *f = fopen("err", "rb");
	if (f) err[fread(err, 1, sizeof err - 1, f)] = 0, fclose(f);
	if (code || cop_npy_read(&y, cx, path)) fail_msg("%s: run %s: %s", r->name, line, err);
	for (int i = 0; i < y.type.rank; i++) snprintf(have + strlen(have), sizeof have - strlen(have), i ? "x%d" : "%d", y.type.dim[i]);
	if (strcmp(have, shape)) fail_msg("%s: run %s gives %s, not %s", r->name, line, have, shape);
	for (int64_t i = 0; i < cop_type_count(&y.type); i++) {
		char *end;
		double want = strtod(p, &end);
		if (end == p || fabs(number(&y, i) - want) > 1e-5) fail_msg("%s: run %s: number %d is %g, not %g", r->name, line, (int)i, number(&y, i), want);
		p = end;
	}
	if (samples == SAMPLES && strspn(p, " ") != strlen(p)) fail_msg("%s: run %s gives too few numbers", r->name, line);
	cop_free(cx, y.data);
	remove(path);
}

static void check_row(const struct row *r)
{
	char text[400];
	cop_graph *g;

	snprintf(text, sizeof text, "graph net\n%s\noutput y\n", r->net);
	if (cop_graph_parse(&g, cx, text, strlen(text))) fail_msg("%s: %s", r->name, cop_error_text(cx));
	set_constants(g);
	assert_int_equal(cop_model_save(g, "net.cop"), COP_OK);
	bool exported = !system(COP_BINARY " export net.cop -o net.onnx -q >out 2>err");
	for (int way = 0; way < 3; way++) { /* one; some along an axis of their own; a first axis that is longer */
		const char *shape = !way ? r->one : way == 2 && r->longer ? r->longer : r->all;
		write_samples(g, way ? SAMPLES : 0, way == 1);
		check(r, "net.cop x.npy -o y.npy", "y.npy", shape, way ? SAMPLES : 1);
		check(r, "net.cop x.npy -o all/", "all/output_0.npy", shape, way ? SAMPLES : 1);
		if (exported) check(r, "net.onnx x.npy -o y.npy", "y.npy", shape, way ? SAMPLES : 1);
	}
	cop_graph_free(g);
}

static void finds_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

/* Two runs of a network of three rows are six, and seven go side by side where the network can be written for them. */
static void other_numbers(void **state)
{
	static const struct { const char *net; int code; } nets[] = {
		{"graph net\ninput x f32[3,4]\ny = reduce x axes=2\noutput y\n", 0},
		{"graph net\ninput x f32[3,4]\ny = reshape x rank=3 dim=1,3,4\noutput y\n", 1},
	};
	static float zeros[28];
	const cop_tensor x = {{.dtype = COP_F32, .rank = 2, .dim = {7, 4}, .q.axis = -1}, zeros};
	(void)state;

	assert_int_equal(cop_npy_write(cx, "x.npy", &x), COP_OK);
	for (int i = 0; i < 2; i++) {
		cop_graph *g;
		cop_tensor y;
		assert_int_equal(cop_graph_parse(&g, cx, nets[i].net, strlen(nets[i].net)), COP_OK);
		assert_int_equal(cop_model_save(g, "net.cop"), COP_OK);
		cop_graph_free(g);
		assert_int_equal(system(COP_BINARY " run net.cop x.npy -o y.npy -q >out 2>err") != 0, nets[i].code);
		if (nets[i].code) continue;
		assert_int_equal(cop_npy_read(&y, cx, "y.npy"), COP_OK);
		assert_int_equal(y.type.rank, 1);
		assert_int_equal(y.type.dim[0], 7);
		cop_free(cx, y.data);
	}
}

/* 70 samples, more than go side by side at once: results are q; with --reals what they stand for; without a scale that cannot be said. */
static void numbers_that_integers_stand_for(void **state)
{
	static const char *const ends[] = {"output y scale=0.5 zero=-2", "output y"};
	static int8_t bytes[70 * 3];
	const cop_tensor x = {{.dtype = COP_I8, .rank = 2, .dim = {70, 3}, .q.axis = -1}, bytes};
	(void)state;

	for (int i = 0; i < 70 * 3; i++) bytes[i] = (int8_t)(i - 100);
	assert_int_equal(cop_npy_write(cx, "x.npy", &x), COP_OK);
	for (int way = 0; way < 4; way++) { /* with a scale or without; reals or not */
		char text[120], line[120];
		cop_graph *g;
		cop_tensor y;
		snprintf(text, sizeof text, "graph net\ninput x i8[1,3]\ny = transpose x rank=2 dim=0,1\n%s\n", ends[way / 2]);
		if (cop_graph_parse(&g, cx, text, strlen(text))) fail_msg("%s", cop_error_text(cx));
		assert_int_equal(cop_model_save(g, "net.cop"), COP_OK);
		cop_graph_free(g);
		snprintf(line, sizeof line, COP_BINARY " run net.cop x.npy -o y.npy -q %s >out 2>err", way % 2 ? "--reals" : "");
		int code = system(line);
		if ((code != 0) != (way == 3)) fail_msg("way %d: exit %d", way, code);
		if (way == 3) continue;
		assert_int_equal(cop_npy_read(&y, cx, "y.npy"), COP_OK);
		assert_int_equal(y.type.dtype, way == 1 ? COP_F32 : COP_I8);
		assert_int_equal(cop_type_count(&y.type), 70 * 3);
		for (int i = 0; i < 70 * 3; i++)
			if (fabs(number(&y, i) - (way == 1 ? 0.5 * (bytes[i] + 2) : bytes[i])) > 1e-6) fail_msg("way %d, number %d: %g", way, i, number(&y, i));
		cop_free(cx, y.data);
	}
}

static int setup(void **state)
{
	(void)state;
	snprintf(home, sizeof home, "/tmp/cop-samples-%d", (int)getpid());
	return cop_ctx_new(&cx, NULL) || mkdir(home, 0777) || chdir(home);
}

static int teardown(void **state)
{
	char line[100];

	(void)state;
	cop_ctx_free(cx);
	snprintf(line, sizeof line, "rm -r %s", home);
	return chdir("/") || system(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(finds_samples), cmocka_unit_test(other_numbers), cmocka_unit_test(numbers_that_integers_stand_for)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
