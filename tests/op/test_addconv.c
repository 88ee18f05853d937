/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of distances and their gradients, which are not the derivatives, against PyTorch (make_addconv_reference.py): stride 2, padding on one
 * side, which counts; the same behind factors and biases. And what is refused.
 */
#include "help.h"
#include "op/axes.h"
#include "op/grad.h"

static const float y[24] = {-4.5f, -5.5f, -6.375f, -5.625f, -5.375f, -6, -5.875f, -5.375f, -6.25f, -7.625f, -7.875f, -6.25f, -6.125f, -6.125f, -5.75f, -5.375f, -5.375f, -6.25f, -5.625f, -5.375f, -6, -7.625f, -8.125f, -6.25f};
static const float dx[36] = {0.5f, -0.03125f, -0.796875f, 0.796875f, -0.234375f, -0.65625f, -1.75f, 1.375f, 1.5f, -1.203125f, -1.203125f, 0.859375f, 0.09375f, -1.15625f, 0.375f, -0.625f, 1.0625f, -0.171875f, -1.5f, 0.46875f, -1.3125f, 1.125f, -0.375f, -1.375f, -1.078125f, 1.125f, 0.125f, 0.34375f, 0.34375f, -1.09375f, 0.046875f, -0.515625f, 0.734375f, -1, 0.65625f, -1.5f};
static const float dw[24] = {0.296875f, -0.234375f, 2.3125f, -1.625f, 0.765625f, -0.203125f, 2, 2.078125f, -1.46875f, -0.0625f, 1.921875f, -1.390625f, 0.484375f, 0.140625f, -1.53125f, 3.5f, 0.03125f, 0.984375f, 0.015625f, -1.03125f, 1.34375f, -2.84375f, 0.0625f, 1.859375f};
static const float scaled[24] = {0.0391853236f, -0.0309357818f, 0.305233047f, -0.214488087f, 0.101056887f, -0.0268110109f, 0.263985338f, 0.274297265f, -0.193864233f, -0.00824954182f, 0.253673411f, -0.183552305f, 0.0639339491f, 0.0185614691f, -0.202113775f, 0.461974342f, 0.00412477091f, 0.129930284f, 0.00206238545f, -0.13611744f, 0.177365149f, -0.375354153f, 0.00824954182f, 0.245423869f};
static const float folded[24] = {0.75f, 10, -7.71875f, 0.1875f, 9.75f, -7.25f, 0.0625f, 9.75f, -7.5625f, -0.8125f, 14.75f, -7.5625f, -0.0625f, 11.25f, -6.9375f, 0.3125f, 9.75f, -7.5625f, 0.1875f, 9.75f, -7.25f, -0.8125f, 15.25f, -7.5625f};
static const float dx_folded[36] = {-1.34375f, -1.46875f, -0.5390625f, 0.84375f, -0.4453125f, 0.3984375f, 0.59375f, -0.96875f, 0.15625f, -0.4765625f, -0.4765625f, 1.2421875f, -0.203125f, -0.375f, -0.4375f, 0.9375f, -0.390625f, 1.4921875f, 0.40625f, -0.796875f, -0.625f, 1.3125f, -0.5625f, 0.5f, 0.28125f, -0.375f, -2.5625f, 2.328125f, 2.328125f, -0.828125f, -0.328125f, -0.140625f, -0.2421875f, 1.46875f, -1.59375f, 0.84375f};
static const float dw_folded[24] = {0.1484375f, -0.1171875f, 1.15625f, -0.8125f, 0.3828125f, -0.1015625f, 1, 1.0390625f, 2.9375f, 0.125f, -3.84375f, 2.78125f, -0.96875f, -0.28125f, 3.0625f, -7, 0.0390625f, 1.23046875f, 0.01953125f, -1.2890625f, 1.6796875f, -3.5546875f, 0.078125f, 2.32421875f};
static const float dfactor[3] = {-5.796875f, 2.84375f, 5.296875f};
static const float dbias[3] = {0.875f, 0, -0.875f};
static const cop_conv_attr attr = {2, 2, 1, 1, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI};

static void fill(float *p, int n, int by, int of, float less)
{
	for (int i = 0; i < n; i++) p[i] = (float)(i * by % of) / 8 - less;
}

static void is(const char *what, cop_session *s, const char *name, const float *want, int n)
{
	cop_tensor t;

	assert_int_equal(cop_session_tensor(s, 0, name, &t), COP_OK);
	assert_int_equal(cop_type_count(&t.type), n);
	for (int i = 0; i < n; i++)
		if (!(fabsf(((float *)t.data)[i] - want[i]) < 1e-6f)) fail_msg("%s[%d] is %.9g, not %.9g", what, i, (double)((float *)t.data)[i], (double)want[i]);
}

static void as_pytorch(void **state)
{
	(void)state;
	for (int rescale = 0; rescale < 2; rescale++) {
		static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
		cop_ctx *cx = new_ctx();
		cop_target t;
		cop_plan *p;
		cop_session *s;
		cop_graph *g;
		cop_vid d[2];
		cop_tensor in;
		OK(cx, cop__graph_new(&g, cx, "distances"));
		cop_vid x = cop__sample_input(g, "x", 4, DIMS(2, 3, 3, 2)), w = cop__sample_input(g, "w", 4, DIMS(3, 2, 2, 2)), dy = cop__sample_input(g, "dy", 4, DIMS(2, 2, 2, 3));
		cop_vid v = cop__apply(g, OP_addconv, &(cop_addconv_attr){attr, rescale ? 0.2f : 0}, VIDS(x, w));
		cop_vid loss = cop__apply(g, OP_sum_to, &(cop_shape_attr){1, {1}}, VIDS(cop__apply(g, OP_mul, &none, VIDS(v, dy))));
		OK(cx, cop__differentiate(g, loss, 2, (const cop_vid[]){x, w}, d));
		OK(cx, cop__output(g, v, "y"));
		OK(cx, cop__output(g, d[0], "dx"));
		OK(cx, cop__output(g, d[1], "dw"));
		OK(cx, cop_target_find(&t, cx, "host"));
		OK(cx, cop_plan_build(&p, &g, 1, &t));
		OK(cx, cop_session_new(&s, p, 1));
		OK(cx, cop_session_io(s, 0, 0, false, &in));
		fill(in.data, 36, 37, 23, 1.25f);
		OK(cx, cop_session_io(s, 0, 1, false, &in));
		fill(in.data, 24, 29, 19, 1);
		OK(cx, cop_session_io(s, 0, 2, false, &in));
		fill(in.data, 24, 31, 17, 1);
		OK(cx, cop_session_run(s, 0));
		is("y", s, "y", y, 24);
		is("dx", s, "dx", dx, 36);
		is("dw", s, "dw", rescale ? scaled : dw, 24);
		cop_session_free(s);
		cop_plan_free(p);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

/* With the factors and biases that batch norm leaves. */
static void folded_as_pytorch(void **state)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	static const float factor[] = {0.5f, -2, 1.25f}, bias[] = {3, -1, 0.25f};
	static const char *const name[] = {"dx", "dw", "dfactor", "dbias"};
	static const float *const want[] = {dx_folded, dw_folded, dfactor, dbias};
	static const int count[] = {36, 24, 3, 3};
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	cop_host host;
	cop_tensor in;
	cop_vid d[4];

	(void)state;
	OK(cx, cop__graph_new(&g, cx, "folded"));
	cop_vid x = cop__sample_input(g, "x", 4, DIMS(2, 3, 3, 2)), w = cop__sample_input(g, "w", 4, DIMS(3, 2, 2, 2)), dy = cop__sample_input(g, "dy", 4, DIMS(2, 2, 2, 3)),
		s = cop__sample_input(g, "s", 1, DIMS(3)), b = cop__sample_input(g, "b", 1, DIMS(3));
	cop_vid v = cop__apply(g, OP_addconv, &(cop_addconv_attr){attr, 0}, VIDS(x, w, s, b));
	cop_vid loss = cop__apply(g, OP_sum_to, &(cop_shape_attr){1, {1}}, VIDS(cop__apply(g, OP_mul, &none, VIDS(v, dy))));
	OK(cx, cop__differentiate(g, loss, 4, (const cop_vid[]){x, w, s, b}, d));
	OK(cx, cop__output(g, v, "y"));
	for (int i = 0; i < 4; i++) OK(cx, cop__output(g, d[i], name[i]));
	OK(cx, cop__host_open(&host, &g, 1, COP_ISA_ALL, 1));
	for (int i = 0; i < 5; i++) {
		OK(cx, cop_session_io(host.s, 0, i, false, &in));
		if (i < 3) fill(in.data, i ? 24 : 36, i == 0 ? 37 : i == 1 ? 29 : 31, i == 0 ? 23 : i == 1 ? 19 : 17, i ? 1 : 1.25f);
		else memcpy(in.data, i == 3 ? factor : bias, sizeof factor);
	}
	OK(cx, cop_session_run(host.s, 0));
	is("y", host.s, "y", folded, 24);
	for (int i = 0; i < 4; i++) is(name[i], host.s, name[i], want[i], count[i]);
	cop__host_close(&host);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	(void)state;
	static const struct { int32_t channels, factors; float eta; const char *says; } bad[] = {
		{3, 0, 0, "input has 2 channels"}, {2, 0, -1, "eta must not be negative"}, {2, 1, 0, "it needs both or none"}, {2, 2, 0, "input 2 has 4 entries, the weight 3 outputs"}};

	for (int i = 0; i < LEN(bad); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		OK(cx, cop__graph_new(&g, cx, "bad"));
		cop_vid x = cop__sample_input(g, "x", 4, DIMS(2, 3, 3, 2)), w = cop__sample_input(g, "w", 4, DIMS(3, 2, 2, bad[i].channels)), s = cop__sample_input(g, "s", 1, DIMS(bad[i].factors == 2 ? 4 : 3));
		assert_int_equal(cop__apply(g, OP_addconv, &(cop_addconv_attr){attr, bad[i].eta}, 2 + bad[i].factors, (const cop_vid[]){x, w, s, s}), 0);
		if (!strstr(cop_error_text(cx), bad[i].says)) fail_msg("%s", cop_error_text(cx));
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_pytorch), cmocka_unit_test(folded_as_pytorch), cmocka_unit_test(refused)};
	return RUN_BY_BOTH_KERNELS(tests);
}
