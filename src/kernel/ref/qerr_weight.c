/* SPDX-License-Identifier: Apache-2.0
 *
 * qerr_weight - the gradient of the weights of a convolution of int8, of errors as bytes: sums of products of integers, which count the errors' unit;
 * and the weights moved along it.
 */
#include "kernel/kernel.h"
#include "kernel/qstep.h"

typedef struct geo { const int32_t *k; int32_t cg, og, taps; } geo;

static geo geometry(const int32_t *k) { return (geo){k, k[CK_C] / k[CK_G], k[CK_O] / k[CK_G], k[CK_KH] * k[CK_KW]}; }

/* One tap of filter o; dy: at the filter, x: at its group. Many errors are 0. */
static void tap_sums(const geo *g, int32_t *sum, const int8_t *dy, const int8_t *x, int32_t kh, int32_t kw)
{
	const int32_t *k = g->k, zx = k[QD_ZX];

	for (int32_t c = 0; c < g->cg; c++) sum[c] = 0;
	for (int32_t r = 0; r < k[CK_N] * k[CK_OH]; r++) {
		const int32_t h = r % k[CK_OH] * k[CK_SH] - k[CK_PT] + kh * k[CK_DH];
		if (h < 0 || h >= k[CK_H]) continue;
		const int8_t *row = x + (size_t)(r / k[CK_OH] * k[CK_H] + h) * (size_t)(k[CK_W] * k[CK_C]), *d = dy + (size_t)r * (size_t)(k[CK_OW] * k[CK_O]);
		for (int32_t ow = 0, w = kw * k[CK_DW] - k[CK_PL]; ow < k[CK_OW]; ow++, w += k[CK_SW], d += k[CK_O]) {
			const int32_t e = *d;
			if (!e || w < 0 || w >= k[CK_W]) continue;
			const int8_t *a = row + w * k[CK_C];
			for (int32_t c = 0; c < g->cg; c++) sum[c] += e * (a[c] - zx);
		}
	}
}

static void sums_of(const geo *g, int32_t *sum, const int8_t *dy, const int8_t *x, int32_t o, int32_t tap)
{
	tap_sums(g, sum, dy + o, x + o / g->og * g->cg, tap / g->k[CK_KW], tap % g->k[CK_KW]);
}

size_t cop_qerr_weight_work(const int32_t *k);
size_t cop_qerr_weight_work(const int32_t *k) { return sizeof(int32_t) * (size_t)(k[CK_C] / k[CK_G]); }

void cop_qconv_dw_i8(const cop_call *call);
void cop_qconv_dw_i8(const cop_call *call)
{
	const geo g = geometry(call->k);
	int32_t *sum = call->work;

	for (int32_t o = cop_from(call, g.k[CK_O], 1), to = cop_to(call, g.k[CK_O], 1); o < to; o++)
		for (int32_t tap = 0; tap < g.taps; tap++) {
			float *dw = (float *)call->buf[0] + (size_t)(o * g.taps + tap) * (size_t)g.cg;
			sums_of(&g, sum, call->buf[1], call->buf[2], o, tap);
			for (int32_t c = 0; c < g.cg; c++) dw[c] = (float)sum[c];
		}
}

void cop_qconv_step_e8(const cop_call *call);
void cop_qconv_step_e8(const cop_call *call)
{
	const geo g = geometry(call->k);
	const int32_t *k = call->k;
	const float lr = *(const float *)call->buf[4], *per = call->buf[5], unit = *(const float *)call->buf[7];
	const uint32_t step = call->buf[6] ? *(const uint32_t *)call->buf[6] : 0;
	int32_t *sum = call->work;

	for (int32_t o = cop_from(call, k[CK_O], 1), to = cop_to(call, k[CK_O], 1); o < to; o++)
		for (int32_t tap = 0; tap < g.taps; tap++) {
			const int32_t first = (o * g.taps + tap) * g.cg;
			int8_t *w = (int8_t *)call->buf[0] + first;
			sums_of(&g, sum, call->buf[2], call->buf[3], o, tap);
			for (int32_t c = 0; c < g.cg; c++)
				w[c] = (int8_t)cop_q_moved(w[c], lr * per[o] * ((float)sum[c] * unit), 127, k[QE_ROUND], cop_hash32((uint32_t)k[QE_SEED], step, 0, (uint32_t)(first + c)));
		}
}
