/* SPDX-License-Identifier: Apache-2.0
 *
 * qerr - errors as bytes with one unit (kernel/qerr.h): of floats, through a factor for each channel, through a convolution of int8, summed. An error of
 * which something is no number has bytes of 0 and a unit that is none, and so has all that is made of it.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"
#include "kernel/qerr.h"
#include "kernel/ref/taps.h"

#define NO_NUMBER cop_unbits(0x7fc00000)

static void nothing(const cop_call *call, int32_t bytes, float unit)
{
	int8_t *to = call->buf[0];

	for (int32_t i = 0; i < bytes; i++) to[i] = 0;
	*(float *)call->buf[1] = unit;
}

/* ---- of floats: as integers of 22 bits, which lose 15 ---- */

enum { KEPT = 21, LEAST = -100 };

typedef struct floats { const float *x; int32_t count; float by; } floats;

static cop_e_part of_floats(const void *job, int32_t *acc, int32_t u)
{
	const floats *f = job;
	const cop_e_part p = cop_e_run(u, f->count);

	for (int32_t i = 0; i < p.pixels; i++) acc[i] = (int32_t)(f->x[p.pixel + i] * f->by);
	return p;
}

void cop_qerr_f32(const cop_call *call);
void cop_qerr_f32(const cop_call *call)
{
	const int32_t *k = call->k, count = k[ER_ROWS] * k[ER_C];
	const float *x = call->buf[2];
	int32_t most = 0;

	for (int32_t i = 0; i < count; i++) { /* magnitudes are ordered as their bits are */
		int32_t m = cop_bits(x[i]) & 0x7fffffff;
		most = m > most ? m : most;
	}
	const int32_t e = (most >> 23) - 127;
	if (e > 127 || e < LEAST) {
		nothing(call, count, e > 127 ? NO_NUMBER : 0);
		return;
	}
	const floats f = {x, count, cop_exp2i(KEPT - e)};
	const cop_e_made made = {call->buf[0], 1, cop_e_runs(count), k[ER_ROUND], 0, NULL, NULL, of_floats, &f, call->work};
	*(float *)call->buf[1] = cop_exp2i(e - KEPT + cop_e_make(&made));
}

/* ---- through factors, channel by channel ---- */

enum { UP = 24 }; /* a byte shifted by so much is a word */

typedef struct back { const int8_t *x; int32_t n, c_n; } back;

static cop_e_part through(const void *job, int32_t *acc, int32_t u)
{
	const back *b = job;
	const int32_t runs = cop_e_runs(b->n), c = u / runs;
	cop_e_part p = cop_e_run(u % runs, b->n);
	const int8_t *x = b->x + (size_t)p.pixel * (size_t)b->c_n + c;

	for (int32_t i = 0; i < p.pixels; i++, x += b->c_n) acc[i] = *x;
	p.c = c;
	return p;
}

/* One factor for all changes the unit alone. */
static void same_bytes(const cop_call *call)
{
	const int32_t *k = call->k, n = k[ER_C], bytes = (n + 7) / 8;

	for (int32_t r = 0; r < k[ER_ROWS]; r++) {
		const int8_t *x = (const int8_t *)call->buf[2] + (size_t)r * (size_t)n;
		int8_t *y = (int8_t *)call->buf[0] + (size_t)r * (size_t)n;
		const uint8_t *in = call->buf[5] ? (const uint8_t *)call->buf[5] + (size_t)r * (size_t)bytes : NULL;
		for (int32_t i = 0; i < n; i++) y[i] = !in || in[i / 8] >> (i % 8) & 1 ? x[i] : 0;
	}
}

void cop_qerr_back_i8(const cop_call *call);
void cop_qerr_back_i8(const cop_call *call)
{
	const int32_t *k = call->k;
	const back b = {call->buf[2], k[ER_ROWS], k[ER_C]};
	const cop_e_made made = {call->buf[0], b.c_n, b.c_n * cop_e_runs(b.n), k[ER_ROUND], UP, call->buf[4], call->buf[5], through, &b, call->work};
	int32_t lost = 0;

	if (made.m) lost = cop_e_lost(&made, cop_e_make(&made));
	else same_bytes(call);
	*(float *)call->buf[1] = *(const float *)call->buf[3] * cop_f(k[ER_BY]) * cop_exp2i(lost);
}

/* ---- two added: the smaller unit in 2^14ths of the larger ---- */

typedef struct sum { const int8_t *a, *b; int32_t ma, mb, count; } sum;

static cop_e_part of_two(const void *job, int32_t *acc, int32_t u)
{
	const sum *s = job;
	const cop_e_part p = cop_e_run(u, s->count);
	const int8_t *a = s->a + p.pixel, *b = s->b + p.pixel;

	for (int32_t i = 0; i < p.pixels; i++) acc[i] = a[i] * s->ma + b[i] * s->mb;
	return p;
}

void cop_qerr_add_i8(const cop_call *call);
void cop_qerr_add_i8(const cop_call *call)
{
	const int32_t *k = call->k, count = k[ER_ROWS] * k[ER_C];
	const float ua = *(const float *)call->buf[3], ub = *(const float *)call->buf[5], most = cop_maxf(cop_absf(ua), cop_absf(ub)), one = 1 << 14;

	if (!(most > 0) || !(ua - ua == 0) || !(ub - ub == 0)) {
		nothing(call, count, ua + ub);
		return;
	}
	const sum s = {call->buf[2], call->buf[4], (int32_t)(ua / most * one + 0.5f), (int32_t)(ub / most * one + 0.5f), count};
	const cop_e_made made = {call->buf[0], 1, cop_e_runs(count), k[ER_ROUND], 0, NULL, NULL, of_two, &s, call->work};
	*(float *)call->buf[1] = most / one * cop_exp2i(cop_e_make(&made));
}

/* ---- over all pixels: floats again ---- */

void cop_qerr_sum_f32(const cop_call *call);
void cop_qerr_sum_f32(const cop_call *call)
{
	const int32_t *k = call->k, n = k[ER_C];
	const float unit = *(const float *)call->buf[2];

	for (int32_t c = cop_from(call, n, 1), to = cop_to(call, n, 1); c < to; c++) {
		const int8_t *x = (const int8_t *)call->buf[1] + c;
		int32_t s = 0;
		for (int32_t r = 0; r < k[ER_ROWS]; r++, x += n) s += *x;
		((float *)call->buf[0])[c] = (float)s * unit;
	}
}

/* ---- through a convolution, to its input ---- */

typedef struct conv { const int8_t *dy, *w; int32_t h, w_n, c, oh, ow, o, kh, kw, sh, sw, pt, pl, dh, dw, cg, og; bool point; } conv;

/* What one output pixel adds to one input pixel through one tap; w: at that tap. Many errors are 0. */
static void spread(const conv *g, int32_t *acc, const int8_t *dy, const int8_t *w)
{
	const int32_t filter = g->kh * g->kw * g->cg;

	for (int32_t o = 0; o < g->o; o++, w += filter) {
		const int32_t d = dy[o];
		int32_t *to = acc + o / g->og * g->cg;
		for (int32_t c = 0; d && c < g->cg; c++) to[c] += d * w[c];
	}
}

/* The same of a depthwise layer; w: of the first channel. */
static void spread_depth(const conv *g, int32_t *acc, const int8_t *dy, const int8_t *w)
{
	const int32_t taps = g->kh * g->kw;
	for (int32_t c = 0; c < g->c; c++, w += taps) acc[c] += dy[c] * *w;
}

static void any_row(const conv *g, int32_t *acc, int32_t r)
{
	const bool depth = g->cg == 1 && g->og == 1;
	const int8_t *image = g->dy + (size_t)(r / g->h) * (size_t)(g->oh * g->ow * g->o);

	for (int32_t i = 0; i < g->w_n * g->c; i++) acc[i] = 0;
	for (int32_t tap = 0; tap < g->kh * g->kw; tap++) {
		const int32_t oh = cop_tap_source(r % g->h, g->pt, tap / g->kw, g->dh, g->sh, g->oh);
		for (int32_t x = 0; oh >= 0 && x < g->w_n; x++) {
			const int32_t ow = cop_tap_source(x, g->pl, tap % g->kw, g->dw, g->sw, g->ow);
			if (ow < 0) continue;
			(depth ? spread_depth : spread)(g, acc + x * g->c, image + (size_t)(oh * g->ow + ow) * (size_t)g->o, g->w + tap * g->cg);
		}
	}
}

/* 1x1: two pixels by four channels at a time, in registers. Written out, since compilers for small machines do not unroll loops. */
static void point_tile(const conv *g, int32_t *acc, const int8_t *dy, const int8_t *w)
{
	int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;

	for (int32_t o = 0; o < g->o; o++, w += g->c) {
		const int32_t a = dy[o], b = dy[g->o + o];
		a0 += a * w[0], b0 += b * w[0];
		a1 += a * w[1], b1 += b * w[1];
		a2 += a * w[2], b2 += b * w[2];
		a3 += a * w[3], b3 += b * w[3];
	}
	acc[0] = a0, acc[1] = a1, acc[2] = a2, acc[3] = a3;
	acc += g->c;
	acc[0] = b0, acc[1] = b1, acc[2] = b2, acc[3] = b3;
}

static void point_row(const conv *g, int32_t *acc, int32_t r)
{
	const int8_t *dy = g->dy + (size_t)r * (size_t)(g->w_n * g->o);

	for (int32_t x = 0; x < g->w_n; x += 2)
		for (int32_t c = 0; c < g->c; c += 4) point_tile(g, acc + x * g->c + c, dy + x * g->o, g->w + c);
}

static cop_e_part row(const void *job, int32_t *acc, int32_t r)
{
	const conv *g = job;
	(g->point ? point_row : any_row)(g, acc, r);
	return (cop_e_part){r * g->w_n, g->w_n, 0, g->c, g->c, 1};
}

static bool is_point(const int32_t *k)
{
	return k[CK_KH] * k[CK_KW] * k[CK_SH] * k[CK_SW] * k[CK_G] == 1 && !k[CK_PT] && !k[CK_PL] && k[CK_OH] == k[CK_H] && k[CK_OW] == k[CK_W] && k[CK_W] % 2 == 0 && k[CK_C] % 4 == 0;
}

size_t cop_qerr_work(const int32_t *k);
size_t cop_qerr_work(const int32_t *k) { (void)k; return sizeof(int32_t) * COP_E_RUN_OF; }
size_t cop_qerr_dx_work(const int32_t *k);
size_t cop_qerr_dx_work(const int32_t *k) { return sizeof(int32_t) * (size_t)(k[CK_W] * k[CK_C]); }

void cop_qerr_dx_i8(const cop_call *call);
void cop_qerr_dx_i8(const cop_call *call)
{
	const int32_t *k = call->k;
	const conv g = {call->buf[2], call->buf[3], k[CK_H], k[CK_W], k[CK_C], k[CK_OH], k[CK_OW], k[CK_O], k[CK_KH], k[CK_KW], k[CK_SH], k[CK_SW], k[CK_PT], k[CK_PL],
		k[CK_DH], k[CK_DW], k[CK_C] / k[CK_G], k[CK_O] / k[CK_G], is_point(k)};
	const cop_e_made made = {call->buf[0], g.c, k[CK_N] * g.h, k[ED_ROUND], k[ED_UP], call->buf[5], call->buf[6], row, &g, call->work};

	*(float *)call->buf[1] = *(const float *)call->buf[4] * cop_f(k[ED_BY]) * cop_exp2i(cop_e_lost(&made, cop_e_make(&made)));
}
