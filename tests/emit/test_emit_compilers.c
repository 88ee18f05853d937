/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels for Cortex-M through other compilers and other options: no warning, and the same bits. With a frame pointer a register is
 * missing, without optimisation all helpers are calls, and COP_NO_ASM takes the way of compilers without GNU's assembler.
 */
#define _GNU_SOURCE
#include "emit/int8_net.h"
#include "emit/machine.h"

static bool have_clang(void)
{
	return !system("command -v clang >/dev/null && echo 'int x;' | clang --target=arm-none-eabi -mcpu=cortex-m4 -x c -c -o /dev/null - 2>/dev/null");
}

static void compilers(void **state)
{
	static const struct { const char *cc, *options; } rows[] = {{"arm-none-eabi-gcc", "OPT=-Os"}, {"arm-none-eabi-gcc", "OPT=-O3"}, {"arm-none-eabi-gcc", "OPT=-O0"},
		{"arm-none-eabi-gcc", "MORE=-fno-omit-frame-pointer"}, {"arm-none-eabi-gcc", "MORE=-DCOP_NO_ASM"}, {"clang", ""}, {"clang", "OPT=-O0"},
		{"clang", "MORE='-DCOP_NO_ASM -fno-omit-frame-pointer'"}};
	char build[200];

	(void)state;
	need_arm();
	cop_ctx *cx = new_ctx();
	cop_graph *once = int8_net(cx, false), *twice = int8_net(cx, true);
	for (int i = 0; i < LEN(rows); i++) {
		if (!strcmp(rows[i].cc, "clang") && !have_clang()) {
			print_message("skipped: needs clang for Arm\n");
			continue;
		}
		snprintf(build, sizeof build, "make -s -C check CC=%s %s WARN='-Wpedantic -Wshadow -Werror'", rows[i].cc, rows[i].options);
		machine m = m4;
		m.build = build;
		print_message("%s %s\n", rows[i].cc, rows[i].options);
		check_inference(cx, twice, &m);
		if (i % 2) check_inference(cx, once, &m);
	}
	cop_graph_free(once);
	cop_graph_free(twice);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(compilers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
