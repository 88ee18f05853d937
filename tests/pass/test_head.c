/* SPDX-License-Identifier: Apache-2.0
 *
 * A new last layer: what it reads is what the old one read, its scores are those of its own weights, and networks without such a layer are refused.
 */
#include "help.h"
#include "pass/pass.h"

enum { IN = 6, OLD = 3, NEW = 5 };

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

/* A softmax behind a layer, of floats or of int8. The features are an output of the reference alone. */
static cop_graph *net(cop_ctx *cx, bool bytes)
{
	static const int8_t w[OLD * IN] = {1, -7, 30, 4, 5, 6, 100, 2, -3, 4, 5, -60, 9, 8, 7, 6, 5, 4};
	static const int32_t b[OLD] = {10, -20, 30}, m[OLD] = {1 << 26, 1 << 26, 1 << 26};
	float real[OLD * IN];
	cop_type t = cop__type(COP_F32, 2, DIMS(2, IN)), wt = cop__type(COP_I8, 4, DIMS(OLD, 1, 1, IN)), bt = cop__type(COP_I32, 1, DIMS(OLD)), ft = cop__type(COP_F32, 2, DIMS(OLD, IN));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = cop__apply(g, OP_clip, &(cop_act_attr){-1, 1}, VIDS(cop__input(g, "x", &t)));
	for (int i = 0; i < OLD * IN; i++) real[i] = w[i] / 64.0f;
	if (bytes) {
		x = cop__apply(g, OP_quantize, &(cop_quantize_attr){1.0f / 100, 4, COP_I8}, VIDS(x));
		x = cop__apply(g, OP_reshape, &(cop_shape_attr){4, {2, 1, 1, IN}}, VIDS(x));
		x = cop__apply(g, OP_qconv, &(cop_qconv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, 4, 3, -128, 127, 0, 0, 0},
			VIDS(x, cop__data(g, COP_CONST, "w", &wt, w), cop__data(g, COP_CONST, "b", &bt, b), cop__data(g, COP_CONST, "m", &bt, m)));
		x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {2, OLD}}, VIDS(x));
		x = cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.1f, 3}, VIDS(x));
	} else {
		x = cop__apply(g, OP_fc, &none, VIDS(x, cop__data(g, COP_PARAM, "w", &ft, real)));
	}
	OK(cx, cop__output(g, cop__apply(g, OP_softmax, NULL, VIDS(x)), "y"));
	OK(cx, cop_graph_classes_set(g, (const char *const[]){"a", "b", "c"}, OLD));
	cop_graph_accuracy_set(g, 0.5f);
	return g;
}

static void run(cop_ctx *cx, cop_graph *g, const float *x, float *y)
{
	cop_host host = {0};
	cop_tensor t;

	OK(cx, cop__host_open(&host, &g, 1, 0, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &t));
	memcpy(t.data, x, sizeof(float) * 2 * IN);
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_io(host.s, 0, 0, true, &t));
	memcpy(y, t.data, sizeof(float) * 2 * NEW);
	cop__host_close(&host);
}

static void scores_are_those_of_the_new_weights(void **state)
{
	static const float x[2 * IN] = {0.11f, -0.52f, 3, 0.25f, -0.99f, 0, 1, -7, 0.42f, 0.05f, 0.61f, -0.3f};
	cop_ctx *cx = *state;

	for (int bytes = 0; bytes < 2; bytes++) {
		cop_graph *g = net(cx, bytes);
		float y[2 * NEW];
		OK(cx, cop_graph_apply(&g, "head:classes=5,seed=3"));
		const float *w = cop__floats(g, cop__find(g, "head.w"));
		run(cx, g, x, y);
		for (int i = 0; i < 2 * NEW; i++) {
			double sum = 0;
			for (int k = 0; k < IN; k++) sum += fmin(fmax((double)x[i / NEW * IN + k], -1), 1) * (double)w[i % NEW * IN + k];
			if (fabs(sum - (double)y[i]) > (bytes ? 0.02 : 1e-6)) fail_msg("score %d is %g, not %g", i, (double)y[i], sum);
		}
		for (int i = 0; i < NEW * IN; i++) assert_true(fabsf(w[i]) <= 1 / sqrtf(IN) && w[i] != 0);
		assert_null(cop_graph_class(g, 0));
		assert_true(cop_graph_accuracy(g) < 0);
		assert_int_equal(cop__find(g, "w"), 0);
		cop_graph_free(g);
	}
}

static void others_are_refused(void **state)
{
	cop_ctx *cx = *state;
	cop_type t = cop__type(COP_F32, 2, DIMS(1, IN));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "flat"));
	OK(cx, cop__output(g, cop__apply(g, OP_clip, &none, VIDS(cop__input(g, "x", &t))), "y"));
	assert_int_equal(cop_graph_apply(&g, "head:classes=4"), COP_ARG);
	assert_string_equal(cop_error_text(cx), "head: 'flat' does not end in a fully connected layer that gives the scores, so there is none to replace");
	cop_graph_free(g);
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(scores_are_those_of_the_new_weights, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
