/* SPDX-License-Identifier: Apache-2.0
 *
 * qaddconv - int8 sums of distances, without groups, for x86 with AVX2: the bits of kernel/ref.
 *
 * vpsadbw adds the distances of eight unsigned bytes, so x and w are staged as q + 128. The same eight of x meet those of four output channels,
 * one in each lane of 64 bits: weights are packed [panel][eight of x][2][4][8], where a panel is eight channels in the order 0 1 4 5, 2 3 6 7,
 * in which halves of both are eight lanes of 32 bits in order. Behind the last tap both are 0.
 */
#include "kernel/qvec/qvec.h"

#if PAIRS && VW == 8 && !defined(QPLAIN)

enum { PANEL = 8, EIGHT = 8, PIXELS = 4 };

bool VN(qaddconv_fits)(const int32_t *k) { return k[CK_G] == 1; }

static long panels(const int32_t *k) { return (k[CK_O] + PANEL - 1) / PANEL; }
static long taps_of(const int32_t *k) { return (long)k[CK_KH] * k[CK_KW] * k[CK_C]; }
static long eights(const int32_t *k) { return (taps_of(k) + EIGHT - 1) / EIGHT; }
static long window(const int32_t *k) { return up_to(eights(k) * EIGHT, 32) + 32; } /* of a pixel; stores are of whole vectors */

size_t VN(qaddconv_work)(const int32_t *k) { return (size_t)(PIXELS * window(k)); }
size_t VN(qaddconv_pack_bytes)(const int32_t *k) { return (size_t)(panels(k) * eights(k) * PANEL * EIGHT); }

void VN(qaddconv_pack)(const cop_call *c)
{
	static const int8_t channel[PANEL] = {0, 1, 4, 5, 2, 3, 6, 7};
	const int32_t *k = c->k, all = (int32_t)panels(k);
	const long taps = taps_of(k), each = eights(k) * PANEL * EIGHT;

	for (long q = cop_from(c, all, 1); q < cop_to(c, all, 1); q++)
		for (long i = 0; i < each; i++) {
			long o = q * PANEL + channel[i / EIGHT % PANEL], tap = i / (PANEL * EIGHT) * EIGHT + i % EIGHT;
			((uint8_t *)c->work)[q * each + i] = o < k[CK_O] && tap < taps ? (uint8_t)(((const int8_t *)c->buf[2])[o * taps + tap] ^ -128) : 0;
		}
}

/* What pixel ow of row oh meets. */
static void gather(uint8_t *d, const int32_t *k, const int8_t *image, long oh, long ow)
{
	const __m256i sign = _mm256_set1_epi8(-128);

	for (long tap = 0; tap < (long)k[CK_KH] * k[CK_KW]; tap++, d += k[CK_C]) {
		long h = oh * k[CK_SH] - k[CK_PT] + tap / k[CK_KW] * k[CK_DH], at = ow * k[CK_SW] - k[CK_PL] + tap % k[CK_KW] * k[CK_DW];
		const int8_t *x = h >= 0 && h < k[CK_H] && at >= 0 && at < k[CK_W] ? image + (h * k[CK_W] + at) * k[CK_C] : NULL;
		for (long i = 0; i < k[CK_C]; i += 32) {
			__m256i v = x ? _mm256_loadu_si256((const void *)(x + i)) : _mm256_set1_epi8((int8_t)k[QK_ZX]);
			_mm256_storeu_si256((void *)(d + i), _mm256_xor_si256(v, sign));
		}
	}
	memset(d, 0, EIGHT);
}

/* Panel q of n pixels, which lie in x, `pitch` apart. */
AI void panel(const int n, const cop_call *c, int8_t *y, const uint8_t *x, long pitch, long q, const rule *r)
{
	const int32_t *k = c->k, *b = (const int32_t *)c->buf[3] + q * PANEL, *m = (const int32_t *)c->buf[4] + q * PANEL;
	const long many = eights(k);
	const uint8_t *w = (const uint8_t *)c->pack + q * many * PANEL * EIGHT;
	__m256i sum[2 * PIXELS];
	vi a[PIXELS];

	UNROLL
	for (int i = 0; i < 2 * n; i++) sum[i] = _mm256_setzero_si256();
	for (long e = 0; e < many; e++, x += EIGHT, w += PANEL * EIGHT) {
		__m256i w0 = _mm256_loadu_si256((const void *)w), w1 = _mm256_loadu_si256((const void *)(w + 32));
		UNROLL
		for (int p = 0; p < n; p++) {
			__m256i eight = _mm256_castpd_si256(_mm256_broadcast_sd((const void *)(x + p * pitch)));
			sum[2 * p] = _mm256_add_epi64(sum[2 * p], _mm256_sad_epu8(eight, w0));
			sum[2 * p + 1] = _mm256_add_epi64(sum[2 * p + 1], _mm256_sad_epu8(eight, w1));
		}
	}
	UNROLL
	for (int p = 0; p < n; p++)
		a[p] = (vi)((vw)LDI(b) - (vw)_mm256_shuffle_ps(_mm256_castsi256_ps(sum[2 * p]), _mm256_castsi256_ps(sum[2 * p + 1]), 0x88));
	requant(n, 1, a, m, m, r);
	UNROLL
	for (int p = 0; p < n; p++) put(y + p * k[CK_O] + q * PANEL, a[p], lmin(PANEL, k[CK_O] - q * PANEL), r);
}

AI void pixels(const int n, const cop_call *c, int8_t *y, const int8_t *image, long oh, long ow, const rule *r)
{
	const long pitch = window(c->k);
	uint8_t *x = c->work;

	for (int p = 0; p < n; p++) gather(x + p * pitch, c->k, image, oh, ow + p);
	for (long q = 0; q < panels(c->k); q++) panel(n, c, y + ow * c->k[CK_O], x, pitch, q, r);
}

void VN(qaddconv_i8)(const cop_call *c)
{
	const int32_t *k = c->k, rows = k[CK_N] * k[CK_OH], to = cop_to(c, rows, 1);
	const rule r = {.zy = k[QK_ZY], .up = k[QK_UP], .lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]};

	for (int32_t i = cop_from(c, rows, 1); i < to; i++) {
		const int8_t *image = (const int8_t *)c->buf[1] + (long)(i / k[CK_OH]) * k[CK_H] * k[CK_W] * k[CK_C];
		int8_t *y = (int8_t *)c->buf[0] + (long)i * k[CK_OW] * k[CK_O];
		long ow = 0;
		for (; ow + PIXELS <= k[CK_OW]; ow += PIXELS) pixels(PIXELS, c, y, image, i % k[CK_OH], ow, &r);
		for (; ow < k[CK_OW]; ow++) pixels(1, c, y, image, i % k[CK_OH], ow, &r);
	}
}

#endif
