/* SPDX-License-Identifier: Apache-2.0
 *
 * The estimate of energy by hand, from the picojoules of Horowitz 2014 (8 KB of SRAM: 10 for 64 bits) and those of shifts: floats, int8 and
 * weights that are powers of two. And what a Cortex-M4 takes for results that its kernels scale by general code: 57 instructions each,
 * as counted by tests/kernel/cortexm/layers.c, `scaled`.
 */
#include "help.h"

static const struct { const char *what, *text; double pj; int64_t shifts; } row[] = {
	/* 32 x (0.9 + 3.7), and 32 + 128 + 16 bytes x 1.25 */
	{"floats", "graph a\ninput x f32[1,8]\nconst w f32[4,8]\ny = fc x w\noutput y\n", 32 * 4.6 + 176 * 1.25, 0},
	/* 32 x (0.2 + 0.1), and 8 + 32 + 16 + 16 + 4 bytes */
	{"int8", "graph b\ninput x i8[1,1,1,8]\nconst w i8[4,1,1,8]\nconst b i32[4]\nconst m i32[4]\ny = qconv x w b m sh=1 sw=1 dh=1 dw=1 groups=1 qlo=-128 qhi=127\noutput y\n", 32 * 0.3 + 76 * 1.25, 0},
	/* 32 x (0.057 + 0.1), and 16 bytes fewer */
	{"shifts", "graph c\ninput x i8[1,1,1,8]\nconst w i8[4,1,1,8]\nconst b i32[4]\nconst m i32[4]\ny = qconv x w b m sh=1 sw=1 dh=1 dw=1 groups=1 qlo=-128 qhi=127 shift=1\noutput y\n", 32 * 0.157 + 60 * 1.25, 32},
	{"lists", "graph c\ninput x i8[1,1,1,8]\nconst w i8[4,1,1,8]\nconst b i32[4]\nconst m i32[4]\ny = qconv x w b m sh=1 sw=1 dh=1 dw=1 groups=1 qlo=-128 qhi=127 shift=2\noutput y\n", 32 * 0.1 + 76 * 1.25, 32},
};

static void by_hand(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		cop_figures f;
		cop_target t;
		OK(cx, cop_graph_parse(&g, cx, row[i].text, strlen(row[i].text)));
		OK(cx, cop_target_find(&t, cx, "microbit"));
		OK(cx, cop_measure(&f, g, &t));
		if (fabs(f.energy_nj * 1000 - row[i].pj) > 1e-6) fail_msg("%s: %.9g pJ, not %.9g", row[i].what, f.energy_nj * 1000, row[i].pj);
		assert_true(f.macs == 32 && f.shifts == row[i].shifts);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

static int64_t instructions(const char *layer, const char *attrs)
{
	cop_ctx *cx = new_ctx();
	char text[512];
	cop_graph *g;
	cop_figures f;
	cop_target t;

	snprintf(text, sizeof text, "graph a\ninput x i8[1,8,8,16]\nconst w i8[16,%s]\nconst b i32[16]\nconst m i32[16]\ny = qconv x w b m sh=1 sw=1 dh=1 dw=1 %s\noutput y\n", layer, attrs);
	OK(cx, cop_graph_parse(&g, cx, text, strlen(text)));
	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	OK(cx, cop_measure(&f, g, &t));
	cop_graph_free(g);
	cop_ctx_free(cx);
	return f.instructions;
}

static void scaled(void **state)
{
	static const struct { const char *layer, *plain, *attrs; int64_t more; } t[] = {
		{"1,1,16", "groups=1 qlo=-128 qhi=127", "groups=1 qlo=-128 qhi=127 up=1", 57 * 1024},
		{"1,1,16", "groups=1 qlo=-128 qhi=127", "groups=1 qlo=-128 qhi=127 up=-1", 57 * 1024},
		{"3,3,16", "groups=1 pt=1 pl=1 pb=1 pr=1 qlo=-128 qhi=127", "groups=1 pt=1 pl=1 pb=1 pr=1 qlo=-128 qhi=100", 57 * 1024},
		{"3,3,1", "groups=16 pt=1 pl=1 pb=1 pr=1 qlo=-128 qhi=127", "groups=16 pt=1 pl=1 pb=1 pr=1 qlo=-128 qhi=127 up=2", 0},
		{"3,3,1", "groups=16 pt=1 pl=1 pb=1 pr=1 qlo=-128 qhi=127", "groups=16 pt=1 pl=1 pb=1 pr=1 qlo=-100 qhi=127 up=2", 57 * 1024},
	};

	(void)state;
	for (int i = 0; i < LEN(t); i++) {
		const int64_t more = instructions(t[i].layer, t[i].attrs) - instructions(t[i].layer, t[i].plain);
		if (more != t[i].more) fail_msg("row %d: %lld more, not %lld", i, (long long)more, (long long)t[i].more);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand), cmocka_unit_test(scaled)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
