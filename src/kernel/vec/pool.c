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

/* The windows, of n, that cover padded pixel `at`. */
AI span windows(long at, long stride, long size, long n)
{
	return (span){at < size ? 0 : (at - size) / stride + 1, lmin(n, at / stride + 1)};
}

/* The same without a division: moves s on as `at` grows; s starts at {0, 0}. */
AI void slide(span *s, long at, long stride, long size, long n)
{
	while (s->from < n && s->from * stride + size <= at) s->from++;
	while (s->to < n && s->to * stride <= at) s->to++;
}

AI bool single(span h, span w) { return h.to - h.from == 1 && w.to - w.from == 1; }

/* ---- maximum ---- */

/* NV vectors of channels of one window: h and w are its taps inside the image, x its first pixel were it all inside.
 * K: the window is K x K and whole; 0 if that is not known. */
AI void max_block(const int K, const int NV, const bool with_at, float *y, uint8_t *at, const float *x, const int32_t *k, span h, span w,
	long n)
{
	const long C = k[PK_C], pitch = k[PK_W] * C;
	v m[4];
	vi where[4];

	if (K) h = w = (span){0, K};
	UNROLL
	for (int i = 0; i < NV; i++) {
		m[i] = LD(x + h.from * pitch + w.from * C + i * VW);
		where[i] = splati((int32_t)(h.from * k[PK_KW] + w.from));
	}
	for (long r = h.from; r < h.to; r++)
		for (long t = w.from; t < w.to; t++) {
			const float *p = x + r * pitch + t * C;
			const vi tap = splati((int32_t)(r * (K ? K : k[PK_KW]) + t));
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

AI void max_pixel(const int K, const bool with_at, float *y, uint8_t *at, const float *x, const int32_t *k, span h, span w)
{
	const long C = k[PK_C];
	long i = 0;

	for (; i + 4 * VW <= C; i += 4 * VW)
		max_block(K, 4, with_at, y + i, with_at ? at + i : NULL, x + i, k, h, w, VW);
	for (; i < C; i += VW)
		max_block(K, 1, with_at, y + i, with_at ? at + i : NULL, x + i, k, h, w, lmin(VW, C - i));
}

AI void max_rows(const cop_call *c, const bool with_at)
{
	const int32_t *k = c->k, rows = k[PK_N] * k[PK_OH], to = cop_to(c, rows, 1), kh = k[PK_KH], kw = k[PK_KW];
	const long C = k[PK_C], OW = k[PK_OW];

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const long n = r / k[PK_OH], oh = r - n * k[PK_OH];
		const span h = taps(oh, k[PK_SH], k[PK_PT], kh, k[PK_H]);
		const float *x = (const float *)c->buf[2] + (n * k[PK_H] + oh * k[PK_SH] - k[PK_PT]) * k[PK_W] * C;

		for (long o = 0; o < OW; o++) {
			const span w = taps(o, k[PK_SW], k[PK_PL], kw, k[PK_W]);
			const float *xo = x + (o * k[PK_SW] - k[PK_PL]) * C;
			float *y = (float *)c->buf[0] + (r * OW + o) * C;
			uint8_t *at = with_at ? (uint8_t *)c->buf[1] + (r * OW + o) * C : NULL;
			if (h.from >= h.to || w.from >= w.to) { /* padding alone */
				vzero(y, C);
				if (at) memset(at, 255, (size_t)C);
				continue;
			}
			const bool whole = kh == kw && h.to - h.from == kh && w.to - w.from == kw;

			if (whole && kh == 2) max_pixel(2, with_at, y, at, xo, k, h, w);
			else if (whole && kh == 3) max_pixel(3, with_at, y, at, xo, k, h, w);
			else max_pixel(0, with_at, y, at, xo, k, h, w);
		}
	}
}

void VN(maxpool_f32)(const cop_call *c)
{
	if (c->buf[1]) max_rows(c, true);
	else max_rows(c, false);
}

/* Channels i on of one pixel of dx, at ih, iw of the padded image: dy where the window's maximum was here. */
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

static void max_grad_pixel(const int32_t *k, float *dx, const float *dy, const uint8_t *at, span h, span w, long ih, long iw)
{
	const long C = k[PK_C], o = (h.from * k[PK_OW] + w.from) * C;
	const vi tap = splati((int32_t)((ih - h.from * k[PK_SH]) * k[PK_KW] + iw - w.from * k[PK_SW]));
	long i = 0;

	if (single(h, w))
		for (; i + VW <= C; i += VW) ST(dx + i, (v)((vi)LD(dy + o + i) & (get_u8(at + o + i) == tap)));
	for (; i < C; i += VW) put(dx + i, max_gather(k, dy, at, h, w, ih, iw, i), lmin(VW, C - i));
}

void VN(maxpool_grad_f32)(const cop_call *c)
{
	const int32_t *k = c->k, rows = k[PK_N] * k[PK_H], to = cop_to(c, rows, 1);
	const long C = k[PK_C], W = k[PK_W];

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const long n = r / k[PK_H], ih = r - n * k[PK_H] + k[PK_PT], at = n * k[PK_OH] * k[PK_OW] * C;
		const span h = windows(ih, k[PK_SH], k[PK_KH], k[PK_OH]);
		span w = {0, 0};

		for (long iw = 0; iw < W; iw++) {
			slide(&w, iw + k[PK_PL], k[PK_SW], k[PK_KW], k[PK_OW]);
			max_grad_pixel(k, (float *)c->buf[0] + (r * W + iw) * C, (const float *)c->buf[1] + at,
				(const uint8_t *)c->buf[2] + at, h, w, ih, iw + k[PK_PL]);
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

AI float share_of(const int32_t *k, long oh, long ow)
{
	return share(k, taps(oh, k[PK_SH], k[PK_PT], k[PK_KH], k[PK_H]), taps(ow, k[PK_SW], k[PK_PL], k[PK_KW], k[PK_W]));
}

/* One pixel of dx: its share of each window over it. */
static void avg_grad_pixel(const int32_t *k, float *dx, const float *dy, span h, span w)
{
	const long C = k[PK_C];
	long i = 0;

	if (single(h, w)) {
		const float scale = share_of(k, h.from, w.from), *p = dy + (h.from * k[PK_OW] + w.from) * C;
		for (; i + VW <= C; i += VW) ST(dx + i, LD(p + i) * scale);
	}
	for (; i < C; i += VW) {
		v sum = {0};
		for (long oh = h.from; oh < h.to; oh++)
			for (long ow = w.from; ow < w.to; ow++)
				sum += LD(dy + (oh * k[PK_OW] + ow) * C + i) * share_of(k, oh, ow);
		put(dx + i, sum, lmin(VW, C - i));
	}
}

void VN(avgpool_grad_f32)(const cop_call *c)
{
	const int32_t *k = c->k, rows = k[PK_N] * k[PK_H], to = cop_to(c, rows, 1);
	const long C = k[PK_C], W = k[PK_W];

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const long n = r / k[PK_H], ih = r - n * k[PK_H];
		const float *dy = (const float *)c->buf[1] + n * k[PK_OH] * k[PK_OW] * C;
		const span h = windows(ih + k[PK_PT], k[PK_SH], k[PK_KH], k[PK_OH]);
		span w = {0, 0};

		for (long iw = 0; iw < W; iw++) {
			slide(&w, iw + k[PK_PL], k[PK_SW], k[PK_KW], k[PK_OW]);
			avg_grad_pixel(k, (float *)c->buf[0] + (r * W + iw) * C, dy, h, w);
		}
	}
}
