/* SPDX-License-Identifier: Apache-2.0
 *
 * qpool - int8 averages for Cortex-M with DSP instructions: the sums of four channels at a time, two to a word. 255 cells
 * fit in 16 bits.
 */
#include "kernel/cortexm/dsp.h"

static inline uint32_t add_even(uint32_t s, uint32_t v)
{
#if COP_DSP
	__asm__("sxtab16 %0, %0, %1" : "+r"(s) : "r"(v));
	return s;
#elif COP_ACLE
	return (uint32_t)__sxtab16((int16x2_t)s, (int8x4_t)v);
#else
	v = cop_even(v);
	return cop_pair((int16_t)s + (int16_t)v, (int32_t)(s >> 16) + (int32_t)(v >> 16));
#endif
}
static inline uint32_t add_odd(uint32_t s, uint32_t v)
{
#if COP_DSP
	__asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(s) : "r"(v));
	return s;
#else
	return add_even(s, v >> 8);
#endif
}

/* A window of rows x cells; bytes from cell to cell and from the end of a row to the next. */
typedef struct window { const int8_t *x; int32_t rows, cells, step, skip; } window;

static void sum4(const window *w, int32_t *to)
{
	const int8_t *x = w->x;
	uint32_t even = 0, odd = 0;

	for (int32_t r = w->rows; r; r--, x += w->skip)
		for (int32_t i = w->cells; i; i--, x += w->step) {
			uint32_t v = cop_load4(x);
			even = add_even(even, v);
			odd = add_odd(odd, v);
		}
	to[0] = (int16_t)even;
	to[1] = (int16_t)odd;
	to[2] = (int32_t)even >> 16;
	to[3] = (int32_t)odd >> 16;
}

static int32_t mean(const int32_t *k, int32_t sum, int32_t cells)
{
	int32_t d = sum - cells * k[QP_ZX], half = cells / 2;

	if (k[QP_M]) return cop_wrap_add(k[QP_ZY], cop_scale_double(d, k[QP_M], k[QP_S]));
	return k[QP_ZX] + (d > 0 ? d + half : d - half) / cells;
}

void cop_qavgpool_dsp(const cop_call *c)
{
	const int32_t *k = c->k;
	int32_t line = k[PK_W] * k[PK_C], c_n = k[PK_C];
	const int8_t *image = c->buf[1];
	int8_t *y = c->buf[0];

	for (int32_t r = 0; r < k[PK_N] * k[PK_OH]; r++)
		for (int32_t ow = 0; ow < k[PK_OW]; ow++) {
			const int8_t *x = image + r / k[PK_OH] * k[PK_H] * line;
			int32_t h0 = r % k[PK_OH] * k[PK_SH] - k[PK_PT], w0 = ow * k[PK_SW] - k[PK_PL], h1 = h0 + k[PK_KH], w1 = w0 + k[PK_KW], s[4];
			h0 = h0 < 0 ? 0 : h0;
			w0 = w0 < 0 ? 0 : w0;
			h1 = h1 > k[PK_H] ? k[PK_H] : h1;
			w1 = w1 > k[PK_W] ? k[PK_W] : w1;
			window w = {x + h0 * line + w0 * c_n, h1 - h0, w1 - w0, c_n, line - (w1 - w0) * c_n};
			for (int32_t ch = 0; ch < c_n; ch += 4, w.x += 4) {
				sum4(&w, s);
				for (int32_t i = 0; i < 4; i++) *y++ = (int8_t)cop_clampi(mean(k, s[i], w.rows * w.cells), k[QP_LO], k[QP_HI]);
			}
		}
}
