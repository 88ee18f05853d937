/* SPDX-License-Identifier: Apache-2.0
 *
 * addconv - sums of distances and the gradient of what they read, without groups. Each sum is added in the order of kernel/ref.
 *
 * Forward, vectors run along output channels, for which the weights are packed in panels of two vectors, [panel][KH, KW, C][2 VW]; blocks of
 * pixels share them. Of the gradient they run along input channels, and weights are read as they lie.
 */
#include "kernel/vec/vmath.h"

enum { PANEL = 2 * VW, PIXELS = 4 };

bool VN(addconv_fits)(const int32_t *k) { return k[CK_G] == 1; }

/* ---- forward ---- */

static long panels(const int32_t *k) { return (k[CK_O] + PANEL - 1) / PANEL; }
static long taps_of(const int32_t *k) { return (long)k[CK_KH] * k[CK_KW] * k[CK_C]; }

size_t VN(addconv_pack_bytes)(const int32_t *k) { return (size_t)(panels(k) * taps_of(k) * PANEL) * sizeof(float); }

void VN(addconv_pack)(const cop_call *c)
{
	const int32_t *k = c->k, all = (int32_t)panels(k);
	const long n = taps_of(k);

	for (long q = cop_from(c, all, 1); q < cop_to(c, all, 1); q++) {
		float *to = (float *)c->work + q * n * PANEL;
		for (long i = 0; i < n * PANEL; i++) {
			long o = q * PANEL + i % PANEL;
			to[i] = o < k[CK_O] ? ((const float *)c->buf[2])[o * n + i / PANEL] : 0;
		}
	}
}

/* Zeros, in the place of a pixel outside. */
size_t VN(addconv_work)(const int32_t *k) { return (size_t)k[CK_C] * sizeof(float); }

AI v distance(v a, v b) { return (v)((vi)(a - b) & splati(0x7fffffff)); }

/* n pixels from ow on of row oh, output channels of panel q; sum[n][2]. */
AI void block(const int n, v *sum, const cop_call *c, const float *image, long oh, long ow, long q)
{
	const int32_t *k = c->k;
	const float *w = (const float *)c->pack + q * taps_of(k) * PANEL;

	UNROLL
	for (int i = 0; i < 2 * n; i++) sum[i] = (v){0};
	for (long tap = 0; tap < (long)k[CK_KH] * k[CK_KW]; tap++) {
		const float *x[PIXELS];
		UNROLL
		for (int p = 0; p < n; p++) {
			long h = oh * k[CK_SH] - k[CK_PT] + tap / k[CK_KW] * k[CK_DH], at = (ow + p) * k[CK_SW] - k[CK_PL] + tap % k[CK_KW] * k[CK_DW];
			x[p] = h >= 0 && h < k[CK_H] && at >= 0 && at < k[CK_W] ? image + (h * k[CK_W] + at) * k[CK_C] : c->work;
		}
		for (long i = 0; i < k[CK_C]; i++, w += PANEL) {
			v a = LD(w), b = LD(w + VW);
			UNROLL
			for (int p = 0; p < n; p++) {
				v xx = splat(x[p][i]);
				sum[2 * p] += distance(xx, a), sum[2 * p + 1] += distance(xx, b);
			}
		}
	}
}

/* A vector of sums, of channels o and on, as the result. */
AI void finish(const cop_call *c, float *y, v sum, long o)
{
	const float *s = c->buf[3], *b = c->buf[4];

	if (o >= c->k[CK_O]) return;
	sum = s ? LD(s + o) * -sum + LD(b + o) : -sum;
	put(y + o, clamp(sum, splat(cop_f(c->k[CK_LO])), splat(cop_f(c->k[CK_HI]))), lmin(VW, c->k[CK_O] - o));
}

AI void pixels(const int n, const cop_call *c, const float *image, float *y, long oh, long ow)
{
	for (long q = 0; q < panels(c->k); q++) {
		v sum[2 * PIXELS];
		block(n, sum, c, image, oh, ow, q);
		UNROLL
		for (int i = 0; i < 2 * n; i++) finish(c, y + (ow + i / 2) * c->k[CK_O], sum[i], q * PANEL + i % 2 * VW);
	}
}

void VN(addconv_f32)(const cop_call *c)
{
	const int32_t *k = c->k, rows = k[CK_N] * k[CK_OH], to = cop_to(c, rows, 1);

	memset(c->work, 0, VN(addconv_work)(k));
	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const float *image = (const float *)c->buf[1] + (long)(r / k[CK_OH]) * k[CK_H] * k[CK_W] * k[CK_C];
		float *y = (float *)c->buf[0] + (long)r * k[CK_OW] * k[CK_O];
		long ow = 0;
		for (; ow + PIXELS <= k[CK_OW]; ow += PIXELS) pixels(PIXELS, c, image, y, r % k[CK_OH], ow);
		for (; ow < k[CK_OW]; ow++) pixels(1, c, image, y, r % k[CK_OH], ow);
	}
}

/* ---- of x ---- */

/* Output position that reads input position `in` through a tap at `k`, or -1. */
AI long source(long in, long pad, long k, long stride, long out)
{
	long at = in + pad - k;
	return at >= 0 && at % stride == 0 && at / stride < out ? at / stride : -1;
}

/* n channels from c on of input pixel (h, at), whose values are x. */
AI v slope(const int32_t *k, const float *dy, const float *w, v x, long h, long at)
{
	const long filter = taps_of(k);
	v sum = {0}, one = splat(1);

	for (long tap = 0; tap < (long)k[CK_KH] * k[CK_KW]; tap++) {
		long oh = source(h, k[CK_PT], tap / k[CK_KW] * k[CK_DH], k[CK_SH], k[CK_OH]), ow = source(at, k[CK_PL], tap % k[CK_KW] * k[CK_DW], k[CK_SW], k[CK_OW]);
		if (oh < 0 || ow < 0) continue;
		const float *d = dy + (oh * k[CK_OW] + ow) * k[CK_O], *f = w + tap * k[CK_C];
		for (long o = 0; o < k[CK_O]; o++, f += filter) sum += splat(d[o]) * clamp(LD(f) - x, -one, one);
	}
	return sum;
}

void VN(addconv_dx_f32)(const cop_call *c)
{
	const int32_t *k = c->k, rows = k[CK_N] * k[CK_H], to = cop_to(c, rows, 1);

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const float *dy = (const float *)c->buf[1] + (long)(r / k[CK_H]) * k[CK_OH] * k[CK_OW] * k[CK_O];
		for (long at = 0; at < k[CK_W]; at++) {
			const long first = ((long)r * k[CK_W] + at) * k[CK_C];
			const float *x = (const float *)c->buf[2] + first, *w = c->buf[3];
			for (long i = 0; i < k[CK_C]; i += VW)
				put((float *)c->buf[0] + first + i, slope(k, dy, w + i, LD(x + i), r % k[CK_H], at), lmin(VW, k[CK_C] - i));
		}
	}
}
