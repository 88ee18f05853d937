/* SPDX-License-Identifier: Apache-2.0
 *
 * qrnn - recurrent layers in int8 for Cortex-M with DSP instructions: kernel/ref/qrnn.h with products of four numbers by two
 * instructions. Input and state are widened once a step for all rows; weights are read as they lie.
 */
#include "kernel/cortexm/dsp.h"

#define QRNN(x) cop_qrnn_##x##_dsp

/* Of four numbers the even ones, then the odd ones, as pairs of int16. What is left of a row is read as it is. */
typedef struct spread { const int8_t *x; const uint32_t *pairs; } spread;
static size_t spread_bytes(int32_t n) { return (size_t)(n / 4) * 8; }

static spread spread_out(uint32_t *room, const int8_t *x, int32_t n)
{
	for (int32_t i = 0; i + 4 <= n; i += 4) {
		uint32_t v = cop_load4(x + i);
		room[i / 2] = cop_even(v), room[i / 2 + 1] = cop_odd(v);
	}
	return (spread){x, room};
}

static int32_t dot(const int8_t *w, spread x, int32_t n)
{
	const uint32_t *p = x.pairs, *end = p + (n >> 3) * 4;
	int32_t s = 0;

	for (; p < end; p += 4, w += 8) {
		uint32_t a = cop_load4(w), b = cop_load4(w + 4);
		s = cop_dual(cop_even(a), p[0], s);
		s = cop_dual(cop_odd(a), p[1], s);
		s = cop_dual(cop_even(b), p[2], s);
		s = cop_dual(cop_odd(b), p[3], s);
	}
	if (n & 4) {
		uint32_t a = cop_load4(w);
		s = cop_dual(cop_odd(a), p[1], cop_dual(cop_even(a), p[0], s));
		w += 4;
	}
	for (int32_t i = n & ~3; i < n; i++) s += *w++ * x.x[i];
	return s;
}

#include "kernel/ref/qrnn.h"
