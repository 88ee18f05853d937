/* SPDX-License-Identifier: Apache-2.0
 *
 * start - what a Cortex-M does before main: vectors, the floating-point unit, first contents of memory.
 */
#include <stdint.h>

extern uint32_t ld_data_load, ld_data_start, ld_data_end, ld_bss_start, ld_bss_end, ld_stack_top;
void io_run(void);
void io_print(const char *text);
void io_stop(int code);
void start(void);
void tick(void); /* SysTick, of boards whose board.c has it */

#define CPACR (*(volatile uint32_t *)0xE000ED88u) /* coprocessor access, Armv7-M Architecture Reference Manual B3.2.20 */

void fault(void);
void fault(void)
{
	io_print("fault\n");
	io_stop(1);
}

void tick(void) __attribute__((weak, alias("fault")));

/* The initial stack pointer, reset, and every other exception. Interrupts stay off. */
__attribute__((section(".vectors"), used)) static const struct { uint32_t *stack; void (*handler[15])(void); } vectors = {
	&ld_stack_top, {start, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, tick},
};

void start(void)
{
	uint32_t *to = &ld_data_start;
	const uint32_t *from = &ld_data_load;

#ifdef __ARM_FP
	CPACR |= 0xfu << 20;
	__asm__ volatile("dsb\n\tisb");
#endif
	while (to < &ld_data_end) *to++ = *from++;
	for (to = &ld_bss_start; to < &ld_bss_end;) *to++ = 0;
	io_run();
}
