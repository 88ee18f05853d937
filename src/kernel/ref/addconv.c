/* SPDX-License-Identifier: Apache-2.0
 *
 * addconv - sums of L1 distances in place of products, and the gradient of what they read as AdderNet has it. One accumulator an element,
 * over kh, kw, c (forward), over kh, kw, o (of x). The padding holds zeros and counts.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"
#include "kernel/ref/taps.h"

/* The channels of the input at tap (kh, kw) of output (oh, ow), from channel c0 on; NULL: in the padding. */
static const float *tap_of(const int32_t *k, const float *image, int32_t oh, int32_t ow, int32_t kh, int32_t kw, int32_t c0)
{
	int32_t h = oh * k[CK_SH] - k[CK_PT] + kh * k[CK_DH], v = ow * k[CK_SW] - k[CK_PL] + kw * k[CK_DW];
	return h >= 0 && h < k[CK_H] && v >= 0 && v < k[CK_W] ? image + (size_t)(h * k[CK_W] + v) * (size_t)k[CK_C] + c0 : NULL;
}

static float distance(const int32_t *k, const float *image, const float *w, int32_t oh, int32_t ow, int32_t o)
{
	int32_t cg = k[CK_C] / k[CK_G], c0 = o / (k[CK_O] / k[CK_G]) * cg;
	float sum = 0;

	for (int32_t tap = 0; tap < k[CK_KH] * k[CK_KW]; tap++, w += cg) {
		const float *x = tap_of(k, image, oh, ow, tap / k[CK_KW], tap % k[CK_KW], c0);
		for (int32_t c = 0; c < cg; c++) sum += cop_absf(x ? x[c] - w[c] : w[c]);
	}
	return sum;
}

void cop_addconv_f32(const cop_call *call)
{
	const int32_t *k = call->k;
	const float *w = call->buf[2], *s = call->buf[3], *b = call->buf[4];
	int32_t o_n = k[CK_O], filter = k[CK_KH] * k[CK_KW] * (k[CK_C] / k[CK_G]), rows = k[CK_N] * k[CK_OH], to = cop_to(call, rows, 1);

	for (int32_t r = cop_from(call, rows, 1); r < to; r++) {
		const float *image = (const float *)call->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]);
		float *y = (float *)call->buf[0] + (size_t)r * (size_t)k[CK_OW] * (size_t)o_n;
		for (int32_t i = 0; i < k[CK_OW] * o_n; i++) {
			int32_t o = i % o_n;
			float sum = -distance(k, image, w + o * filter, r % k[CK_OH], i / o_n, o);
			y[i] = cop_clampf(s ? s[o] * sum + b[o] : sum, cop_f(k[CK_LO]), cop_f(k[CK_HI]));
		}
	}
}

/* Of channel c of input (h, v): x is its value, dy the image's gradient. */
static float input_slope(const int32_t *k, const float *dy, const float *w, float x, int32_t h, int32_t v, int32_t c)
{
	int32_t cg = k[CK_C] / k[CK_G], og = k[CK_O] / k[CK_G], filter = k[CK_KH] * k[CK_KW] * cg, first = c / cg * og;
	float sum = 0;

	for (int32_t tap = 0; tap < k[CK_KH] * k[CK_KW]; tap++) {
		int32_t oh = cop_tap_source(h, k[CK_PT], tap / k[CK_KW], k[CK_DH], k[CK_SH], k[CK_OH]), ow = cop_tap_source(v, k[CK_PL], tap % k[CK_KW], k[CK_DW], k[CK_SW], k[CK_OW]);
		if (oh < 0 || ow < 0) continue;
		const float *d = dy + (size_t)(oh * k[CK_OW] + ow) * (size_t)k[CK_O] + first, *f = w + first * filter + tap * cg + c % cg;
		for (int32_t o = 0; o < og; o++) sum += d[o] * cop_clampf(f[o * filter] - x, -1.0f, 1.0f);
	}
	return sum;
}

void cop_addconv_dx_f32(const cop_call *call)
{
	const int32_t *k = call->k;
	int32_t rows = k[CK_N] * k[CK_H], to = cop_to(call, rows, 1), run = k[CK_W] * k[CK_C];

	for (int32_t r = cop_from(call, rows, 1); r < to; r++) {
		const float *dy = (const float *)call->buf[1] + (size_t)(r / k[CK_H]) * (size_t)(k[CK_OH] * k[CK_OW] * k[CK_O]), *x = (const float *)call->buf[2] + (size_t)r * (size_t)run;
		float *dx = (float *)call->buf[0] + (size_t)r * (size_t)run;
		for (int32_t i = 0; i < run; i++) dx[i] = input_slope(k, dy, call->buf[3], x[i], r % k[CK_H], i / k[CK_C], i % k[CK_C]);
	}
}
