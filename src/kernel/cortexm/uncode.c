/* SPDX-License-Identifier: Apache-2.0
 *
 * uncode - weights that are coded in flash (kernel/coded.h) to the pairs that the kernels for Cortex-M with DSP
 * instructions read: ten instructions a weight, 0.6 where weights lie in 4 or 2 bits.
 */
#include "kernel/coded.h"
#include "kernel/cortexm/dsp.h"

#if COP_DSP
typedef struct run { const uint32_t *entry; const uint16_t *bits; void *to, *end; uint32_t state, at; } run;

/* A pair: 32 bits from where the next one lies, 25 of which are there in any case, two symbols take 18 at most. A shift
 * by a register looks at its low byte alone, which in an entry is the number of bits. */
#define PAIR "lsrs r7, r5, #3\n ldr r8, [r1, r7]\n and r7, r5, #7\n lsr r8, r8, r7\n" \
	"ldr r9, [r0, r4, lsl #2]\n lsl r7, r6, r9\n bic r7, r8, r7\n lsr r8, r8, r9\n add r4, r7, r9, lsr #16\n uxtab r5, r5, r9\n" \
	"ldr r10, [r0, r4, lsl #2]\n lsl r7, r6, r10\n bic r7, r8, r7\n add r4, r7, r10, lsr #16\n uxtab r5, r5, r10\n" \
	"sxtb r9, r9, ror #8\n and r10, r10, #0xff00\n add r9, r9, r10\n strh r9, [r2], #2\n"

/* An even number of pairs, not 0. */
__attribute__((naked, noinline)) static void run_pairs(__attribute__((unused)) const run *r)
{
	__asm__("push {r4-r10, lr}\n ldm r0, {r0-r5}\n mov r6, #-1\n"
		"1:\n" PAIR PAIR "cmp r2, r3\n bne.w 1b\n"
		"pop {r4-r10, pc}\n");
}

/* `rounds` of eight words of pairs, 1 and more: from four words of nibbles, or two of 2 bits. */
#define SIGNED "ssub16 r4, r4, r12\n ssub16 r5, r5, r12\n ssub16 r6, r6, r12\n ssub16 r7, r7, r12\n" \
	"ssub16 r8, r8, r12\n ssub16 r9, r9, r12\n ssub16 r10, r10, r12\n ssub16 r11, r11, r12\n"
#define UNPACK(mask, more, take) "push {r4-r11, lr}\n mov r3, #" mask "\n mov r12, #" more "\n" \
	"1: " take SIGNED "stmia r0!, {r4-r11}\n subs r2, #1\n bne.w 1b\n pop {r4-r11, pc}\n"
#define TWOS(w, b, c, d) "and " b ", r3, " w ", lsr #2\n and " c ", r3, " w ", lsr #4\n and " d ", r3, " w ", lsr #6\n and " w ", " w ", r3\n"

__attribute__((naked, noinline)) static void unpack_nibbles(__attribute__((unused)) uint32_t *y, __attribute__((unused)) const uint32_t *v, __attribute__((unused)) uint32_t rounds)
{
	__asm__(UNPACK("0x0f0f0f0f", "0x08080808", "ldmia r1!, {r4, r6, r8, r10}\n"
		"and r5, r3, r4, lsr #4\n and r7, r3, r6, lsr #4\n and r9, r3, r8, lsr #4\n and r11, r3, r10, lsr #4\n"
		"and r4, r4, r3\n and r6, r6, r3\n and r8, r8, r3\n and r10, r10, r3\n"));
}

__attribute__((naked, noinline)) static void unpack_twos(__attribute__((unused)) uint32_t *y, __attribute__((unused)) const uint32_t *v, __attribute__((unused)) uint32_t rounds)
{
	__asm__(UNPACK("0x03030303", "0x02020202", "ldrd r4, r8, [r1], #8\n" TWOS("r4", "r5", "r6", "r7") TWOS("r8", "r9", "r10", "r11")));
}

static void unpack_all(const void *code, uint32_t *y)
{
	const uint32_t *v = (const uint32_t *)code + 2, n = cop_coded_words(code), bits = cop_coded_bits(code), rounds = n / bits, rest = n % bits;

	if (rounds) (bits == 4 ? unpack_nibbles : unpack_twos)(y, v, rounds);
	cop_coded_unpack(y + 8 * rounds, v + n - rest, rest, bits);
}
#endif

void cop_uncode_dsp(const void *code, void *to, void *work)
{
#if COP_DSP
	if (cop_coded_bits(code)) {
		unpack_all(code, (uint32_t *)to);
		return;
	}
	uint32_t halves = (((const cop_coded_head *)code)->count & (CODED_PAIRS - 1)) / 2;
	if (((const cop_coded_head *)code)->count >= CODED_PAIRS && halves && !(halves & 1)) {
		cop_coded_read r = cop_coded_begin(code, work);
		run_pairs(&(run){r.entry, r.bits, to, (int16_t *)to + halves, r.state, r.at});
		return;
	}
#endif
	cop_coded_all(code, to, work);
}
