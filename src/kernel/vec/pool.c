/* SPDX-License-Identifier: Apache-2.0
 *
 * pool - maximum and average over windows, and their gradients, NHWC.
 *
 * Vectors run along channels. A gradient is gathered: each pixel of dx adds what the windows over it send, windows in
 * ascending order, so rows of dx are independent. Cut along rows of the result.
 */
#include "kernel/vec/vmath.h"

/* Windows or taps from .. to along one axis. */
typedef struct span { long from, to; } span;

/* The taps of window o that lie inside n pixels. */
AI span taps(long o, long stride, long pad, long size, long n)
{
	const long at = o * stride - pad;
	return (span){lmax(0, -at), lmin(size, n - at)};
}

/* The windows, of n, that cover pixel i. */
AI span windows(long i, long stride, long pad, long size, long n)
{
	const long at = i + pad;
	return (span){at < size ? 0 : (at - size) / stride + 1, lmin(n, at / stride + 1)};
}

/* ---- maximum ---- */

/* NV vectors of channels of one window: h and w are its taps inside the image, x its first pixel were it all inside. */
AI void max_block(const int NV, const bool with_at, float *y, uint8_t *at, const float *x, const int32_t *k, span h, span w,
	long n)
{
	const long C = k[PK_C], pitch = k[PK_W] * C;
	v m[4];
	vi where[4];

	UNROLL
	for (int i = 0; i < NV; i++) {
		m[i] = LD(x + h.from * pitch + w.from * C + i * VW);
		where[i] = splati((int32_t)(h.from * k[PK_KW] + w.from));
	}
	for (long r = h.from; r < h.to; r++)
		for (long t = w.from; t < w.to; t++) {
			const float *p = x + r * pitch + t * C;
			const vi tap = splati((int32_t)(r * k[PK_KW] + t));
			UNROLL
			for (int i = 0; i < NV; i++) {
				const v xx = LD(p + i * VW);
				if (with_at) where[i] = (vi)choose(xx > m[i], (v)tap, (v)where[i]);
				m[i] = vmax(xx, m[i]);
			}
		}
	UNROLL
	for (int i = 0; i < NV; i++) {
		put(y + i * VW, m[i], NV > 1 ? VW : n);
		if (with_at) put_u8(at + i * VW, where[i], NV > 1 ? VW : n);
	}
}

AI void max_rows(const cop_call *c, const bool with_at)
{
	const int32_t *k = c->k, rows = k[PK_N] * k[PK_OH], to = cop_to(c, rows, 1);
	const long C = k[PK_C], OW = k[PK_OW];

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const long n = r / k[PK_OH], oh = r - n * k[PK_OH];
		const span h = taps(oh, k[PK_SH], k[PK_PT], k[PK_KH], k[PK_H]);
		const float *x = (const float *)c->buf[2] + (n * k[PK_H] + oh * k[PK_SH] - k[PK_PT]) * k[PK_W] * C;

		for (long o = 0; o < OW; o++) {
			const span w = taps(o, k[PK_SW], k[PK_PL], k[PK_KW], k[PK_W]);
			const float *xo = x + (o * k[PK_SW] - k[PK_PL]) * C;
			float *y = (float *)c->buf[0] + (r * OW + o) * C;
			uint8_t *at = with_at ? (uint8_t *)c->buf[1] + (r * OW + o) * C : NULL;
			long i = 0;

			for (; i + 4 * VW <= C; i += 4 * VW)
				max_block(4, with_at, y + i, with_at ? at + i : NULL, xo + i, k, h, w, VW);
			for (; i < C; i += VW)
				max_block(1, with_at, y + i, with_at ? at + i : NULL, xo + i, k, h, w, lmin(VW, C - i));
		}
	}
}

void VN(maxpool_f32)(const cop_call *c)
{
	if (c->buf[1]) max_rows(c, true);
	else max_rows(c, false);
}

/* One pixel of dx: dy where the window's maximum was here. */
AI v max_gather(const int32_t *k, const float *dy, const uint8_t *at, span h, span w, long ih, long iw, long i)
{
	v sum = {0};

	for (long oh = h.from; oh < h.to; oh++)
		for (long ow = w.from; ow < w.to; ow++) {
			const long o = (oh * k[PK_OW] + ow) * k[PK_C] + i;
			const long tap = (ih - oh * k[PK_SH]) * k[PK_KW] + iw - ow * k[PK_SW];
			sum += (v)((vi)LD(dy + o) & (get_u8(at + o) == splati((int32_t)tap)));
		}
	return sum;
}

void VN(maxpool_grad_f32)(const cop_call *c)
{
	const int32_t *k = c->k, rows = k[PK_N] * k[PK_H], to = cop_to(c, rows, 1);
	const long C = k[PK_C], W = k[PK_W];

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const long n = r / k[PK_H], ih = r - n * k[PK_H], at = n * k[PK_OH] * k[PK_OW] * C;
		const span h = windows(ih, k[PK_SH], k[PK_PT], k[PK_KH], k[PK_OH]);

		for (long iw = 0; iw < W; iw++) {
			const span w = windows(iw, k[PK_SW], k[PK_PL], k[PK_KW], k[PK_OW]);
			float *dx = (float *)c->buf[0] + (r * W + iw) * C;

			for (long i = 0; i < C; i += VW)
				put(dx + i, max_gather(k, (const float *)c->buf[1] + at, (const uint8_t *)c->buf[2] + at, h, w,
					ih + k[PK_PT], iw + k[PK_PL], i), lmin(VW, C - i));
		}
	}
}

/* ---- average ---- */

AI float share(const int32_t *k, span h, span w)
{
	return 1.0f / (float)(k[PK_PADS] ? k[PK_KH] * k[PK_KW] : (h.to - h.from) * (w.to - w.from));
}

AI void avg_block(const int NV, float *y, const float *x, long C, long pitch, span h, span w, float scale, long n)
{
	v sum[4];

	UNROLL
	for (int i = 0; i < NV; i++) sum[i] = (v){0};
	for (long r = h.from; r < h.to; r++)
		for (long t = w.from; t < w.to; t++) {
			UNROLL
			for (int i = 0; i < NV; i++) sum[i] += LD(x + r * pitch + t * C + i * VW);
		}
	UNROLL
	for (int i = 0; i < NV; i++) put(y + i * VW, sum[i] * scale, NV > 1 ? VW : n);
}

void VN(avgpool_f32)(const cop_call *c)
{
	const int32_t *k = c->k, rows = k[PK_N] * k[PK_OH], to = cop_to(c, rows, 1);
	const long C = k[PK_C], OW = k[PK_OW], pitch = k[PK_W] * C;

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const long n = r / k[PK_OH], oh = r - n * k[PK_OH];
		const span h = taps(oh, k[PK_SH], k[PK_PT], k[PK_KH], k[PK_H]);
		const float *x = (const float *)c->buf[1] + (n * k[PK_H] + oh * k[PK_SH] - k[PK_PT]) * pitch;

		for (long o = 0; o < OW; o++) {
			const span w = taps(o, k[PK_SW], k[PK_PL], k[PK_KW], k[PK_W]);
			const float *xo = x + (o * k[PK_SW] - k[PK_PL]) * C, scale = share(k, h, w);
			float *y = (float *)c->buf[0] + (r * OW + o) * C;
			long i = 0;

			for (; i + 4 * VW <= C; i += 4 * VW) avg_block(4, y + i, xo + i, C, pitch, h, w, scale, VW);
			for (; i < C; i += VW) avg_block(1, y + i, xo + i, C, pitch, h, w, scale, lmin(VW, C - i));
		}
	}
}

/* dx of one pixel, channel i on: its share of each window over it. */
AI v avg_gather(const int32_t *k, const float *dy, span h, span w, long i)
{
	v sum = {0};

	for (long oh = h.from; oh < h.to; oh++)
		for (long ow = w.from; ow < w.to; ow++) {
			const float scale = share(k, taps(oh, k[PK_SH], k[PK_PT], k[PK_KH], k[PK_H]),
				taps(ow, k[PK_SW], k[PK_PL], k[PK_KW], k[PK_W]));
			sum += LD(dy + (oh * k[PK_OW] + ow) * k[PK_C] + i) * scale;
		}
	return sum;
}

void VN(avgpool_grad_f32)(const cop_call *c)
{
	const int32_t *k = c->k, rows = k[PK_N] * k[PK_H], to = cop_to(c, rows, 1);
	const long C = k[PK_C], W = k[PK_W];

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const long n = r / k[PK_H], ih = r - n * k[PK_H];
		const span h = windows(ih, k[PK_SH], k[PK_PT], k[PK_KH], k[PK_OH]);
		const float *dy = (const float *)c->buf[1] + n * k[PK_OH] * k[PK_OW] * C;

		for (long iw = 0; iw < W; iw++) {
			const span w = windows(iw, k[PK_SW], k[PK_PL], k[PK_KW], k[PK_OW]);
			float *dx = (float *)c->buf[0] + (r * W + iw) * C;

			for (long i = 0; i < C; i += VW) put(dx + i, avg_gather(k, dy, h, w, i), lmin(VW, C - i));
		}
	}
}
