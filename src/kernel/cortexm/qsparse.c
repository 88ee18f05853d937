/* SPDX-License-Identifier: Apache-2.0
 *
 * qsparse - int8 layers whose weights are mostly zero, for Cortex-M with DSP instructions: rows of weights and gaps (kernel/gaps.h).
 *
 * One result a channel (fully connected): the input is read as it lies, by an address to which gaps are added. Of several, four pixels at a time:
 * their windows are transposed and widened to int16 in scratch, tap by tap, so that a weight meets four inputs that lie side by side and its gap is
 * fetched once. Windows of four pixels are read before their results are written.
 */
#include "kernel/cortexm/dsp.h"
#include "kernel/gaps.h"

enum { PIXELS = 4 };

#if COP_DSP
/* Two weights of a word w: 7 instructions, and for four pixels 13. The address of the input in r1. */
#define ONE(w) "sxtb16 r10, " w "\n uxtab r1, r1, " w ", ror #8\n ldrsb.w r8, [r1]\n uxtab r1, r1, " w ", ror #24\n ldrsb.w r9, [r1]\n" \
	"smlabb r3, r8, r10, r3\n smlabt r3, r9, r10, r3\n"
#define FOUR(w) "sxtb16 r10, " w "\n uxtab r1, r1, " w ", ror #8\n ldrd r8, r9, [r1]\n" \
	"smlabb r3, r8, r10, r3\n smlatb r11, r8, r10, r11\n smlabb r12, r9, r10, r12\n smlatb lr, r9, r10, lr\n" \
	"uxtab r1, r1, " w ", ror #24\n ldrd r8, r9, [r1]\n" \
	"smlabt r3, r8, r10, r3\n smlatt r11, r8, r10, r11\n smlabt r12, r9, r10, r12\n smlatt lr, r9, r10, lr\n"
#define STEP(of) "ldmia.w r0!, {r4, r5, r6, r7}\n" of("r4") of("r5") of("r6") of("r7")

/* *s and the products of the words from w to end, not none, with what x leads to. */
__attribute__((naked, noinline)) static void sum_one(__attribute__((unused)) const uint32_t *w, __attribute__((unused)) const void *x,
	__attribute__((unused)) const uint32_t *end, __attribute__((unused)) int32_t *s)
{
	__asm__("push {r3-r10, lr}\n ldr r3, [r3]\n sub r4, r2, r0\n tst r4, #16\n bne.n 2f\n"
		"1:\n" STEP(ONE) "2:\n" STEP(ONE)
		"cmp r0, r2\n bne.w 1b\n"
		"ldr r0, [sp]\n str r3, [r0]\n pop {r3-r10, pc}\n");
}

__attribute__((naked, noinline)) static void sum_four(__attribute__((unused)) const uint32_t *w, __attribute__((unused)) const void *x,
	__attribute__((unused)) const uint32_t *end, __attribute__((unused)) int32_t *s)
{
	__asm__("push {r3-r11, lr}\n ldm.w r3, {r3, r11, r12, lr}\n"
		"1:\n" STEP(FOUR)
		"cmp r0, r2\n bne.w 1b\n"
		"ldr r0, [sp]\n stm.w r0, {r3, r11, r12, lr}\n pop {r3-r11, pc}\n");
}
#else
static void sum_one(const uint32_t *w, const void *x, const uint32_t *end, int32_t *s)
{
	const int8_t *at = x;

	for (; w < end; w++)
		for (int32_t i = 0; i < 32; i += 16) {
			at += *w >> (i + 8) & 255;
			*s = cop_wrap_add(*s, (int8_t)(*w >> i) * *at);
		}
}

static void sum_four(const uint32_t *w, const void *x, const uint32_t *end, int32_t *s)
{
	const int8_t *at = x;

	for (; w < end; w++)
		for (int32_t i = 0; i < 32; i += 16) {
			at += *w >> (i + 8) & 255;
			for (int32_t p = 0; p < PIXELS; p++) s[p] = cop_wrap_add(s[p], (int8_t)(*w >> i) * ((const int16_t *)(const void *)at)[p]);
		}
}
#endif

void cop_qsparse_fc_dsp(const cop_call *c)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint16_t *steps = c->pack;
	const uint32_t *w = cop_gap_words(steps, k[CK_O]);
	int32_t once = cop_scale_kind(k, b, m) == COP_ONCE, o_n = k[CK_O], zero = k[QK_ZY];
	int8_t *y = c->buf[0];

	for (int32_t o = 0; o < o_n; o++) {
		const uint32_t *end = w + COP_GAP_WORDS * steps[o];
		int32_t s = b[o];
		if (w < end) sum_one(w, c->buf[1], end, &s);
		y[o] = once ? (int8_t)cop_sat8(cop_scale_add(s, m[o], zero)) : cop_finish(k, m, o, s);
		w = end;
	}
}

/* n taps of four pixels to [tap][pixel]. */
static int16_t *transpose(int16_t *d, const int8_t *const x[PIXELS], int32_t n)
{
	int32_t i = 0;

#if COP_DSP
	for (; i + 4 <= n; i += 4, d += 16) {
		uint32_t *to = (uint32_t *)(void *)d, v[PIXELS], even[PIXELS], odd[PIXELS];
		for (int32_t p = 0; p < PIXELS; p++) v[p] = cop_load4(x[p] + i), even[p] = cop_even(v[p]), odd[p] = cop_odd(v[p]);
		for (int32_t p = 0; p < PIXELS; p += 2, to++) {
			to[0] = cop_pair((int32_t)even[p], (int32_t)even[p + 1]);
			to[2] = cop_pair((int32_t)odd[p], (int32_t)odd[p + 1]);
			__asm__("pkhtb %0, %1, %2, asr #16" : "=r"(to[4]) : "r"(even[p + 1]), "r"(even[p]));
			__asm__("pkhtb %0, %1, %2, asr #16" : "=r"(to[6]) : "r"(odd[p + 1]), "r"(odd[p]));
		}
	}
#endif
	for (; i < n; i++)
		for (int32_t p = 0; p < PIXELS; p++) *d++ = x[p][i];
	return d;
}

/* The windows of pixels [at, at + PIXELS) of the output, the last one repeated. */
static void windows(int16_t *d, const cop_call *c, int32_t at, int32_t all)
{
	const int32_t *k = c->k;
	const int8_t *image[PIXELS], *x[PIXELS], *padding = (const int8_t *)c->work;
	int32_t h[PIXELS], v[PIXELS];

	for (int32_t p = 0; p < PIXELS; p++) {
		int32_t pixel = at + p < all ? at + p : all - 1, row = pixel / k[CK_OW];
		image[p] = (const int8_t *)c->buf[1] + (size_t)(row / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]);
		h[p] = row % k[CK_OH] * k[CK_SH] - k[CK_PT];
		v[p] = pixel % k[CK_OW] * k[CK_SW] - k[CK_PL];
	}
	for (int32_t kh = 0; kh < k[CK_KH]; kh++)
		for (int32_t kw = 0; kw < k[CK_KW]; kw++) {
			for (int32_t p = 0; p < PIXELS; p++) {
				int32_t r = h[p] + kh * k[CK_DH], s = v[p] + kw * k[CK_DW];
				x[p] = r >= 0 && r < k[CK_H] && s >= 0 && s < k[CK_W] ? image[p] + (size_t)(r * k[CK_W] + s) * (size_t)k[CK_C] : padding;
			}
			d = transpose(d, x, k[CK_C]);
		}
}

/* The results of n pixels, k[CK_O] apart, of channel o. */
COP_OUT_OF_LINE void any_results(int8_t *y, const cop_call *c, int32_t o, const int32_t *s, int32_t n)
{
	for (int32_t p = 0; p < n; p++) y[p * c->k[CK_O]] = cop_finish(c->k, c->buf[4], o, s[p]);
}

void cop_qsparse_dsp(const cop_call *c)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint16_t *steps = c->pack;
	int32_t once = cop_scale_kind(k, b, m) == COP_ONCE, all = k[CK_N] * k[CK_OH] * k[CK_OW], whole = (k[CK_C] + 7) & ~7, o_n = k[CK_O], zero = k[QK_ZY];
	int8_t *y = c->buf[0], *padding = c->work;
	int16_t *x = (int16_t *)(void *)(padding + whole);

	for (int32_t i = 0; i < k[CK_C]; i++) padding[i] = (int8_t)k[QK_ZX];
	for (int32_t at = 0; at < all; at += PIXELS, y += PIXELS * o_n) {
		const uint32_t *w = cop_gap_words(steps, o_n);
		int32_t n = all - at < PIXELS ? all - at : PIXELS;
		int8_t *y1 = y + o_n, *y2 = y1 + o_n, *y3 = y2 + o_n;
		windows(x, c, at, all);
		for (int32_t o = 0; o < o_n; o++) {
			const uint32_t *end = w + COP_GAP_WORDS * steps[o];
			int32_t s[PIXELS] = {b[o], b[o], b[o], b[o]}, scale = m[o];
			if (w < end) sum_four(w, x, end, s);
			w = end;
			if (!once || n < PIXELS) {
				any_results(y + o, c, o, s, n);
				continue;
			}
			y[o] = (int8_t)cop_sat8(cop_scale_add(s[0], scale, zero));
			y1[o] = (int8_t)cop_sat8(cop_scale_add(s[1], scale, zero));
			y2[o] = (int8_t)cop_sat8(cop_scale_add(s[2], scale, zero));
			y3[o] = (int8_t)cop_sat8(cop_scale_add(s[3], scale, zero));
		}
	}
}
