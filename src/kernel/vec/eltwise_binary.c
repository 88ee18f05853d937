/* SPDX-License-Identifier: Apache-2.0
 *
 * eltwise_binary - add, sub, mul, div with broadcasting and a fused clamp.
 *
 * The innermost axis is dense or constant in each operand (binary_fits), so a row is a loop over vectors; four rows
 * go together, which hides the start of short ones. As in eltwise.c the output may lie on the first operand.
 */
#include "kernel/vec/vmath.h"

enum { GRAIN = 64, RUN = 4, SHORT = 32 };

typedef v fn2(v a, v b);

bool VN(binary_fits)(const int32_t *k)
{
	const int last = k[BK_RANK] - 1;
	return last >= 0 && (uint32_t)k[BK_SA + last] <= 1 && (uint32_t)k[BK_SB + last] <= 1;
}

/* nr rows of n elements; ya, a and b advance by n, ra and rb from row to row. sa, sb: 1 along the row or 0. */
AI void rows(fn2 *f, const int sa, const int sb, const int nr, float *y, const float *a, const float *b, long n,
	long ra, long rb, v lo, v hi)
{
	long i = 0;

	for (; i + VW <= n; i += VW) {
		UNROLL
		for (int r = 0; r < nr; r++) {
			v s = sa ? LD(a + r * ra + i) : splat(a[r * ra]), t = sb ? LD(b + r * rb + i) : splat(b[r * rb]);
			ST(y + r * n + i, clamp(f(s, t), lo, hi));
		}
	}
	if (i == n) return;
	UNROLL
	for (int r = 0; r < nr; r++) {
		v s = sa ? LD(a + r * ra + i) : splat(a[r * ra]), t = sb ? LD(b + r * rb + i) : splat(b[r * rb]);
		stn(y + r * n + i, clamp(f(s, t), lo, hi), n - i);
	}
}

/* Rows of n < SHORT that all meet the same b, such as the channels of a picture: b again and again, as often as a vector has lanes, so that rows fill vectors. A
 * store of a part of a vector would hold up the loads behind it. Returns the first row that is left. */
AI long repeated(fn2 *f, float *y, const float *a, const float *b, long n, long from, long to, v lo, v hi)
{
	float again[SHORT * VW];

	for (long r = 0; r < VW; r++)
		for (long i = 0; i < n; i++) again[r * n + i] = b[i];
	for (; from + VW <= to; from += VW)
		for (long i = 0, at = from * n; i < n * VW; i += VW, at += VW) ST(y + at, clamp(f(LD(a + at), LD(again + i)), lo, hi));
	return from;
}

/* Rows [from, to) of the last two axes; y, a and b point to row 0. */
AI void plane(fn2 *f, const int sa, const int sb, float *y, const float *a, const float *b, const int32_t *k, long from,
	long to)
{
	const int last = k[BK_RANK] - 1;
	const long n = k[BK_DIM + last], ra = last ? k[BK_SA + last - 1] : 0, rb = last ? k[BK_SB + last - 1] : 0;
	const v lo = splat(cop_f(k[BK_LO])), hi = splat(cop_f(k[BK_HI]));

	if (sa && sb && !rb && ra == n && n < SHORT && n % VW && to - from >= 2 * VW) from = repeated(f, y, a, b, n, from, to, lo, hi);
	for (; n < 64 && from + RUN <= to; from += RUN)
		rows(f, sa, sb, RUN, y + from * n, a + from * ra, b + from * rb, n, ra, rb, lo, hi);
	for (; from < to; from++) rows(f, sa, sb, 1, y + from * n, a + from * ra, b + from * rb, n, ra, rb, lo, hi);
}

AI void flat(fn2 *f, const int sa, const int sb, const cop_call *c)
{
	const int32_t *k = c->k;
	const long to = cop_to(c, k[BK_DIM], GRAIN);
	long i = cop_from(c, k[BK_DIM], GRAIN);
	const v lo = splat(cop_f(k[BK_LO])), hi = splat(cop_f(k[BK_HI]));
	float *y = c->buf[0];
	const float *a = c->buf[1], *b = c->buf[2];
	const v a0 = splat(a[0]), b0 = splat(b[0]);

	for (; i + RUN * VW <= to; i += RUN * VW) {
		UNROLL
		for (int j = 0; j < RUN * VW; j += VW)
			ST(y + i + j, clamp(f(sa ? LD(a + i + j) : a0, sb ? LD(b + i + j) : b0), lo, hi));
	}
	for (; i < to; i += VW)
		put(y + i, clamp(f(sa ? LD(a + i) : a0, sb ? LD(b + i) : b0), lo, hi), lmin(to - i, VW));
}

/* Row `row` of all: the planes are counted through the outer axes by division. */
AI void deep(fn2 *f, const int sa, const int sb, const cop_call *c)
{
	const int32_t *k = c->k;
	const int rank = k[BK_RANK];
	const long n = k[BK_DIM + rank - 1], h = k[BK_DIM + rank - 2];
	long planes = 1;

	for (int d = 0; d < rank - 2; d++) planes *= k[BK_DIM + d];
	long row = cop_from(c, (int32_t)(planes * h), 1);
	const long to = cop_to(c, (int32_t)(planes * h), 1);
	while (row < to) {
		const long plane_at = row / h, from = row - plane_at * h, end = lmin(h, from + to - row);
		long at = plane_at, oa = 0, ob = 0;

		for (int d = rank - 3; d >= 0; d--) {
			const long i = at % k[BK_DIM + d];
			at /= k[BK_DIM + d];
			oa += i * k[BK_SA + d];
			ob += i * k[BK_SB + d];
		}
		plane(f, sa, sb, (float *)c->buf[0] + plane_at * h * n, (const float *)c->buf[1] + oa,
			(const float *)c->buf[2] + ob, k, from, end);
		row += end - from;
	}
}

AI void binary(const cop_call *c, fn2 *f)
{
	const int last = c->k[BK_RANK] - 1, sa = c->k[BK_SA + last], sb = c->k[BK_SB + last];

	if (!last && sa && sb) flat(f, 1, 1, c);
	else if (!last && sa) flat(f, 1, 0, c);
	else if (!last) flat(f, 0, sb, c);
	else if (sa && sb) deep(f, 1, 1, c);
	else if (sa) deep(f, 1, 0, c);
	else deep(f, 0, sb, c);
}

AI v add(v a, v b) { return a + b; }
AI v sub(v a, v b) { return a - b; }
AI v mul(v a, v b) { return a * b; }
AI v quotient(v a, v b) { return a / b; }

void VN(add_f32)(const cop_call *c) { binary(c, add); }
void VN(sub_f32)(const cop_call *c) { binary(c, sub); }
void VN(mul_f32)(const cop_call *c) { binary(c, mul); }
void VN(div_f32)(const cop_call *c) { binary(c, quotient); }
