/* SPDX-License-Identifier: Apache-2.0
 *
 * What is made of sums of bits: RSign as edges of floats and of bytes, and sums with a shortcut, batch norm and RPReLU as one operator of bytes. Expected is what
 * the float network answers, which the portable float kernels compute from the layers as they were built.
 */
#include "pass/bits_net.h"
#include "run/deploy.h"

enum { SIDE = BITS_SIDE, C = BITS_C, N = SIDE * SIDE * C };

static void answer(cop_ctx *cx, cop_graph *g, const float *x, int n_x, float *y, int n_y)
{
	cop_host h;
	cop_tensor t;

	OK(cx, cop__host_open(&h, &g, 1, 0, 1));
	OK(cx, cop_session_io(h.s, 0, 0, false, &t));
	memcpy(t.data, x, sizeof *x * (size_t)n_x);
	OK(cx, cop_session_run(h.s, 0));
	OK(cx, cop_session_io(h.s, 0, 0, true, &t));
	assert_int_equal(cop_type_count(&t.type), n_y);
	memcpy(y, t.data, sizeof *y * (size_t)n_y);
	cop__host_close(&h);
}

static int count(const cop_graph *g, int op)
{
	int found = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) found += g->node[n].op == op;
	return found;
}

/* On either side of an edge, and on it. */
static void edges_are_exact(void **state)
{
	static const float shift[] = {0, -0.0f, 0.1f, -0.3f, 1e-40f, 3e30f, -7, 0.33333334f};
	enum { E = LEN(shift) };
	float x[3][E], y[3 * E];
	cop_ctx *cx = new_ctx();
	cop_graph *g, *bits;
	cop_type t = cop__type(COP_F32, 2, DIMS(3, E));

	(void)state;
	for (int i = 0; i < E; i++) x[0][i] = nextafterf(-shift[i], -INFINITY), x[1][i] = -shift[i], x[2][i] = nextafterf(-shift[i], INFINITY);
	OK(cx, cop__graph_new(&g, cx, "edges"));
	cop_vid v = cop__input(g, "x", &t);
	OK(cx, cop__output(g, bits_sign(g, cop__apply(g, OP_add, &bits_free, VIDS(v, bits_constant(g, "shift", 1, DIMS(E), shift)))), "y"));
	OK(cx, cop__pass_bits(&bits, g));
	assert_int_equal(count(bits, OP_add) + count(bits, OP_sign), 0);
	answer(cx, bits, x[0], 3 * E, y, 3 * E);
	for (int i = 0; i < 3 * E; i++)
		if (y[i] != (i < E ? -1 : 1)) fail_msg("%g and the shift %g: %g", (double)x[i / E][i % E], (double)shift[i % E], (double)y[i]);
	cop_graph_free(g), cop_graph_free(bits);
	cop_ctx_free(cx);
}

static void shortcuts_answer_alike(void **state)
{
	static float x[N], want[N], got[N];
	cop_ctx *cx = new_ctx();
	cop_graph *g = bits_blocks(cx, "a", "b"), *bits;

	(void)state;
	for (int i = 0; i < N; i++) x[i] = bits_drawn(31, (uint64_t)i);
	OK(cx, cop__pass_bits(&bits, g));
	OK(cx, cop_graph_verify(bits));
	assert_int_equal(count(bits, OP_bconv), 2);
	assert_int_equal(count(bits, OP_packbits), 2);
	assert_int_equal(count(bits, OP_sign) + count(bits, OP_conv) + count(bits, OP_pad), 0);
	answer(cx, g, x, N, want, N);
	answer(cx, bits, x, N, got, N);
	assert_memory_equal(want, got, sizeof want);
	cop_graph_free(g), cop_graph_free(bits);
	cop_ctx_free(cx);
}

/* ---- bytes ---- */

typedef struct part { int op; bool shortcut, bend, relu, rows; } part;

/* x is made of whole steps, so that its bytes are x, and what is left to differ is the last rounding. */
static cop_graph *network(cop_ctx *cx, const part *p)
{
	cop_graph *g;
	cop_type t = cop__type(COP_F32, 4, DIMS(1, SIDE, SIDE, C));

	OK(cx, cop__graph_new(&g, cx, "part"));
	cop_vid x = cop__input(g, "x", &t), y = x;
	if (p->shortcut && p->bend) {
		y = bits_block(g, x, "a");
	} else {
		y = bits_sign(g, cop__apply(g, OP_add, &bits_free, VIDS(x, bits_vector(g, "shift", 0.5f, 0))));
		if (p->rows) y = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(y));
		if (p->rows) y = cop__apply(g, OP_fc, &bits_free, VIDS(y, bits_weight(g, "fc.w", 2, DIMS(C, N), true), bits_vector(g, "fc.b", 2, 0)));
		else y = cop__apply(g, OP_conv, &(cop_conv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}, VIDS(y, bits_weight(g, "conv.w", 4, DIMS(C, 1, 1, C), true)));
		y = bits_norm(g, "bn", y, p->rows ? N : C, false);
		if (p->shortcut) y = cop__apply(g, OP_add, &bits_free, VIDS(y, x));
		if (p->relu) y = cop__apply(g, OP_clip, &(cop_act_attr){0, 1.5f}, VIDS(y));
	}
	OK(cx, cop__output(g, y, "y"));
	return g;
}

static float nearest(float x, const cop_qrange *r) { return fminf(fmaxf(x, r->scale * (float)(r->lo - r->zero)), r->scale * (float)(r->hi - r->zero)); }

/* The second block reads the bytes of the first: what it makes of them is what its float form makes of the numbers that they stand for. */
static void edges_of_bytes(void **state)
{
	static float x[N], between[N], want[N], got[N];
	const cop_qrange rx = {1.0f / 64, -9, -128, 127}, ry = {1.0f / 40, -35, -128, 127};
	cop_ctx *cx = new_ctx();
	cop_graph *g[3] = {bits_blocks(cx, "a", NULL), bits_blocks(cx, "b", NULL), bits_blocks(cx, "a", "b")}, *bits[2], *q[2];
	int of_bytes = 0;

	(void)state;
	for (int i = 0; i < N; i++) x[i] = bits_drawn(32, (uint64_t)i) * 2;
	for (int i = 0; i < 2; i++) {
		OK(cx, cop__pass_bits(&bits[i], g[2 * i]));
		q[i] = bits_lowered(cx, bits[i], rx, ry);
	}
	for (cop_nid n = 1; n <= (cop_nid)q[1]->n_node; n++) of_bytes += q[1]->node[n].op == OP_packbits && cop__in(q[1], n, 0)->dtype == COP_I8;
	assert_int_equal(of_bytes, 1);
	answer(cx, q[0], x, N, between, N);
	answer(cx, g[1], between, N, want, N);
	answer(cx, q[1], x, N, got, N);
	for (int k = 0; k < N; k++)
		if (!(fabsf(got[k] - nearest(want[k], &ry)) <= 0.505f * ry.scale)) fail_msg("answer %d is %g, in floats %g", k, (double)got[k], (double)want[k]);
	for (int i = 0; i < 3; i++) cop_graph_free(g[i]);
	for (int i = 0; i < 2; i++) cop_graph_free(bits[i]), cop_graph_free(q[i]);
	cop_ctx_free(cx);
}

static void sums_become_bytes(void **state)
{
	static const part row[] = {{OP_qbconv_add, true, true, false, false}, {OP_qbconv_add, true, false, false, false}, {OP_qbconv_add, true, false, true, false},
		{OP_qbconv, false, false, true, false}, {OP_qbconv, false, false, false, false}, {OP_qbconv, false, false, false, true}};
	static float x[N], want[N], got[N];
	const cop_qrange rx = {1.0f / 64, -9, -128, 127}, ry = {1.0f / 40, -35, -128, 127};

	(void)state;
	for (int i = 0; i < N; i++) x[i] = rx.scale * (float)((int32_t)(cop__rand(3, 1, (uint64_t)i) % 256) - 128 - rx.zero);
	for (int i = 0; i < LEN(row); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g = network(cx, &row[i]), *bits, *q;
		int n = row[i].rows ? C : N, ends = 0;
		OK(cx, cop__pass_bits(&bits, g));
		q = bits_lowered(cx, bits, rx, ry);
		if (count(q, row[i].op) != 1 || count(q, OP_bconv) + count(q, OP_cast) + count(q, OP_bn) + count(q, OP_add) + count(q, OP_rprelu) + count(q, OP_clip)) fail_msg("row %d is not all bytes", i);
		answer(cx, g, x, N, want, n);
		answer(cx, q, x, N, got, n);
		for (int k = 0; k < n; k++) {
			float w = nearest(want[k], &ry);
			if (!(fabsf(got[k] - w) <= 0.505f * ry.scale)) fail_msg("row %d: answer %d is %g, in floats %g", i, k, (double)got[k], (double)w);
			ends += w != want[k];
		}
		if (ends > n / 2) fail_msg("row %d: %d of %d results lie at the ends", i, ends, n);
		cop_graph_free(g), cop_graph_free(bits), cop_graph_free(q);
		cop_ctx_free(cx);
	}
}

/* A sum that two read, and one that is the answer, too, is there for both. */
static void a_sum_with_two_readers(void **state)
{
	static float x[N], want[N], got[N];
	const cop_qrange rx = {1.0f / 64, 0, -128, 127}, ry = {1.0f / 20, -10, -128, 127};
	cop_ctx *cx = new_ctx();
	cop_graph *g, *bits, *q;
	cop_type t = cop__type(COP_F32, 4, DIMS(1, SIDE, SIDE, C));

	(void)state;
	for (int i = 0; i < N; i++) x[i] = rx.scale * (float)((int32_t)(cop__rand(3, 2, (uint64_t)i) % 200) - 100);
	OK(cx, cop__graph_new(&g, cx, "two"));
	cop_vid v = cop__input(g, "x", &t), y = cop__apply(g, OP_conv, &(cop_conv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}, VIDS(bits_sign(g, v), bits_weight(g, "conv.w", 4, DIMS(C, 1, 1, C), true)));
	cop_vid s = bits_norm(g, "bn", y, C, false);
	OK(cx, cop__output(g, cop__apply(g, OP_add, &bits_free, VIDS(cop__apply(g, OP_add, &bits_free, VIDS(s, v)), s)), "y"));
	OK(cx, cop__pass_bits(&bits, g));
	q = bits_lowered(cx, bits, rx, ry);
	assert_int_equal(count(q, OP_bconv), 0);
	answer(cx, g, x, N, want, N);
	answer(cx, q, x, N, got, N);
	for (int k = 0; k < N; k++)
		if (fabsf(want[k]) < 5 && !(fabsf(got[k] - want[k]) <= 2 * ry.scale)) fail_msg("answer %d is %g, in floats %g", k, (double)got[k], (double)want[k]);
	cop_graph_free(g), cop_graph_free(bits), cop_graph_free(q);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(edges_are_exact), cmocka_unit_test(shortcuts_answer_alike), cmocka_unit_test(edges_of_bytes), cmocka_unit_test(sums_become_bytes), cmocka_unit_test(a_sum_with_two_readers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
