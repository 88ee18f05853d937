/* SPDX-License-Identifier: Apache-2.0
 *
 * qrnn.h - recurrent layers over a sequence in integers; op/qrnn.c has the equations. Int8 in and out, gates in 16 bits with 12 of them
 * behind the point, a state in 16 bits with QR_POINT of them behind it: the cell of an LSTM, whose bits are those of TFLite's
 * reference kernels, and h itself in a GRU, of which int8 would lose the small steps. The functions of the gates are gemmlowp's
 * fixed-point arithmetic, as in qsoftmax.c, in 16 bits: Qn has n bits before the point and 15 - n behind it.
 */
#ifndef COP_QRNN_H
#define COP_QRNN_H

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

/* 1 / (1 + exp(-k/16)) in Q0, k = 0 .. 256: the last ones are as large as can be. */
static const uint16_t sigma_of[257] = {
	16384, 16896, 17407, 17916, 18421, 18923, 19420, 19912, 20397, 20874, 21344, 21804, 22255, 22696, 23127, 23547,
	23955, 24352, 24737, 25110, 25471, 25819, 26155, 26479, 26790, 27090, 27377, 27653, 27917, 28169, 28411, 28642,
	28862, 29072, 29272, 29462, 29644, 29816, 29979, 30135, 30282, 30422, 30555, 30680, 30799, 30912, 31018, 31119,
	31214, 31304, 31389, 31469, 31545, 31616, 31684, 31747, 31807, 31864, 31917, 31968, 32015, 32060, 32102, 32141,
	32179, 32214, 32247, 32278, 32307, 32335, 32361, 32385, 32408, 32430, 32450, 32469, 32487, 32504, 32520, 32535,
	32549, 32562, 32574, 32586, 32597, 32607, 32617, 32626, 32635, 32643, 32650, 32657, 32664, 32670, 32676, 32682,
	32687, 32692, 32696, 32701, 32705, 32709, 32712, 32716, 32719, 32722, 32725, 32727, 32730, 32732, 32734, 32736,
	32738, 32740, 32742, 32743, 32745, 32746, 32747, 32749, 32750, 32751, 32752, 32753, 32754, 32755, 32756, 32756,
	32757, 32758, 32758, 32759, 32759, 32760, 32760, 32761, 32761, 32762, 32762, 32762, 32763, 32763, 32763, 32764,
	32764, 32764, 32764, 32765, 32765, 32765, 32765, 32765, 32766, 32766, 32766, 32766, 32766, 32766, 32766, 32766,
	32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
	32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
	32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
	32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
	32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
	32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
	32767};

/* Between two of them in a straight line, for a of 12 bits behind the point, 0 <= a < 16: within 2 units. */
static int32_t sigma(int32_t a)
{
	const uint16_t *t = sigma_of + (a >> 8);
	return t[0] + (((t[1] - t[0]) * (a & 255) + 128) >> 8);
}

static int32_t quick_logistic(int32_t a) { return a < 0 ? INT16_MAX + 1 - sigma(-a) : sigma(a); }

/* tanh(a) = 2 / (1 + exp(-2a)) - 1; |a| < 8, what is larger is 1 all the same */
static int32_t quick_tanh(int32_t a)
{
	int32_t y = 2 * sigma(cop_clampi(a < 0 ? -a : a, 0, INT16_MAX) * 2) - INT16_MAX - 1;
	return a < 0 ? -y : y;
}

/* The gates' functions: of TFLite, bit by bit, or by the table. */
static int32_t open_gate(const int32_t *k, int32_t a) { return k[QR_EXACT] ? logistic(a) : quick_logistic(a); }
static int32_t fresh_gate(const int32_t *k, int32_t a) { return k[QR_EXACT] ? tanh16(a, 3) : quick_tanh(a); }

/* tanh of the state */
static int32_t squashed(const int32_t *k, int32_t c)
{
	if (k[QR_EXACT]) return tanh16(c, 15 - k[QR_POINT]);
	return quick_tanh(k[QR_POINT] > 12 ? cop_round_shift(c, k[QR_POINT] - 12) : c * (1 << (12 - k[QR_POINT])));
}

/* A sequence on its way: h of the step before and of this one, the state, and of a GRU its gates z and r and r h. x and last: the
 * input and h, for products. */
typedef struct walk {
	const cop_call *c;
	int8_t *h, *next, *rh;
	int16_t *state, *z, *r;
	uint32_t *room_x, *room_h;
	spread x, last;
} walk;

static int32_t gates_of(const int32_t *k) { return k[RN_CELL] == RNN_LSTM ? 4 : k[RN_CELL] == RNN_PLAIN ? 1 : 3; }

/* Row `o` of the sums over x (part 0) or h (part 1), scaled. Multipliers are one for a gate or one for a row. */
static int32_t scaled(const cop_call *c, int32_t part, int32_t o, int32_t sum)
{
	const int32_t *k = c->k, *b = c->buf[5], *m = c->buf[6], rows = gates_of(k) * k[RN_UNITS], n = k[QR_SCALES];
	int32_t at = part * (n / 2) + (n == 2 * rows ? o : o / k[RN_UNITS]);
	return cop_scale_double(cop_wrap_add(b[part * rows + o], sum), m[at], m[n + at]);
}

static int32_t over_x(const walk *s, int32_t o)
{
	int32_t in = s->c->k[RN_IN];
	return hold16(scaled(s->c, 0, o, dot((const int8_t *)s->c->buf[3] + (size_t)o * (size_t)in, s->x, in)));
}

static int32_t over_h(const walk *s, spread h, int32_t o)
{
	int32_t units = s->c->k[RN_UNITS];
	return cop_clampi(scaled(s->c, 1, o, dot((const int8_t *)s->c->buf[4] + (size_t)o * (size_t)units, h, units)), -(1 << 20), 1 << 20);
}

/* The sum of gate number `gate` of unit u. */
static int32_t gate_sum(const walk *s, int32_t gate, int32_t u)
{
	int32_t o = gate * s->c->k[RN_UNITS] + u;
	return hold16(over_x(s, o) + over_h(s, s->last, o));
}

static int8_t to_h(const int32_t *k, int32_t v)
{
	return (int8_t)cop_clampi(cop_wrap_add(cop_scale_double(v, k[QR_MULT], k[QR_SHIFT]), k[QR_ZERO]), -128, 127);
}

/* Gates lie in the order input, forget, cell, output. */
static void lstm(const walk *s)
{
	const int32_t *k = s->c->k;

	for (int32_t u = 0; u < k[RN_UNITS]; u++) {
		int32_t in = open_gate(k, gate_sum(s, 0, u)), keep = open_gate(k, gate_sum(s, 1, u));
		int32_t fresh = fresh_gate(k, gate_sum(s, 2, u)), out = open_gate(k, gate_sum(s, 3, u));
		int32_t c = hold16(wrap16(cop_round_shift(keep * s->state[u], 15)) + wrap16(cop_round_shift(in * fresh, 30 - k[QR_POINT])));
		if (k[QR_CLIP]) c = cop_clampi(c, -k[QR_CLIP], k[QR_CLIP]);
		s->state[u] = (int16_t)c;
		s->next[u] = to_h(k, out * squashed(k, c));
	}
}

/* Gates lie in the order update, reset, fresh. */
static void gru(const walk *s)
{
	const int32_t *k = s->c->k, units = k[RN_UNITS];

	for (int32_t u = 0; u < units; u++) {
		s->z[u] = (int16_t)open_gate(k, gate_sum(s, 0, u));
		s->r[u] = (int16_t)open_gate(k, gate_sum(s, 1, u));
		s->rh[u] = to_h(k, cop_round_shift(s->r[u] * s->state[u], 15));
	}
	spread h = k[RN_CELL] == RNN_GRU ? spread_out(s->room_h, s->rh, units) : s->last;
	for (int32_t u = 0; u < units; u++) {
		int32_t o = 2 * units + u, more = over_h(s, h, o);
		if (k[RN_CELL] == RNN_GRU_AFTER) more = cop_round_shift(s->r[u] * hold16(more), 15);
		int32_t fresh = fresh_gate(k, hold16(over_x(s, o) + more)), kept = cop_round_shift(s->z[u] * s->state[u], 15);
		s->state[u] = (int16_t)hold16(kept + cop_round_shift((INT16_MAX + 1 - s->z[u]) * fresh, 30 - k[QR_POINT]));
		s->next[u] = to_h(k, s->state[u]);
	}
}

static void plain(const walk *s)
{
	const int32_t *k = s->c->k;

	for (int32_t u = 0; u < k[RN_UNITS]; u++) s->next[u] = to_h(k, fresh_gate(k, gate_sum(s, 0, u)));
}

static void sequence(walk *s, int32_t n)
{
	const int32_t *k = s->c->k, units = k[RN_UNITS];
	int8_t *hn = s->c->buf[0], *y = s->c->buf[1];

	for (int32_t u = 0; u < units; u++) s->h[u] = (int8_t)k[QR_START], s->state[u] = 0;
	for (int32_t t = 0; t < k[RN_STEPS]; t++) {
		int32_t at = k[RN_BACK] ? k[RN_STEPS] - 1 - t : t;
		const int8_t *x = (const int8_t *)s->c->buf[2] + n * k[RN_XN] + at * k[RN_XT];
		s->x = spread_out(s->room_x, x, k[RN_IN]);
		s->last = spread_out(s->room_h, s->h, units);
		(k[RN_CELL] == RNN_LSTM ? lstm : k[RN_CELL] == RNN_PLAIN ? plain : gru)(s);
		int8_t *made = s->next;
		s->next = s->h, s->h = made;
		for (int32_t u = 0; y && u < units; u++) y[n * k[RN_YN] + at * k[RN_YT] + u] = made[u];
	}
	for (int32_t u = 0; u < units; u++) hn[n * units + u] = s->h[u];
}

/* what is spread out, then state, z and r, then h twice and r h */
size_t QRNN(work)(const int32_t *k) { return spread_bytes(k[RN_IN]) + spread_bytes(k[RN_UNITS]) + 9 * (size_t)k[RN_UNITS]; }

void QRNN(i8)(const cop_call *c)
{
	int32_t units = c->k[RN_UNITS], from = cop_from(c, c->k[RN_N], 1), to = cop_to(c, c->k[RN_N], 1);
	uint32_t *x = c->work, *last = x + spread_bytes(c->k[RN_IN]) / 4;
	int16_t *state = (void *)(last + spread_bytes(units) / 4);
	int8_t *h = (void *)(state + 3 * units);
	walk s = {c, h, h + units, h + 2 * units, state, state + units, state + 2 * units, x, last, {NULL, NULL}, {NULL, NULL}};

	for (int32_t n = from; n < to; n++) sequence(&s, n);
}

#endif
