/* SPDX-License-Identifier: Apache-2.0
 *
 * qfc - int8 convolution with one result a channel (fully connected) for Cortex-M with DSP instructions. The input is widened
 * once; each pair of filters then takes fourteen instructions for 16 products (dsp.h says how a weight word serves two).
 */
#include "kernel/cortexm/dsp.h"

COP_OUT_OF_LINE const uint32_t *any_sums(const uint32_t *w, const uint32_t *x, int32_t words, int32_t exact, int32_t *a, int32_t *b)
{
	for (; words; words--) cop_two_filters(*w++, *x++, exact, a, b);
	return w;
}

#if COP_DSP
/* Four words of weights: 14 instructions of 4 bytes. */
#define WORD(w, x) "sxtb16.w %[q], " w "\n smlad %[b], " x ", " w ", %[b]\n smlad %[a], " x ", %[q], %[a]\n"
#define STEP "ldmia.w %[w]!, {r4, r5, r6, r8}\n ldmia.w %[x]!, {r9, r10, r11, r12}\n" WORD("r4", "r9") WORD("r5", "r10") WORD("r6", "r11") WORD("r8", "r12")
enum { UNROLL = 4, STEP_BYTES = 14 * 4 };

COP_OUT_OF_LINE const uint32_t *exact_sums(const uint32_t *w, const uint32_t *x, int32_t words, int32_t *a, int32_t *b)
{
	int32_t sa = *a, sb = sa, q = (-(words >> 2) & (UNROLL - 1)) * STEP_BYTES; /* sb: of 256 b + a; q: code to jump over at first */
	const uint32_t *end = x + words;

	__asm__ volatile("add pc, %[q]\n nop.n\n"
		"1:\n" STEP STEP STEP STEP
		"cmp %[x], %[end]\n bne 1b\n"
		: [w] "+r"(w), [x] "+r"(x), [a] "+r"(sa), [b] "+r"(sb), [q] "+r"(q) : [end] "r"(end)
		: "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "cc", "memory");
	*a = sa;
	*b += (sb - sa) >> 8;
	return w;
}
#endif

void cop_qfc_dsp(const cop_call *c)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint32_t *pack = c->pack, *w = pack + 1;
	int32_t o_n = k[CK_O], once = cop_scale_kind(k, b, m) == COP_ONCE, exact = *pack == PACK_EXACT, words = (cop_run_words(k[CK_C]) + 3) & ~3;
	int8_t *y = c->buf[0];
	uint32_t *x = c->work;

	for (uint32_t *d = cop_expand(x, c->buf[1], k[CK_C], 1); d < x + words; d++) *d = 0;
	for (int32_t o = 0; o < o_n; o++) {
		int32_t sum = b[o], next = o + 1 < o_n ? b[o + 1] : 0;
#if COP_DSP
		w = exact ? exact_sums(w, x, words, &sum, &next) : any_sums(w, x, words, 0, &sum, &next);
#else
		w = any_sums(w, x, words, exact, &sum, &next);
#endif
		y[o] = once ? (int8_t)cop_sat8(cop_scale_add(sum, m[o], k[QK_ZY])) : cop_finish(k, m, o, sum);
		if (++o == o_n) break;
		y[o] = once ? (int8_t)cop_sat8(cop_scale_add(next, m[o], k[QK_ZY])) : cop_finish(k, m, o, next);
	}
}
