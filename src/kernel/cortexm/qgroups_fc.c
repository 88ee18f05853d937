/* SPDX-License-Identifier: Apache-2.0
 *
 * qgroups_fc - int8 fully connected layers whose kept weights stand in aligned groups of four, for Cortex-M with DSP instructions: pairs of groups and
 * single ones (kernel/gaps.h).
 *
 * A word of weights holds b a b a from the high end down. As two int16 it is 256 b + a, so times x_b it is more than b x_b by a x_b / 256. The input of the even bytes is staged as
 * 256 x_a - x_b + 127, which takes that away again and is an int16 whatever the x are:
 *   (256 b + a) x_b + a (256 x_a - x_b + 127) = 256 (a x_a + b x_b) + 127 a
 * So no b is taken out of a word. Each row's sum begins with what the 127 will add. The plan sees that no sum leaves 24 bits, and no b is -128.
 * Groups that are neighbours, or have one between them, lie side by side in two planes, as weights do in qpairs_fc.c.
 */
#include "kernel/cortexm/sparse.h"

#if COP_DSP
/* A group w with its input in two words: 3 instructions. */
#define GROUP(w, a, b) "sxtb16 r12, " w "\n smlad lr, r12, " a ", lr\n smlad lr, " w ", " b ", lr\n"
/* Two pairs: 17 instructions. */
#define TWO(u, v, ror) "uxtah r12, r1, r3" ror "\n ldmia.w r12, {r8, r9, r10, r11}\n" GROUP(u, "r8", "r9") GROUP(v, "r10", "r11")
#define PAIR_STEP "ldmia.w r0!, {r3, r4, r5, r6, r7}\n" TWO("r4", "r5", "") TWO("r6", "r7", ", ror #16")
/* Four single groups: 21. */
#define ONE(w, ror) "uxtab r1, r1, r3" ror "\n ldrd r8, r9, [r1], #8\n" GROUP(w, "r8", "r9")
#define STEP "ldmia.w r0!, {r3, r4, r5, r6, r7}\n" ONE("r4", "") ONE("r5", ", ror #8") ONE("r6", ", ror #16") ONE("r7", ", ror #24")

__attribute__((naked, noinline)) static const uint32_t *run_rows(__attribute__((unused)) const cop_rows *r, __attribute__((unused)) const uint32_t *w)
{
	__asm__("push {r4-r11, lr}\n ldm.w r0, {r2-r8}\n sub sp, #8\n push {r2-r8}\n mov r0, r1\n" /* sp: the struct, the end of a row */
		"0: ldr r1, [sp]\n ldrd r3, lr, [r0], #8\n uxth r2, r3\n lsrs r3, r3, #16\n"
		"add.w r3, r3, r3, lsl #2\n add.w r3, r0, r3, lsl #2\n str r3, [sp, #28]\n"
		"add.w r3, r2, r2, lsl #2\n lsls.w r4, r2, #31\n add.w r2, r0, r3, lsl #2\n" /* the end of pairs */
		"bne.w 2f\n cmp r0, r2\n beq.w 3f\n"
		"1:\n" PAIR_STEP "2:\n" PAIR_STEP
		"cmp r0, r2\n bne.w 1b\n"
		"3: ldr r2, [sp, #28]\n cmp r0, r2\n beq.n 5f\n"
		"4:\n" STEP
		"cmp r0, r2\n bne.n 4b\n"
		"5: ldrd r3, r4, [sp, #4]\n ldr r5, [r3], #4\n add.w lr, r5, lr, asr #8\n ldrd r7, r8, [sp, #12]\n cbz r4, 6f\n"
		"ldr r6, [r4], #4\n strd r3, r4, [sp, #4]\n ldr.w r9, [sp, #20]\n ldr r5, [sp, #24]\n cbnz r5, 8f\n"
		"9: smmlar lr, lr, r6, r7\n ssat lr, #8, lr\n strb lr, [r8], #1\n str.w r8, [sp, #16]\n cmp r8, r9\n bne.w 0b\n"
		"b.n 7f\n 6: str.w lr, [r8]\n 7: add sp, #36\n pop {r4-r11, pc}\n"
		"8: subs r4, #4\n ldr r5, [r4, r5]\n qadd lr, lr, lr\n smmulr lr, lr, r6\n add lr, lr, lr, asr #31\n adds r5, #32\n movs r6, #1\n lsls r6, r5\n b.n 9b\n");
}
#else
static int32_t group(uint32_t w, const uint32_t *x, int32_t s) { return cop_dual(w, x[1], cop_dual(cop_even(w), x[0], s)); }

static const uint32_t *run_rows(const cop_rows *all, const uint32_t *w)
{
	cop_rows r = *all;

	do {
		const uint32_t *pairs = w + 2 + COP_GROUP_WORDS * (*w & 0xffff), *end = w + 2 + COP_GROUP_WORDS * (*w >> 16), *x = r.x, *at = x;
		int32_t s = (int32_t)w[1];
		for (w += 2; w < pairs; w += COP_GROUP_WORDS)
			for (int32_t p = 0; p < COP_GROUP_PAIRS; p++) {
				const uint32_t *a = x + (*w >> 16 * p & 0xffff) / 4;
				s = group(w[2 + 2 * p], a + 2, group(w[1 + 2 * p], a, s));
			}
		for (; w < end; w += COP_GROUP_WORDS)
			for (int32_t g = 0; g < COP_GROUPS; g++, at += 2) {
				at += (*w >> 8 * g & 255) / 4;
				s = group(w[1 + g], at, s);
			}
		cop_end_row(&r, cop_wrap_add(*r.b++, s >> 8));
	} while (r.y != r.end);
	return w;
}
#endif

/* A group of inputs, for both planes. */
static inline void stage(uint32_t *one, uint32_t *two, uint32_t v)
{
	uint32_t b = cop_odd(v), a = cop_minus((v & 0x00ff00ff) << 8 | 0x007f007f, b);

	one[0] = two[0] = a;
	one[1] = two[1] = b;
}

void cop_qgroups_fc_dsp(const cop_call *c)
{
	int32_t groups = c->k[CK_C] / COP_GROUP;
	uint32_t *one = c->work, *two = one + 2 * groups, *odd = two + (groups + 1) / 2 * 2;
	const int8_t *x = c->buf[1];

	for (int32_t g = groups / 2; g; g--, x += 2 * COP_GROUP, one += 4, two += 2, odd += 2) {
		stage(one, two, cop_load4(x));
		stage(one + 2, odd, cop_load4(x + COP_GROUP));
	}
	if (groups % 2) stage(one, two, cop_load4(x));
	cop_sparse_fc(c, 0, c->k[CK_O], c->work, run_rows);
}
