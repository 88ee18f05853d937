/* SPDX-License-Identifier: Apache-2.0
 *
 * mk - instances of the register tile of mk.h, by kind, vectors and rows.
 *
 * The body is one always-inlined function of constant sizes: accumulators indexed by unrolled loops stay in
 * registers. The sum is not unrolled along k, which measured slower.
 */
#include "kernel/vec/mk.h"

enum { NN, TN };

AI void store(const int mr, const int nv, const mk_args *p, v acc[16][3], float *c)
{
	const long tail = p->cols - (nv - 1) * VW, ldc = p->ldc;

	if (p->bias) {
		UNROLL
		for (int j = 0; j < nv; j++) {
			v t = LD(p->bias + j * VW);
			UNROLL
			for (int i = 0; i < mr; i++) acc[i][j] += t;
		}
	}
	if (p->add) {
		UNROLL
		for (int i = 0; i < mr; i++)
			UNROLL
			for (int j = 0; j < nv; j++) acc[i][j] += LD(c + i * ldc + j * VW);
	}
	if (p->act) {
		v lo = splat(p->lo), hi = splat(p->hi);
		UNROLL
		for (int i = 0; i < mr; i++)
			UNROLL
			for (int j = 0; j < nv; j++) acc[i][j] = clamp(acc[i][j], lo, hi);
	}
	UNROLL
	for (int i = 0; i < mr; i++)
		UNROLL
		for (int j = 0; j < nv - 1; j++) ST(c + i * ldc + j * VW, acc[i][j]);
	c += (nv - 1) * VW;
	if (LIKELY(tail == VW)) {
		UNROLL
		for (int i = 0; i < mr; i++) ST(c + i * ldc, acc[i][nv - 1]);
	} else {
		UNROLL
		for (int i = 0; i < mr; i++) stn(c + i * ldc, acc[i][nv - 1], tail);
	}
}

AI void tile(const int mr, const int nv, const int kind, const mk_args *p, const float *a, const float *b, float *c)
{
	v acc[16][3];
	long off[16];
	const long as = p->as, ldb = p->ldb;

	UNROLL
	for (int i = 0; i < mr; i++) {
		off[i] = kind == NN ? i * as : i;
		UNROLL
		for (int j = 0; j < nv; j++) acc[i][j] = (v){0};
	}
	for (long s2 = p->n2; s2 > 0; s2--, a += p->a2, b += p->b2) {
		const float *a1 = a, *b1 = b;
		for (long s1 = p->n1; s1 > 0; s1--, a1 += p->a1, b1 += p->b1) {
			const float *ak = a1, *bk = b1;
			for (long k = p->k; k > 0; k--) {
				v bb[3];
				UNROLL
				for (int j = 0; j < nv; j++) bb[j] = LD(bk + j * VW);
				UNROLL
				for (int i = 0; i < mr; i++) {
					float t = ak[off[i]];
					UNROLL
					for (int j = 0; j < nv; j++) acc[i][j] += t * bb[j];
				}
				bk += ldb;
				ak += kind == NN ? 1 : as;
			}
		}
	}
	store(mr, nv, p, acc, c);
}

#define FN(kind, m, n)                                                                                              \
	static NOINLINE void kind##_##m##_##n(const mk_args *p, const float *a, const float *b, float *c)           \
	{                                                                                                           \
		tile(m, n, kind, p, a, b, c);                                                                       \
	}
#define AT(kind, m, n) [n][m] = kind##_##m##_##n,

#define X6(X, k, n) X(k, 1, n) X(k, 2, n) X(k, 3, n) X(k, 4, n) X(k, 5, n) X(k, 6, n)
#define X8(X, k, n) X6(X, k, n) X(k, 7, n) X(k, 8, n)
#define X12(X, k, n) X8(X, k, n) X(k, 9, n) X(k, 10, n) X(k, 11, n) X(k, 12, n)
#define X14(X, k, n) X12(X, k, n) X(k, 13, n) X(k, 14, n)
#if VW == 8
#define ALL(X, k) X12(X, k, 1) X6(X, k, 2) X(k, 1, 3) X(k, 2, 3) X(k, 3, 3) X(k, 4, 3)
#else
#define ALL(X, k) X14(X, k, 1) X(k, 15, 1) X(k, 16, 1) X14(X, k, 2) X8(X, k, 3) X(k, 9, 3)
#endif

ALL(FN, NN)
ALL(FN, TN)

mk_fn *const VN(mk_nn)[4][MK_ROWS + 1] = {ALL(AT, NN)};
mk_fn *const VN(mk_tn)[4][MK_ROWS + 1] = {ALL(AT, TN)};
