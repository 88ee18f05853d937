/* SPDX-License-Identifier: Apache-2.0
 *
 * Neurons that do the same go without a trace; how far apart two are, which goes first and where the rule stops, by hand; and the stage, which makes
 * the network narrower.
 */
#include "compress/known.h"
#include "compress/similar/similar.h"

/* ---- arithmetic ---- */

/* 0 and 1 point the same way at twice the size, 2 the other way, 3 at a right angle to 0; biases in proportion but for 3. */
static const float w[8] = {3, 4, 6, 8, -3, -4, 4, -3}, b[4] = {1, 2, 1, 0};

static void distances(void **state)
{
	const cop_neurons x = {.n = 4, .in = 2, .out = 0, .w = w, .b = b}, bare = {.n = 4, .in = 2, .out = 0, .w = w};

	(void)state;
	assert_float_equal((float)cop__neuron_distance(&x, 0, 1, true), 0, 1e-12f);
	assert_float_equal((float)cop__neuron_distance(&x, 0, 1, false), 0, 1e-12f);
	assert_float_equal((float)cop__neuron_distance(&bare, 0, 3, true), 1, 1e-6f);  /* |a - b| = |a + b| */
	assert_float_equal((float)cop__neuron_distance(&x, 0, 3, true), 4, 1e-6f);     /* and |0.2 - 0| / |0.2 + 0| = 1: (1 + 1)^2 */
	assert_float_equal((float)cop__neuron_distance(&x, 0, 3, false), 2.04f, 1e-6f); /* (3/5 - 4/5)^2 + (4/5 + 3/5)^2 + (1/5 - 0)^2 */
	assert_float_equal((float)cop__neuron_distance(&x, 0, 2, false), 4, 1e-6f);
	assert_true(cop__neuron_distance(&x, 0, 2, true) > 1e12);                      /* the sum is 0 */
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			for (int r = 0; r < 2; r++) assert_true(cop__neuron_distance(&x, i, j, r) == cop__neuron_distance(&x, j, i, r));
}

static void mode(void **state)
{
	float v[200];

	(void)state;
	for (int i = 0; i < 200; i++) v[i] = i < 100 ? 0.305f : i < 190 ? (float)i / 190 : 1e6f; /* the tail is no part of it */
	assert_float_equal((float)cop__mode(v, 200), 0.305f, 0.01f);
	for (int i = 0; i < 5; i++) v[i] = 7;
	assert_float_equal((float)cop__mode(v, 5), 7, 0);
}

/* Column j goes into column i at the ratio of their norms; of a pair that of the smaller weights behind it goes first. */
static void surgery(void **state)
{
	float next[8] = {1, 10, 5, 7, 2, 20, 5, 7}, saliency[4];
	const float of_0[2] = {1 + 2 * 10, 2 + 2 * 20}, of_1[2] = {10 + 0.5f, 20 + 1};
	cop_neurons x = {.n = 4, .in = 2, .out = 2, .w = w, .b = b, .next = next};
	uint8_t stays[4];
	int32_t gone;

	OK(*state, cop__similar(stays, &gone, saliency, *state, &x, &(cop_similar_args){.by = COP_BY_SIMILAR, .keep = 3, .part = 1}));
	assert_int_equal(gone, 1);
	assert_true(stays[2] && stays[3] && stays[0] != stays[1] && saliency[0] == 0);
	for (int o = 0; o < 2; o++) assert_float_equal(next[4 * o + !stays[0]], stays[0] ? of_0[o] : of_1[o], 1e-5f);
	assert_true(next[2] == 5 && next[3] == 7);
	/* the saliency is what reads j, at the scale of its weights, times the distance */
	float read[4] = {3, 0, 0.1f, 1}, two[4] = {3, 0, 0, 4};
	cop_neurons y = {.n = 2, .in = 2, .out = 2, .w = two, .next = read};
	OK(*state, cop__similar(stays, &gone, saliency, *state, &y, &(cop_similar_args){.by = COP_BY_SIMILAR, .keep = 1, .part = 1}));
	assert_true(stays[0] && !stays[1]); /* 2 x 4 x 4 x 1 / 2, and of the other one 2 x 3 x 3 x 9.01 / 2 */
	assert_float_equal(saliency[0], 16, 1e-4f);
	assert_float_equal(read[0], 3, 1e-5f);
	assert_float_equal(read[2], 0.1f + 4.0f / 3, 1e-5f);
}

/* Against many inputs of normal numbers: the mean product of two rectified neurons. And one that is a sum of two others goes without a trace where
 * nothing is rectified, which no single other one could stand for. */
static void products(void **state)
{
	enum { D = 3, MANY = 200000 };
	static const float v[2 * D] = {1, -0.5f, 2, 0.25f, 1.5f, 1};
	const cop_neurons x = {.n = 2, .in = D, .w = v, .rectified = true};
	double sum[3] = {0};

	for (int s = 0; s < MANY; s++) {
		double y[2] = {0};
		for (int k = 0; k < D; k++)
			for (int i = 0; i < 2; i++) y[i] += (double)v[i * D + k] * (double)cop__rand_normal(2, 2, (uint64_t)(s * D + k));
		for (int i = 0; i < 2; i++) y[i] = y[i] > 0 ? y[i] : 0;
		sum[0] += y[0] * y[0] / MANY, sum[1] += y[0] * y[1] / MANY, sum[2] += y[1] * y[1] / MANY;
	}
	for (int k = 0; k < 3; k++) assert_float_equal((float)cop__neuron_product(&x, k / 2, (k + 1) / 2), (float)sum[k], 0.02f);
	static const float linear[6] = {1, 0, 0, 1, 2, -3};
	float next[3] = {5, 7, 1};
	cop_neurons y = {.n = 3, .in = 2, .out = 1, .w = linear, .next = next};
	uint8_t stays[3];
	int32_t gone;
	OK(*state, cop__similar(stays, &gone, NULL, *state, &y, &(cop_similar_args){.by = COP_BY_SHARED, .keep = 2, .part = 1}));
	double sees[2] = {0};
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 2; k++) sees[k] += stays[i] ? (double)next[i] * (double)linear[2 * i + k] : 0;
	assert_float_equal((float)sees[0], 7, 0.1f);
	assert_float_equal((float)sees[1], 4, 0.1f);
}

static void controls(void **state)
{
	float next[8] = {1, 1, 1, 1, 0.1f, 3, 2, 0}, was[8];
	cop_neurons x = {.n = 4, .in = 2, .out = 2, .w = w, .b = b, .next = next};
	uint8_t stays[4], other[4];
	int32_t gone, differ = 0;

	memcpy(was, next, sizeof was);
	OK(*state, cop__similar(stays, &gone, NULL, *state, &x, &(cop_similar_args){.by = COP_BY_NAIVE, .keep = 2}));
	assert_true(!stays[0] && stays[1] && stays[2] && !stays[3] && gone == 2); /* 25 (1.01) / 2, 100 (10) / 2, 25 (5) / 2, 25 (1) / 2 */
	for (uint64_t s = 0; s < 20; s++) {
		OK(*state, cop__similar(other, &gone, NULL, *state, &x, &(cop_similar_args){.by = COP_BY_RANDOM, .keep = 2, .seed = s}));
		assert_int_equal(other[0] + other[1] + other[2] + other[3], 2);
		differ += memcmp(other, stays, 4) != 0;
	}
	assert_in_range(differ, 10, 20);
	assert_memory_equal(next, was, sizeof was); /* nobody stands for them */
}

/* ---- the stage ---- */

enum { IN = 6, N = 30, KINDS = 20, OUT = 3 };

/* Five kinds of neurons three times each at other sizes, and fifteen more kinds; behind them a rectifier. */
static cop_graph *alike(cop_ctx *cx, int act, bool branch)
{
	static float a[N * IN], bias[N], c[OUT * N];
	cop_type in = cop__type(COP_F32, 2, DIMS(1, IN)), t1 = cop__type(COP_F32, 2, DIMS(N, IN)), tb = cop__type(COP_F32, 1, DIMS(N)), t2 = cop__type(COP_F32, 2, DIMS(OUT, N));
	cop_act_attr none = {COP_NO_LO, COP_NO_HI}, relu = {0, act == OP_clip ? COP_NO_HI : 6};
	cop_graph *g;

	for (int i = 0; i < N; i++) {
		int kind = i < 15 ? i % 5 : i - 10;
		float size = 0.5f * (float)(1 + i / 5);
		for (int k = 0; k < IN; k++) a[i * IN + k] = size * cop__rand_normal(1, 1, (uint64_t)(kind * IN + k));
		bias[i] = size * cop__rand_normal(1, 2, (uint64_t)kind);
	}
	for (int i = 0; i < OUT * N; i++) c[i] = 1 + 0.3f * cop__rand_normal(1, 3, (uint64_t)i);
	OK(cx, cop__graph_new(&g, cx, "alike"));
	cop_vid y = cop__apply(g, OP_fc, &none, VIDS(cop__input(g, "x", &in), cop__data(g, COP_PARAM, "a.w", &t1, a), cop__data(g, COP_PARAM, "a.b", &tb, bias)));
	y = act == OP_sigmoid ? cop__apply(g, OP_sigmoid, NULL, VIDS(y)) : cop__apply(g, OP_clip, &relu, VIDS(y));
	cop_vid z = cop__apply(g, OP_fc, &none, VIDS(y, cop__data(g, COP_PARAM, "b.w", &t2, c)));
	OK(cx, cop__output(g, z, "z"));
	if (branch) OK(cx, cop__output(g, y, "y"));
	return g;
}

static cop_status noise(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < IN; k++) x[k] = cop__rand_normal(5, 5, (uint64_t)(i * IN + k));
	return *label = 0, COP_OK;
}

typedef struct answers { float y[20][OUT]; } answers;
static cop_status note(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	(void)label;
	return memcpy(((answers *)ud)->y[i], y, sizeof *y * (size_t)n), COP_OK;
}

/* All that are alike go, and no answer changes; the layers are narrower. One more, and answers change. */
static void stage(void **state)
{
	static const struct { const char *options; int left; bool same; } rows[] = {
		{"keep: 0, by: similar", KINDS, true}, {"keep: 0.8, by: similar", 24, true}, {"keep: 0.6667, by: similar", KINDS, true}, {"keep: 0.6667, by: ratio", KINDS, true}, {"keep: 0.6333, by: similar", KINDS - 1, false},
		{"part: 0.5, by: similar", KINDS + 5, true}, {"keep: 0.6667", KINDS, true}, {"keep: 0.5", 15, false}, {"keep: 0.5, by: naive", 15, false}, {"keep: 0.5, by: random", 15, false},
	};
	cop_dataset d = {.name = "noise", .x = cop__type(COP_F32, 1, DIMS(IN)), .count = 20, .classes = OUT, .get = noise};
	char text[200];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = alike(*state, OP_clip, false);
		answers was, now;
		double far = 0;
		OK(*state, cop_predict(g, &d, 5, 1, note, &was));
		snprintf(text, sizeof text, "- similar: {%s, may_cost: 1e2, must_gain: 0}", rows[i].options);
		OK(*state, known_compress(&g, text, &d, NULL, NULL, &known_args, NULL));
		OK(*state, cop_predict(g, &d, 5, 1, note, &now));
		if (cop__t(g, cop__find(g, "a.w"))->dim[0] != rows[i].left) fail_msg("%s: %d are left", rows[i].options, cop__t(g, cop__find(g, "a.w"))->dim[0]);
		assert_true(cop__t(g, cop__find(g, "a.b"))->dim[0] == rows[i].left && cop__t(g, cop__find(g, "b.w"))->dim[1] == rows[i].left);
		for (int k = 0; k < 20 * OUT; k++) far = fmax(far, fabs((double)(was.y[k / OUT][k % OUT] - now.y[k / OUT][k % OUT])));
		if (rows[i].same != (far < 1e-3)) fail_msg("%s: answers are %g apart", rows[i].options, far);
		cop_graph_free(g);
	}
}

/* The history counts the numbers that there are: fewer than before. */
static void history(void **state)
{
	cop_dataset d = {.name = "noise", .x = cop__type(COP_F32, 1, DIMS(IN)), .count = 20, .classes = OUT, .get = noise};
	static known_run r;

	if (!known_parts()) skip();
	cop_graph *g = alike(*state, OP_clip, false);
	known_story(&r, &g, "- similar: {keep: 0.5, may_cost: 100, must_gain: 0}", &d, &known_args);
	for (int i = 0; i < r.story.n_layer; i++) {
		int64_t now = 0;
		for (int k = 0; k < 65; k++) now += r.story.layer[i].bin[1][k];
		assert_int_equal(now, cop_type_count(cop__t(g, cop__find(g, r.story.layer[i].name))));
	}
	assert_int_equal(r.story.n_layer, 2);
	cop__story_free(&r.story);
	cop_graph_free(g);
}

static void refused(void **state)
{
	static const struct { int act; bool branch; const char *options, *says; } rows[] = {
		{OP_sigmoid, false, "keep: 0.5", "'a.w' makes neurons that go through something other than a rectifier"}, {OP_add, false, "keep: 0.5", "'a.w' makes neurons that go through something other than a rectifier"},
		{OP_clip, true, "keep: 0.5", "'a.w' makes neurons that are read more than once"}, {OP_clip, false, "layers: b.w", "'b.w' makes neurons that are read more than once, or are the answer"},
		{OP_clip, false, "by: naive", "line 3: similar: a control has no rule for how many go; give keep"}, {OP_clip, false, "keep: 0.5, part: 0.5", "keep says how many stay, so part can't"},
		{OP_clip, false, "layers: c.w", "matches no weight of the network"},
	};
	cop_dataset d = {.name = "noise", .x = cop__type(COP_F32, 1, DIMS(IN)), .count = 20, .classes = OUT, .get = noise};
	char text[200];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = alike(*state, rows[i].act, rows[i].branch);
		snprintf(text, sizeof text, "- similar: {%s}", rows[i].options);
		assert_int_equal(known_compress(&g, text, &d, NULL, NULL, &known_args, NULL), COP_ARG);
		if (!strstr(cop_error_text(*state), rows[i].says)) fail_msg("%s: %s", text, cop_error_text(*state));
		assert_int_equal(cop__t(g, cop__find(g, "a.w"))->dim[0], N);
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(distances), KNOWN_TEST(mode), KNOWN_TEST(surgery), KNOWN_TEST(products), KNOWN_TEST(controls), KNOWN_TEST(stage), KNOWN_TEST(history), KNOWN_TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
