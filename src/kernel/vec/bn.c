/* SPDX-License-Identifier: Apache-2.0
 *
 * bn - batch normalisation over ROWS x C: the steps that touch every element. bn_stat stays with the portable kernels.
 *
 * Bandwidth is all: a table (mean, gamma, ...) is loaded once for RUN rows, the sums read their rows in blocks that
 * stay in the first cache. The sums of a chunk depend on the shape alone; parts take whole chunks. Where the result
 * was clamped is found again from x, by the expression that bn_norm used, and not read. y may lie on x, dx on dy.
 */
#include "kernel/vec/vmath.h"

enum { RUN = 4, BLOCK = 4096 }; /* rows together; floats of x in a block */

/* (x - mean) scale + shift, clamped */
typedef struct affine { const float *mean, *scale, *shift; v lo, hi; } affine;

AI void affine_rows(const int nr, float *y, const float *x, long C, const affine *t)
{
	for (long i = 0; i < C; i += VW) {
		const v mean = LD(t->mean + i), scale = LD(t->scale + i), shift = LD(t->shift + i);
		v out[RUN];

		UNROLL
		for (int r = 0; r < nr; r++) out[r] = clamp((LD(x + r * C + i) - mean) * scale + shift, t->lo, t->hi);
		if (i + VW <= C) {
			UNROLL
			for (int r = 0; r < nr; r++) ST(y + r * C + i, out[r]);
		} else {
			UNROLL
			for (int r = 0; r < nr; r++) stn(y + r * C + i, out[r], C - i);
		}
	}
}

static void affine_part(const cop_call *c, const affine *t)
{
	const long C = c->k[NK_C], to = cop_to(c, c->k[NK_ROWS], RUN);
	long r = cop_from(c, c->k[NK_ROWS], RUN);
	float *y = c->buf[0];
	const float *x = c->buf[1];

	for (; r + RUN <= to; r += RUN) affine_rows(RUN, y + r * C, x + r * C, C, t);
	for (; r < to; r++) affine_rows(1, y + r * C, x + r * C, C, t);
}

size_t VN(bn_work)(const int32_t *k) { return 4 * (size_t)k[NK_C] + 64; }

void VN(bn_f32)(const cop_call *c)
{
	const float *gamma = c->buf[2], *var = c->buf[5];
	float *scale = c->work;
	const affine t = {c->buf[4], scale, c->buf[3], splat(cop_f(c->k[NK_LO])), splat(cop_f(c->k[NK_HI]))};

	for (int32_t i = 0; i < c->k[NK_C]; i++) scale[i] = gamma[i] / cop_sqrtf(var[i] + cop_f(c->k[NK_EPS]));
	affine_part(c, &t);
}

void VN(bn_norm_f32)(const cop_call *c)
{
	const float *rstd = c->buf[3], *gamma = c->buf[4];
	float *scale = c->work;
	const affine t = {c->buf[2], scale, c->buf[5], splat(cop_f(c->k[NK_LO])), splat(cop_f(c->k[NK_HI]))};

	for (int32_t i = 0; i < c->k[NK_C]; i++) scale[i] = rstd[i] * gamma[i];
	affine_part(c, &t);
}

/* ---- sums over rows ---- */

/* Rows from .. to of chunk i. */
AI long chunk_row(const int32_t *k, long i) { return (long)((int64_t)k[NK_ROWS] * i / k[NK_CHUNKS]); }
AI long block_rows(long C) { return lmax(8, BLOCK / C); }

/* Adds n rows at x to s and q: x - first and its square. Four chains, so that additions do not wait for each other. */
AI void sum_block(v *s, v *q, const float *x, v first, long C, long n)
{
	v a[4], b[4];
	long r = 0;

	UNROLL
	for (int j = 0; j < 4; j++) a[j] = b[j] = (v){0};
	for (; r + 4 <= n; r += 4) {
		UNROLL
		for (int j = 0; j < 4; j++) {
			const v d = LD(x + (r + j) * C) - first;
			a[j] += d;
			b[j] += d * d;
		}
	}
	for (; r < n; r++) {
		const v d = LD(x + r * C) - first;
		a[0] += d;
		b[0] += d * d;
	}
	*s += (a[0] + a[1]) + (a[2] + a[3]);
	*q += (b[0] + b[1]) + (b[2] + b[3]);
}

void VN(bn_sum_f32)(const cop_call *c)
{
	const int32_t *k = c->k, to = cop_to(c, k[NK_CHUNKS], 1);
	const long C = k[NK_C], step = block_rows(C);
	const float *x = c->buf[1];

	for (int32_t ch = cop_from(c, k[NK_CHUNKS], 1); ch < to; ch++) {
		const long end = chunk_row(k, ch + 1);
		float *part = (float *)c->buf[0] + 2 * ch * C;

		vzero(part, 2 * C);
		for (long r = chunk_row(k, ch); r < end; r += step)
			for (long i = 0; i < C; i += VW) {
				const long n = lmin(VW, C - i);
				v s = LD(part + i), q = LD(part + C + i);
				sum_block(&s, &q, x + r * C + i, LD(x + i), C, lmin(step, end - r));
				put(part + i, s, n);
				put(part + C + i, q, n);
			}
	}
}

/* The tables of a vector of channels, as the backward steps need them. */
typedef struct tables { v mean, rstd, scale, shift, lo, hi; } tables;

/* Inputs dy x mean rstd gamma beta stand at buf[at]. */
AI tables load_tables(const cop_call *c, int at, long i)
{
	const v rstd = LD((const float *)c->buf[at + 3] + i);
	return (tables){LD((const float *)c->buf[at + 2] + i), rstd, rstd * LD((const float *)c->buf[at + 4] + i),
		LD((const float *)c->buf[at + 5] + i), splat(cop_f(c->k[NK_LO])), splat(cop_f(c->k[NK_HI]))};
}

/* dy where the clamp let it through. */
AI v through(v dy, v centred, const tables *t)
{
	const v y = centred * t->scale + t->shift;
	return (v)((vi)dy & (y > t->lo) & (y < t->hi));
}

AI void gsum_block(v *s, v *q, const float *dy, const float *x, const tables *t, long C, long n)
{
	enum { CHAINS = VW == 8 ? 2 : 4 };
	v a[4], b[4];
	long r = 0;

	UNROLL
	for (int j = 0; j < 4; j++) a[j] = b[j] = (v){0};
	for (; r + CHAINS <= n; r += CHAINS) {
		UNROLL
		for (int j = 0; j < CHAINS; j++) {
			const v d = LD(x + (r + j) * C) - t->mean, g = through(LD(dy + (r + j) * C), d, t);
			a[j] += g;
			b[j] += g * d;
		}
	}
	for (; r < n; r++) {
		const v d = LD(x + r * C) - t->mean, g = through(LD(dy + r * C), d, t);
		a[0] += g;
		b[0] += g * d;
	}
	*s += (a[0] + a[1]) + (a[2] + a[3]);
	*q += ((b[0] + b[1]) + (b[2] + b[3])) * t->rstd;
}

void VN(bn_gsum_f32)(const cop_call *c)
{
	const int32_t *k = c->k, to = cop_to(c, k[NK_CHUNKS], 1);
	const long C = k[NK_C], step = block_rows(2 * C);
	const float *dy = c->buf[1], *x = c->buf[2];

	for (int32_t ch = cop_from(c, k[NK_CHUNKS], 1); ch < to; ch++) {
		const long end = chunk_row(k, ch + 1);
		float *part = (float *)c->buf[0] + 2 * ch * C;

		vzero(part, 2 * C);
		for (long r = chunk_row(k, ch); r < end; r += step)
			for (long i = 0; i < C; i += VW) {
				const long n = lmin(VW, C - i);
				const tables t = load_tables(c, 1, i);
				v s = LD(part + i), q = LD(part + C + i);
				gsum_block(&s, &q, dy + r * C + i, x + r * C + i, &t, C, lmin(step, end - r));
				put(part + i, s, n);
				put(part + C + i, q, n);
			}
	}
}

/* ---- the gradient of x ---- */

AI void grad_rows(const cop_call *c, const int nr, long r, const float *mean_dy, const float *mean_dyxhat)
{
	const long C = c->k[NK_C];
	float *dx = (float *)c->buf[0] + r * C;
	const float *dy = (const float *)c->buf[3] + r * C, *x = (const float *)c->buf[4] + r * C;

	for (long i = 0; i < C; i += VW) {
		const tables t = load_tables(c, 3, i);
		const v a = LD(mean_dy + i), b = LD(mean_dyxhat + i) * t.rstd;
		v out[RUN];

		UNROLL
		for (int j = 0; j < nr; j++) {
			const v d = LD(x + j * C + i) - t.mean, g = through(LD(dy + j * C + i), d, &t);
			out[j] = t.scale * (g - a - d * b);
		}
		if (i + VW <= C) {
			UNROLL
			for (int j = 0; j < nr; j++) ST(dx + j * C + i, out[j]);
		} else {
			UNROLL
			for (int j = 0; j < nr; j++) stn(dx + j * C + i, out[j], C - i);
		}
	}
}

size_t VN(bn_grad_work)(const int32_t *k) { return 8 * (size_t)k[NK_C] + 64; }

/* Every part adds up the chunks for itself; the first one hands the totals out. */
void VN(bn_grad_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long C = k[NK_C], to = cop_to(c, k[NK_ROWS], RUN);
	const float *part = c->buf[9];
	float *sum = c->work, *dgamma = c->buf[1], *dbeta = c->buf[2];
	long r = cop_from(c, k[NK_ROWS], RUN);

	vcopy(sum, part, 2 * C);
	for (long ch = 1; ch < k[NK_CHUNKS]; ch++)
		for (long i = 0; i < 2 * C; i += VW) put(sum + i, LD(sum + i) + LD(part + 2 * ch * C + i), lmin(VW, 2 * C - i));
	if (c->part == 0 && dbeta) vcopy(dbeta, sum, C);
	if (c->part == 0 && dgamma) vcopy(dgamma, sum + C, C);
	if (!c->buf[0]) return;
	for (long i = 0; i < 2 * C; i += VW) put(sum + i, LD(sum + i) / (float)k[NK_ROWS], lmin(VW, 2 * C - i));
	for (; r + RUN <= to; r += RUN) grad_rows(c, RUN, r, sum, sum + C);
	for (; r < to; r++) grad_rows(c, 1, r, sum, sum + C);
}
