/* SPDX-License-Identifier: Apache-2.0
 *
 * qgroups - int8 convolutions whose kept weights stand in aligned groups of four, for Cortex-M with DSP instructions: single groups (kernel/gaps.h).
 *
 * The windows of four pixels are widened in scratch, for each group the pairs (x0, x2) and then (x1, x3) of four pixels side by side: a group's weights become
 * the same two pairs, and each multiplication takes two of them.
 */
#include "kernel/cortexm/sparse.h"

#if COP_DSP
/* A group for four pixels, its gap in byte `at` of r3: 14 instructions. */
#define FOUR(ror) "ldr r4, [r0], #4\n uxtab r1, r1, r3" ror "\n sxtb16 r9, r4\n ldmia.w r1!, {r5, r6, r7, r8}\n" \
	"smlad r10, r9, r5, r10\n smlad r11, r9, r6, r11\n smlad r12, r9, r7, r12\n smlad lr, r9, r8, lr\n" \
	"sxtb16 r4, r4, ror #8\n ldmia.w r1!, {r5, r6, r7, r8}\n" \
	"smlad r10, r4, r5, r10\n smlad r11, r4, r6, r11\n smlad r12, r4, r7, r12\n smlad lr, r4, r8, lr\n"

__attribute__((naked, noinline)) static const uint32_t *run(__attribute__((unused)) const cop_tile *t, __attribute__((unused)) const uint32_t *w)
{
	__asm__(COP_TILE_BEGIN "add.w r2, r2, r2, lsl #2\n add.w r2, r0, r2, lsl #2\n"
		"1: ldr r3, [r0], #4\n" FOUR("") FOUR(", ror #8") FOUR(", ror #16") FOUR(", ror #24")
		"cmp r0, r2\n bne.w 1b\n" COP_TILE_END);
}
#else
static void sums(const uint32_t *w, const void *x, const uint32_t *end, int32_t *s)
{
	const uint32_t *at = x;

	for (; w < end; w += COP_GROUP_WORDS)
		for (int32_t g = 0; g < COP_GROUPS; g++, at += 2 * COP_PIXELS) {
			at += (*w >> 8 * g & 255) / 4;
			for (int32_t p = 0; p < COP_PIXELS; p++) s[p] = cop_dual(cop_odd(w[1 + g]), at[COP_PIXELS + p], cop_dual(cop_even(w[1 + g]), at[p], s[p]));
		}
}
static const uint32_t *run(const cop_tile *t, const uint32_t *w) { return cop_run_sums(t, w, COP_GROUP_WORDS, sums); }
#endif

static inline void widen(uint32_t *d, uint32_t four)
{
	d[0] = cop_even(four);
	d[COP_PIXELS] = cop_odd(four);
}

static uint32_t *stage(uint32_t *d, const int8_t *const x[COP_PIXELS], int32_t n)
{
	const int8_t *a = x[0], *b = x[1], *e = x[2], *f = x[3];

	for (const int8_t *end = a + n; a < end; a += COP_GROUP, b += COP_GROUP, e += COP_GROUP, f += COP_GROUP, d += 2 * COP_PIXELS) {
		widen(d, cop_load4(a));
		widen(d + 1, cop_load4(b));
		widen(d + 2, cop_load4(e));
		widen(d + 3, cop_load4(f));
	}
	return d;
}

void cop_qgroups_dsp(const cop_call *c)
{
	uint32_t *end = cop_staged(c) + c->k[CK_KH] * c->k[CK_KW] * c->k[CK_C] / COP_GROUP * 2 * COP_PIXELS;

	for (int32_t i = 0; i < 2 * COP_PIXELS * COP_GROUPS; i++) end[i] = 0; /* groups of zeros behind a row read this */
	cop_sparse_conv(c, 0, c->k[CK_O], stage, run);
}
