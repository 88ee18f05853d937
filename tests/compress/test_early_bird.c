/* SPDX-License-Identifier: Apache-2.0
 *
 * Early birds: the network is cut when masks agree and not before, to the channels that the score says, and the rest of the epochs train what is left.
 */
#include "compress/known.h"

enum { IN = 6, ROWS = 10, OUT = 3, N = 12 };

static cop_status noise(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < IN; k++) x[k] = cop__rand_normal(5, 5, (uint64_t)(i * IN + k));
	*label = x[0] > x[1] ? x[0] > x[2] ? 0 : 2 : x[1] > x[2] ? 1 : 2;
	return COP_OK;
}

static cop_dataset samples(void) { return (cop_dataset){.name = "noise", .x = cop__type(COP_F32, 1, DIMS(IN)), .count = N, .classes = OUT, .get = noise}; }

/* Rows of sizes 1, 2, 3 ... in an order. */
static const int size_of[ROWS] = {4, 9, 1, 7, 10, 2, 8, 3, 6, 5};

static cop_graph *net(cop_ctx *cx)
{
	static float a[ROWS * IN], b[OUT * ROWS];
	for (int i = 0; i < LEN(a); i++) a[i] = 0.1f * (float)size_of[i / IN] * (i % 2 ? 1 : -1);
	for (int i = 0; i < LEN(b); i++) b[i] = 0.1f * cop__rand_normal(1, 2, (uint64_t)i);
	return known_net(cx, IN, ROWS, a, OUT, b);
}

typedef struct told { int epochs, cut_after; char warned; } told;
static void count_epochs(void *ud, const cop_epoch *e) { ((told *)ud)->epochs += e->done >= 1; }
static void hear(void *ud, cop_level level, const char *text)
{
	told *t = ud;
	const char *at = strstr(text, "early-bird: after epoch ");
	if (at) sscanf(at, "early-bird: after epoch %d", &t->cut_after);
	t->warned |= level == COP_LOG_WARN && strstr(text, "early-bird: nothing was cut") != NULL;
}

static void cuts(void **state)
{
	static const struct { const char *options; float lr; int epochs, left, after; } rows[] = {
		{"keep: 0.5", 1e-30f, 8, 5, 5}, {"keep: 0.3, window: 3", 1e-30f, 8, 3, 3}, {"keep: 0.3, window: 2, distance: 0", 1e-30f, 4, 3, 2}, {"keep: 0.5, after: 2", 1e-30f, 6, 5, 2}, {"keep: 0.5, after: 1, by: random", 0.01f, 6, 5, 1},
		{"keep: 0.5", 1e-30f, 4, ROWS, 0}, {"keep: 0.5, by: magnitude, scope: layer", 0.01f, 8, 5, 5}, {"keep: {a.w: 0.7}, scope: layer", 1e-30f, 6, 7, 5},
		{"keep: 0.5", 1e-30f, 5, ROWS, 0}, /* nothing would train the small one */
	};
	cop_dataset d = samples();
	char text[300];

	(void)state;
	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		told t = {0};
		cop_ctx *cx = new_ctx();
		cop_ctx_log(cx, COP_LOG_INFO, hear, &t);
		cop_graph *g = net(cx), *was = net(cx);
		cop_train_args a = {.epochs = rows[i].epochs, .batch = 4, .threads = 1, .lr = rows[i].lr, .seed = 7, .update = "sgd momentum=0.9", .progress = count_epochs, .ud = &t};
		snprintf(text, sizeof text, "- early-bird: {%s, may_cost: 100, must_gain: 0}", rows[i].options);
		OK(cx, known_compress(&g, text, &d, &d, NULL, &a, NULL));
		const cop_type *w = cop__t(g, cop__find(g, "a.w")), *v = cop__t(g, cop__find(g, "b.w"));
		if (w->dim[0] != rows[i].left || v->dim[1] != rows[i].left || t.cut_after != rows[i].after) fail_msg("%s: %d are left, cut after %d", text, w->dim[0], t.cut_after);
		assert_int_equal(t.epochs, rows[i].epochs); /* all of them are run */
		assert_int_equal(t.warned, rows[i].left == ROWS);
		const float *now = cop__floats(g, cop__find(g, "a.w"));
		for (int k = 0, r = 0; k < ROWS && rows[i].lr < 1e-20f; k++) {
			if (size_of[k] <= ROWS - rows[i].left) continue; /* the smallest have gone; the others are what they were */
			assert_memory_equal(now + IN * r++, cop__floats(was, cop__find(was, "a.w")) + IN * k, IN * sizeof(float));
		}
		if (rows[i].lr > 1e-20f) assert_memory_not_equal(now, cop__floats(was, cop__find(was, "a.w")) + IN, IN * sizeof(float));
		cop_graph_free(g), cop_graph_free(was);
		cop_ctx_free(cx);
	}
}

/* Rows that change places from epoch to epoch: no mask is like the one before it, and so nothing is cut. */
static void restless(void **state)
{
	static float a[ROWS * IN], b[OUT * ROWS];
	cop_dataset d = samples();
	cop_train_args args = {.epochs = 12, .batch = N, .threads = 1, .lr = 40, .seed = 7, .update = "sgd momentum=0", .schedule = "constant"};

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(a); i++) a[i] = 0.01f * cop__rand_normal(1, 3, (uint64_t)i);
	for (int i = 0; i < LEN(b); i++) b[i] = 0.1f * cop__rand_normal(1, 2, (uint64_t)i);
	cop_graph *g = known_net(*state, IN, ROWS, a, OUT, b);
	OK(*state, known_compress(&g, "- early-bird: {keep: 0.5, window: 12, distance: 0.05, may_cost: 100, must_gain: 0}", &d, &d, NULL, &args, NULL));
	assert_int_equal(cop__t(g, cop__find(g, "a.w"))->dim[0], ROWS);
	cop_graph_free(g);
}

static void refused(void **state)
{
	static const struct { const char *stages, *says; } rows[] = {
		{"- early-bird: {keep: 0.5, by: movement}", "line 3: early-bird: by: movement adds up over a training"}, {"- early-bird: {keep: 0.5, by: bn-scale}", "bn-scale needs batch norm behind every layer"},
		{"- early-bird: {keep: {a.w: 0.5}, scope: global}", "scope: global has one keep for all"}, {"- early-bird: {keep: 0.5, window: 1}", "window must be a whole number from 2 to 32"}, {"- early-bird: {}", "keep"},
		{"- prune: {keep: 0.5}\n- early-bird: {keep: 0.5}", "line 4: early-bird can't work on a network with masks of pruned weights"}, {"- early-bird: {keep: 0.5, layers: b.w}", "no channel of 'b.w' may go"},
		{"- early-bird: {keep: 0.5, policies: nonsense}", "there is no policy 'nonsense'"},
	};
	cop_dataset d = samples();

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = net(*state);
		assert_int_equal(known_compress(&g, rows[i].stages, &d, &d, NULL, &known_args, NULL), COP_ARG);
		if (!strstr(cop_error_text(*state), rows[i].says)) fail_msg("%s: %s", rows[i].stages, cop_error_text(*state));
		assert_int_equal(cop__t(g, cop__find(g, "a.w"))->dim[0], ROWS);
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(cuts), KNOWN_TEST(restless), KNOWN_TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
