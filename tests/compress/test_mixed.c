/* SPDX-License-Identifier: Apache-2.0
 *
 * Bits for each layer by itself, within limits: what is known by arithmetic of harms and picks, layers that 4 bits do no
 * harm to by how their weights are made, and the limits themselves, as the result is measured.
 */
#include "compress/quantize/mixed.h"
#include "help.h"
#include "io/cop/cop.h"

enum { INPUTS = 16, CLASSES = 4, SAMPLES = 64, FLOATS = 32 };

/* ---- harms ---- */

static void divergence(void **state)
{
	const float p[2] = {0, 0}, q[2] = {logf(3) + 5, 5}, as_p[2] = {0.5f, 0.5f}, as_q[2] = {0.75f, 0.25f}, never[2] = {1, 0};
	const double known = 0.5 * log(4.0 / 3); /* (log(.5 / .75) + log(.5 / .25)) / 2 */

	(void)state;
	assert_float_equal(cop__divergence(p, q, 2, false), known, 1e-6);
	assert_float_equal(cop__divergence(as_p, as_q, 2, true), known, 1e-6);
	assert_float_equal(cop__divergence(q, q, 2, false), 0, 1e-9);
	assert_float_equal(cop__divergence(as_p, never, 2, true), 0.5 * log(0.5) + 0.5 * log(0.5 / 1e-7), 1e-4);
}

/* ---- picks ----
 * One large layer and two small ones, 8 or 4 bits. To save 10 it takes the large one, at 5, or both small ones, at 6.
 * What begins with the most harm saves the large one from 4 bits and then has to take both of the others. */

static void picks(void **state)
{
	static const cop_pick large[] = {{0, {0}}, {5, {-10}}}, small[] = {{0, {0}}, {3, {-5}}};
	static const cop_lot lot[] = {{small, 2}, {large, 2}, {small, 2}};
	static const struct { const char *name; double damage; } known[] = {{"knapsack", 5}, {"greedy", 6}, {"random", 0}};
	int seen = 0;

	for (int i = 0; i < COP_N_PICK; i++)
		for (uint64_t seed = 1; seed < 20; seed++) {
			cop_sack s = {lot, 3, 1, {-10}};
			int32_t c[3];
			double damage = 0, price = 0;
			assert_string_equal(cop__picks[i].name, known[i].name);
			OK(*state, cop__picks[i].pick(c, *state, &s, seed));
			for (int k = 0; k < 3; k++) damage += lot[k].level[c[k]].damage, price += lot[k].level[c[k]].price[0];
			assert_true(price <= -10);
			if (known[i].damage > 0) assert_float_equal(damage, known[i].damage, 0);
			else seen |= damage < 5.5 ? 1 : 2;
			s.limit[0] = -21;
			assert_int_equal(cop__picks[i].pick(c, *state, &s, seed), COP_BUDGET);
		}
	assert_int_equal(seen, 3); /* chance comes to both */
}

/* ---- networks of three layers of one size, and one more that keeps 8 bits ---- */

typedef enum kind { ANY, WHOLE, FIVES } kind;

/* WHOLE: whole numbers from -7 to 7, which 4 bits hold. FIVES: 5 and 7 of either sign, which 4 bits hold and 8 bits do
 * not, when the largest of them is the largest integer. */
static cop_vid layer(cop_graph *g, cop_vid x, const char *name, int32_t rows, kind kind)
{
	const int32_t cols = cop__t(g, x)->dim[1];
	cop_type t = cop__type(COP_F32, 2, DIMS(rows, cols));
	float w[INPUTS * INPUTS];

	for (int32_t i = 0; i < rows * cols; i++) {
		float r = 2 * cop__rand_unit(3, cop__hash_text(name), (uint64_t)i) - 1, five = r < 0 ? -5 : 5;
		float whole = i % cols ? kind == WHOLE ? roundf(7 * r) : five : 7;
		w[i] = 0.1f * (kind == ANY ? 7 * r * r * r : whole);
	}
	return cop__apply(g, OP_fc, &(cop_act_attr){rows == CLASSES ? COP_NO_LO : 0, COP_NO_HI},
		VIDS(x, cop__data(g, COP_PARAM, name, &t, w)));
}

/* few: which of the three is of whole numbers; 3: none; 4: the last is of fives. */
static cop_graph *network(cop_ctx *cx, int few)
{
	static const char *const name[] = {"a.w", "b.w", "c.w"};
	cop_type t = cop__type(COP_F32, 2, DIMS(1, INPUTS));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "three"));
	cop_vid x = cop__input(g, "x", &t);
	for (int i = 0; i < 3; i++) x = layer(g, x, name[i], INPUTS, i == few ? WHOLE : ANY);
	OK(cx, cop__output(g, layer(g, x, "last.w", CLASSES, few == 4 ? FIVES : ANY), "y"));
	return g;
}

static cop_status draw(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < INPUTS; k++) x[k] = cop__rand_normal(17, (uint32_t)i, (uint64_t)k);
	*label = i % CLASSES;
	return COP_OK;
}

static cop_dataset *samples(int32_t classes)
{
	static cop_dataset d;

	d = (cop_dataset){.name = "drawn", .x = cop__type(COP_F32, 1, DIMS(INPUTS)), .count = SAMPLES, .classes = classes, .get = draw};
	return &d;
}

typedef struct told { int bits[4], n; } told;
static void note(void *ud, const cop_quantized_layer *l)
{
	told *t = ud;
	t->bits[t->n++] = l->weight_bits;
}

typedef struct taken { told is; size_t file, flash; } taken;

static cop_status quantized(taken *out, cop_ctx *cx, int few, int32_t classes, cop_quantize_args a)
{
	cop_graph *g = network(cx, few);
	cop_figures f;
	cop_target host;

	*out = (taken){.file = 0};
	a.layer = note;
	a.ud = &out->is;
	a.threads = 1;
	cop_status st = cop_quantize(&g, samples(classes), &a);
	OK(cx, cop_target_find(&host, cx, "host"));
	if (!st) {
		OK(cx, cop_measure(&f, g, &host));
		OK(cx, cop__model_size(&out->file, g));
		out->flash = f.flash_bytes;
	}
	cop_graph_free(g);
	return st;
}

/* All three cost the same. Where two may have 8 bits, the one that needs no more than 4 has 4. */
static void harmless_layer(void **state)
{
	static const char *const harm[] = {NULL, "answers", "curvature"};
	taken all;

	OK(*state, quantized(&all, *state, 3, CLASSES, (cop_quantize_args){.scheme = "w8a8"}));
	for (int few = 0; few < 3; few++)
		for (int i = 0; i < LEN(harm); i++)
			for (int32_t classes = 0; classes <= CLASSES; classes += CLASSES) {
				taken is;
				OK(*state, quantized(&is, *state, few, classes,
					(cop_quantize_args){.flash = all.flash - INPUTS * INPUTS / 2, .wide_ends = false, .harm = harm[i]}));
				for (int k = 0; k < 3; k++) assert_int_equal(is.is.bits[k], k == few ? 4 : 8);
			}
}

/* Whatever the limit, it is kept; with room for all there are 8 bits, and one byte less than the least is refused with
 * the least. */
static void limits(void **state)
{
	cop_ctx *cx = *state;
	taken wide, narrow, two, is;
	char least[32];

	OK(cx, quantized(&wide, cx, 3, CLASSES, (cop_quantize_args){.scheme = "w8a8"}));
	OK(cx, quantized(&narrow, cx, 3, CLASSES, (cop_quantize_args){.scheme = "w4a8"}));
	OK(cx, quantized(&two, cx, 3, CLASSES, (cop_quantize_args){.scheme = "w2a8"}));
	for (size_t flash = narrow.flash; flash <= wide.flash; flash += (wide.flash - narrow.flash) / 6) {
		OK(cx, quantized(&is, cx, 3, CLASSES, (cop_quantize_args){.flash = flash}));
		assert_true(is.flash <= flash && is.flash + INPUTS * INPUTS / 2 > flash); /* no layer more would fit */
		for (int i = 0; i < is.is.n; i++) assert_true(is.is.bits[i] == 8 || is.is.bits[i] == 4);
	}
	OK(cx, quantized(&is, cx, 3, CLASSES, (cop_quantize_args){.flash = wide.flash}));
	for (int i = 0; i < 4; i++) assert_int_equal(is.is.bits[i], 8);
	assert_int_equal(quantized(&is, cx, 3, CLASSES, (cop_quantize_args){.flash = two.flash - 1}), COP_BUDGET);
	snprintf(least, sizeof least, ": %zu is the least", two.flash);
	assert_non_null(strstr(cop_error_text(cx), least));
	cop_error_clear(cx);
	OK(cx, quantized(&is, cx, 3, CLASSES, (cop_quantize_args){.flash = wide.flash, .file = narrow.file}));
	assert_true(is.file <= narrow.file && is.flash <= wide.flash);
}

/* The last layer takes as much flash with 4 bits as with 8, which its alignment fills: it has 8, though 4 did less harm. */
static void nothing_saved(void **state)
{
	taken wide, is;

	OK(*state, quantized(&wide, *state, 4, CLASSES, (cop_quantize_args){.range = "minmax"}));
	OK(*state, quantized(&is, *state, 4, CLASSES, (cop_quantize_args){.range = "minmax", .flash = wide.flash}));
	for (int i = 0; i < 4; i++) assert_int_equal(is.is.bits[i], 8);
}

/* 3 bits save something in the file alone, where kernels read four; 2 bits in flash, too. */
static void few_bits(void **state)
{
	taken four, three, two, is;

	OK(*state, quantized(&three, *state, 3, CLASSES, (cop_quantize_args){.scheme = "w3a8"}));
	OK(*state, quantized(&four, *state, 3, CLASSES, (cop_quantize_args){.scheme = "w4a8"}));
	OK(*state, quantized(&two, *state, 3, CLASSES, (cop_quantize_args){.scheme = "w2a8"}));
	assert_int_equal(three.flash, four.flash);
	assert_true(two.flash <= four.flash - 3 * INPUTS * INPUTS / 4);
	OK(*state, quantized(&is, *state, 3, CLASSES, (cop_quantize_args){.flash = two.flash}));
	for (int i = 0; i < 3; i++) assert_int_equal(is.is.bits[i], 2);
	assert_true(three.file < four.file);
	OK(*state, quantized(&is, *state, 3, CLASSES, (cop_quantize_args){.file = four.file - 60}));
	assert_true(is.file <= four.file - 60);
	int least = 8;
	for (int i = 0; i < 3; i++) least = COP_MIN(least, is.is.bits[i]);
	assert_true(least < 4);
}

/* Floats where there is room for all of them and they are asked for; ends keep 8 bits, and what is kept stays float. */
static void what_may_be(void **state)
{
	taken four, is;

	OK(*state, quantized(&is, *state, 3, CLASSES, (cop_quantize_args){.flash = 1 << 20, .floats = true}));
	for (int i = 0; i < 4; i++) assert_int_equal(is.is.bits[i], FLOATS);
	OK(*state, quantized(&four, *state, 3, CLASSES, (cop_quantize_args){.scheme = "w4a8", .wide_ends = true}));
	for (int i = 0; i < COP_N_PICK; i++) {
		OK(*state, quantized(&is, *state, 3, CLASSES,
			(cop_quantize_args){.flash = four.flash, .wide_ends = true, .choose = cop__picks[i].name}));
		for (int k = 0; k < 4; k++) assert_int_equal(is.is.bits[k], k % 3 ? 4 : 8);
	}
	OK(*state, quantized(&four, *state, 3, CLASSES, (cop_quantize_args){.scheme = "w4a8", .keep = "a.w"}));
	OK(*state, quantized(&is, *state, 3, CLASSES, (cop_quantize_args){.flash = four.flash, .keep = "a.w"}));
	assert_int_equal(is.is.bits[0], FLOATS);
	for (int i = 1; i < 3; i++) assert_int_equal(is.is.bits[i], 4);
}

static int open_ctx(void **state) { return *state = new_ctx(), 0; }
static int close_ctx(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(divergence), cmocka_unit_test(picks), cmocka_unit_test(harmless_layer),
		cmocka_unit_test(limits), cmocka_unit_test(nothing_saved), cmocka_unit_test(few_bits), cmocka_unit_test(what_may_be)};
	return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
