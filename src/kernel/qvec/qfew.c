/* SPDX-License-Identifier: Apache-2.0
 *
 * qfew - int8 layers of one pixel whose weights have 4 or 2 bits: half or a quarter as many bytes are read as for int8, and they are multiplied without
 * being widened.
 *
 * A weight lies so much too large that it has no sign, by 8 or 2: x86 multiplies unsigned by signed bytes, and vpmaddubsw adds two products in 16 bits, of
 * which ROUND steps' fit there. What is too much is so often the sum of x, the same for every channel.
 * A byte holds 8 / bits weights. Its upper half is shifted down; of 2 bits, the upper weight of a half is multiplied where it lies, and its sum divided by 4.
 */
#include "kernel/qvec/qconv.h"

#if !MATRICES && !(PAIRS && VW == 4)

enum { AHEAD = 2048, MOST = 2 }; /* bytes that are asked for in time; panels side by side */

/* A lane of 32 bits has 32 / bits neighbours of a sum: the lowest of four bytes, then the next ones. */
AI long panels(long o) { return (o + PANEL - 1) / PANEL; }
AI long taps_of(const int32_t *k) { return (long)k[CK_KH] * k[CK_KW] * k[CK_C]; }
AI long lanes_of(const int32_t *k, int bits) { return (taps_of(k) * bits + 31) / 32; }
AI long panel_bytes(const int32_t *k, int bits) { return lanes_of(k, bits) * PANEL * 4; }

/* Sums of products with the upper weight of a half, four times too large, stay within 32 bits. */
bool VN(qfew_fits)(const int32_t *k) { return is_one_pixel(k) && taps_of(k) <= 1 << 20; }

/* [panel][group of taps][lane][4] */
size_t VN(qone4_pack_bytes)(const int32_t *k) { return (size_t)(panels(k[CK_O]) * panel_bytes(k, 4)); }
size_t VN(qone2_pack_bytes)(const int32_t *k) { return (size_t)(panels(k[CK_O]) * panel_bytes(k, 2)); }

/* Tap i of channel o without a sign; behind the last one 0, since what x has there is not added up. */
static int unsigned_at(const cop_call *c, int bits, long o, long i)
{
	const int32_t *k = c->k;
	return o < k[CK_O] && i < taps_of(k) ? weight_at(c->buf[2], bits, o * k[CK_KH] * k[CK_KW] + i / k[CK_C], k[CK_C], i % k[CK_C]) + (1 << (bits - 1)) : 0;
}

static void pack(const cop_call *c, int bits)
{
	const int32_t *k = c->k, np = (int32_t)panels(k[CK_O]);

	for (long q = cop_from(c, np, 1); q < cop_to(c, np, 1); q++) {
		uint8_t *p = (uint8_t *)c->work + q * panel_bytes(k, bits);
		for (long n = 0; n < lanes_of(k, bits) * 32 / bits; n += 32 / bits)
			for (long l = 0; l < PANEL; l++)
				for (long b = 0; b < 4; b++, p++)
					for (int f = *p = 0; f < 8 / bits; f++) *p |= (uint8_t)(unsigned_at(c, bits, q * PANEL + l, n + 4 * f + b) << f * bits);
	}
}

void VN(qone4_pack)(const cop_call *c) { pack(c, 4); }
void VN(qone2_pack)(const cop_call *c) { pack(c, 2); }

typedef struct layer {
	const int8_t *w, *x;
	const int32_t *bias, *m, *s;
	long pitch, lanes, o;
	int32_t excess; /* of every sum */
	int8_t *y;
	rule r;
} layer;

/* The weights of v that x[f] meets: of the lower or upper half of each byte, those of 2 bits where they lie. */
AI vi field(const int bits, vi v, int f)
{
	if (bits == 4) return (f ? (vi)((vw)v >> 4) : v) & splat(0x0f0f0f0f);
	return (f & 2 ? (vi)((vw)v >> 4) : v) & splat(f & 1 ? 0x0c0c0c0c : 0x03030303);
}

#if PAIRS
enum { ROUND = 4 }; /* steps whose products fit 16 bits */
typedef mi part;
AI part add_products(part t, vi w, vi x) { return MM(add_epi16)(t, MM(maddubs_epi16)((mi)w, (mi)x)); }
AI vi widened(part t) { return (vi)MM(madd_epi16)(t, (mi)splat(0x00010001)); }
#else
enum { ROUND = 1 << 20 };
typedef vi part;
AI part add_products(part t, vi w, vi x) { return dot(t, w, x); }
AI vi widened(part t) { return t; }
#endif

/* Adds the products of n lanes, which fit `part`. Two sums for each vector: of every second weight of a byte. */
AI void sum_some(const int bits, const int np, vi (*sum)[2], const int8_t *w, const int8_t *x, long n, long pitch)
{
	part t[MOST][2][2] = {{{{0}}}};

	for (; n > 0; n--, x += 32 / bits, w += PANEL * 4) {
		vi xs[4];
		UNROLL
		for (int f = 0; f < 8 / bits; f++) xs[f] = splat(*(const word *)(x + 4 * f));
		UNROLL
		for (int p = 0; p < np; p++) {
			__builtin_prefetch(w + p * pitch + AHEAD);
			UNROLL
			for (int j = 0; j < 2; j++) {
				vi v = LDI(w + p * pitch + j * VW * 4);
				UNROLL
				for (int f = 0; f < 8 / bits; f++) t[p][j][f & 1] = add_products(t[p][j][f & 1], field(bits, v, f), xs[f]);
			}
		}
	}
	for (int p = 0; p < np; p++)
		for (int j = 0; j < 2; j++) sum[p][j] += widened(t[p][j][0]) + (widened(t[p][j][1]) >> (bits == 2 ? 2 : 0));
}

/* np panels from the q-th on. */
AI void run(const int bits, const int np, const layer *l, long q)
{
	const int8_t *w = l->w + q * l->pitch;
	vi sum[MOST][2];

	UNROLL
	for (int p = 0; p < np; p++) {
		UNROLL
		for (int j = 0; j < 2; j++) { /* of the last panel no more than the 64 bytes behind a buffer */
			const long o = (q + p) * PANEL + j * VW;
			sum[p][j] = (o < l->o ? LDI(l->bias + o) : splat(0)) - splat(l->excess);
		}
	}
	for (long n = 0; n < l->lanes; n += ROUND) sum_some(bits, np, sum, w + n * PANEL * 4, l->x + n * 32 / bits, lmin(ROUND, l->lanes - n), l->pitch);
	UNROLL
	for (int p = 0; p < np; p++) {
		long at = (q + p) * PANEL;
		requant(1, 1, sum[p], l->m + at, l->s + at, &l->r);
		if (at + VW < l->o) requant(1, 1, sum[p] + 1, l->m + at + VW, l->s + at + VW, &l->r);
		put2(l->y + at, sum[p][0], sum[p][1], lmin(PANEL, l->o - at), &l->r);
	}
}

AI void run_layer(const int bits, const cop_call *c)
{
	const int32_t *k = c->k, *m = c->buf[4], *bias = c->buf[3];
	long taps = taps_of(k), o = k[CK_O], q = cop_from(c, (int32_t)panels(o), 1), to = cop_to(c, (int32_t)panels(o), 1);
	layer l = {.w = c->pack, .x = c->buf[1], .bias = bias, .m = m, .s = k[QK_TWICE] ? m + o : m, .pitch = panel_bytes(k, bits), .lanes = lanes_of(k, bits), .o = o, .y = c->buf[0],
		.r = {.zy = k[QK_ZY], .up = k[QK_UP], .twice = k[QK_TWICE], .plain = k[QK_TWICE] && plain_shifts(m + o, bias, o, taps), .lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]}};

	for (long i = 0; i < taps; i++) l.excess += l.x[i] * (1 << (bits - 1));
	for (; q + MOST <= to; q += MOST) run(bits, MOST, &l, q);
	for (; q < to; q++) run(bits, 1, &l, q);
}

void VN(qone4_i8)(const cop_call *c) { run_layer(4, c); }
void VN(qone2_i8)(const cop_call *c) { run_layer(2, c); }

#endif
