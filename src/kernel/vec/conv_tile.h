/* SPDX-License-Identifier: Apache-2.0
 *
 * conv_tile.h - the two tiles for few output channels, where mk.h would leave lanes empty or load for every
 * multiply: ROW and PAIR of conv.h. Outputs are one chain each, in an order that the tile's size does not change.
 */
#ifndef COP_CONV_TILE_H
#define COP_CONV_TILE_H

#include "kernel/vec/mk.h"

AI void tile_end(v *acc, int n, const mk_args *p, float *c)
{
	if (p->bias) {
		v t = LD(p->bias);
		UNROLL
		for (int i = 0; i < n; i++) acc[i] += t;
	}
	if (p->act) {
		v lo = splat(p->lo), hi = splat(p->hi);
		UNROLL
		for (int i = 0; i < n; i++) acc[i] = clamp(acc[i], lo, hi);
	}
	if (p->cols == VW) {
		UNROLL
		for (int i = 0; i < n; i++) ST(c + i * p->ldc, acc[i]);
	} else {
		UNROLL
		for (int i = 0; i < n; i++) stn(c + i * p->ldc, acc[i], p->cols);
	}
}

/* mr neighbouring outputs, three taps wide, stride s: an input pixel is broadcast once and feeds up to three.
 * p->k is the channels, p->as the floats from pixel to pixel (CC when that is known beforehand, else 0). */
AI void row_tile(const int mr, const int s, const int CC, const mk_args *p, const float *a, const float *b, float *c)
{
	const long as = CC ? CC : p->as, channels = CC ? CC : p->k;
	v acc[16];

	UNROLL
	for (int i = 0; i < mr; i++) acc[i] = (v){0};
	for (long r = p->n1; r > 0; r--, a += p->a1, b += p->b1) {
		const float *ak = a, *bk = b;
		for (long k = channels; k > 0; k--, ak++, bk += 3 * VW) {
			v w[3] = {LD(bk), LD(bk + VW), LD(bk + 2 * VW)};
			UNROLL
			for (int j = 0; j < (mr - 1) * s + 3; j++) {
				float t = ak[j * as];
				UNROLL
				for (int q = 0; q < 3; q++)
					if (j >= q && (j - q) % s == 0 && (j - q) / s < mr)
						acc[(j - q) / s] += t * w[q];
			}
		}
	}
	tile_end(acc, mr, p, c);
}

typedef double vd __attribute__((vector_size(VW * 4)));
typedef double one_pair __attribute__((aligned(4), may_alias));

#if VW == 16
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define HALF(a, h)                                                                                                     \
	__builtin_shufflevector(a, a, 8 * h, 8 * h + 1, 8 * h + 2, 8 * h + 3, 8 * h + 4, 8 * h + 5, 8 * h + 6,         \
		8 * h + 7, 0, 1, 2, 3, 4, 5, 6, 7)
#elif VW == 8
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define HALF(a, h) __builtin_shufflevector(a, a, 4 * h, 4 * h + 1, 4 * h + 2, 4 * h + 3, 0, 1, 2, 3)
#else
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#define HALF(a, h) __builtin_shufflevector(a, a, 2 * h, 2 * h + 1, 0, 1)
#endif

AI v splat_pair(const float *p)
{
	double x = *(const one_pair *)p;
#if VW == 16
	return (v)_mm512_set1_pd(x);
#elif VW == 8
	return (v)_mm256_set1_pd(x);
#else
	return (v)(vd){x, x};
#endif
}

/* mr pixels, up to VW / 2 outputs: two floats of A are broadcast together; even lanes sum the even k, odd the odd. */
AI void pair_tile(const int mr, const mk_args *p, const float *a, const float *b, float *c)
{
	const long as = p->as;
	v acc[12];

	UNROLL
	for (int i = 0; i < mr; i++) acc[i] = (v){0};
	for (long r = p->n1; r > 0; r--, a += p->a1, b += p->b1) {
		const float *ak = a, *bk = b;
		for (long k = p->k; k > 0; k -= 2, ak += 2, bk += VW) {
			v w = LD(bk);
			UNROLL
			for (int i = 0; i < mr; i++) acc[i] += splat_pair(ak + i * as) * w;
		}
	}
	v bias = {0}, t[6];
	if (p->bias) bias = HALF(LD(p->bias), 0);
	UNROLL
	for (int i = 0; i < mr; i += 2) {
		const int other = i + 1 < mr ? i + 1 : i;
		t[i / 2] = EVEN(acc[i], acc[other]) + ODD(acc[i], acc[other]) + bias;
	}
	if (p->act) {
		v lo = splat(p->lo), hi = splat(p->hi);
		UNROLL
		for (int i = 0; i < mr; i += 2) t[i / 2] = clamp(t[i / 2], lo, hi);
	}
	if (mr % 2 == 0 && p->cols == VW / 2 && p->ldc == VW / 2) { /* two pixels fill a vector of y */
		UNROLL
		for (int i = 0; i < mr; i += 2) ST(c + i * (VW / 2), t[i / 2]);
		return;
	}
	UNROLL
	for (int i = 0; i < mr; i++) stn(c + i * p->ldc, i % 2 ? HALF(t[i / 2], 1) : t[i / 2], p->cols);
}

#endif
