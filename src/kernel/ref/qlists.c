/* SPDX-License-Identifier: Apache-2.0
 *
 * qlists - int8 convolution whose weights are 0 or +-2^p, without a shift for every weight: the bits of qconv.c. The taps of each filter are
 * listed by their weight (kernel/shift.h), so that a sum is doubled once for all taps of one power, and taps of 0 are not met. Two pixels share
 * the reading of a list. It takes a byte a tap, twice what codes take (qshift.c).
 */
#include "kernel/shift.h"
#include "kernel/window.h"

/* Adds the taps of a block that one pixel meets, from x on; returns where the next list begins. */
static COP_APART const uint8_t *one(int32_t *to, const int8_t *x, const uint8_t *count)
{
	const uint8_t *w = count + COP_SHIFT_COUNTS, *last = w;
	int32_t sum = 0;

	while (count < last) {
		const uint8_t *plus = w + *count++, *minus = plus + *count++;
		sum *= 2;
		while (w < plus) sum += x[*w++];
		while (w < minus) sum -= x[*w++];
	}
	*to = cop_wrap_add(*to, sum);
	return w;
}

/* The same of two, from x and z on. */
static COP_APART const uint8_t *two(int32_t to[2], const int8_t *x, const int8_t *z, const uint8_t *count)
{
	const uint8_t *w = count + COP_SHIFT_COUNTS, *last = w;
	int32_t sum = 0, other = 0;

	while (count < last) {
		const uint8_t *plus = w + *count++, *minus = plus + *count++;
		sum *= 2, other *= 2;
		while (w < plus) {
			sum += x[*w];
			other += z[*w++];
		}
		while (w < minus) {
			sum -= x[*w];
			other -= z[*w++];
		}
	}
	to[0] = cop_wrap_add(to[0], sum);
	to[1] = cop_wrap_add(to[1], other);
	return w;
}

/* Channel o of n pixels whose windows are x, as it is listed; returns the next channel's list. */
static const uint8_t *channel(const cop_call *call, int8_t *y, const int8_t *const x[2], int32_t n, int32_t o, const uint8_t *list)
{
	const int32_t *k = call->k;
	int32_t taps = k[CK_KH] * k[CK_KW] * (k[CK_C] / k[CK_G]), sum[2] = {0, 0};

	for (int32_t i = 0; i < taps; i += COP_SHIFT_BLOCK) list = n > 1 ? two(sum, x[0] + i, x[1] + i, list) : one(sum, x[0] + i, list);
	for (int32_t p = 0; p < n; p++) y[p * k[CK_O] + o] = cop_window_result(call, o, sum[p]);
	return list;
}

/* n output pixels from (oh, ow) of an image on, all of their channels. */
static void pixels(const cop_call *call, int8_t *y, const int8_t *image, int32_t oh, int32_t ow, int32_t n)
{
	const int32_t *k = call->k;
	int32_t cg = k[CK_C] / k[CK_G], og = k[CK_O] / k[CK_G];
	const uint8_t *list = call->pack;

	for (int32_t g = 0; g < k[CK_G]; g++, image += cg) {
		const int8_t *x[2];
		for (int32_t p = 0; p < n; p++) x[p] = cop_window((int8_t *)call->work + p * k[CK_KH] * k[CK_KW] * cg, k, image, cg, oh, ow + p);
		for (int32_t o = g * og; o < (g + 1) * og; o++) list = channel(call, y, x, n, o, list);
	}
}

void cop_qlists_i8(const cop_call *call)
{
	const int32_t *k = call->k;
	int32_t rows = k[CK_N] * k[CK_OH], to = cop_to(call, rows, 1);

	for (int32_t r = cop_from(call, rows, 1); r < to; r++)
		for (int32_t ow = 0; ow < k[CK_OW]; ow += 2)
			pixels(call, (int8_t *)call->buf[0] + (size_t)(r * k[CK_OW] + ow) * (size_t)k[CK_O],
				(const int8_t *)call->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]), r % k[CK_OH], ow, ow + 1 < k[CK_OW] ? 2 : 1);
}
