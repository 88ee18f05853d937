/* SPDX-License-Identifier: Apache-2.0
 *
 * qtrain - what is between the ends of its range; gradients through a factor; integers that move along their gradient; biases with the zero of x in
 * them.
 */
#include "kernel/kernel.h"
#include "kernel/qstep.h"

void cop_inside_i8(const cop_call *call);
void cop_inside_i8(const cop_call *call)
{
	const int32_t *k = call->k;
	int32_t c = k[QI_C], bytes = (c + 7) / 8, lo = k[QI_LO], hi = k[QI_HI];

	for (int32_t r = cop_from(call, k[QI_ROWS], 1), to = cop_to(call, k[QI_ROWS], 1); r < to; r++) {
		const int8_t *y = (const int8_t *)call->buf[1] + (size_t)r * (size_t)c;
		uint8_t *in = (uint8_t *)call->buf[0] + (size_t)r * (size_t)bytes;
		for (int32_t b = 0; b < bytes; b++) {
			uint32_t bits = 0;
			for (int32_t i = 0; i < 8 && b * 8 + i < c; i++) bits |= (uint32_t)(y[b * 8 + i] > lo && y[b * 8 + i] < hi) << i;
			in[b] = (uint8_t)bits;
		}
	}
}

/* dx may lie on dy. */
void cop_qback_f32(const cop_call *call);
void cop_qback_f32(const cop_call *call)
{
	const int32_t *k = call->k;
	const float *scale = call->buf[2];
	int32_t c = k[QZ_C], bytes = (c + 7) / 8;

	for (int32_t r = cop_from(call, k[QZ_ROWS], 1), to = cop_to(call, k[QZ_ROWS], 1); r < to; r++) {
		const float *dy = (const float *)call->buf[1] + (size_t)r * (size_t)c;
		float *dx = (float *)call->buf[0] + (size_t)r * (size_t)c;
		const uint8_t *in = call->buf[3] ? (const uint8_t *)call->buf[3] + (size_t)r * (size_t)bytes : NULL;
		for (int32_t i = 0; i < c; i++) dx[i] = !in || in[i / 8] >> (i % 8) & 1 ? dy[i] * scale[k[QZ_STEP] ? i : 0] : 0;
	}
}

enum { MOST_BIAS = 1 << 30 };

#define QSTEP(NAME, T, MOST)                                                                                    \
	void cop_qstep_##NAME(const cop_call *call);                                                            \
	void cop_qstep_##NAME(const cop_call *call)                                                             \
	{                                                                                                       \
		const int32_t *k = call->k;                                                                     \
		const float *dw = call->buf[2], lr = *(const float *)call->buf[3], *per = call->buf[4];         \
		const uint32_t seed = (uint32_t)k[QG_SEED], step = call->buf[5] ? *(const uint32_t *)call->buf[5] : 0; \
		T *w = call->buf[0];                                                                            \
		for (int32_t r = cop_from(call, k[QG_ROWS], 1), to = cop_to(call, k[QG_ROWS], 1); r < to; r++)  \
			for (int32_t i = r * k[QG_COLS], end = i + k[QG_COLS]; i < end; i++)                    \
				w[i] = (T)cop_q_moved(w[i], lr * per[r] * dw[i], MOST, k[QG_ROUND], cop_hash32(seed, step, 0, (uint32_t)i)); \
	}
QSTEP(i8, int8_t, 127)
QSTEP(i32, int32_t, MOST_BIAS)

/* Sums of any biases and weights, as 32 bits. */
void cop_qfold_i32(const cop_call *call);
void cop_qfold_i32(const cop_call *call)
{
	const int32_t *k = call->k, *b = call->buf[1];
	const int8_t *w = call->buf[2];
	int32_t *y = call->buf[0];

	for (int32_t r = cop_from(call, k[QF_ROWS], 1), to = cop_to(call, k[QF_ROWS], 1); r < to; r++) {
		int32_t sum = 0;
		for (int32_t i = 0; i < k[QF_COLS]; i++) sum += w[(size_t)r * (size_t)k[QF_COLS] + (size_t)i];
		y[r] = (int32_t)((uint32_t)b[r] - (uint32_t)k[QF_ZX] * (uint32_t)sum);
	}
}
