/* SPDX-License-Identifier: Apache-2.0
 *
 * board.h - lm3s6965evb: its timers cannot be read in QEMU; SysTick can, on the core's clock. It has 24 bits and goes
 * round every 7.8 million instructions: an interrupt counts that in the upper 8 bits of the ticks, so that 2e9
 * instructions can be told apart, and its own instructions are taken off. At 60 ns a tick an instruction of 128 ns is 32/15 ticks.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define RCC (*(volatile uint32_t *)0x400fe060u)
#define SYSTICK ((volatile uint32_t *)0xe000e010u) /* control, reload, value */

enum { TURN_INSTRUCTIONS = 5 }; /* of tick(), in board.c */

extern volatile uint32_t board_turns;

static inline void board_start(void)
{
	RCC = (RCC & ~(0xfu << 23)) | 11u << 23 | 1u << 22; /* 200 MHz / 12 */
	SYSTICK[1] = 0xffffff;
	SYSTICK[2] = 0;
	SYSTICK[0] = 7; /* on, interrupt, the core's clock */
}

static inline uint32_t board_ticks(void)
{
	uint32_t turns, value;

	do {
		turns = board_turns;
		value = SYSTICK[2];
	} while (turns != board_turns);
	return turns << 24 | ((0u - value) & 0xffffffu); /* at 0 the turn has been counted */
}

static inline uint32_t board_instructions(uint32_t from, uint32_t to)
{
	uint32_t turns = ((to >> 24) - (from >> 24)) & 255;
	return (uint32_t)(((uint64_t)(to - from) * 15 + 16) / 32) - TURN_INSTRUCTIONS * turns;
}

#endif
