/* SPDX-License-Identifier: Apache-2.0
 *
 * TensorFlow Lite models: results against TFLite's reference kernels (tests/io/tflite/reference/tflite.txt, by make_tflite_reference.py)
 * for models of others below COPPICE_MODELS; files made here, sound and broken.
 */
#include "help.h"
#include "io/tflite/tfl_make.h"
#include "io/cop/cop.h"

#include <unistd.h>

/* ---- models of others ---- */

static uint8_t next_byte(uint32_t *s)
{
	*s = *s * 1664525u + 1013904223u;
	return (uint8_t)(*s >> 24);
}

/* dim: few bits of each byte, for networks that noise drives to their ends. */
static void fill_input(cop_tensor *x, int32_t k, bool dim)
{
	uint32_t s = 12345 + (uint32_t)k;

	for (int64_t i = 0; i < cop_type_count(&x->type); i++) {
		uint8_t b = next_byte(&s);
		if (x->type.dtype == COP_F32) ((float *)x->data)[i] = (float)b / 128 - 1;
		else ((uint8_t *)x->data)[i] = dim ? (uint8_t)((b >> 3) - 128) : b;
	}
}

typedef struct net { cop_graph *g; cop_plan *plan; cop_session *s; cop_tensor x, y; } net;

/* By the portable kernels: theirs are the numbers. */
static void open_net(net *o, cop_ctx *cx, cop_graph *g)
{
	cop_target t;

	o->g = g;
	OK(cx, cop_target_find(&t, cx, "host"));
	t.isa = COP_ISA_REF;
	OK(cx, cop_graph_apply(&o->g, "to_infer fuse"));
	OK(cx, cop_plan_build(&o->plan, &o->g, 1, &t));
	OK(cx, cop_session_new(&o->s, o->plan, 1));
	OK(cx, cop_session_io(o->s, 0, 0, false, &o->x));
	OK(cx, cop_session_io(o->s, 0, 0, true, &o->y));
}

static void close_net(net *o)
{
	cop_session_free(o->s);
	cop_plan_free(o->plan);
	cop_graph_free(o->g);
}

static void check_bytes(cop_ctx *cx, net *o, int n, uint32_t want, bool dim)
{
	uint32_t crc = 0;

	for (int k = 0; k < n; k++) {
		fill_input(&o->x, k, dim);
		OK(cx, cop_session_run(o->s, 0));
		crc = cop__crc32c(o->y.data, cop_type_bytes(&o->y.type), crc);
	}
	assert_int_equal(crc, want);
}

static void check_reals(cop_ctx *cx, net *o, int n, int count, const char *at)
{
	for (int k = 0; k < n; k++) {
		fill_input(&o->x, k, false);
		OK(cx, cop_session_run(o->s, 0));
		for (int i = 0; i < count; i++) {
			char *end;
			double want = strtod(at, &end), have = (double)((float *)o->y.data)[i];
			if (end == at || !(fabs(want - have) <= 1e-4 * fmax(1, fabs(want)))) fail_msg("input %d, result %d is %g, expected %g", k, i, have, want);
			at = end;
		}
	}
}

/* "OFFSET BITS ...": the model in the file with these words at these bytes. */
static cop_status load_other(cop_graph **out, cop_ctx *cx, const char *path, const char *at)
{
	void *data;
	size_t size, offset;
	unsigned bits;
	int read;

	OK(cx, cop_file_read(&data, &size, cx, path, 0));
	for (; sscanf(at, "%zu %x%n", &offset, &bits, &read) == 2; at += read) {
		assert_true(offset + 4 <= size);
		cop__put32((uint8_t *)data + offset, bits);
	}
	cop_status st = cop__tflite_read(out, cx, path, data, size);
	cop_free(cx, data);
	return st;
}

static void test_models(void **state)
{
	const char *root = getenv("COPPICE_MODELS");
	static char line[1 << 14];
	char path[1024], kind[8], file[256];
	int n, count, at, tested = 0, absent = 0;
	uint32_t crc;
	FILE *f = fopen(COP_SOURCE_DIR "/tests/io/tflite/reference/tflite.txt", "r");

	assert_non_null(f);
	while (root && fgets(line, sizeof line, f)) {
		cop_ctx *cx = *state;
		cop_graph *g;
		net o = {0};
		assert_int_equal(sscanf(line, "%7s %255s %d%n", kind, file, &n, &at), 3);
		snprintf(path, sizeof path, "%s/%s", root, file);
		if (access(path, R_OK)) {
			absent++;
			continue;
		}
		if (strcmp(kind, "other") ? cop_model_load(&g, cx, path) : load_other(&g, cx, path, line + at + 9)) fail_msg("%s", cop_error_text(cx));
		open_net(&o, cx, g);
		print_message("%s\n", file);
		if (strcmp(kind, "reals")) {
			assert_int_equal(sscanf(line + at, "%x", &crc), 1);
			check_bytes(cx, &o, n, crc, strcmp(kind, "bytes"));
		} else {
			int more;
			assert_int_equal(sscanf(line + at, "%d%n", &count, &more), 1);
			check_reals(cx, &o, n, count, line + at + more);
		}
		close_net(&o);
		tested++;
	}
	fclose(f);
	if (!tested) print_message("no models of others: COPPICE_MODELS is %s, %d are absent\n", root ? root : "not set", absent);
}

/* ---- files made here ---- */

static const int8_t fc_w[2] = {2, -3};
static const int32_t fc_b[1] = {4};

/* y = 2 a - 3 b + 4, then + 10: all scales together are 1. */
static const tfl_model fc_model = {4, {{TFL_INT8, 2, {1, 2}, 0.5f, 0, NULL, 0}, {TFL_INT8, 2, {1, 2}, 1, 0, fc_w, 2}, {TFL_INT32, 1, {1}, 0.5f, 0, fc_b, 4}, {TFL_INT8, 2, {1, 1}, 0.5f, 10, NULL, 0}},
	TFL_FULLY_CONNECTED, 3, 1, {0, 1, 2}, {3}, 1, {{FC_ACT, 'B', ACT_NONE}}};

static void test_made(void **state)
{
	static const struct { int8_t a, b, y; } rows[] = {{5, 3, 15}, {0, 0, 14}, {-20, 30, -116}, {127, -128, 127}, {-128, 127, -128}, {1, 5, 1}};
	cop_ctx *cx = *state;
	cop_graph *g;
	maker m;
	net o = {0};

	make_model(&m, &fc_model);
	OK(cx, cop_model_read(&g, cx, m.p, m.n));
	open_net(&o, cx, g);
	assert_true(*o.x.type.q.scale == 0.5f && *o.x.type.q.zero == 0 && *o.y.type.q.zero == 10);
	for (int i = 0; i < LEN(rows); i++) {
		((int8_t *)o.x.data)[0] = rows[i].a;
		((int8_t *)o.x.data)[1] = rows[i].b;
		OK(cx, cop_session_run(o.s, 0));
		assert_int_equal(*(int8_t *)o.y.data, rows[i].y);
	}
	float reals[2] = {2.6f, -100}, y; /* 5 and -128 in integers: 2 * 5 + 3 * 128 + 14 is beyond */
	cop_tensor from = {cop__type(COP_F32, 2, DIMS(1, 2)), reals}, to = {cop__type(COP_F32, 2, DIMS(1, 1)), &y};
	OK(cx, cop_tensor_copy(cx, &o.x, &from));
	assert_true(((int8_t *)o.x.data)[0] == 5 && ((int8_t *)o.x.data)[1] == -128);
	OK(cx, cop_session_run(o.s, 0));
	OK(cx, cop_tensor_copy(cx, &to, &o.y));
	assert_true(y == 0.5f * (127 - 10));
	close_net(&o);
}

static cop_status into(void *ud, const void *bytes, size_t size)
{
	cop__text_bytes(ud, bytes, size);
	return ((cop_text *)ud)->status;
}

/* Scales of inputs and outputs stay: in the text, in a .cop file, through passes. */
static void test_scales_stay(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g, *h;
	maker m;
	cop_text text, file;

	make_model(&m, &fc_model);
	OK(cx, cop_model_read(&g, cx, m.p, m.n));
	cop__text_init(&text, cx);
	cop__text_init(&file, cx);
	OK(cx, cop_graph_apply(&g, "batch:n=3 to_infer fuse dce"));
	OK(cx, cop_graph_print(g, into, &text));
	cop__text_bytes(&text, "", 1);
	assert_non_null(strstr(text.data, "input x i8[3,2] scale=0.5 zero=0\n"));
	assert_non_null(strstr(text.data, " scale=0.5 zero=10\n"));
	OK(cx, cop__model_write(&file, g, NULL, 0, COP_CODEC_RAW));
	OK(cx, cop_model_read(&h, cx, file.data, file.len));
	assert_true(*cop__t(h, h->input[0])->q.scale == 0.5f && *cop__t(h, h->output[0])->q.zero == 10);
	cop__text_free(&text);
	cop__text_free(&file);
	cop_graph_free(g);
	cop_graph_free(h);
}

/* Coarse scales shift the table's second factor to the left, negative ones too: within a unit of x relu6(x + 3) / 6. */
static void test_hard_swish(void **state)
{
	static const tfl_model model = {2, {{TFL_INT8, 2, {1, 256}, 0.5f, 0, NULL, 0}, {TFL_INT8, 2, {1, 256}, 0.5f, 0, NULL, 0}}, TFL_HARD_SWISH, 1, 1, {0}, {1}, 0, {{0}}};
	cop_ctx *cx = *state;
	cop_graph *g;
	maker m;
	net o = {0};

	make_model(&m, &model);
	OK(cx, cop_model_read(&g, cx, m.p, m.n));
	open_net(&o, cx, g);
	for (int i = 0; i < 256; i++) ((int8_t *)o.x.data)[i] = (int8_t)(i - 128);
	OK(cx, cop_session_run(o.s, 0));
	for (int i = 0; i < 256; i++) {
		double x = 0.5 * (i - 128), want = fmin(x * fmin(fmax(x + 3, 0), 6) / 6 / 0.5, 127);
		if (fabs(((int8_t *)o.y.data)[i] - want) > 1) fail_msg("%g gives %d, expected %g", x, ((int8_t *)o.y.data)[i], want);
	}
	close_net(&o);
}

/* One step of the input's scale is more than all steps of the output's. */
static void test_far_scales(void **state)
{
	static const tfl_model model = {2, {{TFL_INT8, 2, {1, 3}, 0x1p40f, 2, NULL, 0}, {TFL_INT8, 2, {1, 3}, 0x1p-10f, -5, NULL, 0}}, TFL_QUANTIZE, 1, 1, {0}, {1}, 0, {{0}}};
	static const int8_t x[3] = {1, 2, 3}, y[3] = {-128, -5, 127};
	cop_ctx *cx = *state;
	cop_graph *g;
	maker m;
	net o = {0};

	make_model(&m, &model);
	OK(cx, cop_model_read(&g, cx, m.p, m.n));
	open_net(&o, cx, g);
	memcpy(o.x.data, x, sizeof x);
	OK(cx, cop_session_run(o.s, 0));
	for (int i = 0; i < 3; i++) assert_int_equal(((int8_t *)o.y.data)[i], y[i]);
	close_net(&o);
}

/* ---- refused, with the reason ---- */

static void where(tfl_model *x) { x->code = TFL_WHERE; }
static void unknown_code(tfl_model *x) { x->code = 4711; }
static void int16_bias(tfl_model *x) { x->t[0].type = x->t[3].type = TFL_INT16, x->t[3].zero = 0; }
static void int16_zero(tfl_model *x) { int16_bias(x), x->t[0].zero = 3; }
static void int16_slice(tfl_model *x) { int16_bias(x), x->code = TFL_DEPTH_TO_SPACE, x->n_in = 1; }
static void int16_sum(tfl_model *x)
{
	static const tfl_tensor t = {TFL_INT16, 1, {4}, 0.25f, 0, NULL, 0};
	*x = (tfl_model){3, {t, t, t}, TFL_ADD, 2, 1, {0, 0}, {2}, 0, {{0}}};
}
static void far_input(tfl_model *x) { x->in[1] = 9; }
static void short_weights(tfl_model *x) { x->t[1].bytes = 1; }
static void no_scale(tfl_model *x) { x->t[3].scale = 0; }
static void wrong_zero(tfl_model *x) { x->t[0].zero = 200; }
static void least_zero(tfl_model *x) { x->t[0].type = TFL_UINT8, x->t[0].zero = INT64_MIN; }
static void zero_scale(tfl_model *x) { x->t[3].scale = -0.0f; }
static void tiny_scale(tfl_model *x) { x->t[3].scale = 1e-39f; }
static void weights_missing(tfl_model *x) { x->t[1].data = NULL; }
static void wide_weights(tfl_model *x) { x->t[1].dim[1] = 1, x->t[1].dim[0] = 2; }
static void tanh_act(tfl_model *x) { x->option[0].value = ACT_TANH; }
static void huge(tfl_model *x) { x->t[1].dim[0] = x->t[1].dim[1] = 1 << 30; }
static void wrong_result(tfl_model *x) { x->t[3].type = TFL_FLOAT32; }
static void no_inputs(tfl_model *x) { x->n_in = 1; }
static void own_output(tfl_model *x) { x->out[0] = 0; }

static void test_refused(void **state)
{
	static const struct { void (*spoil)(tfl_model *x); const char *says; } rows[] = {
		{where, "operator 0 is WHERE, which is not supported (it makes ''); replace it in the model"},
		{unknown_code, "operator 0 is number 4711, which is not supported"},
		{int16_bias, "bias '' must be int64 beside activations of int16"},
		{int16_zero, "tensor '' has zero point 3; that of int16 must be 0"},
		{int16_slice, "(DEPTH_TO_SPACE): tensor '' is int16, of which this operator is not supported; convert the model with int8 activations, or in floats and use `coppice quantize --scheme w8a16`"},
		{int16_sum, "all three scales are powers of two, for which TFLite adds int16 in another way"},
		{far_input, "names tensor 9 of 4"},
		{short_weights, "has 1 bytes, its shape and type (9) ask for 2"},
		{no_scale, "has 0 scales, one positive number is expected"},
		{wrong_zero, "has zero point 200"},
		{least_zero, "has zero point -9223372036854775808"},
		{tiny_scale, "tensor '' has scale 1e-39, one of 2^-126 to 2^126 is expected"},
		{zero_scale, "tensor '' has scale 0: its numbers were all 0 in calibration"},
		{weights_missing, "operator 0 (FULLY_CONNECTED): weights '' must be constant"},
		{wide_weights, "bias '' must hold 2 constant integers"},
		{tanh_act, "fused activation 4 is not supported"},
		{huge, "or there are 2^31 elements"},
		{wrong_result, "scales, one positive number is expected|gives i8 here"},
		{no_inputs, "has 1 inputs and 1 outputs, 2 to 3 inputs are supported"},
		{own_output, "which has contents already|zero point|must|scales"},
	};
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(rows); i++) {
		tfl_model x = fc_model;
		cop_graph *g;
		maker m;
		rows[i].spoil(&x);
		make_model(&m, &x);
		cop_status st = cop_model_read(&g, cx, m.p, m.n);
		print_message("%s\n", cop_error_text(cx));
		assert_int_not_equal(st, COP_OK);
		assert_null(g);
		bool found = false;
		char one[200];
		for (const char *p = rows[i].says; *p && !found; p += strcspn(p, "|"), p += *p == '|') {
			snprintf(one, sizeof one, "%.*s", (int)strcspn(p, "|"), p);
			found = strstr(cop_error_text(cx), one);
		}
		if (!found) fail_msg("expected: %s", rows[i].says);
		cop_error_clear(cx);
	}
}

/* Cut at every length, and with every byte changed in three ways: refused with a sentence, or read, but never more. */
static void test_damaged(void **state)
{
	static const uint8_t flips[] = {0x01, 0x80, 0xff};
	cop_ctx *cx = *state;
	cop_graph *g;
	maker m, spoilt;
	int read = 0, refused = 0;

	make_model(&m, &fc_model);
	for (uint32_t n = 0; n < m.n; n++) {
		uint8_t *cut = malloc(n + 1); /* its own memory, so that a sanitizer sees the end */
		memcpy(cut, m.p, n);
		if (cop_model_read(&g, cx, cut, n)) assert_true(cop_error_text(cx)[0]);
		else cop_graph_free(g);
		cop_error_clear(cx);
		free(cut);
	}
	for (uint32_t at = 0; at < m.n; at++)
		for (int f = 0; f < LEN(flips); f++) {
			spoilt = m;
			spoilt.p[at] ^= flips[f];
			cop_status st = cop_model_read(&g, cx, spoilt.p, spoilt.n);
			assert_true(!st == !cop_error_text(cx)[0]);
			if (!st) cop_graph_free(g), read++;
			else refused++;
			cop_error_clear(cx);
		}
	print_message("%d damaged files read, %d refused\n", read, refused);
	assert_true(read > 0 && refused > 0);
}

static int setup(void **state)
{
	return cop_ctx_new((cop_ctx **)state, NULL);
}
static int teardown(void **state)
{
	cop_ctx_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_made), cmocka_unit_test(test_hard_swish), cmocka_unit_test(test_far_scales), cmocka_unit_test(test_scales_stay), cmocka_unit_test(test_refused), cmocka_unit_test(test_damaged), cmocka_unit_test(test_models)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
