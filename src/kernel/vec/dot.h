/* SPDX-License-Identifier: Apache-2.0
 *
 * dot.h - y[r,o] = b[o] + sum_k x[r,k] w[o,k] for few rows r: dot products along memory, w read once.
 */
#ifndef COP_DOT_H
#define COP_DOT_H

#include "kernel/vec/vec.h"

enum { DOT_O = 8, DOT_R = VW == 8 ? 1 : 2 }; /* outputs and rows of a tile: vectors held */

/* The sums of the lanes of eight vectors, each in the order of vsum. */
AI void sums8(float *y, const v a[8])
{
#if VW == 8
	v b[4], c[2];

	UNROLL
	for (int i = 0; i < 4; i++)
		b[i] = __builtin_shufflevector(a[2 * i], a[2 * i + 1], 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(a[2 * i], a[2 * i + 1], 4, 5, 6, 7, 12, 13, 14, 15);
	UNROLL
	for (int i = 0; i < 2; i++)
		c[i] = __builtin_shufflevector(b[2 * i], b[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13) + __builtin_shufflevector(b[2 * i], b[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
	v d = __builtin_shufflevector(c[0], c[1], 0, 2, 8, 10, 4, 6, 12, 14) + __builtin_shufflevector(c[0], c[1], 1, 3, 9, 11, 5, 7, 13, 15);
	ST(y, __builtin_shufflevector(d, d, 0, 4, 1, 5, 2, 6, 3, 7));
#else
	UNROLL
	for (int i = 0; i < 8; i++) y[i] = vsum(a[i]);
#endif
}

/* mr x no sums (no: 1 or 8) over whole vectors of k, then the rest with the lanes that exist. */
AI void dot_tile(
	const int mr, const int no, float *y, long ldy, const float *x, long ldx, const float *w, long ldw, long k)
{
	v acc[DOT_R][DOT_O];
	long i = 0;

	UNROLL
	for (int r = 0; r < mr; r++)
		UNROLL
		for (int o = 0; o < no; o++) acc[r][o] = (v){0};
	for (; i + VW <= k; i += VW) {
		v t[DOT_R];
		if (no == 8) { /* the next tile's rows follow, and often come from far */
			UNROLL
			for (int q = 0; q < VW / 2; q++) __builtin_prefetch(w + 8 * ldw + 8 * i + 16 * q);
		}
		UNROLL
		for (int r = 0; r < mr; r++) t[r] = LD(x + r * ldx + i);
		UNROLL
		for (int o = 0; o < no; o++) {
			v q = LD(w + o * ldw + i);
			UNROLL
			for (int r = 0; r < mr; r++) acc[r][o] += t[r] * q;
		}
	}
	if (i < k) {
		UNROLL
		for (int r = 0; r < mr; r++) {
			v t = ldn(x + r * ldx + i, k - i);
			UNROLL
			for (int o = 0; o < no; o++) acc[r][o] += t * ldn(w + o * ldw + i, k - i);
		}
	}
	UNROLL
	for (int r = 0; r < mr; r++) {
		if (no == 8) sums8(y + r * ldy, acc[r]);
		else y[r * ldy] = vsum(acc[r][0]);
	}
}

#define DOT_FN(m, n)                                                                                                   \
	static NOINLINE void dot_##m##_##n(                                                                            \
		float *y, long ldy, const float *x, long ldx, const float *w, long ldw, long k)                        \
	{                                                                                                              \
		dot_tile(m, n, y, ldy, x, ldx, w, ldw, k);                                                             \
	}
DOT_FN(1, 8) DOT_FN(1, 1)
#if VW != 8
DOT_FN(2, 8) DOT_FN(2, 1)
#else
#define dot_2_8 dot_1_8
#define dot_2_1 dot_1_1
#endif

/* Outputs [o0, o1) of n rows. Each element is summed in one way whatever the tile it falls in. */
AI void dots(float *y, long ldy, const float *x, long ldx, const float *w, long ldw, long n, long o0, long o1, long k,
	const float *bias, float lo, float hi)
{
	for (long o = o0, m; o < o1; o += m) {
		m = o1 - o >= DOT_O ? DOT_O : 1;
		for (long r = 0, mr; r < n; r += mr) {
			mr = n - r >= DOT_R ? DOT_R : 1;
			(mr == 1         ? m == 1 ? dot_1_1 : dot_1_8
				: m == 1 ? dot_2_1
					 : dot_2_8)(y + r * ldy + o, ldy, x + r * ldx, ldx, w + o * ldw, ldw, k);
		}
		for (long r = 0; r < n; r++) {
			float *d = y + r * ldy + o;
			if (VW == 8 && m == VW) ST(d, clamp(bias ? LD(d) + LD(bias + o) : LD(d), splat(lo), splat(hi)));
			else
				for (long j = 0; j < m; j++) d[j] = clamp1(d[j] + (bias ? bias[o + j] : 0), lo, hi);
		}
	}
}

#endif
