/* SPDX-License-Identifier: Apache-2.0
 *
 * uncode - weights that are coded in flash (kernel/coded.h) to the pairs that the kernels for Cortex-M with DSP
 * instructions read: ten instructions a weight.
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

#endif

void cop_uncode_dsp(const void *code, void *to, void *work)
{
#if COP_DSP
	uint32_t halves = (((const cop_coded_head *)code)->count & (CODED_PAIRS - 1)) / 2;
	if (((const cop_coded_head *)code)->count >= CODED_PAIRS && halves && !(halves & 1)) {
		cop_coded_read r = cop_coded_begin(code, work);
		run_pairs(&(run){r.entry, r.bits, to, (int16_t *)to + halves, r.state, r.at});
		return;
	}
#endif
	cop_coded_all(code, to, work);
}
