/* SPDX-License-Identifier: Apache-2.0
 *
 * bconv - convolution of bits for Cortex-M with DSP instructions: nine instructions for 32 products. Each filter, and the
 * window of a pixel, is a line of whole triples of words; what lies behind its bits is 0 in both, and does not differ.
 */
#include "kernel/bits.h"
#include "kernel/cortexm/dsp.h"

static int32_t row_bytes(const int32_t *k) { return (k[CK_C] + 7) / 8; }
static int32_t words_of(const int32_t *k) { return (k[CK_KH] * k[CK_KW] * row_bytes(k) + 11) / 12 * 3; }

static bool inside(const int32_t *k)
{
	return !k[CK_PT] && !k[CK_PL] && (k[CK_OH] - 1) * k[CK_SH] + (k[CK_KH] - 1) * k[CK_DH] < k[CK_H] &&
		(k[CK_OW] - 1) * k[CK_SW] + (k[CK_KW] - 1) * k[CK_DW] < k[CK_W];
}

/* Padding that stands for nothing is the portable kernel's. */
bool cop_bconv_fits_dsp(const int32_t *k) { return k[BC_FILL] || inside(k); }
size_t cop_bconv_work_dsp(const int32_t *k) { return 4 * (size_t)words_of(k); }
size_t cop_bconv_pack_bytes_dsp(const int32_t *k) { return 4 * (size_t)words_of(k) * (size_t)k[CK_O]; }

/* Bytes of one tap, without what is behind the last channel. */
static void put_tap(uint8_t *to, const int32_t *k, const uint8_t *from)
{
	int32_t row = row_bytes(k);

	for (int32_t b = 0; b < row; b++) to[b] = from[b];
	if (k[CK_C] % 8) to[row - 1] = (uint8_t)(to[row - 1] & ((1 << k[CK_C] % 8) - 1));
}

static void pack(const cop_call *c, const uint8_t *w)
{
	const int32_t *k = c->k, taps = k[CK_KH] * k[CK_KW], row = row_bytes(k);
	uint8_t *to = c->work;

	for (size_t i = 0; i < cop_bconv_pack_bytes_dsp(k); i++) to[i] = 0;
	for (int32_t o = 0; o < k[CK_O]; o++, to += 4 * words_of(k))
		for (int32_t t = 0; t < taps; t++, w += row) put_tap(to + t * row, k, w);
}
void cop_bconv_pack_dsp(const cop_call *c) { pack(c, c->buf[2]); }
void cop_qbconv_add_pack_dsp(const cop_call *c) { pack(c, c->buf[3]); }

#if COP_DSP
/* Ones of r6 and twice those of r3, in fours of bits: masks in r10 and r11. */
#define FOURS(v) "and r7, r10, " v ", lsr #1\n sub " v ", " v ", r7\n and r7, r11, " v ", lsr #2\n and " v ", " v ", r11\n add " v ", " v ", r7\n"

/* In how many bits two lines differ, x up to its end: a full adder makes ones (r6) and twos (r3) of three words. */
__attribute__((naked, noinline)) static int32_t differ(__attribute__((unused)) const uint32_t *w, __attribute__((unused)) const uint32_t *x,
	__attribute__((unused)) const uint32_t *end)
{
	__asm__("push {r4-r11, lr}\n mov r9, #0\n mov lr, #0\n mov r10, #0x55555555\n mov r11, #0x33333333\n mov r12, #0x0f0f0f0f\n"
		"1:\n ldmia.w r0!, {r3, r4, r5}\n ldmia.w r1!, {r6, r7, r8}\n"
		"eor r3, r3, r6\n eor r4, r4, r7\n eor r5, r5, r8\n"
		"eor r6, r3, r4\n and r3, r3, r4\n and r7, r6, r5\n orr r3, r3, r7\n eor r6, r6, r5\n" FOURS("r6") FOURS("r3")
		"add r6, r6, r3, lsl #1\n and r7, r12, r6, lsr #4\n and r6, r6, r12\n add r6, r6, r7\n usada8 r9, r6, lr, r9\n"
		"cmp r1, r2\n bne 1b\n mov r0, r9\n pop {r4-r11, pc}\n");
}
#else
static int32_t differ(const uint32_t *w, const uint32_t *x, const uint32_t *end)
{
	int32_t s = 0;

	while (x != end) {
		uint32_t v = *w++ ^ *x++;
		v -= v >> 1 & 0x55555555u;
		v = (v & 0x33333333u) + (v >> 2 & 0x33333333u);
		s += (int32_t)(((v + (v >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24);
	}
	return s;
}
#endif

static void stage(uint8_t *to, const int32_t *k, const uint8_t *x, int32_t oh, int32_t ow)
{
	int32_t row = row_bytes(k);

	for (int32_t i = 0; i < k[CK_KH]; i++)
		for (int32_t j = 0; j < k[CK_KW]; j++, to += row) {
			int32_t h = oh * k[CK_SH] - k[CK_PT] + i * k[CK_DH], w = ow * k[CK_SW] - k[CK_PL] + j * k[CK_DW];
			bool there = h >= 0 && h < k[CK_H] && w >= 0 && w < k[CK_W];
			if (there) {
				put_tap(to, k, x + (size_t)(h * k[CK_W] + w) * (size_t)row);
				continue;
			}
			for (int32_t b = 0; b < row; b++) to[b] = k[BC_FILL] > 0 ? 255 : 0;
			put_tap(to, k, to);
		}
}

/* Where results go, and what is made of sums: bits, where there are bounds t; bytes, where there are p; else nothing. r is added to bytes. */
typedef struct result {
	const int32_t *t;
	const cop_bend *p;
	int32_t *d;
	uint8_t *bit;
	int8_t *y;
	const int8_t *r;
} result;

/* The window of a pixel, and how many products a sum has. */
typedef struct window { const uint32_t *x, *end; int32_t words, n; } window;
static inline int32_t sum(const window *v, const uint32_t *w) { return v->n - 2 * differ(w, v->x, v->end); }

static void bits_of(int32_t o_n, const window *v, const uint32_t *w, const result *to)
{
	const int32_t *lo = to->t, *hi = lo + o_n;
	uint32_t bits = 0;

	for (int32_t o = 0; o < o_n; o++, w += v->words) {
		int32_t s = sum(v, w);
		bits |= (uint32_t)(lo[o] <= s && s <= hi[o]) << (o % 8);
		if (o % 8 == 7 || o == o_n - 1) to->bit[o / 8] = (uint8_t)bits, bits = 0;
	}
}

static void bytes_of(const int32_t *k, const window *v, const uint32_t *w, const result *to)
{
	const cop_bend *p = to->p;

	for (int32_t o = 0; o < k[CK_O]; o++, w += v->words) to->y[o] = cop_bent(sum(v, w), to->r ? to->r[o] : k[QC_ZR], &p[o], k);
}

static void pixel(const int32_t *k, const window *v, const uint32_t *w, const result *to)
{
	if (to->t) bits_of(k[CK_O], v, w, to);
	else if (to->p) bytes_of(k, v, w, to);
	else
		for (int32_t o = 0; o < k[CK_O]; o++, w += v->words) to->d[o] = sum(v, w);
}

/* On to the next pixel. */
static void next(result *to, int32_t o_n)
{
	if (to->d) to->d += o_n;
	if (to->bit) to->bit += (o_n + 7) / 8;
	if (to->y) to->y += o_n;
	if (to->r) to->r += o_n;
}

static void all_pixels(const cop_call *c, const uint8_t *x, result to)
{
	const int32_t *k = c->k, row = row_bytes(k);
	uint32_t *line = c->work;
	const window v = {line, line + words_of(k), words_of(k), k[CK_KH] * k[CK_KW] * k[CK_C]};

	for (int32_t i = v.words - 3; i < v.words; i++) line[i] = 0;
	for (int32_t n = 0; n < k[CK_N]; n++, x += k[CK_H] * k[CK_W] * row)
		for (int32_t oh = 0; oh < k[CK_OH]; oh++)
			for (int32_t ow = 0; ow < k[CK_OW]; ow++, next(&to, k[CK_O])) {
				stage((uint8_t *)line, k, x, oh, ow);
				pixel(k, &v, c->pack, &to);
			}
}

void cop_bconv_dsp(const cop_call *c)
{
	const int32_t *t = c->buf[3];
	all_pixels(c, c->buf[1], (result){.t = t, .d = t ? NULL : c->buf[0], .bit = t ? c->buf[0] : NULL});
}
void cop_qbconv_dsp(const cop_call *c) { all_pixels(c, c->buf[1], (result){.p = c->buf[3], .y = c->buf[0]}); }
void cop_qbconv_add_dsp(const cop_call *c) { all_pixels(c, c->buf[2], (result){.p = c->buf[4], .y = c->buf[0], .r = c->buf[1]}); }
