/* SPDX-License-Identifier: Apache-2.0
 *
 * A network that takes channels first, scored and quantised on samples with channels last: each class looks at one place of one
 * channel, so that it is found there and nowhere else.
 */
#include "../io/onnx/ox_accepted.h"

enum { H = 4, W = 5, C = 3, CLASSES = 3, COUNT = 7 };
static const struct { int h, w, c; } place[CLASSES] = {{0, 3, 2}, {1, 2, 0}, {3, 4, 1}}; /* 43, 7, 39 with channels first; 11, 21, 58 with channels last */

static float light(int i, int h, int w, int c)
{
	int k = i % CLASSES;
	bool here = place[k].h == h && place[k].w == w && place[k].c == c;
	return (here ? 2.0f : 0.0f) + 0.1f * cop__rand_unit(7, (uint32_t)i, (uint64_t)((h * W + w) * C + c));
}

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	bool first = *(const bool *)ud;

	for (int h = 0; h < H; h++)
		for (int w = 0; w < W; w++)
			for (int c = 0; c < C; c++) x[first ? (c * H + h) * W + w : (h * W + w) * C + c] = light(i, h, w, c);
	*label = i % CLASSES;
	return COP_OK;
}

static const bool no, yes = true;
static cop_dataset last = {.name = "last", .x = {.dtype = COP_F32, .rank = 3, .dim = {H, W, C}, .q.axis = -1}, .count = COUNT, .classes = CLASSES, .get = sample, .ud = (void *)&no};
static cop_dataset first = {.name = "first", .x = {.dtype = COP_F32, .rank = 3, .dim = {C, H, W}, .q.axis = -1}, .count = COUNT, .classes = CLASSES, .get = sample, .ud = (void *)&yes};

static cop_graph *net(cop_ctx *cx)
{
	maker m = begin(cx);
	float w[C * H * W][CLASSES] = {{0}};

	for (int k = 0; k < CLASSES; k++) w[(place[k].c * H + place[k].h) * W + place[k].w][k] = 1;
	info(&m, GRAPH_INPUT, "x", OX_FLOAT, D(1, C, H, W)), info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL);
	initializer(&m, "w", OX_FLOAT, D(C * H * W, CLASSES), w, sizeof w);
	node(&m, "Flatten", "x", "f", NULL, 0), node(&m, "Gemm", "f w", "y", NULL, 0);
	return accepted(&m);
}

/* The mean cross-entropy, by hand. */
static double loss(void)
{
	double all = 0;

	for (int i = 0; i < COUNT; i++) {
		double sum = 0;
		for (int k = 0; k < CLASSES; k++) sum += exp((double)light(i, place[k].h, place[k].w, place[k].c));
		all += log(sum) - (double)light(i, place[i % CLASSES].h, place[i % CLASSES].w, place[i % CLASSES].c);
	}
	return all / COUNT;
}

static void scored(cop_ctx *cx, const cop_graph *g, double within)
{
	cop_dataset *sets[] = {&last, &first};
	cop_score s;

	for (int i = 0; i < 2; i++) {
		OK(cx, cop_eval(&s, g, sets[i], 4, 1));
		assert_int_equal(s.count, COUNT);
		assert_float_equal(s.accuracy, 1, 0);
		assert_float_equal(s.loss, loss(), within);
	}
}

static void test_scored(void **state)
{
	cop_graph *g = net(*state);

	scored(*state, g, 1e-5);
	cop_graph_free(g);
}

/* Ranges seen at other places would cut the scores off. */
static void test_quantised(void **state)
{
	const cop_quantize_args a = {.range = "minmax", .threads = 1};
	cop_dataset *sets[] = {&last, &first};

	for (int i = 0; i < 2; i++) {
		cop_graph *g = net(*state);
		OK(*state, cop_quantize(&g, sets[i], &a));
		scored(*state, g, 0.01);
		cop_graph_free(g);
	}
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_scored, setup, teardown), cmocka_unit_test_setup_teardown(test_quantised, setup, teardown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
