/* SPDX-License-Identifier: Apache-2.0
 *
 * The stages `entropy` and `fold` by hand: how often neurons are on, what that is in bits by both readings, how a budget is shared, and that a network
 * without rectifiers that never switch answers as before with fewer layers.
 */
#include "compress/known.h"
#include "compress/depth/depth.h"
#include "pass/nets.h"

/* ---- budgets ---- */

/* I = .09 .05 .01, R = 1.667 3 15: the third has 1,000 and gets 1,500 x .9999922, so it goes whole; of the 500 left R = 1.5556 2.8, shares .22366 .77634. */
static void budget(void **state)
{
	static const struct { double entropy[3], mean[3]; int64_t count[3]; double cut; int64_t gone[3]; } rows[] = {
		{{0.9, 0.5, 0.1}, {0.1, 0.1, 0.1}, {1000, 1000, 1000}, 0.5, {111, 388, 1000}},
		{{0.5, 0.5, 0.5}, {0.2, 0.2, 0.2}, {600, 600, 600}, 0.5, {300, 300, 300}},
		{{0.5, 0, 0.5}, {0.2, 0.2, 0.2}, {600, 600, 600}, 0.5, {300, 0, 300}}, /* no part in it, and not counted */
		{{0, 0, 0}, {1, 1, 1}, {5, 5, 5}, 0.5, {0, 0, 0}},
		{{0.001, 0.9, 0.9}, {0.1, 0.1, 0.1}, {100, 1000, 1000}, 0.5, {100, 475, 475}}, /* R above 1,000: exp must not overflow */
		{{0.4, 0.8, 0.9}, {0.2, 0.1, 0}, {100, 100, 0}, 0.25, {25, 25, 0}}, /* entropy times mean counts; nothing left is no layer */
	};
	(void)state;

	for (int i = 0; i < LEN(rows); i++) {
		int64_t gone[3];
		cop__entropy_budget(gone, 3, rows[i].entropy, rows[i].mean, rows[i].count, rows[i].cut);
		for (int k = 0; k < 3; k++)
			if (gone[k] != rows[i].gone[k]) fail_msg("row %d: %d go of layer %d, not %d", i, (int)gone[k], k, (int)rows[i].gone[k]);
	}
}

/* ---- states ---- */

/* y = b relu(a x) on samples that are columns of a. Rows of a: always on, never, on for one of four, never above 0 (a zero is off). */
static const float a4[16] = {1, 2, 1, 3, -1, -2, -1, -1, -1, 5, -1, -1, 0, -1, 0, -1};
static const float b4[16] = {1, 2, 3, 4, 0, 1, 0, 1, 1, 1, 1, 1, 2, 0, 2, 0};

static cop_graph *rectified(cop_ctx *cx, const float *a, const float *b)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(1, 4));
	cop_graph *g;
	OK(cx, cop__graph_new(&g, cx, "rectified"));
	cop_vid x = relu(g, known_fc(g, cop__input(g, "x", &t), "a.w", 4, a));
	OK(cx, cop__output(g, known_fc(g, x, "b.w", 4, b), "y"));
	return g;
}

static const int32_t labels[600] = {0, 1, 2, 3};

static void states(void **state)
{
	static const int32_t on4[] = {4, 0, 1, 0};
	const double quarter = -(0.25 * log2(0.25) + 0.75 * log2(0.75));
	cop_ctx *cx = *state;
	cop_graph *g = rectified(cx, a4, b4);
	cop_rectifiers r;
	known_set s;

	assert_true(fabs(cop__state_bits(0.5) - 1) < 1e-12 && cop__state_bits(0) == 0 && cop__state_bits(1) == 0);
	OK(cx, cop__rectifiers(&r, g));
	assert_int_equal(r.n, 1);
	assert_int_equal(r.at[0].weight, cop__find(g, "a.w"));
	OK(cx, cop__states_count(&r, g, known_samples(&s, 4, 4, 4, labels), 0, 1));
	for (int c = 0; c < 4; c++) assert_int_equal(r.at[0].on[c], on4[c]);
	assert_int_equal(r.at[0].seen, 4);
	assert_true(fabs(r.at[0].slide - quarter / 4) < 1e-9); /* of all four neurons */
	assert_true(fabs(r.at[0].code - quarter) < 1e-9);      /* of the one that switches */
	assert_false(cop__never_switches(&r.at[0]));
	/* 600 samples in batches of 128: all alike, but for the last, which is shorter */
	OK(cx, cop__states_count(&r, g, known_samples(&s, 600, 4, 4, labels), 0, 1));
	assert_int_equal(r.at[0].seen, 600);
	assert_true(fabs(r.at[0].code - quarter) < 1e-9);
	/* the first sample alone: nothing switches */
	OK(cx, cop__states_count(&r, g, &s.d, 1, 1));
	assert_true(r.at[0].code == 0 && r.at[0].slide == 0 && cop__never_switches(&r.at[0]));
	cop__rectifiers_free(&r);
	cop_graph_free(g);
}

/* A convolution's neuron is a channel at all positions; the second rectifier of a block belongs to the convolution before the sum. */
static void whose(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g;
	cop_rectifiers r;

	OK(cx, cop__graph_new(&g, cx, "block"));
	cop_vid x = conv(g, input(g, 4, DIMS(1, 6, 6, 2)), "stem", 4, 1, 1, 1, false);
	cop_vid y = bn(g, conv(g, relu(g, bn(g, conv(g, x, "a", 4, 3, 1, 1, false), "bna")), "b", 4, 3, 1, 1, false), "bnb");
	OK(cx, cop__output(g, relu(g, add(g, conv(g, x, "short", 4, 1, 1, 1, true), y)), "y"));
	OK(cx, cop__rectifiers(&r, g));
	assert_int_equal(r.n, 2);
	assert_int_equal(r.at[0].weight, cop__find(g, "a.w"));
	assert_int_equal(r.at[1].weight, cop__find(g, "b.w"));
	assert_int_equal(r.at[1].channels, 4);
	cop__rectifiers_free(&r);
	cop_graph_free(g);
}

/* ---- folding ---- */

static int layers(const cop_graph *g) { return count_op(g, OP_conv) + count_op(g, OP_fc); }

/* Answers for the four places. */
static void answers(cop_ctx *cx, cop_graph *g, float y[16])
{
	for (int i = 0; i < 4; i++) {
		cop_host h;
		cop_tensor in, out;
		OK(cx, cop__host_open(&h, &g, 1, 0, 1));
		OK(cx, cop_session_io(h.s, 0, 0, false, &in));
		for (int k = 0; k < 4; k++) ((float *)in.data)[k] = k == i;
		OK(cx, cop_session_run(h.s, 0));
		OK(cx, cop_session_io(h.s, 0, 0, true, &out));
		memcpy(y + 4 * i, out.data, 4 * sizeof *y);
		cop__host_close(&h);
	}
}

static void folded(void **state)
{
	static const struct { float third; int left; } rows[] = {{-1, 1}, {5, 2}}; /* without the neuron that switches; with it */
	cop_ctx *cx = *state;
	known_set s;

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		float a[16], before[16], after[16];
		memcpy(a, a4, sizeof a);
		a[9] = rows[i].third;
		cop_graph *g = rectified(cx, a, b4);
		answers(cx, g, before);
		OK(cx, known_compress(&g, "- fold: {must_gain: 0, may_cost: 0}", known_samples(&s, 4, 4, 4, labels), NULL, NULL, &known_args, NULL));
		answers(cx, g, after);
		for (int k = 0; k < 16; k++) assert_true(fabsf(before[k] - after[k]) < 1e-6f);
		assert_int_equal(layers(g), rows[i].left);
		cop_graph_free(g);
	}
}

/* Over pictures: batch norm, a sum with a branch that is off, and one that is on; the result of a padded layer is not merged. */
static cop_status picture(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < 72; k++) x[k] = cop__rand_unit(1, (uint32_t)i, (uint64_t)k);
	*label = i % 3;
	return COP_OK;
}

static int switching(cop_ctx *cx, const cop_graph *g, cop_dataset *d)
{
	cop_rectifiers r;
	int n = 0;
	OK(cx, cop__rectifiers(&r, g));
	OK(cx, cop__states_count(&r, g, d, 0, 1));
	for (int i = 0; i < r.n; i++) n += !cop__never_switches(&r.at[i]);
	cop__rectifiers_free(&r);
	return n;
}

static void blocks(void **state)
{
	static const struct { const char *off; float shift; int left; } rows[] = {
		{"bna.beta", -100, 3},  /* the branch's rectifier is off: what is left of the branch is a constant */
		{"bna.beta", 100, 5},   /* on: it goes, but padded convolutions stay two */
		{"bnc.beta", 100, 5},   /* after the sum, always on */
	};
	cop_ctx *cx = *state;
	cop_dataset d = {.name = "noise", .x = cop__type(COP_F32, 3, DIMS(6, 6, 2)), .count = 9, .classes = 3, .get = picture};

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g;
		cop_score before, after;
		OK(cx, cop__graph_new(&g, cx, "block"));
		cop_vid x = relu(g, bn(g, conv(g, input(g, 4, DIMS(1, 6, 6, 2)), "stem", 4, 3, 1, 1, false), "bns"));
		cop_vid y = conv(g, relu(g, bn(g, conv(g, x, "a", 4, 3, 1, 1, false), "bna")), "b", 4, 3, 1, 1, false);
		x = relu(g, add(g, x, bn(g, y, "bnc")));
		OK(cx, cop__output(g, fc(g, flatten(g, conv(g, x, "c", 3, 3, 2, 1, true)), "head", 3, true), "y"));
		float *beta = cop__own(g, cop__find(g, rows[i].off));
		for (int k = 0; k < 4; k++) beta[k] = rows[i].shift;
		OK(cx, cop_eval(&before, g, &d, 3, 1));
		int clips = switching(cx, g, &d);
		OK(cx, known_compress(&g, "- fold: {must_gain: 0, may_cost: 100}", &d, NULL, NULL, &known_args, NULL));
		OK(cx, cop_eval(&after, g, &d, 3, 1));
		if (fabsf(before.loss - after.loss) > 1e-4f * (1 + fabsf(before.loss))) fail_msg("row %d: a loss of %g, not %g", i, (double)after.loss, (double)before.loss);
		if (layers(g) != rows[i].left || count_op(g, OP_clip) != clips) fail_msg("row %d: %d layers and %d rectifiers are left", i, layers(g), count_op(g, OP_clip));
		cop_graph_free(g);
	}
}

/* One round leaves the part that was asked for, and zeros stay zeros. */
static void one_round(void **state)
{
	cop_ctx *cx = *state;
	known_set s;
	cop_graph *g = rectified(cx, a4, b4);

	if (!known_parts()) skip();
	OK(cx, known_compress(&g, "- entropy: {cut: 0.5, reading: slide, must_gain: 0, may_cost: 100" STILL "}", known_samples(&s, 4, 4, 4, labels), NULL, NULL, &known_args, NULL));
	float a[16];
	int zeros = 0;
	known_weight(a, g, "a.w");
	for (int i = 0; i < 16; i++) zeros += a[i] == 0;
	assert_int_equal(zeros, 9); /* 2 were zero before; of the other 14 half goes */
	assert_true(a[9] == 5 && a[1] == 2 && a[3] == 3 && a[5] == -2); /* the largest stay */
	cop_graph_free(g);
}

/* ---- straight ---- */

/* Phi(-3) = .00135: .0148 bit; a shift of 0: on and off alike. */
static void bits_of_norms(void **state)
{
	(void)state;
	assert_true(fabs(cop__norm_bits(1, 0) - 1) < 1e-12 && fabs(cop__norm_bits(-2, 0) - 1) < 1e-12);
	assert_true(fabs(cop__norm_bits(1, 3) - 0.0148) < 5e-5 && fabs(cop__norm_bits(1, -3) - 0.0148) < 5e-5 && fabs(cop__norm_bits(-0.5f, 1.5f) - 0.0148) < 5e-5);
	assert_true(cop__norm_bits(0, 1) == 0);
}

/* The class is what the network says, so that any other answer costs. */
static cop_status told(void *ud, int32_t i, float *x, int32_t *label) { COP_TRY(picture(NULL, i, x, label)); *label = ((const int32_t *)ud)[i]; return COP_OK; }

/* Of two layers the second is on or off for good: both ways of choosing find it, and fold makes one layer of it and the next. tlc may take the other, too. */
static void straightened(void **state)
{
	static const char *const by[] = {"tlc", "easier"};
	cop_ctx *cx = *state;
	static int32_t says[9];
	cop_dataset d = {.name = "noise", .x = cop__type(COP_F32, 3, DIMS(6, 6, 2)), .count = 9, .classes = 3, .get = told, .ud = says};
	char stages[200];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(by); i++)
		for (int fold = 0; fold < 2; fold++) {
			cop_graph *g;
			OK(cx, cop__graph_new(&g, cx, "net"));
			cop_vid x = relu(g, bn(g, conv(g, input(g, 4, DIMS(1, 6, 6, 2)), "a", 5, 3, 1, 1, false), "bna"));
			x = relu(g, bn(g, conv(g, x, "b", 8, 1, 1, 1, false), "bnb"));
			OK(cx, cop__output(g, fc(g, flatten(g, conv(g, x, "c", 3, 3, 1, 1, true)), "head", 3, true), "y"));
			float *beta = cop__own(g, cop__find(g, "bnb.beta"));
			for (int k = 0; k < 8; k++) beta[k] = k % 2 ? 100 : -100;
			OK(cx, cop_predict(g, &d, 9, 1, tell, says));
			snprintf(stages, sizeof stages, "- straight: {by: %s, must_gain: 0, may_cost: 100" STILL "}%s", by[i], fold ? "\n- fold: {loose: yes, must_gain: 0, may_cost: 100}" : "");
			cop_train_args a = known_args;
			a.batch = 9;
			OK(cx, known_compress(&g, stages, &d, &d, NULL, &a, NULL));
			for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
				if (g->node[n].op == OP_clip) assert_int_equal(cop__outt(g, n, 0)->dim[3], 5);
			assert_true(count_op(g, OP_clip) == 1 || (!i && !count_op(g, OP_clip)));
			assert_true(fold ? layers(g) < 4 : layers(g) == 4);
			cop_graph_free(g);
		}
}

static void refused(void **state)
{
	cop_ctx *cx = *state;
	known_set s;
	cop_graph *g = known_net(cx, 4, 4, a4, 4, b4);

	if (!known_parts()) skip();
	assert_int_equal(known_compress(&g, "- entropy: {epochs: 1}", known_samples(&s, 4, 4, 4, labels), NULL, NULL, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "no rectifier"));
	cop_error_clear(cx);
	assert_int_equal(known_compress(&g, "- straight: {epochs: 1}", &s.d, NULL, NULL, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "no rectifier"));
	cop_error_clear(cx);
	cop_graph *r = rectified(cx, a4, b4);
	assert_int_equal(known_compress(&r, "- straight: {by: tlc, epochs: 1}", &s.d, NULL, NULL, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "batch norm"));
	cop_error_clear(cx);
	cop_graph_free(r);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(budget), KNOWN_TEST(states), KNOWN_TEST(whose), KNOWN_TEST(folded), KNOWN_TEST(blocks), KNOWN_TEST(one_round), KNOWN_TEST(bits_of_norms), KNOWN_TEST(straightened), KNOWN_TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
