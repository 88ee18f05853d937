/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv_grad - the gradients of a convolution of int8, in floats: of its input, of its weights, and its weights moved along theirs.
 *
 * One row of channels is summed at a time: for the input over kh, kw, o ascending, for the weights over n, oh, ow. This order is the definition of the
 * result. Gradients that are 0, as they are behind a bound, take no part.
 */
#include "kernel/kernel.h"
#include "kernel/qstep.h"

typedef struct geo {
	int32_t n, h, w, c, oh, ow, o, kh, kw, sh, sw, pt, pl, dh, dw, cg, og;
} geo;

static geo geometry(const int32_t *k)
{
	return (geo){k[CK_N], k[CK_H], k[CK_W], k[CK_C], k[CK_OH], k[CK_OW], k[CK_O], k[CK_KH], k[CK_KW], k[CK_SH], k[CK_SW], k[CK_PT], k[CK_PL], k[CK_DH],
		k[CK_DW], k[CK_C] / k[CK_G], k[CK_O] / k[CK_G]};
}

/* Output position that reads input position `in` through tap k, or -1. */
static int32_t source(int32_t in, int32_t pad, int32_t k, int32_t dilation, int32_t stride, int32_t out)
{
	int32_t at = in + pad - k * dilation;
	return at >= 0 && at % stride == 0 && at / stride < out ? at / stride : -1;
}

/* What one output pixel adds to one input pixel through one tap; w: at that tap. */
static void spread(const geo *g, float *dx, const float *dy, const int8_t *w)
{
	int32_t filter = g->kh * g->kw * g->cg;

	for (int32_t o = 0; o < g->o; o++, w += filter) {
		float d = dy[o], *x = dx + o / g->og * g->cg;
		if (d == 0) continue;
		for (int32_t c = 0; c < g->cg; c++) x[c] += d * (float)w[c];
	}
}

void cop_qconv_dx_f32(const cop_call *call);
void cop_qconv_dx_f32(const cop_call *call)
{
	geo g = geometry(call->k);
	int32_t rows = g.n * g.h, from = cop_from(call, rows, 1), to = cop_to(call, rows, 1);
	float *dx = (float *)call->buf[0] + (size_t)from * (size_t)(g.w * g.c);

	for (int32_t r = from; r < to; r++)
		for (int32_t wi = 0; wi < g.w; wi++, dx += g.c) {
			for (int32_t c = 0; c < g.c; c++) dx[c] = 0;
			for (int32_t tap = 0; tap < g.kh * g.kw; tap++) {
				int32_t oh = source(r % g.h, g.pt, tap / g.kw, g.dh, g.sh, g.oh), ow = source(wi, g.pl, tap % g.kw, g.dw, g.sw, g.ow);
				if (oh < 0 || ow < 0) continue;
				size_t at = ((size_t)(r / g.h) * (size_t)g.oh + (size_t)oh) * (size_t)g.ow + (size_t)ow;
				spread(&g, dx, (const float *)call->buf[1] + at * (size_t)g.o, (const int8_t *)call->buf[2] + tap * g.cg);
			}
		}
}

/* One tap of the filter of output channel o. */
static void tap_grad(const geo *g, float *dw, const float *dy, const int8_t *x, int32_t zx, int32_t kh, int32_t kw)
{
	for (int32_t c = 0; c < g->cg; c++) dw[c] = 0;
	for (int32_t r = 0; r < g->n * g->oh; r++) {
		int32_t h = r % g->oh * g->sh - g->pt + kh * g->dh;
		if (h < 0 || h >= g->h) continue;
		for (int32_t ow = 0; ow < g->ow; ow++) {
			int32_t wi = ow * g->sw - g->pl + kw * g->dw;
			float d = dy[((size_t)r * (size_t)g->ow + (size_t)ow) * (size_t)g->o];
			if (wi < 0 || wi >= g->w || d == 0) continue;
			const int8_t *a = x + (((size_t)(r / g->oh) * (size_t)g->h + (size_t)h) * (size_t)g->w + (size_t)wi) * (size_t)g->c;
			for (int32_t c = 0; c < g->cg; c++) dw[c] += d * (float)(a[c] - zx);
		}
	}
}

void cop_qconv_dw_f32(const cop_call *call);
void cop_qconv_dw_f32(const cop_call *call)
{
	geo g = geometry(call->k);
	int32_t taps = g.kh * g.kw;

	for (int32_t o = cop_from(call, g.o, 1), to = cop_to(call, g.o, 1); o < to; o++)
		for (int32_t tap = 0; tap < taps; tap++)
			tap_grad(&g, (float *)call->buf[0] + (size_t)(o * taps + tap) * (size_t)g.cg, (const float *)call->buf[1] + o,
				(const int8_t *)call->buf[2] + o / g.og * g.cg, call->k[QD_ZX], tap / g.kw, tap % g.kw);
}

size_t cop_qconv_step_work(const int32_t *k);
size_t cop_qconv_step_work(const int32_t *k) { return sizeof(float) * (size_t)(k[CK_C] / k[CK_G]); }

/* A tap at a time, so that no gradient of a whole weight is ever there. */
void cop_qconv_step_i8(const cop_call *call);
void cop_qconv_step_i8(const cop_call *call)
{
	const int32_t *k = call->k;
	const float lr = *(const float *)call->buf[4], *per = call->buf[5];
	const uint32_t step = call->buf[6] ? *(const uint32_t *)call->buf[6] : 0;
	geo g = geometry(k);
	int32_t taps = g.kh * g.kw;
	float *dw = call->work;

	for (int32_t o = cop_from(call, g.o, 1), to = cop_to(call, g.o, 1); o < to; o++)
		for (int32_t tap = 0; tap < taps; tap++) {
			size_t at = (size_t)(o * taps + tap) * (size_t)g.cg;
			int8_t *w = (int8_t *)call->buf[0] + at;
			tap_grad(&g, dw, (const float *)call->buf[2] + o, (const int8_t *)call->buf[3] + o / g.og * g.cg, k[QD_ZX], tap / g.kw, tap % g.kw);
			for (int32_t c = 0; c < g.cg; c++)
				w[c] = (int8_t)cop_q_moved(w[c], lr * per[o] * dw[c], 127, k[QE_ROUND],
					cop_hash32((uint32_t)k[QE_SEED], step, 0, (uint32_t)at + (uint32_t)c));
		}
}
