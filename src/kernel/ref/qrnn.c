/* SPDX-License-Identifier: Apache-2.0
 *
 * qrnn - recurrent layers over a sequence in integers; op/qrnn.c has the equations. Int8 in and out, gates in 16 bits with 12 of them
 * behind the point, a state in 16 bits with QR_POINT of them behind it: the cell of an LSTM, whose bits are those of TFLite's
 * reference kernels, and h itself in a GRU, of which int8 would lose the small steps. The functions of the gates are gemmlowp's
 * fixed-point arithmetic, as in qsoftmax.c, in 16 bits: Qn has n bits before the point and 15 - n behind it.
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

/* A sequence on its way: h of the step before and of this one, the state, and of a GRU its gates z and r and r h. */
typedef struct walk {
	const cop_call *c;
	int8_t *h, *next, *rh;
	int16_t *state, *z, *r;
} walk;

static int32_t gates_of(const int32_t *k) { return k[RN_CELL] == RNN_LSTM ? 4 : k[RN_CELL] == RNN_PLAIN ? 1 : 3; }

/* Row `o` of the sums over x (part 0) or h (part 1), scaled. Multipliers are one for a gate or one for a row. */
static int32_t scaled(const cop_call *c, int32_t part, int32_t o, int32_t sum)
{
	const int32_t *k = c->k, *b = c->buf[5], *m = c->buf[6], rows = gates_of(k) * k[RN_UNITS], n = k[QR_SCALES];
	int32_t at = part * (n / 2) + (n == 2 * rows ? o : o / k[RN_UNITS]);
	return cop_scale_double(cop_wrap_add(b[part * rows + o], sum), m[at], m[n + at]);
}

static int32_t dot(const int8_t *w, const int8_t *x, int32_t n)
{
	int32_t s = 0;

	for (int32_t i = 0; i < n; i++) s += w[i] * x[i];
	return s;
}

static int32_t over_x(const walk *s, const int8_t *x, int32_t o)
{
	int32_t in = s->c->k[RN_IN];
	return hold16(scaled(s->c, 0, o, dot((const int8_t *)s->c->buf[3] + (size_t)o * (size_t)in, x, in)));
}

static int32_t over_h(const walk *s, const int8_t *h, int32_t o)
{
	int32_t units = s->c->k[RN_UNITS];
	return cop_clampi(scaled(s->c, 1, o, dot((const int8_t *)s->c->buf[4] + (size_t)o * (size_t)units, h, units)), -(1 << 20), 1 << 20);
}

/* The sum of gate number `gate` of unit u. */
static int32_t gate_sum(const walk *s, const int8_t *x, int32_t gate, int32_t u)
{
	int32_t o = gate * s->c->k[RN_UNITS] + u;
	return hold16(over_x(s, x, o) + over_h(s, s->h, o));
}

static int8_t to_h(const int32_t *k, int32_t v)
{
	return (int8_t)cop_clampi(cop_wrap_add(cop_scale_double(v, k[QR_MULT], k[QR_SHIFT]), k[QR_ZERO]), -128, 127);
}

/* Gates lie in the order input, forget, cell, output. */
static void lstm(const walk *s, const int8_t *x)
{
	const int32_t *k = s->c->k;

	for (int32_t u = 0; u < k[RN_UNITS]; u++) {
		int32_t in = logistic(gate_sum(s, x, 0, u)), keep = logistic(gate_sum(s, x, 1, u));
		int32_t fresh = tanh16(gate_sum(s, x, 2, u), 3), out = logistic(gate_sum(s, x, 3, u));
		int32_t c = hold16(wrap16(cop_round_shift(keep * s->state[u], 15)) + wrap16(cop_round_shift(in * fresh, 30 - k[QR_POINT])));
		if (k[QR_CLIP]) c = cop_clampi(c, -k[QR_CLIP], k[QR_CLIP]);
		s->state[u] = (int16_t)c;
		s->next[u] = to_h(k, out * tanh16(c, 15 - k[QR_POINT]));
	}
}

/* Gates lie in the order update, reset, fresh. */
static void gru(const walk *s, const int8_t *x)
{
	const int32_t *k = s->c->k, units = k[RN_UNITS];

	for (int32_t u = 0; u < units; u++) {
		s->z[u] = (int16_t)logistic(gate_sum(s, x, 0, u));
		s->r[u] = (int16_t)logistic(gate_sum(s, x, 1, u));
		s->rh[u] = to_h(k, cop_round_shift(s->r[u] * s->state[u], 15));
	}
	for (int32_t u = 0; u < units; u++) {
		int32_t o = 2 * units + u, more = over_h(s, k[RN_CELL] == RNN_GRU ? s->rh : s->h, o);
		if (k[RN_CELL] == RNN_GRU_AFTER) more = cop_round_shift(s->r[u] * hold16(more), 15);
		int32_t fresh = tanh16(hold16(over_x(s, x, o) + more), 3), kept = cop_round_shift(s->z[u] * s->state[u], 15);
		s->state[u] = (int16_t)hold16(kept + cop_round_shift((INT16_MAX + 1 - s->z[u]) * fresh, 30 - k[QR_POINT]));
		s->next[u] = to_h(k, s->state[u]);
	}
}

static void plain(const walk *s, const int8_t *x)
{
	for (int32_t u = 0; u < s->c->k[RN_UNITS]; u++) s->next[u] = to_h(s->c->k, tanh16(gate_sum(s, x, 0, u), 3));
}

static void sequence(walk *s, int32_t n)
{
	const int32_t *k = s->c->k, units = k[RN_UNITS];
	int8_t *hn = s->c->buf[0], *y = s->c->buf[1];

	for (int32_t u = 0; u < units; u++) s->h[u] = (int8_t)k[QR_START], s->state[u] = 0;
	for (int32_t t = 0; t < k[RN_STEPS]; t++) {
		int32_t at = k[RN_BACK] ? k[RN_STEPS] - 1 - t : t;
		const int8_t *x = (const int8_t *)s->c->buf[2] + n * k[RN_XN] + at * k[RN_XT];
		(k[RN_CELL] == RNN_LSTM ? lstm : k[RN_CELL] == RNN_PLAIN ? plain : gru)(s, x);
		int8_t *made = s->next;
		s->next = s->h, s->h = made;
		for (int32_t u = 0; y && u < units; u++) y[n * k[RN_YN] + at * k[RN_YT] + u] = made[u];
	}
	for (int32_t u = 0; u < units; u++) hn[n * units + u] = s->h[u];
}

/* state, z and r, then h twice and r h */
size_t cop_qrnn_work(const int32_t *k) { return 9 * (size_t)k[RN_UNITS]; }

void cop_qrnn_i8(const cop_call *c)
{
	int32_t units = c->k[RN_UNITS], from = cop_from(c, c->k[RN_N], 1), to = cop_to(c, c->k[RN_N], 1);
	int16_t *state = c->work;
	int8_t *h = (void *)(state + 3 * units);
	walk s = {c, h, h + units, h + 2 * units, state, state + units, state + 2 * units};

	for (int32_t n = from; n < to; n++) sequence(&s, n);
}
