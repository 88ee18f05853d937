/* SPDX-License-Identifier: Apache-2.0
 *
 * Pruning by recipe, on networks whose right masks are known: which weights stay, that the others are zeros and stay zeros, what it costs,
 * where a gradual schedule stands after each epoch, and that a stage that does not pay leaves nothing behind.
 */
#include "compress/known.h"
#include "train/policy.h"

/* Sample i is right before: 8 > -6, 5 > -7, 4 > 1, 3 > 2. Where both weights of a column are zero the answer is class 0. */
static const float two[8] = {8, -7, 1, 2, -6, 5, 4, 3};
static const int32_t two_labels[4] = {0, 1, 1, 1};

typedef struct row {
	const char *options, *why; /* why NULL: it is kept */
	float want[8];
	double accuracy;
} row;

static void one_layer(void **state)
{
	static const row rows[] = {
		{"keep: 0.5, may_cost: 50", NULL, {8, -7, 0, 0, -6, 5, 0, 0}, 0.5},
		{"keep: 0.5, may_cost: 49.9", "it cost 50.00 points, 49.90 were allowed", {8, -7, 1, 2, -6, 5, 4, 3}, 0.5},
		{"keep: 0.5", "it cost 50.00 points, 0.50 were allowed", {8, -7, 1, 2, -6, 5, 4, 3}, 0.5},
		{"keep: 0.75", NULL, {8, -7, 0, 0, -6, 5, 4, 3}, 1},
		{"keep: 0.75, may_cost: 0", NULL, {8, -7, 0, 0, -6, 5, 4, 3}, 1},
		{"keep: 0.75, may_cost: -0.1", "it cost 0.00 points, -0.10 were allowed", {8, -7, 1, 2, -6, 5, 4, 3}, 1},
		{"keep: 0.625, may_cost: 25", NULL, {8, -7, 0, 0, -6, 5, 4, 0}, 0.75},
		{"keep: 0.75, scope: layer", NULL, {8, -7, 0, 0, -6, 5, 4, 3}, 1},
		{"keep: {a.*: 0.75}, scope: layer", NULL, {8, -7, 0, 0, -6, 5, 4, 3}, 1},
		{"keep: {b.*|a.w: 0.75, '*': 0.1}, scope: layer, layers: a.w", NULL, {8, -7, 0, 0, -6, 5, 4, 3}, 1},
		{"keep: 0.0001, may_cost: 100, must_gain: 0", NULL, {8}, 0.25}, /* a layer keeps one */
		{"keep: 1", NULL, {8, -7, 1, 2, -6, 5, 4, 3}, 1},
	};
	static const char *const schedules[] = {"once", "cubic, every: 1", "cubic, over: 1", "cubic, over: 0.3, every: 1", "cubic, over: 0", "cubic, over: 0.5, every: 1000000"};
	char stage[200], what[400];
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, two_labels);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows) * LEN(schedules); i++) {
		const row *r = &rows[i / LEN(schedules)];
		cop_train_args a = known_args;
		cop_graph *g = known_net(*state, 4, 2, two, 0, NULL);
		known_run run;
		a.batch = 1; /* four steps */
		snprintf(stage, sizeof stage, "- prune: {%s, schedule: %s" STILL "}", r->options, schedules[i % LEN(schedules)]);
		known_story(&run, &g, stage, d, &a);
		snprintf(what, sizeof what, "%s: kept %d, accuracy %g; %s", stage, run.story.stage[0].kept, run.story.stage[0].accuracy[1], run.story.stage[0].why);
		known_is(g, "a.w", r->want, 8, what);
		if (run.story.stage[0].kept != !r->why || strcmp(run.story.stage[0].why, r->why ? r->why : "") || run.story.stage[0].accuracy[0] != 1 || run.story.stage[0].accuracy[1] != r->accuracy)
			fail_msg("%s", what);
		assert_true(run.story.before.accuracy == 1 && run.story.after.accuracy == (r->why ? 1 : r->accuracy));
		cop__story_free(&run.story);
		cop_graph_free(g);
	}
}

/* Every stage that trains takes a teacher from the policies of the command line, and nothing else of them. */
static void teachers(void **state)
{
	static const char *const stages[] = {"- prune: {keep: 0.5, may_cost: 100}", "- drr: {alpha: 0.01, may_cost: 100, must_gain: 0}",
		"- steps: {may_cost: 100, must_gain: 0}", "- share: {levels: 2, epochs: 1, may_cost: 100, must_gain: 0}", "- train: {}"};
	static const struct { const char *policies; bool missing; } row[] = {
		{"distill:teacher=/nowhere/big.cop", true}, {"ema:decay=0.5 ;\tdistill: teacher=/nowhere/big.cop,part=0.2", true},
		{"distill teacher=/nowhere/big.cop; ema", true}, {"distill:by=dist", false}, {"ema:decay=0.9", false}};
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, two_labels);
	char text[1200];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(stages) * LEN(row); i++) {
		cop_train_args a = known_args;
		cop_graph *g = known_net(*state, 4, 2, two, 0, NULL);
		a.policies = row[i % LEN(row)].policies;
		cop_status st = known_compress(&g, stages[i / LEN(row)], d, d, d, &a, NULL);
		const bool told = strstr(cop_error_text(*state), "/nowhere/big.cop") != NULL;
		if (row[i % LEN(row)].missing ? !st || !told : st != COP_OK) fail_msg("%s, %s: %s", stages[i / LEN(row)], a.policies, cop_error_text(*state));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
	OK(*state, cop__policies_teachers(text, sizeof text, *state, "ema; distill:part=0.5;distilled; distill by=dkd; hint"));
	assert_string_equal(text, "distill:part=0.5;distill by=dkd;hint;");
	static const struct { const char *text; bool answer; } answers[] = {{NULL, false}, {"", false}, {"hint", false}, {"hint:weight=2;ema", false}, {"distill", true},
		{"hint; distill:part=0.5", true}, {"ema;\tdistill teacher=a.cop", true}, {"distilled", false}, {"hint:teacher=distill", false}};
	for (int i = 0; i < LEN(answers); i++)
		if (cop__policies_answer(answers[i].text) != answers[i].answer) fail_msg("%s", answers[i].text);
	assert_int_equal(cop__policies_teachers(text, 20, *state, "distill:teacher=a-long-name.cop"), COP_ARG);
	cop_error_clear(*state);
}

/* The file has to shrink by must_gain: what is asked is compared with the bytes that the history tells. */
static void gain(void **state)
{
	float many[2000];
	char stage[200], why[100];
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, two_labels);
	double factor = 0;

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(many); i++) many[i] = (float)i - 999.5f;
	for (int i = 0; i < 3; i++) {
		cop_graph *g = known_net(*state, 4, 500, many, 0, NULL);
		known_run run;
		snprintf(stage, sizeof stage, "- prune: {keep: 0.125, schedule: once, may_cost: 75, must_gain: %.9g" STILL "}", i ? factor + (i == 1 ? -1e-4 : 1e-4) : 1);
		known_story(&run, &g, stage, d, &known_args);
		const cop_story_stage *t = &run.story.stage[0];
		factor = t->bytes[0] / t->bytes[1];
		snprintf(why, sizeof why, "the file shrank %.2f times, %.2f were asked", factor, factor + 1e-4);
		assert_true(factor > 1 && t->kept == (i < 2));
		assert_string_equal(t->why, i < 2 ? "" : why);
		cop__story_free(&run.story);
		cop_graph_free(g);
	}
}

/* Without labels the loss decides, in percent of it: y = a x against x, a mean of squares over two samples of two numbers.
 * Before: ((0.5^2 + 0.125^2) / 2 + (0.25^2 + 0.25^2) / 2) / 2 = 0.09765625. With the two largest alone (0.25 + 0.0625) / 4: 20 % less.
 * With the largest alone (1 + 0.0625) / 4: 2.72 times as much. */
static void without_labels(void **state)
{
	static const float a[4] = {0.5f, 0.25f, 0.125f, 0.75f};
	static const row rows[] = {
		{"keep: 0.5", NULL, {0.5f, 0, 0, 0.75f}, -1},
		{"keep: 0.5, may_cost: -19.9", NULL, {0.5f, 0, 0, 0.75f}, -1},
		{"keep: 0.5, may_cost: -20.1", "it cost -20.00 points, -20.10 were allowed", {0.5f, 0.25f, 0.125f, 0.75f}, -1},
		{"keep: 0.25, may_cost: 100", "it cost 172.00 points, 100.00 were allowed", {0.5f, 0.25f, 0.125f, 0.75f}, -1},
	};
	char stage[200];
	known_set s;
	cop_dataset *d = known_samples(&s, 2, 2, 0, NULL);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = known_net(*state, 2, 2, a, 0, NULL);
		known_run run;
		snprintf(stage, sizeof stage, "- prune: {%s, schedule: once" STILL "}", rows[i].options);
		known_story(&run, &g, stage, d, &known_args);
		known_is(g, "a.w", rows[i].want, 4, stage);
		assert_string_equal(run.story.stage[0].why, rows[i].why ? rows[i].why : "");
		assert_true(run.story.stage[0].kept == !rows[i].why && run.story.after.accuracy == -1);
		cop__story_free(&run.story);
		cop_graph_free(g);
	}
}

/* ---- several layers ---- */

static const float small[16] = {0.01f, 0.02f, 0.03f, 0.04f, 0.05f, 0.06f, 0.07f, 0.08f, -0.09f, -0.1f, -0.11f, -0.12f, -0.13f, -0.14f, -0.15f, -0.16f};
static const float large[8] = {1, -2, 3, -4, 5, -6, 7, -8};

static void several_layers(void **state)
{
	static const struct { const char *stages; int a, b; } rows[] = { /* how many of the largest stay: the last ones of both */
		{"- prune: {keep: 0.25, %s}", 1, 5},      /* 6 of 24, and no layer closes */
		{"- prune: {keep: 0.5, %s}", 4, 8},
		{"- prune: {keep: 0.0001, %s}", 1, 0},    /* one of 24: the first of those that no layer may lose */
		{"- prune: {keep: 0.5, scope: layer, %s}", 8, 4},
		{"- prune: {keep: {a.w: 0.25, b.w: 0.75}, scope: layer, %s}", 4, 6},
		{"- prune: {keep: {'*': 0.25, b.w: 0.75}, scope: layer, %s}", 4, 2}, /* the first that matches */
		{"- prune: {keep: {b.w: 0.75}, scope: layer, %s}", 16, 6},
		{"- prune: {keep: 0.5, layers: b.*, %s}", 16, 4},
		{"- prune: {keep: 0.5, layers: b.*, scope: layer, %s}", 16, 4},
		{"- prune: {keep: 0.5, layers: a.w, %s}\n- prune: {keep: 0.125, layers: b.*, %s}", 8, 1},
		{"- prune: {keep: 0.5, %s}\n- prune: {keep: 0.25, scope: layer, %s}", 4, 2}, /* a mask goes on */
		{"- prune: {keep: 0.25, scope: layer, %s}\n- prune: {keep: 0.5, scope: layer, %s}", 4, 2}, /* what is cut stays so */
	};
	static const char options[] = "may_cost: 100, must_gain: 0, schedule: once" STILL;
	char stages[800];
	known_set s;
	int32_t label[4] = {0, 1, 0, 1};
	cop_dataset *d = known_samples(&s, 4, 4, 2, label);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = known_net(*state, 4, 4, small, 2, large);
		float a[16] = {0}, b[8] = {0};
		known_run run;
		snprintf(stages, sizeof stages, rows[i].stages, options, options);
		for (int k = 16 - rows[i].a; k < 16; k++) a[k] = small[k];
		for (int k = 8 - rows[i].b; k < 8; k++) b[k] = large[k];
		known_story(&run, &g, stages, d, &known_args);
		known_is(g, "a.w", a, 16, stages);
		known_is(g, "b.w", b, 8, stages);
		if (run.story.after.nonzero != rows[i].a + rows[i].b || run.story.after.parameters != 24) fail_msg("%s: %g of %g are not zero", stages, run.story.after.nonzero, run.story.after.parameters);
		cop__story_free(&run.story);
		cop_graph_free(g);
	}
}

/* Half a percent of a layer and one more stay whatever the others have: of 400 small weights the 3 largest. */
static void no_layer_closes(void **state)
{
	float a[400], want_a[400] = {0}, b[40], want_b[40] = {0};
	int32_t label[20] = {0};
	known_set s;
	cop_dataset *d = known_samples(&s, 20, 20, 2, label);

	if (!known_parts()) skip();
	for (int i = 0; i < 400; i++) a[i] = 1e-6f * (float)(1 + i * 7 % 401);
	for (int i = 0; i < 40; i++) b[i] = (float)(i + 1);
	for (int i = 0; i < 400; i++) want_a[i] = i * 7 % 401 > 397 ? a[i] : 0;
	for (int i = 31; i < 40; i++) want_b[i] = b[i]; /* 12 of 440 in all */
	cop_graph *g = known_net(*state, 20, 20, a, 2, b);
	OK(*state, known_compress(&g, "- prune: {keep: 0.02728, may_cost: 100, must_gain: 0, schedule: once" STILL "}", d, d, d, &known_args, NULL));
	known_is(g, "a.w", want_a, 400, "small");
	known_is(g, "b.w", want_b, 40, "large");
	cop_graph_free(g);
}

/* ---- over time ---- */

/* Both weights of column i are of size i + 1 or i + 1.5, so after a cut to k of 32 the samples of the last (k + 1) / 2 columns are right. A batch
 * is all samples, an epoch one step. */
static void staircase(float w[32], int32_t label[16])
{
	for (int i = 0; i < 16; i++) w[i] = -(float)i - 1.5f, w[16 + i] = (float)i + 1, label[i] = 1;
}

static void schedule(void **state)
{
	/* k of 32 after each of 8 epochs; keep + (1 - keep) (1 - t / end)^3 with keep 1/8, end = over * 8 */
	static const struct { const char *options; int k[8]; } rows[] = {
		{"over: 1, every: 1", {23, 16, 11, 8, 5, 4, 4, 4}}, /* 4 + 28 (7/8)^3 = 22.76, (6/8)^3: 15.8, 10.8, 7.5, 5.48, 4.4, 4.05 */
		{"over: 0.5, every: 1", {16, 8, 4, 4, 4, 4, 4, 4}}, /* (3/4)^3: 15.8, 7.5, 4.4 */
		{"over: 0.5, every: 2", {32, 8, 8, 4, 4, 4, 4, 4}},
		{"over: 1, every: 3", {32, 32, 11, 11, 11, 4, 4, 4}},
		{"over: 0.8, every: 100", {32, 32, 32, 32, 32, 32, 4, 4}}, /* the end is 6.4: the step after it */
		{"over: 0.1, every: 1", {4, 4, 4, 4, 4, 4, 4, 4}},
		{"over: 0, every: 3", {4, 4, 4, 4, 4, 4, 4, 4}},
		{"schedule: once", {4, 4, 4, 4, 4, 4, 4, 4}},
		{"schedule: iterative, rounds: 3, over: 0.75", {32, 16, 16, 8, 8, 4, 4, 4}}, /* every two steps half of what is left */
		{"schedule: iterative, rounds: 3, over: 0.375", {16, 8, 4, 4, 4, 4, 4, 4}},
		{"schedule: iterative, rounds: 1000, over: 0.25", {11, 4, 4, 4, 4, 4, 4, 4}}, /* after 500 of 1000 rounds: 32 / 8^(1/2) */
		{"schedule: iterative, rounds: 1, over: 1", {32, 32, 32, 32, 32, 32, 32, 4}},
		{"schedule: iterative, rounds: 2, over: 0", {4, 4, 4, 4, 4, 4, 4, 4}},
		{"schedule: iterative", {21, 14, 9, 6, 4, 4, 4, 4}}, /* 5 rounds over 4.8 steps: one after each step, each keeps 0.66 */
		{"every: 1", {18, 10, 5, 4, 4, 4, 4, 4}}, /* over is 0.6: the end is 4.8; 4 + 28 (3.8/4.8)^3 = 17.9, 9.6, 5.5, 4.1 */
	};
	float w[32];
	int32_t label[16];
	char stage[300];
	known_set s;
	cop_dataset *d = known_samples(&s, 16, 16, 2, label);

	if (!known_parts()) skip();
	staircase(w, label);
	for (int i = 0; i < LEN(rows); i++) {
		cop_train_args a = known_args;
		cop_graph *g = known_net(*state, 16, 2, w, 0, NULL);
		known_run run;
		a.batch = 16;
		snprintf(stage, sizeof stage, "- prune: {keep: 0.125, may_cost: 100, %s, lr: 1e-30, epochs: 8}", rows[i].options);
		known_story(&run, &g, stage, d, &a);
		assert_int_equal(run.story.n_point, 8);
		for (int e = 0; e < 8; e++) {
			double right = (rows[i].k[e] + 1) / 2;
			if (fabs(run.story.point[e].accuracy * 16 - right) > 1e-4) fail_msg("%s, epoch %d: %g of 16 are right, not %g", stage, e + 1, run.story.point[e].accuracy * 16, right);
		}
		cop__story_free(&run.story);
		cop_graph_free(g);
	}
}

/* What is cut stays zero while the rest is trained on: its gradient, its momentum and its decay are zero too. */
static void stays_zero(void **state)
{
	static const char *const updates[] = {"sgd", "sgd momentum=0.9", "sgd momentum=0.9 nesterov=1 decay=0.01", "adam", "adam decay=0.01"};
	static const char *const schedules[] = {"schedule: once", "over: 0.6, every: 1", "over: 0.5, every: 3"};
	float w[32], now[32];
	int32_t label[16];
	char stage[300];
	known_set s;
	cop_dataset *d = known_samples(&s, 16, 16, 2, label);

	if (!known_parts()) skip();
	staircase(w, label);
	for (int i = 0; i < 32; i++) w[i] /= 16; /* so that there is something to learn */
	for (int i = 0; i < LEN(updates) * LEN(schedules); i++) {
		cop_graph *g = known_net(*state, 16, 2, w, 0, NULL);
		int zeros = 0, same = 0;
		snprintf(stage, sizeof stage, "- prune: {keep: 0.25, may_cost: 100, must_gain: 0, %s, lr: 0.01, epochs: 5, update: %s}", schedules[i % LEN(schedules)], updates[i / LEN(schedules)]);
		OK(*state, known_compress(&g, stage, d, d, d, &known_args, NULL));
		known_weight(now, g, "a.w");
		for (int k = 0; k < 32; k++) zeros += now[k] == 0, same += now[k] == w[k];
		if (zeros != 24) fail_msg("%s: %d of 32 are zero", stage, zeros);
		if (same > 4) fail_msg("%s: %d were not trained on", stage, same);
		cop_graph_free(g);
	}
}

/* As a control, weights are chosen by the seed: as many, whatever their size, and the same ones again. */
static void at_random(void **state)
{
	float w[32], now[3][32];
	int32_t label[16];
	int small_ones = 0;
	known_set s;
	cop_dataset *d = known_samples(&s, 16, 16, 2, label);

	if (!known_parts()) skip();
	staircase(w, label);
	for (int i = 0; i < 3; i++) {
		cop_train_args a = known_args;
		cop_graph *g = known_net(*state, 16, 2, w, 0, NULL);
		a.seed = i < 2 ? 7 : 8;
		OK(*state, known_compress(&g, "- prune: {by: random, keep: 0.25, may_cost: 100, must_gain: 0, schedule: once" STILL "}", d, d, d, &a, NULL));
		known_weight(now[i], g, "a.w");
		int kept = 0;
		for (int k = 0; k < 32; k++) {
			assert_true(now[i][k] == 0 || now[i][k] == w[k]);
			kept += now[i][k] != 0;
			small_ones += now[i][k] != 0 && k % 16 < 8;
		}
		assert_int_equal(kept, 8);
		cop_graph_free(g);
	}
	assert_memory_equal(now[0], now[1], sizeof now[0]);
	assert_memory_not_equal(now[0], now[2], sizeof now[0]);
	assert_true(small_ones > 0); /* by size there would be none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(one_layer), KNOWN_TEST(teachers), KNOWN_TEST(gain), KNOWN_TEST(without_labels), KNOWN_TEST(several_layers), KNOWN_TEST(no_layer_closes), KNOWN_TEST(schedule),
		KNOWN_TEST(stays_zero), KNOWN_TEST(at_random)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
