/* SPDX-License-Identifier: Apache-2.0
 *
 * io - files and text by semihosting, the debugger's or emulator's files; the numbers of the calls are those of Arm's
 * "Semihosting for AArch32 and AArch64". The stack is measured by painting what lies below it.
 */
#include "io.h"
#include "board.h"

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE0 = 4, SYS_WRITE = 5, SYS_READ = 6, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };

#define PAINT 0x5ca1ab1eu

extern uint32_t ld_flash_start, ld_flash_end, ld_data_start, ld_bss_end, ld_fast_start, ld_fast_end, ld_stack_limit, ld_stack_top;
int main(int argc, char **argv);
void io_run(void);
void io_stop(int code);

static uint32_t *painted; /* the first word above the paint */
static uint32_t started;

static int semihost(int call, const void *block)
{
	register int r0 __asm__("r0") = call;
	register const void *r1 __asm__("r1") = block;

	__asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
	return r0;
}

static uint32_t word(const void *p) { return (uint32_t)(uintptr_t)p; }

int io_open(const char *path, int write)
{
	uint32_t block[3] = {word(path), write ? 5 : 1, 0};

	while (path[block[2]]) block[2]++;
	return semihost(SYS_OPEN, block);
}

size_t io_read(int file, void *to, size_t bytes)
{
	uint32_t block[3] = {(uint32_t)file, word(to), bytes};
	return bytes - (size_t)semihost(SYS_READ, block);
}

size_t io_write(int file, const void *from, size_t bytes)
{
	uint32_t block[3] = {(uint32_t)file, word(from), bytes};
	return bytes - (size_t)semihost(SYS_WRITE, block);
}

void io_close(int file)
{
	uint32_t block[1] = {(uint32_t)file};
	semihost(SYS_CLOSE, block);
}

void io_print(const char *text) { semihost(SYS_WRITE0, text); }

void io_stop(int code)
{
	uint32_t block[2] = {0x20026, (uint32_t)code}; /* ADP_Stopped_ApplicationExit */

	semihost(SYS_EXIT_EXTENDED, block);
	for (;;) {}
}

/* ---- what a run costs ---- */

static uint32_t *here(void)
{
	uint32_t *sp;
	__asm__ volatile("mov %0, sp" : "=r"(sp));
	return sp;
}

void io_count_start(void)
{
	uint32_t *p;

	painted = here() - 8;
	for (p = &ld_stack_limit; p < painted; p++) *p = PAINT;
	started = board_ticks();
}

uint32_t io_count_instructions(void) { return board_instructions(started, board_ticks()); }

uint32_t io_count_stack(void)
{
	const uint32_t *p = &ld_stack_limit;

	if (*p != PAINT) {
		io_print("the stack has run over\n");
		io_stop(1);
	}
	while (p < painted && *p == PAINT) p++;
	return word(&ld_stack_top) - word(p);
}

uint32_t io_flash_bytes(void) { return word(&ld_flash_end) - word(&ld_flash_start); }
uint32_t io_fast_bytes(void) { return word(&ld_fast_end) - word(&ld_fast_start); }
uint32_t io_static_bytes(void) { return word(&ld_bss_end) - word(&ld_data_start); }

/* ---- from start.c ---- */

/* Cuts the command line into words. */
static int split(char *line, char **argv, int max)
{
	int n = 0;

	while (*line && n < max) {
		while (*line == ' ') *line++ = 0;
		if (*line) argv[n++] = line;
		while (*line && *line != ' ') line++;
	}
	return n;
}

void io_run(void)
{
	static char line[40];
	static char *argv[4];
	uint32_t block[2] = {word(line), sizeof line};
	int argc;

	board_start();
	argc = semihost(SYS_GET_CMDLINE, block) ? 0 : split(line, argv, 3);
	io_stop(main(argc, argv));
}
