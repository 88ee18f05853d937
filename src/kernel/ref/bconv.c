/* SPDX-License-Identifier: Apache-2.0
 *
 * bconv - convolution of bits: sums of products of 1 and -1, by counting where two rows of bits differ. The window of a
 * pixel is staged as one line, which every filter then meets; a second line says which of its bits count, where not all
 * do: those behind the last channel do not, nor does padding that stands for nothing.
 */
#include "kernel/bits.h"

/* A constant that is held in a register: on many processors it would take an instruction more each time. */
static inline uint32_t held(uint32_t v)
{
#if defined(__GNUC__)
	__asm__("" : "+r"(v));
#endif
	return v;
}

/* Every second bit; every second pair; every second four; the lowest bit of each byte. */
typedef struct masks {
	uint32_t bits, pairs, fours, bytes;
} masks;
static inline masks masks_of(void)
{
	return (masks){held(0x55555555u), held(0x33333333u), held(0x0f0f0f0fu), held(0x01010101u)};
}

static inline uint32_t word(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Ones in each four bits. */
static inline uint32_t fours(uint32_t v, const masks *m)
{
	v -= v >> 1 & m->bits;
	return (v & m->pairs) + (v >> 2 & m->pairs);
}

/* The sum of eight numbers of four bits. */
static inline int32_t all(uint32_t v, const masks *m)
{
	return (int32_t)(((v & m->fours) + (v >> 4 & m->fours)) * m->bytes >> 24);
}

/* How many bits differ. Three words at a time: a full adder leaves ones and twos. */
static int32_t differ(const uint8_t *x, const uint8_t *w, int32_t bytes)
{
	const masks m = masks_of();
	int32_t s = 0;
	uint32_t rest = 0;

	for (; bytes >= 12; bytes -= 12, x += 12, w += 12) {
		uint32_t a = word(x) ^ word(w), b = word(x + 4) ^ word(w + 4), c = word(x + 8) ^ word(w + 8), half = a ^ b;
		s += all(fours(half ^ c, &m) + 2 * fours((a & b) | (half & c), &m), &m);
	}
	for (; bytes >= 4; bytes -= 4, x += 4, w += 4) s += all(fours(word(x) ^ word(w), &m), &m);
	while (bytes-- > 0) rest = rest << 8 | (uint32_t)(x[bytes] ^ w[bytes]);
	return s + all(fours(rest, &m), &m);
}

/* The same of those bits that count. */
static int32_t differ_of(const uint8_t *x, const uint8_t *w, const uint8_t *counts, int32_t bytes)
{
	const masks m = masks_of();
	int32_t s = 0, i = 0;

	for (; i + 4 <= bytes; i += 4) s += all(fours((word(x + i) ^ word(w + i)) & word(counts + i), &m), &m);
	for (; i < bytes; i++) s += all(fours((uint32_t)((x[i] ^ w[i]) & counts[i]), &m), &m);
	return s;
}

/* Lines of one pixel: what is read, and what of it counts. */
typedef struct window {
	uint8_t *x, *counts;
	int32_t bytes, n; /* n: bits that count */
} window;

static void stage(window *v, const int32_t *k, const uint8_t *x, int32_t oh, int32_t ow)
{
	int32_t c = k[CK_C], row = (c + 7) / 8, at = 0;

	v->n = 0;
	for (int32_t i = 0; i < k[CK_KH]; i++)
		for (int32_t j = 0; j < k[CK_KW]; j++, at += row) {
			int32_t h = oh * k[CK_SH] - k[CK_PT] + i * k[CK_DH], w = ow * k[CK_SW] - k[CK_PL] + j * k[CK_DW];
			bool inside = h >= 0 && h < k[CK_H] && w >= 0 && w < k[CK_W], some = inside || k[BC_FILL];
			const uint8_t *from = x + (inside ? (size_t)(h * k[CK_W] + w) * (size_t)row : 0);
			for (int32_t b = 0; b < row; b++) {
				v->x[at + b] = inside ? from[b] : k[BC_FILL] > 0 ? 255 : 0;
				v->counts[at + b] = some ? 255 : 0;
			}
			if (some && c % 8) v->counts[at + row - 1] = (uint8_t)((1 << c % 8) - 1);
			v->n += some ? c : 0;
		}
}

/* Where results go, and what is made of sums: bits, where there are bounds t; bytes, where there are p; else nothing. r is added to bytes. */
typedef struct result {
	void *y;
	const int32_t *t;
	const cop_bend *p;
	const int8_t *r;
} result;

/* Of all channels of pixel `at`. */
static void pixel(const int32_t *k, const window *v, const uint8_t *w, const result *to, size_t at)
{
	int32_t o_n = k[CK_O];
	bool every = v->n == v->bytes * 8;
	size_t first = at * (size_t)o_n;
	uint8_t *row = (uint8_t *)to->y + at * (size_t)((o_n + 7) / 8);
	uint32_t bits = 0;

	for (int32_t o = 0; o < o_n; o++, w += v->bytes) {
		int32_t s = v->n - 2 * (every ? differ(v->x, w, v->bytes) : differ_of(v->x, w, v->counts, v->bytes));
		size_t i = first + (size_t)o;
		if (to->p) {
			((int8_t *)to->y)[i] = cop_bent(s, to->r ? to->r[i] : k[QC_ZR], &to->p[o], k);
		} else if (!to->t) {
			((int32_t *)to->y)[i] = s;
		} else {
			bits |= (uint32_t)(to->t[o] <= s && s <= to->t[o_n + o]) << (o % 8);
			if (o % 8 == 7 || o == o_n - 1) row[o / 8] = (uint8_t)bits, bits = 0;
		}
	}
}

size_t cop_bconv_work(const int32_t *k) { return 2 * (size_t)k[CK_KH] * (size_t)k[CK_KW] * (size_t)((k[CK_C] + 7) / 8); }

static void all_pixels(const cop_call *call, const uint8_t *x, const uint8_t *w, const result *y)
{
	const int32_t *k = call->k;
	int32_t rows = k[CK_N] * k[CK_OH], bytes = (int32_t)(cop_bconv_work(k) / 2);
	size_t image = (size_t)(k[CK_H] * k[CK_W]) * (size_t)((k[CK_C] + 7) / 8);
	window v = {call->work, (uint8_t *)call->work + bytes, bytes, 0};

	for (int32_t r = cop_from(call, rows, 1), to = cop_to(call, rows, 1); r < to; r++)
		for (int32_t ow = 0; ow < k[CK_OW]; ow++) {
			stage(&v, k, x + (size_t)(r / k[CK_OH]) * image, r % k[CK_OH], ow);
			pixel(k, &v, w, y, (size_t)r * (size_t)k[CK_OW] + (size_t)ow);
		}
}

void cop_bconv(const cop_call *c) { all_pixels(c, c->buf[1], c->buf[2], &(result){c->buf[0], c->buf[3], NULL, NULL}); }
void cop_qbconv(const cop_call *c) { all_pixels(c, c->buf[1], c->buf[2], &(result){c->buf[0], NULL, c->buf[3], NULL}); }
void cop_qbconv_add(const cop_call *c) { all_pixels(c, c->buf[2], c->buf[3], &(result){c->buf[0], NULL, c->buf[4], c->buf[1]}); }
