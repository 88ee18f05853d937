/* SPDX-License-Identifier: Apache-2.0
 *
 * qsparse_fc - int8 fully connected layers whose weights are mostly zero, for Cortex-M with DSP instructions: single weights (kernel/gaps.h). The input
 * is read as it lies, by an address to which gaps are added.
 */
#include "kernel/cortexm/sparse.h"

#if COP_DSP
/* Two weights of a word w: 7 instructions. The address of the input in r1. */
#define ONE(w) "sxtb16 r10, " w "\n uxtab r1, r1, " w ", ror #8\n ldrsb.w r8, [r1]\n uxtab r1, r1, " w ", ror #24\n ldrsb.w r9, [r1]\n" \
	"smlabb r3, r8, r10, r3\n smlabt r3, r9, r10, r3\n"
#define STEP "ldmia.w r0!, {r4, r5, r6, r7}\n" ONE("r4") ONE("r5") ONE("r6") ONE("r7")

__attribute__((naked, noinline)) static const uint32_t *run_rows(__attribute__((unused)) const cop_rows *r, __attribute__((unused)) const uint32_t *w)
{
	__asm__("push {r4-r11, lr}\n ldm.w r0, {r2, r3, r4, r5, r11, r12}\n ldr r6, [r0, #24]\n push {r2-r6}\n mov r0, r1\n" /* sp: x, b, m, zero, shifts; y and its end in r11 and r12 */
		"0: ldrd r1, r5, [sp]\n ldr r3, [r5], #4\n str r5, [sp, #4]\n ldr r2, [r0], #4\n lsrs r2, r2, #16\n"
		"add.w r2, r0, r2, lsl #4\n sub.w r4, r2, r0\n tst r4, #16\n bne.w 2f\n b.n 3f\n"
		"1:\n" STEP "2:\n" STEP
		"3: cmp r0, r2\n bne.w 1b\n"
		ROW_END);
}
#else
static const uint32_t *run_rows(const cop_rows *all, const uint32_t *w)
{
	cop_rows r = *all;

	do {
		const uint32_t *end = w + 1 + COP_GAP_WORDS * (*w >> 16);
		const int8_t *at = r.x;
		int32_t s = *r.b++;
		for (w++; w < end; w++)
			for (int32_t i = 0; i < 32; i += 16) {
				at += *w >> (i + 8) & 255;
				s = cop_wrap_add(s, (int8_t)(*w >> i) * *at);
			}
		cop_end_row(&r, s);
	} while (r.y != r.end);
	return w;
}
#endif

void cop_qsparse_fc_dsp(const cop_call *c) { cop_sparse_fc(c, cop_gap_from(c), cop_gap_to(c), c->buf[1], run_rows); }
