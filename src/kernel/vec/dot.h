/* SPDX-License-Identifier: Apache-2.0
 *
 * dot.h - y[r,o] = b[o] + sum_k x[r,k] w[o,k] for few rows r: dot products along memory, w read once.
 */
#ifndef COP_DOT_H
#define COP_DOT_H

#include "kernel/vec/vec.h"

enum { DOT_O = 8, DOT_R = VW == 8 ? 1 : 2 }; /* outputs and rows of a tile: vectors held */

/* mr x no sums over whole vectors of k, then the rest with the lanes that exist. */
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
	for (int r = 0; r < mr; r++)
		UNROLL
		for (int o = 0; o < no; o++) y[r * ldy + o] = vsum(acc[r][o]);
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
		for (long r = 0; r < n; r++)
			for (long j = o; j < o + m; j++)
				y[r * ldy + j] = clamp1(y[r * ldy + j] + (bias ? bias[j] : 0), lo, hi);
	}
}

#endif
