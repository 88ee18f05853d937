/* SPDX-License-Identifier: Apache-2.0
 *
 * What pruning removes as a whole, by hand: blocks, kernels of convolutions, channels with all that goes with them; by which score; and recipes that
 * make no sense for a network, which are refused before any work.
 */
#include "compress/known.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI}, relu = {0, COP_NO_HI};
static const int32_t zeros[16] = {0};

#define PRUNE(options) "- prune: {" options ", schedule: once, may_cost: 100, must_gain: 0" STILL "}"

static void after(cop_graph **g, const char *recipe, int32_t inputs)
{
	known_set s;
	cop_dataset *d = known_samples(&s, inputs, inputs, 2, zeros);

	OK((*g)->cx, known_compress(g, recipe, d, d, NULL, &known_args, NULL));
}

/* ---- blocks ---- */

/* Blocks of two within a row of five: means 3, 2.75 and 1.5 above, 0.15, 2 and 5 below; roots of mean squares 3, 3.55, 1.5, 0.16, 2 and 5. */
static void blocks(void **state)
{
	static const float w[10] = {3, -3, 5, 0.5f, 1.5f, 0.1f, -0.2f, 2, -2, -5};
	static const struct { const char *recipe; float want[10]; } row[] = {
		{PRUNE("keep: 0.5, what: block, block: 2"), {3, -3, 5, 0.5f, 0, 0, 0, 0, 0, -5}},
		{PRUNE("keep: 0.34, what: block, block: 2"), {3, -3, 0, 0, 0, 0, 0, 0, 0, -5}},
		{PRUNE("keep: 0.34, what: block, block: 2, by: l2"), {0, 0, 5, 0.5f, 0, 0, 0, 0, 0, -5}},
		{PRUNE("keep: 0.5, what: block, block: 5"), {3, -3, 5, 0.5f, 1.5f}},                 /* 2.6 and 1.86 */
		{PRUNE("keep: 0.5, what: block, block: 4096"), {3, -3, 5, 0.5f, 1.5f}},
		{PRUNE("keep: 0.75, what: block, block: 4"), {3, -3, 5, 0.5f, 1.5f, 0, 0, 0, 0, -5}}, /* 2.875, 1.5, 1.075, 5 */
		{PRUNE("keep: 0.5, what: block"), {3, -3, 5, 0.5f, 0, 0, 0, 0, 0, -5}},              /* 4 */
		{PRUNE("keep: 0.5, what: block, block: 2, scope: layer"), {3, -3, 5, 0.5f, 0, 0, 0, 0, 0, -5}},
		{PRUNE("keep: 0.5, what: weight"), {3, -3, 5, 0, 0, 0, 0, 2, 0, -5}},
	};

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = known_net(*state, 5, 2, w, 0, NULL);
		after(&g, row[i].recipe, 5);
		known_is(g, "a.w", row[i].want, 10, row[i].recipe);
		cop_graph_free(g);
	}
}

/* ---- kernels: [2,1,2,3]: of each filter and input channel the two numbers along the row ---- */

/* Two of every four side by side; of the two that are left at the end of a row both. */
static void two_of_four(void **state)
{
	static const float w[12] = {5, -1, 3, 2, 4, 1, 0.5f, -0.6f, 0.1f, 0.2f, 7, -8}, want[12] = {5, 0, 3, 0, 4, 1, 0.5f, -0.6f, 0, 0, 7, -8}, one[12] = {5, 0, 0, 0, 4, 0, 0, -0.6f, 0, 0, 0, -8};
	cop_graph *g = known_net(*state, 6, 2, w, 0, NULL);

	if (!known_parts()) skip();
	after(&g, PRUNE("what: nm"), 6);
	known_is(g, "a.w", want, 12, "2:4");
	after(&g, "- prune: {what: nm, n: 1, schedule: iterative, rounds: 2, over: 1, may_cost: 100, must_gain: 0, lr: 1e-30, epochs: 2}", 6);
	known_is(g, "a.w", one, 12, "1:4");
	cop_graph_free(g);
}

static void kernels(void **state)
{
	static const float w[12] = {1, 5, -2, 1, -4, 2, 3, 0.25f, 6, 3, 0.25f, -6}; /* means 1 4.5 2, 3 0.25 6 */
	static const float half[12] = {0, 5, 0, 0, -4, 0, 3, 0, 6, 3, 0, -6}, most[12] = {1, 5, -2, 1, -4, 2, 3, 0, 6, 3, 0, -6};
	cop_type in = cop__type(COP_F32, 4, DIMS(1, 1, 2, 3)), t = cop__type(COP_F32, 4, DIMS(2, 1, 2, 3));
	cop_conv_attr a = {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	known_set s;

	if (!known_parts()) skip();
	for (int i = 0; i < 2; i++) {
		cop_graph *g;
		known_samples(&s, 2, 6, 2, zeros);
		s.d.x = cop__type(COP_F32, 3, DIMS(1, 2, 3));
		OK(*state, cop__graph_new(&g, *state, "kernels"));
		cop_vid y = cop__apply(g, OP_conv, &a, VIDS(cop__input(g, "x", &in), cop__data(g, COP_PARAM, "w", &t, w)));
		OK(*state, cop__output(g, cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(y)), "y"));
		OK(*state, known_compress(&g, i ? PRUNE("keep: 0.8, what: kernel") : PRUNE("keep: 0.5, what: kernel"), &s.d, NULL, NULL, &known_args, NULL));
		known_is(g, "w", i ? most : half, 12, "kernels");
		cop_graph_free(g);
	}
}

/* ---- channels ---- */

static cop_vid layer(cop_graph *g, cop_vid x, const char *name, int32_t out, const float *w, const float *b, const cop_act_attr *act)
{
	char bias[32];
	cop_type tw = cop__type(COP_F32, 2, DIMS(out, cop__t(g, x)->dim[1])), tb = cop__type(COP_F32, 1, DIMS(out));
	cop_vid vw = cop__data(g, COP_PARAM, name, &tw, w);

	snprintf(bias, sizeof bias, "%.20s.b", name);
	return cop__apply(g, OP_fc, act, b ? 3 : 2, (cop_vid[]){x, vw, b ? cop__data(g, COP_PARAM, bias, &tb, b) : 0});
}

/* Rows of a with means 4, 1, 3 and 2; those of the last layer are the answer and stay. A second branch that is added has means 0, 6, 1 and 1: both
 * have a say, 2, 3.5, 2 and 1.5, and both go. */
static void channels(void **state)
{
	static const float a[8] = {5, -3, 1, -1, 2, 4, 2, 2}, c[8] = {0, 0, 6, 6, 1, 1, -1, 1}, bias[4] = {10, 20, 30, 40}, last[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	static const float alone_a[8] = {5, -3, 0, 0, 2, 4, 0, 0}, alone_b[4] = {10, 0, 30, 0}, both_a[8] = {0, 0, 1, -1}, both_c[8] = {0, 0, 6, 6}, both_b[4] = {0, 20, 0, 0};
	cop_type in = cop__type(COP_F32, 2, DIMS(1, 2));

	if (!known_parts()) skip();
	for (int added = 0; added < 2; added++) {
		cop_graph *g;
		OK(*state, cop__graph_new(&g, *state, "channels"));
		cop_vid x = cop__input(g, "x", &in), y = layer(g, x, "a", 4, a, bias, &relu);
		if (added) y = cop__apply(g, OP_add, &relu, VIDS(y, layer(g, x, "c", 4, c, NULL, &none)));
		OK(*state, cop__output(g, layer(g, y, "last", 2, last, NULL, &none), "y"));
		after(&g, added ? PRUNE("keep: 0.25, what: channel") : PRUNE("keep: 0.5, what: channel"), 2);
		known_is(g, "a", added ? both_a : alone_a, 8, "channels");
		known_is(g, "a.b", added ? both_b : alone_b, 4, "channels");
		if (added) known_is(g, "c", both_c, 8, "channels");
		known_is(g, "last", last, 8, "channels");
		cop_graph_free(g);
	}
}

/* ---- recipes that make no sense ---- */

static void senseless(void **state)
{
	static const struct { const char *stages, *says; } row[] = {
		{"- encode: {}\n- train: {epochs: 1}", "line 4: train can't work on a network with encoded weights, which it has after encode in line 3; put it before"},
		{"- encode: {}\n- prune: {keep: 0.5}", "line 4: prune can't work on a network with encoded weights"},
		{"- encode: {}\n- share: {levels: 3}", "line 4: share can't work on a network with encoded weights"},
		{"- quantize: {}\n- train: {epochs: 1}", "line 4: train can't work on a network with integers, which it has after quantize in line 3; put it before"},
		{"- quantize: {}\n- prune: {keep: 0.5}", "line 4: prune can't work on a network with integers"},
		{"- quantize: {}\n- share: {levels: 3}", "line 4: share can't work on a network with integers"},
		{"- share: {levels: 3}\n- train: {}", "line 4: train can't work on a network with shared weights, which it has after share in line 3; put it before"},
		{"- quantize: {}\n- quantize: {}", "line 4: quantize can't work on a network with integers"},
		{"- quantize: {}\n- encode: {}", "line 4: encode needs weights made of floats, which the network does not have after quantize in line 3; put it before"},
		{"- train: {epochs: 1}\n- prune: {keep: 0.5}\n- encode: {}\n- train: {}", "line 6: train can't work on a network with encoded weights, which it has after encode in line 5"},
		{"- prune: {keep: 0.5, what: kernel}", "prune: what: kernel: 'a.w' is no filter of a convolution"},
	};
	static const char *const good[] = {"- prune: {keep: 0.5}\n- share: {levels: 3}\n- encode: {}\n- encode: {}", "- prune: {keep: 0.5}\n- train: {}\n- share: {levels: 3}\n- quantize: {}", "- encode: {}\n- quantize: {}", "- quantize: {keep: b.w}\n- encode: {layers: b.w}"};
	static const float a[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, b[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	known_set s;

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(row); i++) {
		cop_dataset *d = known_samples(&s, 4, 4, 2, zeros);
		cop_graph *g = known_net(*state, 4, 4, a, 2, b);
		assert_int_equal(known_compress(&g, row[i].stages, d, d, d, &known_args, NULL), COP_ARG);
		if (!strstr(cop_error_text(*state), row[i].says)) fail_msg("%s: %s", row[i].stages, cop_error_text(*state));
		if (i < LEN(row) - 1) assert_int_equal(s.gets, 0); /* before any work */
		cop_error_clear(*state);
		known_is(g, "a.w", a, 16, row[i].stages);
		cop_graph_free(g);
	}
	for (int i = 0; i < LEN(good); i++) {
		cop_dataset *d = known_samples(&s, 4, 4, 2, zeros);
		cop_graph *g = known_net(*state, 4, 4, a, 2, b);
		OK(*state, known_compress(&g, good[i], d, d, d, &known_args, NULL));
		cop_graph_free(g);
	}
	/* a product of two values has no form in integers */
	cop_graph *product;
	cop_type square = cop__type(COP_F32, 2, DIMS(4, 4)), in = cop__type(COP_F32, 2, DIMS(1, 4));
	cop_dataset *places = known_samples(&s, 4, 4, 0, NULL);
	OK(*state, cop__graph_new(&product, *state, "product"));
	OK(*state, cop__output(product, cop__apply(product, OP_matmul, &(cop_matmul_attr){0, 0}, VIDS(cop__input(product, "x", &in), cop__data(product, COP_PARAM, "m", &square, a))), "y"));
	assert_int_equal(known_compress(&product, "- quantize: {}", places, NULL, NULL, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "line 3: quantize"));
	assert_non_null(strstr(cop_error_text(*state), "'m' is read by no layer that has a form in integers"));
	assert_int_equal(s.gets, 0);
	cop_error_clear(*state);
	cop_graph_free(product);
	/* so it came */
	cop_dataset *d = known_samples(&s, 4, 4, 2, zeros);
	cop_graph *g = known_net(*state, 4, 4, a, 2, b);
	OK(*state, cop_quantize(&g, d, &(cop_quantize_args){.threads = 1}));
	assert_int_equal(known_compress(&g, "- train: {}", d, d, d, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "line 3: train can't work on a network with integers, which it has already"));
	assert_null(strstr(cop_error_text(*state), "after"));
	cop_error_clear(*state);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(blocks), KNOWN_TEST(two_of_four), KNOWN_TEST(kernels), KNOWN_TEST(channels), KNOWN_TEST(senseless)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
