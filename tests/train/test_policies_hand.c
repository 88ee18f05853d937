/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies by hand, on one weight that each step halves (y = w x with x = 1 against 0, a rate of 1/4): averages of it, slow weights behind it, and
 * when a training ends.
 */
#include "help.h"
#include "train/policy.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static cop_graph *line(cop_ctx *cx, int32_t n, const float *w)
{
	cop_type in = cop__type(COP_F32, 2, DIMS(1, 1)), t = cop__type(COP_F32, 2, DIMS(n, 1));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "line"));
	OK(cx, cop__output(g, cop__apply(g, OP_fc, &none, VIDS(cop__input(g, "x", &in), cop__data(g, COP_PARAM, "w", &t, w))), "y"));
	return g;
}

static float of(const cop_graph *g, const char *name) { return cop__floats(g, cop__find(g, name))[0]; }

static cop_status one(void *ud, int32_t i, float *x, int32_t *label) { (void)ud, (void)i; *x = 1, *label = 0; return COP_OK; }
static cop_status five(void *ud, int32_t i, float *y) { (void)ud, (void)i; *y = 5; return COP_OK; } /* always the same: 0 in units of its deviation */
static cop_dataset ones(int32_t n) { return (cop_dataset){.name = "ones", .x = cop__type(COP_F32, 1, DIMS(1)), .count = n, .targets = 1, .get = one, .target = five}; }

static void count_epochs(void *ud, const cop_epoch *e) { *(int *)ud += e->done >= 1; }

static int run(cop_graph *g, cop_dataset *d, cop_dataset *valid, const char *policies, int32_t epochs, float lr)
{
	int n = 0;
	const cop_train_args a = {.epochs = epochs, .batch = 1, .threads = 1, .lr = lr, .update = "sgd momentum=0", .schedule = "constant", .policies = policies, .progress = count_epochs, .ud = &n};

	OK(g->cx, cop_train(g, d, valid, &a));
	return n;
}

/* ---- means ---- */

/* The mean begins as the weight; after step t it keeps the smaller of decay and (1 + t) / (10 + t). */
static void ema(void **state)
{
	static const double decay[] = {0, 0.2, 0.5, 0.998};
	char policy[40];

	for (int k = 0; k < LEN(decay); k++)
		for (int32_t steps = 1; steps <= 6; steps++) {
			const float w0 = 1;
			cop_graph *g = line(*state, 1, &w0);
			cop_dataset d = ones(steps);
			double w = 1, mean = 1;
			for (int t = 1; t <= steps; t++) {
				double keep = fmin(decay[k], (1.0 + t) / (10.0 + t));
				w /= 2;
				mean = keep * mean + (1 - keep) * w;
			}
			snprintf(policy, sizeof policy, "ema:decay=%g", decay[k]);
			run(g, &d, NULL, policy, 1, 0.25f);
			if (fabs((double)of(g, "w") - mean) > 1e-6) fail_msg("%s, %d steps: %g, not %g", policy, steps, (double)of(g, "w"), mean);
			cop_graph_free(g);
		}
}

/* The running mean of a batch norm, 0 at first, goes a tenth of the way to 1 in each step; its mean is kept as those of weights are. The norm is the
 * last node, and no other node of the network reads a state. */
static void ema_of_running_means(void **state)
{
	static const char *const part[] = {"gamma", "beta", "mean", "var"};
	static const float start[] = {1, 0, 0, 1};
	static const char *const policies[] = {NULL, "ema:decay=0.5", "lookahead:steps=1,part=0.5"};
	cop_type in = cop__type(COP_F32, 2, DIMS(1, 1)), t = cop__type(COP_F32, 1, DIMS(1));

	for (int k = 0; k < LEN(policies); k++) {
		cop_graph *g;
		cop_vid v[5];
		cop_dataset d = ones(4);
		double running = 0, mean = 0;
		OK(*state, cop__graph_new(&g, *state, "norm"));
		v[0] = cop__input(g, "x", &in);
		for (int i = 0; i < 4; i++) v[i + 1] = cop__data(g, i < 2 ? COP_PARAM : COP_STATE, part[i], &t, &start[i]);
		OK(*state, cop__output(g, cop__apply(g, OP_bn, &(cop_bn_attr){1e-3f, 0.1f, COP_NO_LO, COP_NO_HI}, 5, v), "y"));
		for (int s = 1; s <= 4; s++) {
			double keep = fmin(0.5, (1.0 + s) / (10.0 + s));
			running += 0.1 * (1 - running);
			mean = keep * mean + (1 - keep) * running;
		}
		run(g, &d, NULL, policies[k], 1, 0.25f);
		double want = k == 1 ? mean : running; /* slow weights are weights alone */
		if (fabs((double)of(g, "mean") - want) > 1e-6) fail_msg("%s: the running mean is %g, not %g", policies[k], (double)of(g, "mean"), want);
		cop_graph_free(g);
	}
}

/* Every few steps the slow weight goes a part of the way to the fast one, which goes on from there; the last steps count, however many they are. */
static void lookahead(void **state)
{
	static const struct { const char *policy; int steps; double part; } row[] = {{"lookahead:steps=2,part=0.5", 2, 0.5}, {"lookahead:steps=1,part=0.25", 1, 0.25}, {"lookahead:steps=3,part=1", 3, 1}, {"lookahead:part=0", 5, 0}, {"lookahead", 5, 0.5}};

	for (int k = 0; k < LEN(row); k++)
		for (int32_t steps = 1; steps <= 7; steps++) {
			const float w0 = 1;
			cop_graph *g = line(*state, 1, &w0);
			cop_dataset d = ones(steps);
			double w = 1, slow = 1;
			for (int t = 1; t <= steps; t++) {
				w /= 2;
				if (t % row[k].steps == 0 || t == steps) w = slow += row[k].part * (w - slow);
			}
			run(g, &d, NULL, row[k].policy, 1, 0.25f);
			if (fabs((double)of(g, "w") - w) > 1e-6) fail_msg("%s, %d steps: %g, not %g", row[k].policy, steps, (double)of(g, "w"), w);
			cop_graph_free(g);
		}
}

/* ---- the end ---- */

static void early(void **state)
{
	static const struct { const char *policy; float lr; int epochs; } row[] = {
		{NULL, 1.25f, 6}, {"early:patience=2", 1.25f, 3}, {"early:patience=1", 1.25f, 2}, {"early:patience=6", 1.25f, 6}, {"early", 1.25f, 6}, /* w grows by half at each step */
		{"early:patience=1", 0.25f, 6}, {"early:patience=1,least=0.5", 0.25f, 3}, {"early:patience=2,least=0.5", 0.25f, 4},             /* losses 1, 0.25, 0.0625 ... */
		{"early:patience=1,least=0.75", 0.25f, 2}, {"early:patience=1,least=0.74", 0.25f, 3},                                          /* 0.75 better is not enough */
		{"early:patience=2", 0, 3}, {"early:patience=5", 0, 6},                                                                        /* the same is no better */
		{"ema:decay=0.5; early:patience=2", 1.25f, 3}, {"early:patience=2; ema:decay=0.5", 1.25f, 3},
	};

	for (int k = 0; k < LEN(row); k++) {
		const float w0 = 1;
		cop_graph *g = line(*state, 1, &w0);
		cop_dataset d = ones(1);
		int n = run(g, &d, NULL, row[k].policy, 6, row[k].lr);
		if (n != row[k].epochs) fail_msg("%s at a rate of %g: %d epochs, not %d", row[k].policy, (double)row[k].lr, n, row[k].epochs);
		cop_graph_free(g);
	}
}

/* With labels the accuracy on the validation set decides, whatever the loss does: it is 1/4 for two epochs, then 3/4 (see test_steps.c). */
static cop_status class_of(void *ud, int32_t i, float *x, int32_t *label) { *label = i < *(int *)ud ? 0 : 1; *x = 1; return COP_OK; }

static void early_by_accuracy(void **state)
{
	static const float w[2] = {0, 0.5f};
	static const char *const policies[] = {"early:patience=1", "early:patience=2", "early:patience=3", "early:patience=2,least=0.4", "early:patience=2,least=0.6"};
	int all = 4, three = 3;

	for (int k = 0; k < LEN(policies); k++) {
		cop_dataset d = {.name = "zero", .x = cop__type(COP_F32, 1, DIMS(1)), .count = 1, .classes = 2, .get = class_of, .ud = &all}, v = d;
		cop_graph *g = line(*state, 2, w);
		double z = -0.5, best = 0, least = k == 3 ? 0.4 : k == 4 ? 0.6 : 0;
		int want = 0, since = 0, patience = k < 3 ? k + 1 : 2;
		v.ud = &three, v.count = 4;
		while (want < 12 && since < patience) {
			z += 2 * 0.1 * (1 - 1 / (1 + exp(-z)));
			double right = z >= 0 ? 0.75 : 0.25;
			since = !want++ || right > best + least ? 0 : since + 1;
			if (!since) best = right;
		}
		int n = run(g, &d, &v, policies[k], 12, 0.1f);
		if (n != want) fail_msg("%s: %d epochs, not %d", policies[k], n, want);
		cop_graph_free(g);
	}
}

static void refused(void **state)
{
	static const struct { const char *policies, *says; } row[] = {{"emo", "did you mean 'ema'?"}, {"ema:decay=1", "decay"}, {"ema:patience=3", "patience"}, {"early:patience=0", "patience"}, {"early:least=-1", "least"}, {"lookahead:steps=0", "steps"}, {"lookahead:part=1.5", "part"},
		{"ema; nothing", "nothing"}};

	for (int k = 0; k < LEN(row); k++) {
		const float w0 = 1;
		cop_graph *g = line(*state, 1, &w0);
		cop_dataset d = ones(1);
		assert_int_equal(cop_train(g, &d, NULL, &(cop_train_args){.epochs = 1, .batch = 1, .threads = 1, .lr = 0.25f, .policies = row[k].policies}), COP_ARG);
		if (!strstr(cop_error_text(*state), row[k].says)) fail_msg("%s: %s", row[k].policies, cop_error_text(*state));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(ema), TEST(ema_of_running_means), TEST(lookahead), TEST(early), TEST(early_by_accuracy), TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
