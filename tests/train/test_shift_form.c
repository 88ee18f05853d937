/* SPDX-License-Identifier: Apache-2.0
 *
 * The form `shift`: gradients, which are not the derivatives, against PyTorch's of roundings that let them through (tests/op/make_pow2_reference.py);
 * what is left of weights by hand; zeros under a mask; and weights that have no power of two.
 */
#include "help.h"
#include "train/form/shift.h"
#include "train/trainer.h"

enum { N = 6 };

/* y = w x of one number, under mse: with a target of y - 0.5 the gradient of w is x. */
static cop_graph *net(cop_ctx *cx, const float *w)
{
	cop_type x = cop__type(COP_F32, 2, DIMS(1, N)), t = x;
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid y = cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(cop__input(g, "x", &x), cop__data(g, COP_PARAM, "w", &t, w)));
	OK(cx, cop__output(g, y, "y"));
	return g;
}

static cop_build *formed(cop_ctx *cx, const cop_graph *g, const cop_shift_options *o)
{
	cop_build *b;

	OK(cx, cop__build_new(&b, g, 0, 0));
	OK(cx, cop__build_spec(b, "loss=mse update=sgd"));
	OK(cx, cop__build_form(b, "w", cop__form("shift"), o));
	return b;
}

static float *tensor(const cop_trainer *t, const char *name)
{
	cop_tensor x;

	if (cop__trainer_named(t, name, &x)) fail_msg("no tensor '%s'", name);
	return x.data;
}

static void is_gradient(cop_trainer *t, const char *of, const float *want)
{
	const char *name;
	cop_tensor d;

	for (int k = 0; (name = cop_trainer_gradient(t, k, &d)); k++) {
		if (strcmp(name, of)) continue;
		for (int i = 0; i < N; i++)
			if (!(fabsf(((float *)d.data)[i] - want[i]) < 1e-6f)) fail_msg("gradient %d of '%s' is %.9g, not %.9g", i, of, (double)((float *)d.data)[i], (double)want[i]);
		return;
	}
	fail_msg("'%s' has no gradient", of);
}

static const float dy[N] = {0.5f, -1.25f, 0.75f, 2, -0.6f, 1.1f};

/* Gradients for x = dy, once the target is half of a unit below what comes. */
static void gradients(cop_trainer *t, const float *w)
{
	cop_tensor x, target;
	float y = 0;

	OK(cop__trainer_graph(t)->cx, cop_trainer_input(t, 0, &x));
	OK(cop__trainer_graph(t)->cx, cop_trainer_input(t, 1, &target));
	memcpy(x.data, dy, sizeof dy);
	for (int i = 0; i < N; i++) y += w[i] * dy[i];
	*(float *)target.data = y - 0.5f;
	OK(cop__trainer_graph(t)->cx, cop_trainer_gradients(t, NULL));
}

static void apart(void **state)
{
	static const float sign[N] = {1, -1, 0.4f, -0.6f, 1.3f, 0.2f}, power[N] = {0, -2.6f, -1, -5.8f, -0.4f, 0.7f}, w[N] = {2, -0.25f, 0, -0.125f, 2, 0};
	static const float ds[N] = {1, -0.3125f, 0.75f, 0.25f, -1.2f, 2.2f}, dp[N] = {0.693147181f, 0.216608494f, 0, 0, -0.831776617f, 0};
	cop_graph *g = net(*state, (const float[N]){2, 1, 1, 1, 1, 1}); /* the largest: 2^1 */
	cop_trainer *t;

	OK(*state, cop__trainer_new(&t, formed(*state, g, &(cop_shift_options){5, true, true}), 1, true));
	memcpy(tensor(t, "w." COP_SHIFT_SIGN), sign, sizeof sign);
	memcpy(tensor(t, "w." COP_SHIFT_POWER), power, sizeof power);
	gradients(t, w);
	is_gradient(t, "w." COP_SHIFT_SIGN, ds);
	is_gradient(t, "w." COP_SHIFT_POWER, dp);
	OK(*state, cop_trainer_pull(t, g));
	assert_memory_equal(cop__floats(g, cop__find(g, "w")), w, sizeof w);
	cop_trainer_free(t);
	cop_graph_free(g);
}

static void together(void **state)
{
	static const float was[N] = {2.9f, -0.35f, 0.05f, -1.5f, 0.13f, 0}, w[N] = {4, -0.5f, 0, -2, 0, 0};
	cop_graph *g = net(*state, was);
	cop_trainer *t;

	OK(*state, cop__trainer_new(&t, formed(*state, g, &(cop_shift_options){4, true, false}), 1, true)); /* 2^-1 .. 2^2 */
	gradients(t, w);
	is_gradient(t, "w." COP_SHIFT_LATENT, dy);
	OK(*state, cop_trainer_pull(t, g));
	assert_memory_equal(cop__floats(g, cop__find(g, "w")), w, sizeof w);
	cop_trainer_free(t);
	cop_graph_free(g);
}

/* Without a step of training. */
static void as_given(void **state)
{
	static const struct { cop_shift_options o; float was[N], w[N]; } row[] = {
		{{7, true, false}, {1, 0.5f, -0.25f, 0.015625f, 0.0077f, 0.0079f}, {1, 0.5f, -0.25f, 0.015625f, 0, 0.015625f}},
		{{7, false, false}, {1, 0.5f, -0.25f, 0.015625f, 0.0077f, 0}, {1, 0.5f, -0.25f, 0.015625f, 0.015625f, 0}},
		{{1, true, false}, {3, -2, 1, -0.9f, 0.4f, -4}, {4, -4, 0, 0, 0, -4}}, /* 2 is half of the only power */
		{{2, true, true}, {3, -2.9f, 2.7f, -0.9f, 0, 5}, {4, -4, 2, -2, 0, 4}}, /* log2 of 2.9 and 2.7: 1.536, 1.433 */
		{{7, true, false}, {0}, {0}},
		{{7, true, true}, {0}, {0}},
		{{3, true, false}, {1e-20f, 3e-20f, -8e-20f, 0, 1e-21f, -5e-20f}, {0, 0x1p-65f, -0x1p-63f, 0, 0, -0x1p-64f}},
	};

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = net(*state, row[i].was);
		OK(*state, cop__forms_apply(g, formed(*state, g, &row[i].o)));
		const float *w = cop__floats(g, cop__find(g, "w"));
		for (int k = 0; k < N; k++)
			if (w[k] != row[i].w[k]) fail_msg("row %d: %g becomes %g, not %g", i, (double)row[i].was[k], (double)w[k], (double)row[i].w[k]);
		cop_graph_free(g);
	}
}

static void under_a_mask(void **state)
{
	for (int apart = 0; apart < 2; apart++) {
		cop_graph *g = net(*state, (const float[N]){1, 0, 0, -2, 0.5f, 0});
		cop_vid w = cop__find(g, "w");
		cop_type type = *cop__t(g, w);
		float *mask = cop__own(g, cop__follow(g, w, COP_STATE, "mask", &type, NULL));
		memcpy(mask, (const float[N]){1, 0, 0, 1, 1, 0}, N * sizeof *mask);
		cop_trainer *t;
		OK(*state, cop__trainer_new(&t, formed(*state, g, &(cop_shift_options){3, false, apart}), 1, true));
		for (int step = 0; step < 4; step++) {
			gradients(t, (const float[N]){0});
			OK(*state, cop_trainer_step(t, 0.3f, NULL));
		}
		OK(*state, cop_trainer_pull(t, g));
		for (int i = 0; i < N; i++) assert_true(mask[i] != 0 || cop__floats(g, w)[i] == 0);
		cop_trainer_free(t);
		cop_graph_free(g);
	}
}

static void refused(void **state)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY};

	for (int i = 0; i < LEN(bad); i++) {
		cop_graph *g = net(*state, (const float[N]){1, 2, bad[i], 3, 4, 5});
		assert_int_equal(cop__forms_apply(g, formed(*state, g, &(cop_shift_options){7, true, false})), COP_ARG);
		assert_non_null(strstr(cop_error_text(*state), "'w' holds numbers that are infinite or none"));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(apart), TEST(together), TEST(as_given), TEST(under_a_mask), TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
