/* SPDX-License-Identifier: Apache-2.0
 *
 * drop_constant: random int8 networks with channels that no input can change lose them and keep every bit of their results;
 * a constant that a padded reader would tell from the padding stays.
 */
#include "help.h"
#include "pass/pass.h"

enum { DEAD = 3 }; /* one channel in so many */

static cop_ctx *cx;
static cop_graph *g;
static uint32_t seed;

static uint32_t draw(uint32_t i) { return cop__rand(seed, i, 77); }

static cop_vid ints(const char *name, const char *part, cop_dtype t, int rank, const int32_t *dim, const void *data)
{
	char full[64];
	cop_type type = cop__type(t, rank, dim);
	snprintf(full, sizeof full, "%s.%s", name, part);
	return cop__data(g, COP_CONST, full, &type, data);
}

/* Every DEAD-th filter has no weights; its bias lies so low (or, with `high`, high) that the result saturates. */
static cop_vid conv(cop_vid x, const char *name, int32_t out, int32_t k, bool depthwise, int32_t zx, bool high, bool pad)
{
	int32_t c = cop__t(g, x)->dim[3], cg = depthwise ? 1 : c, n = out * k * k * cg, p = pad ? k / 2 : 0;
	int8_t *w = malloc((size_t)n);
	int32_t b[64], m[64];

	for (int32_t i = 0; i < n; i++) w[i] = (int8_t)(draw((uint32_t)i + cop__hash_text(name)) % 100 - 50);
	for (int32_t o = 0; o < out; o++) {
		b[o] = (int32_t)(draw((uint32_t)o) % 2000) - 1000;
		m[o] = 20000000 + o;
		if (depthwise || o % DEAD) continue;
		memset(w + o * k * k * cg, 0, (size_t)(k * k * cg));
		b[o] = high ? 5000 : -100000;
	}
	cop_qconv_attr a = {1, 1, p, p, p, p, 1, 1, depthwise ? c : 1, zx, -128, -128, 127, 0};
	cop_vid v = cop__apply(g, OP_qconv, &a, VIDS(x, ints(name, "w", COP_I8, 4, DIMS(out, k, k, cg), w), ints(name, "b", COP_I32, 1, &out, b), ints(name, "m", COP_I32, 1, &out, m)));
	free(w);
	return v;
}

static cop_vid begin(void)
{
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 6, 5, 3));
	OK(cx, cop__graph_new(&g, cx, "net"));
	return cop__input(g, "x", &t);
}

static void results(cop_graph *of, int8_t *y, int32_t n)
{
	cop_target t;
	cop_plan *p;
	cop_session *s;
	cop_tensor x, out;

	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_plan_build(&p, &of, 1, &t));
	OK(cx, cop_session_new(&s, p, 1));
	OK(cx, cop_session_io(s, 0, 0, false, &x));
	for (uint32_t i = 0; i < 90; i++) ((int8_t *)x.data)[i] = (int8_t)cop__rand(seed, i, 5);
	OK(cx, cop_session_run(s, 0));
	OK(cx, cop_session_io(s, 0, 0, true, &out));
	assert_int_equal(cop_type_count(&out.type), n);
	memcpy(y, out.data, (size_t)n);
	cop_session_free(s);
	cop_plan_free(p);
}

/* Ends the network, drops, compares; returns the channels of value `name` that are left. */
static int32_t finish(cop_vid y, const char *name)
{
	int8_t before[4096], after[4096];
	cop_graph *f;

	OK(cx, cop__output(g, y, "y"));
	int32_t n = (int32_t)cop_type_count(cop__t(g, y));
	results(g, before, n);
	OK(cx, cop__pass_drop_constant(&f, g));
	OK(cx, cop_graph_verify(f));
	results(f, after, n);
	assert_memory_equal(before, after, (size_t)n);
	int32_t left = cop__t(f, cop__find(f, name))->dim[0];
	cop_graph_free(f);
	cop_graph_free(g);
	return left;
}

static void chains(void **state)
{
	(void)state;
	cx = new_ctx();
	for (seed = 1; seed < 20; seed++) {
		cop_vid x = conv(begin(), "a", 9, 3, false, 4, false, true);   /* constants at -128, the zero of what follows */
		x = conv(x, "b", 9, 3, true, -128, false, true);
		assert_int_equal(finish(conv(x, "c", 8, 1, false, -128, false, true), "a.w"), 6);
	}
	cop_ctx_free(cx);
}

/* Constants that are not the zero point: they may go before a reader without padding, and must stay before one with it. */
static void padding(void **state)
{
	(void)state;
	cx = new_ctx();
	for (seed = 1; seed < 20; seed++) {
		cop_vid x = conv(begin(), "a", 9, 1, false, 4, true, true);
		assert_int_equal(finish(conv(x, "b", 8, 3, false, -128, false, false), "a.w"), 6);
		x = conv(begin(), "a", 9, 1, false, 4, true, true);
		assert_int_equal(finish(conv(x, "b", 8, 3, false, -128, false, true), "a.w"), 9);
	}
	cop_ctx_free(cx);
}

/* Both operands of a sum are constant in the same channels: the sum is, and all three go. An output must stay. */
static void sums(void **state)
{
	cop_qadd_attr a = {.za = -128, .zb = -128, .zy = -128, .ma = 900000, .mb = 800000, .sy = 21, .qlo = -128, .qhi = 127};
	(void)state;
	cx = new_ctx();
	for (seed = 1; seed < 20; seed++) {
		cop_vid in = begin(), x = conv(in, "a", 9, 3, false, 4, false, true), z = conv(in, "b", 9, 1, false, 4, false, true);
		cop_vid s = cop__apply(g, OP_qadd, &a, VIDS(x, z));
		assert_int_equal(finish(conv(s, "c", 8, 3, false, -128, false, true), "b.w"), 6);
		assert_int_equal(finish(conv(begin(), "a", 9, 3, false, 4, false, true), "a.w"), 9);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(chains), cmocka_unit_test(padding), cmocka_unit_test(sums)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
