/* SPDX-License-Identifier: Apache-2.0
 *
 * gate - what a step that may be skipped has computed, or -0.
 */
#include "kernel/kernel.h"

void cop_gate_f32(const cop_call *c);
void cop_gate_f32(const cop_call *c)
{
	float *y = c->buf[0];
	const float *x = c->buf[1];
	int32_t open = *(const int32_t *)c->buf[2], from = cop_from(c, c->k[EK_COUNT], 16), to = cop_to(c, c->k[EK_COUNT], 16);

	for (int32_t i = from; i < to; i++) y[i] = open ? x[i] : -0.0f;
}
