/* SPDX-License-Identifier: Apache-2.0
 *
 * pool - maximum and average over windows, NHWC. Padding is never the maximum; it counts in the average's divisor only
 * where PADS is set. The gradients gather: each input element sums what reached it, windows ascending.
 */
#include "kernel/kernel.h"

typedef struct win {
	int32_t h, w, c, oh, ow, kh, kw, sh, sw, pt, pl, pads;
} win;

static win window(const int32_t *k)
{
	return (win){k[PK_H], k[PK_W], k[PK_C], k[PK_OH], k[PK_OW], k[PK_KH], k[PK_KW], k[PK_SH], k[PK_SW], k[PK_PT],
	        k[PK_PL], k[PK_PADS]};
}

/* Taps of a window from position `at` on that lie within n. */
static int32_t first_tap(int32_t at) { return at < 0 ? -at : 0; }
static int32_t end_tap(int32_t at, int32_t k, int32_t n) { return k < n - at ? k : n - at; }

#define MAXPOOL(NAME, T)                                                                                        \
	void cop_maxpool_##NAME(const cop_call *call);                                                          \
	void cop_maxpool_##NAME(const cop_call *call)                                                           \
	{                                                                                                       \
		win p = window(call->k);                                                                        \
		int32_t rows = call->k[PK_N] * p.oh, from = cop_from(call, rows, 1), to = cop_to(call, rows, 1); \
		size_t out = (size_t)from * (size_t)(p.ow * p.c);                                               \
		uint8_t *at = call->buf[1];                                                                     \
		for (int32_t r = from; r < to; r++)                                                             \
			for (int32_t ow = 0; ow < p.ow; ow++) {                                                 \
				int32_t h0 = r % p.oh * p.sh - p.pt, w0 = ow * p.sw - p.pl;                     \
				int32_t i0 = first_tap(h0), i1 = end_tap(h0, p.kh, p.h), j0 = first_tap(w0), j1 = end_tap(w0, p.kw, p.w); \
				const T *x = (const T *)call->buf[2] + ((ptrdiff_t)(r / p.oh * p.h + h0) * p.w + w0) * p.c; \
				for (int32_t c = 0; c < p.c; c++, out++) {                                      \
					int32_t where = i0 * p.kw + j0;                                         \
					T best = x[(i0 * p.w + j0) * p.c + c];                                  \
					for (int32_t i = i0; i < i1; i++)                                       \
						for (int32_t j = j0; j < j1; j++) {                             \
							T v = x[(i * p.w + j) * p.c + c];                       \
							if (v > best) best = v, where = i * p.kw + j;           \
						}                                                               \
					((T *)call->buf[0])[out] = best;                                        \
					if (at) at[out] = (uint8_t)where;                                       \
				}                                                                               \
			}                                                                                       \
	}
MAXPOOL(f32, float)
MAXPOOL(i8, int8_t)
MAXPOOL(i16, int16_t)

/* Windows that cover input position h: [*from, *to). */
static void covering(int32_t h, int32_t pad, int32_t k, int32_t stride, int32_t out, int32_t *from, int32_t *to)
{
	int32_t first = h + pad - k + 1;
	*from = first <= 0 ? 0 : (first + stride - 1) / stride;
	*to = (h + pad) / stride + 1 < out ? (h + pad) / stride + 1 : out;
}

void cop_maxpool_grad_f32(const cop_call *call)
{
	win p = window(call->k);
	float *dx = call->buf[0];
	const float *dy = call->buf[1];
	const uint8_t *at = call->buf[2];
	int32_t rows = call->k[PK_N] * p.h, from = cop_from(call, rows, 1), to = cop_to(call, rows, 1), h0, h1, w0, w1;

	for (int32_t r = from; r < to; r++)
		for (int32_t w = 0; w < p.w; w++)
			for (int32_t c = 0; c < p.c; c++) {
				float s = 0;
				covering(r % p.h, p.pt, p.kh, p.sh, p.oh, &h0, &h1);
				covering(w, p.pl, p.kw, p.sw, p.ow, &w0, &w1);
				for (int32_t oh = h0; oh < h1; oh++)
					for (int32_t ow = w0; ow < w1; ow++) {
						size_t out = (((size_t)(r / p.h) * (size_t)p.oh + (size_t)oh) *
						                             (size_t)p.ow +
						                     (size_t)ow) *
						                     (size_t)p.c +
						             (size_t)c;
						int32_t tap =
						        (r % p.h + p.pt - oh * p.sh) * p.kw + w + p.pl - ow * p.sw;
						if (at[out] == tap) s += dy[out];
					}
				dx[((size_t)r * (size_t)p.w + (size_t)w) * (size_t)p.c + (size_t)c] = s;
			}
}

/* Elements of the window at (oh, ow) that count. */
static int32_t divisor(const win *p, int32_t oh, int32_t ow)
{
	int32_t h0 = oh * p->sh - p->pt, w0 = ow * p->sw - p->pl, h1 = h0 + p->kh, w1 = w0 + p->kw;

	if (p->pads) return p->kh * p->kw;
	h0 = h0 < 0 ? 0 : h0;
	w0 = w0 < 0 ? 0 : w0;
	h1 = h1 > p->h ? p->h : h1;
	w1 = w1 > p->w ? p->w : w1;
	return (h1 - h0) * (w1 - w0);
}

void cop_avgpool_f32(const cop_call *call)
{
	win p = window(call->k);
	float *y = call->buf[0];
	int32_t rows = call->k[PK_N] * p.oh, from = cop_from(call, rows, 1), to = cop_to(call, rows, 1);

	for (int32_t r = from; r < to; r++)
		for (int32_t ow = 0; ow < p.ow; ow++)
			for (int32_t c = 0; c < p.c; c++) {
				const float *x = (const float *)call->buf[1] +
				                 (size_t)(r / p.oh) * (size_t)(p.h * p.w * p.c) + c;
				float s = 0;
				for (int32_t k = 0; k < p.kh * p.kw; k++) {
					int32_t h = r % p.oh * p.sh - p.pt + k / p.kw, w = ow * p.sw - p.pl + k % p.kw;
					if (h >= 0 && h < p.h && w >= 0 && w < p.w) s += x[(h * p.w + w) * p.c];
				}
				y[((size_t)r * (size_t)p.ow + (size_t)ow) * (size_t)p.c + (size_t)c] =
				        s / (float)divisor(&p, r % p.oh, ow);
			}
}

void cop_avgpool_grad_f32(const cop_call *call)
{
	win p = window(call->k);
	float *dx = call->buf[0];
	const float *dy = call->buf[1];
	int32_t rows = call->k[PK_N] * p.h, from = cop_from(call, rows, 1), to = cop_to(call, rows, 1), h0, h1, w0, w1;

	for (int32_t r = from; r < to; r++)
		for (int32_t w = 0; w < p.w; w++)
			for (int32_t c = 0; c < p.c; c++) {
				float s = 0;
				covering(r % p.h, p.pt, p.kh, p.sh, p.oh, &h0, &h1);
				covering(w, p.pl, p.kw, p.sw, p.ow, &w0, &w1);
				for (int32_t oh = h0; oh < h1; oh++)
					for (int32_t ow = w0; ow < w1; ow++)
						s += dy[(((size_t)(r / p.h) * (size_t)p.oh + (size_t)oh) *
						                        (size_t)p.ow +
						                (size_t)ow) *
						                     (size_t)p.c +
						             (size_t)c] /
						     (float)divisor(&p, oh, ow);
				dx[((size_t)r * (size_t)p.w + (size_t)w) * (size_t)p.c + (size_t)c] = s;
			}
}
