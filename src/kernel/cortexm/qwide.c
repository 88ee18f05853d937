/* SPDX-License-Identifier: Apache-2.0
 *
 * qwide - convolutions of int16 with weights of int8, fully connected layers among them, for Cortex-M with DSP instructions. The windows of two
 * pixels lie in scratch, one word (two taps) of each in turn. Each pair of filters runs over them: a word holds four weights of a filter, 0 2 1 3 from
 * the low end, which two instructions widen to the pairs 0 1 and 2 3; two more multiply these for a pixel. So 16 products take 20 instructions.
 */
#include "kernel/cortexm/dsp.h"

/* Fours of taps that 32 bits hold the sum of, whatever they are: 508 times 2^22. */
enum { FOURS = 127 };

/* Adds the products of filters a and b with n pixels to s: a0 a1 b0 b1. */
static inline void sums(int32_t n, const uint32_t *w, const uint32_t *x, int32_t fours, int32_t s[4])
{
	int32_t a0 = 0, a1 = 0, b0 = 0, b1 = 0;

	for (const uint32_t *end = w + 2 * fours; w != end; w += 2, x += 4) {
		uint32_t a = cop_even(w[0]), more_a = cop_odd(w[0]), b = cop_even(w[1]), more_b = cop_odd(w[1]);
		a0 = cop_dual(a, x[0], a0);
		b0 = cop_dual(b, x[0], b0);
		a0 = cop_dual(more_a, x[2], a0);
		b0 = cop_dual(more_b, x[2], b0);
		if (n == 1) continue;
		a1 = cop_dual(a, x[1], a1);
		b1 = cop_dual(b, x[1], b1);
		a1 = cop_dual(more_a, x[3], a1);
		b1 = cop_dual(more_b, x[3], b1);
	}
	s[0] = a0, s[1] = a1, s[2] = b0, s[3] = b1;
}

COP_OUT_OF_LINE void one_pixel(const uint32_t *w, const uint32_t *x, int32_t fours, int32_t s[4]) { sums(1, w, x, fours, s); }
COP_OUT_OF_LINE void two_pixels(const uint32_t *w, const uint32_t *x, int32_t fours, int32_t s[4]) { sums(2, w, x, fours, s); }

COP_OUT_OF_LINE int32_t any_scale(const int32_t *k, const int32_t *m, int32_t o, int64_t acc) { return cop_requant_wide(acc, m, o, k[CK_O], k[QK_TWICE], k[QK_UP]); }

/* A result of a sum. Most fit 32 bits and are scaled by one instruction. */
static inline int16_t finish(const int32_t *k, const int32_t *m, int32_t o, int64_t acc)
{
	int32_t plain = !k[QK_TWICE] && !k[QK_UP] && acc == (int32_t)acc;
	return (int16_t)cop_clampi(plain ? cop_scale_add((int32_t)acc, m[o], 0) : any_scale(k, m, o, acc), k[CK_LO], k[CK_HI]);
}

/* The sums of filters that have more taps than 32 bits hold the sum of. Returns the weights after theirs. */
COP_OUT_OF_LINE const uint32_t *long_sums(int32_t n, const uint32_t *w, const uint32_t *x, int32_t fours, int64_t acc[4])
{
	int32_t s[4];

	for (int32_t now; fours; fours -= now, w += 2 * now, x += 4 * now) {
		now = fours < FOURS ? fours : FOURS;
		if (n == 1) one_pixel(w, x, now, s);
		else two_pixels(w, x, now, s);
		for (int32_t i = 0; i < 4; i++) acc[i] += s[i];
	}
	return w;
}

/* All filters over the windows of n pixels, whose results begin at y. */
COP_OUT_OF_LINE void tile(const cop_call *c, int32_t fours, int32_t n, int16_t *y)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4], o_n = k[CK_O];
	const uint32_t *w = c->pack;

	for (int32_t o = 0; o < o_n; o += 2) {
		int64_t acc[4] = {0, 0, 0, 0};
		int32_t s[4] = {0, 0, 0, 0};
		if (fours > FOURS) w = long_sums(n, w, c->work, fours, acc);
		else if (n == 1) one_pixel(w, c->work, fours, s), w += 2 * fours;
		else two_pixels(w, c->work, fours, s), w += 2 * fours;
		y[o] = finish(k, m, o, acc[0] + s[0] + b[o]);
		if (n == 2) y[o_n + o] = finish(k, m, o, acc[1] + s[1] + b[o]);
		if (o + 1 == o_n) break;
		y[o + 1] = finish(k, m, o + 1, acc[2] + s[2] + b[o + 1]);
		if (n == 2) y[o_n + o + 1] = finish(k, m, o + 1, acc[3] + s[3] + b[o + 1]);
	}
}

/* n numbers of a window, from its number `at` on; x NULL: zeros. d: its first word, every other of which is another pixel's. */
static void stage(uint32_t *d, int32_t at, const int16_t *x, int32_t n)
{
	int32_t i = 0;

	if (!(at & 1))
		for (; i + 2 <= n; i += 2) d[at + i] = x ? cop_load4(x + i) : 0;
	for (; i < n; i++) ((int16_t *)(void *)(d + ((at + i) & ~1)))[(at + i) & 1] = x ? x[i] : 0;
}

/* The window of result p, up to a multiple of four numbers. */
static void window(const cop_call *c, int32_t p, uint32_t *d)
{
	const int32_t *k = c->k, c_n = k[CK_C], r = p / k[CK_OW];
	const int16_t *image = (const int16_t *)c->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * c_n);
	int32_t h = r % k[CK_OH] * k[CK_SH] - k[CK_PT], at = 0;

	for (int32_t i = 0; i < k[CK_KH]; i++, h += k[CK_DH]) {
		int32_t w = p % k[CK_OW] * k[CK_SW] - k[CK_PL];
		for (int32_t j = 0; j < k[CK_KW]; j++, w += k[CK_DW], at += c_n) {
			int32_t in = h >= 0 && h < k[CK_H] && w >= 0 && w < k[CK_W];
			stage(d, at, in ? image + (h * k[CK_W] + w) * c_n : NULL, c_n);
		}
	}
	stage(d, at, NULL, -at & 3);
}

void cop_qwide_dsp(const cop_call *c)
{
	const int32_t *k = c->k;
	int32_t pixels = k[CK_N] * k[CK_OH] * k[CK_OW], fours = (k[CK_KH] * k[CK_KW] * k[CK_C] + 3) / 4;
	uint32_t *x = c->work;
	int16_t *y = c->buf[0];

	for (int32_t p = 0; p < pixels; p += 2) {
		int32_t n = pixels - p < 2 ? 1 : 2;
		for (int32_t i = 0; i < n; i++) window(c, p + i, x + i);
		tile(c, fours, n, y + p * k[CK_O]);
	}
}
