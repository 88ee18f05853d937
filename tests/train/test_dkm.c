/* SPDX-License-Identifier: Apache-2.0
 *
 * Differentiable k-means: centroids, weights and gradients through all rounds are those of PyTorch (make_dkm_reference.py); each weight takes the nearest
 * centroid at the end; the stage leaves few values, and pruned weights are 0.
 */
#include "help.h"

#include "compress/known.h"
#include "op/axes.h"
#include "op/grad.h"
#include "train/form/palette.h"

static const float w[7] = {-0.9f, -0.4f, -0.35f, 0, 0.2f, 0.6f, 1.1f}, r[7] = {1, -2, 0.5f, 3, -1, 0.25f, 2}, ones[7] = {1, 1, 1, 1, 1, 1, 1}, but_one[7] = {1, 1, 1, 0, 1, 1, 1};
static const float begin[3] = {-0.5f, 0.1f, 0.8f};

/* temperature, rounds, is the weight of 0 pruned?, centroids, weights, gradient of sum(weights r) */
static const struct { float temperature; int rounds; bool masked; float c[3], y[7], dw[7]; } row[] = {
	{0.5f, 1, false, {-0.4290806f, 0.02304933f, 0.6798895f}, {-0.3209595f, -0.1929482f, -0.1742031f, -0.001988494f, 0.126597f, 0.3894628f, 0.5874412f}, {0.244652f, -0.7578659f, 0.1443482f, 1.682318f, -0.697646f, 0.6226114f, 1.406334f}},
	{0.5f, 1, true, {-0.4906521f, 0.02921245f, 0.7371454f}, {-0.3812475f, -0.2324253f, -0.2106914f, -0.0f, 0.1335948f, 0.4310285f, 0.6466533f}, {0.3183987f, -1.071609f, -0.06525821f, 0.0f, -1.237297f, 0.7355808f, 1.941553f}},
	{0.5f, 3, false, {-0.381248f, -0.07376788f, 0.6150122f}, {-0.2769089f, -0.1872172f, -0.1731433f, -0.03146043f, 0.08580366f, 0.3418412f, 0.5348552f}, {0.3045516f, -0.6206054f, 0.02996001f, 1.352841f, -0.660515f, 1.064508f, 2.106238f}},
	{0.5f, 3, true, {-0.473349f, -0.07751838f, 0.7116871f}, {-0.3597959f, -0.2498197f, -0.2329912f, -0.0f, 0.08847152f, 0.4177283f, 0.6403979f}, {0.5587032f, -1.17468f, -0.4901095f, 0.0f, -1.835616f, 1.241833f, 2.890205f}},
	{0.05f, 1, false, {-0.5506568f, 0.09610842f, 0.8515341f}, {-0.5506568f, -0.5433262f, -0.52471f, 0.09430584f, 0.0962908f, 0.8352093f, 0.8515341f}, {-0.2084898f, -0.6603819f, -0.09534664f, 1.094321f, 0.9333608f, 0.9190194f, 1.111719f}},
	{0.05f, 1, true, {-0.5521721f, 0.1869313f, 0.8515356f}, {-0.5521721f, -0.5509782f, -0.5469654f, 0.0f, 0.1870593f, 0.782017f, 0.8515354f}, {-0.1707247f, -0.110682f, 0.2914819f, 0.0f, -1.190437f, 1.513473f, 1.042031f}},
	{0.05f, 3, false, {-0.5529872f, 0.0930691f, 0.8525585f}, {-0.5529872f, -0.5451068f, -0.5251941f, 0.09137805f, 0.09325042f, 0.8369469f, 0.8525585f}, {-0.134038f, -0.7140986f, -0.3175689f, 1.517068f, 1.384073f, 0.7183064f, 1.220286f}},
	{0.05f, 3, true, {-0.5501881f, 0.2689909f, 0.8799157f}, {-0.5501881f, -0.5500214f, -0.549331f, 0.0f, 0.2690441f, 0.6668204f, 0.8799141f}, {-0.1763742f, -0.1461764f, -0.01580723f, 0.0f, -1.591984f, 1.961356f, 0.8509384f}},
};

static void near(const char *what, int i, const float *got, const float *want, int n)
{
	for (int k = 0; k < n; k++)
		if (!(fabsf(got[k] - want[k]) <= 3e-6f * (1 + fabsf(want[k])))) fail_msg("row %d: %s %d is %g, PyTorch has %g", i, what, k, (double)got[k], (double)want[k]);
}

static void as_pytorch(void **state)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_type column = cop__type(COP_F32, 2, DIMS(7, 1)), line = cop__type(COP_F32, 2, DIMS(1, 3));
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		cop_host h;
		cop_tensor t;
		OK(cx, cop__graph_new(&g, cx, "dkm"));
		cop_vid x = cop__input(g, "w", &column), c = cop__data(g, COP_CONST, "c", &line, begin), kept = cop__data(g, COP_CONST, "kept", &column, row[i].masked ? but_one : ones), dw;
		cop_vid y = cop__attend(g, x, &c, cop__scalar(g, "cold", -1 / row[i].temperature), row[i].masked ? kept : 0, row[i].rounds);
		y = cop__apply(g, OP_mul, &none, VIDS(y, kept));
		cop_vid products = cop__apply(g, OP_mul, &none, VIDS(y, cop__data(g, COP_CONST, "r", &column, r)));
		cop_vid loss = cop__apply(g, OP_reduce, &(cop_reduce_attr){REDUCE_SUM, 3, 0}, VIDS(products));
		OK(cx, cx->code);
		OK(cx, cop__differentiate(g, loss, 1, &x, &dw));
		OK(cx, cop__output(g, c, "centroids"));
		OK(cx, cop__output(g, y, "y"));
		OK(cx, cop__output(g, dw, "dw"));
		OK(cx, cop__host_open(&h, &g, 1, COP_ISA_ALL, 1));
		OK(cx, cop_session_io(h.s, 0, 0, false, &t));
		memcpy(t.data, w, sizeof w);
		OK(cx, cop_session_run(h.s, 0));
		OK(cx, cop_session_io(h.s, 0, 0, true, &t));
		near("centroid", i, t.data, row[i].c, 3);
		OK(cx, cop_session_io(h.s, 0, 1, true, &t));
		near("weight", i, t.data, row[i].y, 7);
		OK(cx, cop_session_io(h.s, 0, 2, true, &t));
		near("gradient", i, t.data, row[i].dw, 7);
		cop__host_close(&h);
		cop_graph_free(g);
	}
}

static void nearest(void **state)
{
	float v[] = {0, -2, 0.7f, 0.4f, 3, 0, 0.1f};
	static const float want[] = {0, -1, 1, 0.25f, 1, 0, 0.25f};

	(void)state;
	cop__take_nearest(v, LEN(v), (const float[]){-1, 0.25f, 1}, 3);
	assert_memory_equal(v, want, sizeof want);
}

/* After training there are as many values as levels at most; half of the weights were pruned and still are; what it can't do is refused. */
static void stage(void **state)
{
	static const struct { const char *options, *why; } bad[] = {{"by: dkm", "give it epochs"}, {"by: dkm, epochs: 1, groups: 2", "leave out groups"}, {"by: dkm, epochs: 1, vector: 2", "leave out vector"}};
	static float was[784 * 6], now[784 * 6];
	float seen[8];
	char text[200];
	cop_dataset *d;
	cop_graph *g;
	int n = 0, moved = 0;

	if (!known_parts()) skip();
	OK(*state, cop_data_open(&d, *state, "synth-digits", "train", 64));
	OK(*state, cop_zoo_build(&g, *state, "mlp-784x6x10", &(cop_zoo_args){.seed = 3}));
	OK(*state, known_compress(&g, "- prune: {keep: 0.5, schedule: once, epochs: 1, may_cost: 100, must_gain: 0}", d, NULL, NULL, &known_args, NULL));
	known_weight(was, g, "fc1.w");
	for (int i = 0; i < LEN(bad); i++) {
		snprintf(text, sizeof text, "- share: {levels: 4, %s}", bad[i].options);
		if (known_compress(&g, text, d, NULL, NULL, &known_args, NULL) != COP_ARG || !strstr(cop_error_text(*state), bad[i].why)) fail_msg("%s: %s", bad[i].options, cop_error_text(*state));
		cop_error_clear(*state);
	}
	OK(*state, known_compress(&g, "- share: {by: dkm, levels: 5, rounds: 2, epochs: 2, lr: 0.05, may_cost: 100, must_gain: 0}", d, NULL, NULL, &known_args, NULL));
	known_weight(now, g, "fc1.w");
	for (int i = 0; i < 784 * 6; i++) {
		int k = 0;
		if ((was[i] != 0) != (now[i] != 0)) fail_msg("weight %d was %g and is %g", i, (double)was[i], (double)now[i]);
		while (k < n && seen[k] != now[i]) k++;
		if (k == n) assert_true(n < 5), seen[n++] = now[i];
		for (int j = i + 1; j < i + 20 && j < 784 * 6; j++) moved += was[i] < was[j] && now[i] > now[j];
	}
	assert_true(n > 2);
	assert_true(moved > 0); /* weights have changed sides: k-means alone keeps their order */
	cop_graph_free(g);
	cop_data_free(d);
}

static int setup(void **state) { return cop_ctx_new((cop_ctx **)state, NULL); }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(as_pytorch, setup, teardown), cmocka_unit_test_setup_teardown(nearest, setup, teardown), cmocka_unit_test_setup_teardown(stage, setup, teardown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
