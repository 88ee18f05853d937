/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv - int8 convolution for Cortex-M with DSP instructions, any window, stride, dilation and padding; groups one after the other.
 *
 * Three pixels at a time: their windows are widened to int16 in scratch, one word (two taps) of each in turn, then the filters run over
 * them (tile.h). Windows of a tile are read before its results are written, so that results may lie on input that later tiles don't need.
 */
#include "kernel/cortexm/tile.h"

/* ---- windows ---- */

COP_OUT_OF_LINE uint32_t *pad(uint32_t *d, int32_t words, int32_t v)
{
	uint32_t pair = (uint32_t)(uint16_t)v * 0x10001u;
	for (; words; words--, d += TILE) *d = pair;
	return d;
}

COP_OUT_OF_LINE uint32_t *expand(uint32_t *d, const int8_t *x, int32_t n) { return cop_expand(d, x, n, TILE); }

/* A run that may stick out of the image on the left or right. What is partly outside goes pixel by pixel where these are whole words;
 * else it is put together in `row`, which is there when runs have two pixels or more. */
static uint32_t *edge(const int32_t *k, const int8_t *line, int32_t w0, uint32_t *d, int8_t *row)
{
	int32_t c_n = k[CK_C], words = c_n >> 1, odd = c_n & 3, run = k[CK_KW] * c_n;
	int8_t *to = row;

	if (w0 >= 0 && w0 + k[CK_KW] <= k[CK_W]) return expand(d, line + w0 * c_n, run);
	if (w0 + k[CK_KW] <= 0 || w0 >= k[CK_W]) return pad(d, cop_run_words(run), k[QK_ZX]);
	for (int32_t w = w0; w < w0 + k[CK_KW]; w++) {
		int32_t in = w >= 0 && w < k[CK_W];
		if (!odd) d = in ? expand(d, line + w * c_n, c_n) : pad(d, words, k[QK_ZX]);
		else for (int32_t c = 0; c < c_n; c++) *to++ = (int8_t)(in ? line[w * c_n + c] : k[QK_ZX]);
	}
	return odd ? expand(d, row, (int32_t)(to - row)) : d;
}

/* The window whose corner is (h0, w0) of an image, into every TILE-th word of d; some of it lies in the padding. */
COP_OUT_OF_LINE void border(const int32_t *k, const int8_t *image, int32_t h0, int32_t w0, uint32_t *d, int8_t *row)
{
	int32_t words = cop_run_words(k[CK_KW] * k[CK_C]);

	for (int32_t i = k[CK_KH], h = h0; i; i--, h += k[CK_DH])
		d = h >= 0 && h < k[CK_H] ? edge(k, image + h * k[CK_W] * k[CK_C], w0, d, row) : pad(d, words, k[QK_ZX]);
}

/* All of it lies in the image, the corner at x: `rows` runs of n bytes, `next` bytes from one to the next. */
COP_OUT_OF_LINE void inside(const int8_t *x, int32_t rows, int32_t n, int32_t next, uint32_t *d)
{
	for (; rows; rows--, x += next) d = cop_expand(d, x, n, TILE);
}

/* Four channels of a pixel, widened into the windows that have it: the first at d, the others `apart` and 2 `apart` words on. */
static inline void spread4(uint32_t *d, uint32_t v, int32_t apart, int first, int second, int third)
{
	uint32_t even = cop_even(v), odd = cop_odd(v);

	if (first) d[0] = even, d[TILE] = odd;
	if (second) d[apart] = even, d[apart + TILE] = odd;
	if (third) d[2 * apart] = even, d[2 * apart + TILE] = odd;
}

/* A pixel of n channels, a multiple of 8. Returns where the next pixel goes. */
static inline uint32_t *spread(uint32_t *d, const int8_t *x, int32_t n, int32_t apart, int first, int second, int third)
{
	for (; n; n -= 8, x += 8, d += 4 * TILE) {
		uint32_t u = cop_load4(x), v = cop_load4(x + 4);
		spread4(d, u, apart, first, second, third);
		spread4(d + 2 * TILE, v, apart, first, second, third);
	}
	return d;
}

/* Three windows side by side, each a pixel of c_n channels further and all in the image: what two or three of them have is loaded and widened
 * once, as tap j of the first, j - 1 of the second, j - 2 of the third. kw: 2 and more. */
COP_OUT_OF_LINE void inside3(const int8_t *x, int32_t rows, int32_t kw, int32_t c_n, int32_t next, uint32_t *d)
{
	const int32_t taps = TILE * (c_n >> 1), apart = 1 - taps;

	for (; rows; rows--, x += next) {
		const int8_t *p = x;
		d = spread(d, p, c_n, apart, 1, 0, 0);
		d = spread(d, p += c_n, c_n, apart, 1, 1, 0);
		for (int32_t j = kw - 2; j; j--) d = spread(d, p += c_n, c_n, apart, 1, 1, 1);
		d = spread(d, p += c_n, c_n, apart, 0, 1, 1);
		d = spread(d, p + c_n, c_n, apart, 0, 0, 1) - 2 * taps;
	}
}

/* ---- the layer ---- */

/* One group, windows whose pixels of a row are neighbours. */
COP_OUT_OF_LINE void run_windows(const cop_call *c, const few *f)
{
	const int32_t *k = c->k;
	int32_t pixels = k[CK_N] * k[CK_OH] * k[CK_OW], kh = k[CK_KH], run = k[CK_KW] * k[CK_C], line = k[CK_W] * k[CK_C], words = kh * cop_run_words(run);
	int32_t next = k[CK_DH] * line, high = k[CK_H] - (kh - 1) * k[CK_DH], wide = k[CK_W] - k[CK_KW] + 1; /* corners of windows inside lie below these */
	int32_t h = -k[CK_PT], w = -k[CK_PL], w_end = w + k[CK_OW] * k[CK_SW], h_end = h + k[CK_OH] * k[CK_SH];
	const int8_t *image = c->buf[1];
	uint32_t *x = c->work;
	int32_t share = k[CK_SW] == 1 && k[CK_KW] > 1 && !(k[CK_C] & 7); /* pixels, by windows side by side */
	layer l = begin(c, words, f);
	int8_t *y = l.y;

	for (int32_t p = 0; p < pixels; p += TILE, y += TILE * l.step) {
		int32_t n = pixels - p < TILE ? pixels - p : TILE;
		int32_t three = share && n == TILE && h >= 0 && h < high && w >= 0 && w + TILE - 1 < wide && w + TILE <= w_end;
		if (three) inside3(image + h * line + w * k[CK_C], kh, k[CK_KW], k[CK_C], next, x);
		for (int32_t i = 0; i < n; i++) {
			if (three) ;
			else if (h >= 0 && h < high && w >= 0 && w < wide) inside(image + h * line + w * k[CK_C], kh, run, next, x + i);
			else border(k, image, h, w, x + i, (int8_t *)(x + TILE * l.words));
			if ((w += k[CK_SW]) < w_end) continue;
			w = -k[CK_PL];
			if ((h += k[CK_SH]) < h_end) continue;
			h = -k[CK_PT];
			image += k[CK_H] * line;
		}
		tile(&l, x, y, n);
	}
}

/* Three pixels of n channels, at x, x1 and x2, to words that take turns. */
#if COP_DSP
/* fours: of channels, 1 and more */
__attribute__((naked, noinline)) static void expand_fours(__attribute__((unused)) uint32_t *d, __attribute__((unused)) const int8_t *x, __attribute__((unused)) const int8_t *x1,
	__attribute__((unused)) const int8_t *x2, __attribute__((unused)) int32_t fours)
{
	__asm__("push {r4-r11, lr}\n ldr lr, [sp, #36]\n"
		"1: ldr r4, [r1], #4\n ldr r5, [r2], #4\n ldr r6, [r3], #4\n"
		"sxtb16 r7, r4\n sxtb16 r8, r5\n sxtb16 r9, r6\n sxtb16 r10, r4, ror #8\n sxtb16 r11, r5, ror #8\n sxtb16 r12, r6, ror #8\n"
		"stmia.w r0!, {r7-r12}\n subs.w lr, lr, #1\n bne 1b\n"
		"pop {r4-r11, pc}\n");
}
#else
static void expand_fours(uint32_t *d, const int8_t *x, const int8_t *x1, const int8_t *x2, int32_t fours)
{
	for (; fours; fours--, x += 4, x1 += 4, x2 += 4, d += 2 * TILE) {
		uint32_t u = cop_load4(x), v = cop_load4(x1), t = cop_load4(x2);
		d[0] = cop_even(u);
		d[1] = cop_even(v);
		d[2] = cop_even(t);
		d[3] = cop_odd(u);
		d[4] = cop_odd(v);
		d[5] = cop_odd(t);
	}
}
#endif

static void expand3(uint32_t *d, const int8_t *x, const int8_t *x1, const int8_t *x2, int32_t n)
{
	int32_t whole = n & ~3;

	if (whole) expand_fours(d, x, x1, x2, whole >> 2);
	if (whole == n) return;
	d += TILE * (whole >> 1);
	expand(d, x + whole, n - whole);
	expand(d + 1, x1 + whole, n - whole);
	expand(d + 2, x2 + whole, n - whole);
}

/* One tap, stride 1: windows are pixels, without a border. */
COP_OUT_OF_LINE void run_points(const cop_call *c, const few *f)
{
	const int32_t *k = c->k;
	int32_t words = cop_run_words(k[CK_C]), c_n = k[CK_C], left = k[CK_N] * k[CK_OH] * k[CK_OW];
	const int8_t *image = c->buf[1];
	uint32_t *x = c->work;
	layer l = begin(c, words, f);
	int8_t *y = l.y;

	for (; left >= TILE; left -= TILE, image += TILE * c_n, y += TILE * l.step) {
		expand3(x, image, image + c_n, image + 2 * c_n, c_n);
		tile(&l, x, y, TILE);
	}
	if (!left) return;
	expand3(x, image, image + (left > 1 ? c_n : 0), image, c_n);
	tile(&l, x, y, left);
}

/* ---- groups, and windows whose pixels lie apart ---- */

/* The window whose corner is (h0, w0), of c_n channels from where the image begins, into every TILE-th word of d. */
COP_OUT_OF_LINE void window(const int32_t *k, const int8_t *image, int32_t c_n, int32_t h0, int32_t w0, uint32_t *d, int8_t *row)
{
	int32_t kw = k[CK_KW], direct = kw == 1 || !(c_n & 3), words = cop_run_words(c_n);

	for (int32_t i = 0, h = h0; i < k[CK_KH]; i++, h += k[CK_DH]) {
		const int8_t *line = image + h * k[CK_W] * k[CK_C];
		int8_t *to = row;
		for (int32_t j = 0, w = w0; j < kw; j++, w += k[CK_DW]) {
			int32_t in = h >= 0 && h < k[CK_H] && w >= 0 && w < k[CK_W];
			const int8_t *x = line + w * k[CK_C];
			if (direct) d = in ? expand(d, x, c_n) : pad(d, words, k[QK_ZX]);
			else for (int32_t c = 0; c < c_n; c++) *to++ = (int8_t)(in ? x[c] : k[QK_ZX]);
		}
		if (!direct) d = expand(d, row, kw * c_n);
	}
}

/* The windows of results p to p + n. */
static void windows(const cop_call *c, int32_t group, int32_t c_n, int32_t p, int32_t n, uint32_t *x, int8_t *row)
{
	const int32_t *k = c->k;
	const int8_t *image = (const int8_t *)c->buf[1] + group * c_n;

	for (int32_t i = 0; i < n; i++, p++) {
		int32_t r = p / k[CK_OW], w = p % k[CK_OW], h = r % k[CK_OH];
		window(k, image + r / k[CK_OH] * (k[CK_H] * k[CK_W] * k[CK_C]), c_n, h * k[CK_SH] - k[CK_PT], w * k[CK_SW] - k[CK_PL], x + i, row);
	}
}

COP_OUT_OF_LINE void run_groups(const cop_call *c, const few *f)
{
	const int32_t *k = c->k;
	int32_t c_n = k[CK_C] / k[CK_G], words = k[CK_KH] * cop_run_words(k[CK_KW] * c_n), pixels = k[CK_N] * k[CK_OH] * k[CK_OW];
	uint32_t *x = c->work;
	const layer all = begin(c, words, f);

	for (int32_t p = 0; p < pixels; p += TILE) {
		int32_t n = pixels - p < TILE ? pixels - p : TILE;
		int8_t *y = all.y + p * all.step;
		layer l = all;
		for (int32_t g = 0; g < k[CK_G]; g++, y += l.o_n) {
			windows(c, g, c_n, p, n, x, (int8_t *)(x + TILE * l.words));
			tile(&l, x, y, n);
			l.b += l.o_n;
			l.m += l.o_n;
			l.w += (l.less[TILE] + (l.o_n - FEW_GROUP * l.less[TILE] + l.group - 1) / l.group) * (l.exact >= PACK_FEW ? l.words >> f->down : l.words);
#if COP_DSP
			l.all.b = l.b;
			l.all.m = l.m;
#endif
		}
	}
}

/* A firmware links what takes weights of 4 or of 2 bits apart only where it has such weights. */
void cop_qconv_dsp(const cop_call *c) { run_windows(c, NULL); }
void cop_qconv_point_dsp(const cop_call *c) { run_points(c, NULL); }
void cop_qconv_apart_dsp(const cop_call *c) { run_groups(c, NULL); }
void cop_qconv4_dsp(const cop_call *c) { run_windows(c, &nibbles); }
void cop_qconv4_point_dsp(const cop_call *c) { run_points(c, &nibbles); }
void cop_qconv4_apart_dsp(const cop_call *c) { run_groups(c, &nibbles); }
void cop_qconv2_dsp(const cop_call *c) { run_windows(c, &twos); }
void cop_qconv2_point_dsp(const cop_call *c) { run_points(c, &twos); }
void cop_qconv2_apart_dsp(const cop_call *c) { run_groups(c, &twos); }
