/* SPDX-License-Identifier: Apache-2.0
 *
 * qrnn - recurrent layers in integers, one product after the other; all else is in qrnn.h.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

#define QRNN(x) cop_qrnn_##x

/* Numbers of which products are made: as they lie, and rearranged by `spread` where a kernel wants them so. */
typedef struct spread { const int8_t *x; const uint32_t *pairs; } spread;
static size_t spread_bytes(int32_t n) { return (void)n, 0; }
static spread spread_out(uint32_t *room, const int8_t *x, int32_t n) { return (void)room, (void)n, (spread){x, NULL}; }

static int32_t dot(const int8_t *w, spread x, int32_t n)
{
	int32_t s = 0;

	for (int32_t i = 0; i < n; i++) s += w[i] * x.x[i];
	return s;
}
#include "kernel/ref/qrnn.h"
