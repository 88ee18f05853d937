/* SPDX-License-Identifier: Apache-2.0
 *
 * A model written as C, compiled and run, against the session of the portable kernels: the same bits, for inference
 * and after 10 training steps, on this machine and on emulated boards. What does not fit is refused with the layer's
 * name, and nothing is written. That boards count instructions exactly is checked with loops of a known length.
 */
#define _GNU_SOURCE
#include "emit/coded.h"
#include "pass/bits_net.h"
#include "emit/keeping.h"
#include "emit/training.h"
#include "train/build.h"

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

/* An int8 network that is trained as it is: some of its weights, which the board packs anew for each run, some biases alone, and a layer of floats. */
static void train_int8(cop_ctx *cx, const machine *m)
{
#define INT8 "qsgd layers=c2.*|c3.w|c4.*|dw.w|fc.*|head.w lr=0.02"
	static const char *const spec[] = {INT8, INT8, INT8 " errors=int8"};

	for (int i = 0; i < LEN(spec); i++) {
		cop_graph *g = trained_net(cx, i == 1); /* of the double rounding */
		int32_t n;
		OK(cx, cop_graph_trainable(&g, spec[i], &n));
		assert_int_equal(n, 5);
		check_training(cx, g, m, spec[i]);
		check_inference(cx, g, m);
		cop_graph_free(g);
	}
}

/* Some input channels alone: of int8 layers, plain and depthwise, and of floats. */
static void train_parts(cop_ctx *cx, const machine *m)
{
#define PARTS INT8 " channels=c2.w:0.25;c3.w:0.5;dw.w:0.5;head.w:0.25"
	static const char *const spec[] = {PARTS, "sgd momentum=0.9 lr=0.01 channels=conv2*:0.5;fc1*:0.125", PARTS " errors=int8"};

	for (int i = 0; i < LEN(spec); i++) {
		cop_graph *g = i == 1 ? zoo(cx, "lenet-5", 1, 0) : trained_net(cx, false);
		int32_t n;
		OK(cx, cop_graph_trainable(&g, spec[i], &n));
		check_training(cx, g, m, spec[i]);
		check_inference(cx, g, m);
		cop_graph_free(g);
	}
}

/* What was learnt, kept by the program in a flash that loses its power: of integers, and of floats with batch norm, whose running means are kept, too. */
static void keeping_on(cop_ctx *cx, const machine *m)
{
	static const char spec[] = "qsgd layers=c2.*|c4.b|fc.*|head.w lr=0.02";
	cop_graph *g = trained_net(cx, true), *mixed = mixed_net(cx);
	int32_t n;

	OK(cx, cop_graph_trainable(&g, spec, &n));
	check_keeping(cx, g, m, spec);
	check_keeping(cx, mixed, m, sgd);
	cop_graph_free(g);
	cop_graph_free(mixed);
}

static void what_was_learnt_is_kept(void **state)
{
	cop_ctx *cx = new_ctx();

	(void)state;
	keeping_on(cx, &host);
	if (have_arm()) keeping_on(cx, &m4);
	cop_ctx_free(cx);
}

/* A sample of no number in the middle: its step is refused, here and there, and the parameters stay finite and the same. That is so without a word in the rule, too. */
static void a_step_without_a_loss_is_refused(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *coder = zoo(cx, "mlp-12x5x12", 4, 0), *lenet = zoo(cx, "lenet-5", 1, 0);

	(void)state;
	bad_step = 20;
	check_training(cx, coder, &host, "loss=mse adam lr=0.05 guard=yes");
	check_training(cx, lenet, &host, "momentum=0 lr=1e-3 guard=yes");
	if (have_arm()) check_training(cx, coder, &netduino, "loss=mse adam lr=0.05 guard=yes");
	bad_step = -1;
	check_training(cx, coder, &host, "loss=mse adam lr=0.05 guard=no");
	cop_graph_free(coder);
	cop_graph_free(lenet);
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
	check_training(cx, mixed, &host, "lr=0.1 saved=int8-all");
	train_int8(cx, &host);
	train_parts(cx, &host);
	check_training(cx, lenet, &host, "muon lr=1e-2");
	check_training(cx, mixed, &host, "mezo lr=1e-3 eps=0.01 last=fc* guard=yes");
	check_training(cx, mixed, &host, "schedule-free lr=0.1 clip=1");
	check_training(cx, mixed, &host, "adam lr=1e-3 by=(sgd momentum=0 lr=1e-5 by=(sgd lr=1e-9))");
	cop_graph_free(mixed);
	cop_graph_free(coder);
	cop_graph_free(lenet);
	cop_ctx_free(cx);
}

/* Each rule of the table, and each with its numbers learnt where it has some. */
static void every_rule(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *coder = zoo(cx, "mlp-12x5x12", 4, 0);
	char spec[96];

	for (int i = 0; cop_updates.row(i); i++) {
		const cop_update *u = (const cop_update *)(const void *)cop_updates.row(i);
		for (int learns = 0; learns <= !!u->learns[0].name; learns++) {
			snprintf(spec, sizeof spec, "loss=mse %s lr=0.05%s", u->row.name, learns ? " by=(sgd lr=1e-3) per=weight" : "");
			check_training(cx, coder, &host, spec);
		}
	}
	cop_graph_free(coder);
	cop_ctx_free(cx);
}

static void on_cortex_m4(void **state)
{
	(void)state;
	need_arm();
	cop_ctx *cx = new_ctx();
	cop_graph *mixed = mixed_net(cx), *lenet = zoo(cx, "lenet-5", 1, 0), *coder = zoo(cx, "mlp-12x5x12", 4, 0), *sparse = encoded_net(cx, COP_SPARSE);

	check_inference(cx, lenet, &m4);
	check_inference(cx, mixed, &m4);
	check_inference(cx, sparse, &m4);
	check_training(cx, lenet, &m4, "momentum=0 lr=1e-3");
	check_training(cx, mixed, &m4, sgd);
	check_training(cx, mixed, &m4, "mezo lr=1e-3 eps=0.01 decay=0.1 guard=yes");
	check_training(cx, mixed, &m4, "lr=0.1 saved=int8-all");
	check_training(cx, coder, &netduino, "loss=mse adam lr=0.1");
	train_int8(cx, &m4);
	train_parts(cx, &m4);
	check_training(cx, coder, &netduino, "loss=mse schedule-free lr=0.1");
	check_training(cx, coder, &netduino, "loss=mse adam lr=0.1 by=(sgd lr=1e-3)");
	cop_graph_free(mixed);
	cop_graph_free(lenet);
	cop_graph_free(coder);
	cop_graph_free(sparse);
	cop_ctx_free(cx);
}

/* The steps of a plan for a board that are sums of shifts. */
static int32_t shift_steps(cop_ctx *cx, cop_graph *g, const char *machine)
{
	cop_target t;
	cop_plan *p;
	int32_t n = 0;

	OK(cx, cop_target_find(&t, cx, machine));
	t.isa &= COP_ISA_DSP;
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	for (int32_t s = 0; s < p->entry[0].n_step; s++) n += !strcmp(p->entry[0].step[s].kernel->symbol, int8_shifts == 2 ? "cop_qlists_i8" : "cop_qshift_i8");
	cop_plan_free(p);
	return n;
}

/* Weights that are powers of two, by shifts (how 1) or lists (2), and as bytes: the same bits. Coded besides, on a host, in parts. */
static void check_shifts(cop_ctx *cx, const machine *m, bool twice, int how)
{
	int8_shifts = how;
	cop_graph *g = int8_net(cx, twice), *bytes;
	recorded r = record_model(cx, g), plain;

	OK(cx, cop_graph_copy(&bytes, g));
	for (cop_nid n = 1; n <= (cop_nid)bytes->n_node; n++)
		if (bytes->node[n].op == OP_qconv) bytes->node[n].attr[15] = 0;
	plain = record_model(cx, bytes);
	expect_same(r.out, plain.out, plain.n_out, "shifts");
	assert_int_equal(shift_steps(cx, bytes, m->target), 0);
	assert_int_equal(shift_steps(cx, g, m->target), 5);
	check_inference(cx, g, m);
	if (m == &host) OK(cx, cop_graph_apply(&g, "code:most=1,buffer=300"));
	if (m == &host) check_inference(cx, g, m);
	free(r.in), free(r.out), free(plain.in), free(plain.out);
	cop_graph_free(bytes);
	cop_graph_free(g);
	int8_shifts = 0;
}

static cop_vid random_floats(cop_graph *g, const char *name, int32_t rank, const int32_t *dim)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	cop_vid v = cop__data(g, COP_CONST, name, &t, NULL);
	float *p = cop__own(g, v);

	for (int64_t i = 0; i < cop_type_count(&t); i++) p[i] = cop__rand_normal(9, cop__hash_text(name), (uint64_t)i);
	return v;
}

/* Sums of distances in floats, and as integers behind them. */
static cop_graph *distances_net(cop_ctx *cx)
{
	const cop_addconv_attr a = {{1, 1, 1, 1, 1, 1, 1, 1, 1, -9, COP_NO_HI}, 0};
	const cop_qconv_attr q = {2, 1, 0, 1, 1, 0, 1, 1, 2, -3, 90, -128, 127, 0, 0, 0};
	cop_type x = cop__type(COP_F32, 4, DIMS(1, 6, 5, 3)), w = cop__type(COP_I8, 4, DIMS(6, 2, 2, 2)), b = cop__type(COP_I32, 1, DIMS(6));
	int8_t weight[48];
	int32_t bias[6], m[6];
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "distances"));
	for (int i = 0; i < 48; i++) weight[i] = (int8_t)cop__rand(9, 1, (uint64_t)i);
	for (int i = 0; i < 6; i++) bias[i] = 100 * i, m[i] = (i % 2 ? -1 : 1) * (1 << 29) / (i + 1); /* factors of both signs */
	cop_vid v = cop__apply(g, OP_addconv, &a, VIDS(cop__input(g, "x", &x), random_floats(g, "w", 4, DIMS(4, 3, 3, 3)), random_floats(g, "s", 1, DIMS(4)), random_floats(g, "b", 1, DIMS(4))));
	v = cop__apply(g, OP_quantize, &(cop_quantize_attr){0.2f, -3, COP_I8}, VIDS(v));
	v = cop__apply(g, OP_qaddconv, &q, VIDS(v, cop__data(g, COP_CONST, "qw", &w, weight), cop__data(g, COP_CONST, "qb", &b, bias), cop__data(g, COP_CONST, "qm", &b, m)));
	OK(cx, cop__output(g, cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.1f, 90}, VIDS(v)), "y"));
	return g;
}

static void check_distances(cop_ctx *cx, const machine *m)
{
	cop_graph *g = distances_net(cx);

	check_inference(cx, g, m);
	cop_graph_free(g);
}

static void shifts_on_host(void **state)
{
	(void)state;
	for (int isa = 0; isa < 2; isa++) {
		setenv("COPPICE_ISA", isa ? "dsp" : "ref", 1);
		cop_ctx *cx = new_ctx();
		check_shifts(cx, &host, isa, 1);
		check_shifts(cx, &host, isa, 2);
		check_distances(cx, &host);
		cop_ctx_free(cx);
	}
	unsetenv("COPPICE_ISA");
}

/* Kernels for DSP instructions are C on machines without them: their packed weights lie in flash, the others are gone. */
static void int8_on_host(void **state)
{
	(void)state;
	for (int isa = 0; isa < 2; isa++) {
		setenv("COPPICE_ISA", isa ? "dsp" : "ref", 1);
		cop_ctx *cx = new_ctx();
		for (int i = 0; i < 3; i++) {
			int8_zeros = i < 2 ? 0 : 92; /* kernels for sparse weights */
			cop_graph *g = int8_net(cx, i % 2);
			check_inference(cx, g, &host);
			cop_graph_free(g);
		}
		cop_ctx_free(cx);
	}
	int8_zeros = 0;
	unsetenv("COPPICE_ISA");
}

/* Networks of bits: whole bytes of channels and a pool of sums; odd ones, with padding that stands for nothing. */
static void check_bits(cop_ctx *cx, const machine *m)
{
	static const int which[] = {4, 3};

	for (int i = 0; i < LEN(which); i++) {
		cop_graph *floats = bits_network(cx, &bits_nets[which[i]]), *g;
		OK(cx, cop__pass_bits(&g, floats));
		check_inference(cx, g, m);
		cop_graph_free(floats);
		cop_graph_free(g);
	}
}

/* Shortcuts around layers of bits, in floats, with an edge for each channel; and in bytes, with sums that lie on what they are added to. */
static void check_shortcuts(cop_ctx *cx, const machine *m)
{
	const cop_qrange rx = {1.0f / 64, -9, -128, 127}, ry = {1.0f / 40, -35, -128, 127};
	cop_graph *g = bits_blocks(cx, "a", "b"), *bits, *bytes;

	OK(cx, cop__pass_bits(&bits, g));
	bytes = bits_lowered(cx, bits, rx, ry);
	check_inference(cx, bits, m);
	check_inference(cx, bytes, m);
	cop_graph_free(g), cop_graph_free(bits), cop_graph_free(bytes);
}

static void bits(void **state)
{
	(void)state;
	setenv("COPPICE_ISA", "ref", 1);
	cop_ctx *cx = new_ctx();
	check_bits(cx, &host);
	check_shortcuts(cx, &host);
	if (have_arm()) check_bits(cx, &m4), check_shortcuts(cx, &m4);
	cop_ctx_free(cx);
	unsetenv("COPPICE_ISA");
}

static void coded_on_host(void **state)
{
	(void)state;
	for (int isa = 0; isa < 2; isa++) {
		setenv("COPPICE_ISA", isa ? "dsp" : "ref", 1);
		cop_ctx *cx = new_ctx();
		check_coded(cx, &host, isa, LEN(coded_as));
		for (int bits = 2; bits <= 4; bits += 2) check_few_bits(cx, &host, isa, bits);
		if (isa) check_parts(cx, &host);
		cop_ctx_free(cx);
	}
	unsetenv("COPPICE_ISA");
}

static void linked(void **state)
{
	(void)state;
	need_arm();
	cop_ctx *cx = new_ctx();
	check_linked(cx);
	cop_ctx_free(cx);
}

static void int8_on_boards(void **state)
{
	(void)state;
	need_arm();
	cop_ctx *cx = new_ctx();
	cop_graph *single = int8_net(cx, false), *twice = int8_net(cx, true);

	check_inference(cx, single, &m4);
	check_inference(cx, twice, &m4);
	check_inference(cx, twice, &m3);
	check_inference(cx, single, &m0);
	check_coded(cx, &m4, 0, SHORTER);
	check_coded(cx, &m0, 1, 2);
	check_coded(cx, &m0, 4, 5);
	check_parts(cx, &m4);
	for (int bits = 2; bits <= 4; bits += 2) {
		check_few_bits(cx, &m4, true, bits);
		check_few_bits(cx, &m0, false, bits);
	}
	check_shifts(cx, &m0, false, 1);
	check_shifts(cx, &m0, false, 2);
	check_distances(cx, &m0);
	check_shifts(cx, &m4, true, 1);
	check_shifts(cx, &m4, true, 2);
	int8_zeros = 92;
	cop_graph *sparse = int8_net(cx, true);
	check_inference(cx, sparse, &m4);
	check_inference(cx, sparse, &m0);
	int8_zeros = 0;
	cop_graph_free(sparse);
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
	enum { TURNS = 12345678 };
	const char *name;

	(void)state;
	need_arm();
	cop_ctx *cx = new_ctx();
	cop_graph *g = zoo(cx, "mlp-4x3", 1, 0);
	for (int i = 0; (name = cop_target_name(i, NULL)); i++) {
		const machine board = {name, build_arm, "make -s -C check run", NULL, 0};
		const float x[4] = {0};
		folder f;
		if (!strcmp(name, "host")) continue;
		open_folder(&f);
		emit(cx, &f, g, &board, NULL);
		write_bytes(&f, "check/x.bin", x, sizeof x);
		long few = counted(&f, 1), many = counted(&f, 1 + TURNS);
		assert_true(few > 0 && few < 40);
		if (many - few != 3l * TURNS) fail_msg("%s: %ld instructions were counted, %ld made", name, many - few, 3l * TURNS);
		close_folder(&f);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* The smallest cores: soft floats, 16 KB; a SysTick that goes round; vectors. */
static void on_other_boards(void **state)
{
	(void)state;
	need_arm();
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
		cmocka_unit_test(on_host),      cmocka_unit_test(training_on_host), cmocka_unit_test(what_was_learnt_is_kept), cmocka_unit_test(a_step_without_a_loss_is_refused), cmocka_unit_test(every_rule), cmocka_unit_test(on_cortex_m4),
		cmocka_unit_test(on_other_boards), cmocka_unit_test(int8_on_host), cmocka_unit_test(bits), cmocka_unit_test(coded_on_host), cmocka_unit_test(shifts_on_host), cmocka_unit_test(linked), cmocka_unit_test(int8_on_boards), cmocka_unit_test(counts_are_exact), cmocka_unit_test(two_memories), cmocka_unit_test(refusals),     cmocka_unit_test(failing_writes),
	};
	cmocka_set_test_filter(getenv("F"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
