/* SPDX-License-Identifier: Apache-2.0
 *
 * mk.h - the one micro-kernel under every convolution and product: a tile of C held in registers.
 *
 *   C[i][j] (=|+=) sum over s2, s1, k of A[i][k] * B[k][j],   i < mr, j < nv * VW
 *
 * A is read one float at a time and broadcast, B in whole vectors. Two ways to lie for A:
 *   nn  row i starts at i * as, k runs along memory      (pixels of an NHWC image, rows of X)
 *   tn  k-th row starts at k * as, i runs along memory   (dY seen from its channels)
 * Every element of C is one chain of fused multiply-adds in the order s2, s1, k whatever the tile's size,
 * so how work is cut into tiles and parts cannot be seen in the bits.
 */
#ifndef COP_MK_H
#define COP_MK_H

#include "kernel/vec/vec.h"

typedef struct mk_args {
	long n2, a2, b2;     /* outer sum: how many, steps of A and of B */
	long n1, a1, b1;     /* the sum within */
	long k, as;
	long ldb, ldc;
	long cols;           /* columns of the tile that exist; the last vector may be partial */
	const float *bias;   /* of the tile's first column, or NULL */
	bool add;            /* += */
	bool act;            /* clamp to lo..hi */
	float lo, hi;
} mk_args;

typedef void mk_fn(const mk_args *p, const float *a, const float *b, float *c);

/* Rows that fit the registers for 1, 2, 3 vectors of columns. Instances exist for every mr up to that. */
#if VW == 8
enum { MK_1 = 12, MK_2 = 6, MK_3 = 4 };
#else
enum { MK_1 = 16, MK_2 = 14, MK_3 = 9 };
#endif
enum { MK_ROWS = 16 };

extern mk_fn *const VN(mk_nn)[4][MK_ROWS + 1];
extern mk_fn *const VN(mk_tn)[4][MK_ROWS + 1];

AI long mk_cap(long nv) { return nv == 1 ? MK_1 : nv == 2 ? MK_2 : MK_3; }

/* Columns are cut into panels of two or three vectors: with one, there is a load for every multiply. */
AI long vectors(long n) { return (n + VW - 1) / VW; }

AI long panels(long n)
{
	long t = vectors(n);
	return VW == 8 ? (t + 2) / 3 : t < 2 ? t : t / 2;
}

/* First vector of panel p of n columns, and how many vectors it has. */
AI long panel_at(long n, long p)
{
	long t = vectors(n);
	if (VW == 8) return 3 * p - (t > 1 && t % 3 == 1 && p == panels(n) - 1);
	return 2 * p + (t > 1 && t % 2 && p > 0);
}

AI long panel_nv(long n, long p)
{
	return (p == panels(n) - 1 ? vectors(n) : panel_at(n, p + 1)) - panel_at(n, p);
}

/* M rows as equal tiles. a_step: floats of A from one row of C to the next. */
AI void mk_run(mk_fn *const table[MK_ROWS + 1], long cap, long m, const mk_args *p, const float *a, long a_step,
	const float *b, float *c)
{
	long tiles = (m + cap - 1) / cap;

	for (long t = 0, at = 0; t < tiles; t++) {
		long to = m * (t + 1) / tiles;
		table[to - at](p, a + at * a_step, b, c + at * p->ldc);
		at = to;
	}
}

#endif
