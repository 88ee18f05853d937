/* SPDX-License-Identifier: Apache-2.0
 *
 * qlstm - the LSTM over a sequence in integers, with the bits of TFLite's reference kernels: int8 in and out, gates in 16 bits with
 * 12 of them behind the point, a cell state in 16 bits with QR_CELL of them behind it. The functions of the gates are
 * gemmlowp's fixed-point arithmetic, as in qsoftmax.c, in 16 bits: Qn has n bits before the point and 15 - n behind it.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

static int32_t wrap16(int32_t x) { return (int16_t)(uint16_t)(uint32_t)x; }
static int32_t hold16(int32_t x) { return cop_clampi(x, INT16_MIN, INT16_MAX); }
static int32_t mul16(int32_t a, int32_t b) { return hold16((a * b + (1 << 14)) >> 15); }

/* x * 2^n, saturating */
static int32_t up16(int32_t x, int32_t n)
{
	int32_t most = (1 << (15 - n)) - 1;
	return x > most ? INT16_MAX : x < -most ? INT16_MIN : x * (1 << n);
}

/* exp(a) in Q0 for a in Q`bits`, a <= 0: a Taylor series over the last quarter, then a factor for each bit above it. */
static int32_t exp_negative(int32_t a, int32_t bits)
{
	static const int16_t factor[] = {25520, 19875, 12055, 4435, 600, 11, 0}; /* exp(-2^n) in Q0, n from -2 */
	int32_t quarter = 1 << (13 - bits), rest = (a & (quarter - 1)) - quarter, over = rest - a;

	if (!a) return INT16_MAX;
	int32_t x = up16(rest, bits) + 4096, x2 = mul16(x, x), x3 = mul16(x2, x), x4 = mul16(x2, x2); /* around -1/8 */
	int32_t series = cop_round_shift(mul16(cop_round_shift(x4, 2) + x3, 10923) + x2, 1);
	int32_t y = hold16(28918 + mul16(28918, x + series));
	for (int32_t i = 0; i < bits + 2; i++)
		if (over & (quarter << i)) y = mul16(y, factor[i]);
	return y;
}

/* 2 / (1 + a) in Q2 for a in Q0, 0 <= a <= 1: three steps of Newton. */
static int32_t reciprocal(int32_t a)
{
	int32_t half = (a + INT16_MAX + 1) / 2, x = 23130 + mul16(half, -15420);

	for (int32_t i = 0; i < 3; i++) x = wrap16(x + up16(mul16(x, 8192 - mul16(half, x)), 2));
	return x;
}

/* In Q0, of a in Q3. */
static int32_t logistic(int32_t a)
{
	if (!a) return 1 << 14;
	int32_t y = up16(reciprocal(exp_negative(wrap16(a > 0 ? -a : a), 3)), 1); /* of |a| */
	return a > 0 ? y : INT16_MAX - y;
}

/* In Q0, of a in Q`bits`. */
static int32_t tanh16(int32_t a, int32_t bits)
{
	if (!a) return 0;
	int32_t y = up16(reciprocal(exp_negative(a > 0 ? -a : a, bits + 1)) - 8192, 2);
	return a > 0 ? y : wrap16(-y);
}

/* Gate number `gate` of unit u: the scaled sum over the input, and to it that over the state before. */
static int32_t gate_sum(const cop_call *c, const int8_t *x, const int8_t *h, int32_t gate, int32_t u)
{
	const int32_t *k = c->k, *b = c->buf[4], *m = c->buf[5], units = k[QR_UNITS], o = gate * units + u;
	const int8_t *wx = (const int8_t *)c->buf[2] + (size_t)o * (size_t)k[QR_IN], *wh = (const int8_t *)c->buf[3] + (size_t)o * (size_t)units;
	int32_t sx = 0, sh = 0;

	for (int32_t i = 0; i < k[QR_IN]; i++) sx += wx[i] * x[i];
	for (int32_t i = 0; i < units; i++) sh += wh[i] * h[i];
	sx = hold16(cop_scale_double(cop_wrap_add(b[o], sx), m[gate], m[8 + gate]));
	sh = cop_scale_double(cop_wrap_add(b[4 * units + o], sh), m[4 + gate], m[12 + gate]);
	return hold16(sx + cop_clampi(sh, -(1 << 20), 1 << 20));
}

/* One step: cell[units], and h to next. Gates lie in the order input, forget, cell, output. */
static void step(const cop_call *c, const int8_t *x, const int8_t *h, int16_t *cell, int8_t *next)
{
	const int32_t *k = c->k, bits = 15 - k[QR_CELL];

	for (int32_t u = 0; u < k[QR_UNITS]; u++) {
		int32_t in = logistic(gate_sum(c, x, h, 0, u)), keep = logistic(gate_sum(c, x, h, 1, u));
		int32_t fresh = tanh16(gate_sum(c, x, h, 2, u), 3), out = logistic(gate_sum(c, x, h, 3, u));
		int32_t s = hold16(wrap16(cop_round_shift(keep * cell[u], 15)) + wrap16(cop_round_shift(in * fresh, 30 - k[QR_CELL])));
		if (k[QR_CLIP]) s = cop_clampi(s, -k[QR_CLIP], k[QR_CLIP]);
		cell[u] = (int16_t)s;
		next[u] = (int8_t)cop_clampi(cop_scale_double(out * tanh16(s, bits), k[QR_MULT], k[QR_SHIFT]), -128, 127);
	}
}

/* Work: h before the first step, then the cell state. */
size_t cop_qlstm_work(const int32_t *k) { return ((size_t)k[QR_UNITS] + 1) / 2 * 2 + 2 * (size_t)k[QR_UNITS]; }

void cop_qlstm_i8(const cop_call *c)
{
	const int32_t *k = c->k, units = k[QR_UNITS];
	int8_t *none = c->work, *y = c->buf[0];
	int16_t *cell = (void *)(none + (units + 1) / 2 * 2);
	const int8_t *x = c->buf[1];

	for (int32_t n = 0; n < k[QR_N]; n++) {
		for (int32_t u = 0; u < units; u++) none[u] = 0, cell[u] = 0;
		for (int32_t t = 0; t < k[QR_STEPS]; t++, x += k[QR_IN], y += units) step(c, x, t ? y - units : none, cell, y);
	}
}
