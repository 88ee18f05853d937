/* SPDX-License-Identifier: Apache-2.0
 *
 * dwconv_dw - the weight gradient of a depthwise convolution: dw[c, kh, kw] = sum over pixels of dy x.
 *
 * Cut along channels. A vector of channels keeps the sums of a group of taps in registers through a band of rows small
 * enough for the first cache, then leaves them in work as [KH, KW, C]. Bands and blocks follow from the shape alone and a
 * channel's sums never meet another's, so parts change nothing. Rows outside the image read zeros.
 */
#include "kernel/vec/vmath.h"

enum { BAND = 32 * 1024, CUT = 16 }; /* bytes of x and dy in a band; parts are cut in cache lines */

typedef struct job {
	const float *x, *dy; /* image, channel 0 */
	float *sum;          /* [KH, KW, C] */
	long c, h, w, oh, ow, sh, sw, pt, pl;
} job;

static const float zeros[16] __attribute__((aligned(64)));

/* R input rows under one row of dy: row r steps by step[r] floats a pixel, 0 for a row of zeros outside the image. */
typedef struct view {
	const float *dy, *x[5];
	long c, step[5];
} view;

/* NP pixels from o whose T columns are all inside. S: the stride, 0 when only known at run time. */
AI void block(const int R, const int T, const int S, const int NP, v *acc, const view *e, long o, long s)
{
	v g[4];

	UNROLL
	for (int p = 0; p < NP; p++) g[p] = LD(e->dy + (o + p) * e->c);
	UNROLL
	for (int r = 0; r < R; r++) {
		const long step = e->step[r];
		const float *x = e->x[r] + o * s * step;

		if (!S) {
			UNROLL
			for (int i = 0; i < NP * T; i++) acc[r * T + i % T] += g[i / T] * LD(x + (i / T * s + i % T) * step);
			continue;
		}
		UNROLL
		for (int i = 0; i < (NP - 1) * S + T; i++) {
			v xx = LD(x + i * step);
			KEEP(xx);
			UNROLL
			for (int t = 0; t < T; t++)
				if (i >= t && (i - t) % (S ? S : 1) == 0 && (i - t) / (S ? S : 1) < NP)
					acc[r * T + t] += g[(i - t) / (S ? S : 1)] * xx;
		}
	}
}

/* Pixel o with the columns from .. to of T. */
AI void edge(const int R, const int T, v *acc, const view *e, long o, long s, long from, long to)
{
	const v g = LD(e->dy + o * e->c);

	UNROLL
	for (int t = 0; t < T; t++) {
		if (t < from || t >= to) continue;
		UNROLL
		for (int r = 0; r < R; r++) acc[r * T + t] += g * LD(e->x[r] + (o * s + t) * e->step[r]);
	}
}

/* The taps of kh .. kh + R - 1 for channels c .. c + n, over the output rows from .. to. */
AI void band(const int R, const int T, const int S, const job *j, long kh, long from, long to, long c, long n)
{
	enum { NP = VW == 16 ? 4 : 2 };
	const long s = S ? S : j->sw, room = j->w - T + j->pl;
	const long first = j->pl > 0 ? lmin(j->ow, (j->pl + s - 1) / s) : 0;
	const long end = room < 0 ? first : lmax(first, lmin(j->ow, room / s + 1));
	view e = {.c = j->c};
	v acc[25];

	UNROLL
	for (int i = 0; i < R * T; i++) acc[i] = LD(j->sum + (kh * T + i) * j->c + c);
	for (long oh = from; oh < to; oh++) {
		long o = 0;

		e.dy = j->dy + oh * j->ow * j->c + c;
		UNROLL
		for (int r = 0; r < R; r++) {
			const long ih = oh * j->sh - j->pt + kh + r, inside = ih >= 0 && ih < j->h;
			e.x[r] = inside ? j->x + (ih * j->w - j->pl) * j->c + c : zeros;
			e.step[r] = inside ? j->c : 0;
		}
		for (; o < first; o++) edge(R, T, acc, &e, o, s, j->pl - o * s, j->w + j->pl - o * s);
		for (; o + NP <= end; o += NP) block(R, T, S, NP, acc, &e, o, s);
		for (; o < end; o++) block(R, T, S, 1, acc, &e, o, s);
		for (; o < j->ow; o++) edge(R, T, acc, &e, o, s, j->pl - o * s, j->w + j->pl - o * s);
	}
	UNROLL
	for (int i = 0; i < R * T; i++) put(j->sum + (kh * T + i) * j->c + c, acc[i], n);
}

static NOINLINE void band3(const job *j, long from, long to, long c, long n)
{
	if (j->sw == 1) band(3, 3, 1, j, 0, from, to, c, n);
	else if (j->sw == 2) band(3, 3, 2, j, 0, from, to, c, n);
	else band(3, 3, 0, j, 0, from, to, c, n);
}

/* All 25 sums fit into 32 registers; into 16 they go by two rows of taps. */
static NOINLINE void band5(const job *j, long from, long to, long c, long n)
{
	enum { R = VW == 8 ? 2 : 5 };

	for (long kh = 0; kh + R <= 5; kh += R) {
		if (j->sw == 1) band(R, 5, 1, j, kh, from, to, c, n);
		else if (j->sw == 2) band(R, 5, 2, j, kh, from, to, c, n);
		else band(R, 5, 0, j, kh, from, to, c, n);
	}
	if (R == 2) band(1, 5, 0, j, 4, from, to, c, n);
}

size_t VN(dwconv_dw_work)(const int32_t *k) { return 4 * (size_t)(k[CK_KH] * k[CK_KW]) * (size_t)k[CK_C] + 64; }

/* From [tap, C] to dw[C, tap], of all channels or of those in the list. */
static void deliver(const cop_call *c, long from, long to)
{
	const long C = c->k[CK_C], taps = c->k[CK_KH] * c->k[CK_KW];
	const int32_t *list = c->buf[3];
	const float *sum = c->work;
	float *dw = c->buf[0];

	for (long i = 0, n = list ? list[0] : C; i < n; i++) {
		const long ch = list ? list[1 + i] : i;
		if (ch < from || ch >= to) continue;
		for (long t = 0; t < taps; t++) dw[i * taps + t] = sum[t * C + ch];
	}
}

static bool listed(const int32_t *list, long from, long to)
{
	if (!list) return true;
	for (int32_t i = 1; i <= list[0]; i++)
		if (list[i] >= from && list[i] < to) return true;
	return false;
}

void cop_conv_dw_f32(const cop_call *c);

/* Those of part c->part, without a list. */
void VN(dwconv_dw_rows)(const cop_call *c, long *from, long *to)
{
	*from = cop_from(c, c->k[CK_C], CUT);
	*to = cop_to(c, c->k[CK_C], CUT);
}

void VN(dwconv_dw_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long C = k[CK_C];
	long from, to;
	const long line = 4 * C * (k[CK_W] * k[CK_SH] + k[CK_OW]), rows = lmax(1, BAND / line);
	job j = {.sum = c->work, .c = C, .h = k[CK_H], .w = k[CK_W], .oh = k[CK_OH], .ow = k[CK_OW], .sh = k[CK_SH],
		.sw = k[CK_SW], .pt = k[CK_PT], .pl = k[CK_PL]};

	if (!vrows_fit(c->buf[3], k[CK_CAP], k[CK_O])) {
		cop_conv_dw_f32(c);
		return;
	}
	VN(dwconv_dw_rows)(c, &from, &to);
	if (from == to) return;
	for (long t = 0; t < k[CK_KH] * k[CK_KW]; t++) vzero(j.sum + t * C + from, to - from);
	for (long n = 0; n < k[CK_N]; n++) {
		j.dy = (const float *)c->buf[1] + n * j.oh * j.ow * C;
		j.x = (const float *)c->buf[2] + n * j.h * j.w * C;
		for (long r = 0; r < j.oh; r += rows)
			for (long i = from; i < to; i += VW) {
				if (!listed(c->buf[3], i, i + VW)) continue;
				(k[CK_KH] == 3 ? band3 : band5)(&j, r, lmin(j.oh, r + rows), i, lmin(VW, to - i));
			}
	}
	deliver(c, from, to);
}
