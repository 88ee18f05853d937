/* SPDX-License-Identifier: Apache-2.0
 *
 * loss - mean squared error, and the norm of gradients.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

void cop_mse_f32(const cop_call *c)
{
	const float *x = c->buf[1], *t = c->buf[2];
	float s = 0;

	for (int32_t i = 0; i < c->k[LK_COUNT]; i++) s += (x[i] - t[i]) * (x[i] - t[i]);
	*(float *)c->buf[0] = s / (float)c->k[LK_COUNT];
}

void cop_mse_grad_f32(const cop_call *c)
{
	float *dx = c->buf[0];
	const float *x = c->buf[1], *t = c->buf[2];
	float scale = *(const float *)c->buf[3] * 2 / (float)c->k[LK_COUNT];

	for (int32_t i = 0; i < c->k[LK_COUNT]; i++) dx[i] = scale * (x[i] - t[i]);
}

void cop_sumsq_f32(const cop_call *c)
{
	const float *x = c->buf[1];
	float s = 0;

	for (int32_t i = 0; i < c->k[LK_COUNT]; i++) s += x[i] * x[i];
	*(float *)c->buf[0] = s;
}

void cop_clip_norm_f32(const cop_call *c)
{
	float norm = cop_sqrtf(*(const float *)c->buf[1]), max = cop_f(c->k[LK_MAX]);
	*(float *)c->buf[0] = norm > max ? max / norm : 1;
}
