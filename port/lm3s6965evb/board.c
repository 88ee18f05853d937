/* SPDX-License-Identifier: Apache-2.0
 *
 * board - SysTick goes round. Written out, so that its instructions are known.
 */
#include "board.h"

volatile uint32_t board_turns;

void tick(void);

__attribute__((naked)) void tick(void)
{
	__asm__ volatile("ldr r0, =board_turns\n\tldr r1, [r0]\n\tadds r1, #1\n\tstr r1, [r0]\n\tbx lr\n\t.ltorg");
}
