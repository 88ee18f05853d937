/* SPDX-License-Identifier: Apache-2.0
 *
 * Coded weights: every image comes back from its code, byte for byte, by the portable decoder and by the one for Cortex-M; the code is as short as the entropy
 * of the bytes lets it be (Shannon 1948), plus its head.
 */
#include "help.h"
#include "plan/draw.h"
#include "kernel/coded.h"
#include "enc/code.h"
#include "pass/pass.h"

#include <math.h>

enum { MOST = 40000 };
static uint32_t image[MOST / 4], back[MOST / 4 + 1], work[(4 << CODED_LOG) / 4 + CODED_SYMBOLS / 2];

/* Bits a symbol of the bytes, by how often each comes. */
static double entropy(const uint8_t *x, size_t n)
{
	double h = 0;
	size_t times[256] = {0};

	for (size_t i = 0; i < n; i++) times[x[i]]++;
	for (int i = 0; i < 256; i++)
		if (times[i]) h -= (double)times[i] / (double)n * log2((double)times[i] / (double)n);
	return h;
}

static size_t there_and_back(cop_ctx *cx, size_t bytes)
{
	void (*const decoders[])(const void *, void *, void *) = {cop_uncode, cop_uncode_dsp};
	void *code;
	size_t size;

	OK(cx, cop__code_image(&code, &size, cx, image, bytes));
	for (int d = 0; d < LEN(decoders); d++) {
		memset(back, 0x55, sizeof back);
		decoders[d](code, back, work);
		assert_memory_equal(back, image, bytes);
		assert_int_equal(((uint8_t *)back)[bytes], 0x55);
	}
	cop__free(cx, code);
	return size;
}

static void every_image_comes_back(void **state)
{
	static const double spread[] = {0, 0.3, 1, 3, 12, 40, 200}, zeros[] = {0, 0.5, 0.95};
	static const size_t sizes[] = {1, 2, 3, 4, 6, 17, 100, 1000, 9001, MOST - 8};
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int s = 0; s < LEN(spread); s++)
		for (int z = 0; z < LEN(zeros); z++)
			for (int n = 0; n < LEN(sizes); n++)
				for (int pairs = 0; pairs < 2; pairs++) {
					draw(image, (uint64_t)(s * 100 + z * 10 + n), sizes[n] - (pairs ? sizes[n] % 2 : 0), spread[s], zeros[z], pairs);
					if (sizes[n] > 1 || !pairs) there_and_back(cx, sizes[n] - (pairs ? sizes[n] % 2 : 0));
				}
	for (uint32_t i = 0; i < 5000; i++) { /* any bytes, as pairs too: some of them are none */
		size_t n = 1 + cop__rand(3, 1, i) % 64;
		for (size_t k = 0; k < n; k++) ((uint8_t *)image)[k] = (uint8_t)(cop__rand(3, 2 + k, i) % (i % 2 ? 256 : 1 + i % 7));
		there_and_back(cx, n);
	}
	cop_ctx_free(cx);
}

/* Not longer than the entropy by more than two percent and the head. Where few of many symbols share a small part of the table, a frequency of one is too much
 * for most of them: eight percent. */
static void close_to_the_entropy(void **state)
{
	static const double spread[] = {0.3, 0.7, 1, 3, 12, 40};
	cop_ctx *cx = new_ctx();
	size_t n = MOST - 8;
	(void)state;

	for (int s = 0; s < LEN(spread); s++)
		for (int z = 0; z < 2; z++) {
			draw(image, (uint64_t)(s + 1), n, spread[s], z * 0.8, false);
			double least = entropy((uint8_t *)image, n) / 8 * (double)n;
			size_t plain = there_and_back(cx, n);
			draw(image, (uint64_t)(s + 1), n, spread[s], z * 0.8, true);
			size_t pairs = there_and_back(cx, n);
			print_message("spread %g, %g zeros: entropy %.0f, code %zu, as pairs %zu\n", spread[s], z * 0.8, least, plain, pairs);
			double most = (z && spread[s] > 10 ? 1.08 : 1.02) * least + 300;
			assert_true((double)plain < most && (double)pairs < most);
			assert_true((double)plain >= least);
		}
	cop_ctx_free(cx);
}

/* ---- in a plan ---- */

/* n layers of 8 x 8 3x3 filters, each weight one of three values, of the i-th layer drawn by `seed` + i % kinds. */
static cop_graph *chain(cop_ctx *cx, int n, int kinds)
{
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 4, 4, 8)), tw = cop__type(COP_I8, 4, DIMS(8, 3, 3, 8)), tb = cop__type(COP_I32, 1, DIMS(8));
	const int32_t b[8] = {0}, m[8] = {1 << 27, 1 << 27, 1 << 27, 1 << 27, 1 << 27, 1 << 27, 1 << 27, 1 << 27};
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "chain"));
	cop_vid y = cop__input(g, "x", &t);
	for (int i = 0; i < n; i++) {
		int8_t w[8 * 3 * 3 * 8];
		char name[3][16];
		for (int k = 0; k < LEN(w); k++) w[k] = (int8_t)(cop__rand(20, (uint64_t)(i % kinds), (uint64_t)k) % 3) - 1;
		for (int k = 0; k < 3; k++) snprintf(name[k], sizeof name[k], "c%d.%c", i, "wbm"[k]);
		y = cop__apply(g, OP_qconv, &(cop_qconv_attr){1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, -128, 127, 0, 0, 0},
			VIDS(y, cop__data(g, COP_CONST, name[0], &tw, w), cop__data(g, COP_CONST, name[1], &tb, b), cop__data(g, COP_CONST, name[2], &tb, m)));
	}
	OK(cx, cop__output(g, y, "y"));
	return g;
}

static size_t flash(cop_ctx *cx, const cop_graph *g, const char *spec)
{
	cop_graph *c;
	cop_target t;
	cop_figures f;

	OK(cx, cop_graph_copy(&c, g));
	OK(cx, cop_graph_apply(&c, spec));
	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	OK(cx, cop_measure(&f, c, &t));
	cop_graph_free(c);
	return f.flash_bytes;
}

/* Layers of equal weights have one code, others their own; three values take about 1.6 bits. */
static void codes_are_shared(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *same = chain(cx, 4, 1), *other = chain(cx, 4, 4);
	const size_t rest = 4 * 2 * 8 * 4, one = 8 * 3 * 3 * 8;
	(void)state;

	assert_true(flash(cx, other, "dce") >= 4 * one + rest && flash(cx, same, "dce") >= 4 * one + rest);
	assert_in_range(flash(cx, other, "code") - rest, 4 * (one * 16 / 80), 4 * (one * 16 / 80 + 40));
	assert_in_range(flash(cx, same, "code") - rest, one * 16 / 80, one * 16 / 80 + 40);
	cop_graph_free(same);
	cop_graph_free(other);
	cop_ctx_free(cx);
}

/* RAM stays within what is allowed, whatever that is; and with all of it, all layers are coded, by either code. */
static void ram_is_kept(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *whole = chain(cx, 4, 4);
	cop_target t;
	cop_coded is;
	int32_t least = 99, most = 0;
	(void)state;

	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	for (size_t ram = 0, k = 0; ram < 8000; ram += ram ? 250 : 1500, k++) {
		const cop_code_args a = {.by = k % 3 ? COP_CODE_TABLES : COP_CODE_ADAPTIVE};
		cop_graph *g;
		cop_figures f;
		OK(cx, cop_graph_copy(&g, whole));
		t.ram = ram;
		OK(cx, cop_graph_code(&g, &t, &a, &is));
		t.ram = 0;
		OK(cx, cop_measure(&f, g, &t));
		assert_int_equal(f.flash_bytes, is.flash);
		assert_int_equal(f.ram_bytes, is.ram);
		if (is.layers) assert_true(is.ram <= (ram ? ram - 1024 : COP_MAX(is.ram_before * 3 / 2, (16 << 10) - 1024)) && is.flash < is.flash_before);
		else assert_int_equal(is.flash, is.flash_before);
		least = COP_MIN(least, is.layers), most = COP_MAX(most, is.layers);
		cop_graph_free(g);
	}
	assert_true(least == 0 && most >= 4);
	cop_graph_free(whole);
	cop_ctx_free(cx);
}

/* The same with 93 of 100 weights more zero. */
static cop_graph *sparse_chain(cop_ctx *cx, int n)
{
	cop_graph *g = chain(cx, n, n);

	for (int i = 0; i < n; i++) {
		cop_tensor w;
		char name[16];
		snprintf(name, sizeof name, "c%d.w", i);
		OK(cx, cop_graph_edit(g, name, &w));
		for (int k = 0; k < 8 * 3 * 3 * 8; k++)
			if (cop__rand(21, (uint64_t)i, (uint64_t)k) % 100 < 93) ((int8_t *)w.data)[k] = 0;
	}
	return g;
}

/* Instructions, too; the more there may be, the less flash. All that there are code all layers. */
static void instructions_are_kept(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *whole = sparse_chain(cx, 4), *g;
	cop_target t;
	cop_coded most, is;
	size_t flash = SIZE_MAX;
	int32_t layers = 0;
	(void)state;

	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	OK(cx, cop_graph_copy(&g, whole));
	OK(cx, cop_graph_code(&g, &t, &(cop_code_args){.by = COP_CODE_ADAPTIVE}, &most));
	cop_graph_free(g);
	assert_true(most.layers == 4 && most.by == COP_CODE_ADAPTIVE && most.decoding > 0 && most.instructions > most.instructions_before);
	for (int k = 1; k <= 8; k++) {
		const int64_t limit = most.instructions_before + (most.instructions - most.instructions_before) * k / 8;
		OK(cx, cop_graph_copy(&g, whole));
		OK(cx, cop_graph_code(&g, &t, &(cop_code_args){.by = COP_CODE_ADAPTIVE, .instructions = limit}, &is));
		if (is.layers) assert_true(is.instructions <= limit && is.flash < is.flash_before);
		assert_true(is.flash <= flash && is.layers >= layers);
		flash = is.flash, layers = is.layers;
		cop_graph_free(g);
	}
	assert_true(layers == 4 && flash == most.flash);
	cop_graph_free(whole);
	cop_ctx_free(cx);
}

/* Layers that take as long to decode: where there is time for half of them, those are coded that save most. The first two have few values, the others many. */
static void bytes_for_instructions(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *whole = chain(cx, 4, 4), *g;
	cop_target t;
	cop_coded most, is;
	enum { BYTES = 8 * 3 * 3 * 8 };
	(void)state;

	for (int i = 0; i < 4; i++) {
		cop_tensor w;
		char name[16];
		snprintf(name, sizeof name, "c%d.w", i);
		OK(cx, cop_graph_edit(whole, name, &w));
		for (int k = 0; k < BYTES; k++) ((int8_t *)w.data)[k] = (int8_t)(cop__rand(23, (uint64_t)i, (uint64_t)k) % (i < 2 ? 2 : 40));
	}
	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	OK(cx, cop_graph_copy(&g, whole));
	OK(cx, cop_graph_code(&g, &t, &(cop_code_args){.by = COP_CODE_TABLES}, &most));
	cop_graph_free(g);
	assert_int_equal(most.layers, 4);
	OK(cx, cop_graph_copy(&g, whole));
	OK(cx, cop_graph_code(&g, &t, &(cop_code_args){COP_CODE_TABLES, (most.instructions_before + most.instructions) / 2}, &is));
	assert_int_equal(is.layers, 2);
	assert_true(is.flash_before - is.flash > 2 * BYTES * 3 / 5); /* a bit and the table in place of a byte; six bits would save a quarter */
	cop_graph_free(g);
	cop_graph_free(whole);
	cop_ctx_free(cx);
}

/* What fits the flash goes before what is faster; where all fits, the product of both says which code it is. */
static void flash_decides(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *whole = sparse_chain(cx, 4);
	cop_target t;
	cop_coded is[3];
	(void)state;

	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	for (int k = 0; k < 3; k++) {
		static const cop_code by[] = {COP_CODE_TABLES, COP_CODE_ADAPTIVE, COP_CODE_AUTO};
		cop_graph *g;
		OK(cx, cop_graph_copy(&g, whole));
		t.flash = k == 2 ? is[1].flash : 0;
		OK(cx, cop_graph_code(&g, &t, &(cop_code_args){.by = by[k]}, &is[k]));
		cop_graph_free(g);
	}
	assert_true(is[1].flash < is[0].flash && is[2].by == COP_CODE_ADAPTIVE && is[2].flash == is[1].flash);
	cop_graph_free(whole);
	cop_ctx_free(cx);
}

/* What can't be coded is told. */
static void refusals(void **state)
{
	static const struct { const char *spec, *text; } row[] = {
		{"code:by=huffman", "by must be one of tables, adaptive, not huffman"}, {"code:layers=conv*", "no weight of an int8 layer is named 'conv*'"}, {"code:most=2", "most must be a number from 0 to 1"}, {"code:buffer=-1", "buffer must be a whole number"}};
	static const struct { const char *target; cop_code_args a; const char *text; } args[] = {{"cortex-m4", {COP_CODE_NONE, 0}, "there is no code 0"}, {"cortex-m4", {(cop_code)7, 0}, "there is no code 7"},
		{"cortex-m4", {COP_CODE_AUTO, -5}, "can't take -5 instructions"}, {"microbit", {COP_CODE_AUTO, 1000}, "on microbit can't be foretold"}};
	cop_ctx *cx = new_ctx();
	cop_graph *g = chain(cx, 1, 1), *f;
	cop_target t;
	cop_coded is;
	(void)state;

	for (int i = 0; i < LEN(args); i++) {
		OK(cx, cop_target_find(&t, cx, args[i].target));
		assert_int_equal(cop_graph_code(&g, &t, &args[i].a, &is), COP_ARG);
		if (!strstr(cop_error_text(cx), args[i].text)) fail_msg("%s", cop_error_text(cx));
		cop_error_clear(cx);
	}

	for (int i = 0; i < LEN(row); i++) {
		assert_int_equal(cop_graph_apply(&g, row[i].spec), COP_ARG);
		if (!strstr(cop_error_text(cx), row[i].text)) fail_msg("%s: %s", row[i].spec, cop_error_text(cx));
		cop_error_clear(cx);
	}
	OK(cx, cop_zoo_build(&f, cx, "mlp-4x2", &(cop_zoo_args){.height = 2, .width = 2, .channels = 1}));
	assert_int_equal(cop_graph_apply(&f, "code"), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "quantize the network first"));
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(every_image_comes_back), cmocka_unit_test(close_to_the_entropy), cmocka_unit_test(codes_are_shared), cmocka_unit_test(ram_is_kept), cmocka_unit_test(instructions_are_kept), cmocka_unit_test(bytes_for_instructions), cmocka_unit_test(flash_decides),
		cmocka_unit_test(refusals)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
