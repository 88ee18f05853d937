/* SPDX-License-Identifier: Apache-2.0
 *
 * qwindow - int8 convolution for processors without DSP instructions: the bits of qconv.c, from the window of a pixel, so that the sums of all filters
 * run over neighbouring bytes. Two filters share the reading of a window.
 */
#include "kernel/window.h"

/* The sums of a window of n taps with the filter at w and the one `next` bytes on. */
static COP_APART void two(int32_t to[2], const int8_t *x, const int8_t *w, int32_t next, int32_t n)
{
	const int8_t *v = w + next;
	int32_t s = 0, t = 0;

	for (int32_t i = 0; i < n; i++) {
		s += x[i] * w[i];
		t += x[i] * v[i];
	}
	to[0] = s;
	to[1] = t;
}

/* Text of a device is short: it is there once. */
static COP_APART int8_t result(const cop_call *call, int32_t o, int32_t sum) { return cop_window_result(call, o, sum); }

/* Filters `o` to `end` with the window x. */
static void filters(const cop_call *call, int8_t *y, const int8_t *x, int32_t o, int32_t end)
{
	int32_t taps = call->k[CK_KH] * call->k[CK_KW] * (call->k[CK_C] / call->k[CK_G]), sum[2];
	const int8_t *w = (const int8_t *)call->buf[2] + o * taps;

	for (; o < end; o += 2, w += 2 * taps) {
		two(sum, x, w, o + 1 < end ? taps : 0, taps);
		y[o] = result(call, o, sum[0]);
		if (o + 1 < end) y[o + 1] = result(call, o + 1, sum[1]);
	}
}

/* The sum of a window of n taps, `step` bytes from one to the next, with a filter. */
static COP_APART int32_t one(const int8_t *x, int32_t step, const int8_t *w, int32_t n)
{
	int32_t s = 0;

	for (const int8_t *end = w + n; w < end; x += step) s += *x * *w++;
	return s;
}

/* Groups of one channel: a window of all of them. */
static void depthwise(const cop_call *call, int8_t *y, const int8_t *x)
{
	int32_t c_n = call->k[CK_C], each = call->k[CK_O] / c_n, taps = call->k[CK_KH] * call->k[CK_KW], o = 0;
	const int8_t *w = call->buf[2];

	for (int32_t c = 0; c < c_n; c++)
		for (int32_t end = o + each; o < end; o++, w += taps) y[o] = result(call, o, one(x + c, c_n, w, taps));
}

/* Output pixel (oh, ow) of an image, all of its channels. */
static void pixel(const cop_call *call, int8_t *y, const int8_t *image, int32_t oh, int32_t ow)
{
	int32_t cg = call->k[CK_C] / call->k[CK_G], deep = call->k[CK_G] > 1 && cg == 1, groups = deep ? 1 : call->k[CK_G], each = call->k[CK_O] / groups;

	for (int32_t g = 0; g < groups; g++) {
		const int8_t *x = cop_window(call->work, call->k, image + g * cg, deep ? call->k[CK_C] : cg, oh, ow);
		if (deep) depthwise(call, y, x);
		else filters(call, y, x, g * each, (g + 1) * each);
	}
}

void cop_qwindow_i8(const cop_call *call) { cop_window_pixels(call, pixel); }
