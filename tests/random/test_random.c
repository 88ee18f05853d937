/* SPDX-License-Identifier: Apache-2.0
 *
 * Random graphs, each computed in every way there is: by every instruction set, in two memories, by bands, on several threads, as three
 * samples at once, written and read again, exported to ONNX and read again, emitted as C, and quantised, when all that begins anew.
 * The truth is the portable kernels with a place of its own for each value. Integers have to be the same to the last bit, and
 * floats wherever the order of rounding is.
 *
 * COPPICE_RANDOM=N: how many graphs (50). COPPICE_RANDOM_FROM: the first seed (1). A failure names the seed and prints the graph.
 * COPPICE_RANDOM_KEEP=DIR: each float graph as SEED.onnx there, with its inputs and outputs as SEED.in0.npy, SEED.out0.npy and so on, for
 * another engine (bench/random_onnx.py).
 */
#define _GNU_SOURCE
#include "emit/folder.h"
#include "random/subject.h"

#include <dlfcn.h>

static void by_every_isa(subject *s)
{
	static const struct { const char *name; uint32_t isa; double tolerance; } isas[] = {{"ref", 0, 0}, {"dsp", COP_ISA_DSP, 0}, {"avx2", COP_ISA_AVX2, 1e-4},
		{"avxvnni", COP_ISA_AVX2 | COP_ISA_AVXVNNI, 1e-4}, {"avx512", COP_ISA_AVX2 | COP_ISA_AVX512, 1e-4},
		{"avx512vnni", COP_ISA_AVX2 | COP_ISA_AVX512 | COP_ISA_AVX512VNNI, 1e-4},
		{"avx512vbmi", COP_ISA_AVX2 | COP_ISA_AVX512 | COP_ISA_AVX512VNNI | COP_ISA_AVX512VBMI, 1e-4}, {"neon", COP_ISA_NEON, 1e-4},
		{"dotprod", COP_ISA_NEON | COP_ISA_DOTPROD, 1e-4}, {"i8mm", COP_ISA_NEON | COP_ISA_DOTPROD | COP_ISA_I8MM, 1e-4}};

	for (int i = 0; i < LEN(isas); i++) {
		if (isas[i].isa & ~(cop__cpu_isa() | COP_ISA_DSP)) continue;
		cop_target t = target(s, "host", isas[i].isa);
		values one = run(s, s->g, &t, 1, 1);
		t.threads = 3;
		values three = run(s, s->g, &t, 3, 1);
		for (int k = 0; k < one.n; k++)
			if (memcmp(one.data[k], three.data[k], cop_type_bytes(&one.type[k]))) FAIL(s, "%s: output %d on three threads differs", isas[i].name, k);
		free_values(&three);
		if (isas[i].tolerance > 0 && apart(s, &one, isas[i].tolerance)) s->tie |= near_tie(s, &t);
		expect(s, isas[i].name, &one, isas[i].tolerance);
	}
}

static void on_a_board(subject *s)
{
	static const size_t fast[] = {0, 64, 512, 4096};
	char way[40];

	for (int i = 0; i < LEN(fast); i++) {
		cop_target t = target(s, "cortex-m4", COP_ISA_DSP);
		t.fast_ram = fast[i];
		values v = run(s, s->g, &t, 1, 1);
		snprintf(way, sizeof way, "on a board, %zu bytes of fast RAM", fast[i]);
		expect(s, way, &v, 0);
	}
}

static void by_bands(subject *s)
{
	cop_target t = target(s, "cortex-m4", COP_ISA_DSP);
	cop_graph *g = applied(s, "dce");
	cop_patch won;

	GOES(s, cop_graph_patch(&g, &t, 3, &won));
	if (won.bands) {
		values v = run(s, g, &t, 1, 1);
		expect(s, "in bands", &v, 0);
	}
	cop_graph_free(g);
}

static void by_passes(subject *s)
{
	static const struct { const char *spec; double tolerance; } rows[] = {{"dce", 0}, {"fuse", 0}, {"fold_bn fuse", 1e-4}, {"fold_pad", 0}, {"drop_constant", 1e-5}, {"known merge", 1e-4}};

	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = applied(s, rows[i].spec);
		cop_target t = target(s, "host", 0);
		values v = run(s, g, &t, 1, 1);
		expect(s, rows[i].spec, &v, rows[i].tolerance);
		cop_graph_free(g);
	}
}

/* Three samples at once, by the fastest kernels: each as if it were alone. */
static void as_a_batch(subject *s)
{
	cop_graph *g = applied(s, "batch:n=3");
	cop_target t = target(s, "host", cop__cpu_isa());
	values v = run(s, g, &t, 2, SAMPLES);

	for (int i = 0; i < v.n; i++) {
		if (cop_type_count(&v.type[i]) != SAMPLES * cop_type_count(&s->truth.type[i])) FAIL(s, "output %d of a batch of three is not three times as long", i);
		v.type[i] = s->truth.type[i];
	}
	expect(s, "the first sample of three", &v, 1e-4);
	cop_graph_free(g);
}

typedef struct grown { char *at; size_t n; } grown;
static cop_status append(void *ud, const void *bytes, size_t size)
{
	grown *t = ud;

	t->at = realloc(t->at, t->n + size);
	memcpy(t->at + t->n, bytes, size);
	t->n += size;
	return COP_OK;
}

static void written_and_read(subject *s, const char *folder)
{
	cop_target t = target(s, "host", 0);
	char path[128];
	cop_graph *g;

	snprintf(path, sizeof path, "%s/g.cop", folder);
	GOES(s, cop_model_save(s->g, path));
	GOES(s, cop_model_load(&g, s->cx, path));
	values v = run(s, g, &t, 1, 1);
	expect(s, "from a .cop file", &v, 0);
	grown a = {0}, b = {0};
	GOES(s, cop_graph_print(s->g, append, &a));
	GOES(s, cop_graph_print(g, append, &b));
	if (a.n != b.n || memcmp(a.at, b.at, a.n)) FAIL(s, "the text is another one after a .cop file");
	free(a.at);
	free(b.at);
	cop_graph_free(g);
}

static void keep(subject *s, const char *folder)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%llu.onnx", folder, s->seed);
	GOES(s, cop_onnx_save(s->g, path));
	for (int i = 0; i < s->g->n_input; i++) {
		cop_tensor v = {*cop__t(s->g, s->g->input[i]), malloc(cop_type_bytes(cop__t(s->g, s->g->input[i])))};
		fill_input(&v, i, 0);
		snprintf(path, sizeof path, "%s/%llu.in%d.npy", folder, s->seed, i);
		GOES(s, cop_npy_write(s->cx, path, &v));
		free(v.data);
	}
	for (int i = 0; i < s->truth.n; i++) {
		snprintf(path, sizeof path, "%s/%llu.out%d.npy", folder, s->seed, i);
		GOES(s, cop_npy_write(s->cx, path, &(cop_tensor){s->truth.type[i], s->truth.data[i]}));
	}
}

/* Twice: names that export makes meet those it made before. Integers become QDQ nodes in float, whose ties round another way: one step. */
static void exported(subject *s, const char *folder)
{
	cop_target t = target(s, "host", 0);
	char path[128];
	cop_graph *g, *again;

	for (int32_t i = 1; i <= s->g->n_node; i++) /* their form in ONNX rounds otherwise, which chains of layers carry on */
		if (cop__op(s->g, (cop_nid)i)->name[0] == 'q') return;
	snprintf(path, sizeof path, "%s/g.onnx", folder);
	GOES(s, cop_onnx_save(s->g, path));
	GOES(s, cop_model_load(&g, s->cx, path));
	values v = run(s, g, &t, 1, 1);
	expect(s, "exported", &v, 1e-4);
	GOES(s, cop_onnx_save(g, path));
	GOES(s, cop_model_load(&again, s->cx, path));
	v = run(s, again, &t, 1, 1);
	expect(s, "exported twice", &v, 1e-4);
	cop_graph_free(again);
	cop_graph_free(g);
}

/* ---- as C ---- */

static const char shim[] = "#include \"net.h\"\n#include <string.h>\n"
	"void shim_run(const char *in, char *out);\n"
	"void shim_run(const char *in, char *out)\n{\n\tnet_init();\n"
	"#define READ(values, size) memcpy(values(), in, (size) * sizeof *values()); in += (size) * sizeof *values();\n"
	"#define WRITE(values, size) memcpy(out, values(), (size) * sizeof *values()); out += (size) * sizeof *values();\n"
	"\tNET_EACH_INPUT(READ)\n\tnet_run();\n\tNET_EACH_OUTPUT(WRITE)\n}\n";

/* The network and its kernels, without what a board needs. */
static cop_status put_network(void *ud, const char *path, const void *bytes, size_t size)
{
	static const char *const harness[] = {"main.c", "start.c", "io.c"};
	size_t n = strlen(path);

	if (strchr(path, '/') || n < 2 || path[n - 2] != '.') return COP_OK; /* .c and .h alone */
	for (int i = 0; i < LEN(harness); i++)
		if (!strcmp(path, harness[i])) return COP_OK;
	return put_file(ud, path, bytes, size);
}

static bool has_int8_weights(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_qconv && g->value[cop__arg(g, n, 1)].role == COP_CONST && g->value[cop__arg(g, n, 1)].data) return true;
	return false;
}

/* Half of those that have int8 weights have them coded, and larger layers in parts. */
static cop_graph *for_emission(subject *s)
{
	char spec[48];

	text_write(spec, sizeof spec, "code:most=1,buffer=", s->seed % 4 < 2 ? "24" : "200");
	return applied(s, s->seed % 2 && has_int8_weights(s->g) ? spec : "dce");
}

static void as_c(subject *s, const char *machine)
{
	cop_graph *g = for_emission(s);
	cop_target t = target(s, machine, strcmp(machine, "host") ? COP_ISA_DSP : 0);
	values got = {.n = s->truth.n};
	size_t in = 0, out = 0;
	cop_graph *deployed;
	char path[128];
	folder f;

	open_folder(&f);
	GOES(s, cop_emit_c(g, &t, &(cop_emit_args){.name = "net", .deployed = &deployed}, put_network, &f));
	write_bytes(&f, "shim.c", shim, sizeof shim - 1);
	shell(&f, "cc -O0 -w -ffp-contract=off -shared -fPIC -o net.so *.c", false);
	snprintf(path, sizeof path, "%s/net.so", f.path);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library) FAIL(s, "%s", dlerror());
	void (*call)(const char *, char *) = (void (*)(const char *, char *))(intptr_t)dlsym(library, "shim_run");
	for (int i = 0; i < deployed->n_input; i++) in += cop_type_bytes(cop__t(deployed, deployed->input[i]));
	for (int i = 0; i < got.n; i++) out += cop_type_bytes(&s->truth.type[i]);
	char *x = malloc(in), *y = malloc(out), *at = x;
	for (int i = 0; i < deployed->n_input; i++) {
		cop_tensor v = {*cop__t(deployed, deployed->input[i]), malloc(cop_type_bytes(cop__t(deployed, deployed->input[i])))};
		fill_input(&v, i, 0);
		memcpy(at, v.data, cop_type_bytes(&v.type));
		at += cop_type_bytes(&v.type);
		free(v.data);
	}
	cop_graph_free(g);
	call(x, y);
	at = y;
	for (int i = 0; i < got.n; i++) {
		got.type[i] = s->truth.type[i];
		got.data[i] = malloc(cop_type_bytes(&got.type[i]));
		memcpy(got.data[i], at, cop_type_bytes(&got.type[i]));
		at += cop_type_bytes(&got.type[i]);
	}
	expect(s, machine, &got, 1e-5); /* emission folds what it can, so that floats are not the same bits */
	free(x);
	free(y);
	dlclose(library);
	cop_graph_free(deployed);
	close_folder(&f);
}

/* ---- quantised ---- */

static cop_status get_sample(void *ud, int32_t i, float *x, int32_t *label)
{
	cop_tensor v = {*(const cop_type *)ud, x};

	fill_input(&v, 0, i);
	if (label) *label = 0;
	return COP_OK;
}

static void every_way(subject *s, const char *folder);

/* Eight steps at each number: one near zero is as far off as one at the end of its range. */
static double least_size(const subject *q, int output)
{
	cop_vid v = q->g->output[output];
	cop_nid n = q->g->value[v].producer;

	if (!n || q->g->node[n].op != OP_dequantize) return 1e-9;
	COP_ATTR(cop_dequantize_attr, a, q->g, n);
	return 64 * (double)a.scale * (double)a.scale * (double)cop_type_count(&q->truth.type[output]);
}

/* Integers of eight bits stay near the floats they stand for: the root of the mean square of what they are off by, against that of the
 * values or against eight steps where these are small. Most have 0.03 and less; where a slice leaves little of a wide range it can be all. */
static void expect_near(subject *q, const values *floats)
{
	for (int i = 0; i < q->truth.n; i++) {
		const float *a = floats->data[i], *b = q->truth.data[i];
		double off = 0, size = 1e-9;
		if (q->truth.type[i].dtype != COP_F32) continue;
		for (int64_t k = 0; k < cop_type_count(&floats->type[i]); k++) {
			off += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
			size += (double)a[k] * a[k];
		}
		size = fmax(size, least_size(q, i));
		if (!(sqrt(off / size) <= 1.2)) FAIL(q, "output %d is %.0f %% off the floats'", i, 100 * sqrt(off / size));
	}
}

static void quantised(const subject *s, const char *folder)
{
	cop_type x = *cop__t(s->g, s->g->input[0]);
	subject q = {.cx = s->cx, .seed = s->seed, .emitted = s->emitted, .kind = "quantised"};
	cop_dataset data = {.name = "drawn", .x = x, .count = 24, .get = get_sample, .ud = &x};

	if (s->g->n_input != 1) return;
	data.x.rank = 3;
	memmove(data.x.dim, x.dim + 1, 3 * sizeof *x.dim);
	q.g = applied((subject *)(intptr_t)s, "dce");
	x.dim[0] = 1;
	if (!count_op(q.g, OP_conv) && !count_op(q.g, OP_fc)) { /* nothing to quantise, which is refused */
		cop_graph_free(q.g);
		return;
	}
	bool four = s->seed % 10 == 0, ends = s->seed % 4 == 0;
	GOES(&q, cop_quantize(&q.g, &data, &(cop_quantize_args){.per_tensor = s->seed % 3 == 0, .scheme = four ? "w4a8" : NULL, .int8_io = ends, .threads = 1}));
	every_way(&q, folder);
	if (!four && !ends) expect_near(&q, &s->truth);
	free_values(&q.truth);
	cop_graph_free(q.g);
}

/* ---- one graph ---- */

static bool moves(int op) { return op == OP_reshape || op == OP_transpose || op == OP_concat || op == OP_slice || op == OP_pad || op == OP_maxpool; }

static void find_exact(subject *s)
{
	bool *rounds = calloc((size_t)s->g->n_value + 1, sizeof *rounds);

	for (int32_t n = 1; n <= s->g->n_node; n++) {
		const cop_node *d = &s->g->node[n];
		bool r = !moves(d->op) && cop__op(s->g, (cop_nid)n)->name[0] != 'q' && d->op != OP_dequantize;
		for (int i = 0; i < d->n_in; i++) r |= rounds[d->in[i]];
		for (int i = 0; i < COP_MAX_OUT; i++) rounds[d->out[i]] = r && d->out[i];
	}
	for (int32_t i = 0; i < s->g->n_output; i++) s->exact[i] = !rounds[s->g->output[i]];
	free(rounds);
}

static void every_way(subject *s, const char *folder)
{
	GOES(s, cop_graph_verify(s->g));
	find_exact(s);
	find_truth(s);
	by_every_isa(s);
	on_a_board(s);
	by_bands(s);
	by_passes(s);
	as_a_batch(s);
	written_and_read(s, folder);
	exported(s, folder);
	if (getenv("COPPICE_RANDOM_KEEP") && !strcmp(s->kind, "floats")) keep(s, getenv("COPPICE_RANDOM_KEEP"));
	if (s->emitted) {
		as_c(s, "host");
		as_c(s, "cortex-m4");
	}
}

static long number(const char *name, long otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtol(text, NULL, 10) : otherwise;
}

/* False after a failure; what the graph holds is left then. */
static bool holds(long seed, bool emitted, const char *folder)
{
	bool int8 = seed % 2;
	subject s = {.cx = new_ctx(), .seed = (unsigned long long)seed, .emitted = emitted, .kind = int8 ? "int8" : "floats"};

	s.g = draw_graph(s.cx, (uint64_t)seed, int8);
	if (setjmp(failed)) return false;
	GOES(&s, cop_graph_apply(&s.g, "to_infer fuse"));
	every_way(&s, folder);
	if (!int8) quantised(&s, folder);
	free_values(&s.truth);
	cop_graph_free(s.g);
	cop_ctx_free(s.cx);
	return true;
}

static void graphs(void **state)
{
	long n = number("COPPICE_RANDOM", 50), from = number("COPPICE_RANDOM_FROM", 1), failures = 0;
	folder f;

	(void)state;
	open_folder(&f);
	for (long seed = from; seed < from + n; seed++) failures += !holds(seed, seed % 8 < 2, f.path);
	close_folder(&f);
	print_message("seeds %ld to %ld: %ld failed\n", from, from + n - 1, failures);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(graphs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
