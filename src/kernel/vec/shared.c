/* SPDX-License-Identifier: Apache-2.0
 *
 * shared - fully connected layers of one sample whose rows have at most 16 different weights each, as shared weights have (Han et al. 2016). What is read are
 * codes of 4 bits, an eighth of the bytes; a permutation of a row's table looks the weights up, and products and sums are those of dense weights.
 *
 * GROUP rows are summed together, so that the sample is read once for all of them:
 *   head | [group of rows][step][row][VW words of eight codes], then 16 weights for each row
 * The lowest codes of VW words are those of VW neighbours, the next ones those of the VW behind them, and so on: words are shifted, never masked, because the
 * permutation looks at as many bits as it has entries.
 */
#include "kernel/vec/vec.h"

#if VW > 4

enum { GROUP = VW / 2, LEVELS = 16, CODES = 8, TAPS = CODES * VW, HEAD = VW, LONGEST = 1 << 16 };

static long groups(const int32_t *k) { return (k[FK_OUT] + GROUP - 1) / GROUP; }
static long steps_of(const int32_t *k) { return (k[FK_IN] + TAPS - 1) / TAPS; }
static int32_t *codes_of(const void *pack) { return (int32_t *)(uintptr_t)pack + HEAD; }
static float *tables(const int32_t *k, const void *pack) { return (float *)(void *)(codes_of(pack) + groups(k) * steps_of(k) * GROUP * VW); }

bool VN(fc_shared_fits)(const int32_t *k) { return k[FK_N] == 1 && k[FK_IN] <= LONGEST; }
size_t VN(fc_shared_work)(const int32_t *k) { return (size_t)(steps_of(k) * TAPS) * sizeof(float); }
size_t VN(fc_shared_pack_bytes)(const int32_t *k) { return (size_t)(HEAD + groups(k) * GROUP * (steps_of(k) * VW + LEVELS)) * sizeof(float); }

/* The code of a number in a table of n so far, to which it is added where it is new; -1: there is no room. */
static int code_of(uint32_t *table, int *n, uint32_t u)
{
	int i = 0;

	while (i < *n && table[i] != u) i++;
	if (i == LEVELS) return -1;
	if (i == *n) table[(*n)++] = u;
	return i;
}

/* The most values of a row; -1: more than there is room for. */
static int most_values(const int32_t *k, const uint32_t *w)
{
	int most = 0;

	for (long o = 0; o < k[FK_OUT]; o++) {
		uint32_t table[LEVELS];
		int n = 0;
		for (long i = 0; i < k[FK_IN]; i++)
			if (code_of(table, &n, *w++) < 0) return -1;
		most = n > most ? n : most;
	}
	return most;
}

/* Vectors of codes, or -1. */
int64_t VN(fc_shared_steps)(const int32_t *k, const void *w) { return most_values(k, w) < 0 ? -1 : groups(k) * GROUP * steps_of(k); }

/* A call takes as long as some steps before its first one. A table of more entries than a vector has lanes is looked up twice, and takes two and a half times as long. */
int64_t VN(fc_shared_spent)(const int32_t *k, const void *w)
{
	enum { BEGIN = 20 };
	const long steps = groups(k) * GROUP * steps_of(k);
	return BEGIN + (most_values(k, w) > VW ? steps * 5 / 2 : steps);
}

/* Returns how many values the row has. */
static int pack_row(const cop_call *c, long o)
{
	const long in = c->k[FK_IN];
	const uint32_t *w = (const uint32_t *)c->buf[2] + o * in;
	uint32_t *codes = (uint32_t *)codes_of(c->work) + (o / GROUP * steps_of(c->k) * GROUP + o % GROUP) * VW, *table = (uint32_t *)(void *)(tables(c->k, c->work) + o * LEVELS);
	int n = 0;

	for (long i = 0; i < in; i++) codes[i / TAPS * GROUP * VW + i % VW] |= (uint32_t)code_of(table, &n, w[i]) << i % TAPS / VW * 4;
	return n;
}

/* Its head says whether some row has more values than a vector has lanes. */
void VN(fc_shared_pack)(const cop_call *c)
{
	if (c->part) return;
	memset(c->work, 0, VN(fc_shared_pack_bytes)(c->k));
	for (long o = 0; o < c->k[FK_OUT]; o++) *(int32_t *)c->work |= pack_row(c, o) > VW;
}

/* The weights of VW codes. */
AI v look_up(const int wide, const float *table, vw codes)
{
#if VW == 16
	(void)wide;
	return (v)_mm512_permutexvar_ps((__m512i)codes, (__m512)LD(table));
#else
	__m256 low = _mm256_permutevar8x32_ps((__m256)LD(table), (__m256i)codes);
	if (!wide) return (v)low;
	return (v)_mm256_blendv_ps(low, _mm256_permutevar8x32_ps((__m256)LD(table + VW), (__m256i)codes), (__m256)_mm256_slli_epi32((__m256i)codes, 28));
#endif
}

AI void group_sums(const int wide, float *y, const int32_t *codes, const float *table, const float *x, long steps)
{
	v acc[GROUP];
	vw now[GROUP];

	UNROLL
	for (int r = 0; r < GROUP; r++) acc[r] = (v){0};
	for (; steps > 0; steps--, codes += GROUP * VW) {
		UNROLL
		for (int r = 0; r < GROUP; r++) now[r] = (vw)LDI(codes + r * VW);
		UNROLL
		for (int j = 0; j < CODES; j++, x += VW) {
			const v t = LD(x);
			UNROLL
			for (int r = 0; r < GROUP; r++) {
				acc[r] += t * look_up(wide, table + r * LEVELS, now[r]);
				now[r] >>= 4;
			}
		}
	}
	UNROLL
	for (int r = 0; r < GROUP; r++) y[r] = vsum(acc[r]);
}

static NOINLINE void sums_narrow(float *y, const int32_t *codes, const float *table, const float *x, long steps) { group_sums(0, y, codes, table, x, steps); }
static NOINLINE void sums_wide(float *y, const int32_t *codes, const float *table, const float *x, long steps) { group_sums(1, y, codes, table, x, steps); }

void VN(fc_shared_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const float *bias = c->buf[3], lo = cop_f(k[FK_LO]), hi = cop_f(k[FK_HI]), *table = tables(k, c->pack);
	const long in = k[FK_IN], out = k[FK_OUT], steps = steps_of(k);
	float *y = c->buf[0], *x = c->work, sum[GROUP];

	vcopy(x, c->buf[1], in);
	memset(x + in, 0, sizeof *x * (size_t)(steps * TAPS - in));
	for (long o = cop_from(c, (int32_t)out, GROUP); o < cop_to(c, (int32_t)out, GROUP); o += GROUP) {
		(*(const int32_t *)c->pack ? sums_wide : sums_narrow)(sum, codes_of(c->pack) + o * steps * VW, table + o * LEVELS, x, steps);
		for (long r = 0; r < lmin(GROUP, out - o); r++) y[o + r] = clamp1(sum[r] + (bias ? bias[o + r] : 0), lo, hi);
	}
}

#endif
