/* SPDX-License-Identifier: Apache-2.0
 *
 * qpairs - int8 convolutions of which some weights are zero, two of four neighbours say, for Cortex-M with DSP instructions: pairs of weights (kernel/gaps.h).
 *
 * Each of the six pairs in four neighbours lies in scratch as a word, for four pixels side by side: two weights take seven instructions for eight products.
 */
#include "kernel/cortexm/sparse.h"

#if COP_DSP
/* A pair: 7 instructions. A step: 30. */
#define PAIR(ror8, ror16) "uxtah r9, r1, r4" ror16 "\n ldmia.w r9, {r5, r6, r7, r8}\n sxtb16 r9, r3" ror8 "\n" \
	"smlad r10, r9, r5, r10\n smlad r11, r9, r6, r11\n smlad r12, r9, r7, r12\n smlad lr, r9, r8, lr\n"
#define TWO "ldrd r3, r4, [r0], #8\n" PAIR("", "") PAIR(", ror #8", ", ror #16")

__attribute__((naked, noinline)) static const uint32_t *run(__attribute__((unused)) const cop_tile *t, __attribute__((unused)) const uint32_t *w)
{
	__asm__(COP_TILE_BEGIN "lsls r4, r2, #31\n add.w r2, r0, r2, lsl #4\n bne.w 2f\n"
		"1:\n" TWO TWO "2:\n" TWO TWO
		"cmp r0, r2\n bne.w 1b\n" COP_TILE_END);
}
#else
static void sums(const uint32_t *w, const void *x, const uint32_t *end, int32_t *s)
{
	for (; w < end; w += 2)
		for (int32_t i = 0; i < 2; i++) {
			const uint32_t *at = (const uint32_t *)x + (w[1] >> 16 * i & 0xffff) / 4;
			for (int32_t p = 0; p < COP_PIXELS; p++) s[p] = cop_dual(i ? cop_odd(w[0]) : cop_even(w[0]), at[p], s[p]);
		}
}
static const uint32_t *run(const cop_tile *t, const uint32_t *w) { return cop_run_sums(t, w, COP_GAP_WORDS, sums); }
#endif

/* Four channels of a pixel: the pairs 01 02 03 12 13 23 (quad_place in pack_sparse.c). */
static inline void spread(uint32_t *d, uint32_t v)
{
	uint32_t even = cop_even(v), odd = cop_odd(v);

	d[0] = cop_pair((int32_t)even, (int32_t)odd);
	d[COP_PIXELS] = even;
	d[2 * COP_PIXELS] = cop_halves(even, odd);
	d[3 * COP_PIXELS] = cop_halves(odd, even);
	d[4 * COP_PIXELS] = odd;
	d[5 * COP_PIXELS] = cop_high_pair(even, odd);
}

static uint32_t *pairs(uint32_t *d, const int8_t *const x[COP_PIXELS], int32_t n)
{
	const int8_t *a = x[0], *b = x[1], *e = x[2], *f = x[3];

	for (const int8_t *end = a + n; a < end; a += 4, b += 4, e += 4, f += 4, d += 6 * COP_PIXELS) {
		spread(d, cop_load4(a));
		spread(d + 1, cop_load4(b));
		spread(d + 2, cop_load4(e));
		spread(d + 3, cop_load4(f));
	}
	return d;
}

void cop_qpairs_dsp(const cop_call *c) { cop_sparse_conv(c, 0, c->k[CK_O], pairs, run); }
