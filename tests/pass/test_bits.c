/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks of signs: the graph of bits answers with the bits of the float graph, whatever batch norm, padding, stride,
 * pools and odd sizes are between; the sign's gradient; bounds against the formula for them; what can't become bits.
 */
#include "pass/bits_net.h"
#include "pass/pass.h"
#include "run/deploy.h"

/* What g answers to a random input; the caller frees it. */
static float *answer(cop_ctx *cx, cop_graph *g, uint32_t isa, int64_t *n)
{
	cop_host h;
	cop_tensor x, y;

	OK(cx, cop__host_open(&h, &g, 1, isa, 1));
	OK(cx, cop_session_io(h.s, 0, 0, false, &x));
	for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((float *)x.data)[i] = bits_drawn(77, (uint64_t)i);
	OK(cx, cop_session_run(h.s, 0));
	OK(cx, cop_session_io(h.s, 0, 0, true, &y));
	*n = cop_type_count(&y.type);
	float *copy = memcpy(malloc(sizeof *copy * (size_t)*n), y.data, sizeof *copy * (size_t)*n);
	cop__host_close(&h);
	return copy;
}

static int count(const cop_graph *g, int op)
{
	int found = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) found += g->node[n].op == op;
	return found;
}

static void same_answers(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(bits_nets); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g = bits_network(cx, &bits_nets[i]), *bits, *deployed;
		int64_t n, m, k;

		OK(cx, cop__pass_bits(&bits, g));
		OK(cx, cop_graph_verify(bits));
		OK(cx, cop__pass_deploy(&deployed, g)); /* batch norm of such layers stays */
		if (count(bits, OP_bconv) != 3 || count(bits, OP_sign) + count(bits, OP_conv) + count(bits, OP_fc) + count(bits, OP_maxpool) + count(bits, OP_unpackbits))
			fail_msg("network %d is not all bits", i);
		float *want = answer(cx, g, 0, &n), *got = answer(cx, bits, 0, &m), *fast = answer(cx, bits, COP_ISA_ALL, &m), *by = answer(cx, deployed, 0, &k);
		assert_int_equal(n, m);
		for (int64_t j = 0; j < n; j++) {
			if (want[j] != got[j]) fail_msg("network %d: answer %d is %g, in floats %g", i, (int)j, (double)got[j], (double)want[j]);
			if (want[j] != by[j]) fail_msg("network %d: deployed, answer %d is %g, not %g", i, (int)j, (double)by[j], (double)want[j]);
			if (fabsf(want[j] - fast[j]) > 1e-5f * fmaxf(1, fabsf(want[j]))) fail_msg("network %d: fast, answer %d is %g, not %g", i, (int)j, (double)fast[j], (double)want[j]);
		}
		free(want), free(got), free(fast), free(by);
		cop_graph_free(g), cop_graph_free(bits), cop_graph_free(deployed);
		cop_ctx_free(cx);
	}
}

/* ---- bounds ---- */

/* sign(gamma (d - mean) / sigma + beta): 1 from ceil(tau) on, tau = mean - beta sigma / gamma; up to floor(tau) where gamma is below 0; as
 * beta's sign where it is 0. Worked out in double. */
static void bounds_of_batch_norm(void **state)
{
	static const struct { float gamma, beta, mean, var; int32_t lo, hi; } row[] = {
	        {1, 0, 2.5f, 1, 3, INT32_MAX},             /* sums are even: 4 is the first */
	        {2, -1, -3.25f, 16, -1, INT32_MAX},        /* tau -1.25 */
	        {-1, 0, 2.5f, 1, INT32_MIN, 2},
	        {-0.5f, 3, 1, 4, INT32_MIN, 13},           /* tau 13 */
	        {0, 0.5f, 7, 1, INT32_MIN, INT32_MAX},
	        {0, -0.5f, 7, 1, 1, 0},
	        {1, 0, 6, 1, 6, INT32_MAX},                /* a sum that gives 0 is 1 */
	        {-1, 0, 6, 1, INT32_MIN, 6},
	        {1, 100, 0, 1, INT32_MIN, INT32_MAX},      /* beyond what 16 products come to */
	};
	enum { O = LEN(row), N = 16 };
	float p[4][O], ones[O * N];
	cop_ctx *cx = new_ctx();
	cop_graph *g, *bits;
	cop_type xt = cop__type(COP_F32, 2, DIMS(1, N));

	(void)state;
	for (int i = 0; i < O * N; i++) ones[i] = 1;
	for (int i = 0; i < O; i++) p[0][i] = row[i].gamma, p[1][i] = row[i].beta, p[2][i] = row[i].mean, p[3][i] = row[i].var;
	OK(cx, cop__graph_new(&g, cx, "bounds"));
	cop_vid x = bits_sign(g, cop__input(g, "x", &xt));
	x = cop__apply(g, OP_fc, &bits_free, VIDS(x, bits_constant(g, "fc.w", 2, DIMS(O, N), ones)));
	cop_vid in[5] = {x, bits_constant(g, "a", 1, DIMS(O), p[0]), bits_constant(g, "b", 1, DIMS(O), p[1]), bits_constant(g, "c", 1, DIMS(O), p[2]), bits_constant(g, "d", 1, DIMS(O), p[3])};
	OK(cx, cop__output(g, bits_sign(g, cop__apply(g, OP_bn, &(cop_bn_attr){0, 0.1f, COP_NO_LO, COP_NO_HI}, 5, in)), "y"));
	OK(cx, cop__pass_bits(&bits, g));
	const int32_t *t = cop__ints(bits, cop__find(bits, "fc.t"));
	assert_non_null(t);
	for (int i = 0; i < O; i++)
		for (int32_t d = -N; d <= N; d += 2)
			if ((t[i] <= d && d <= t[O + i]) != (row[i].lo <= d && d <= row[i].hi)) fail_msg("row %d: the sum %d has the wrong bit", i, (int)d);
	cop_graph_free(g), cop_graph_free(bits);
	cop_ctx_free(cx);
}

/* ---- the operator ---- */

/* By the formulas, at points on either side of each edge. */
static void gradient(void **state)
{
	static const float x[] = {-1.5f, -1, -0.75f, -0.0f, 0, 0.25f, 1, 1.0001f},
	                   want[2][LEN(x)] = {{0, 3, 3, 3, 3, 3, 3, 0}, {0, 0, 1.5f, 6, 6, 4.5f, 0, 0}},
	                   sign_of[LEN(x)] = {-1, -1, -1, 1, 1, 1, 1, 1};
	cop_type t = cop__type(COP_F32, 1, DIMS(LEN(x)));
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int k = 0; k < 4; k++) { /* by the portable kernels, then by fast ones */
		int32_t smooth = k % 2;
		cop_graph *g;
		cop_host h;
		cop_tensor in, y, dx;
		OK(cx, cop__graph_new(&g, cx, "sign"));
		cop_vid v = cop__input(g, "x", &t), three = bits_constant(g, "three", 1, DIMS(1), (const float[]){3}), zero = bits_constant(g, "zero", 1, DIMS(LEN(x)), (const float[LEN(x)]){0});
		cop_vid dy = cop__apply(g, OP_add, &bits_free, VIDS(zero, three));
		OK(cx, cop__output(g, cop__apply(g, OP_sign, &(cop_sign_attr){smooth}, VIDS(v)), "y"));
		OK(cx, cop__output(g, cop__apply(g, OP_sign_grad, &(cop_sign_attr){smooth}, VIDS(dy, v)), "dx"));
		OK(cx, cop__host_open(&h, &g, 1, k < 2 ? 0 : COP_ISA_ALL, 1));
		OK(cx, cop_session_io(h.s, 0, 0, false, &in));
		memcpy(in.data, x, sizeof x);
		OK(cx, cop_session_run(h.s, 0));
		OK(cx, cop_session_io(h.s, 0, 0, true, &y));
		OK(cx, cop_session_io(h.s, 0, 1, true, &dx));
		assert_memory_equal(y.data, sign_of, sizeof x);
		for (int i = 0; i < LEN(x); i++)
			if (((float *)dx.data)[i] != want[smooth][i]) fail_msg("smooth=%d: at %g the gradient is %g", (int)smooth, (double)x[i], (double)((float *)dx.data)[i]);
		cop__host_close(&h);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* ---- what stays ---- */

/* Weights of three values, or an operand that is no sign: float layers, and the same answers. */
static void others_stay(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g, *bits;
		cop_type xt = cop__type(COP_F32, 2, DIMS(3, 20));
		int64_t n, m;
		float w[5 * 20];

		OK(cx, cop__graph_new(&g, cx, "others"));
		for (int i = 0; i < 100; i++) w[i] = which ? (float)(1 - i % 2 * 2) : (float)(i % 3 - 1);
		cop_vid x = cop__input(g, "x", &xt);
		x = cop__apply(g, OP_fc, &bits_free, VIDS(which ? x : bits_sign(g, x), bits_constant(g, "w", 2, DIMS(5, 20), w)));
		OK(cx, cop__output(g, bits_sign(g, x), "y"));
		OK(cx, cop__pass_bits(&bits, g));
		assert_int_equal(count(bits, OP_bconv), 0);
		assert_int_equal(count(bits, OP_fc), 1);
		float *a = answer(cx, g, 0, &n), *b = answer(cx, bits, 0, &m);
		assert_memory_equal(a, b, sizeof *a * (size_t)n);
		free(a), free(b);
		cop_graph_free(g), cop_graph_free(bits);
		cop_ctx_free(cx);
	}
}

/* A sign of a size is 1 for small sums and for large ones, which no two bounds say: the sums are scaled in floats, and the answers are the same. */
static void no_one_run(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *bits;
	cop_type xt = cop__type(COP_F32, 2, DIMS(6, 20));
	int64_t n, m;

	(void)state;
	OK(cx, cop__graph_new(&g, cx, "sizes"));
	cop_vid x = bits_sign(g, cop__input(g, "x", &xt));
	x = cop__apply(g, OP_fc, &bits_free, VIDS(x, bits_weight(g, "w", 2, DIMS(9, 20), true)));
	x = cop__apply(g, OP_map, &(cop_map_attr){MAP_ABS, 0, 0}, VIDS(x));
	x = cop__apply(g, OP_sub, &bits_free, VIDS(x, bits_constant(g, "edge", 1, DIMS(1), (const float[]){0.4f})));
	OK(cx, cop__output(g, bits_sign(g, x), "y"));
	OK(cx, cop__pass_bits(&bits, g));
	assert_int_equal(count(bits, OP_bconv), 1);
	assert_int_equal(count(bits, OP_cast), 1);
	float *a = answer(cx, g, 0, &n), *b = answer(cx, bits, 0, &m);
	assert_memory_equal(a, b, sizeof *a * (size_t)n);
	for (int64_t i = 1; i < n; i++)
		if (a[i] != a[0]) n = 0; /* both come about */
	assert_int_equal(n, 0);
	free(a), free(b);
	cop_graph_free(g), cop_graph_free(bits);
	cop_ctx_free(cx);
}

/* A row of bits fills whole bytes: cut another way it would be read past its end. */
static void rows_stay(void **state)
{
	static const char bad[] = "graph rows\ninput x bit[15]\ny = reshape x rank=2 dim=5,3\noutput y\n", good[] = "graph rows\ninput x bit[5,3]\ny = reshape x rank=3 dim=5,1,3\noutput y\n";
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop_graph_parse(&g, cx, good, sizeof good - 1));
	cop_graph_free(g);
	assert_int_equal(cop_graph_parse(&g, cx, bad, sizeof bad - 1), COP_SHAPE);
	assert_non_null(strstr(cop_error_text(cx), "rows of bit begin at a byte"));
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_answers), cmocka_unit_test(bounds_of_batch_norm), cmocka_unit_test(gradient), cmocka_unit_test(others_stay), cmocka_unit_test(no_one_run),
		cmocka_unit_test(rows_stay)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
