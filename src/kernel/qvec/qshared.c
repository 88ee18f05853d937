/* SPDX-License-Identifier: Apache-2.0
 *
 * qshared - int8 layers of one pixel whose rows have at most 16 different weights each, as shared weights have (Han et al. 2016). What is read are codes of
 * 4 bits, half of the bytes; a permutation of bytes looks the weights up in the table of their row, and dot products are those of dense weights.
 *
 * GROUP rows are summed together, each with its table in a register:
 *   [group of rows][step][row][RUN codes in the low bits, RUN in the high ones], then 16 weights for each row, then OFFSET times the sum of each row
 * vpermb looks at six bits of a byte and finds the table four times, so codes are not masked.
 */
#include "kernel/qvec/qconv.h"

#if defined(__AVX512VBMI__)

enum { GROUP = 8, LEVELS = 16, RUN = VW * 4, TAPS = 2 * RUN, STEP = GROUP * RUN, LONGEST = 1 << 16 };

static long taps_of(const int32_t *k) { return (long)k[CK_KH] * k[CK_KW] * k[CK_C]; }
static long groups(const int32_t *k) { return up_to(k[CK_O], VW) / GROUP; }
static long steps_of(const int32_t *k) { return (taps_of(k) + TAPS - 1) / TAPS; }
static int8_t *tables(const int32_t *k, const void *pack) { return (int8_t *)(uintptr_t)pack + groups(k) * steps_of(k) * STEP; }
static int32_t *fixes(const int32_t *k, const void *pack) { return (int32_t *)(void *)(tables(k, pack) + groups(k) * GROUP * LEVELS); }

bool VN(qshared_fits)(const int32_t *k) { return is_one_pixel(k) && taps_of(k) <= LONGEST; }
size_t VN(qshared_work)(const int32_t *k) { return (size_t)(steps_of(k) * TAPS); }
size_t VN(qshared_pack_bytes)(const int32_t *k) { return (size_t)groups(k) * GROUP * (size_t)(steps_of(k) * RUN + LEVELS + 4); }

/* The code of v in a table of n values so far, to which it is added where it is new; -1: there is no room. */
static int code_of(int8_t *table, int *n, int8_t v)
{
	int i = 0;

	while (i < *n && table[i] != v) i++;
	if (i == LEVELS) return -1;
	if (i == *n) table[(*n)++] = v;
	return i;
}

/* Vectors of codes, or -1. */
int64_t VN(qshared_steps)(const int32_t *k, const void *weight)
{
	const int8_t *w = weight;

	for (long o = 0; o < k[CK_O]; o++) {
		int8_t table[LEVELS];
		int n = 0;
		for (long i = 0; i < taps_of(k); i++)
			if (code_of(table, &n, *w++) < 0) return -1;
	}
	return groups(k) * GROUP * steps_of(k);
}

/* A call takes as long as some steps before its first one. */
int64_t VN(qshared_spent)(const int32_t *k, const void *w)
{
	enum { BEGIN = 400 };
	(void)w;
	return BEGIN + groups(k) * GROUP * steps_of(k);
}

static void pack_row(const cop_call *c, long o)
{
	const long taps = taps_of(c->k);
	const int8_t *w = (const int8_t *)c->buf[2] + o * taps;
	uint8_t *codes = (uint8_t *)c->work + o / GROUP * steps_of(c->k) * STEP + o % GROUP * RUN;
	int8_t *table = tables(c->k, c->work) + o * LEVELS;
	int n = 0;

	for (long i = 0; i < taps; i++) {
		codes[i / TAPS * STEP + i % RUN] |= (uint8_t)(code_of(table, &n, w[i]) << i % TAPS / RUN * 4);
		fixes(c->k, c->work)[o] += OFFSET * w[i];
	}
}

void VN(qshared_pack)(const cop_call *c)
{
	if (c->part) return;
	memset(c->work, 0, VN(qshared_pack_bytes)(c->k));
	for (long o = 0; o < c->k[CK_O]; o++) pack_row(c, o);
}

/* In each 128 bits the sums of those of four vectors, one after the other. */
AI mi add_four(const vi *a)
{
	mi t = _mm512_add_epi32(_mm512_unpacklo_epi32((mi)a[0], (mi)a[1]), _mm512_unpackhi_epi32((mi)a[0], (mi)a[1]));
	mi u = _mm512_add_epi32(_mm512_unpacklo_epi32((mi)a[2], (mi)a[3]), _mm512_unpackhi_epi32((mi)a[2], (mi)a[3]));
	return _mm512_add_epi32(_mm512_unpacklo_epi64(t, u), _mm512_unpackhi_epi64(t, u));
}

/* The sums of eight vectors, in order. */
AI __m256i add_rows(const vi *a)
{
	mi t = add_four(a), u = add_four(a + 4);
	mi s = _mm512_add_epi32(_mm512_shuffle_i32x4(t, u, 0x88), _mm512_shuffle_i32x4(t, u, 0xdd)); /* two halves of t, two of u */
	return _mm512_castsi512_si256(_mm512_add_epi32(_mm512_shuffle_i32x4(s, s, 0x08), _mm512_shuffle_i32x4(s, s, 0x0d)));
}

/* The products of RUN taps, whose codes are the low bits of v. */
AI vi add_products(vi acc, vi x, vi table, vw v) { return dot(acc, x, (vi)_mm512_permutexvar_epi8((mi)v, (mi)table)); }

/* A function of its own, since gcc keeps a sum in memory else. */
static NOINLINE __m256i sum_group(const int8_t *codes, const int8_t *table, const uint8_t *x, long steps)
{
	vi acc[GROUP] = {{0}}, t[GROUP];

	UNROLL
	for (int j = 0; j < GROUP; j++) t[j] = (vi)_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)(table + j * LEVELS)));
	for (; steps > 0; steps--, codes += STEP, x += TAPS) {
		const vi x0 = LDI(x), x1 = LDI(x + RUN);
		UNROLL
		for (int j = 0; j < GROUP; j++) {
			vw v = (vw)LDI(codes + j * RUN);
			acc[j] = add_products(acc[j], x0, t[j], v);
			acc[j] = add_products(acc[j], x1, t[j], v >> 4);
		}
	}
	return add_rows(acc);
}

/* Of the VW rows from o on. */
static vi sums(const cop_call *c, long o)
{
	const int32_t *k = c->k;
	const int8_t *codes = (const int8_t *)c->pack + o / GROUP * steps_of(k) * STEP, *table = tables(k, c->pack) + o * LEVELS;
	__m256i a = sum_group(codes, table, c->work, steps_of(k)), b = sum_group(codes + steps_of(k) * STEP, table + GROUP * LEVELS, c->work, steps_of(k));

	return (vi)_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1) - LDI(fixes(k, c->pack) + o);
}

void VN(qshared_i8)(const cop_call *c)
{
	const int32_t *k = c->k, *bias = c->buf[3], *m = c->buf[4], o_n = k[CK_O], *s = k[QK_TWICE] ? m + o_n : m;
	const rule r = {.zy = k[QK_ZY], .up = k[QK_UP], .twice = k[QK_TWICE], .plain = k[QK_TWICE] && plain_shifts(s, bias, o_n, taps_of(k)), .lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]};
	const int8_t *x = c->buf[1];
	uint8_t *staged = c->work;

	for (long i = 0; i < taps_of(k); i++) staged[i] = (uint8_t)(x[i] + OFFSET);
	memset(staged + taps_of(k), 0, VN(qshared_work)(k) - (size_t)taps_of(k)); /* whatever weights there may be */
	for (long o = cop_from(c, o_n, VW); o < cop_to(c, o_n, VW); o += VW) {
		vi sum = sums(c, o) + LDI(bias + o);
		requant(1, 1, &sum, m + o, s + o, &r);
		put((int8_t *)c->buf[0] + o, sum, lmin(VW, o_n - o), &r);
	}
}

#endif
