/* SPDX-License-Identifier: Apache-2.0
 *
 * palette - shared weights while they are trained: w[i] = codebook[codes[i]], and the sum of gradients by code.
 */
#include "kernel/kernel.h"

void cop_palette_f32(const cop_call *c)
{
	float *w = c->buf[0];
	const float *book = c->buf[1];
	const uint8_t *code = c->buf[2];

	for (int32_t i = 0; i < c->k[TK_COUNT]; i++) w[i] = book[cop_inside(code[i], c->k[TK_LEVELS])];
}

void cop_palette_grad_f32(const cop_call *c)
{
	float *sum = c->buf[0];
	const float *dw = c->buf[1];
	const uint8_t *code = c->buf[2];

	for (int32_t j = 0; j < c->k[TK_LEVELS]; j++) sum[j] = 0;
	for (int32_t i = 0; i < c->k[TK_COUNT]; i++) sum[cop_inside(code[i], c->k[TK_LEVELS])] += dw[i];
	if (c->k[TK_ZERO]) sum[0] = 0;
}
