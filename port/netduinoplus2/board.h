/* SPDX-License-Identifier: Apache-2.0
 *
 * board.h - netduinoplus2: QEMU's TIM2 counts up at 1 GHz; divided by 128 that is one tick for each instruction of
 * 128 ns. On the real STM32F405 it counts its own clock's ticks.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define RCC_APB1ENR (*(volatile uint32_t *)0x40023840u)
#define TIM2(offset) (*(volatile uint32_t *)(0x40000000u + (offset)))

static inline void board_start(void)
{
	RCC_APB1ENR |= 1;
	TIM2(0x28) = 127;         /* prescaler */
	TIM2(0x2c) = 0xffffffffu; /* reload */
	TIM2(0x14) = 1;           /* take them over */
	TIM2(0x00) = 1;           /* on */
}

static inline uint32_t board_ticks(void) { return TIM2(0x24); }
static inline uint32_t board_instructions(uint32_t from, uint32_t to) { return to - from; }

#endif
