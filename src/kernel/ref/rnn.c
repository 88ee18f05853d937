/* SPDX-License-Identifier: Apache-2.0
 *
 * rnn - LSTM, GRU and the plain recurrent network over a sequence; op/rnn.c has the equations. The vector kernel (vec/rnn.c) is
 * this text with other products and functions, and takes the products with the input for BLOCK steps at a time.
 */
#ifndef RNN
#include "kernel/kernel.h"
#include "kernel/math.h"

#define RNN(x) cop_rnn_##x
enum { BLOCK = 1 };

/* y[m,n] = b + x w' for m rows of x, `ldx` from one to the next, which may run backwards; b (NULL: 0) is the same for all. */
static void products(float *y, const float *x, int32_t ldx, const float *w, const float *b, int32_t m, int32_t n, int32_t k)
{
	for (int32_t r = 0; r < m; r++, x += ldx, y += n)
		for (int32_t o = 0; o < n; o++) {
			const float *row = w + (size_t)o * (size_t)k;
			float s = b ? b[o] : 0;
			for (int32_t i = 0; i < k; i++) s += x[i] * row[i];
			y[o] = s;
		}
}

static float function(int32_t fn, float x)
{
	switch (fn) {
	case RNN_SIGMOID: return cop_sigmoidf(x);
	case RNN_TANH: return cop_tanhf(x);
	case RNN_RELU: return cop_maxf(x, 0.0f);
	case RNN_HARDSIGMOID: return cop_clampf(0.2f * x + 0.5f, 0.0f, 1.0f);
	case RNN_SOFTSIGN: return x / (1.0f + cop_absf(x));
	default: return cop_maxf(x, 0.0f) + cop_log1pf(cop_expf(-cop_absf(x)));
	}
}

static void apply(int32_t fn, float clip, float *y, int32_t n)
{
	for (int32_t i = 0; i < n; i++) y[i] = function(fn, clip > 0.0f ? cop_clampf(y[i], -clip, clip) : y[i]);
}
#endif

/* A sequence on its way: h and cell [units] as they are, sums [gates,units] of this step, more [units]. */
typedef struct walk {
	const int32_t *k;
	const float *r, *b, *p;
	float *h, *cell, *sums, *more;
	int32_t units;
} walk;

/* Function number `which` of n sums. */
static void gate(const walk *s, int32_t which, float *y, int32_t n) { apply(s->k[RN_ACT + which], cop_f(s->k[RN_CLIP]), y, n); }

static void peep(const walk *s, float *y, const float *p)
{
	for (int32_t i = 0; p && i < s->units; i++) y[i] += p[i] * s->cell[i];
}

static void lstm(const walk *s, const float *ax)
{
	int32_t u = s->units;
	float *in = s->sums, *keep = in + u, *fresh = keep + u, *out = fresh + u, most = cop_f(s->k[RN_CELL_CLIP]);

	products(in, s->h, 0, s->r, ax, 1, 4 * u, u);
	peep(s, in, s->p), peep(s, keep, s->p ? s->p + u : NULL);
	gate(s, 0, in, 2 * u);
	gate(s, 1, fresh, u);
	for (int32_t i = 0; i < u; i++) {
		float c = keep[i] * s->cell[i] + in[i] * fresh[i];
		s->cell[i] = most > 0.0f ? cop_clampf(c, -most, most) : c;
	}
	peep(s, out, s->p ? s->p + 2 * u : NULL);
	gate(s, 0, out, u);
	for (int32_t i = 0; i < u; i++) s->h[i] = s->cell[i];
	gate(s, 2, s->h, u);
	for (int32_t i = 0; i < u; i++) s->h[i] *= out[i];
}

static void gru(const walk *s, const float *ax)
{
	int32_t u = s->units;
	float *z = s->sums, *reset = z + u, *fresh = reset + u;
	const float *r = s->r + 2 * (size_t)u * (size_t)u;

	products(z, s->h, 0, s->r, ax, 1, 2 * u, u);
	gate(s, 0, z, 2 * u);
	if (s->k[RN_CELL] == RNN_GRU) {
		for (int32_t i = 0; i < u; i++) s->more[i] = reset[i] * s->h[i];
		products(fresh, s->more, 0, r, ax + 2 * u, 1, u, u);
	} else {
		products(s->more, s->h, 0, r, s->b ? s->b + 3 * u : NULL, 1, u, u);
		for (int32_t i = 0; i < u; i++) fresh[i] = ax[2 * u + i] + reset[i] * s->more[i];
	}
	gate(s, 1, fresh, u);
	for (int32_t i = 0; i < u; i++) s->h[i] = fresh[i] + z[i] * (s->h[i] - fresh[i]);
}

static void plain(const walk *s, const float *ax)
{
	products(s->sums, s->h, 0, s->r, ax, 1, s->units, s->units);
	gate(s, 0, s->sums, s->units);
	for (int32_t i = 0; i < s->units; i++) s->h[i] = s->sums[i];
}

static int32_t gates_of(const int32_t *k) { return k[RN_CELL] == RNN_LSTM ? 4 : k[RN_CELL] == RNN_PLAIN ? 1 : 3; }

static void sequence(const cop_call *c, walk *s, int32_t n)
{
	const int32_t *k = c->k, u = k[RN_UNITS], rows = gates_of(k) * u, way = k[RN_BACK] ? -1 : 1;
	const float *x = c->buf[3], *h0 = c->buf[7], *c0 = c->buf[8];
	float *hn = c->buf[0], *y = c->buf[1], *cn = c->buf[2], *ax = s->more + u;

	for (int32_t i = 0; i < u; i++) {
		s->h[i] = h0 ? h0[n * u + i] : 0.0f;
		s->cell[i] = c0 ? c0[n * u + i] : 0.0f;
	}
	for (int32_t t = 0, m; t < k[RN_STEPS]; t += m) {
		int32_t at = k[RN_BACK] ? k[RN_STEPS] - 1 - t : t;
		m = k[RN_STEPS] - t < BLOCK ? k[RN_STEPS] - t : BLOCK;
		products(ax, x + n * k[RN_XN] + at * k[RN_XT], way * k[RN_XT], c->buf[4], s->b, m, rows, k[RN_IN]);
		for (int32_t j = 0; j < m; j++, at += way) {
			(k[RN_CELL] == RNN_LSTM ? lstm : k[RN_CELL] == RNN_PLAIN ? plain : gru)(s, ax + j * rows);
			for (int32_t i = 0; y && i < u; i++) y[n * k[RN_YN] + at * k[RN_YT] + i] = s->h[i];
		}
	}
	for (int32_t i = 0; i < u; i++) {
		hn[n * u + i] = s->h[i];
		if (cn) cn[n * u + i] = s->cell[i];
	}
}

size_t RNN(work)(const int32_t *k)
{
	return sizeof(float) * (size_t)k[RN_UNITS] * (size_t)(3 + (1 + BLOCK) * gates_of(k));
}

void RNN(f32)(const cop_call *c)
{
	const int32_t *k = c->k, u = k[RN_UNITS], from = cop_from(c, k[RN_N], 1), to = cop_to(c, k[RN_N], 1);
	float *h = c->work;
	walk s = {.k = k, .r = c->buf[5], .b = c->buf[6], .p = c->buf[9], .h = h, .cell = h + u, .sums = h + 2 * u, .units = u};

	s.more = s.sums + gates_of(k) * u;
	for (int32_t n = from; n < to; n++) sequence(c, &s, n);
}
