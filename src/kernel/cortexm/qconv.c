/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv - int8 convolution for Cortex-M with DSP instructions, any window, stride and padding, one group.
 *
 * Three pixels at a time: their windows are widened to int16 in scratch, one word (two taps) of each in turn, then each pair
 * of filters runs over them: six sums in registers. Three pixels and two filters is what the register file holds; seventeen
 * instructions do 24 products (dsp.h says how a weight word serves two filters). Windows of a tile are read before its
 * results are written, so that results may lie on input that later tiles don't need.
 */
#include "kernel/cortexm/dsp.h"

enum { TILE = 3 };

#if COP_DSP
/* Two words of weights: 17 instructions of 4 bytes. */
#define STEP \
	"ldrd %[w0], %[w1], [%[w]], #8\n ldmia.w %[x]!, {r4, r5, r6}\n sxtb16.w %[q], %[w0]\n" \
	"smlad %[a0], r4, %[q], %[a0]\n smlad %[a1], r5, %[q], %[a1]\n smlad %[a2], r6, %[q], %[a2]\n" \
	"smlad %[b0], r4, %[w0], %[b0]\n smlad %[b1], r5, %[w0], %[b1]\n smlad %[b2], r6, %[w0], %[b2]\n" \
	"ldmia.w %[x]!, {r4, r5, r6}\n sxtb16.w %[q], %[w1]\n" \
	"smlad %[a0], r4, %[q], %[a0]\n smlad %[a1], r5, %[q], %[a1]\n smlad %[a2], r6, %[q], %[a2]\n" \
	"smlad %[b0], r4, %[w1], %[b0]\n smlad %[b1], r5, %[w1], %[b1]\n smlad %[b2], r6, %[w1], %[b2]\n"
enum { UNROLL = 4, STEP_BYTES = 17 * 4 };

/* The windows from x to `end`: a += their products with the even filter, b += 256 times those with the odd one and those with
 * the even one. skip: bytes of code to jump over in the first round. */
#define SUMS(w, x, end, skip, a0, a1, a2, b0, b1, b2) \
	do { \
		uint32_t q_ = (uint32_t)(skip), w0_, w1_; \
		__asm__ volatile("add pc, %[q]\n nop.n\n" \
			"1:\n" STEP STEP STEP STEP \
			"ldr %[q], %[last]\n cmp %[x], %[q]\n bne 1b\n" \
			: [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [b0] "+r"(b0), [b1] "+r"(b1), [b2] "+r"(b2), \
			  [w] "+r"(w), [x] "+r"(x), [q] "+r"(q_), [w0] "=&r"(w0_), [w1] "=&r"(w1_) \
			: [last] "m"(end) : "r4", "r5", "r6", "cc", "memory"); \
	} while (0)
#endif

/* words: of a window, rounded up to even. */
typedef struct layer { const int32_t *k, *b, *m; const uint32_t *w; int32_t exact, plain, words, o_n; } layer;

/* Filters o and o + 1 (if there) by plain C. Sums are a in s[0..2] and b in s[3..5]. */
static const uint32_t *any_sums(const layer *l, const uint32_t *w, const uint32_t *x, int32_t o, int32_t *s)
{
	for (int32_t i = 0; i < 2 * TILE; i++) s[i] = i < TILE ? l->b[o] : o + 1 < l->o_n ? l->b[o + 1] : 0;
	for (int32_t j = 0; j < l->words; j++, w++)
		for (int32_t i = 0; i < TILE; i++) cop_two_filters(*w, *x++, l->exact, &s[i], &s[TILE + i]);
	return w;
}

static void any_finish(const layer *l, const int32_t *s, int32_t o, int8_t *y, int32_t n)
{
	for (int32_t i = 0; i < n; i++, y += l->o_n) {
		y[0] = cop_finish(l->k, l->m, o, s[i]);
		if (o + 1 < l->o_n) y[1] = cop_finish(l->k, l->m, o + 1, s[TILE + i]);
	}
}

/* The results of n pixels (1 to TILE) at y from the windows x. The last pixels of a short tile are rubbish; they go where
 * the first one's results then overwrite them. */
static void tile(const layer *l, const uint32_t *windows, int8_t *y, int32_t n)
{
	const uint32_t *w = l->w;
	int32_t o = 0, s[2 * TILE];

#if COP_DSP
	const uint32_t *end = windows + TILE * l->words;
	int32_t y1 = n > 1 ? l->o_n : 0, y2 = n > 2 ? 2 * l->o_n : 0, skip = (-(l->words / 2) & (UNROLL - 1)) * STEP_BYTES;

	for (int32_t last = l->exact ? l->o_n - 1 : 0; o < last; o += 2, y += 2) {
		const uint32_t *x = windows;
		const int32_t *b = l->b + o, *m = l->m + o;
		int32_t a0 = b[0], a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;
		SUMS(w, x, end, skip, a0, a1, a2, b0, b1, b2);
		b0 = b[1] + ((b0 - a0) >> 8);
		b1 = b[1] + ((b1 - a1) >> 8);
		b2 = b[1] + ((b2 - a2) >> 8);
		if (l->plain) {
			int32_t ma = m[0], mb = m[1], zero = l->k[QK_ZY];
			y[y2] = (int8_t)cop_sat8(cop_scale_add(a2, ma, zero));
			y[y2 + 1] = (int8_t)cop_sat8(cop_scale_add(b2, mb, zero));
			y[y1] = (int8_t)cop_sat8(cop_scale_add(a1, ma, zero));
			y[y1 + 1] = (int8_t)cop_sat8(cop_scale_add(b1, mb, zero));
			y[0] = (int8_t)cop_sat8(cop_scale_add(a0, ma, zero));
			y[1] = (int8_t)cop_sat8(cop_scale_add(b0, mb, zero));
		} else {
			s[0] = a0, s[1] = a1, s[2] = a2, s[3] = b0, s[4] = b1, s[5] = b2;
			any_finish(l, s, o, y, n);
		}
	}
#endif
	for (; o < l->o_n; o += 2, y += 2) {
		w = any_sums(l, w, windows, o, s);
		any_finish(l, s, o, y, n);
	}
}

/* ---- windows ---- */

/* A run of window row i that sticks out of the image on the left or right, put together in `row`. */
static const int8_t *edge(const int32_t *k, const int8_t *line, int32_t w0, int8_t *row)
{
	int32_t c_n = k[CK_C];
	int8_t *d = row;

	for (int32_t w = w0; w < w0 + k[CK_KW]; w++)
		for (int32_t c = 0; c < c_n; c++) *d++ = (int8_t)(w >= 0 && w < k[CK_W] ? line[w * c_n + c] : k[QK_ZX]);
	return row;
}

/* The window whose corner is (h0, w0) of an image, into every TILE-th word of d. */
static void window(const int32_t *k, const int8_t *image, int32_t h0, int32_t w0, uint32_t *d, int8_t *row)
{
	int32_t line = k[CK_W] * k[CK_C], run = k[CK_KW] * k[CK_C], inside = w0 >= 0 && w0 + k[CK_KW] <= k[CK_W];
	uint32_t padding = (uint32_t)(uint16_t)k[QK_ZX] * 0x10001u;

	for (int32_t i = k[CK_KH], h = h0; i; i--, h += k[CK_DH]) {
		if (h >= 0 && h < k[CK_H]) d = cop_expand(d, inside ? image + h * line + w0 * k[CK_C] : edge(k, image + h * line, w0, row), run, TILE);
		else for (int32_t j = cop_run_words(run); j; j--, d += TILE) *d = padding;
	}
}

/* ---- the layer ---- */

static layer begin(const cop_call *c, int32_t words)
{
	const uint32_t *pack = c->pack;
	return (layer){c->k, c->buf[3], c->buf[4], pack + 1, *pack == PACK_EXACT, cop_plain_scale(c->k), words, c->k[CK_O]};
}

void cop_qconv_dsp(const cop_call *c)
{
	const int32_t *k = c->k;
	int32_t pixels = k[CK_N] * k[CK_OH] * k[CK_OW], from = cop_from(c, pixels, TILE), to = cop_to(c, pixels, TILE);
	int32_t words = (k[CK_KH] * cop_run_words(k[CK_KW] * k[CK_C]) + 1) & ~1;
	int32_t ow = from % k[CK_OW], r = from / k[CK_OW], oh = r % k[CK_OH];
	const int8_t *image = (const int8_t *)c->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]);
	int8_t *y = (int8_t *)c->buf[0] + (size_t)from * (size_t)k[CK_O];
	uint32_t *x = c->work;
	layer l = begin(c, words);

	for (int32_t i = 0; i < TILE; i++) x[TILE * (words - 1) + i] = 0; /* there when the number is odd */
	for (int32_t p = from; p < to; p += TILE, y += TILE * k[CK_O]) {
		int32_t n = to - p < TILE ? to - p : TILE;
		for (int32_t i = 0; i < n; i++) {
			window(k, image, oh * k[CK_SH] - k[CK_PT], ow * k[CK_SW] - k[CK_PL], x + i, (int8_t *)(x + TILE * words));
			if (++ow < k[CK_OW]) continue;
			ow = 0;
			if (++oh < k[CK_OH]) continue;
			oh = 0;
			image += k[CK_H] * k[CK_W] * k[CK_C];
		}
		tile(&l, x, y, n);
	}
}

/* Three pixels of n channels, at x, x1 and x2, to words that take turns. */
static void expand3(uint32_t *d, const int8_t *x, const int8_t *x1, const int8_t *x2, int32_t n)
{
	for (; n >= 4; n -= 4, x += 4, x1 += 4, x2 += 4, d += 2 * TILE) {
		uint32_t u = cop_load4(x), v = cop_load4(x1), t = cop_load4(x2);
		d[0] = cop_even(u);
		d[1] = cop_even(v);
		d[2] = cop_even(t);
		d[3] = cop_odd(u);
		d[4] = cop_odd(v);
		d[5] = cop_odd(t);
	}
	if (!n) return;
	cop_expand(d, x, n, TILE);
	cop_expand(d + 1, x1, n, TILE);
	cop_expand(d + 2, x2, n, TILE);
}

/* One tap, stride 1: windows are pixels, without a border. */
void cop_qconv_point_dsp(const cop_call *c)
{
	const int32_t *k = c->k;
	int32_t pixels = k[CK_N] * k[CK_OH] * k[CK_OW], from = cop_from(c, pixels, TILE), to = cop_to(c, pixels, TILE);
	int32_t words = (cop_run_words(k[CK_C]) + 1) & ~1, c_n = k[CK_C];
	const int8_t *image = (const int8_t *)c->buf[1] + (size_t)from * (size_t)c_n;
	int8_t *y = (int8_t *)c->buf[0] + (size_t)from * (size_t)k[CK_O];
	uint32_t *x = c->work;
	layer l = begin(c, words);

	for (int32_t i = 0; i < TILE; i++) x[TILE * (words - 1) + i] = 0; /* there when the number is odd */
	for (int32_t p = from; p < to; p += TILE, image += TILE * c_n, y += TILE * k[CK_O]) {
		int32_t n = to - p < TILE ? to - p : TILE;
		expand3(x, image, image + (n > 1 ? c_n : 0), image + (n > 2 ? 2 * c_n : 0), c_n);
		tile(&l, x, y, n);
	}
}
