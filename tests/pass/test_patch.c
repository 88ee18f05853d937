/* SPDX-License-Identifier: Apache-2.0
 *
 * patch: a network whose first part is computed in bands has the bits of the whole, over windows, strides, borders and a
 * residual sum, and needs less memory; what does not work row by row is refused by name.
 */
#include "pass/nets.h"

static cop_graph *net(cop_ctx *cx)
{
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = relu(g, conv(g, input(g, 4, DIMS(1, 23, 20, 3)), "a", 12, 3, 1, 1, true));
	cop_vid y = conv(g, relu(g, conv(g, x, "b", 12, 5, 1, 12, true)), "c", 12, 1, 1, 1, false);
	x = cop__apply(g, OP_add, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(y, x));
	x = conv(g, x, "d", 6, 3, 2, 1, true);
	x = cop__apply(g, OP_maxpool, &(cop_pool_attr){3, 2, 1, 2, 1, 0, 1, 0, 0}, VIDS(x));
	cop__name(g, x, "end");
	OK(cx, cop__output(g, fc(g, flatten(g, conv(g, x, "e", 8, 3, 1, 1, true)), "f", 5, true), "y"));
	return g;
}

static size_t arena(cop_ctx *cx, cop_graph *g)
{
	cop_target t;
	cop_plan *p;

	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	t.flash = t.ram = 0;
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	size_t bytes = cop_plan_bytes(p, COP_TEMP);
	cop_plan_free(p);
	return bytes;
}

static void bands(void **state)
{
	size_t whole = 0, least = SIZE_MAX;
	(void)state;
	for (int n = 2; n <= 12; n += n == 2 ? 1 : 3) {
		cop_ctx *cx = new_ctx();
		char spec[64];
		cop_graph *g = net(cx), *f = net(cx);
		OK(cx, cop_graph_apply(&g, "fuse"));
		snprintf(spec, sizeof spec, "fuse patch:at=end,bands=%d", n);
		OK(cx, cop_graph_apply(&f, spec));
		OK(cx, cop_graph_verify(f));
		assert_true(difference(cx, g, f) == 0);
		whole = arena(cx, g);
		least = COP_MIN(least, arena(cx, f));
		print_message("%d bands: %zu -> %zu bytes\n", n, whole, arena(cx, f));
		cop_graph_free(f);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
	assert_true(least * 5 < whole * 4);
}

static void refused(void **state)
{
	static const struct { const char *spec, *says; } bad[] = {
		{"patch:at=nothing,bands=2", "there is no such layer"}, {"patch:at=end,bands=1", "bands"}, {"patch:at=end,bands=13", "within 2 to 12"},
		{"patch:at=f.w,bands=2", "on pictures"}, {"patch:at=c.w,bands=2", "reads a value within the part"},
	};
	(void)state;
	for (int i = 0; i < LEN(bad); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g = net(cx);
		assert_int_not_equal(cop_graph_apply(&g, bad[i].spec), COP_OK);
		if (!strstr(cop_error_text(cx), bad[i].says)) fail_msg("%s: %s", bad[i].spec, cop_error_text(cx));
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bands), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
