/* SPDX-License-Identifier: Apache-2.0
 *
 * rprelu - PReLU with a bend of its own for each channel, and its gradients. RP_ in kernel.h. y may lie on x, dx on dy.
 */
#include "kernel/kernel.h"

enum { BLOCK = 64 }; /* rows that are summed first: a float would lose the small ones of many */

void cop_rprelu_f32(const cop_call *c)
{
	float *y = c->buf[0];
	const float *x = c->buf[1], *slope = c->buf[2], *knee = c->buf[3], *lift = c->buf[4];
	int32_t n = c->k[RP_C], to = cop_to(c, c->k[RP_ROWS], 1);

	for (int32_t r = cop_from(c, c->k[RP_ROWS], 1); r < to; r++)
		for (int32_t j = 0; j < n; j++) {
			size_t i = (size_t)r * (size_t)n + (size_t)j;
			float far = x[i] - knee[j];
			y[i] = lift[j] + (far > 0.0f ? far : slope[j] * far);
		}
}

void cop_rprelu_dx_f32(const cop_call *c)
{
	float *dx = c->buf[0];
	const float *dy = c->buf[1], *x = c->buf[2], *slope = c->buf[3], *knee = c->buf[4];
	int32_t n = c->k[RP_C], to = cop_to(c, c->k[RP_ROWS], 1);

	for (int32_t r = cop_from(c, c->k[RP_ROWS], 1); r < to; r++)
		for (int32_t j = 0; j < n; j++) {
			size_t i = (size_t)r * (size_t)n + (size_t)j;
			dx[i] = x[i] - knee[j] > 0.0f ? dy[i] : dy[i] * slope[j];
		}
}

/* Of channel j in n rows: sum of dy times what slope is multiplied with, of dx, of dy. */
static void add(float sum[3], const float *dy, const float *x, float slope, float knee, int32_t c, int32_t n)
{
	float bent = 0, dx = 0, all = 0;

	for (int32_t r = 0; r < n; r++, dy += c, x += c) {
		float far = *x - knee;
		bent += far > 0.0f ? 0.0f : *dy * far;
		dx += far > 0.0f ? *dy : *dy * slope;
		all += *dy;
	}
	sum[0] += bent;
	sum[1] += dx;
	sum[2] += all;
}

void cop_rprelu_dp_f32(const cop_call *c)
{
	float *dslope = c->buf[0], *dknee = c->buf[1], *dlift = c->buf[2];
	const float *dy = c->buf[3], *x = c->buf[4], *slope = c->buf[5], *knee = c->buf[6];
	int32_t n = c->k[RP_C], rows = c->k[RP_ROWS], to = cop_to(c, n, 16);

	for (int32_t j = cop_from(c, n, 16); j < to; j++) {
		float sum[3] = {0, 0, 0};
		for (int32_t r = 0; r < rows; r += BLOCK) {
			size_t at = (size_t)r * (size_t)n + (size_t)j;
			add(sum, dy + at, x + at, slope[j], knee[j], n, rows - r < BLOCK ? rows - r : BLOCK);
		}
		if (dslope) dslope[j] = sum[0];
		if (dknee) dknee[j] = -sum[1];
		if (dlift) dlift[j] = sum[2];
	}
}
