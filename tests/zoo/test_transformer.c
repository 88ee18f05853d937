/* SPDX-License-Identifier: Apache-2.0
 *
 * The transformers against PyTorch: layers put together there as the papers have them (windows rolled, pairs masked by region), with the weights
 * that seed 5 draws here, in double precision.
 */
#include "help.h"

enum { SAMPLES = 2, CLASSES = 10 };
static const struct { const char *name; int32_t side; double y[SAMPLES][CLASSES]; } rows[] = {
	{"vit-32x2@16", 16,
		{{-0.4206021, -0.04358679, 0.1062744, -0.0897329, -0.1952467, -0.2267447, -0.08371295, 0.4840273, -0.4554175, 0.06147965},
			{-0.4657796, -0.0535226, 0.1465644, -0.2805289, -0.2656505, -0.06548404, 0.05348268, 0.4059031, -0.343246, 0.07449295}}},
	{"swin-16x2@32", 32,
		{{-0.009665135, -0.04086058, 0.09335496, -0.03456299, -0.04899838, 0.03768781, 0.1502482, 0.02628372, -0.1429399, 0.09500863},
			{0.0468781, 0.01854965, 0.0007180248, -0.05147195, -0.02827899, 0.07823695, 0.2082003, -0.08960058, -0.194955, 0.1545977}}},
};

static void test_outputs(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(rows); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		cop_target t;
		cop_plan *p;
		cop_session *s;
		OK(cx, cop_zoo_build(&g, cx, rows[i].name, &(cop_zoo_args){.batch = SAMPLES, .seed = 5}));
		OK(cx, cop_target_find(&t, cx, "host"));
		OK(cx, cop_plan_build(&p, &g, 1, &t));
		OK(cx, cop_session_new(&s, p, 1));
		cop_tensor x, y;
		OK(cx, cop_session_io(s, 0, 0, false, &x));
		float *in = x.data;
		for (int32_t k = 0; k < SAMPLES * rows[i].side * rows[i].side * 3; k++) in[k] = (float)((double)(k * 37 % 101) / 50 - 1);
		OK(cx, cop_session_run(s, 0));
		OK(cx, cop_session_io(s, 0, 0, true, &y));
		for (int k = 0; k < SAMPLES * CLASSES; k++) {
			double got = (double)((float *)y.data)[k], want = rows[i].y[k / CLASSES][k % CLASSES];
			if (fabs(got - want) > 2e-6) fail_msg("%s, output %d: %.8g, PyTorch has %.8g", rows[i].name, k, got, want);
		}
		cop_session_free(s);
		cop_plan_free(p);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

static void test_refused(void **state)
{
	static const struct { const char *name, *says; } bad[] = {
		{"vit-60x4", "a multiple of 16"}, {"vit-64", "as in '64x4'"}, {"vit-64x0", "a number of blocks"}, {"vit-64x4@30", "square pictures whose sides are multiples of 4"}, {"swin-32x2@24", "multiples of 16"},
	};

	(void)state;
	for (int i = 0; i < LEN(bad); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		assert_int_equal(cop_zoo_build(&g, cx, bad[i].name, NULL), COP_ARG);
		if (g || !strstr(cop_error_text(cx), bad[i].says) || !strstr(cop_error_text(cx), bad[i].name)) fail_msg("%s: %s", bad[i].name, cop_error_text(cx));
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_outputs), cmocka_unit_test(test_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
