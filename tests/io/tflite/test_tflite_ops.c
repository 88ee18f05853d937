/* SPDX-License-Identifier: Apache-2.0
 *
 * Single int8, int16 and uint8 operators of TensorFlow Lite: every byte of TFLite's reference kernels, by each instruction set that this machine
 * can run or write out in C (tests/io/tflite/reference/tflite_ops.txt, by make_tflite_ops_reference.py).
 */
#include "help.h"
#include "io/tflite/tfl_make.h"
#include "io/cop/cop.h"

static const int32_t isas[] = {COP_ISA_REF, COP_ISA_DSP, COP_ISA_ALL & ~COP_ISA_DSP};

/* "type dims scale zero contents"; contents are left in `room`. */
static void read_tensor(tfl_tensor *t, const char *text, uint8_t *room)
{
	char dims[64], hex[4096];
	int zero, at = 0, more;

	*t = (tfl_tensor){0};
	assert_int_equal(sscanf(text, "%d %63[0-9,] %f %d %4095s", &t->type, dims, &t->scale, &zero, hex), 5);
	t->zero = zero;
	for (; sscanf(dims + at, "%d%n", &t->dim[t->rank], &more) == 1; at += more + (dims[at + more] == ',')) t->rank++;
	if (*hex == '-') return;
	for (unsigned b; sscanf(hex + 2 * t->bytes, "%2x", &b) == 1;) room[t->bytes++] = (uint8_t)b;
	t->data = room;
}

/* "OPERATOR FILL CRC INPUTS OPERANDS RESULT FIELD:WORD..." */
static void read_operator(tfl_model *x, const char *text, char fill[16], uint32_t *crc, uint32_t *inputs)
{
	static const char *const names[] = {
#define TFL(name, add, least, most) #name,
#define NO(name) #name,
#include "io/tflite/tflite.def"
#undef TFL
#undef NO
	};
	char name[40], operands[40];
	int at, more;
	unsigned word;

	assert_int_equal(sscanf(text, "%39s %15s %x %u %39s %d%n", name, fill, crc, inputs, operands, &x->out[0], &at), 6);
	x->n_out = 1;
	while (strcmp(names[x->code], name)) assert_true(++x->code < LEN(names));
	for (const char *p = operands; sscanf(p, "%d%n", &x->in[x->n_in], &more) == 1; p += more + (p[more] == ',')) x->n_in++;
	for (; sscanf(text + at, " %d:%x%n", &x->option[x->n_option].at, &word, &more) == 2; at += more) x->option[x->n_option++].value = (int32_t)word;
}

/* A byte as a number: eighths, whole numbers, truths. */
static void put(const cop_tensor *x, int64_t i, uint8_t b, bool truth)
{
	if (x->type.dtype == COP_F32) ((float *)x->data)[i] = ((float)b - 128) / 8;
	else if (x->type.dtype == COP_I32) ((int32_t *)x->data)[i] = b - 128;
	else if (x->type.dtype == COP_I16) ((int16_t *)x->data)[i] = (int16_t)((b * 40503 & 0xffff) - 32768);
	else ((uint8_t *)x->data)[i] = truth ? b % 2 : b;
}

static void fill_inputs(cop_session *s, const tfl_model *m, uint32_t n, bool count)
{
	uint32_t state = 12345, at = 0;
	cop_tensor x;

	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(cop_session_io(s, 0, (int)i, false, &x), COP_OK);
		for (int64_t e = 0; e < cop_type_count(&x.type); e++) {
			state = state * 1664525u + 1013904223u;
			put(&x, e, (uint8_t)(count ? at++ : state >> 24), m->t[i].type == TFL_BOOL);
		}
	}
}

static uint32_t run(cop_ctx *cx, const tfl_model *x, uint32_t inputs, bool count, int32_t isa, const char *line)
{
	cop_graph *g;
	cop_plan *p;
	cop_session *s;
	cop_target t;
	cop_tensor y;
	maker m;

	make_model_of(&m, x, inputs);
	if (cop_model_read(&g, cx, m.p, m.n)) {
		print_message("%.60s: %s\n", line, cop_error_text(cx));
		cop_error_clear(cx);
		return 0;
	}
	OK(cx, cop_target_find(&t, cx, "host"));
	t.isa = isa & COP_ISA_DSP ? COP_ISA_DSP : t.isa & (uint32_t)isa;
	OK(cx, cop_graph_apply(&g, "to_infer fuse"));
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	OK(cx, cop_session_new(&s, p, 1));
	fill_inputs(s, x, inputs, count);
	OK(cx, cop_session_run(s, 0));
	OK(cx, cop_session_io(s, 0, 0, true, &y));
	uint32_t crc = cop__crc32c(y.data, cop_type_bytes(&y.type), 0);
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(g);
	return crc;
}

static void every_line(void **state)
{
	static char line[1 << 13];
	static uint8_t room[8][2048];
	FILE *f = fopen(COP_SOURCE_DIR "/tests/io/tflite/reference/tflite_ops.txt", "r");
	int lines = 0, wrong = 0;

	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		tfl_model x = {0};
		char fill[16];
		uint32_t crc, inputs;
		read_operator(&x, line, fill, &crc, &inputs);
		for (const char *p = strstr(line, " | "); p; p = strstr(p + 3, " | ")) read_tensor(&x.t[x.n_tensor], p + 3, room[x.n_tensor]), x.n_tensor++;
		for (int i = 0; i < LEN(isas); i++)
			if (run(*state, &x, inputs, !strcmp(fill, "count"), isas[i], line) != crc) print_message("other bytes by instruction set %d: %s", isas[i], line), wrong++;
		lines++;
	}
	fclose(f);
	print_message("%d operators\n", lines);
	assert_true(lines > 100);
	assert_int_equal(wrong, 0);
}

static int setup(void **state) { return cop_ctx_new((cop_ctx **)state, NULL); }
static int teardown(void **state)
{
	cop_ctx_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_line)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
