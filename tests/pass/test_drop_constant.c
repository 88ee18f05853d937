/* SPDX-License-Identifier: Apache-2.0
 *
 * drop_constant: random int8 networks with channels that no input can change lose them and keep every bit of their results;
 * a constant that a padded reader would tell from the padding stays. The same in f32, where results may differ by rounding.
 */
#include "help.h"
#include "pass/pass.h"

#include <math.h>

enum { DEAD = 3 }; /* one channel in so many */

static cop_ctx *cx;
static cop_graph *g;
static uint32_t seed;

static uint32_t draw(uint32_t i) { return cop__rand(seed, i, 77); }

static cop_vid ints(const char *name, const char *part, cop_dtype t, int rank, const int32_t *dim, const void *data)
{
	char full[64];
	cop_type type = cop__type(t, rank, dim);
	snprintf(full, sizeof full, "%s.%s", name, part);
	return cop__data(g, COP_CONST, full, &type, data);
}

/* Every DEAD-th filter has no weights; its bias lies so low (or, with `high`, high) that the result saturates. */
static cop_vid conv(cop_vid x, const char *name, int32_t out, int32_t k, bool depthwise, int32_t zx, bool high, bool pad)
{
	int32_t c = cop__t(g, x)->dim[3], cg = depthwise ? 1 : c, n = out * k * k * cg, p = pad ? k / 2 : 0;
	int8_t *w = malloc((size_t)n);
	int32_t b[64], m[64];

	for (int32_t i = 0; i < n; i++) w[i] = (int8_t)(draw((uint32_t)i + cop__hash_text(name)) % 100 - 50);
	for (int32_t o = 0; o < out; o++) {
		b[o] = (int32_t)(draw((uint32_t)o) % 2000) - 1000;
		m[o] = 20000000 + o;
		if (depthwise || o % DEAD) continue;
		memset(w + o * k * k * cg, 0, (size_t)(k * k * cg));
		b[o] = high ? 5000 : -100000;
	}
	cop_qconv_attr a = {1, 1, p, p, p, p, 1, 1, depthwise ? c : 1, zx, -128, -128, 127, 0, 0, 0};
	cop_vid v = cop__apply(g, OP_qconv, &a, VIDS(x, ints(name, "w", COP_I8, 4, DIMS(out, k, k, cg), w), ints(name, "b", COP_I32, 1, &out, b), ints(name, "m", COP_I32, 1, &out, m)));
	free(w);
	return v;
}

static cop_vid begin(void)
{
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 6, 5, 3));
	OK(cx, cop__graph_new(&g, cx, "net"));
	return cop__input(g, "x", &t);
}

static void results(cop_graph *of, void *y, int32_t n)
{
	cop_host host;
	cop_tensor x, out;

	OK(cx, cop__host_open(&host, &of, 1, COP_ISA_ALL, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &x));
	for (uint32_t i = 0; i < 90; i++) {
		int8_t v = (int8_t)cop__rand(seed, i, 5);
		if (x.type.dtype == COP_I8) ((int8_t *)x.data)[i] = v;
		else ((float *)x.data)[i] = (float)v / 64;
	}
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_io(host.s, 0, 0, true, &out));
	assert_int_equal(cop_type_count(&out.type), n);
	memcpy(y, out.data, (size_t)n * cop_type_bytes(&out.type) / cop_type_count(&out.type));
	cop__host_close(&host);
}

/* Ends the network, drops, compares; returns the channels of value `name` that are left. */
static int32_t finish(cop_vid y, const char *name)
{
	int8_t before[4096], after[4096];
	cop_graph *f;

	OK(cx, cop__output(g, y, "y"));
	int32_t n = (int32_t)cop_type_count(cop__t(g, y));
	results(g, before, n);
	OK(cx, cop__pass_drop_constant(&f, g, COP_DROP_ROUNDED));
	OK(cx, cop_graph_verify(f));
	results(f, after, n);
	assert_memory_equal(before, after, (size_t)n);
	int32_t left = cop__t(f, cop__find(f, name))->dim[0];
	cop_graph_free(f);
	cop_graph_free(g);
	return left;
}

static void chains(void **state)
{
	(void)state;
	cx = new_ctx();
	for (seed = 1; seed < 20; seed++) {
		cop_vid x = conv(begin(), "a", 9, 3, false, 4, false, true);   /* constants at -128, the zero of what follows */
		x = conv(x, "b", 9, 3, true, -128, false, true);
		assert_int_equal(finish(conv(x, "c", 8, 1, false, -128, false, true), "a.w"), 6);
	}
	cop_ctx_free(cx);
}

/* Constants that are not the zero point: they may go before a reader without padding, and must stay before one with it. */
static void padding(void **state)
{
	(void)state;
	cx = new_ctx();
	for (seed = 1; seed < 20; seed++) {
		cop_vid x = conv(begin(), "a", 9, 1, false, 4, true, true);
		assert_int_equal(finish(conv(x, "b", 8, 3, false, -128, false, false), "a.w"), 6);
		x = conv(begin(), "a", 9, 1, false, 4, true, true);
		assert_int_equal(finish(conv(x, "b", 8, 3, false, -128, false, true), "a.w"), 9);
	}
	cop_ctx_free(cx);
}

/* Both operands of a sum are constant in the same channels: the sum is, and all three go. An output must stay. */
static void sums(void **state)
{
	cop_qadd_attr a = {.za = -128, .zb = -128, .zy = -128, .ma = 900000, .mb = 800000, .sy = 21, .qlo = -128, .qhi = 127};
	(void)state;
	cx = new_ctx();
	for (seed = 1; seed < 20; seed++) {
		cop_vid in = begin(), x = conv(in, "a", 9, 3, false, 4, false, true), z = conv(in, "b", 9, 1, false, 4, false, true);
		cop_vid s = cop__apply(g, OP_qadd, &a, VIDS(x, z));
		assert_int_equal(finish(conv(s, "c", 8, 3, false, -128, false, true), "b.w"), 6);
		assert_int_equal(finish(conv(begin(), "a", 9, 3, false, 4, false, true), "a.w"), 9);
	}
	cop_ctx_free(cx);
}

/* ---- f32: every DEAD-th filter has weights of `scale` and the bias `b` ---- */

static cop_vid floats(const char *name, const char *part, int rank, const int32_t *dim, const float *data)
{
	char full[64];
	cop_type type = cop__type(COP_F32, rank, dim);
	snprintf(full, sizeof full, "%s.%s", name, part);
	return cop__data(g, COP_PARAM, full, &type, data);
}

static cop_vid fconv(cop_vid x, const char *name, int32_t out, int32_t k, bool depthwise, float scale, float bias)
{
	int32_t c = cop__t(g, x)->dim[3], cg = depthwise ? 1 : c, n = k * k * cg, p = k / 2;
	float w[4096], b[64];

	for (int32_t i = 0; i < out * n; i++) w[i] = ((float)(draw((uint32_t)i + cop__hash_text(name)) % 101) - 50) / 50;
	for (int32_t o = 0; o < out; o++) {
		b[o] = (float)(draw((uint32_t)o) % 2000) / 1000 - 1;
		for (int32_t i = 0; depthwise && i < n; i++) w[o * n + i] = fabsf(w[o * n + i]) + 0.1f; /* of what is positive: alive */
		if (depthwise || o % DEAD) continue;
		for (int32_t i = 0; i < n; i++) w[o * n + i] *= scale;
		b[o] = bias;
	}
	cop_conv_attr a = {1, 1, p, p, p, p, 1, 1, depthwise ? c : 1, 0, COP_NO_HI};
	return cop__apply(g, OP_conv, &a, VIDS(x, floats(name, "w", 4, DIMS(out, k, k, cg), w), floats(name, "b", 1, &out, b)));
}

static cop_vid fbegin(void)
{
	cop_type t = cop__type(COP_F32, 4, DIMS(1, 6, 5, 3));
	OK(cx, cop__graph_new(&g, cx, "net"));
	return cop__input(g, "x", &t);
}

static int32_t ffinish(cop_vid y, const char *name)
{
	float before[4096], after[4096], most = 0;
	cop_graph *f;

	OK(cx, cop__output(g, y, "y"));
	int32_t n = (int32_t)cop_type_count(cop__t(g, y));
	results(g, before, n);
	OK(cx, cop__pass_drop_constant(&f, g, COP_DROP_ROUNDED));
	OK(cx, cop_graph_verify(f));
	results(f, after, n);
	for (int32_t i = 0; i < n; i++) most = COP_MAX(most, fabsf(before[i]));
	assert_true(most > 0);
	for (int32_t i = 0; i < n; i++) assert_true(fabsf(before[i] - after[i]) <= 2e-6f * most);
	int32_t left = cop__t(f, cop__find(f, name))->dim[0];
	cop_graph_free(f);
	cop_graph_free(g);
	return left;
}

static void floating(void **state)
{
	static const struct { float scale, bias; int32_t wide; bool padded; int32_t left; } rows[] = {
		{0, -1, 1, true, 6},       /* nothing after ReLU */
		{1e-30f, -1, 1, true, 6},
		{1e-30f, 0.5f, 1, false, 6}, /* 0.5 everywhere: into the next bias */
		{1e-30f, 0.5f, 1, true, 9},  /* ... but where zeros are padded it shows */
		{1e-9f, 0.5f, 1, false, 9},  /* seen through a large input */
		{1e-30f, 0, 1, false, 9},    /* 1e-30 times something is not 0 */
		{1, -1, 1, false, 9}};
	(void)state;
	cx = new_ctx();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (seed = 1; seed < 8; seed++) {
			cop_vid x = fconv(fbegin(), "a", 9, 3, false, rows[i].scale, rows[i].bias);
			assert_int_equal(ffinish(fconv(x, "c", 8, rows[i].padded ? 3 : 1, false, 1, 0.25f), "a.w"), rows[i].left);
			x = fconv(fbegin(), "a", 9, 3, false, rows[i].scale, rows[i].bias);
			x = fconv(x, "b", 9, rows[i].padded ? 3 : 1, true, 1, 0);
			cop_pool_attr p = {6, 5, 6, 5, 0, 0, 0, 0, 0};
			x = cop__apply(g, OP_avgpool, &p, VIDS(x));
			x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, 9}}, VIDS(x));
			float w[45], b[5] = {1, 2, 3, 4, 5};
			for (uint32_t j = 0; j < 45; j++) w[j] = (float)(draw(j) % 64) / 32 - 1;
			x = cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, floats("f", "w", 2, DIMS(5, 9), w), floats("f", "b", 1, DIMS(5), b)));
			assert_int_equal(ffinish(x, "a.w"), rows[i].left == 6 || rows[i].bias == 0 ? 6 : 9); /* beside b's bias 1e-30 is nothing */
		}
	cop_ctx_free(cx);
}

/* ---- shrink: all that goes without being asked ---- */

/* A border, dead channels, and layers that hand on what they get; after it the two convolutions alone are left. */
/* Units of a recurrent layer that no later weight reads are read by its own next step: they stay. */
static void recurrent(void **state)
{
	enum { STEPS = 4, IN = 3, UNITS = 6, OUT = 2 };
	const cop_rnn_attr a = {.cell = RNN_PLAIN, .act = {1, 1, 1}};
	float w[UNITS * IN], r[UNITS * UNITS], b[UNITS] = {0}, last[OUT * UNITS];

	(void)state;
	cx = new_ctx();
	seed = 9;
	fbegin();
	for (int i = 0; i < LEN(w); i++) w[i] = (float)(draw((uint32_t)i) % 100) / 50 - 1;
	for (int i = 0; i < LEN(r); i++) r[i] = (float)(draw((uint32_t)i + 500) % 100) / 50 - 1;
	for (int i = 0; i < LEN(last); i++) last[i] = i % UNITS < 3 ? 0 : 1; /* three are never looked at */
	cop_type t = cop__type(COP_F32, 3, DIMS(1, STEPS, IN));
	cop_vid x = cop__input(g, "sequence", &t);
	cop_nid n = cop__node(g, OP_rnn, &a, VIDS(x, floats("rnn", "w", 2, DIMS(UNITS, IN), w), floats("rnn", "r", 2, DIMS(UNITS, UNITS), r), floats("rnn", "b", 1, DIMS(UNITS), b)));
	cop_vid y = cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(cop__want_out(g, n, 0), floats("fc", "w", 2, DIMS(OUT, UNITS), last)));
	assert_true(y && !cop__output(g, y, "y"));
	cop_graph *out;
	OK(cx, cop__pass_drop_constant(&out, g, COP_DROP_ROUNDED));
	cop_vid kept = cop__find(out, "rnn.r");
	assert_true(kept && cop__t(out, kept)->dim[1] == UNITS);
	cop_graph_free(out);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void shrink_int8(void **state)
{
	const cop_type table = cop__type(COP_I8, 1, DIMS(256));
	int8_t before[4096], after[4096], byte[256];

	(void)state;
	cx = new_ctx();
	for (int i = 0; i < 256; i++) byte[i] = (int8_t)i;
	for (seed = 1; seed < 8; seed++) {
		byte[7] = 7 + seed % 2; /* a table that changes a byte stays */
		cop_vid x = conv(begin(), "a", 9, 3, false, 4, false, true);
		x = cop__apply(g, OP_qlut, &(cop_qlut_attr){COP_I8}, VIDS(x, cop__data(g, COP_CONST, "table", &table, byte)));
		x = cop__apply(g, OP_maxpool, &(cop_pool_attr){1, 1, 1, 1, 0, 0, 0, 0, 0}, VIDS(x));
		x = cop__apply(g, OP_pad, &(cop_pad_attr){{0, 1, 1, 0}, {0, 1, 1, 0}, -128}, VIDS(x));
		x = cop__apply(g, OP_reshape, &(cop_shape_attr){4, {1, 8, 7, 9}}, VIDS(x));
		OK(cx, cop__output(g, conv(x, "c", 8, 3, false, -128, false, false), "y"));
		int32_t n = 6 * 5 * 8;
		results(g, before, n);
		OK(cx, cop_graph_apply(&g, "shrink"));
		assert_int_equal(g->n_node, 2 + seed % 2);
		assert_int_equal(cop__t(g, cop__find(g, "a.w"))->dim[0], 6);
		results(g, after, n);
		assert_memory_equal(before, after, (size_t)n);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* In f32 a constant that is not 0 stays, since its place in a sum decides how that rounds. */
static void shrink_f32(void **state)
{
	static const struct { float scale, bias; int32_t left; } rows[] = {{0, -1, 9}, {0, 0.5f, 9}};
	(void)state;
	cx = new_ctx();
	for (int i = 0; i < LEN(rows); i++) {
		seed = 3;
		cop_vid x = fconv(fbegin(), "a", 9, 3, false, rows[i].scale, rows[i].bias);
		OK(cx, cop__output(g, fconv(x, "c", 8, 1, false, 1, 0), "y"));
		OK(cx, cop_graph_apply(&g, "shrink"));
		assert_int_equal(cop__t(g, cop__find(g, "a.w"))->dim[0], rows[i].left);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(chains), cmocka_unit_test(padding), cmocka_unit_test(sums), cmocka_unit_test(floating), cmocka_unit_test(recurrent), cmocka_unit_test(shrink_int8), cmocka_unit_test(shrink_f32)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
