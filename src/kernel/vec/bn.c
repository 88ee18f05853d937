/* SPDX-License-Identifier: Apache-2.0
 *
 * bn - batch normalisation over ROWS x C: the steps that touch every element. bn_stat stays with the portable kernels.
 *
 * Bandwidth is all: a table (mean, gamma, ...) is loaded once for RUN rows, the sums read their rows in blocks that
 * stay in the first cache. The sums of a chunk depend on the shape alone; parts take whole chunks. Where the result
 * was clamped is found again from x, by the expression that bn_norm used, and not read. y may lie on x, dx on dy.
 */
#include "kernel/vec/vmath.h"

enum { RUN = 4, LONG = 64, BLOCK = 4096 }; /* rows together, unless they are LONG; floats of x in a block */

/* (x - mean) scale + shift, clamped */
typedef struct affine { const float *mean, *scale, *shift; v lo, hi; } affine;

/* The last channels of the rows. All are read before one is written: a vector of a narrow row reaches into the next ones, and where y lies on x, reading
 * what was just written waits for it. */
AI void affine_rest(const int nr, float *y, const float *x, long C, long i, affine t)
{
	const v mean = LD(t.mean + i), scale = LD(t.scale + i), shift = LD(t.shift + i);
	v a[RUN];

	UNROLL
	for (int r = 0; r < nr; r++) a[r] = clamp((LD(x + r * C + i) - mean) * scale + shift, t.lo, t.hi);
	UNROLL
	for (int r = 0; r < nr; r++) stn(y + r * C + i, a[r], C - i);
}

AI void affine_rows(const int nr, float *y, const float *x, long C, affine t)
{
	long i = 0;

	for (; i + VW <= C; i += VW) {
		const v mean = LD(t.mean + i), scale = LD(t.scale + i), shift = LD(t.shift + i);
		UNROLL
		for (int r = 0; r < nr; r++) ST(y + r * C + i, clamp((LD(x + r * C + i) - mean) * scale + shift, t.lo, t.hi));
	}
	if (i < C) affine_rest(nr, y, x, C, i, t);
}

static void affine_part(const cop_call *c, affine t)
{
	const long C = c->k[NK_C], to = cop_to(c, c->k[NK_ROWS], RUN);
	long r = cop_from(c, c->k[NK_ROWS], RUN);
	float *y = c->buf[0];
	const float *x = c->buf[1];

	for (; C < LONG && r + RUN <= to; r += RUN) affine_rows(RUN, y + r * C, x + r * C, C, t);
	for (; r < to; r++) affine_rows(1, y + r * C, x + r * C, C, t);
}

size_t VN(bn_work)(const int32_t *k) { return 4 * (size_t)k[NK_C] + 64; }

void VN(bn_f32)(const cop_call *c)
{
	const float *gamma = c->buf[2], *var = c->buf[5];
	float *scale = c->work;
	const affine t = {c->buf[4], scale, c->buf[3], splat(cop_f(c->k[NK_LO])), splat(cop_f(c->k[NK_HI]))};

	for (int32_t i = 0; i < c->k[NK_C]; i++) scale[i] = gamma[i] / cop_sqrtf(var[i] + cop_f(c->k[NK_EPS]));
	affine_part(c, t);
}

void VN(bn_norm_f32)(const cop_call *c)
{
	const float *rstd = c->buf[3], *gamma = c->buf[4];
	float *scale = c->work;
	const affine t = {c->buf[2], scale, c->buf[5], splat(cop_f(c->k[NK_LO])), splat(cop_f(c->k[NK_HI]))};

	for (int32_t i = 0; i < c->k[NK_C]; i++) scale[i] = rstd[i] * gamma[i];
	affine_part(c, t);
}

/* ---- sums over rows ---- */

/* Rows from .. to of chunk i. */
AI long chunk_row(const int32_t *k, long i) { return (long)((int64_t)k[NK_ROWS] * i / k[NK_CHUNKS]); }
AI long block_rows(long C) { return lmax(8, BLOCK / C); }

/* Adds the sums of n rows at x, NV vectors of channels wide, to part: of x - first and of its square. One vector has four
 * chains, several have one each: additions do not wait for each other. */
AI void sum_block(const int NV, float *part, const float *x, const float *first, long C, long n, long left)
{
	enum { CHAINS = 4 };
	const int per = CHAINS / NV;
	v f[CHAINS], a[CHAINS], b[CHAINS];
	long r = 0;

	UNROLL
	for (int j = 0; j < CHAINS; j++) f[j] = LD(first + j / per * VW), a[j] = b[j] = (v){0};
	for (; r + per <= n; r += per) {
		UNROLL
		for (int j = 0; j < CHAINS; j++) {
			const v d = LD(x + (r + j % per) * C + j / per * VW) - f[j];
			a[j] += d;
			b[j] += d * d;
		}
	}
	for (; r < n; r++) {
		const v d = LD(x + r * C) - f[0];
		a[0] += d;
		b[0] += d * d;
	}
	if (NV == 1) {
		put(part, LD(part) + ((a[0] + a[1]) + (a[2] + a[3])), left);
		put(part + C, LD(part + C) + ((b[0] + b[1]) + (b[2] + b[3])), left);
		return;
	}
	UNROLL
	for (int j = 0; j < CHAINS; j++) {
		ST(part + j * VW, LD(part + j * VW) + a[j]);
		ST(part + C + j * VW, LD(part + C + j * VW) + b[j]);
	}
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
		for (long r = chunk_row(k, ch); r < end; r += step) {
			const long n = lmin(step, end - r);
			long i = 0;
			for (; i + 4 * VW <= C; i += 4 * VW) sum_block(4, part + i, x + r * C + i, x + i, C, n, VW);
			for (; i < C; i += VW) sum_block(1, part + i, x + r * C + i, x + i, C, n, lmin(VW, C - i));
		}
	}
}

/* The tables of the backward steps, and of one vector of channels. */
typedef struct tables { const float *mean, *rstd, *gamma, *beta; v lo, hi; } tables;
typedef struct channels { v mean, rstd, scale, shift, lo, hi; } channels;

/* Inputs dy x mean rstd gamma beta stand at buf[at]. */
AI tables tables_at(const cop_call *c, int at)
{
	return (tables){c->buf[at + 2], c->buf[at + 3], c->buf[at + 4], c->buf[at + 5], splat(cop_f(c->k[NK_LO])),
		splat(cop_f(c->k[NK_HI]))};
}

AI channels channels_at(tables t, long i)
{
	const v rstd = LD(t.rstd + i);
	return (channels){LD(t.mean + i), rstd, rstd * LD(t.gamma + i), LD(t.beta + i), t.lo, t.hi};
}

/* dy where the clamp let it through. */
AI v through(v dy, v centred, const channels *t)
{
	const v y = centred * t->scale + t->shift;
	return (v)((vi)dy & (y > t->lo) & (y < t->hi));
}

/* As sum_block: dy let through, and its product with xhat. */
AI void gsum_block(const int NV, float *part, const float *dy, const float *x, tables all, long i, long C, long n)
{
	enum { CHAINS = VW == 8 ? 2 : 4 };
	const int per = CHAINS / NV;
	channels t[CHAINS];
	v a[CHAINS], b[CHAINS];
	long r = 0;

	UNROLL
	for (int j = 0; j < CHAINS; j++) t[j] = channels_at(all, i + j / per * VW), a[j] = b[j] = (v){0};
	for (; r + per <= n; r += per) {
		UNROLL
		for (int j = 0; j < CHAINS; j++) {
			const long at = (r + j % per) * C + j / per * VW;
			const v d = LD(x + at) - t[j].mean, g = through(LD(dy + at), d, &t[j]);
			a[j] += g;
			b[j] += g * d;
		}
	}
	for (; r < n; r++) {
		const v d = LD(x + r * C) - t[0].mean, g = through(LD(dy + r * C), d, &t[0]);
		a[0] += g;
		b[0] += g * d;
	}
	UNROLL
	for (int q = 0; q < NV; q++) {
		v s = a[q * per], dot = b[q * per];
		UNROLL
		for (int j = 1; j < per; j++) s += a[q * per + j], dot += b[q * per + j];
		const long left = lmin(VW, C - i - q * VW);
		float *to = part + i + q * VW;
		put(to, LD(to) + s, left);
		put(to + C, LD(to + C) + dot * t[q * per].rstd, left);
	}
}

void VN(bn_gsum_f32)(const cop_call *c)
{
	enum { WIDE = VW == 8 ? 2 : 4 };
	const int32_t *k = c->k, to = cop_to(c, k[NK_CHUNKS], 1);
	const long C = k[NK_C], step = block_rows(2 * C);
	const float *dy = c->buf[1], *x = c->buf[2];
	const tables all = tables_at(c, 1);

	for (int32_t ch = cop_from(c, k[NK_CHUNKS], 1); ch < to; ch++) {
		const long end = chunk_row(k, ch + 1);
		float *part = (float *)c->buf[0] + 2 * ch * C;

		vzero(part, 2 * C);
		for (long r = chunk_row(k, ch); r < end; r += step) {
			const long n = lmin(step, end - r);
			long i = 0;
			for (; i + WIDE * VW <= C; i += WIDE * VW)
				gsum_block(WIDE, part, dy + r * C + i, x + r * C + i, all, i, C, n);
			for (; i < C; i += VW) gsum_block(1, part, dy + r * C + i, x + r * C + i, all, i, C, n);
		}
	}
}

/* ---- the gradient of x ---- */

/* nr rows; the means of dy and of dy xhat are tables too. */
AI void grad_rows(const int nr, float *dx, const float *dy, const float *x, long C, tables all, const float *mean_dy,
	const float *mean_dot)
{
	for (long i = 0; i < C; i += VW) {
		const channels t = channels_at(all, i);
		const v a = LD(mean_dy + i), b = LD(mean_dot + i) * t.rstd;
		v out[RUN];

		UNROLL
		for (int j = 0; j < nr; j++) {
			const v d = LD(x + j * C + i) - t.mean, g = through(LD(dy + j * C + i), d, &t);
			out[j] = t.scale * (g - a - d * b);
		}
		UNROLL
		for (int j = 0; j < nr; j++) put(dx + j * C + i, out[j], lmin(VW, C - i));
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
	const tables all = tables_at(c, 3);
	float *dx = c->buf[0];
	const float *dy = c->buf[3], *x = c->buf[4];
	for (; C < LONG && r + RUN <= to; r += RUN)
		grad_rows(RUN, dx + r * C, dy + r * C, x + r * C, C, all, sum, sum + C);
	for (; r < to; r++) grad_rows(1, dx + r * C, dy + r * C, x + r * C, C, all, sum, sum + C);
}
