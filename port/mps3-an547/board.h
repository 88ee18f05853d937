/* SPDX-License-Identifier: Apache-2.0
 *
 * board.h - mps3-an547: the system counter of Arm's SSE-300 at 32 MHz, 31.25 ns a tick; an instruction of 128 ns is
 * 512/125 ticks. Its low word goes round after 1e9 of them.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define COUNTER_CONTROL (*(volatile uint32_t *)0x58100000u)
#define COUNTER (*(volatile uint32_t *)0x58101000u)

static inline void board_start(void) { COUNTER_CONTROL = 1; }
static inline uint32_t board_ticks(void) { return COUNTER; }
static inline uint32_t board_instructions(uint32_t from, uint32_t to) { return (uint32_t)(((uint64_t)(to - from) * 125 + 256) / 512); }

#endif
