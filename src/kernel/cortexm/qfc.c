/* SPDX-License-Identifier: Apache-2.0
 *
 * qfc - int8 convolution with one result a channel (fully connected) for Cortex-M with DSP instructions. The input is widened
 * once; each pair of filters then takes fourteen instructions for 16 products (dsp.h says how a weight word serves two).
 */
#include "kernel/cortexm/dsp.h"

static const uint32_t *any_sums(const uint32_t *w, const uint32_t *x, int32_t words, int32_t exact, int32_t *a, int32_t *b)
{
	for (; words; words--) cop_two_filters(*w++, *x++, exact, a, b);
	return w;
}

#if COP_DSP
#define TWO(w, x) "sxtb16 %[q], " w "\n smlad %[b], " x ", " w ", %[b]\n smlad %[a], " x ", %[q], %[a]\n"

/* b: sums of 256 b + a */
static inline const uint32_t *exact_sums(const uint32_t *w, const uint32_t *x, int32_t words, int32_t *a, int32_t *b)
{
	int32_t sa = *a, sb = *a;
	uint32_t q;

	if (words & 2) sa = cop_dual(x[0], cop_even(w[0]), sa), sb = cop_dual(x[0], w[0], sb), sa = cop_dual(x[1], cop_even(w[1]), sa), sb = cop_dual(x[1], w[1], sb), w += 2, x += 2;
	for (int32_t n = words >> 2; n; n--)
		__asm__ volatile("ldmia.w %[w]!, {r4, r5, r6, r8}\n ldmia.w %[x]!, {r9, r10, r11, r12}\n"
			TWO("r4", "r9") TWO("r5", "r10") TWO("r6", "r11") TWO("r8", "r12")
			: [w] "+r"(w), [x] "+r"(x), [a] "+r"(sa), [b] "+r"(sb), [q] "=&r"(q) : : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
	*a = sa;
	*b += (sb - sa) >> 8;
	return w;
}
#endif

void cop_qfc_dsp(const cop_call *c)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint32_t *pack = c->pack, *w = pack + 1;
	int32_t o_n = k[CK_O], plain = cop_plain_scale(k), exact = *pack == PACK_EXACT, words = (cop_run_words(k[CK_C]) + 1) & ~1;
	int8_t *y = c->buf[0];
	uint32_t *x = c->work;

	x[words - 1] = 0; /* there when the number is odd */
	cop_expand(x, c->buf[1], k[CK_C], 1);
	for (int32_t o = 0; o < o_n; o++) {
		int32_t sum = b[o], next = o + 1 < o_n ? b[o + 1] : 0;
#if COP_DSP
		w = exact ? exact_sums(w, x, words, &sum, &next) : any_sums(w, x, words, 0, &sum, &next);
#else
		w = any_sums(w, x, words, exact, &sum, &next);
#endif
		y[o] = plain ? (int8_t)cop_sat8(cop_scale_add(sum, m[o], k[QK_ZY])) : cop_finish(k, m, o, sum);
		if (++o == o_n) break;
		y[o] = plain ? (int8_t)cop_sat8(cop_scale_add(next, m[o], k[QK_ZY])) : cop_finish(k, m, o, next);
	}
}
