/* SPDX-License-Identifier: Apache-2.0
 *
 * sign - 1 or -1, and the gradient that goes through it; the result may lie on the first operand.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

void cop_sign_f32(const cop_call *c)
{
	float *y = c->buf[0];
	const float *x = c->buf[1];
	int32_t n = c->k[SG_COUNT];

	for (int32_t i = cop_from(c, n, 16), to = cop_to(c, n, 16); i < to; i++) y[i] = x[i] >= 0.0f ? 1.0f : -1.0f;
}

void cop_sign_grad_f32(const cop_call *c)
{
	float *dx = c->buf[0], flat = c->k[SG_SMOOTH] ? 0.0f : 1.0f;
	const float *dy = c->buf[1], *x = c->buf[2];
	int32_t n = c->k[SG_COUNT];

	for (int32_t i = cop_from(c, n, 16), to = cop_to(c, n, 16); i < to; i++) {
		float far = cop_absf(x[i]), slope = flat + (1.0f - flat) * (2.0f - 2.0f * far);
		dx[i] = far <= 1.0f ? dy[i] * slope : 0.0f;
	}
}
