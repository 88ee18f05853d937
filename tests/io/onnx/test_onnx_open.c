/* SPDX-License-Identifier: Apache-2.0
 *
 * ONNX models and what lies around them: dimensions that a file leaves open and who sets them, data in files beside a model, elements
 * of four bits.
 */
#include "ox_run.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- open dimensions ---- */

static void open_info(maker *m, uint32_t field, const char *name, const char *const *dim, int rank)
{
	cop_text shape, tensor, holder, t, d;

	cop__text_init(&shape, m->cx), cop__text_init(&tensor, m->cx), cop__text_init(&holder, m->cx), cop__text_init(&t, m->cx);
	for (int i = 0; i < rank; i++) {
		cop__text_init(&d, m->cx);
		if (*dim[i] >= '0' && *dim[i] <= '9') cop__pb_put_int(&d, DIM_VALUE, atoi(dim[i]));
		else if (*dim[i] != '?') cop__pb_put_text(&d, DIM_PARAM, dim[i]);
		put(&shape, SHAPE_DIM, &d);
	}
	cop__pb_put_int(&tensor, TENSOR_TYPE_ELEM, OX_FLOAT);
	put(&tensor, TENSOR_TYPE_SHAPE, &shape), put(&holder, TYPE_TENSOR, &tensor);
	cop__pb_put_text(&t, INFO_NAME, name), put(&t, INFO_TYPE, &holder), put(&m->graph, field, &t);
}

/* x [n,3,length], z [n,?,length] */
static cop_status read_open(cop_graph **g, cop_ctx *cx, const cop_import_args *args)
{
	maker m = begin(cx);

	open_info(&m, GRAPH_INPUT, "x", (const char *const[]){"n", "3", "length"}, 3), open_info(&m, GRAPH_INPUT, "z", (const char *const[]){"n", "?", "length"}, 3);
	info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL), info(&m, GRAPH_OUTPUT, "u", OX_FLOAT, 0, NULL);
	node(&m, "Relu", "x", "y", NULL, 0), node(&m, "Relu", "z", "u", NULL, 0);
	cop_text t = end(&m, 17);
	cop_status st = cop__onnx_read(g, cx, "net.onnx", NULL, t.data, t.len, args);
	cop__text_free(&t);
	return st;
}

static void test_open(void **state)
{
	(void)state;
	static const cop_import_dim dim[3] = {{"length", 7}, {"n", 2}, {"lenth", 7}};
	static const cop_import_shape shape[4] = {{"z", 3, {2, 5, 7}}, {"z", 3, {4, 5, 6}}, {"x", 3, {1, 4, 7}}, {"w", 1, {1}}};
	float zero[2 * 3 * 9] = {0};
	const cop_tensor given[2] = {{cop__type(COP_F32, 3, DIMS(2, 3, 9)), zero}, {cop__type(COP_F32, 3, DIMS(1, 6, 9)), zero}};
	const struct { cop_import_args a; int32_t x[3], z[3]; const char *says; } cases[] = {
		{{0}, {0}, {0}, "dimension 2 of input 'x' is 'length', which is open: say how long it is with --dim length=N"},
		{{.n_dim = 1, .dim = dim}, {0}, {0}, "dimension 1 of input 'z' is open: give the whole shape with --shape z="},
		{{.n_dim = 2, .dim = dim, .n_shape = 1, .shape = shape}, {2, 3, 7}, {2, 5, 7}, NULL},
		{{.n_dim = 1, .dim = dim, .n_shape = 1, .shape = shape + 1}, {1, 3, 7}, {4, 5, 6}, NULL}, /* what is said of one input goes before what is said of a name */
		{{.n_given = 2, .given = given}, {2, 3, 9}, {1, 6, 9}, NULL},
		{{.n_dim = 3, .dim = dim, .n_shape = 1, .shape = shape}, {0}, {0}, "--dim lenth=7: no input has an open dimension of that name"},
		{{.n_dim = 1, .dim = dim, .n_shape = 3, .shape = shape}, {0}, {0}, "--shape gives dimension 1 of input 'x' as 4, the file fixes it to 3"},
		{{.n_dim = 1, .dim = dim, .n_shape = 4, .shape = (const cop_import_shape[]){shape[0], shape[0], shape[0], shape[3]}}, {0}, {0}, "--shape w=...: there is no input of that name"},
	};
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	for (int i = 0; i < LEN(cases); i++) {
		cop_status st = read_open(&g, cx, &cases[i].a);
		if (cases[i].says) {
			if (!st || !strstr(cop_error_text(cx), cases[i].says)) fail_msg("case %d: '%s' does not say '%s'", i, st ? cop_error_text(cx) : "accepted", cases[i].says);
			cop_error_clear(cx);
			continue;
		}
		if (st) fail_msg("case %d: %s", i, cop_error_text(cx));
		assert_memory_equal(cop__t(g, g->input[0])->dim, cases[i].x, 12);
		assert_memory_equal(cop__t(g, g->input[1])->dim, cases[i].z, 12);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* ---- data beside the model ---- */

static void entry(cop_text *tensor, cop_ctx *cx, const char *key, const char *value)
{
	cop_text t;

	cop__text_init(&t, cx);
	cop__pb_put_text(&t, ENTRY_KEY, key), cop__pb_put_text(&t, ENTRY_VALUE, value), put(tensor, TENSOR_EXTERNAL, &t);
}

/* y = x + w, w [4] at that place. */
static cop_status read_beside(cop_graph **g, cop_ctx *cx, const char *folder, const char *location, const char *offset, const char *length)
{
	maker m = begin(cx);
	cop_text w;

	cop__text_init(&w, cx);
	cop__pb_put_int(&w, TENSOR_DIMS, 4), cop__pb_put_int(&w, TENSOR_TYPE, OX_FLOAT), cop__pb_put_text(&w, TENSOR_NAME, "w"), cop__pb_put_int(&w, TENSOR_LOCATION, 1);
	entry(&w, cx, "location", location);
	if (offset) entry(&w, cx, "offset", offset);
	if (length) entry(&w, cx, "length", length);
	put(&m.graph, GRAPH_INITIALIZER, &w);
	info(&m, GRAPH_INPUT, "x", OX_FLOAT, D(4)), info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL), node(&m, "Add", "x w", "y", NULL, 0);
	cop_text t = end(&m, 17);
	cop_status st = cop__onnx_read(g, cx, "net.onnx", folder, t.data, t.len, NULL);
	cop__text_free(&t);
	return st;
}

static void test_beside(void **state)
{
	(void)state;
	static const struct { const char *location, *offset, *length, *says; } cases[] = {
		{"w.bin", NULL, NULL, NULL}, {"w.bin", "16", "16", NULL}, {"sub/w.bin", "0", NULL, NULL}, {"./w.bin", "16", NULL, NULL}, {"link.bin", NULL, NULL, "is a link, which is not followed"},
		{"away/w.bin", NULL, NULL, "away, is a link"}, {"pipe", NULL, NULL, "is no plain file"}, {"sub", NULL, NULL, "is no plain file"}, {"gone.bin", NULL, NULL, "gone.bin: No such file"},
		{"../w.bin", NULL, NULL, "not within the model's folder"}, {"sub/../../w.bin", NULL, NULL, "not within"}, {"/etc/passwd", NULL, NULL, "not within"}, {"", NULL, NULL, "not within"},
		{"w.bin", "20", NULL, "bytes 20 to 36 of 'w.bin' are asked for, which has 32"}, {"w.bin", "-4", NULL, "must be whole numbers, 0 or more"}, {"w.bin", "0", "-1", "must be whole numbers"},
		{"w.bin", "99999999999999999999", NULL, "must be whole numbers"}, {"w.bin", "9223372036854775807", NULL, "are asked for, which has 32"}, {"w.bin", "4x", NULL, "must be whole numbers"},
		{"w.bin", "0", "8", "do not make its 8 bytes"}, {"w.bin", "0", "18446744073709551615", "must be whole numbers"},
	};
	char folder[] = "/tmp/onnx-open-XXXXXX", path[4][64];
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	const float w[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	assert_non_null(mkdtemp(folder));
	snprintf(path[0], 64, "%s/w.bin", folder), snprintf(path[1], 64, "%s/sub", folder), snprintf(path[2], 64, "%s/sub/w.bin", folder);
	OK(cx, cop_file_write(cx, path[0], w, sizeof w));
	assert_int_equal(mkdir(path[1], 0777), 0);
	OK(cx, cop_file_write(cx, path[2], w, sizeof w));
	snprintf(path[1], 64, "%s/link.bin", folder), snprintf(path[2], 64, "%s/away", folder), snprintf(path[3], 64, "%s/pipe", folder);
	assert_int_equal(symlink("w.bin", path[1]) | symlink("sub", path[2]) | mkfifo(path[3], 0600), 0);
	for (int i = 0; i < LEN(cases); i++) {
		cop_status st = read_beside(&g, cx, folder, cases[i].location, cases[i].offset, cases[i].length);
		if (!cases[i].says) {
			if (st) fail_msg("'%s': %s", cases[i].location, cop_error_text(cx));
			const float *first = g->value[cop__find(g, "w")].data;
			assert_float_equal(first[0], (float)(cases[i].offset && atoi(cases[i].offset) ? 5 : 1), 0);
			cop_graph_free(g);
		} else if (!st || !strstr(cop_error_text(cx), cases[i].says)) {
			fail_msg("'%s' from %s: '%s' does not say '%s'", cases[i].location, cases[i].offset ? cases[i].offset : "0", st ? cop_error_text(cx) : "accepted", cases[i].says);
		}
		cop_error_clear(cx);
	}
	for (int i = 0; i < 4; i++) unlink(path[i]);
	snprintf(path[0], 64, "%s/sub/w.bin", folder), snprintf(path[1], 64, "%s/sub", folder), unlink(path[0]), rmdir(path[1]), rmdir(folder);
	cop_ctx_free(cx);
}

/* ---- formats of elements ---- */

/* Five elements each, as raw bytes and what they are; 0: refused. */
static void test_formats(void **state)
{
	(void)state;
	static const struct { int type; uint8_t raw[40]; int bytes; float want[5]; const char *says; } cases[] = {
		{OX_INT4, {0x87, 0xf0, 0x01}, 3, {7, -8, 0, -1, 1}, NULL}, {OX_UINT4, {0x87, 0xf0, 0x01}, 3, {7, 8, 0, 15, 1}, NULL}, {OX_INT8, {0x87, 0xf0, 1, 0, 0x7f}, 5, {-121, -16, 1, 0, 127}, NULL},
		{OX_INT16, {0, 0x80, 0xff, 0x7f, 1, 0, 0xff, 0xff, 0, 0}, 10, {-32768, 32767, 1, -1, 0}, NULL}, {OX_UINT16, {0, 0x80, 0xff, 0x7f, 1, 0, 0xff, 0xff, 0, 0}, 10, {32768, 32767, 1, 65535, 0}, NULL},
		{OX_FLOAT16, {0, 0x3c, 0, 0xc0, 1, 0, 0xff, 0x7b, 0x55, 0x35}, 10, {1, -2, 0x1p-24f, 65504, 0.33325195f}, NULL}, {OX_BFLOAT16, {0x80, 0x3f, 0, 0xc0, 0xab, 0x3e, 0x80, 0, 0, 0}, 10, {1, -2, 0.333984375f, 0x1p-126f, 0}, NULL},
		{OX_INT4, {0x87, 0xf0}, 2, {0}, "has fewer bytes than its shape asks for"}, {17, {0}, 5, {0}, "float8e4m3fn is not supported"}, {19, {0}, 5, {0}, "float8e5m2 is not supported"}, {23, {0}, 3, {0}, "float4e2m1 is not supported"},
		{26, {0}, 2, {0}, "int2 is not supported"},
	};
	static ran got;
	cop_ctx *cx = new_ctx();

	for (int i = 0; i < LEN(cases); i++) {
		maker m = begin(cx);
		info(&m, GRAPH_INPUT, "x", OX_FLOAT, D(1)), info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL);
		initializer(&m, "w", cases[i].type, D(5), cases[i].raw, (size_t)cases[i].bytes);
		node(&m, "Cast", "w", "f", "to", OX_FLOAT), node(&m, "Sub", "x x", "z", NULL, 0), node(&m, "Add", "f z", "y", NULL, 0);
		if (cases[i].says) {
			refuses(&m, 17, cases[i].says);
			continue;
		}
		run_model(&got, &m, 17);
		assert_int_equal(got.n, 5);
		for (int k = 0; k < 5; k++)
			if (fabsf(got.y[k] - cases[i].want[k]) > 1e-7f * fabsf(cases[i].want[k])) fail_msg("%s: element %d is %g, not %g", cop__ox_type_text(cases[i].type), k, (double)got.y[k], (double)cases[i].want[k]);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_open), cmocka_unit_test(test_beside), cmocka_unit_test(test_formats)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
