/* SPDX-License-Identifier: Apache-2.0
 *
 * qpairs_fc - int8 fully connected layers whose weights are mostly zero, for Cortex-M with DSP instructions: pairs of weights and single ones
 * (kernel/gaps.h). qsparse_fc.c has the single ones alone, without a staged input: for few outputs, and where weights have no neighbours.
 *
 * Two weights that stand at most COP_NEAR columns apart take one multiplication, since their inputs lie side by side: the input is staged once for each
 * distance d, in the order 0, d, 2d, ..., 1, 1 + d, ... . What has no such neighbour stands alone, and reads the plane of distance 1, the input as it is.
 */
#include "kernel/cortexm/sparse.h"

#if COP_DSP
/* Two pairs, their weights in a word w, the places of their inputs in another: 8 instructions. A step: 17 of 4 bytes. */
#define PAIRS(w, at) "uxtah r8, r1, " at "\n ldr.w r8, [r8]\n uxtah r9, r1, " at ", ror #16\n ldr.w r9, [r9]\n" \
	"sxtb16 r10, " w "\n sxtb16 " w ", " w ", ror #8\n smlad r3, r10, r8, r3\n smlad r3, " w ", r9, r3\n"
#define PAIR_STEP "ldmia.w r0!, {r4, r5, r6, r7}\n" PAIRS("r4", "r5") PAIRS("r6", "r7")
/* Two single weights, the address of the input in r1: 7. */
#define ONE(w) "sxtb16 r10, " w "\n uxtab r1, r1, " w ", ror #8\n ldrsh.w r8, [r1]\n uxtab r1, r1, " w ", ror #24\n ldrsh.w r9, [r1]\n" \
	"smlabb r3, r8, r10, r3\n smlabt r3, r9, r10, r3\n"
#define STEP "ldmia.w r0!, {r4, r5, r6, r7}\n" ONE("r4") ONE("r5") ONE("r6") ONE("r7")

__attribute__((naked, noinline)) static const uint32_t *run_rows(__attribute__((unused)) const cop_rows *r, __attribute__((unused)) const uint32_t *w)
{
	__asm__("push {r4-r11, lr}\n ldm.w r0, {r2, r3, r4, r5, r11, r12}\n ldr r6, [r0, #24]\n push {r2-r6}\n mov r0, r1\n" /* sp: x, b, m, zero, shifts; y and its end in r11 and r12 */
		"0: ldrd r1, r5, [sp]\n ldr r3, [r5], #4\n str r5, [sp, #4]\n ldr r2, [r0], #4\n uxth r4, r2\n lsrs r2, r2, #16\n"
		"add.w lr, r0, r4, lsl #4\n add.w r2, r0, r2, lsl #4\n" /* the ends of pairs and of all */
		"cmp r0, lr\n beq.w 2f\n"
		"negs r4, r4\n and r4, r4, #3\n add.w r4, r4, r4, lsl #4\n lsls r4, r4, #2\n" /* four steps of 68 bytes in a round, the first one begun */
		"add pc, r4\n nop.n\n"
		"1:\n" PAIR_STEP PAIR_STEP PAIR_STEP PAIR_STEP
		"cmp r0, lr\n bne.w 1b\n"
		"2: cmp r0, r2\n beq.n 4f\n"
		"3:\n" STEP
		"cmp r0, r2\n bne.n 3b\n"
		"4: " ROW_END);
}
#else
static const uint32_t *run_rows(const cop_rows *all, const uint32_t *w)
{
	cop_rows r = *all;

	do {
		uint32_t steps = *w++;
		const uint8_t *at = r.x;
		const uint32_t *pairs = w + COP_GAP_WORDS * (steps & 0xffff), *end = w + COP_GAP_WORDS * (steps >> 16);
		int32_t s = *r.b++;
		for (; w < pairs; w += 2) {
			s = cop_dual(cop_even(w[0]), cop_load4(at + (w[1] & 0xffff)), s);
			s = cop_dual(cop_odd(w[0]), cop_load4(at + (w[1] >> 16)), s);
		}
		for (; w < end; w++)
			for (int32_t i = 0; i < 32; i += 16) {
				at += *w >> (i + 8) & 255;
				s = cop_wrap_add(s, (int8_t)(*w >> i) * *(const int16_t *)(const void *)at);
			}
		cop_end_row(&r, s);
	} while (r.y != r.end);
	return w;
}
#endif

/* The planes of distances 1 to COP_NEAR. */
static void planes(int16_t *d, const int8_t *x, int32_t n)
{
	int16_t *one = d, *two = d + n, *two1 = two + (n + 1) / 2, *three = two + n, *four = three + n;
	int16_t *four1 = d + cop_plane_at(n, 1, 4), *four2 = d + cop_plane_at(n, 2, 4), *four3 = d + cop_plane_at(n, 3, 4);
	int32_t i = 0;

	for (int32_t part = 0; part < 3 && part < n; part++) three = cop_widen(three, x + part, (n - part + 2) / 3, 3);
	for (; i + 8 <= n; i += 8, one += 8, two += 4, two1 += 4, four += 2, four1 += 2, four2 += 2, four3 += 2) {
		uint32_t u = cop_load4(x + i), v = cop_load4(x + i + 4), u0 = cop_even(u), u1 = cop_odd(u), v0 = cop_even(v), v1 = cop_odd(v);
		cop_store4(one, cop_pair((int32_t)u0, (int32_t)u1));
		cop_store4(one + 2, cop_high_pair(u0, u1));
		cop_store4(one + 4, cop_pair((int32_t)v0, (int32_t)v1));
		cop_store4(one + 6, cop_high_pair(v0, v1));
		cop_store4(two, u0);
		cop_store4(two + 2, v0);
		cop_store4(two1, u1);
		cop_store4(two1 + 2, v1);
		cop_store4(four, cop_pair((int32_t)u0, (int32_t)v0));
		cop_store4(four1, cop_pair((int32_t)u1, (int32_t)v1));
		cop_store4(four2, cop_high_pair(u0, v0));
		cop_store4(four3, cop_high_pair(u1, v1));
	}
	for (; i < n; i++) d[cop_plane_at(n, i, 1)] = d[cop_plane_at(n, i, 2)] = d[cop_plane_at(n, i, 4)] = x[i];
}

void cop_qpairs_fc_dsp(const cop_call *c)
{
	planes(c->work, c->buf[1], c->k[CK_C]);
	cop_sparse_fc(c, 0, c->k[CK_O], c->work, run_rows);
}
