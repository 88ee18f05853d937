/* SPDX-License-Identifier: Apache-2.0
 *
 * qdwany - int8 depthwise convolution of any window, stride, dilation and number of filters a channel, for Cortex-M with DSP instructions.
 *
 * Channel by channel, as in qdwconv: four results at a time, so that a pair of weights is loaded once for eight products. A
 * result may lie on its own channel's input, which has been read, when each channel has one filter.
 */
#include "kernel/cortexm/planes.h"

enum { FOUR = 4 };

/* Four windows' products with a filter; skip: bytes from the end of a row of taps to the next. */
typedef struct taps { const uint32_t *w; int32_t rows, words, skip; } taps;

#if COP_DSP && defined(__OPTIMIZE__) /* else there are too few registers */
#define WINDOW(o, s) "ldr %[x], [%[p], " o "]\n smlad " s ", %[v], %[x], " s "\n"
#endif

/* p: the first window; off: bytes from it to the others, and room for the sums. */
COP_OUT_OF_LINE void sums(const taps *t, const char *p, int32_t bias, int32_t *off)
{
	int32_t s0 = bias, s1 = bias, s2 = bias, s3 = bias, o1 = off[1], o2 = off[2], o3 = off[3], rows = t->rows;
	const uint32_t *w = t->w;

	do {
		const uint32_t *end = w + t->words;
		do {
#ifdef WINDOW
			uint32_t v, x;
			__asm__("ldr %[v], [%[w]], #4\n" WINDOW("%[o1]", "%[s1]") WINDOW("%[o2]", "%[s2]") WINDOW("%[o3]", "%[s3]")
				"ldr %[x], [%[p]], #4\n smlad %[s0], %[v], %[x], %[s0]\n"
				: [v] "=&r"(v), [x] "=&r"(x), [w] "+r"(w), [p] "+r"(p), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3)
				: [o1] "r"(o1), [o2] "r"(o2), [o3] "r"(o3) : "memory");
#else
			uint32_t v = *w++;
			s0 = cop_dual(v, cop_load4(p), s0);
			s1 = cop_dual(v, cop_load4(p + o1), s1);
			s2 = cop_dual(v, cop_load4(p + o2), s2);
			s3 = cop_dual(v, cop_load4(p + o3), s3);
			p += 4;
#endif
		} while (w != end);
		p += t->skip;
	} while (--rows);
	off[0] = s0, off[1] = s1, off[2] = s2, off[3] = s3;
}

/* A channel's filter, and how its sums are scaled. */
typedef struct filter { taps t; int32_t o, bias, m, factor, kind, zero; } filter;

static inline int8_t finish(const cop_call *c, const filter *f, int32_t acc)
{
#if COP_DSP
	if (f->kind == COP_TWICE) return (int8_t)cop_sat8(cop_scale_twice(acc, f->m, f->factor, f->zero));
#endif
	return cop_finish(c->k, c->buf[4], f->o, acc);
}

/* n results of a row whose windows begin in the plane's line; the last group's missing ones are its last one again. */
COP_OUT_OF_LINE void row(const cop_call *c, const cop_dw *g, const filter *f, const int16_t *line, int8_t *y, int32_t n)
{
	int32_t d = g->along.d, s = g->along.s, y_step = g->along.y_step, u = 0, v[FOUR];
	int32_t rest = d > 1 ? s % d : 0, step = 2 * (d > 1 ? s / d + rest * g->part : s), back = 2 * (1 - g->pitch), at = 0;

	for (; n > 0; n -= FOUR) {
		int32_t first = at, m = n < FOUR ? n : FOUR;
		if (n > FOUR && !rest) {
			v[1] = step, v[2] = 2 * step, v[3] = 3 * step;
			at += 4 * step;
		} else {
			for (int32_t i = 0; i < FOUR; i++) {
				v[i] = at - first;
				if (i + 1 >= n) continue;
				at += step, u += rest;
				if (u >= d) at += back, u -= d;
			}
		}
		sums(&f->t, (const char *)line + first, f->bias, v);
		if (f->kind == COP_ONCE) {
			int32_t by = f->m, zero = f->zero;
			for (int32_t i = 0; i < m; i++, y += y_step) *y = (int8_t)cop_sat8(cop_scale_add(v[i], by, zero));
		} else {
			for (int32_t i = 0; i < m; i++, y += y_step) *y = finish(c, f, v[i]);
		}
	}
}

static void pairs(uint32_t *to, const cop_dw *g, const int8_t *w, int32_t four)
{
	for (int32_t i = 0; i < g->across.k; i++, w += g->across.w_step)
		for (int32_t j = 0; j < g->along.k; j += 2) {
			int32_t a = w[j * g->along.w_step], b = j + 1 < g->along.k ? w[(j + 1) * g->along.w_step] : 0;
			if (four) a = cop_dw_nibble(a), b = cop_dw_nibble(b);
			*to++ = cop_pair(a, b);
		}
}

/* A line of a channel, its pixels from w0 on, to its parts. */
COP_OUT_OF_LINE void line(const cop_dw *g, int16_t *to, const int8_t *x, int32_t w0)
{
	const cop_dw_axis *a = &g->along;

	for (int32_t i = 0; i < a->d; i++, w0++, to += g->part) {
		int32_t skip = w0 < 0 ? (a->d - 1 - w0) / a->d : 0, w = w0 + skip * a->d, n = (a->x_n - w + a->d - 1) / a->d, room = g->part - skip;
		if (n > room) n = room;
		if (n > 0) cop_widen(to + skip, x + w * a->x_step, n, a->d * a->x_step);
	}
}

typedef struct band { const int8_t *x; int8_t *y; int32_t h0, w0, rows, cols; } band;

COP_OUT_OF_LINE void run(const cop_call *c, const cop_dw *g, const band *b, int32_t four)
{
	const int32_t *k = c->k, *bias = c->buf[3], *m = c->buf[4];
	int32_t c_n = k[CK_C], each = k[CK_O] / c_n, n_taps = k[CK_KH] * k[CK_KW], words = (g->along.k + 1) >> 1, between = g->apart > 1 ? 1 : g->across.d;
	const int8_t *w = c->buf[2], *x = b->x;
	uint32_t *weights = c->work;
	int16_t *plane = (int16_t *)(weights + cop_dw_words(g));
	filter f = {.t = {weights, g->across.k, words, 2 * between * g->pitch - 4 * words}, .zero = k[QK_ZY], .kind = cop_scale_kind(k, bias, m)};

	for (int32_t i = 0; i < g->lines * g->pitch; i++) plane[i] = (int16_t)k[QK_ZX];
	for (int32_t ch = 0; ch < c_n; ch++, x++) {
		for (int32_t i = 0, h = b->h0; i < g->lines; i++, h += g->apart)
			if (h >= 0 && h < g->across.x_n) line(g, plane + i * g->pitch, x + h * g->across.x_step, b->w0);
		for (int32_t j = 0; j < each; j++, f.o++, w += n_taps) {
			int8_t *y = b->y + f.o;
			pairs(weights, g, w, four);
			f.bias = bias[f.o];
			f.m = m[f.o];
			if (k[QK_TWICE]) f.factor = (int32_t)(1u << ((32 + m[k[CK_O] + f.o]) & 31));
			for (int32_t r = 0; r < b->rows; r++, y += g->across.y_step) row(c, g, &f, plane + r * g->across.s * g->pitch, y, b->cols);
		}
	}
}

COP_OUT_OF_LINE void depthwise(const cop_call *c, int32_t four)
{
	const int32_t *k = c->k;
	cop_dw g = cop_dw_of(k);
	const cop_dw_axis *a = &g.along, *d = &g.across;
	const int8_t *x = cop_dw_input(c);
	int8_t *y = c->buf[0];

	for (int32_t i = 0; i < k[CK_N]; i++, x += k[CK_H] * k[CK_W] * k[CK_C], y += k[CK_OH] * k[CK_OW] * k[CK_O])
		for (int32_t r = 0; r < d->y_n; r += g.rows)
			for (int32_t q = 0; q < a->y_n; q += g.cols) {
				int32_t rows = d->y_n - r, cols = a->y_n - q;
				band b = {x, y + r * d->y_step + q * a->y_step, r * d->s - d->p, q * a->s - a->p, rows < g.rows ? rows : g.rows, cols < g.cols ? cols : g.cols};
				run(c, &g, &b, four);
			}
}

void cop_qdwconv_any_dsp(const cop_call *c) { depthwise(c, 0); }
void cop_qdwconv_any4_dsp(const cop_call *c) { depthwise(c, 1); }
