/* SPDX-License-Identifier: Apache-2.0
 *
 * merge and known: layers without an activation between them, and layers that no input can change, go; the network answers as before.
 */
#include "pass/nets.h"

static int layers(const cop_graph *g) { return count_op(g, OP_conv) + count_op(g, OP_fc); }

static cop_graph *begun(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop__graph_new(&g, cx, "net"));
	return g;
}

/* Applies passes to g, which must answer as before, and returns how many layers are left. */
static int left(cop_ctx *cx, cop_graph *g, cop_vid y, const char *passes)
{
	cop_graph *was;

	if (!y) fail_msg("%s", cop_error_text(cx));
	OK(cx, cop__output(g, y, "y"));
	OK(cx, cop__pass_copy(&was, g));
	OK(cx, cop_graph_apply(&g, passes));
	double d = difference(cx, was, g);
	if (!(d < 2e-5)) fail_msg("%s: differs by %g", passes, d);
	int n = layers(g);
	cop_graph_free(g);
	cop_graph_free(was);
	return n;
}

/* move: strides, then the border at the top, left, bottom and right. */
static cop_vid window(cop_graph *g, cop_vid x, const char *name, int32_t out, const int32_t move[6], int32_t kh, int32_t kw, bool bias)
{
	char w[64], b[64];
	text_write(w, sizeof w, name, ".w");
	text_write(b, sizeof b, name, ".b");
	cop_conv_attr a = {move[0], move[1], move[2], move[3], move[4], move[5], 1, 1, 1, COP_NO_LO, COP_NO_HI};
	cop_vid vw = weight(g, COP_PARAM, w, 4, DIMS(out, kh, kw, cop__t(g, x)->dim[3]), -0.6f, 0.6f), vb = bias ? weight(g, COP_PARAM, b, 1, DIMS(out), -0.5f, 0.5f) : 0;
	return cop__apply(g, OP_conv, &a, bias ? 3 : 2, (cop_vid[]){x, vw, vb});
}

static void fully_connected(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = begun(cx);

	/* a chain of three, a ReLU, two more of which the second is narrow in the middle */
	cop_vid x = fc(g, fc(g, fc(g, input(g, 2, DIMS(3, 7)), "a", 9, true), "b", 8, false), "c", 6, true);
	assert_int_equal(left(cx, g, fc(g, fc(g, relu(g, x), "d", 1, true), "e", 6, true), "merge"), 3); /* d and e cost 12, one layer 36 */
}

/* Kernels, strides and paddings of both: which pairs become one, exactly. */
static void convolutions(void **state)
{
	static const struct { int32_t a[6], akh, akw, amid; bool abias; int32_t b[6], bkh, bkw; int left; } rows[] = {
		{{1, 1, 0, 0, 0, 0}, 3, 3, 8, true, {1, 1, 0, 0, 0, 0}, 1, 1, 1},   /* 3x3 and 1x1 */
		{{1, 1, 1, 1, 1, 1}, 3, 3, 8, true, {1, 1, 0, 0, 0, 0}, 1, 1, 1},   /* the first may pad */
		{{2, 1, 1, 0, 0, 2}, 3, 2, 8, true, {2, 2, 0, 0, 0, 0}, 1, 1, 1},   /* and stride */
		{{1, 1, 0, 0, 0, 0}, 1, 1, 8, true, {1, 1, 0, 0, 0, 0}, 3, 3, 1},   /* 1x1 and 3x3 */
		{{1, 1, 0, 0, 0, 0}, 1, 1, 8, false, {1, 1, 1, 1, 1, 1}, 3, 3, 1},  /* which pads: without a bias zeros stay zeros */
		{{1, 1, 0, 0, 0, 0}, 1, 1, 8, true, {1, 1, 1, 1, 1, 1}, 3, 3, 2},   /* with one they do not */
		{{2, 2, 0, 0, 0, 0}, 1, 1, 8, false, {1, 1, 1, 1, 1, 1}, 3, 3, 1},  /* strides before padding */
		{{2, 2, 0, 0, 0, 0}, 1, 1, 8, false, {2, 2, 0, 1, 1, 0}, 3, 3, 1},
		{{1, 1, 0, 0, 0, 0}, 2, 2, 12, true, {1, 1, 0, 0, 0, 0}, 2, 2, 1},  /* 3x3 of 2 channels is cheaper than both */
		{{1, 1, 1, 1, 1, 1}, 3, 3, 3, false, {1, 1, 1, 1, 1, 1}, 3, 3, 2},  /* 3x3 twice, padded: what is beside the first result counts */
		{{1, 1, 0, 0, 0, 0}, 3, 3, 1, true, {1, 1, 0, 0, 0, 0}, 3, 3, 2},   /* 5x5 costs more */
	};
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = begun(cx);
		cop_vid x = window(g, input(g, 4, DIMS(2, 9, 8, 2)), "a", rows[i].amid, rows[i].a, rows[i].akh, rows[i].akw, rows[i].abias);
		int n = left(cx, g, relu(g, window(g, x, "b", 4, rows[i].b, rows[i].bkh, rows[i].bkw, i % 2)), "merge");
		if (n != rows[i].left) fail_msg("row %d: %d layers are left, not %d", i, n, rows[i].left);
	}
}

/* loose: right in the middle, not at the border. */
static void borders(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = begun(cx), *merged;
	int64_t n;

	cop_vid x = conv(g, conv(g, input(g, 4, DIMS(1, 7, 7, 2)), "a", 12, 3, 1, 1, true), "b", 2, 1, 1, 1, true);
	x = conv(g, conv(g, x, "c", 9, 1, 1, 1, true), "d", 3, 3, 1, 1, true); /* 1x1 with a bias, then 3x3 padded */
	OK(cx, cop__output(g, x, "y"));
	OK(cx, cop__pass_merge(&merged, g, false));
	assert_int_equal(layers(merged), 3); /* a and b, c, d */
	cop_graph_free(merged);
	OK(cx, cop__pass_merge(&merged, g, true));
	assert_int_equal(layers(merged), 2);
	float *a = run_graph(cx, g, 1, &n), *b = run_graph(cx, merged, 1, &n);
	bool beside = false;
	for (int64_t i = 0; i < n; i++) {
		int64_t row = i / 3 / 7, column = i / 3 % 7;
		bool inner = row > 0 && row < 6 && column > 0 && column < 6, same = fabsf(a[i] - b[i]) < 1e-4f * (1 + fabsf(a[i]));
		if (inner) assert_true(same);
		beside |= !inner && !same;
	}
	assert_true(beside);
	free(a);
	free(b);
	cop_graph_free(merged);
	cop_graph_free(g);
}

/* What has another reader, an activation, groups or batch norm between stays. */
static void kept(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = begun(cx);
	cop_vid x = conv(g, input(g, 4, DIMS(1, 5, 5, 4)), "a", 8, 1, 1, 1, true);
	assert_int_equal(left(cx, g, add(g, conv(g, x, "b", 8, 1, 1, 1, true), x), "merge"), 2);
	g = begun(cx);
	assert_int_equal(left(cx, g, conv(g, relu(g, conv(g, input(g, 4, DIMS(1, 5, 5, 4)), "a", 8, 1, 1, 1, true)), "b", 3, 1, 1, 1, true), "merge"), 2);
	g = begun(cx);
	assert_int_equal(left(cx, g, conv(g, conv(g, input(g, 4, DIMS(1, 5, 5, 4)), "a", 4, 3, 1, 4, true), "b", 3, 1, 1, 1, true), "merge"), 2);
	g = begun(cx);
	assert_int_equal(left(cx, g, conv(g, bn(g, conv(g, input(g, 4, DIMS(1, 5, 5, 4)), "a", 8, 1, 1, 1, true), "n"), "b", 3, 1, 1, 1, true), "fold_bn merge"), 1);
}

static void zero(cop_graph *g, const char *name)
{
	cop_vid v = cop__find(g, name);
	memset(cop__own(g, v), 0, cop_type_bytes(cop__t(g, v)));
}

/* A branch whose first layer has no weight left is a constant: the branch goes, and what it adds stays. */
static void dead_branch(void **state)
{
	cop_ctx *cx = *state;

	for (int how = 0; how < 4; how++) { /* the second or the first layer is zero; with a shift behind it or not */
		cop_graph *g = begun(cx);
		cop_vid x = relu(g, conv(g, input(g, 4, DIMS(2, 6, 6, 3)), "stem", 4, 3, 1, 1, true));
		cop_vid y = conv(g, relu(g, bn(g, conv(g, x, "a", 5, 3, 1, 1, false), "bna")), "b", 4, how & 1 ? 1 : 3, 1, 1, true);
		zero(g, how & 1 ? "a.w" : "b.w");
		if (how & 2) zero(g, "b.b"), zero(g, "bna.mean"), zero(g, "bna.beta");
		assert_int_equal(left(cx, g, fc(g, global_pool(g, relu(g, add(g, x, y))), "head", 4, true), "known"), 2);
	}
	/* where padding interrupts it, it is no constant */
	cop_graph *g = begun(cx);
	cop_vid x = relu(g, conv(g, input(g, 4, DIMS(2, 6, 6, 3)), "stem", 4, 3, 1, 1, true));
	cop_vid y = conv(g, relu(g, bn(g, conv(g, x, "a", 5, 3, 1, 1, false), "bna")), "b", 4, 3, 1, 1, true);
	zero(g, "a.w");
	assert_int_equal(left(cx, g, fc(g, global_pool(g, relu(g, add(g, x, y))), "head", 4, true), "known"), 4);
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(fully_connected), T(convolutions), T(borders), T(kept), T(dead_branch)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
