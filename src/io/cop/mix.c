/* SPDX-License-Identifier: Apache-2.0
 *
 * mix - see mix.h.
 */
#include "io/cop/mix.h"

enum { FAST = 4, SLOW = 8, ONE = 256, FAR = 14 * ONE };

/* 256 log2(1 + i/32) and 65536 2^(i/32), with one more at the end for the line between two. */
static const uint16_t logs[33] = {0, 11, 22, 33, 44, 54, 63, 73, 82, 92, 100, 109, 118, 126, 134, 142, 150, 157, 165, 172, 179, 186, 193, 200, 207, 213, 220, 226, 232, 238, 244, 250, 256};
static const uint32_t powers[33] = {65536, 66971, 68438, 69936, 71468, 73032, 74632, 76266, 77936, 79642, 81386, 83169, 84990, 86851, 88752, 90696, 92682, 94711, 96785, 98905, 101070, 103283, 105545, 107856,
	110218, 112631, 115098, 117618, 120194, 122825, 125515, 128263, 131072};

/* 256 log2 x, of 1 .. 65535. */
static int32_t log_of(uint32_t x)
{
	int top = 31 - __builtin_clz(x);
	uint32_t part = (x << (31 - top)) & 0x7fffffffu, i = part >> 26, rest = part >> 18 & 255; /* 5 bits of index, 8 between two */
	return top * ONE + logs[i] + (int32_t)((uint32_t)(logs[i + 1] - logs[i]) * rest >> 8);
}

static int32_t odds(uint32_t p) { return log_of(p) - log_of(65536 - p); }

/* 65536 / (1 + 2^-t) */
static uint32_t chance(int32_t t)
{
	uint32_t u = (uint32_t)(t < 0 ? -t : t), i = u & (ONE - 1);
	uint32_t power = powers[i >> 3] + ((powers[(i >> 3) + 1] - powers[i >> 3]) * (i & 7) >> 3); /* 2^frac */
	uint32_t small = (uint32_t)(((uint64_t)65536 << 16) / (65536 + ((uint64_t)power << (u / ONE)))); /* 65536 / (1 + 2^u) */
	return t < 0 ? small : 65536 - small;
}

void cop__mixer_begin(cop_mixer *m, int n, int pace)
{
	m->pace = pace;
	for (int i = 0; i < COP_MIX_MOST; i++)
		for (int k = 0; k < COP_MIX_TRUST; k++) m->weight[i][k] = k ? 65536 * 5 / 4 / n : 65536 / 2 / n;
}

/* Seen 0, 1, 2-3, 4-7, ... */
static int trust(uint32_t seen)
{
	int k = seen ? 32 - __builtin_clz(seen) : 0;
	return k < COP_MIX_TRUST ? k : COP_MIX_TRUST - 1;
}

static void learn(cop_guess *g, int bit)
{
	int young = cop__range_rate(g->seen), fast = COP_MIN(young, FAST), slow = COP_MIN(young, SLOW);

	g->seen = (uint16_t)(g->seen + (g->seen < 1000));
	if (bit) {
		g->fast = (uint16_t)(g->fast + ((65535 - g->fast) >> fast));
		g->slow = (uint16_t)(g->slow + ((65535 - g->slow) >> slow));
	} else {
		g->fast = (uint16_t)(g->fast - (g->fast >> fast));
		g->slow = (uint16_t)(g->slow - (g->slow >> slow));
	}
}

/* Of up to six opinions: their odds and weights, and what comes of them. */
typedef struct mixed { int32_t x[COP_MIX_MOST], *w[COP_MIX_MOST]; uint32_t p; } mixed;

static mixed mix(cop_mixer *m, cop_guess *const *of, int n)
{
	mixed a;
	int64_t sum = 0;

	for (int i = 0; i < n; i++) {
		uint32_t p = ((uint32_t)of[i]->fast + of[i]->slow) >> 1;
		a.x[i] = odds(COP_MIN(COP_MAX(p, 8u), 65528u));
		a.w[i] = &m->weight[i][trust(of[i]->seen)];
		sum += (int64_t)a.x[i] * *a.w[i];
	}
	int64_t t = sum / 65536;
	a.p = chance((int32_t)COP_MIN(COP_MAX(t, -FAR), FAR));
	a.p = COP_MIN(COP_MAX(a.p, (uint32_t)COP_MIX_LEAST), 65536u - COP_MIX_LEAST);
	return a;
}

static int after(cop_mixer *m, cop_guess *const *of, int n, const mixed *a, int bit)
{
	int32_t off = (bit ? 65536 : 0) - (int32_t)a->p;

	for (int i = 0; i < n; i++) {
		*a->w[i] += (int32_t)((int64_t)a->x[i] * off / ((int64_t)1 << m->pace));
		learn(of[i], bit);
	}
	return bit;
}

int cop__mix_bit(cop_range *r, cop_mixer *m, cop_guess *const *of, int n, int bit)
{
	mixed a = mix(m, of, n);
	return after(m, of, n, &a, cop__range_code(r, a.p, bit));
}

int cop__mix_learn(cop_mixer *m, cop_guess *const *of, int n, int bit)
{
	mixed a = mix(m, of, n);
	return after(m, of, n, &a, bit);
}
