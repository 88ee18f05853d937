/* SPDX-License-Identifier: Apache-2.0
 *
 * The curvature that is passed back, op by op, where it is known by hand: the second derivative of one result with all but its own path held is the square
 * of the first. tests/compress/test_prune_scores.c has whole networks.
 */
#include "help.h"
#include "op/grad.h"
#include "op/op.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
static const float at[4] = {0.3f, -0.7f, 1.1f, 0.2f};

typedef cop_vid layer(cop_graph *g, cop_vid w);

static cop_vid scalar_of(cop_graph *g, const char *name, float v)
{
	cop_type t = cop__type(COP_F32, 1, DIMS(1));
	return cop__data(g, COP_CONST, name, &t, &v);
}

static cop_vid through_sigmoid(cop_graph *g, cop_vid w) { return cop__apply(g, OP_sigmoid, NULL, VIDS(w)); }
static cop_vid through_tanh(cop_graph *g, cop_vid w) { return cop__apply(g, OP_tanh, NULL, VIDS(w)); }
static cop_vid through_clip(cop_graph *g, cop_vid w) { return cop__apply(g, OP_clip, &(cop_act_attr){0, COP_NO_HI}, VIDS(w)); }
static cop_vid through_sub(cop_graph *g, cop_vid w) { return cop__apply(g, OP_sub, &none, VIDS(scalar_of(g, "c", 2), w)); }
static cop_vid through_mul(cop_graph *g, cop_vid w) { return cop__apply(g, OP_mul, &none, VIDS(w, scalar_of(g, "c", -3))); }
static cop_vid through_mean(cop_graph *g, cop_vid w) { return cop__apply(g, OP_reduce, &(cop_reduce_attr){REDUCE_MEAN, 2, 1}, VIDS(w)); }
static cop_vid through_sum(cop_graph *g, cop_vid w) { return cop__apply(g, OP_reduce, &(cop_reduce_attr){REDUCE_SUM, 2, 1}, VIDS(w)); }

static cop_vid through_matmul(cop_graph *g, cop_vid w)
{
	static const float m[8] = {1, -2, 0, 3, 2, 1, -1, 0.5f};
	cop_type t = cop__type(COP_F32, 2, DIMS(4, 2));
	return cop__apply(g, OP_matmul, &(cop_matmul_attr){0, 0}, VIDS(w, cop__data(g, COP_CONST, "m", &t, m)));
}

static cop_vid twice(cop_graph *g, cop_vid w) { return cop__apply(g, OP_add, &none, VIDS(through_sigmoid(g, w), through_tanh(g, w))); }
static cop_vid through_softmax(cop_graph *g, cop_vid w) { return cop__apply(g, OP_softmax, NULL, VIDS(w)); }

static cop_graph *network(cop_ctx *cx, layer *f, cop_vid *w, cop_vid *y)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(1, 4));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "curved"));
	*w = cop__data(g, COP_PARAM, "w", &t, at);
	*y = f(g, cop__apply(g, OP_add, &none, VIDS(cop__input(g, "x", &t), *w)));
	assert_true(*y > 0);
	return g;
}

/* Every result has the curvature 1. */
static void curvature(float *h, cop_ctx *cx, layer *f)
{
	cop_vid w, y, d = 0;
	cop_graph *g = network(cx, f, &w, &y);
	cop_type t = *cop__t(g, y);
	float ones[4] = {1, 1, 1, 1};
	cop_plan *plan;
	cop_session *s;
	cop_target target;
	cop_tensor out;

	OK(cx, cop__curvature(g, y, cop__data(g, COP_CONST, "ones", &t, ones), 1, &w, &d));
	OK(cx, cop__output(g, d, "h"));
	OK(cx, cop_target_find(&target, cx, "host"));
	OK(cx, cop_plan_build(&plan, &g, 1, &target));
	OK(cx, cop_session_new(&s, plan, 1));
	OK(cx, cop_session_run(s, 0)); /* x is 0 */
	OK(cx, cop_session_io(s, 0, 0, true, &out));
	memcpy(h, out.data, 4 * sizeof *h);
	cop_session_free(s);
	cop_plan_free(plan);
	cop_graph_free(g);
}

static double sigmoid_slope(double x) { return exp(-x) / (1 + exp(-x)) / (1 + exp(-x)); }
static double tanh_slope(double x) { return 1 - tanh(x) * tanh(x); }

static void rules(void **state)
{
	double x[4], want[10][4];
	static layer *const f[10] = {through_sigmoid, through_tanh, through_clip, through_sub, through_mul, through_mean, through_sum, through_matmul, twice};

	for (int i = 0; i < 4; i++) {
		static const double row[4] = {1 + 4, 0 + 9, 4 + 1, 1 + 0.25}; /* squares of m, summed over its columns */
		x[i] = (double)at[i];
		want[0][i] = pow(sigmoid_slope(x[i]), 2);
		want[1][i] = pow(tanh_slope(x[i]), 2);
		want[2][i] = x[i] > 0;
		want[3][i] = 1;
		want[4][i] = 9;
		want[5][i] = 1.0 / 16;
		want[6][i] = 1;
		want[7][i] = row[i];
		want[8][i] = want[0][i] + want[1][i]; /* without the cross term */
	}
	for (int k = 0; f[k]; k++) {
		float h[4];
		curvature(h, *state, f[k]);
		for (int i = 0; i < 4; i++)
			if (fabs((double)h[i] - want[k][i]) > 1e-6) fail_msg("rule %d: h[%d] is %g, not %g", k, i, (double)h[i], want[k][i]);
	}
}

/* One that has no rule is named. */
static void no_rule(void **state)
{
	cop_vid w, y, d = 0;
	cop_graph *g = network(*state, through_softmax, &w, &y);
	cop_type t = *cop__t(g, y);

	assert_int_equal(cop__curvature(g, y, cop__data(g, COP_CONST, "ones", &t, NULL), 1, &w, &d), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "softmax"));
	assert_non_null(strstr(cop_error_text(*state), "curvature does not go back through it"));
	cop_error_clear(*state);
	cop_graph_free(g);
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(rules, setup, teardown), cmocka_unit_test_setup_teardown(no_rule, setup, teardown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
