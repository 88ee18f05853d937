/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv_tile - mr pixels by nv vectors of output channels, from bias to stored bytes. One body of constant sizes, so
 * that sums stay in registers; a dword of activations is broadcast against vectors of weights.
 */
#include "kernel/qvec/qconv.h"

/* Small tiles keep this many sums apart along k: the latency of dot products is hidden, and the loop costs less. They are
 * integers: the order is free. */
enum { CHAINS = 8 };

#if MATRICES
/* Two pixels together: each product makes their sums for two channels. The last of an odd number is its own neighbour. */
AI void sum(const int mr, const int nv, const int chains, const tile_args *p, const qe *a, vi acc[8][TILE * 2])
{
	const int8_t *b = p->w;
	const long step = p->a_step;
	const int pairs = (mr + 1) / 2;
	int32x4_t t[TILE / 2][4] = {0};

	(void)chains;
	for (long r = p->rows; r > 0; r--, a += p->a_row, b += p->b_row) {
		const int8_t *ak = a, *bk = b;
		for (long k = p->groups; k > 0; k--, ak += G, bk += nv * VW * G) {
			int8x16_t w[4];
			UNROLL
			for (int j = 0; j < 2 * nv; j++) w[j] = vld1q_s8(bk + 16 * j);
			UNROLL
			for (int i = 0; i < pairs; i++) {
				const int second = 2 * i + 1 < mr ? 2 * i + 1 : 2 * i;
				int8x16_t x = vcombine_s8(vld1_s8(ak + 2 * i * step), vld1_s8(ak + second * step));
				UNROLL
				for (int j = 0; j < 2 * nv; j++) t[i][j] = vmmlaq_s32(t[i][j], x, w[j]);
			}
		}
	}
	UNROLL
	for (int i = 0; i < mr; i++)
		UNROLL
		for (int j = 0; j < nv; j++) {
			int32x4_t two = t[i / 2][2 * j], more = t[i / 2][2 * j + 1]; /* channels of both pixels */
			acc[0][i * nv + j] += (vi)(i % 2 ? vcombine_s32(vget_high_s32(two), vget_high_s32(more)) : vcombine_s32(vget_low_s32(two), vget_low_s32(more)));
		}
}
#else
AI void sum(const int mr, const int nv, const int chains, const tile_args *p, const qe *a, vi acc[8][TILE * 2])
{
	const int8_t *b = p->w;
	const long step = p->a_step;

	for (long r = p->rows; r > 0; r--, a += p->a_row, b += p->b_row) {
		const qe *ak = a;
		const int8_t *bk = b;
		long k = p->groups;
		for (; k >= chains; k -= chains, ak += chains * G, bk += chains * nv * VW * G) {
			UNROLL
			for (int u = 0; u < chains; u++) {
				vi w[2];
				UNROLL
				for (int j = 0; j < nv; j++) w[j] = load_w(bk + (u * nv + j) * VW * G);
				UNROLL
				for (int i = 0; i < mr; i++) {
					vi x = splat(*(const word *)(ak + i * step + u * G));
					UNROLL
					for (int j = 0; j < nv; j++) acc[u][i * nv + j] = dot_all(acc[u][i * nv + j], x, w[j]);
				}
			}
		}
		for (; chains > 1 && k > 0; k--, ak += G, bk += nv * VW * G)
			UNROLL
			for (int i = 0; i < mr; i++) {
				vi x = splat(*(const word *)(ak + i * step));
				UNROLL
				for (int j = 0; j < nv; j++) acc[0][i * nv + j] = dot_all(acc[0][i * nv + j], x, load_w(bk + j * VW * G));
			}
	}
}

#endif

AI void tile(const int mr, const int nv, const tile_args *p, const qe *a, int8_t *y)
{
	const int chains = !MATRICES && mr * nv * 2 <= CHAINS ? CHAINS / (mr * nv) : 1;
	vi acc[8][TILE * 2];

	UNROLL
	for (int j = 0; j < nv; j++) {
		vi bias = LDI(p->bias + j * VW);
		if (OFFSET) bias -= LDI(p->fix + j * VW);
		UNROLL
		for (int i = 0; i < mr; i++) acc[0][i * nv + j] = bias;
	}
	UNROLL
	for (int u = 1; u < chains; u++)
		UNROLL
		for (int i = 0; i < mr * nv; i++) acc[u][i] = (vi){0};
	sum(mr, nv, chains, p, a, acc);
	UNROLL
	for (int u = 1; u < chains; u++)
		UNROLL
		for (int i = 0; i < mr * nv; i++) acc[0][i] += acc[u][i];
	UNROLL
	for (int j = 0; j < nv; j++) requant(mr, nv, acc[0] + j, p->m + j * VW, p->s + j * VW, &p->r);
	UNROLL
	for (int i = 0; i < mr; i++, y += p->ldy) {
		if (nv == 2) put2(y, acc[0][i * nv], acc[0][i * nv + 1], p->cols, &p->r);
		else put(y, acc[0][i * nv], p->cols, &p->r);
	}
}

#define FN(m, n)                                                                                                    \
	static NOINLINE void tile_##m##_##n(const tile_args *p, const qe *a, int8_t *y)                             \
	{                                                                                                           \
		tile(m, n, p, a, y);                                                                                \
	}
#define AT(m, n) [n][m] = tile_##m##_##n,
#define TO6(X, n) X(1, n) X(2, n) X(3, n) X(4, n) X(5, n) X(6, n)
#define TO8(X, n) TO6(X, n) X(7, n) X(8, n)
#define TO12(X, n) TO8(X, n) X(9, n) X(10, n) X(11, n) X(12, n)
#if NARROW
#define ALL(X) TO12(X, 1)
#elif VW == 8
#define ALL(X) TO8(X, 1) TO6(X, 2)
#else
#define ALL(X) TO12(X, 1) TO8(X, 2)
#endif

ALL(FN)

tile_fn *const VN(q_tiles)[3][TILE + 1] = {ALL(AT)};
