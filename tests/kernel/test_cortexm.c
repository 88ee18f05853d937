/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels for Cortex-M, random layers: equal to the portable ones here, where their instructions are written out in C, and on
 * an emulated Cortex-M4, where they are instructions; and both machines print the same sums. Skipped without arm-none-eabi-gcc
 * and qemu-system-arm.
 */
#include "help.h"

void io_print(const char *text);

#define main layers
#include "cortexm/layers.c"
#undef main

enum { LAYERS = 60, ROOM_FOR_TEXT = 1 << 16 };
static char here[ROOM_FOR_TEXT], there[ROOM_FOR_TEXT];

void io_print(const char *text)
{
	if (strstr(text, ", words")) fputs(text, stderr); /* the program stops then */
	if (strlen(here) + strlen(text) < sizeof here) strcat(here, text);
}

#define M4 "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16"
static const char build[] =
	"set -e; cd '%s'; sed 's/BOARD_FLASH/4M/;s/BOARD_RAM/4M/;s/BOARD_FAST/0/g' port/cortex-m4/board.ld > '%s/board.ld'\n"
	"arm-none-eabi-gcc -mthumb %s -Wall -Wextra -Werror -Isrc -Iport/common -Iport/cortex-m4 -ffunction-sections -fdata-sections"
	" tests/kernel/cortexm/layers.c src/kernel/cortexm/*.c src/kernel/ref/q[cewps]*.c src/kernel/ref/pack_sparse.c src/plan/ahead.c port/cortex-m/io.c port/cortex-m/start.c"
	" -nostartfiles --specs=nano.specs --specs=nosys.specs -Wl,--gc-sections,--no-warnings,--defsym=end=ld_bss_end -Lport/cortex-m -T '%s/board.ld' -o '%s/layers.elf'\n";
static const char emulate[] =
	"timeout 100 qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -icount shift=7,align=off,sleep=off"
	" -semihosting-config enable=on,target=native,arg=layers,arg=%s -kernel '%s/layers.elf' 2>&1";

static void build_for_board(const char *folder, const char *level)
{
	char command[2048];

	snprintf(command, sizeof command, build, COP_SOURCE_DIR, folder, level, folder, folder);
	assert_int_equal(system(command), 0);
}

/* What it says lies there. */
static void run_on_board(const char *folder, const char *which)
{
	char command[2048];
	size_t n;

	snprintf(command, sizeof command, emulate, which, folder);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	n = fread(there, 1, sizeof there - 1, f);
	there[n] = 0;
	if (pclose(f)) fail_msg("layers %s: %s", which, there);
}

/* No sparse form that a plan prefers by its price may take more instructions than the dense one. ending: of the names of kernels in the table. */
static void prices_hold(const char *ending, int least)
{
	static const struct { const char *kernel; int near_by, many; } price[] = {
#define BREAK(kernel, near_, far_, many, window) {#kernel, near_, many},
#include "plan/breakeven.def"
#undef BREAK
	};
	unsigned long dense = 0, took, spent, macs, weights;
	char kernel[32], name[64];
	int rows = 0, gains = 0;

	for (char *line = strtok(there, "\n"); line; line = strtok(NULL, "\n")) {
		const char *said = strstr(line, ", spent ");
		if (!said || sscanf(line, "%63[^:]: %lu %27s %*x %lu", name, &macs, kernel, &took) != 4 || sscanf(said, ", spent %lu, weights %lu", &spent, &weights) != 2) continue;
		if (!spent) dense = took;
		strcat(kernel, ending);
		for (int i = 0; spent && i < LEN(price); i++) {
			if (strcmp(price[i].kernel, kernel)) continue;
			double time = (double)spent * (macs == weights ? price[i].near_by : price[i].many) / 10 / (double)weights;
			if (time < 1 && took > dense) fail_msg("%s: %s takes %lu instructions, the dense kernel %lu", name, kernel, took, dense);
			gains += time < 1;
			rows++;
		}
	}
	print_message("%d sparse layers, of %d the sparse form is worth its price\n", rows, gains);
	assert_true(rows > 2 * least && gains > least);
}

/* Multipliers of 1 and more, as a channel of small results needs them, make a depthwise layer no slower. */
static void scales_are_alike(void)
{
	unsigned long took, first = 0;
	char name[64], kernel[32];
	int up, rows = 0;

	for (char *line = strtok(there, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "%63[^,], up %d: 1 %27s %*x %lu", name, &up, kernel, &took) != 4 || strcmp(name, "dw 3x3")) continue;
		if (!up) first = took;
		if (took > first + first / 50) fail_msg("%s: %s takes %lu instructions with multipliers of 2^%d, %lu below 1", name, kernel, took, up, first);
		rows++;
	}
	assert_int_equal(rows, 3);
}

static void equal_everywhere(void **state)
{
	char number[8], folder[] = "/tmp/coppice-cortexm-XXXXXX", command[64], *argv[] = {"layers", number};

	(void)state;
	snprintf(number, sizeof number, "%d", LAYERS);
	assert_int_equal(layers(2, argv), 0);
	assert_non_null(strstr(here, "all equal"));
	if (system("arm-none-eabi-gcc --version > /dev/null 2>&1 && qemu-system-arm --version > /dev/null 2>&1")) {
		print_message("no arm-none-eabi-gcc or no qemu-system-arm: nothing emulated\n");
		skip();
	}
	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < 2; i++) {
		build_for_board(folder, i ? M4 " -O2" : M4 " -O0" /* without the instructions */);
		run_on_board(folder, number);
		assert_string_equal(there, here);
	}
	run_on_board(folder, "prices");
	prices_hold("_dsp", 50);
	run_on_board(folder, "scaled");
	scales_are_alike();
	build_for_board(folder, "-mcpu=cortex-m0 -O2"); /* its instructions are some of those of the M4 */
	run_on_board(folder, number);
	assert_string_equal(there, here);
	run_on_board(folder, "prices,arg=portable");
	prices_hold("", 20);
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
}

/* A window takes its taps, of groups of one channel those of all; none where one tap is read in its place. One filter a group is not worth one. */
static void room_for_windows(void **state)
{
	layer point = conv(1, 4, 4, 3, 8, 1, 1, 1, 0, 0, 0), three = conv(1, 4, 4, 3, 2, 3, 3, 1, 1, 0, 0), deep = conv(1, 4, 4, 8, 8, 3, 3, 1, 1, 0, 1), one = conv(1, 4, 4, 3, 1, 3, 3, 1, 1, 0, 0);

	(void)state;
	assert_int_equal(cop_qwindow_work(point.k), 0);
	point.k[CK_OH]++; /* a row of padding behind the last */
	assert_int_equal(cop_qwindow_work(point.k), 3);
	point.k[CK_OH]--, point.k[CK_PL] = 1;
	assert_int_equal(cop_qwindow_work(point.k), 3);
	assert_int_equal(cop_qwindow_work(three.k), 27);
	assert_int_equal(cop_qwindow_work(deep.k), 72);
	assert_int_equal(cop_window_work(deep.k), 9);
	assert_true(cop_qwindow_fits(point.k) && cop_qwindow_fits(three.k) && cop_qwindow_fits(deep.k) && !cop_qwindow_fits(one.k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(room_for_windows), cmocka_unit_test(equal_everywhere)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
