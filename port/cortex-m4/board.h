/* SPDX-License-Identifier: Apache-2.0
 *
 * board.h - mps2-an386: CMSDK timer 0 counts down at 25 MHz, 40 ns a tick; an instruction of 128 ns is 16/5 ticks, so
 * that rounding finds its number. It goes round after 1.3e9 of them.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define TIMER ((volatile uint32_t *)0x40000000u) /* control, value, reload */

static inline void board_start(void)
{
	TIMER[2] = 0xffffffffu;
	TIMER[1] = 0xffffffffu;
	TIMER[0] = 1;
}

static inline uint32_t board_ticks(void) { return TIMER[1]; }
static inline uint32_t board_instructions(uint32_t from, uint32_t to) { return (uint32_t)(((uint64_t)(from - to) * 5 + 8) / 16); }

#endif
