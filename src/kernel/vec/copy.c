/* SPDX-License-Identifier: Apache-2.0
 *
 * copy - transpose, slice, unslice, pad where the last axis is a run in both or a transposition; and concat.
 *
 * Runs are visited in ascending order of y and what lies between two of them is filled on the way, so each part owns
 * one stretch of y. A transposition goes by tiles, cut along the axis that is dense in x.
 */
#include "kernel/vec/pack.h"

enum { TILE = 64, LONG = 64 }; /* a tile's edge; from here on memcpy beats a loop */

AI void move_run(float *y, const float *x, long n)
{
	if (n < LONG) vcopy(y, x, n);
	else memcpy(y, x, (size_t)n * 4);
}

static void fill(float *y, long n, float value)
{
	long i = 0;

	for (; i + VW <= n; i += VW) ST(y + i, splat(value));
	if (i < n) stn(y + i, splat(value), n - i);
}

/* Each axis of y steps over all that the axes within it span. */
static bool ascending(const int32_t *k)
{
	for (int i = 0; i + 1 < k[YK_RANK]; i++)
		if (k[YK_SY + i] < k[YK_SY + i + 1] * (int64_t)k[YK_DIM + i + 1]) return false;
	return true;
}

/* The axis that is dense in x while the last one is dense in y; -1 if the copy is no transposition. */
static int dense_in_x(const int32_t *k)
{
	const int last = k[YK_RANK] - 1;

	if (k[YK_SY + last] != 1 || k[YK_SX + last] == 1) return -1;
	for (int i = 0; i < last; i++)
		if (k[YK_SX + i] == 1) return i;
	return -1;
}

bool VN(copy_fits)(const int32_t *k)
{
	const int last = k[YK_RANK] - 1, d = dense_in_x(k);

	if (k[YK_SX + last] == 1 && k[YK_SY + last] == 1) return k[YK_DIM + last] >= 4 && (!k[YK_FILL] || ascending(k));
	return d >= 0 && !k[YK_FILL] && k[YK_DIM + d] >= 4 && k[YK_DIM + last] >= 4;
}

/* Offsets of position `at` over the axes below `axes`, axis `skip` left out. */
static void locate(long *oy, long *ox, const int32_t *k, int axes, int skip, long at)
{
	*oy = *ox = 0;
	for (int i = axes - 1; i >= 0; i--) {
		if (i == skip) continue;
		const long j = at % k[YK_DIM + i];
		at /= k[YK_DIM + i];
		*oy += j * k[YK_SY + i];
		*ox += j * k[YK_SX + i];
	}
}

static void runs(const cop_call *c)
{
	const int32_t *k = c->k;
	const int last = k[YK_RANK] - 1;
	const long n = k[YK_DIM + last], gaps = k[YK_FILL];
	float *y = c->buf[0];
	const float *x = (const float *)c->buf[1] + k[YK_XOFF];
	int32_t rows = 1;
	long oy, ox;

	for (int i = 0; i < last; i++) rows *= k[YK_DIM + i];
	const long from = cop_from(c, rows, 1), to = cop_to(c, rows, 1);
	if (from == to) return;
	locate(&oy, &ox, k, last, -1, from);
	long done = from ? k[YK_YOFF] + oy : 0;
	for (long r = from; r < to;) {
		const long inner = last ? k[YK_DIM + last - 1] : 1, i = r % inner, end = lmin(to, r - i + inner);
		locate(&oy, &ox, k, last, -1, r);
		for (; r < end; r++, oy += last ? k[YK_SY + last - 1] : 0, ox += last ? k[YK_SX + last - 1] : 0) {
			const long at = k[YK_YOFF] + oy;
			if (gaps) fill(y + done, at - done, cop_f(k[YK_VALUE]));
			move_run(y + at, x + ox, n);
			done = at + n;
		}
	}
	if (!gaps) return;
	locate(&oy, &ox, k, last, -1, to);
	fill(y + done, (to < rows ? k[YK_YOFF] + oy : k[YK_COUNT]) - done, cop_f(k[YK_VALUE]));
}

static void transposed(const cop_call *c, int d)
{
	const int32_t *k = c->k;
	const int last = k[YK_RANK] - 1;
	const long n = k[YK_DIM + last], m = k[YK_DIM + d], strips = (m + TILE - 1) / TILE;
	float *y = (float *)c->buf[0] + k[YK_YOFF];
	const float *x = (const float *)c->buf[1] + k[YK_XOFF];
	long planes = 1, oy, ox;

	for (int i = 0; i < last; i++) planes *= i == d ? 1 : k[YK_DIM + i];
	const long to = cop_to(c, (int32_t)(planes * strips), 1);
	for (long u = cop_from(c, (int32_t)(planes * strips), 1); u < to; u++) {
		const long i = u % strips * TILE;
		locate(&oy, &ox, k, last, d, u / strips);
		for (long j = 0; j < n; j += TILE) {
			const long h = lmin(TILE, n - j);
			VN(transpose)(y + oy + i * k[YK_SY + d] + j, k[YK_SY + d], x + ox + i + j * k[YK_SX + last], k[YK_SX + last], h,
				lmin(TILE, m - i), h);
		}
	}
}

void VN(copy_f32)(const cop_call *c)
{
	const int d = dense_in_x(c->k);

	if (d < 0) runs(c);
	else transposed(c, d);
}

void VN(concat_f32)(const cop_call *c)
{
	const int32_t *k = c->k, to = cop_to(c, k[JK_OUTER], 1);
	long width = 0;

	for (int j = 0; j < k[JK_N]; j++) width += k[JK_LEN + j];
	for (long r = cop_from(c, k[JK_OUTER], 1); r < to; r++) {
		float *y = (float *)c->buf[0] + r * width;
		for (int j = 0; j < k[JK_N]; j++) {
			const long n = k[JK_LEN + j];
			move_run(y, (const float *)c->buf[1 + j] + r * n, n);
			y += n;
		}
	}
}
