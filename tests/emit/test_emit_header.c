/* SPDX-License-Identifier: Apache-2.0
 *
 * What a firmware finds in an emitted folder: a header that C and C++ programs include, whose macros and conversions are the engine's; a
 * library for CMake; and names that leave two networks, and two versions of the kernels, apart in one program.
 */
#define _GNU_SOURCE
#include "emit/int8_net.h"
#include "emit/machine.h"

#include <math.h>

static void emit_as(cop_ctx *cx, const folder *f, const cop_graph *g, const char *name)
{
	cop_target t;
	folder part = *f;

	part.files = part.fail_at = 0;
	snprintf(part.path + strlen(part.path), sizeof part.path - strlen(part.path), "/%s", name);
	assert_int_equal(mkdir(part.path, 0777), 0);
	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_emit_c(g, &t, &(cop_emit_args){.name = name}, put_file, &part));
}

static void write_program(const folder *f, const char *name, const char *text) { write_bytes(f, name, text, strlen(text)); }

/* ---- conversions ---- */

enum { CASES = 4096 };

/* Ties, ends, what is no number, and anything between. */
static void make_cases(float *x, float scale)
{
	static const float odd[] = {0, -0.0f, 0.5f, -0.5f, 0.49999997f, -0.49999997f, 1.5f, 2.5f, 126.5f, 127.5f, -128.5f, -129, 999.5f, 1000, -1000, 1000.5f, 1e9f, -1e9f, 1e-40f, INFINITY, -INFINITY, NAN};

	for (int i = 0; i < CASES; i++) x[i] = i < LEN(odd) ? odd[i] * scale : cop__rand_normal(7, 1, (uint64_t)i) * 100 * scale;
}

static const char convert[] = "#include \"q.h\"\n#include <stdio.h>\nint main(void) {\n\tfloat x, y; int8_t q; uint8_t r;\n"
	"\twhile (fread(&x, 4, 1, stdin) == 1) {\n\t\tq = q_input_quantize(x); y = q_input_dequantize(q); r = q_output_quantize(x);\n"
	"\t\tfwrite(&q, 1, 1, stdout); fwrite(&y, 4, 1, stdout); fwrite(&r, 1, 1, stdout);\n\t}\n\treturn 0;\n}\n";

/* An int8 input, and an output of bytes without a sign: zero points at the ends. */
static cop_graph *scaled_net(cop_ctx *cx, float scale, int32_t zero)
{
	const cop_type t = cop__type(COP_I8, 4, DIMS(1, 2, 3, 4)), table = cop__type(COP_I8, 1, DIMS(256));
	static const char *const classes[] = {"yes", "no \"or\\not\"?\?/", "caf\xc3\xa9"};
	uint8_t byte[256];
	cop_graph *g;

	for (int i = 0; i < 256; i++) byte[i] = (uint8_t)(i ^ 0x80);
	OK(cx, cop__graph_new(&g, cx, "scaled"));
	cop_vid x = cop__input(g, "x", &t), y = cop__apply(g, OP_qlut, &(cop_qlut_attr){COP_U8}, VIDS(x, cop__data(g, COP_CONST, "table", &table, byte)));
	OK(cx, cop__set_quant(g, x, scale, zero));
	OK(cx, cop__set_quant(g, y, scale, zero + 128));
	OK(cx, cop__output(g, y, "y"));
	OK(cx, cop_graph_classes_set(g, classes, LEN(classes)));
	return g;
}

static void compare_conversions(cop_ctx *cx, const folder *f, const cop_graph *g, const float *x)
{
	const cop_type all = cop__type(COP_F32, 1, DIMS(CASES));
	static int8_t q[CASES];
	static uint8_t r[CASES];
	static float y[CASES];
	cop_tensor from = {all, (void *)(uintptr_t)x}, to = {all, q}, back = {all, y}, other = {all, r};
	cop_type tx, ty;
	uint8_t *got = read_bytes(f, "got", 6 * CASES);

	cop_graph_io_type(g, false, 0, &tx);
	cop_graph_io_type(g, true, 0, &ty);
	to.type.dtype = COP_I8, to.type.q = tx.q;
	other.type.dtype = COP_U8, other.type.q = ty.q;
	OK(cx, cop_tensor_copy(cx, &to, &from));
	OK(cx, cop_tensor_copy(cx, &other, &from));
	OK(cx, cop_tensor_copy(cx, &back, &to));
	for (int i = 0; i < CASES; i++) {
		const uint8_t *p = got + 6 * i;
		if ((int8_t)p[0] != q[i] || memcmp(p + 1, &y[i], 4) || p[5] != r[i]) fail_msg("%.9g becomes %d and %u, in the library %d and %u", (double)x[i], (int8_t)p[0], p[5], q[i], r[i]);
	}
	free(got);
}

static void conversions(void **state)
{
	static const struct { float scale; int32_t zero; } rows[] = {{0.1f, 3}, {1, -128}, {0.0078125f, 127}, {0.584702909f, 0}};
	static float x[CASES];
	char name[40];

	(void)state;
	bool cpp = !system("command -v c++ >/dev/null");
	for (int i = 0; i < LEN(rows); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g = scaled_net(cx, rows[i].scale, rows[i].zero);
		folder f;
		open_folder(&f);
		emit_as(cx, &f, g, "q");
		make_cases(x, rows[i].scale);
		write_bytes(&f, "x", x, sizeof x);
		write_program(&f, "convert.c", convert);
		shell(&f, "cc -std=c99 -Wall -Wextra -Wpedantic -Werror -Iq -o convert convert.c q/*.c && ./convert <x >got", false);
		compare_conversions(cx, &f, g, x);
		if (cpp && !i) shell(&f, "cc -c q/*.c && c++ -x c++ -Wall -Wextra -Werror -Iq -c convert.c -o c.o && c++ -o convert c.o cop_*.o q.o && ./convert <x >got2 && cmp got got2", false);
		snprintf(name, sizeof name, "grep -q 'ZERO_POINT (%d)' q/q.h", (int)rows[i].zero);
		shell(&f, name, false);
		shell(&f, "grep -q 'define Q_INPUT_BYTES 24$' q/q.h && grep -q 'define Q_INPUT_SHAPE {1, 2, 3, 4}' q/q.h && grep -q 'define Q_OUTPUTS 1' q/q.h", false);
		close_folder(&f);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

/* int16 in and out. */
static cop_graph *wide_net(cop_ctx *cx, float scale)
{
	const cop_type t = cop__type(COP_I16, 2, DIMS(1, 6));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "wide"));
	cop_vid x = cop__input(g, "x", &t), y = cop__apply(g, OP_qrescale, &(cop_qrescale_attr){1 << 30, 1, 0, -32768, 32767, COP_I16}, VIDS(x));
	OK(cx, cop__set_quant(g, x, scale, 0));
	OK(cx, cop__set_quant(g, y, scale, 0));
	OK(cx, cop__output(g, y, "y"));
	return g;
}

static void wide_conversions(void **state)
{
	static const char program[] = "#include \"q.h\"\n#include <stdio.h>\nint main(void) {\n\tfloat x, y; int16_t q;\n"
		"\twhile (fread(&x, 4, 1, stdin) == 1) {\n\t\tq = q_input_quantize(x); y = q_output_dequantize(q);\n\t\tfwrite(&q, 2, 1, stdout); fwrite(&y, 4, 1, stdout);\n\t}\n\treturn 0;\n}\n";
	static const float ends[] = {32766.5f, 32767.5f, -32768.5f, -32769, 99999.5f, 1e5f, -1e5f, 1e5f + 1};
	static float x[CASES], y[CASES];
	static int16_t q[CASES];
	cop_tensor from = {cop__type(COP_F32, 1, DIMS(CASES)), x}, to = {cop__type(COP_I16, 1, DIMS(CASES)), q}, back = {from.type, y};
	cop_ctx *cx = new_ctx();
	cop_graph *g = wide_net(cx, 0.003f);
	folder f;

	(void)state;
	open_folder(&f);
	emit_as(cx, &f, g, "q");
	make_cases(x, 0.003f);
	for (int i = CASES / 2; i < CASES; i++) x[i] *= 150;
	for (int i = 0; i < LEN(ends); i++) x[CASES / 2 + i] = ends[i] * 0.003f;
	write_bytes(&f, "x", x, sizeof x);
	write_program(&f, "convert.c", program);
	shell(&f, "cc -std=c99 -Wall -Wextra -Wpedantic -Werror -Iq -o convert convert.c q/*.c && ./convert <x >got", false);
	uint8_t *got = read_bytes(&f, "got", 6 * CASES);
	to.type.q = cop__t(g, g->input[0])->q;
	OK(cx, cop_tensor_copy(cx, &to, &from));
	OK(cx, cop_tensor_copy(cx, &back, &to));
	for (int i = 0; i < CASES; i++) {
		double want = isnan(x[i]) ? 0 : fmin(fmax(round((double)(x[i] / 0.003f)), -32768), 32767);
		if (!isnan(x[i])) assert_int_equal(q[i], (int)want);
		if (memcmp(got + 6 * i, &q[i], 2) || memcmp(got + 6 * i + 2, &y[i], 4)) fail_msg("%.9g becomes another number than %d", (double)x[i], q[i]);
	}
	free(got);
	close_folder(&f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void class_names(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = scaled_net(cx, 1, 0);
	folder f;

	open_folder(&f);
	emit_as(cx, &f, g, "q");
	write_program(&f, "names.c", "#include \"q.h\"\n#include <stdio.h>\nint main(void) { int i; for (i = 0; i < Q_CLASSES; i++) puts(q_class_names[i]); return 0; }\n");
	shell(&f, "cc -std=c99 -trigraphs -Wall -Wextra -Werror -Iq -o names names.c q/*.c && ./names >got", false);
	static const char want[] = "yes\nno \"or\\not\"\?\?/\ncaf\xc3\xa9\n";
	char *got = read_bytes(&f, "got", sizeof want - 1);
	assert_memory_equal(got, want, sizeof want - 1);
	free(got);
	close_folder(&f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- two networks in one program ---- */

static const char both[] = "#include \"a.h\"\n#include \"b.h\"\n#include <stdio.h>\n#include <string.h>\n"
	"#define READ(values, size) if (fread(values(), sizeof *values(), size, in) != (size)) return 1;\n"
	"#define WRITE(values, size) fwrite(values(), sizeof *values(), size, out);\n"
	"int main(void) {\n\tFILE *in = fopen(\"x\", \"rb\"), *out = fopen(\"got\", \"wb\");\n\tint i;\n"
	"\tif (!in || !out) return 1;\n\ta_init(); b_init();\n"
	"\tfor (i = 0; i < 3; i++) {\n\t\tA_EACH_INPUT(READ) B_EACH_INPUT(READ)\n\t\ta_run(); b_run();\n\t\tA_EACH_OUTPUT(WRITE) B_EACH_OUTPUT(WRITE)\n\t}\n"
	"\treturn fclose(out);\n}\n";

/* Run by run, a's and then b's. */
static char *interleave(const char *a, size_t na, const char *b, size_t nb)
{
	char *all = malloc(na + nb), *to = all;

	for (size_t i = 0; i < RUNS; i++) {
		memcpy(to, a + i * (na / RUNS), na / RUNS), to += na / RUNS;
		memcpy(to, b + i * (nb / RUNS), nb / RUNS), to += nb / RUNS;
	}
	return all;
}

static void build_both(const folder *f, const char *command, const char *want, size_t n)
{
	shell(f, command, false);
	char *got = read_bytes(f, "got", n);
	assert_memory_equal(got, want, n);
	free(got);
}

static const char cmake[] = "cmake_minimum_required(VERSION 3.13)\nproject(both C)\nadd_subdirectory(a)\nadd_subdirectory(b)\nadd_executable(both both.c)\ntarget_link_libraries(both PRIVATE a b)\n";

static void check_pair(cop_ctx *cx, const cop_graph *ga, const cop_graph *gb)
{
	recorded a = record_model(cx, ga), b = record_model(cx, gb);
	char *in = interleave(a.in, a.n_in, b.in, b.n_in), *want = interleave(a.out, a.n_out, b.out, b.n_out);
	size_t n = a.n_out + b.n_out;
	folder f;

	open_folder(&f);
	emit_as(cx, &f, ga, "a");
	emit_as(cx, &f, gb, "b");
	write_bytes(&f, "x", in, a.n_in + b.n_in);
	write_program(&f, "both.c", both);
	write_program(&f, "CMakeLists.txt", cmake);
#define CC "cc -O1 -ffp-contract=off -Wall -Wextra -Werror -Ia -Ib -o both both.c "
	build_both(&f, CC "a/*.c b/*.c && ./both", want, n);
	if (ga != gb && !system("command -v cmake >/dev/null")) build_both(&f, "cmake -S . -B build >/dev/null && cmake --build build >/dev/null && ./build/both", want, n);
	/* kernels of another version, all of them broken, for a third network: they don't take the place of a's */
	build_both(&f, "cp -r a old && cd old && sed -i -E 's/_[0-9a-f]{8}\\b/_00c0ffee/' *.c && sed -i 's/c->buf\\[0\\]/(void *)0/' cop_*.c && mv a.c o.c && sed -i 's/\\ba_/o_/g' o.c && cd .. && "
		"cc -O1 -w -ffp-contract=off -Ia -Ib -o both both.c old/*.c a/*.c b/*.c && ./both", want, n);
	close_folder(&f);
	free(in);
	free(want);
	free(a.in), free(a.out), free(b.in), free(b.out);
}

/* With kernels of their own, and with the same. */
static void two_networks(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *mixed = mixed_net(cx), *bytes = int8_net(cx, true);

	check_pair(cx, mixed, bytes);
	check_pair(cx, bytes, bytes);
	cop_graph_free(mixed);
	cop_graph_free(bytes);
	cop_ctx_free(cx);
}

/* The README says how samples are scaled, where they are. */
static void scaling(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = scaled_net(cx, 1, 0);
	folder f;

	(void)state;
	open_folder(&f);
	emit_as(cx, &f, g, "plain");
	OK(cx, cop_graph_samples_set(g, &(cop_samples){.times = 255, .channels = 2, .mean = {1.5f, -2}, .std = {4, 0.25f}}));
	emit_as(cx, &f, g, "scaled");
	shell(&f, "! grep -q 'Scale your samples' plain/README.md && grep -q 'x = (255 \\* x - mean) / std' scaled/README.md && grep -q '^- mean: 1.5, -2$' scaled/README.md && "
		"grep -q '^- std: 4, 0.25$' scaled/README.md", false);
	close_folder(&f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- how much training takes ---- */

static cop_status find_arena(void *ud, const char *path, const void *data, size_t size)
{
	const char *at = strcmp(path, "net.h") ? NULL : memmem(data, size, "NET_ARENA_BYTES ", 16);

	if (at) *(long *)ud = strtol(at + 16, NULL, 10);
	return COP_OK;
}

/* A training is printed so that it computes again what it can, unless the rule says otherwise. */
static void keeps_less(void **state)
{
	static const char *const spec[] = {"sgd", "sgd saved=exact", "sgd saved=float"};
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	cop_target t;
	long arena[3] = {0};

	(void)state;
	OK(cx, cop_zoo_build(&g, cx, "resnet-8", NULL));
	OK(cx, cop_target_find(&t, cx, "host"));
	for (int i = 0; i < 3; i++) OK(cx, cop_emit_c(g, &t, &(cop_emit_args){.name = "net", .train = true, .train_spec = spec[i]}, find_arena, &arena[i]));
	assert_true(arena[0] > 0 && arena[0] == arena[1] && arena[1] < arena[2]);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_less), cmocka_unit_test(conversions), cmocka_unit_test(wide_conversions), cmocka_unit_test(class_names), cmocka_unit_test(scaling), cmocka_unit_test(two_networks)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
