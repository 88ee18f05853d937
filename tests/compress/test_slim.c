/* SPDX-License-Identifier: Apache-2.0
 *
 * The stage `slim` on networks whose ranking is known by arithmetic: which channels go, how wide layers become, what rounding does, and that zeros go
 * without a trace.
 */
#include "compress/known.h"
#include "compress/slim/slim.h"
#include "pass/nets.h"

static cop_slim_options defaults(void)
{
	cop_slim_options o = {.macs = 1, .least = 0, .by = 0, .over = COP_OVER_MEAN, .scope = COP_SLIM_GLOBAL, .round = 1};
	for (int i = 0; cop__scores.row(i); i++)
		if (!strcmp(cop__scores.row(i)->name, "magnitude")) o.by = i;
	return o;
}

/* Which rows of w stay: "1011". */
static void kept_rows(const cop_pools *p, const char *weight, char *text)
{
	const cop_graph *g = p->groups.g;
	cop_vid w = cop__find(g, weight);
	int32_t n = cop__t(g, w)->dim[0];

	for (int32_t j = 0; j < n; j++) text[j] = p->drop[cop__group_of(&p->groups, w, 0, j)] ? '0' : '1';
	text[n] = 0;
}

/* y = b relu(a x): rows of a have sizes 1 2 3 4, the columns of b that belong to them 40 1 1 1. */
static cop_graph *coupled(cop_ctx *cx)
{
	float a[4 * 3], b[2 * 4];

	for (int i = 0; i < 12; i++) a[i] = (float)(i / 3 + 1) * (i % 2 ? 1 : -1);
	for (int i = 0; i < 8; i++) b[i] = i % 4 ? 1 : 40;
	return known_net(cx, 3, 4, a, 2, b);
}

/* Rows: 1 2 3 4 of a mean 2.5; columns: 40 1 1 1 of 10.75. Mean of both: 2.06 .45 .65 .85. By rows alone the first would go. */
static void all_tensors_count(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = coupled(cx);
	cop_slim_options o = defaults();
	cop_pools p;
	int64_t macs;
	char text[8];

	OK(cx, cop__pools(&p, g, "*", &o, 1));
	assert_int_equal(p.n_pool, 1);
	assert_int_equal(p.n_rank, 4);
	const double row[] = {1, 2, 3, 4}, column[] = {40, 1, 1, 1};
	for (int i = 0; i < 4; i++) { /* the mean of all four is 1 already */
		int32_t j = i == 0 ? 0 : 4 - i;
		assert_true(fabs((double)p.rank[i].score - (row[j] / 2.5 + column[j] / 10.75) / 2) < 1e-5);
	}
	OK(cx, cop__pools_cut(&p, &o, 1, 10, &macs)); /* 5 for each neuron */
	assert_int_equal(macs, 10);
	kept_rows(&p, "a.w", text);
	assert_string_equal(text, "1001");
	assert_true(cop__pools_cut(&p, &o, 1, 4, &macs) != COP_OK);
	assert_non_null(strstr(cop_error_text(cx), "4 are asked"));
	cop_error_clear(cx);
	cop__pools_free(&p);
	o.over = COP_OVER_L2;
	OK(cx, cop__pools(&p, g, "*", &o, 1));
	double sum = 0, l2[4];
	for (int j = 0; j < 4; j++) sum += l2[j] = sqrt((pow(row[j] / 2.5, 2) + pow(column[j] / 10.75, 2)) / 2);
	assert_true(fabs((double)p.rank[0].score - l2[0] * 4 / sum) < 1e-5);
	cop__pools_free(&p);
	cop_graph_free(g);
}

/* 10 and 20 neurons: an equal part of each, or one ranking; multiples of 4. */
static void widths(void **state)
{
	static const struct { int scope, round; double macs; int32_t a, b; } rows[] = {
		{COP_SLIM_LAYER, 1, 0.3, 4, 9}, {COP_SLIM_LAYER, 4, 0.3, 4, 8}, {COP_SLIM_LAYER, 1, 1, 10, 20}, {COP_SLIM_LAYER, 16, 0.9, 10, 16}, {COP_SLIM_LAYER, 16, 0.4, 4, 8},
		{COP_SLIM_LAYER, 4, 0.45, 4, 16} /* 162 may stay: 4 and 12 have 128, and 8 and 12 would have 208, but 4 and 16 have 160 */};
	cop_ctx *cx = *state;
	cop_slim_options o = defaults();

	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g;
		cop_pools p;
		int64_t macs, all;
		OK(cx, cop__graph_new(&g, cx, "net"));
		OK(cx, cop__output(g, fc(g, relu(g, fc(g, relu(g, fc(g, input(g, 2, DIMS(1, 8)), "a", 10, true)), "b", 20, true)), "head", 4, true), "y"));
		all = cop__macs_of(g);
		assert_int_equal(all, 8 * 10 + 10 * 20 + 20 * 4);
		o.scope = rows[i].scope;
		OK(cx, cop__pools(&p, g, "*", &o, 1));
		OK(cx, cop__pools_cut(&p, &o, rows[i].round, (int64_t)(rows[i].macs * (double)all), &macs));
		assert_int_equal(p.n_pool, 2);
		int32_t a = COP_MIN(p.width[0], p.width[1]), b = COP_MAX(p.width[0], p.width[1]);
		if (a != rows[i].a || b != rows[i].b) fail_msg("row %d: %d and %d", i, a, b);
		assert_true(macs == 8 * a + a * b + b * 4 && macs <= (int64_t)(rows[i].macs * (double)all));
		cop__pools_free(&p);
		cop_graph_free(g);
	}
}

/* With batch norm's scale at 0 a channel is its shift: that goes into the mean of the next norm, or into a bias. */
static void shifts_go_on(void **state)
{
	cop_ctx *cx = *state;

	for (int with_bias = 0; with_bias < 2; with_bias++) {
		cop_graph *g, *cut;
		OK(cx, cop__graph_new(&g, cx, "net"));
		cop_vid x = relu(g, bn(g, conv(g, input(g, 4, DIMS(2, 5, 5, 3)), "a", 6, 3, 1, 1, false), "bna"));
		x = conv(g, x, "b", 5, 1, 1, 1, with_bias);
		if (!with_bias) x = bn(g, x, "bnb");
		OK(cx, cop__output(g, fc(g, global_pool(g, relu(g, x)), "head", 4, true), "y"));
		float *gamma = cop__own(g, cop__find(g, "bna.gamma")), *beta = cop__own(g, cop__find(g, "bna.beta"));
		gamma[1] = gamma[4] = 0;
		beta[1] = 0.7f, beta[4] = -0.3f;
		OK(cx, cop__pass_drop_constant(&cut, g, COP_DROP_BORDERS));
		assert_int_equal(cop__t(cut, cop__find(cut, "a.w"))->dim[0], 4);
		assert_true(difference(cx, g, cut) < 1e-5);
		cop_graph_free(cut);
		cop_graph_free(g);
	}
}

/* Only what padding would show is ignored, and only where that is asked for. */
static void borders(void **state)
{
	static const struct { cop_drop how; int32_t left; } rows[] = {{COP_DROP_ROUNDED, 6}, {COP_DROP_BORDERS, 5}};
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g, *cut;
		OK(cx, cop__graph_new(&g, cx, "net"));
		cop_vid x = relu(g, bn(g, conv(g, input(g, 4, DIMS(1, 5, 5, 3)), "a", 6, 3, 1, 1, false), "bna"));
		OK(cx, cop__output(g, conv(g, x, "b", 5, 3, 1, 1, true), "y"));
		((float *)cop__own(g, cop__find(g, "bna.gamma")))[2] = 0;
		((float *)cop__own(g, cop__find(g, "bna.beta")))[2] = 1;
		OK(cx, cop__pass_drop_constant(&cut, g, rows[i].how));
		assert_int_equal(cop__t(cut, cop__find(cut, "a.w"))->dim[0], rows[i].left);
		cop_graph_free(cut);
		cop_graph_free(g);
	}
}

/* prune: {what: channel} leaves zeros, slim takes them out: the same answers, with a plain network. */
static void after_prune(void **state)
{
	static int32_t label[16];
	cop_ctx *cx = *state;
	known_set s;
	float a[16 * 16], b[16 * 16];
	cop_compress_result r;
	static const char recipe[] = "name: t\nstages:\n"
		"  - prune: {what: channel, keep: 0.5, schedule: once, may_cost: 100, must_gain: 0" STILL "}\n"
		"  - slim: {may_cost: 0, must_gain: 0}\n";

	if (!known_parts()) skip();
	for (int i = 0; i < 16; i++) label[i] = i;
	for (int i = 0; i < 256; i++) a[i] = (i / 16 == i % 16) * (1 + (float)(i % 16)), b[i] = i / 16 == i % 16;
	cop_graph *g = known_net(cx, 16, 16, a, 16, b);
	OK(cx, cop_compress(&g, recipe, strlen(recipe), known_samples(&s, 16, 16, 16, label), NULL, NULL, &known_args, &r, NULL, NULL));
	assert_int_equal(r.n_stage, 2);
	assert_true(r.stage[1].kept);
	assert_true(r.stage[1].accuracy[0] == r.stage[1].accuracy[1]);
	assert_int_equal(cop__t(g, cop__find(g, "a.w"))->dim[0], 8);
	assert_int_equal(cop__t(g, cop__find(g, "b.w"))->dim[1], 8);
	cop_graph_free(g);
}

/* With self: 1 labels count for nothing, and what is learnt is what the whole network says: the half that is left moves. Its own answers would not move it. */
static void taught_by_the_whole(void **state)
{
	static const int32_t label[2][4] = {{0, 1, 0, 1}, {1, 1, 1, 0}};
	static const char text[] = "name: t\nstages:\n  - slim: {macs: 0.8, round: 1, self: 1, temperature: 10, epochs: 3, lr: 0.5, update: sgd momentum=0 decay=0, may_cost: 100, must_gain: 0}\n";
	cop_ctx *cx = *state;
	cop_graph *g[2];
	known_set s;

	static const float a[4 * 3] = {-1, 1, -1, 2, -2, 2, -3, 3, -3, 4, -4, 4}, b[2 * 4] = {4, 1, 2, 3, -4, 2, -1, 1};

	if (!known_parts()) skip();
	for (int i = 0; i < 2; i++) {
		g[i] = known_net(cx, 3, 4, a, 2, b);
		OK(cx, cop_compress(&g[i], text, strlen(text), known_samples(&s, 4, 3, 2, label[i]), NULL, NULL, &known_args, NULL, NULL, NULL));
	}
	const float *w[2] = {cop__floats(g[0], cop__find(g[0], "b.w")), cop__floats(g[1], cop__find(g[1], "b.w"))};
	assert_int_equal(cop__t(g[0], cop__find(g[0], "b.w"))->dim[1], 3);
	assert_memory_equal(w[0], w[1], sizeof(float) * 6);
	double moved = 0;
	for (int k = 0; k < 6; k++) moved = fmax(moved, fabs((double)w[0][k] - round((double)w[0][k])));
	if (!(moved > 1e-3)) fail_msg("nothing was learnt: %g", moved);
	cop_graph_free(g[0]), cop_graph_free(g[1]);
}

/* What the cut has left is no teacher: one has to be named, with distill itself. */
static void teachers(void **state)
{
	static const struct { const char *policies; bool refused; } rows[] = {{"distill", true}, {"distill:part=0.5; hint:teacher=none.cop", true}, {"distill:teacher=none.cop", false}};
	static const char text[] = "name: t\nstages:\n  - slim: {macs: 0.8, round: 1, epochs: 1}\n";
	static const int32_t label[4] = {0, 1, 0, 1};
	cop_ctx *cx = *state;
	known_set s;

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_train_args a = known_args;
		cop_graph *g = coupled(cx);
		a.policies = rows[i].policies;
		assert_int_not_equal(cop_compress(&g, text, strlen(text), known_samples(&s, 4, 3, 2, label), NULL, NULL, &a, NULL, NULL, NULL), COP_OK);
		if ((strstr(cop_error_text(cx), "slim: the policy distill names no teacher") != NULL) != rows[i].refused) fail_msg("%s: %s", rows[i].policies, cop_error_text(cx));
		cop_error_clear(cx);
		cop_graph_free(g);
	}
}

static void refusals(void **state)
{
	static const struct { const char *stage, *says; } rows[] = {
		{"slim: {macs: 0.0011, epochs: 1}", "are asked"}, {"slim: {macs: 0.5, target: nowhere}", "nowhere"}, {"slim: {macs: 0.5, layers: b.w}", "must stay: this node's result is an output"}, {"slim: {macs: 2}", "macs"}};
	cop_ctx *cx = *state;
	known_set s;
	static int32_t label[4];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		char text[200];
		cop_graph *g = coupled(cx);
		snprintf(text, sizeof text, "name: t\nstages:\n  - %s\n", rows[i].stage);
		assert_true(cop_compress(&g, text, strlen(text), known_samples(&s, 4, 3, 2, label), NULL, NULL, &known_args, NULL, NULL, NULL) != COP_OK);
		if (!strstr(cop_error_text(cx), rows[i].says)) fail_msg("%s: %s", rows[i].stage, cop_error_text(cx));
		cop_error_clear(cx);
		assert_int_equal(cop__t(g, cop__find(g, "a.w"))->dim[0], 4); /* left whole */
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(all_tensors_count), KNOWN_TEST(widths), KNOWN_TEST(shifts_go_on), KNOWN_TEST(borders), KNOWN_TEST(after_prune), KNOWN_TEST(taught_by_the_whole), KNOWN_TEST(teachers), KNOWN_TEST(refusals)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
