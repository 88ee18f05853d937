/* SPDX-License-Identifier: Apache-2.0
 *
 * qsparse - int8 convolutions whose weights are mostly zero, for Cortex-M with DSP instructions: single weights (kernel/gaps.h).
 *
 * The windows of four pixels are transposed and widened to int16 in scratch, tap by tap, so that a weight meets four inputs that lie side by side and its gap is
 * fetched once.
 */
#include "kernel/cortexm/sparse.h"

#if COP_DSP
/* Two weights of a word w for four pixels: 13 instructions. The address of the input in r1. */
#define FOUR(w) "sxtb16 r3, " w "\n uxtab r1, r1, " w ", ror #8\n ldrd r8, r9, [r1]\n" \
	"smlabb r10, r8, r3, r10\n smlatb r11, r8, r3, r11\n smlabb r12, r9, r3, r12\n smlatb lr, r9, r3, lr\n" \
	"uxtab r1, r1, " w ", ror #24\n ldrd r8, r9, [r1]\n" \
	"smlabt r10, r8, r3, r10\n smlatt r11, r8, r3, r11\n smlabt r12, r9, r3, r12\n smlatt lr, r9, r3, lr\n"
#define STEP "ldmia.w r0!, {r4, r5, r6, r7}\n" FOUR("r4") FOUR("r5") FOUR("r6") FOUR("r7")

__attribute__((naked, noinline)) static const uint32_t *run(__attribute__((unused)) const cop_tile *t, __attribute__((unused)) const uint32_t *w)
{
	__asm__(COP_TILE_BEGIN "add.w r2, r0, r2, lsl #4\n"
		"1:\n" STEP
		"cmp r0, r2\n bne.w 1b\n" COP_TILE_END);
}
#else
static void sums(const uint32_t *w, const void *x, const uint32_t *end, int32_t *s)
{
	const int8_t *at = x;

	for (; w < end; w++)
		for (int32_t i = 0; i < 32; i += 16) {
			at += *w >> (i + 8) & 255;
			for (int32_t p = 0; p < COP_PIXELS; p++) s[p] = cop_wrap_add(s[p], (int8_t)(*w >> i) * ((const int16_t *)(const void *)at)[p]);
		}
}
static const uint32_t *run(const cop_tile *t, const uint32_t *w) { return cop_run_sums(t, w, COP_GAP_WORDS, sums); }
#endif

/* n taps of four pixels to [tap][pixel]. */
static uint32_t *transpose(uint32_t *to, const int8_t *const x[COP_PIXELS], int32_t n)
{
	int32_t i = 0;

	for (; i + 4 <= n; i += 4, to += 6) {
		uint32_t v[COP_PIXELS], even[COP_PIXELS], odd[COP_PIXELS];
		for (int32_t p = 0; p < COP_PIXELS; p++) v[p] = cop_load4(x[p] + i), even[p] = cop_even(v[p]), odd[p] = cop_odd(v[p]);
		for (int32_t p = 0; p < COP_PIXELS; p += 2, to++) {
			to[0] = cop_pair((int32_t)even[p], (int32_t)even[p + 1]);
			to[2] = cop_pair((int32_t)odd[p], (int32_t)odd[p + 1]);
			to[4] = cop_high_pair(even[p], even[p + 1]);
			to[6] = cop_high_pair(odd[p], odd[p + 1]);
		}
	}
	for (; i < n; i++, to += 2)
		for (int32_t p = 0; p < COP_PIXELS; p++) ((int16_t *)(void *)to)[p] = x[p][i];
	return to;
}

void cop_qsparse_dsp(const cop_call *c) { cop_sparse_conv(c, cop_gap_from(c), cop_gap_to(c), transpose, run); }
