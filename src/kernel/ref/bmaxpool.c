/* SPDX-License-Identifier: Apache-2.0
 *
 * bmaxpool - the largest of a window of bits, or the least: all bits of a byte at once. The least is the largest of the
 * opposites, turned back.
 */
#include "kernel/kernel.h"

/* One byte of a result from window (h0, w0) on; turn: 1 where the least is taken. */
static uint32_t most(const int32_t *k, const uint8_t *x, int32_t h0, int32_t w0, uint32_t turn)
{
	int32_t bytes = (k[PK_C] + 7) / 8;
	uint32_t any = 0;

	for (int32_t i = 0; i < k[PK_KH]; i++)
		for (int32_t j = 0; j < k[PK_KW]; j++) {
			int32_t h = h0 + i, w = w0 + j;
			if (h >= 0 && h < k[PK_H] && w >= 0 && w < k[PK_W]) any |= x[(h * k[PK_W] + w) * bytes] ^ turn;
		}
	return any ^ turn;
}

void cop_bmaxpool(const cop_call *call)
{
	const int32_t *k = call->k;
	int32_t bytes = (k[PK_C] + 7) / 8, rows = k[PK_N] * k[PK_OH], from = cop_from(call, rows, 1), to = cop_to(call, rows, 1);
	uint8_t *y = (uint8_t *)call->buf[0] + (size_t)from * (size_t)(k[PK_OW] * bytes);
	const uint8_t *least = call->buf[2];

	for (int32_t r = from; r < to; r++)
		for (int32_t ow = 0; ow < k[PK_OW]; ow++)
			for (int32_t b = 0; b < bytes; b++) {
				const uint8_t *x = (const uint8_t *)call->buf[1] + (size_t)(r / k[PK_OH]) * (size_t)(k[PK_H] * k[PK_W] * bytes) + b;
				uint32_t whole = (b + 1) * 8 <= k[PK_C] ? 255 : (1u << k[PK_C] % 8) - 1;
				*y++ = (uint8_t)(most(k, x, r % k[PK_OH] * k[PK_SH] - k[PK_PT], ow * k[PK_SW] - k[PK_PL], least ? least[b] : 0) & whole);
			}
}
