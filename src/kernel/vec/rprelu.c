/* SPDX-License-Identifier: Apache-2.0
 *
 * rprelu - see ref/rprelu.c: a vector is of neighbouring channels, so that no sum runs across lanes and each channel has the portable kernel's order of sums.
 * y may lie on x, dx on dy.
 */
#include "kernel/vec/vmath.h"

enum { BLOCK = 64 };

/* Where a is above 0, c, else b. */
AI v bent(v a, v b, v c) { return choose(a > 0.0f, c, b); }

void VN(rprelu_f32)(const cop_call *c)
{
	float *y = c->buf[0];
	const float *x = c->buf[1], *slope = c->buf[2], *knee = c->buf[3], *lift = c->buf[4];
	const long n = c->k[RP_C], to = cop_to(c, c->k[RP_ROWS], 1);

	for (long r = cop_from(c, c->k[RP_ROWS], 1); r < to; r++)
		for (long j = 0; j < n; j += VW) {
			const v far = LD(x + r * n + j) - LD(knee + j);
			put(y + r * n + j, LD(lift + j) + bent(far, LD(slope + j) * far, far), lmin(VW, n - j));
		}
}

void VN(rprelu_dx_f32)(const cop_call *c)
{
	float *dx = c->buf[0];
	const float *dy = c->buf[1], *x = c->buf[2], *slope = c->buf[3], *knee = c->buf[4];
	const long n = c->k[RP_C], to = cop_to(c, c->k[RP_ROWS], 1);

	for (long r = cop_from(c, c->k[RP_ROWS], 1); r < to; r++)
		for (long j = 0; j < n; j += VW) {
			const v d = LD(dy + r * n + j);
			put(dx + r * n + j, bent(LD(x + r * n + j) - LD(knee + j), d * LD(slope + j), d), lmin(VW, n - j));
		}
}

typedef struct sums { v bent, dx, all; } sums;

AI sums of_block(const float *dy, const float *x, v slope, v knee, long c, long n)
{
	sums s = {{0}, {0}, {0}};

	for (long r = 0; r < n; r++, dy += c, x += c) {
		const v d = LD(dy), far = LD(x) - knee;
		s.bent += bent(far, d * far, splat(0.0f));
		s.dx += bent(far, d * slope, d);
		s.all += d;
	}
	return s;
}

void VN(rprelu_dp_f32)(const cop_call *c)
{
	float *const *out = (float *const *)c->buf;
	const float *dy = c->buf[3], *x = c->buf[4], *slope = c->buf[5], *knee = c->buf[6];
	const long n = c->k[RP_C], rows = c->k[RP_ROWS], to = cop_to(c, (int32_t)n, 16);

	for (long j = cop_from(c, (int32_t)n, 16); j < to; j += VW) {
		const v s = LD(slope + j), at = LD(knee + j);
		const long wide = lmin(VW, to - j);
		sums all = {{0}, {0}, {0}};
		for (long r = 0; r < rows; r += BLOCK) {
			const sums b = of_block(dy + r * n + j, x + r * n + j, s, at, n, lmin(BLOCK, rows - r));
			all.bent += b.bent, all.dx += b.dx, all.all += b.all;
		}
		if (out[0]) put(out[0] + j, all.bent, wide);
		if (out[1]) put(out[1] + j, -all.dx, wide);
		if (out[2]) put(out[2] + j, all.all, wide);
	}
}
