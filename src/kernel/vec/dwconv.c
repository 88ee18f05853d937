/* SPDX-License-Identifier: Apache-2.0
 *
 * dwconv - depthwise convolution (groups = channels in = channels out), 3x3 or 5x5, any stride and padding.
 *
 * One channel, one chain of sums: vectors run along channels, blocks of pixels share their weights. A tap is added
 * in the order kh, kw whatever the block, so neither blocks nor parts change a bit. The gradient of x at stride s is
 * s x s such convolutions of stride 1, one for each phase of the output pixel. Weights are packed tap by tap, [KH, KW, C],
 * for the gradient with the taps of a phase together and turned round. dw is in dwconv_dw.c.
 */
#include "kernel/vec/vmath.h"

typedef struct job {
	const float *x[5], *w[5]; /* input rows that exist, and the taps [T, c] that meet them */
	const float *bias;
	float *y;
	long n;                   /* rows in x */
	long c, width;            /* channels; pixels of an input row */
	long ow, step;            /* pixels to make; floats from one to the next in y */
	long s, off;              /* pixel o meets input columns o s + off ... + T - 1 */
	v lo, hi;
} job;

bool VN(dwconv_fits)(const int32_t *k)
{
	return k[CK_G] > 1 && k[CK_G] == k[CK_C] && k[CK_C] == k[CK_O] && k[CK_KH] == k[CK_KW] &&
		(k[CK_KH] == 3 || k[CK_KH] == 5) && k[CK_DH] == 1 && k[CK_DW] == 1;
}

AI v finish(const job *j, v a, long c)
{
	if (j->bias) a += LD(j->bias + c);
	return clamp(a, j->lo, j->hi);
}

/* NP pixels from o, channels c .. c + n, all T taps inside the row, but for the first L columns and the last R, which lie beside it.
 * S: the stride, 0 when only known at run time (L and R are 0 then). */
AI void block(const int T, const int S, const int NP, const int L, const int R, const job *j, long o, long c, long n)
{
	const long s = S ? S : j->s, C = j->c;
	v acc[8];

	UNROLL
	for (int p = 0; p < NP; p++) acc[p] = (v){0};
	ROLLED
	for (long r = 0; r < j->n; r++) {
		const float *x = j->x[r] + (o * s + j->off) * C + c, *w = j->w[r] + c;
		v tap[5];

		UNROLL
		for (int t = 0; t < T; t++) tap[t] = LD(w + t * C);
		if (S) {
			UNROLL
			for (int q = L; q < (NP - 1) * S + T - R; q++) {
				v xx = LD(x + q * C);
				KEEP(xx);
				UNROLL
				for (int t = 0; t < T; t++)
					if (q >= t && (q - t) % (S ? S : 1) == 0 && (q - t) / (S ? S : 1) < NP)
						acc[(q - t) / (S ? S : 1)] += xx * tap[t];
			}
		} else {
			UNROLL
			for (int p = 0; p < NP; p++) {
				UNROLL
				for (int t = 0; t < T; t++) acc[p] += LD(x + (p * s + t) * C) * tap[t];
			}
		}
	}
	UNROLL
	for (int p = 0; p < NP; p++) put(j->y + (o + p) * j->step + c, finish(j, acc[p], c), n);
}

AI void pixels(const int T, const int S, const int NP, const int L, const int R, const job *j, long o)
{
	long c = 0;

	for (; c + VW <= j->c; c += VW) block(T, S, NP, L, R, j, o, c, VW);
	if (c < j->c) block(T, S, NP, L, R, j, o, c, j->c - c);
}

AI void edge_block(const int NV, const job *j, long at, long from, long to, float *y, long c, long n)
{
	v acc[4];

	UNROLL
	for (int i = 0; i < NV; i++) acc[i] = (v){0};
	for (long r = 0; r < j->n; r++)
		for (long t = from; t < to; t++) {
			const float *x = j->x[r] + (at + t) * j->c + c, *w = j->w[r] + t * j->c + c;
			UNROLL
			for (int i = 0; i < NV; i++) acc[i] += LD(x + i * VW) * LD(w + i * VW);
		}
	UNROLL
	for (int i = 0; i < NV; i++) put(y + c + i * VW, finish(j, acc[i], c + i * VW), NV > 1 ? VW : n);
}

/* A pixel whose taps reach over an end of the row: four channel vectors together, or it would wait for each sum. */
static NOINLINE void edge(int T, const job *j, long o)
{
	const long at = o * j->s + j->off, from = lmax(0, -at), to = lmin(T, j->width - at);
	long c = 0;

	for (; c + 4 * VW <= j->c; c += 4 * VW) edge_block(4, j, at, from, to, j->y + o * j->step, c, VW);
	for (; c < j->c; c += VW) edge_block(1, j, at, from, to, j->y + o * j->step, c, lmin(VW, j->c - c));
}

AI void row(const int T, const int S, const job *j)
{
	const long s = S ? S : j->s, room = j->width - T - j->off; /* the last column where T taps fit, in input pixels */
	const long first = j->off < 0 ? lmin(j->ow, (-j->off + s - 1) / s) : 0;
	const long end = room < 0 ? first : lmax(first, lmin(j->ow, room / s + 1));
	const job own = *j; /* whose address stays here: no store can change it */
	long o = 0;

	for (; o < first; o++) edge(T, j, o);
	for (; o + 4 <= end; o += 4) pixels(T, S, 4, 0, 0, &own, o);
	for (; o + 2 <= end; o += 2) pixels(T, S, 2, 0, 0, &own, o);
	for (; o < end; o++) pixels(T, S, 1, 0, 0, &own, o);
	for (; o < j->ow; o++) edge(T, j, o);
}

/* ---- three taps, at most one of them beside the row at either end: blocks of up to six pixels that leave it out ---- */

typedef void run_fn(const job *j, long o);
#define RUN(s, np, l, r)                                                                                            \
	static NOINLINE void run_##s##_##np##_##l##_##r(const job *j, long o)                                       \
	{                                                                                                           \
		const job own = *j;                                                                                 \
		pixels(3, s, np, l, r, &own, o);                                                                    \
	}
#define RUN_AT(s, np, l, r) [s - 1][l][r][np] = run_##s##_##np##_##l##_##r,
#define ENDS(X, s, np) X(s, np, 0, 0) X(s, np, 0, 1) X(s, np, 1, 0) X(s, np, 1, 1)
#define SIZES(X, s) ENDS(X, s, 1) ENDS(X, s, 2) ENDS(X, s, 3) ENDS(X, s, 4) ENDS(X, s, 5) ENDS(X, s, 6)
SIZES(RUN, 1)
SIZES(RUN, 2)
static run_fn *const runs[2][2][2][7] = {SIZES(RUN_AT, 1) SIZES(RUN_AT, 2)};

/* Columns of the last window that lie behind the row. */
static long behind(const job *j, int T) { return lmax(0, (j->ow - 1) * j->s + j->off + T - j->width); }

static void row3(const job *j)
{
	long left = (j->ow + 5) / 6;

	for (long o = 0, n; left > 0; left--, o += n) {
		n = (j->ow - o + left - 1) / left;
		runs[j->s - 1][!o && j->off][left == 1 && behind(j, 3)][n](j, o);
	}
}

static bool row3_fits(const job *j) { return j->s <= 2 && (j->off == 0 || j->off == -1) && behind(j, 3) <= 1 && j->ow; }

static void row_s1(int T, const job *j)
{
	if (T == 3 && row3_fits(j)) {
		row3(j);
		return;
	}
	if (T == 1) row(1, 1, j);
	else if (T == 2) row(2, 1, j);
	else if (T == 3) row(3, 1, j);
	else if (T == 5) row(5, 1, j);
	else
		for (long o = 0; o < j->ow; o++) edge(T, j, o);
}

static void row_any(int T, const job *j)
{
	if (j->s == 1) row_s1(T, j);
	else if (T == 3 && row3_fits(j)) row3(j);
	else if (j->s == 2 && T == 3) row(3, 2, j);
	else if (j->s == 2) row(5, 2, j);
	else if (T == 3) row(3, 0, j);
	else row(5, 0, j);
}

size_t VN(dwconv_pack_bytes)(const int32_t *k) { return 4 * (size_t)(k[CK_KH] * k[CK_KW]) * (size_t)k[CK_C] + 64; }

void VN(dwconv_pack)(const cop_call *c)
{
	const long C = c->k[CK_C], taps = c->k[CK_KH] * c->k[CK_KW], to = cop_to(c, c->k[CK_C], VW);
	const float *w = c->buf[2];
	float *out = c->work;

	for (long i = cop_from(c, c->k[CK_C], VW); i < to; i++)
		for (long t = 0; t < taps; t++) out[t * C + i] = w[i * taps + t];
}

void VN(dwconv_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long C = k[CK_C], W = k[CK_W], OW = k[CK_OW], OH = k[CK_OH];
	const int32_t rows = k[CK_N] * k[CK_OH], to = cop_to(c, rows, 1);
	const float *x = c->buf[1], *w = c->pack;
	job j = {.bias = c->buf[3], .c = C, .width = W, .ow = OW, .step = C, .s = k[CK_SW], .off = -k[CK_PL],
		.lo = splat(cop_f(k[CK_LO])), .hi = splat(cop_f(k[CK_HI]))};

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const long n = r / OH, top = (r - n * OH) * k[CK_SH] - k[CK_PT];

		j.n = 0;
		for (int kh = 0; kh < k[CK_KH]; kh++) {
			if (top + kh < 0 || top + kh >= k[CK_H]) continue;
			j.x[j.n] = x + (n * k[CK_H] + top + kh) * W * C;
			j.w[j.n++] = w + kh * k[CK_KW] * C;
		}
		j.y = (float *)c->buf[0] + r * OW * C;
		row_any(k[CK_KW], &j);
	}
}

/* Phase p of the columns owns the taps kw = p, p + SW, ...; from the last to the first they meet ascending columns of dy. */
void VN(dwconv_dx_pack)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long C = k[CK_C], kw = k[CK_KW], taps = k[CK_KH] * kw, to = cop_to(c, k[CK_C], VW);
	const float *w = c->buf[2];
	float *out = c->work;
	long place[25], n = 0; /* which tap comes n-th */

	for (long kh = 0; kh < k[CK_KH]; kh++)
		for (long p = 0; p < k[CK_SW] && p < kw; p++)
			for (long t = p + (kw - 1 - p) / k[CK_SW] * k[CK_SW]; t >= 0; t -= k[CK_SW]) place[n++] = kh * kw + t;
	for (long i = cop_from(c, k[CK_C], VW); i < to; i++)
		for (long t = 0; t < n; t++) out[t * C + i] = w[i * taps + place[t]];
}

/* One phase of a row of dx: columns p - PL + m SW, from dy columns m - T + 1 ... m. */
static void phase(job *j, const int32_t *k, float *dx, long p, long T)
{
	const long s = k[CK_SW], at = p - k[CK_PL], skip = at < 0 ? (-at + s - 1) / s : 0;

	j->y = dx + (at + skip * s) * j->c;
	j->ow = at + skip * s < k[CK_W] ? (k[CK_W] - 1 - at) / s + 1 - skip : 0;
	j->off = skip - T + 1;
	row_s1((int)T, j);
}

void VN(dwconv_dx_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long C = k[CK_C], W = k[CK_W], H = k[CK_H], OW = k[CK_OW], OH = k[CK_OH], SW = k[CK_SW], KW = k[CK_KW];
	const int32_t rows = k[CK_N] * k[CK_H], to = cop_to(c, rows, 1);
	const float *dy = c->buf[1], *w = c->pack;
	job j = {.c = C, .width = OW, .step = SW * C, .s = 1, .lo = splat(-COP_INFF), .hi = splat(COP_INFF)};

	for (int32_t r = cop_from(c, rows, 1); r < to; r++) {
		const long n = r / H, ih = r - n * H + k[CK_PT];
		long first = 0; /* tap where the phase's begin */

		for (long p = 0; p < SW; p++) {
			const long T = p < KW ? (KW - 1 - p) / SW + 1 : 0;

			j.n = 0;
			for (long kh = ih % k[CK_SH]; kh < k[CK_KH] && kh <= ih; kh += k[CK_SH]) {
				const long oh = (ih - kh) / k[CK_SH];
				if (oh >= OH) continue;
				j.x[j.n] = dy + (n * OH + oh) * OW * C;
				j.w[j.n++] = w + (kh * KW + first) * C;
			}
			phase(&j, k, (float *)c->buf[0] + r * W * C, p, T);
			first += T;
		}
	}
}
