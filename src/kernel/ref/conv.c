/* SPDX-License-Identifier: Apache-2.0
 *
 * conv - convolution with stride, padding, dilation and groups; activations NHWC, weights [O,KH,KW,C/G].
 *
 * One accumulator an element, over kh, kw, c ascending (forward), over kh, kw, o (input gradient), over n, oh, ow
 * (weight gradient): this order is the definition of the result. Taps in the padding are left out.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"
#include "kernel/ref/taps.h"

typedef struct geo {
	int32_t n, h, w, c, oh, ow, o, kh, kw, sh, sw, pt, pl, dh, dw, g, cg, og;
} geo;

static geo geometry(const int32_t *k)
{
	geo g = {k[CK_N], k[CK_H], k[CK_W], k[CK_C], k[CK_OH], k[CK_OW], k[CK_O], k[CK_KH], k[CK_KW], k[CK_SH],
	        k[CK_SW], k[CK_PT], k[CK_PL], k[CK_DH], k[CK_DW], k[CK_G], 0, 0};
	g.cg = g.c / g.g;
	g.og = g.o / g.g;
	return g;
}

/* One output element: x is the image, w the filter of output channel o. */
static float dot(const geo *g, const float *x, const float *w, int32_t oh, int32_t ow, int32_t c0, float s)
{
	for (int32_t kh = 0; kh < g->kh; kh++) {
		int32_t h = oh * g->sh - g->pt + kh * g->dh;
		if (h < 0 || h >= g->h) continue;
		for (int32_t kw = 0; kw < g->kw; kw++) {
			int32_t wi = ow * g->sw - g->pl + kw * g->dw;
			if (wi < 0 || wi >= g->w) continue;
			const float *a = x + (h * g->w + wi) * g->c + c0, *b = w + (kh * g->kw + kw) * g->cg;
			for (int32_t c = 0; c < g->cg; c++) s += a[c] * b[c];
		}
	}
	return s;
}

void cop_conv_f32(const cop_call *call)
{
	geo g = geometry(call->k);
	float *y = call->buf[0], lo = cop_f(call->k[CK_LO]), hi = cop_f(call->k[CK_HI]);
	const float *x = call->buf[1], *w = call->buf[2], *b = call->buf[3];
	int32_t rows = g.n * g.oh, from = cop_from(call, rows, 1), to = cop_to(call, rows, 1);

	for (int32_t r = from; r < to; r++)
		for (int32_t ow = 0; ow < g.ow; ow++)
			for (int32_t o = 0; o < g.o; o++) {
				float s = dot(&g, x + (size_t)(r / g.oh) * (size_t)(g.h * g.w * g.c),
				        w + o * g.kh * g.kw * g.cg, r % g.oh, ow, o / g.og * g.cg, b ? b[o] : 0);
				y[((size_t)r * (size_t)g.ow + (size_t)ow) * (size_t)g.o + (size_t)o] =
				        cop_clampf(s, lo, hi);
			}
}

void cop_conv_dx_f32(const cop_call *call)
{
	geo g = geometry(call->k);
	float *dx = call->buf[0];
	const float *dy = call->buf[1], *w = call->buf[2];
	int32_t rows = g.n * g.h, from = cop_from(call, rows, 1), to = cop_to(call, rows, 1), tap = g.kh * g.kw * g.cg;

	for (int32_t r = from; r < to; r++)
		for (int32_t wi = 0; wi < g.w; wi++)
			for (int32_t c = 0; c < g.c; c++) {
				int32_t group = c / g.cg;
				float s = 0;
				for (int32_t kh = 0; kh < g.kh; kh++) {
					int32_t oh = cop_tap_source(r % g.h, g.pt, kh, g.dh, g.sh, g.oh);
					for (int32_t kw = 0; oh >= 0 && kw < g.kw; kw++) {
						int32_t ow = cop_tap_source(wi, g.pl, kw, g.dw, g.sw, g.ow);
						if (ow < 0) continue;
						const float *d = dy +
						                 (((size_t)(r / g.h) * (size_t)g.oh + (size_t)oh) *
						                                 (size_t)g.ow +
						                         (size_t)ow) *
						                         (size_t)g.o +
						                 group * g.og;
						const float *f =
						        w + group * g.og * tap + (kh * g.kw + kw) * g.cg + c % g.cg;
						for (int32_t o = 0; o < g.og; o++) s += d[o] * f[o * tap];
					}
				}
				dx[((size_t)r * (size_t)g.w + (size_t)wi) * (size_t)g.c + (size_t)c] = s;
			}
}

/* Row j of dw: the filter of output channel o. */
static void filter_grad(const geo *g, float *dw, const float *dy, const float *x, int32_t o)
{
	int32_t c0 = o / g->og * g->cg;

	for (int32_t kh = 0; kh < g->kh; kh++)
		for (int32_t kw = 0; kw < g->kw; kw++, dw += g->cg) {
			for (int32_t c = 0; c < g->cg; c++) dw[c] = 0;
			for (int32_t r = 0; r < g->n * g->oh; r++) {
				int32_t h = r % g->oh * g->sh - g->pt + kh * g->dh;
				if (h < 0 || h >= g->h) continue;
				for (int32_t ow = 0; ow < g->ow; ow++) {
					int32_t wi = ow * g->sw - g->pl + kw * g->dw;
					if (wi < 0 || wi >= g->w) continue;
					float d =
					        dy[((size_t)r * (size_t)g->ow + (size_t)ow) * (size_t)g->o + (size_t)o];
					const float *a =
					        x +
					        (((size_t)(r / g->oh) * (size_t)g->h + (size_t)h) * (size_t)g->w +
					                (size_t)wi) *
					                (size_t)g->c +
					        c0;
					for (int32_t c = 0; c < g->cg; c++) dw[c] += d * a[c];
				}
			}
		}
}

/* With a row list only its output channels are computed, row after row; rows of dw behind them are not written. */
void cop_conv_dw_f32(const cop_call *call)
{
	geo g = geometry(call->k);
	float *dw = call->buf[0];
	const float *dy = call->buf[1], *x = call->buf[2];
	const int32_t *rows = call->buf[3];
	int32_t n = rows ? cop_listed(rows, call->k[CK_CAP]) : g.o, from = cop_from(call, n, 1), to = cop_to(call, n, 1);

	for (int32_t j = from; j < to; j++)
		filter_grad(&g, dw + (size_t)j * (size_t)(g.kh * g.kw * g.cg), dy, x, rows ? cop_inside(rows[1 + j], g.o) : j);
}
