/* SPDX-License-Identifier: Apache-2.0
 *
 * qshift - int8 convolution whose weights are 0 or +-2^p, by shifts and additions: the bits of qconv.c, and no multiplication but the one
 * that scales each result. Weights lie in four bits each (kernel/shift.h), half of what bytes take.
 */
#include "kernel/shift.h"
#include "kernel/window.h"

/* The code of a weight in the four uppermost bits, its sign first. Products are taken twice, so that a power of 2^0 needs no case of its own. */
static inline uint32_t add(uint32_t sum, int32_t x, int32_t code)
{
	uint32_t power = (uint32_t)code << 1 >> 29, product = (uint32_t)x << power;

	if (code < 0) return sum - product;
	return power ? sum + product : sum;
}

static COP_APART int32_t sum_of(const int8_t *x, const uint8_t *w, int32_t n)
{
	const int8_t *end = x + (n & ~1);
	uint32_t sum = 0;

	while (x < end) {
		uint32_t two = *w++;
		sum = add(sum, *x++, (int32_t)(two << 28));
		sum = add(sum, *x++, (int32_t)(two << 24));
	}
	if (n & 1) sum = add(sum, *x, (int32_t)((uint32_t)*w << 28));
	return (int32_t)sum >> 1;
}

/* Output pixel (oh, ow) of an image, all of its channels. */
static void pixel(const cop_call *call, int8_t *y, const int8_t *image, int32_t oh, int32_t ow)
{
	const int32_t *k = call->k;
	int32_t groups = k[CK_G], cg = k[CK_C] / groups, og = k[CK_O] / groups, taps = k[CK_KH] * k[CK_KW] * cg, row = cop_shift_row(taps);
	const uint8_t *w = call->pack;

	for (int32_t g = 0; g < groups; g++, image += cg) {
		const int8_t *x = cop_window(call->work, k, image, cg, oh, ow);
		for (int32_t o = g * og; o < (g + 1) * og; o++, w += row) y[o] = cop_window_result(call, o, sum_of(x, w, taps));
	}
}

void cop_qshift_i8(const cop_call *call) { cop_window_pixels(call, pixel); }
