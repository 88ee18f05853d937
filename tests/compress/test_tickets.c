/* SPDX-License-Identifier: Apache-2.0
 *
 * Lottery tickets: after the last cut a network is trained that has the weights of the beginning under the mask, with the rate, the momentum and the
 * count of steps of a beginning. So the result is that of a training of its own, which is run here beside it.
 */
#include "compress/known.h"

enum { IN = 8, ROWS = 6, OUT = 3, N = 12 };

static cop_status noise(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < IN; k++) x[k] = cop__rand_normal(5, 5, (uint64_t)(i * IN + k));
	*label = x[0] > x[1] ? x[0] > x[2] ? 0 : 2 : x[1] > x[2] ? 1 : 2;
	return COP_OK;
}

static cop_dataset samples(void) { return (cop_dataset){.name = "noise", .x = cop__type(COP_F32, 1, DIMS(IN)), .count = N, .classes = OUT, .get = noise}; }

static cop_graph *net(cop_ctx *cx)
{
	static float a[ROWS * IN], b[OUT * ROWS];
	for (int i = 0; i < LEN(a); i++) a[i] = cop__rand_normal(1, 1, (uint64_t)i);
	for (int i = 0; i < LEN(b); i++) b[i] = cop__rand_normal(1, 2, (uint64_t)i);
	return known_net(cx, IN, ROWS, a, OUT, b);
}

/* Zeros in the weights of `to` where those of `by` are, and a mask that keeps them so. */
static void mask_by(cop_graph *to, const cop_graph *by, const char *name)
{
	cop_vid v = cop__find(to, name);
	const float *w = cop__floats(by, cop__find(by, name));
	cop_type t = *cop__t(to, v);
	float *own = cop__own(to, v), mask[64];

	for (int64_t i = 0; i < cop_type_count(&t); i++) mask[i] = w[i] != 0, own[i] *= mask[i];
	assert_true(cop__follow(to, v, COP_STATE, "mask", &t, mask));
}

static void close_to(const cop_graph *g, const cop_graph *want, const char *name, const char *what)
{
	const float *a = cop__floats(g, cop__find(g, name)), *b = cop__floats(want, cop__find(want, name));
	for (int64_t i = 0; i < cop_type_count(cop__t(g, cop__find(g, name))); i++)
		if (fabsf(a[i] - b[i]) > 1e-5f) fail_msg("%s: %s[%d] is %g, not %g", what, name, (int)i, (double)a[i], (double)b[i]);
}

/* One batch is all samples, so an epoch is a step and the order of samples does not matter. */
static void is_a_training_of_its_own(void **state)
{
	static const struct { const char *options, *update, *schedule; int epochs, round, early; } rows[] = {
		{"rounds: 1, scope: layer", "sgd momentum=0.9", "constant", 10, 5, 0}, {"rounds: 3", "sgd momentum=0.9 nesterov=1 decay=0.01", "cosine", 20, 5, 0}, {"rounds: 2", "adam", "cosine:warmup=2", 18, 6, 0},
		{"rounds: 2, rewind: 0", "adam", "step:every=2,by=0.5", 18, 6, 0}, {"rounds: 1, rewind: 2", "sgd momentum=0.9", "constant", 12, 6, 2}, {"rounds: 3, by: random", "adam", "constant", 16, 4, 0},
	};
	cop_dataset d = samples();
	char text[300];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = net(*state), *want = net(*state), *was = net(*state);
		cop_train_args a = {.epochs = rows[i].epochs, .batch = N, .threads = 1, .lr = 0.05f, .seed = 7, .update = rows[i].update, .schedule = rows[i].schedule};
		snprintf(text, sizeof text, "- prune: {keep: 0.4, schedule: tickets, %s, may_cost: 100, must_gain: 0}", rows[i].options);
		OK(*state, known_compress(&g, text, &d, NULL, NULL, &a, NULL));
		a.epochs = rows[i].early;
		if (a.epochs) OK(*state, cop_train(want, &d, NULL, &a));
		int kept = 0;
		const float *w = cop__floats(g, cop__find(g, "a.w")), *v = cop__floats(g, cop__find(g, "b.w"));
		for (int k = 0; k < ROWS * IN; k++) kept += w[k] != 0;
		for (int k = 0; k < OUT * ROWS; k++) kept += v[k] != 0;
		assert_in_range(kept, 26, 27); /* 0.4 of 66, or of 48 and of 18 */
		mask_by(want, g, "a.w"), mask_by(want, g, "b.w");
		a.epochs = rows[i].round;
		OK(*state, cop_train(want, &d, NULL, &a));
		close_to(g, want, "a.w", text), close_to(g, want, "b.w", text);
		assert_memory_not_equal(cop__floats(want, cop__find(want, "a.w")), cop__floats(was, cop__find(was, "a.w")), ROWS * IN * sizeof(float));
		cop_graph_free(g), cop_graph_free(want), cop_graph_free(was);
	}
}

static int by_value(const void *a, const void *b) { return (*(const float *)a > *(const float *)b) - (*(const float *)a < *(const float *)b); }

/* The control has the mask of the ticket, and under it numbers of the beginning that belonged to other places. */
static void redrawn(void **state)
{
	cop_dataset d = samples();
	cop_train_args a = {.epochs = 8, .batch = N, .threads = 1, .lr = 1e-30f, .seed = 7, .update = "sgd momentum=0"};
	float all[ROWS * IN];
	int moved = 0;

	if (!known_parts()) skip();
	cop_graph *g[2] = {net(*state), net(*state)}, *was = net(*state);
	OK(*state, known_compress(&g[0], "- prune: {keep: 0.4, schedule: tickets, rounds: 3, may_cost: 100, must_gain: 0}", &d, NULL, NULL, &a, NULL));
	OK(*state, known_compress(&g[1], "- prune: {keep: 0.4, schedule: tickets, rounds: 3, redraw: yes, may_cost: 100, must_gain: 0}", &d, NULL, NULL, &a, NULL));
	const float *w = cop__floats(g[0], cop__find(g[0], "a.w")), *v = cop__floats(g[1], cop__find(g[1], "a.w")), *first = cop__floats(was, cop__find(was, "a.w"));
	memcpy(all, first, sizeof all);
	qsort(all, LEN(all), sizeof *all, by_value);
	for (int i = 0; i < ROWS * IN; i++) {
		assert_true((w[i] == 0) == (v[i] == 0));
		assert_true(w[i] == 0 || w[i] == first[i]);
		assert_true(v[i] == 0 || bsearch(&v[i], all, LEN(all), sizeof *all, by_value));
		moved += v[i] != w[i];
	}
	assert_true(moved > 10);
	cop_graph_free(g[0]), cop_graph_free(g[1]), cop_graph_free(was);
}

/* The last epoch of a round is scored with the weights of its end, not with those that the next one begins with. */
static void note_accuracy(void *ud, const cop_epoch *e)
{
	float *accuracy = ud;
	if (e->done >= 1) accuracy[e->epoch - 1] = e->accuracy;
}

static void rounds_are_scored(void **state)
{
	cop_dataset d = samples();
	float two[20], one[10];
	cop_train_args a = {.epochs = 20, .batch = N, .threads = 1, .lr = 0.3f, .seed = 7, .update = "sgd momentum=0.9", .schedule = "constant", .progress = note_accuracy, .ud = two};

	if (!known_parts()) skip();
	cop_graph *g = net(*state), *h = net(*state);
	OK(*state, known_compress(&g, "- prune: {keep: 0.1, schedule: tickets, rounds: 1, may_cost: 100, must_gain: 0}", &d, &d, NULL, &a, NULL));
	a.epochs = 10, a.ud = one;
	OK(*state, cop_train(h, &d, &d, &a));
	for (int i = 0; i < 10; i++) assert_float_equal(two[i], one[i], 1e-6f);
	assert_true(one[9] > one[0]);
	cop_graph_free(g), cop_graph_free(h);
}

static void refused(void **state)
{
	static const struct { const char *options, *says; } rows[] = {
		{"by: movement", "prune: by: movement changes or brings back weights, and schedule: tickets has them return"}, {"by: obc", "prune: by: obc changes or brings back weights"},
		{"rounds: 3, rewind: 3, epochs: 8", "prune: schedule: tickets: rewind: 3: a round has 2 epochs, of 8 in 4 rounds"}, {"rounds: 0", "rounds must be a whole number from 1"},
		{"train: no", "train: no leaves one moment for cuts; give schedule: once"}, {"rewind: -1", "rewind must be a number from 0"},
	};
	cop_dataset d = samples();
	char text[300];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = net(*state);
		snprintf(text, sizeof text, "- prune: {keep: 0.4, schedule: tickets, %s}", rows[i].options);
		assert_int_equal(known_compress(&g, text, &d, NULL, NULL, &known_args, NULL), COP_ARG);
		if (!strstr(cop_error_text(*state), rows[i].says)) fail_msg("%s: %s", text, cop_error_text(*state));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(is_a_training_of_its_own), KNOWN_TEST(redrawn), KNOWN_TEST(rounds_are_scored), KNOWN_TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
