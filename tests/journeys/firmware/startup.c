/* SPDX-License-Identifier: Apache-2.0
 *
 * startup - a user's own start-up: vectors, the floating-point unit, first contents of memory, and text by semihosting.
 */
#include <stddef.h>
#include <stdint.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
int main(void);
void reset(void);
void say(const char *text);

static int semihost(int call, const void *block)
{
	register int r0 __asm__("r0") = call;
	register const void *r1 __asm__("r1") = block;

	__asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
	return r0;
}

void say(const char *text) { semihost(4, text); } /* SYS_WRITE0 */

static void stop(int code)
{
	uint32_t block[2] = {0x20026, (uint32_t)code}; /* ADP_Stopped_ApplicationExit */

	semihost(0x20, block); /* SYS_EXIT_EXTENDED */
	for (;;) {}
}

static void fault(void)
{
	say("fault\n");
	stop(3);
}

__attribute__((section(".vectors"), used)) static const struct { uint32_t *stack; void (*handler[15])(void); } vectors = {
	stack_top, {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault}};

void reset(void)
{
	const uint32_t *from = data_load;

	*(volatile uint32_t *)0xE000ED88u |= 0xfu << 20; /* CPACR: the floating-point unit */
	__asm__ volatile("dsb\n\tisb");
	for (uint32_t *to = data_start; to < data_end;) *to++ = *from++;
	for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
	stop(main());
}

#ifdef __clang__ /* gcc's projects have newlib */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

void *memcpy(void *to, const void *from, size_t n)
{
	volatile unsigned char *t = to;
	const unsigned char *f = from;

	while (n--) *t++ = *f++;
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	volatile unsigned char *t = to;

	while (n--) *t++ = (unsigned char)byte;
	return to;
}
#endif
