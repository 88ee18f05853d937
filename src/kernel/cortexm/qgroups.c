/* SPDX-License-Identifier: Apache-2.0
 *
 * qgroups - int8 layers whose kept weights stand in aligned groups of four (kernel/groups.h), for Cortex-M with DSP instructions.
 *
 * The input is widened in scratch, for each group the pairs (x0, x2) and then (x1, x3) of one pixel or of four side by side: a group's weights become
 * the same two pairs, and each multiplication takes two of them. Windows of four pixels are read before their results are written.
 */
#include "kernel/cortexm/dsp.h"
#include "kernel/groups.h"

enum { PIXELS = 4 };

#if COP_DSP
/* A group with its gap in byte `at` of r3: 6 instructions, and 14 for four pixels. */
#define ONE(w, ror) "uxtab r1, r1, r3" ror "\n ldrd r8, r9, [r1], #8\n sxtb16 r10, " w "\n sxtb16 " w ", " w ", ror #8\n" \
	"smlad r11, r10, r8, r11\n smlad r11, " w ", r9, r11\n"
#define FOUR(ror) "ldr r4, [r0], #4\n uxtab r1, r1, r3" ror "\n sxtb16 r9, r4\n ldmia.w r1!, {r5, r6, r7, r8}\n" \
	"smlad r10, r9, r5, r10\n smlad r11, r9, r6, r11\n smlad r12, r9, r7, r12\n smlad lr, r9, r8, lr\n" \
	"sxtb16 r4, r4, ror #8\n ldmia.w r1!, {r5, r6, r7, r8}\n" \
	"smlad r10, r4, r5, r10\n smlad r11, r4, r6, r11\n smlad r12, r4, r7, r12\n smlad lr, r4, r8, lr\n"

/* *s and the products of the words from w to end, not none, with what x leads to. */
__attribute__((naked, noinline)) static void sum_one(__attribute__((unused)) const uint32_t *w, __attribute__((unused)) const void *x,
	__attribute__((unused)) const uint32_t *end, __attribute__((unused)) int32_t *s)
{
	__asm__("push {r3-r11, lr}\n ldr r11, [r3]\n"
		"1: ldmia.w r0!, {r3, r4, r5, r6, r7}\n" ONE("r4", "") ONE("r5", ", ror #8") ONE("r6", ", ror #16") ONE("r7", ", ror #24")
		"cmp r0, r2\n bne.w 1b\n"
		"ldr r0, [sp]\n str r11, [r0]\n pop {r3-r11, pc}\n");
}

__attribute__((naked, noinline)) static void sum_four(__attribute__((unused)) const uint32_t *w, __attribute__((unused)) const void *x,
	__attribute__((unused)) const uint32_t *end, __attribute__((unused)) int32_t *s)
{
	__asm__("push {r3-r11, lr}\n ldm.w r3, {r10, r11, r12, lr}\n"
		"1: ldr r3, [r0], #4\n" FOUR("") FOUR(", ror #8") FOUR(", ror #16") FOUR(", ror #24")
		"cmp r0, r2\n bne.w 1b\n"
		"ldr r0, [sp]\n stm.w r0, {r10, r11, r12, lr}\n pop {r3-r11, pc}\n");
}
#else
static void sum(const uint32_t *w, const void *x, const uint32_t *end, int32_t *s, int32_t pixels)
{
	const uint32_t *at = x;

	for (; w < end; w += COP_GROUP_WORDS)
		for (int32_t g = 0; g < COP_GROUPS; g++, at += 2 * pixels) {
			at += (*w >> 8 * g & 255) / 4;
			for (int32_t p = 0; p < pixels; p++) s[p] = cop_dual(cop_odd(w[1 + g]), at[pixels + p], cop_dual(cop_even(w[1 + g]), at[p], s[p]));
		}
}
static void sum_one(const uint32_t *w, const void *x, const uint32_t *end, int32_t *s) { sum(w, x, end, s, 1); }
static void sum_four(const uint32_t *w, const void *x, const uint32_t *end, int32_t *s) { sum(w, x, end, s, PIXELS); }
#endif

/* Groups of zeros behind a row read this much more. */
static void clear(uint32_t *x, int32_t words)
{
	for (int32_t i = 0; i < words; i++) x[i] = 0;
}

void cop_qgroups_fc_dsp(const cop_call *c)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint16_t *steps = c->pack;
	const uint32_t *w = cop_group_words(steps, k[CK_O]);
	int32_t once = cop_scale_kind(k, b, m) == COP_ONCE, o_n = k[CK_O], zero = k[QK_ZY];
	int8_t *y = c->buf[0];

	clear(cop_expand(c->work, c->buf[1], k[CK_C], 1), 2 * COP_GROUPS);
	for (int32_t o = 0; o < o_n; o++) {
		const uint32_t *end = w + COP_GROUP_WORDS * steps[o];
		int32_t s = b[o];
		if (w < end) sum_one(w, c->work, end, &s);
		y[o] = once ? (int8_t)cop_sat8(cop_scale_add(s, m[o], zero)) : cop_finish(k, m, o, s);
		w = end;
	}
}

/* The windows of pixels [at, at + PIXELS) of the output, the last one repeated. */
static uint32_t *windows(uint32_t *d, const cop_call *c, int32_t at, int32_t all)
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
			for (int32_t i = 0; i < k[CK_C]; i += COP_GROUP, d += 2 * PIXELS)
				for (int32_t p = 0; p < PIXELS; p++) {
					uint32_t four = cop_load4(x[p] + i);
					d[p] = cop_even(four);
					d[PIXELS + p] = cop_odd(four);
				}
		}
	return d;
}

/* The results of n pixels, k[CK_O] apart, of channel o. */
COP_OUT_OF_LINE void any_results(int8_t *y, const cop_call *c, int32_t o, const int32_t *s, int32_t n)
{
	for (int32_t p = 0; p < n; p++) y[p * c->k[CK_O]] = cop_finish(c->k, c->buf[4], o, s[p]);
}

void cop_qgroups_dsp(const cop_call *c)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint16_t *steps = c->pack;
	int32_t once = cop_scale_kind(k, b, m) == COP_ONCE, all = k[CK_N] * k[CK_OH] * k[CK_OW], o_n = k[CK_O], zero = k[QK_ZY];
	int8_t *y = c->buf[0], *padding = c->work;
	uint32_t *x = (uint32_t *)(void *)(padding + k[CK_C]);

	for (int32_t i = 0; i < k[CK_C]; i++) padding[i] = (int8_t)k[QK_ZX];
	for (int32_t at = 0; at < all; at += PIXELS, y += PIXELS * o_n) {
		const uint32_t *w = cop_group_words(steps, o_n);
		int32_t n = all - at < PIXELS ? all - at : PIXELS;
		int8_t *y1 = y + o_n, *y2 = y1 + o_n, *y3 = y2 + o_n;
		clear(windows(x, c, at, all), 2 * PIXELS * COP_GROUPS);
		for (int32_t o = 0; o < o_n; o++) {
			const uint32_t *end = w + COP_GROUP_WORDS * steps[o];
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
