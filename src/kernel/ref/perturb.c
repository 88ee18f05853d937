/* SPDX-License-Identifier: Apache-2.0
 *
 * perturb - w = keep w + by z, z along a direction of the step (kernel/along.h). y lies on w.
 */
#include "kernel/kernel.h"
#include "kernel/along.h"

void cop_perturb_f32(const cop_call *c);

void cop_perturb_f32(const cop_call *c)
{
	const int32_t *k = c->k;
	const float keep = *(const float *)c->buf[2], by = *(const float *)c->buf[3];
	const uint32_t step = *(const uint32_t *)c->buf[4];
	float *w = c->buf[0];

	for (int32_t i = cop_from(c, k[VK_COUNT], 32), to = cop_to(c, k[VK_COUNT], 32); i < to; i++)
		w[i] = keep * w[i] + by * cop_along((uint32_t)k[VK_SEED], step, (uint32_t)k[VK_STREAM], (uint32_t)i, k[VK_DRAW]);
}
