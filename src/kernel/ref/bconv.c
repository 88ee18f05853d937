/* SPDX-License-Identifier: Apache-2.0
 *
 * bconv - convolution of bits: sums of products of 1 and -1, by counting where two rows of bits differ, 32 at a time.
 */
#include "kernel/kernel.h"

/* Ones of a word: in pairs, in fours, in bytes, in all. */
static int32_t ones(uint32_t v)
{
	v -= v >> 1 & 0x55555555u;
	v = (v & 0x33333333u) + (v >> 2 & 0x33333333u);
	return (int32_t)(((v + (v >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24);
}

static uint32_t word(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* How many of n bits differ; x NULL: zeros. */
static int32_t differ(const uint8_t *x, const uint8_t *w, int32_t n)
{
	int32_t i = 0, s = 0;

	for (; i + 4 <= n / 8; i += 4) s += ones((x ? word(x + i) : 0) ^ word(w + i));
	for (; i * 8 < n; i++) {
		uint32_t byte = (uint32_t)(x ? x[i] : 0) ^ w[i];
		s += ones(n - i * 8 < 8 ? byte & ((1u << (n - i * 8)) - 1) : byte);
	}
	return s;
}

/* The sum of one result. x: the image; w: the filter. */
static int32_t dot(const int32_t *k, const uint8_t *x, const uint8_t *w, int32_t oh, int32_t ow)
{
	int32_t c = k[CK_C], bytes = (c + 7) / 8, s = 0;

	for (int32_t tap = 0; tap < k[CK_KH] * k[CK_KW]; tap++, w += bytes) {
		int32_t h = oh * k[CK_SH] - k[CK_PT] + tap / k[CK_KW] * k[CK_DH], v = ow * k[CK_SW] - k[CK_PL] + tap % k[CK_KW] * k[CK_DW];
		bool inside = h >= 0 && h < k[CK_H] && v >= 0 && v < k[CK_W];
		if (inside) s += c - 2 * differ(x + (size_t)(h * k[CK_W] + v) * (size_t)bytes, w, c);
		else s += k[BC_FILL] * (2 * differ(NULL, w, c) - c);
	}
	return s;
}

/* Sums of one pixel into d, or bits into y where there are bounds t. */
static void pixel(const cop_call *call, int32_t r, int32_t ow)
{
	const int32_t *k = call->k, *t = call->buf[3];
	int32_t o_n = k[CK_O], filter = k[CK_KH] * k[CK_KW] * ((k[CK_C] + 7) / 8);
	size_t at = (size_t)r * (size_t)k[CK_OW] + (size_t)ow;
	const uint8_t *x = (const uint8_t *)call->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * ((k[CK_C] + 7) / 8));
	const uint8_t *w = call->buf[2];
	int32_t *d = t ? NULL : (int32_t *)call->buf[0] + at * (size_t)o_n;
	uint8_t *y = t ? (uint8_t *)call->buf[0] + at * (size_t)((o_n + 7) / 8) : NULL;
	uint32_t bits = 0;

	for (int32_t o = 0; o < o_n; o++) {
		int32_t s = dot(k, x, w + (size_t)o * (size_t)filter, r % k[CK_OH], ow);
		if (!t) {
			d[o] = s;
			continue;
		}
		bits |= (uint32_t)(t[o] <= s && s <= t[o_n + o]) << (o % 8);
		if (o % 8 == 7 || o == o_n - 1) y[o / 8] = (uint8_t)bits, bits = 0;
	}
}

void cop_bconv(const cop_call *call)
{
	int32_t rows = call->k[CK_N] * call->k[CK_OH];

	for (int32_t r = cop_from(call, rows, 1), to = cop_to(call, rows, 1); r < to; r++)
		for (int32_t ow = 0; ow < call->k[CK_OW]; ow++) pixel(call, r, ow);
}
