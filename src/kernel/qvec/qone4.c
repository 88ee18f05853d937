/* SPDX-License-Identifier: Apache-2.0
 *
 * qone4 - int8 layers of one pixel whose weights have 4 bits: half as many bytes are read as for int8, and they are multiplied without being widened.
 *
 * A weight lies as a nibble that is 8 too large, so it has no sign: x86 multiplies unsigned by signed bytes, and vpmaddubsw adds two products of at most
 * 15 * 128 in 16 bits, of which eight fit there. What is too much is 8 times the sum of x, the same for every channel.
 */
#include "kernel/qvec/qconv.h"

#if !MATRICES && !(PAIRS && VW == 4)

enum { OCTET = 8 }; /* taps that share 32 bits of a lane: the low nibbles of four bytes, then the high ones */
enum { AHEAD = 2048, MOST = 2 }; /* bytes that are asked for in time; panels side by side */

static long panels(long o) { return (o + PANEL - 1) / PANEL; }
static long taps_of(const int32_t *k) { return (long)k[CK_KH] * k[CK_KW] * k[CK_C]; }
static long octets(const int32_t *k) { return (taps_of(k) + OCTET - 1) / OCTET; }
static long panel_bytes(const int32_t *k) { return octets(k) * PANEL * OCTET / 2; }

bool VN(qone4_fits)(const int32_t *k) { return is_one_pixel(k); }

/* [panel][octet][lane][4] */
size_t VN(qone4_pack_bytes)(const int32_t *k) { return (size_t)(panels(k[CK_O]) * panel_bytes(k)); }

/* Tap i of channel o; behind the last one 0, since what x has there is not added up. */
static int nibble(const cop_call *c, long o, long i)
{
	const int32_t *k = c->k;
	return o < k[CK_O] && i < taps_of(k) ? weight_at(c->buf[2], true, o * k[CK_KH] * k[CK_KW] + i / k[CK_C], k[CK_C], i % k[CK_C]) + 8 : 0;
}

void VN(qone4_pack)(const cop_call *c)
{
	const int32_t *k = c->k, np = (int32_t)panels(k[CK_O]);

	for (long q = cop_from(c, np, 1); q < cop_to(c, np, 1); q++) {
		uint8_t *p = (uint8_t *)c->work + q * panel_bytes(k);
		for (long n = 0; n < octets(k); n++)
			for (long l = 0; l < PANEL; l++)
				for (long b = 0; b < 4; b++)
					*p++ = (uint8_t)(nibble(c, q * PANEL + l, n * OCTET + b) | nibble(c, q * PANEL + l, n * OCTET + 4 + b) << 4);
	}
}

typedef struct layer {
	const int8_t *w, *x;
	const int32_t *bias, *m, *s;
	long pitch, octets, o;
	int32_t eight; /* 8 times the sum of x */
	int8_t *y;
	rule r;
} layer;

AI vi low(vi v) { return v & splat(0x0f0f0f0f); }
AI vi high(vi v) { return (vi)((vw)v >> 4) & splat(0x0f0f0f0f); }

#if PAIRS
enum { ROUND = 4 }; /* octets whose products fit 16 bits */

/* To the sums in 16 bits those of an octet. */
AI mi add_octet(mi t, vi v, vi x0, vi x1)
{
	return MM(add_epi16)(t, MM(add_epi16)(MM(maddubs_epi16)((mi)low(v), (mi)x0), MM(maddubs_epi16)((mi)high(v), (mi)x1)));
}

AI void sum_octets(const int np, vi (*sum)[2], const int8_t *w, const layer *l)
{
	const int8_t *x = l->x;

	for (long left = l->octets; left > 0; left -= ROUND) {
		mi t[MOST][2] = {{{0}}};
		for (long n = lmin(left, ROUND); n > 0; n--, x += OCTET, w += PANEL * OCTET / 2) {
			vi x0 = splat(*(const word *)x), x1 = splat(*(const word *)(x + 4));
			UNROLL
			for (int p = 0; p < np; p++) {
				__builtin_prefetch(w + p * l->pitch + AHEAD);
				for (int j = 0; j < 2; j++) t[p][j] = add_octet(t[p][j], LDI(w + p * l->pitch + j * VW * 4), x0, x1);
			}
		}
		for (int p = 0; p < np; p++)
			for (int j = 0; j < 2; j++) sum[p][j] += (vi)MM(madd_epi16)(t[p][j], (mi)splat(0x00010001));
	}
}
#else
AI void sum_octets(const int np, vi (*sum)[2], const int8_t *w, const layer *l)
{
	vi more[MOST][2] = {{{0}}};
	const int8_t *x = l->x;

	for (long n = l->octets; n > 0; n--, x += OCTET, w += PANEL * OCTET / 2) {
		vi x0 = splat(*(const word *)x), x1 = splat(*(const word *)(x + 4));
		UNROLL
		for (int p = 0; p < np; p++) {
			__builtin_prefetch(w + p * l->pitch + AHEAD);
			UNROLL
			for (int j = 0; j < 2; j++) {
				vi v = LDI(w + p * l->pitch + j * VW * 4);
				sum[p][j] = dot(sum[p][j], low(v), x0);
				more[p][j] = dot(more[p][j], high(v), x1);
			}
		}
	}
	for (int p = 0; p < np; p++)
		for (int j = 0; j < 2; j++) sum[p][j] += more[p][j];
}
#endif

/* np panels from the q-th on. */
AI void run(const int np, const layer *l, long q)
{
	vi sum[MOST][2];

	UNROLL
	for (int p = 0; p < np; p++) {
		UNROLL
		for (int j = 0; j < 2; j++) { /* of the last panel no more than the 64 bytes behind a buffer */
			const long o = (q + p) * PANEL + j * VW;
			sum[p][j] = (o < l->o ? LDI(l->bias + o) : splat(0)) - splat(l->eight);
		}
	}
	sum_octets(np, sum, l->w + q * l->pitch, l);
	UNROLL
	for (int p = 0; p < np; p++) {
		long at = (q + p) * PANEL;
		requant(1, 1, sum[p], l->m + at, l->s + at, &l->r);
		if (at + VW < l->o) requant(1, 1, sum[p] + 1, l->m + at + VW, l->s + at + VW, &l->r);
		put2(l->y + at, sum[p][0], sum[p][1], lmin(PANEL, l->o - at), &l->r);
	}
}

void VN(qone4_i8)(const cop_call *c)
{
	const int32_t *k = c->k, *m = c->buf[4], *bias = c->buf[3];
	long taps = taps_of(k), o = k[CK_O], q = cop_from(c, (int32_t)panels(o), 1), to = cop_to(c, (int32_t)panels(o), 1);
	layer l = {.w = c->pack, .x = c->buf[1], .bias = bias, .m = m, .s = k[QK_TWICE] ? m + o : m, .pitch = panel_bytes(k), .octets = octets(k), .o = o, .y = c->buf[0],
		.r = {.zy = k[QK_ZY], .up = k[QK_UP], .twice = k[QK_TWICE], .plain = k[QK_TWICE] && plain_shifts(m + o, bias, o, taps), .lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]}};

	for (long i = 0; i < taps; i++) l.eight += 8 * l.x[i];
	for (; q + MOST <= to; q += MOST) run(MOST, &l, q);
	for (; q < to; q++) run(1, &l, q);
}

#endif
