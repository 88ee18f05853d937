/* SPDX-License-Identifier: Apache-2.0
 *
 * qadd - int8 sums for Cortex-M with DSP instructions. Rounded once, seven instructions an element: the zero points of the operands are
 * one constant; a most significant product is the shift, the rounding and the zero point of the result. Or by TFLite's
 * double rounding. In place.
 */
#include "kernel/cortexm/dsp.h"

static inline int8_t sum(int32_t a, int32_t b, int32_t ma, int32_t mb, int32_t zeros, int32_t shift, int32_t zero)
{
	return (int8_t)cop_sat8(cop_scale_add((int32_t)((uint32_t)(a * ma) + (uint32_t)(b * mb) + (uint32_t)zeros), shift, zero));
}

void cop_qadd_dsp(const cop_call *c)
{
	const int32_t *k = c->k;
	const int8_t *a = c->buf[1], *b = c->buf[2];
	int8_t *y = c->buf[0];
	int32_t ma = k[QA_MA], mb = k[QA_MB], zero = k[QA_ZY], zeros = -k[QA_ZA] * ma - k[QA_ZB] * mb, shift = (int32_t)(1u << (32 - k[QA_SY])), n = k[QA_COUNT];

	for (; n >= 4; n -= 4, a += 4, b += 4, y += 4) {
		y[0] = sum(a[0], b[0], ma, mb, zeros, shift, zero);
		y[1] = sum(a[1], b[1], ma, mb, zeros, shift, zero);
		y[2] = sum(a[2], b[2], ma, mb, zeros, shift, zero);
		y[3] = sum(a[3], b[3], ma, mb, zeros, shift, zero);
	}
	for (; n; n--) *y++ = sum(*a++, *b++, ma, mb, zeros, shift, zero);
}

/* The double rounding: v * m, then n to the right. Twice v is within 32 bits. */
typedef struct scale { int32_t m, n, half, below; } scale;

static inline scale make_scale(int32_t m, int32_t shift)
{
	return (scale){m, -shift, shift ? 1 << (-shift - 1) : 0, shift ? -1 : 0};
}

static inline int32_t apply(const scale *s, int32_t v)
{
	int32_t high = cop_scale_add(2 * v, s->m, 0);
	return (high + s->half + (high >> 31 & s->below)) >> s->n;
}

/* The same for shifts of 2 and more, and zero added; factor: 2^(32 - n) */
static inline int32_t last(int32_t v, int32_t m, int32_t factor, int32_t zero)
{
	int32_t high = cop_scale_add(2 * v, m, 0);
	return cop_sat8(cop_scale_add(high + (high >> 31), factor, zero));
}

typedef struct operands { const int8_t *fine, *coarse; int8_t *y; int32_t n; } operands;

/* The operand with the larger scale, as TFLite writes it: half of it, without rounding. The other's shift is 1 or more. */
COP_OUT_OF_LINE void halved(const operands *p, int32_t z_coarse, int32_t z_fine, const scale *s, const int32_t *k)
{
	const int8_t *a = p->coarse, *b = p->fine, *end = a + p->n;
	int32_t m = s->m, n = s->n, half = s->half, fixed = (z_fine * -(1 << 21)), my = k[QA_MY], factor = (int32_t)(1u << (32 + k[QA_SY])), zy = k[QA_ZY];
	int8_t *y = p->y;

	while (a != end) {
		int32_t high = cop_scale_add((int32_t)((uint32_t)*b++ << 21) + fixed, m, 0);
		high = (high + (high >> 31) + half) >> n;
		high += (*a++ - z_coarse) * (1 << 19);
		*y++ = (int8_t)last(high, my, factor, zy);
	}
}

void cop_qadd_twice_dsp(const cop_call *c)
{
	const int32_t *k = c->k;
	const int8_t *a = c->buf[1], *b = c->buf[2];
	int8_t *y = c->buf[0];
	const scale sa = make_scale(k[QA_MA], k[QA_SA]), sb = make_scale(k[QA_MB], k[QA_SB]), sy = make_scale(k[QA_MY], k[QA_SY]);
	int32_t za = k[QA_ZA], zb = k[QA_ZB], zy = k[QA_ZY], by_a = k[QA_MA] == 1 << 30 && !k[QA_SA], by_b = k[QA_MB] == 1 << 30 && !k[QA_SB];

	if (k[QA_SY] <= -2 && by_a && k[QA_SB]) { halved(&(operands){b, a, y, k[QA_COUNT]}, za, zb, &sb, k); return; }
	if (k[QA_SY] <= -2 && by_b && k[QA_SA]) { halved(&(operands){a, b, y, k[QA_COUNT]}, zb, za, &sa, k); return; }
	for (int32_t n = k[QA_COUNT]; n; n--) {
		int32_t s = apply(&sa, (*a++ - za) * (1 << 20)) + apply(&sb, (*b++ - zb) * (1 << 20));
		*y++ = (int8_t)cop_sat8(zy + apply(&sy, s));
	}
}
