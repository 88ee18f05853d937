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
	int32_t levels = c->k[TK_LEVELS], i;

	for (i = 0; i < c->k[TK_COUNT]; i++) w[i] = book[i / c->k[TK_RUN] * levels + cop_inside(code[i], levels)];
}

void cop_palette_grad_f32(const cop_call *c)
{
	float *sum = c->buf[0];
	const float *dw = c->buf[1];
	const uint8_t *code = c->buf[2];
	int32_t levels = c->k[TK_LEVELS], n = c->k[TK_COUNT], run = c->k[TK_RUN], from, i;

	for (from = 0; from < n; from += run, sum += levels) {
		for (i = 0; i < levels; i++) sum[i] = 0;
		for (i = from; i < n && i < from + run; i++) sum[cop_inside(code[i], levels)] += dw[i];
		if (c->k[TK_ZERO]) sum[0] = 0;
	}
}
