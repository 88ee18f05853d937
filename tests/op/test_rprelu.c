/* SPDX-License-Identifier: Apache-2.0
 *
 * rprelu and its gradients against PyTorch 2: F.prelu(x - knee, slope) + lift, by portable and by fast kernels. test_gradients and test_kernels have more sizes.
 */
#include "help.h"
#include "run/deploy.h"

static const float x[9] = {-1.5f, -0.5f, 2, 0.25f, -0.25f, -3, 1, 0.75f, 0.5f}, dy[9] = {1, 2, -3, 0.5f, -1, 4, -2, 0.25f, 8}, slope[3] = {0.25f, -0.5f, 1.5f},
	knee[3] = {0.5f, -0.25f, -1}, lift[3] = {0.125f, 2, -0.75f};
static const float want_y[9] = {-0.375f, 2.125f, 2.25f, 0.0625f, 2, -3.75f, 0.625f, 3, 0.75f}, want_dx[9] = {0.25f, -1, -3, 0.125f, 0.5f, 6, -2, 0.25f, 8},
	want_slope[3] = {-2.125f, -0.5f, -8}, want_knee[3] = {1.625f, 0.25f, -11}, want_lift[3] = {-0.5f, 1.25f, 9};

static cop_vid constant(cop_graph *g, const char *name, const float *data)
{
	cop_type t = cop__type(COP_F32, 1, DIMS(3));
	return cop__data(g, COP_PARAM, name, &t, data);
}

static void same(const cop_host *h, int i, const float *want, size_t n)
{
	cop_tensor t;

	assert_int_equal(cop_session_io(h->s, 0, i, true, &t), COP_OK);
	for (size_t k = 0; k < n; k++)
		if (((float *)t.data)[k] != want[k]) fail_msg("output %d, element %d: %g, not %g", i, (int)k, (double)((float *)t.data)[k], (double)want[k]);
}

static void as_pytorch(void **state)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(3, 3));

	(void)state;
	for (int fast = 0; fast < 2; fast++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		cop_host h;
		cop_tensor in;
		OK(cx, cop__graph_new(&g, cx, "rprelu"));
		cop_vid v = cop__input(g, "x", &t), d = cop__input(g, "dy", &t), s = constant(g, "slope", slope), k = constant(g, "knee", knee);
		OK(cx, cop__output(g, cop__apply(g, OP_rprelu, NULL, VIDS(v, s, k, constant(g, "lift", lift))), "y"));
		OK(cx, cop__output(g, cop__apply(g, OP_rprelu_dx, NULL, VIDS(d, v, s, k)), "dx"));
		cop_nid n = cop__node(g, OP_rprelu_dp, NULL, VIDS(d, v, s, k));
		OK(cx, cop__output(g, cop__res(g, n, 0), "dslope"));
		OK(cx, cop__output(g, cop__want_out(g, n, 1), "dknee"));
		OK(cx, cop__output(g, cop__want_out(g, n, 2), "dlift"));
		OK(cx, cop__host_open(&h, &g, 1, fast ? COP_ISA_ALL : 0, 1));
		OK(cx, cop_session_io(h.s, 0, 0, false, &in));
		memcpy(in.data, x, sizeof x);
		OK(cx, cop_session_io(h.s, 0, 1, false, &in));
		memcpy(in.data, dy, sizeof dy);
		OK(cx, cop_session_run(h.s, 0));
		same(&h, 0, want_y, 9), same(&h, 1, want_dx, 9), same(&h, 2, want_slope, 3), same(&h, 3, want_knee, 3), same(&h, 4, want_lift, 3);
		cop__host_close(&h);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_pytorch)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
