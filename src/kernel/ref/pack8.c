/* SPDX-License-Identifier: Apache-2.0
 *
 * pack8, unpack8 - values as bytes, each sample by a step of its own; within - as a bit each.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

/* Magnitudes are ordered as their bits are; no number comes last, and stays none. */
static float largest(const float *x, int32_t n)
{
	int32_t most = 0;

	for (int32_t i = 0; i < n; i++) {
		int32_t m = cop_bits(x[i]) & 0x7fffffff;
		most = m > most ? m : most;
	}
	return cop_unbits(most);
}

/* Rounded to the nearest, ties to even: added to 3 * 2^22, a number up to 2^21 leaves its integer in the last bits. */
void cop_pack8_i8(const cop_call *call);
void cop_pack8_i8(const cop_call *call)
{
	const int32_t *k = call->k, n = k[P8_C], zero = k[P8_ZERO];
	const float steps = zero ? 255.0f : 127.0f, whole = 12582912.0f;

	for (int32_t r = cop_from(call, k[P8_ROWS], 1), to = cop_to(call, k[P8_ROWS], 1); r < to; r++) {
		const float *x = (const float *)call->buf[2] + (size_t)r * (size_t)n, most = largest(x, n), by = most < 1e-30f ? 0 : steps / most;
		int8_t *q = (int8_t *)call->buf[0] + (size_t)r * (size_t)n;
		for (int32_t i = 0; i < n; i++) q[i] = (int8_t)(cop_bits(x[i] * by + whole) - cop_bits(whole) + zero);
		((float *)call->buf[1])[r] = most < 1e-30f ? 0 : most / steps;
	}
}

void cop_unpack8_f32(const cop_call *call);
void cop_unpack8_f32(const cop_call *call)
{
	const int32_t *k = call->k, n = k[P8_C], zero = k[P8_ZERO];

	for (int32_t r = cop_from(call, k[P8_ROWS], 1), to = cop_to(call, k[P8_ROWS], 1); r < to; r++) {
		const int8_t *q = (const int8_t *)call->buf[1] + (size_t)r * (size_t)n;
		const float step = ((const float *)call->buf[2])[r];
		float *x = (float *)call->buf[0] + (size_t)r * (size_t)n;
		for (int32_t i = 0; i < n; i++) x[i] = (float)(q[i] - zero) * step;
	}
}

void cop_within_f32(const cop_call *call);
void cop_within_f32(const cop_call *call)
{
	const int32_t *k = call->k, c = k[QI_C], bytes = (c + 7) / 8;
	const float lo = cop_f(k[QI_LO]), hi = cop_f(k[QI_HI]);

	for (int32_t r = cop_from(call, k[QI_ROWS], 1), to = cop_to(call, k[QI_ROWS], 1); r < to; r++) {
		const float *y = (const float *)call->buf[1] + (size_t)r * (size_t)c;
		uint8_t *in = (uint8_t *)call->buf[0] + (size_t)r * (size_t)bytes;
		for (int32_t b = 0; b < bytes; b++) {
			uint32_t bits = 0;
			for (int32_t i = 0; i < 8 && b * 8 + i < c; i++) bits |= (uint32_t)(y[b * 8 + i] > lo && y[b * 8 + i] < hi) << i;
			in[b] = (uint8_t)bits;
		}
	}
}
