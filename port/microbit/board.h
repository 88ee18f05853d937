/* SPDX-License-Identifier: Apache-2.0
 *
 * board.h - microbit: the nRF51's TIMER0 at 16 MHz, 62.5 ns a tick, as a counter of 32 bits; an instruction of 128 ns
 * is 256/125 ticks. It goes round after 2e9 of them.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define TIMER0(offset) (*(volatile uint32_t *)(0x40008000u + (offset)))

static inline void board_start(void)
{
	TIMER0(0x508) = 3; /* 32 bits */
	TIMER0(0x510) = 0; /* prescaler */
	TIMER0(0x00c) = 1; /* clear */
	TIMER0(0x000) = 1; /* start */
}

static inline uint32_t board_ticks(void)
{
	TIMER0(0x040) = 1; /* capture */
	return TIMER0(0x540);
}

static inline uint32_t board_instructions(uint32_t from, uint32_t to) { return (uint32_t)(((uint64_t)(to - from) * 125 + 128) / 256); }

#endif
