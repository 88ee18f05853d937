/* SPDX-License-Identifier: Apache-2.0
 *
 * sum_to - sums of x[outer, rows, C] over the rows (the gradient of a bias), or of x[outer, C] over C; reduce - the same, and means.
 *
 * Sums over rows are cut along the columns, in cache lines; a column is added in blocks of rows that stay in the first
 * cache, four chains in each. Blocks and chains follow from the shape alone.
 */
#include "kernel/vec/vmath.h"

enum { BLOCK = 4096, CUT = 16 }; /* floats of x in a block; columns in a part come in this many */

/* The last axis is kept, with the one before it summed; or the last one is summed. At most one axis stands outside, kept. */
bool VN(sum_to_fits)(const int32_t *k)
{
	const int rank = k[RK_RANK];
	const int32_t *sy = k + RK_SB;

	if (rank < 1 || rank > 3) return false;
	if (sy[rank - 1] == 0) return rank == 1 || (rank == 2 && sy[0] == 1);
	if (sy[rank - 1] != 1 || rank == 1 || sy[rank - 2] != 0) return false;
	return rank == 2 || sy[0] == k[RK_DIM + 2];
}

AI v rows_block(const float *x, long C, long n)
{
	v a[4];
	long r = 0;

	UNROLL
	for (int j = 0; j < 4; j++) a[j] = (v){0};
	for (; r + 4 <= n; r += 4) {
		UNROLL
		for (int j = 0; j < 4; j++) a[j] += LD(x + (r + j) * C);
	}
	for (; r < n; r++) a[0] += LD(x + r * C);
	return (a[0] + a[1]) + (a[2] + a[3]);
}

static void sum_rows(float *y, const float *x, long rows, long C, long from, long to, float scale)
{
	const long step = lmax(16, BLOCK / C);

	vzero(y + from, to - from);
	for (long r = 0; r < rows; r += step)
		for (long i = from; i < to; i += VW)
			put(y + i, LD(y + i) + rows_block(x + r * C + i, C, lmin(step, rows - r)), lmin(VW, to - i));
	if (scale == 1.0f) return;
	for (long i = from; i < to; i += VW) put(y + i, LD(y + i) * scale, lmin(VW, to - i));
}

static float sum_run(const float *x, long n)
{
	v total = {0};

	for (long at = 0; at < n; at += BLOCK) {
		const long end = lmin(n, at + BLOCK);
		const v whole = rows_block(x + at, VW, (end - at) / VW);
		const long i = at + (end - at) / VW * VW;

		total += i < end ? whole + ldn(x + i, end - i) : whole;
	}
	return vsum(total);
}

static void sums(const cop_call *c, float scale)
{
	const int32_t *k = c->k, *dim = k + RK_DIM, rank = k[RK_RANK];
	const float *x = c->buf[1];
	float *y = c->buf[0];

	if (k[RK_SB + rank - 1]) {
		const int32_t C = dim[rank - 1], rows = dim[rank - 2], outer = rank == 3 ? dim[0] : 1;
		const long from = cop_from(c, C, CUT), to = cop_to(c, C, CUT);
		for (long i = 0; i < outer && from < to; i++) sum_rows(y + i * C, x + i * rows * C, rows, C, from, to, scale);
		return;
	}
	const int32_t n = dim[rank - 1], outer = rank == 2 ? dim[0] : 1, to = cop_to(c, outer, 1);
	for (long i = cop_from(c, outer, 1); i < to; i++) y[i] = sum_run(x + i * n, n) * scale;
}

void VN(sum_to_f32)(const cop_call *c) { sums(c, 1.0f); }

bool VN(reduce_fits)(const int32_t *k) { return k[RK_FN] <= REDUCE_MEAN && VN(sum_to_fits)(k); }

void VN(reduce_f32)(const cop_call *c) { sums(c, c->k[RK_FN] == REDUCE_MEAN ? 1.0f / (float)c->k[RK_OF] : 1.0f); }
