/* SPDX-License-Identifier: Apache-2.0
 *
 * A model written as C, compiled and run, against the session of the portable kernels: the same bits, for inference
 * and after ten training steps, on this machine and on emulated boards. What does not fit is refused with the layer's
 * name, and nothing is written. That boards count instructions exactly is checked with loops of a known length.
 */
#define _GNU_SOURCE
#include "emit/folder.h"
#include "emit/int8_net.h"

#include "io/encode.h"

enum { STEPS = 10 };

static const char build_host[] = "make -s -C check CFLAGS='-O2 -Wall -Wextra -Wpedantic -Wshadow -Werror -ffreestanding'";
static const char build_arm[] = "make -s -C check WARN='-Wpedantic -Wshadow -Werror'";

typedef struct machine { const char *target, *build, *run, *train; size_t fast; } machine; /* fast: bytes of a second RAM */
static const machine host = {"host", build_host, "make -s -C check run", "make -s -C check run ARGS='train 10'", 0};
static const machine m4 = {"cortex-m4", build_arm, "make -s -C check run", "make -s -C check run ARGS='train 10'", 0};
static const machine netduino = {"netduinoplus2", build_arm, "make -s -C check run", "make -s -C check run ARGS='train 10'", 0};

static const machine m0 = {"microbit", build_arm, "make -s -C check run", NULL, 0};
static const machine m3 = {"lm3s6965evb", build_arm, "make -s -C check run", NULL, 0};
static const machine m55 = {"mps3-an547", build_arm, "make -s -C check run", NULL, 0};
static const machine two[] = {{"host", build_host, "make -s -C check run", "make -s -C check run ARGS='train 10'", 4096}, {"cortex-m4", build_arm, "make -s -C check run", "make -s -C check run ARGS='train 10'", 4096},
	{"mps3-an547", build_arm, "make -s -C check run", "make -s -C check run ARGS='train 10'", 8192}};

/* ---- networks ---- */

/* Every activation, a depthwise convolution, add, mul, concat, both pools; with dropout for training. */
static cop_graph *mixed_net(cop_ctx *cx)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_type one = cop__type(COP_I32, 1, DIMS(1));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "mixed net"));
	cop_vid x = input(g, 4, DIMS(2, 9, 9, 3));
	cop_vid step = cop__data(g, COP_STATE, "step", &one, NULL);
	cop_vid a = relu(g, bn(g, conv(g, x, "c1", 8, 3, 1, 1, false), "c1.bn"));
	cop_vid d = cop__apply(g, OP_hswish, NULL, VIDS(bn(g, conv(g, a, "dw", 8, 3, 1, 8, false), "dw.bn")));
	cop_vid p = cop__apply(g, OP_sigmoid, NULL, VIDS(conv(g, d, "p1", 8, 1, 1, 1, true)));
	cop_vid q = cop__apply(g, OP_tanh, NULL, VIDS(conv(g, d, "p2", 8, 1, 1, 1, true)));
	cop_vid r = cop__apply(g, OP_gelu, NULL, VIDS(conv(g, a, "p3", 6, 3, 1, 2, true)));
	cop_vid s = cop__apply(g, OP_mul, &none, VIDS(add(g, p, q), a));
	cop_vid c = cop__apply(g, OP_concat, &(cop_concat_attr){3}, VIDS(s, r));
	c = cop__apply(g, OP_maxpool, &(cop_pool_attr){2, 2, 2, 2, 0, 0, 0, 0, 0}, VIDS(c));
	c = cop__apply(g, OP_avgpool, &(cop_pool_attr){3, 3, 1, 1, 1, 1, 1, 1, 0}, VIDS(c));
	c = cop__apply(g, OP_dropout, &(cop_dropout_attr){0.25f, 7, 1}, VIDS(c, step));
	cop_vid y = fc(g, flatten(g, c), "fc", 10, true);
	OK(cx, cop__output(g, y, "y"));
	return g;
}

static cop_graph *zoo(cop_ctx *cx, const char *name, int32_t batch, int32_t size)
{
	cop_graph *g;
	cop_zoo_args a = {.batch = batch, .height = size, .width = size, .seed = 3};

	OK(cx, cop_zoo_build(&g, cx, name, &a));
	return g;
}

static void fill(float *x, int64_t n, uint32_t stream)
{
	for (int64_t i = 0; i < n; i++) x[i] = cop__rand_normal(9, stream, (uint64_t)i);
}

static void fill_input(const cop_tensor *x, uint32_t stream)
{
	int64_t n = cop_type_count(&x->type);

	if (x->type.dtype == COP_F32) fill(x->data, n, stream);
	else
		for (int64_t i = 0; i < n; i++) ((int8_t *)x->data)[i] = (int8_t)cop__rand(9, stream, (uint64_t)i);
}

/* ---- inference ---- */

static void emit(cop_ctx *cx, folder *f, const cop_graph *g, const machine *m, const char *train)
{
	cop_target t;

	OK(cx, cop_target_find(&t, cx, m->target));
	t.fast_ram = m->fast;
	OK(cx, cop_emit_c(g, &t, &(cop_emit_args){.name = "my_net", .train = train != NULL, .train_spec = train}, put_file, f));
	shell(f, m->build, false);
}

static void expect_same(const void *got, const void *want, size_t bytes, const char *what)
{
	const uint32_t *a = got, *b = want;

	for (size_t i = 0; i < bytes / 4; i++)
		if (a[i] != b[i]) fail_msg("%s: word %zu is %08x, the session has %08x", what, i, (unsigned)a[i], (unsigned)b[i]);
	if (memcmp((const char *)got + bytes / 4 * 4, (const char *)want + bytes / 4 * 4, bytes % 4)) fail_msg("%s: the last bytes differ", what);
}

/* Inputs and outputs of RUNS runs, one set after the other, as the emitted program has them. */
enum { RUNS = 3, ROOM = 1 << 22 };
typedef struct recorded { char *in, *out; size_t n_in, n_out; } recorded;

static recorded record(cop_ctx *cx, cop_session *s, const cop_graph *g)
{
	recorded r = {.in = malloc(ROOM), .out = malloc(ROOM)};
	cop_tensor v;

	for (int run = 0; run < RUNS; run++) {
		for (int i = 0; i < g->n_input; i++) {
			OK(cx, cop_session_io(s, 0, i, false, &v));
			fill_input(&v, (uint32_t)(RUNS * i + run));
			assert_true(r.n_in + cop_type_bytes(&v.type) <= ROOM);
			memcpy(r.in + r.n_in, v.data, cop_type_bytes(&v.type));
			r.n_in += cop_type_bytes(&v.type);
		}
		OK(cx, cop_session_run(s, 0));
		for (int i = 0; i < g->n_output; i++) {
			OK(cx, cop_session_io(s, 0, i, true, &v));
			assert_true(r.n_out + cop_type_bytes(&v.type) <= ROOM);
			memcpy(r.out + r.n_out, v.data, cop_type_bytes(&v.type));
			r.n_out += cop_type_bytes(&v.type);
		}
	}
	return r;
}

static void check_inference(cop_ctx *cx, const cop_graph *model, const machine *m)
{
	cop_graph *plain, *g;
	cop_plan *p;
	cop_session *s;
	cop_target t;
	folder f;

	OK(cx, cop__pass_to_infer(&plain, model));
	OK(cx, cop__pass_fuse(&g, plain));
	OK(cx, cop_target_find(&t, cx, "host"));
	t.isa = 0;
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	OK(cx, cop_session_new(&s, p, 1));
	recorded r = record(cx, s, g);
	open_folder(&f);
	emit(cx, &f, model, m, NULL);
	write_bytes(&f, "check/x.bin", r.in, r.n_in);
	if (strcmp(m->target, "host")) print_message("%s on %s:\n", model->name, m->target);
	shell(&f, m->run, strcmp(m->target, "host"));
	void *got = read_bytes(&f, "check/y.bin", r.n_out);
	expect_same(got, r.out, r.n_out, model->name);
	close_folder(&f);
	free(got);
	free(r.in);
	free(r.out);
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(g);
	cop_graph_free(plain);
}

/* ---- training ---- */

/* The two entries as emission has them: they define the order of the parameters. */
static cop_plan *train_plan(cop_ctx *cx, cop_graph *entry[2], const cop_graph *model, const char *spec, const char *target)
{
	cop_graph *plain, *fused;
	cop_plan *p;
	cop_target t;

	OK(cx, cop__pass_strip(&plain, model));
	OK(cx, cop__pass_fuse(&fused, plain));
	OK(cx, cop__pass_dce(&entry[0], fused));
	cop_graph_free(plain);
	cop_graph_free(fused);
	OK(cx, cop_graph_train(&entry[1], model, spec));
	OK(cx, cop_target_find(&t, cx, target));
	t.isa = 0;
	OK(cx, cop_plan_build(&p, entry, 2, &t));
	return p;
}

/* Batches that both see: `in` and `truth` of every step, one after the other. */
static void make_batches(const cop_graph *g, char *in, char *truth)
{
	const cop_type *tx = cop__t(g, g->input[0]), *tt = cop__t(g, g->input[1]);
	int32_t classes = cop__t(g, g->output[0])->dim[1];

	for (int i = 0; i < STEPS; i++) {
		char *t = truth + (size_t)i * cop_type_bytes(tt);
		fill((float *)(void *)(in + (size_t)i * cop_type_bytes(tx)), cop_type_count(tx), (uint32_t)(20 + i));
		if (tt->dtype == COP_F32) fill((float *)(void *)t, cop_type_count(tt), (uint32_t)(50 + i));
		else
			for (int j = 0; j < tt->dim[0]; j++) ((int32_t *)(void *)t)[j] = (3 * i + 7 * j) % classes;
	}
}

static void run_steps(cop_ctx *cx, cop_session *s, const char *in, const char *truth)
{
	cop_tensor x, t;

	OK(cx, cop_session_io(s, 1, 0, false, &x));
	OK(cx, cop_session_io(s, 1, 1, false, &t));
	for (int i = 0; i < STEPS; i++) {
		memcpy(x.data, in + (size_t)i * cop_type_bytes(&x.type), cop_type_bytes(&x.type));
		memcpy(t.data, truth + (size_t)i * cop_type_bytes(&t.type), cop_type_bytes(&t.type));
		OK(cx, cop_session_run(s, 1));
	}
}

/* Each parameter that training changes against its place in the block; all must have moved, none away. */
static void compare_parameters(cop_ctx *cx, cop_session *s, const cop_plan *p, const char *block)
{
	int changed = 0;

	for (int32_t i = 0; i < p->n_var; i++) {
		const cop_var *v = &p->var[i];
		cop_tensor t;
		if (v->place.seg != COP_SEG_PARAM) continue;
		OK(cx, cop_session_tensor(s, 1, v->name, &t));
		expect_same(block + v->place.off, t.data, cop_type_bytes(&t.type), v->name);
		for (int64_t j = 0; j < cop_type_count(&t.type); j++)
			if (!isfinite(((float *)t.data)[j])) fail_msg("%s holds no number", v->name);
		if (v->init && !memcmp(t.data, v->init, cop_type_bytes(&t.type))) fail_msg("%s did not change", v->name);
		changed++;
	}
	assert_true(changed > 0);
}

static void check_training(cop_ctx *cx, const cop_graph *model, const machine *m, const char *spec)
{
	cop_graph *entry[2];
	cop_session *s;
	folder f;
	cop_plan *p = train_plan(cx, entry, model, spec, m->target);
	const cop_graph *g = entry[1];
	size_t nx = STEPS * cop_type_bytes(cop__t(g, g->input[0])), nt = STEPS * cop_type_bytes(cop__t(g, g->input[1]));
	char *in = malloc(nx), *truth = malloc(nt);

	make_batches(g, in, truth);
	OK(cx, cop_session_new(&s, p, 1));
	run_steps(cx, s, in, truth);
	open_folder(&f);
	emit(cx, &f, model, m, spec);
	write_bytes(&f, "check/x.bin", in, nx);
	write_bytes(&f, cop__find(g, "label") ? "check/label.bin" : "check/target.bin", truth, nt);
	if (strcmp(m->target, "host")) print_message("%s on %s, %s:\n", model->name, m->target, spec);
	shell(&f, m->train, strcmp(m->target, "host"));
	char *block = read_bytes(&f, "check/parameters.bin", p->bytes[COP_SEG_PARAM]);
	compare_parameters(cx, s, p, block);
	close_folder(&f);
	free(block);
	free(in);
	free(truth);
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(entry[0]);
	cop_graph_free(entry[1]);
}

/* ---- encoded weights ---- */

/* fc1.w with few values, most of them 0, as a blob. */
static cop_graph *encoded_net(cop_ctx *cx, cop_enc enc)
{
	enum { OUT = 12, IN = 36, FILTERS = 4, TAPS = 9 };
	float w[OUT * IN], k[FILTERS * TAPS];
	cop_graph *g;
	cop_type t = cop__type(COP_F32, 2, DIMS(OUT, IN)), tk = cop__type(COP_F32, 4, DIMS(FILTERS, 3, 3, 1));
	void *blob, *kernel;

	for (int i = 0; i < OUT * IN; i++) w[i] = i % 5 ? 0 : 0.25f * (float)(i % 7) - 0.7f;
	for (int i = 0; i < FILTERS * TAPS; i++) k[i] = i % 2 ? 0 : 0.5f - 0.125f * (float)(i % 5);
	OK(cx, cop__graph_new(&g, cx, enc == COP_PALETTE ? "palette" : "sparse"));
	t.enc = tk.enc = enc;
	OK(cx, cop__encode(&blob, &t.enc_bytes, cx, enc, w, OUT, IN));
	OK(cx, cop__encode(&kernel, &tk.enc_bytes, cx, enc, k, FILTERS, TAPS));
	cop_vid x = input(g, 4, DIMS(1, 5, 5, 1));
	cop_vid vk = cop__data(g, COP_CONST, "conv.w", &tk, kernel), vw = cop__data(g, COP_CONST, "fc1.w", &t, blob);
	x = cop__apply(g, OP_conv, &(cop_conv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, 0, COP_NO_HI}, VIDS(x, vk));
	x = cop__apply(g, OP_fc, &(cop_act_attr){0, COP_NO_HI}, VIDS(flatten(g, x), vw));
	OK(cx, cop__output(g, fc(g, x, "fc2", 4, true), "y"));
	cop__free(cx, blob);
	cop__free(cx, kernel);
	return g;
}

/* ---- guards ---- */

/* Counts its runs while the guard is not 0. */
static cop_graph *guarded_net(cop_ctx *cx, int32_t on)
{
	const cop_type one = cop__type(COP_I32, 1, DIMS(1));
	const int32_t begin = 40;
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, on ? "guard on" : "guard off"));
	input(g, 1, DIMS(4));
	cop_vid n = cop__data(g, COP_STATE, "n", &one, &begin), guard = cop__data(g, COP_STATE, "guard", &one, &on);
	cop_nid count = cop__node(g, OP_count, NULL, VIDS(n));
	g->node[count].guard = guard;
	OK(cx, cop__output(g, cop__res(g, count, 0), "y"));
	return g;
}

/* ---- tests ---- */

static const char sgd[] = "update=sgd momentum=0.9 decay=1e-3 lr=0.02";

static void on_host(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g[] = {zoo(cx, "lenet-5", 1, 0), mixed_net(cx), zoo(cx, "ds-cnn", 1, 0), encoded_net(cx, COP_PALETTE), encoded_net(cx, COP_SPARSE),
		guarded_net(cx, 0), guarded_net(cx, 1)};

	for (int i = 0; i < LEN(g); i++) {
		check_inference(cx, g[i], &host);
		cop_graph_free(g[i]);
	}
	cop_ctx_free(cx);
}

static void training_on_host(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *mixed = mixed_net(cx), *coder = zoo(cx, "mlp-12x5x12", 4, 0), *lenet = zoo(cx, "lenet-5", 4, 0);

	check_training(cx, mixed, &host, sgd);
	check_training(cx, mixed, &host, "adamw decay=1e-2 clip=1 smooth=0.1");
	check_training(cx, mixed, &host, "layers=fc* lr=0.1");
	check_training(cx, coder, &host, "loss=mse adam lr=0.1");
	check_training(cx, lenet, &host, "lr=1e-3 nesterov=1");
	cop_graph_free(mixed);
	cop_graph_free(coder);
	cop_graph_free(lenet);
	cop_ctx_free(cx);
}

static void on_cortex_m4(void **state)
{
	(void)state;
	if (!have_arm()) {
		print_message("skipped: needs arm-none-eabi-gcc with newlib and qemu-system-arm\n");
		skip();
	}
	cop_ctx *cx = new_ctx();
	cop_graph *mixed = mixed_net(cx), *lenet = zoo(cx, "lenet-5", 1, 0), *coder = zoo(cx, "mlp-12x5x12", 4, 0), *sparse = encoded_net(cx, COP_SPARSE);

	check_inference(cx, lenet, &m4);
	check_inference(cx, mixed, &m4);
	check_inference(cx, sparse, &m4);
	check_training(cx, lenet, &m4, "momentum=0 lr=1e-3");
	check_training(cx, mixed, &m4, sgd);
	check_training(cx, coder, &netduino, "loss=mse adam lr=0.1");
	cop_graph_free(mixed);
	cop_graph_free(lenet);
	cop_graph_free(coder);
	cop_graph_free(sparse);
	cop_ctx_free(cx);
}

/* Kernels for DSP instructions are C on machines without them: their packed weights lie in flash, the others are gone. */
static void int8_on_host(void **state)
{
	(void)state;
	for (int isa = 0; isa < 2; isa++) {
		setenv("COPPICE_ISA", isa ? "dsp" : "ref", 1);
		cop_ctx *cx = new_ctx();
		for (int twice = 0; twice < 2; twice++) {
			cop_graph *g = int8_net(cx, twice);
			check_inference(cx, g, &host);
			cop_graph_free(g);
		}
		cop_ctx_free(cx);
	}
	unsetenv("COPPICE_ISA");
}

static void int8_on_boards(void **state)
{
	(void)state;
	if (!have_arm()) {
		print_message("skipped: needs arm-none-eabi-gcc with newlib and qemu-system-arm\n");
		skip();
	}
	cop_ctx *cx = new_ctx();
	cop_graph *single = int8_net(cx, false), *twice = int8_net(cx, true);

	check_inference(cx, single, &m4);
	check_inference(cx, twice, &m4);
	check_inference(cx, twice, &m3);
	check_inference(cx, single, &m0);
	cop_graph_free(single);
	cop_graph_free(twice);
	cop_ctx_free(cx);
}

/* What a loop of that many turns counts on a board; it stands in the place of the network. */
static long counted(const folder *f, int turns)
{
	char command[300];
	long n = -1;

	snprintf(command, sizeof command, "sed -i 's/^void my_net_run(void).*/void my_net_run(void) { __asm__ volatile(\"1: sub %%0, %%0, #1; cmp %%0, #0;"
		" bne 1b\" : : \"r\"(%d) : \"cc\"); } void not_run(void)/' my_net.c && make -s -C check WARN=-w && make -s -C check run", turns);
	shell(f, command, false);
	snprintf(command, sizeof command, "%s/log", f->path);
	FILE *log = fopen(command, "r");
	while (log && fgets(command, sizeof command, log)) sscanf(command, "instructions %ld", &n);
	if (log) fclose(log);
	return n;
}

static void counts_are_exact(void **state)
{
	static const machine *const board[] = {&m4, &netduino, &m0, &m3, &m55};
	enum { TURNS = 12345678 };

	(void)state;
	if (!have_arm()) {
		print_message("skipped: needs arm-none-eabi-gcc with newlib and qemu-system-arm\n");
		skip();
	}
	cop_ctx *cx = new_ctx();
	cop_graph *g = zoo(cx, "mlp-4x3", 1, 0);
	for (int i = 0; i < LEN(board); i++) {
		const float x[4] = {0};
		folder f;
		open_folder(&f);
		emit(cx, &f, g, board[i], NULL);
		write_bytes(&f, "check/x.bin", x, sizeof x);
		long few = counted(&f, 1), many = counted(&f, 1 + TURNS);
		assert_true(few > 0 && few < 40);
		if (many - few != 3l * TURNS) fail_msg("%s: %ld instructions were counted, %ld made", board[i]->target, many - few, 3l * TURNS);
		close_folder(&f);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* The smallest cores: soft floats, 16 KB; a SysTick that goes round; vectors. */
static void on_other_boards(void **state)
{
	(void)state;
	if (!have_arm()) {
		print_message("skipped: needs arm-none-eabi-gcc with newlib and qemu-system-arm\n");
		skip();
	}
	cop_ctx *cx = new_ctx();
	cop_graph *small = zoo(cx, "mlp-12x5x12", 4, 0), *mixed = mixed_net(cx), *speech = zoo(cx, "ds-cnn", 1, 0);

	check_inference(cx, small, &m0);
	check_inference(cx, mixed, &m3);
	check_inference(cx, speech, &m55);
	cop_graph_free(small);
	cop_graph_free(mixed);
	cop_graph_free(speech);
	cop_ctx_free(cx);
}

/* Two memories, of the second not enough: both are used. On boards the fast one is where the board has it. */
static void two_memories(void **state)
{
	(void)state;
	bool arm = have_arm();
	if (!arm) print_message("boards are skipped: they need arm-none-eabi-gcc with newlib and qemu-system-arm\n");
	for (int i = 0; i < (arm ? LEN(two) : 1); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *mixed = mixed_net(cx), *speech = zoo(cx, "ds-cnn", 1, 0), *bytes = int8_net(cx, true);
		machine little = two[i];
		little.fast = 1024;
		check_inference(cx, mixed, &two[i]);
		check_inference(cx, speech, &two[i]);
		check_inference(cx, bytes, &little);
		check_training(cx, mixed, &two[i], sgd);
		cop_graph_free(mixed);
		cop_graph_free(speech);
		cop_graph_free(bytes);
		cop_ctx_free(cx);
	}
}

/* What the sentence must name, and that no file was written. */
static void refused(cop_ctx *cx, const cop_graph *g, const char *target, const cop_emit_args *a, cop_status want, const char *text)
{
	cop_target t;
	folder f = {.path = "/nonexistent"};

	OK(cx, cop_target_find(&t, cx, target));
	assert_int_equal(cop_emit_c(g, &t, a, put_file, &f), want);
	if (!strstr(cop_error_text(cx), text)) fail_msg("got \"%s\", expected \"%s\"", cop_error_text(cx), text);
	assert_int_equal(f.files, 0);
	cop_error_clear(cx);
}

static void refusals(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *wide = zoo(cx, "mlp-40x40", 1000, 0), *lenet = zoo(cx, "lenet-5", 1, 0), *small = zoo(cx, "mlp-4x3", 1, 0);
	const cop_emit_args plain = {.name = "net"}, train = {.name = "net", .train = true, .train_spec = sgd};

	refused(cx, wide, "netduinoplus2", &plain, COP_BUDGET, "peak is at fc 'fc1.w'");
	refused(cx, wide, "netduinoplus2", &train, COP_BUDGET, "peak is at");
	refused(cx, lenet, "netduinoplus2", &plain, COP_BUDGET, "1048576 bytes of flash");
	refused(cx, small, "cortex-m4", &(cop_emit_args){.name = "main"}, COP_ARG, "'main' is taken by the board's own main.c");
	refused(cx, small, "host", &(cop_emit_args){.name = "cop_math"}, COP_ARG, "cop_");
	refused(cx, small, "host", &(cop_emit_args){.name = "net", .train = true, .train_spec = "layers=none"}, COP_ARG, "no parameter matches");
	cop_graph_free(wide);
	cop_graph_free(lenet);
	cop_graph_free(small);
	cop_ctx_free(cx);
}

/* Whichever write fails: its status comes back and no other file follows. */
static void failing_writes(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = zoo(cx, "mlp-4x3", 1, 0);
	cop_target t;
	folder f;

	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	open_folder(&f);
	OK(cx, cop_emit_c(g, &t, NULL, put_file, &f));
	for (int files = f.files, i = 1; i <= files; i++) {
		f.files = 0;
		f.fail_at = i;
		assert_int_equal(cop_emit_c(g, &t, NULL, put_file, &f), COP_IO);
		assert_int_equal(f.files, i);
		cop_error_clear(cx);
	}
	close_folder(&f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_host),      cmocka_unit_test(training_on_host), cmocka_unit_test(on_cortex_m4),
		cmocka_unit_test(on_other_boards), cmocka_unit_test(int8_on_host), cmocka_unit_test(int8_on_boards), cmocka_unit_test(counts_are_exact), cmocka_unit_test(two_memories), cmocka_unit_test(refusals),     cmocka_unit_test(failing_writes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
