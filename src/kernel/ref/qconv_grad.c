/* SPDX-License-Identifier: Apache-2.0
 *
 * qconv_grad - the gradients of a convolution of int8, in floats: of its input, of its weights, and its weights moved along theirs.
 *
 * Sums run, for the input, over kh, kw, o ascending, for the weights over n, oh, ow: this order is the definition of the result.
 */
#include "kernel/kernel.h"
#include "kernel/qstep.h"
#include "kernel/ref/taps.h"

typedef struct geo {
	int32_t n, h, w, c, oh, ow, o, kh, kw, sh, sw, pt, pl, dh, dw, cg, og;
} geo;

static geo geometry(const int32_t *k)
{
	return (geo){k[CK_N], k[CK_H], k[CK_W], k[CK_C], k[CK_OH], k[CK_OW], k[CK_O], k[CK_KH], k[CK_KW], k[CK_SH], k[CK_SW], k[CK_PT], k[CK_PL], k[CK_DH],
		k[CK_DW], k[CK_C] / k[CK_G], k[CK_O] / k[CK_G]};
}

/* ---- the input's ---- */

/* What one output pixel adds to one input pixel through one tap; w: at that tap. */
static void spread(const geo *g, float *dx, const float *dy, const int8_t *w)
{
	int32_t filter = g->kh * g->kw * g->cg;

	for (int32_t o = 0; o < g->o; o++, w += filter) {
		float d = dy[o], *x = dx + o / g->og * g->cg;
		for (int32_t c = 0; c < g->cg; c++) x[c] += d * (float)w[c];
	}
}

/* A row of input pixels; dy: the image. */
static void any_row(const geo *g, float *dx, const float *dy, const int8_t *w, int32_t h)
{
	for (int32_t i = 0; i < g->w * g->c; i++) dx[i] = 0;
	for (int32_t wi = 0; wi < g->w; wi++, dx += g->c)
		for (int32_t tap = 0; tap < g->kh * g->kw; tap++) {
			int32_t oh = cop_tap_source(h, g->pt, tap / g->kw, g->dh, g->sh, g->oh), ow = cop_tap_source(wi, g->pl, tap % g->kw, g->dw, g->sw, g->ow);
			if (oh >= 0 && ow >= 0) spread(g, dx, dy + (size_t)(oh * g->ow + ow) * (size_t)g->o, w + tap * g->cg);
		}
}

/* Depthwise: tap after tap along the row, with its channel's weight at hand. */
static void depth_row(const geo *g, float *dx, const float *dy, const int8_t *w, int32_t h)
{
	int32_t taps = g->kh * g->kw;

	for (int32_t i = 0; i < g->w * g->c; i++) dx[i] = 0;
	for (int32_t tap = 0; tap < taps; tap++) {
		int32_t oh = cop_tap_source(h, g->pt, tap / g->kw, g->dh, g->sh, g->oh);
		for (int32_t wi = 0; oh >= 0 && wi < g->w; wi++) {
			int32_t ow = cop_tap_source(wi, g->pl, tap % g->kw, g->dw, g->sw, g->ow);
			const float *d = dy + (size_t)(oh * g->ow + ow) * (size_t)g->c;
			float *x = dx + wi * g->c;
			for (int32_t c = 0; ow >= 0 && c < g->c; c++) x[c] += d[c] * (float)w[c * taps + tap];
		}
	}
}

enum { TILE = 4 };

/* Sixteen sums in registers: four scaled by each of four. Written out, since compilers for small machines do not unroll loops. */
#define SUMS(n) float n##0 = 0, n##1 = 0, n##2 = 0, n##3 = 0
#define ADD(n, by)                                                                                              \
	do {                                                                                                    \
		const float s_ = (by);                                                                          \
		n##0 += s_ * v0, n##1 += s_ * v1, n##2 += s_ * v2, n##3 += s_ * v3;                             \
	} while (0)
#define STORE(to, n) (to)[0] = n##0, (to)[1] = n##1, (to)[2] = n##2, (to)[3] = n##3

/* 1x1: four pixels by four channels at a time. w: at the first channel. */
static void point_tile(const geo *g, float *dx, const float *dy, const int8_t *w)
{
	const float *e = dy + g->o, *f = e + g->o, *h = f + g->o;
	SUMS(a);
	SUMS(b);
	SUMS(c);
	SUMS(d);

	for (int32_t n = g->o; n; n--, w += g->c) {
		const float v0 = w[0], v1 = w[1], v2 = w[2], v3 = w[3];
		ADD(a, *dy++);
		ADD(b, *e++);
		ADD(c, *f++);
		ADD(d, *h++);
	}
	STORE(dx, a);
	STORE(dx + g->c, b);
	STORE(dx + 2 * g->c, c);
	STORE(dx + 3 * g->c, d);
}

static void point_one(const geo *g, float *dx, const float *dy, const int8_t *w)
{
	float s = 0;
	for (int32_t o = 0; o < g->o; o++) s += dy[o] * (float)w[o * g->c];
	*dx = s;
}

static void point_row(const geo *g, float *dx, const float *dy, const int8_t *w)
{
	for (int32_t p = 0, n; p < g->w; p += n) {
		n = g->w - p < TILE ? 1 : TILE;
		for (int32_t c = 0; c < g->c;) {
			float *x = dx + p * g->c + c;
			if (n == TILE && g->c - c >= TILE) point_tile(g, x, dy + p * g->o, w + c), c += TILE;
			else {
				for (int32_t i = 0; i < n; i++) point_one(g, x + i * g->c, dy + (p + i) * g->o, w + c);
				c++;
			}
		}
	}
}

static bool is_point(const int32_t *k)
{
	return k[CK_KH] * k[CK_KW] == 1 && k[CK_SH] * k[CK_SW] == 1 && k[CK_G] == 1 && !k[CK_PT] && !k[CK_PL] && k[CK_OH] == k[CK_H] && k[CK_OW] == k[CK_W];
}

void cop_qconv_dx_f32(const cop_call *call);
void cop_qconv_dx_f32(const cop_call *call)
{
	geo g = geometry(call->k);
	const int8_t *w = call->buf[2];
	int32_t rows = g.n * g.h, point = is_point(call->k);

	for (int32_t r = cop_from(call, rows, 1), to = cop_to(call, rows, 1); r < to; r++) {
		float *dx = (float *)call->buf[0] + (size_t)r * (size_t)(g.w * g.c);
		const float *dy = (const float *)call->buf[1] + (size_t)(r / g.h * g.oh) * (size_t)(g.ow * g.o);
		if (point) point_row(&g, dx, dy + (size_t)(r % g.h) * (size_t)(g.w * g.o), w);
		else if (g.cg == 1 && g.og == 1) depth_row(&g, dx, dy, w, r % g.h);
		else any_row(&g, dx, dy, w, r % g.h);
	}
}

/* ---- the weights' ---- */

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
			if (wi < 0 || wi >= g->w) continue;
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

/* ---- weights moved along it ---- */

typedef struct mover { const int32_t *k; int8_t *w; const float *per; float lr; uint32_t step; } mover;

/* Weight `at`, of filter o. */
static void move(const mover *m, int32_t at, int32_t o, float dw)
{
	m->w[at] = (int8_t)cop_q_moved(m->w[at], m->lr * m->per[o] * dw, 127, m->k[QE_ROUND], cop_hash32((uint32_t)m->k[QE_SEED], m->step, 0, (uint32_t)at));
}

static void move_four(const mover *m, const geo *g, int32_t o, int32_t c, const float *dw)
{
	for (int32_t i = 0; i < TILE; i++) move(m, o * g->c + c + i, o, dw[i]);
}

/* 1x1: four filters by four channels are summed over all pixels. */
static void step_tile(const geo *g, const mover *m, const float *dy, const int8_t *x, int32_t o, int32_t ch)
{
	const int32_t zx = m->k[QD_ZX];
	float dw[TILE];
	SUMS(a);
	SUMS(b);
	SUMS(c);
	SUMS(d);

	dy += o;
	x += ch;
	for (int32_t p = g->n * g->oh * g->ow; p; p--, dy += g->o, x += g->c) {
		const float v0 = (float)(x[0] - zx), v1 = (float)(x[1] - zx), v2 = (float)(x[2] - zx), v3 = (float)(x[3] - zx);
		ADD(a, dy[0]);
		ADD(b, dy[1]);
		ADD(c, dy[2]);
		ADD(d, dy[3]);
	}
	STORE(dw, a), move_four(m, g, o, ch, dw);
	STORE(dw, b), move_four(m, g, o + 1, ch, dw);
	STORE(dw, c), move_four(m, g, o + 2, ch, dw);
	STORE(dw, d), move_four(m, g, o + 3, ch, dw);
}

size_t cop_qconv_step_work(const int32_t *k);
size_t cop_qconv_step_work(const int32_t *k) { return sizeof(float) * (size_t)(k[CK_C] / k[CK_G]); }

/* A tap of a filter at a time, so that no gradient of a whole weight is ever there. */
static void step_filter(const geo *g, const mover *m, const cop_call *call, int32_t o, int32_t from)
{
	int32_t taps = g->kh * g->kw;
	float *dw = call->work;

	for (int32_t tap = 0; tap < taps; tap++) {
		tap_grad(g, dw, (const float *)call->buf[2] + o, (const int8_t *)call->buf[3] + o / g->og * g->cg, m->k[QD_ZX], tap / g->kw, tap % g->kw);
		for (int32_t c = from; c < g->cg; c++) move(m, (o * taps + tap) * g->cg + c, o, dw[c]);
	}
}

void cop_qconv_step_i8(const cop_call *call);
void cop_qconv_step_i8(const cop_call *call)
{
	const mover m = {call->k, call->buf[0], call->buf[5], *(const float *)call->buf[4], call->buf[6] ? *(const uint32_t *)call->buf[6] : 0};
	const geo g = geometry(call->k);
	int32_t to = cop_to(call, g.o, TILE), point = is_point(call->k), whole = point ? g.c / TILE * TILE : 0;

	for (int32_t o = cop_from(call, g.o, TILE), n; o < to; o += n) {
		n = to - o < TILE || !whole ? 1 : TILE;
		for (int32_t c = 0; n == TILE && c < whole; c += TILE) step_tile(&g, &m, call->buf[2], call->buf[3], o, c);
		for (int32_t i = 0; i < n; i++)
			if (n == 1 || whole < g.c) step_filter(&g, &m, call, o + i, n == 1 ? 0 : whole);
	}
}
