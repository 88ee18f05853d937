/* SPDX-License-Identifier: Apache-2.0
 *
 * qerr - errors as bytes through a convolution of int8, to its input, for Cortex-M with DSP instructions: 1x1, and depthwise 3x3 of stride 1 or 2 (errors.h).
 */
#include "kernel/cortexm/errors.h"
#include "kernel/math.h"
#include "kernel/qerr.h"

static void make(const cop_call *call, int32_t units, cop_e_fill *fill, const void *job, int32_t *acc)
{
	const int32_t *k = call->k;
	const cop_e_made made = {call->buf[0], k[CK_C], units, k[ED_ROUND], k[ED_UP], call->buf[5], call->buf[6], fill, job, acc};

	*(float *)call->buf[1] = *(const float *)call->buf[4] * cop_f(k[ED_BY]) * cop_exp2i(cop_e_lost(&made, cop_e_make(&made)));
}

/* ---- 1x1 ---- */

typedef struct point { const int8_t *dy, *w; int32_t o_n, c_n, pixels; uint32_t *turned; } point;

/* Of four filters and four channels: of each channel filters 0 2, then of each 1 3. */
static inline void turn_two(uint32_t *to, uint32_t a, uint32_t b)
{
	const uint32_t even[2] = {cop_even(a), cop_even(b)}, odd[2] = {cop_odd(a), cop_odd(b)};

	to[0] = cop_pair((int32_t)even[0], (int32_t)even[1]);
	to[1] = cop_pair((int32_t)odd[0], (int32_t)odd[1]);
	to[2] = cop_high_pair(even[0], even[1]);
	to[3] = cop_high_pair(odd[0], odd[1]);
}

static void turn(uint32_t *to, const int8_t *w, int32_t o_n, int32_t c_n)
{
	for (; o_n > 0; o_n -= 4, w += 4 * c_n, to += 8) {
		turn_two(to, cop_load4(w), cop_load4(w + 2 * c_n));
		turn_two(to + 4, cop_load4(w + c_n), cop_load4(w + 3 * c_n));
	}
}

/* Sums of four channels at a pixel, and at the next one. */
#if COP_DSP
/* Four filters: 35 instructions for 32 products. Sums in r4-r7 and r8-r11. */
#define CHANNEL(a, b) "ldr lr, [r1], #4\n smlad " a ", lr, r0, " a "\n smlad " b ", lr, r12, " b "\n"
#define CHANNELS CHANNEL("r4", "r8") CHANNEL("r5", "r9") CHANNEL("r6", "r10") CHANNEL("r7", "r11")
__attribute__((naked, noinline)) static void two_pixels(__attribute__((unused)) int32_t *sum, __attribute__((unused)) const uint32_t *w, __attribute__((unused)) const int8_t *dy,
	__attribute__((unused)) int32_t o_n)
{
	__asm__("push {r0, r4-r11, lr}\n add r0, r2, r3\n push {r0}\n"
		"mov r4, #0\n mov r5, r4\n mov r6, r4\n mov r7, r4\n mov r8, r4\n mov r9, r4\n mov r10, r4\n mov r11, r4\n"
		"1: ldr.w r0, [r2]\n ldr.w r12, [r2, r3]\n sxtb16 r0, r0\n sxtb16 r12, r12\n" CHANNELS
		"ldr.w r12, [r2, r3]\n ldr.w r0, [r2], #4\n sxtb16 r0, r0, ror #8\n sxtb16 r12, r12, ror #8\n" CHANNELS
		"ldr lr, [sp]\n cmp r2, lr\n bne.w 1b\n"
		"ldr r0, [sp, #4]\n stm r0, {r4-r11}\n add sp, #8\n pop {r4-r11, pc}\n");
}
#else
static void two_pixels(int32_t *sum, const uint32_t *w, const int8_t *dy, int32_t o_n)
{
	for (int32_t i = 0; i < 2 * ERROR_LANES; i++) sum[i] = 0;
	for (int32_t o = 0; o < o_n; o += 4, w += 8)
		for (int32_t i = 0; i < 2 * ERROR_LANES; i++) {
			const uint32_t d = cop_load4(dy + i / ERROR_LANES * o_n + o);
			sum[i] = cop_dual(w[i % ERROR_LANES], cop_even(d), sum[i]);
			sum[i] = cop_dual(w[ERROR_LANES + i % ERROR_LANES], cop_odd(d), sum[i]);
		}
}
#endif

static cop_e_part four_channels(const void *job, int32_t *acc, int32_t u)
{
	const point *g = job;
	const int32_t groups = g->c_n / ERROR_LANES, c = u % groups * ERROR_LANES, from = u / groups * ERROR_CHUNK, n = g->pixels - from < ERROR_CHUNK ? g->pixels - from : ERROR_CHUNK;

	turn(g->turned, g->w + c, g->o_n, g->c_n);
	for (int32_t i = 0; i < n; i += 2) {
		const int32_t alone = i + 1 == n; /* then the pixel before it is summed once more */
		int32_t sum[2 * ERROR_LANES], *to = acc + i;
		two_pixels(sum, g->turned, g->dy + (from + i - alone) * g->o_n, g->o_n);
		for (int32_t j = 0; j < ERROR_LANES; j++, to += n) {
			to[0] = sum[alone * ERROR_LANES + j];
			if (!alone) to[1] = sum[ERROR_LANES + j];
		}
	}
	return (cop_e_part){from, n, c, ERROR_LANES, 1, n};
}

void cop_qerr_point_dsp(const cop_call *call)
{
	const int32_t *k = call->k, pixels = k[CK_N] * k[CK_H] * k[CK_W];
	int32_t *acc = call->work;
	const point g = {call->buf[2], call->buf[3], k[CK_O], k[CK_C], pixels, (uint32_t *)acc + ERROR_LANES * ERROR_CHUNK};

	make(call, (pixels + ERROR_CHUNK - 1) / ERROR_CHUNK * (k[CK_C] / ERROR_LANES), four_channels, &g, acc);
}

/* ---- depthwise ---- */

typedef struct depth { const cop_call *call; int32_t rows, bands, pitch; int16_t *plane; } depth;

/* The results of a channel that input rows [h0, h0 + rows) meet; elsewhere the plane is 0, as it was for the channel before. */
static void spread(const depth *d, int32_t image, int32_t c, int32_t h0, int32_t rows)
{
	const int32_t *k = d->call->k, s = k[CK_SH], first = 2 - k[CK_PL], room = (k[CK_W] + 1 - first) / s + 1, n = k[CK_OW] < room ? k[CK_OW] : room;
	const int8_t *dy = (const int8_t *)d->call->buf[2] + (size_t)(image * k[CK_OH] * k[CK_OW]) * (size_t)k[CK_C] + c;

	for (int32_t i = 0; i < rows + 2; i++) {
		const int32_t y = h0 + i + k[CK_PT] - 2, oh = y >> (s - 1);
		if (y < 0 || (s > 1 && y & 1) || oh >= k[CK_OH]) continue;
		const int8_t *from = dy + (size_t)(oh * k[CK_OW]) * (size_t)k[CK_C];
		int16_t *to = d->plane + i * d->pitch + first;
		for (int32_t ow = 0; ow < n; ow++, from += k[CK_C], to += s) *to = *from;
	}
}

/* A line of two windows that are neighbours: x01, x23 its four pixels; w: of the filter turned round the pairs (0,1) and (1,2). */
static inline void line(int32_t *a, int32_t *b, uint32_t x01, uint32_t x23, uint32_t w01, uint32_t w12)
{
#if COP_DSP
	int32_t s = *a, t = *b;
	__asm__("smlad %0, %2, %4, %0\n smlabt %0, %3, %5, %0\n smlatb %1, %2, %4, %1\n smlad %1, %3, %5, %1" : "+&r"(s), "+&r"(t) : "r"(x01), "r"(x23), "r"(w01), "r"(w12));
	*a = s, *b = t;
#else
	*a = cop_dual(x01, w01, *a) + (int16_t)x23 * ((int32_t)w12 >> 16);
	*b = cop_dual(x23, w12, *b) + ((int32_t)x01 >> 16) * (int16_t)w01;
#endif
}

/* A row, two windows in each round. w: of each line of the filter its pairs. */
static void windows(int32_t *acc, const int16_t *p, int32_t pitch, const uint32_t *w, int32_t n)
{
	const int16_t *q = p + pitch, *r = q + pitch;

	for (; n > 0; n -= 2, p += 2, q += 2, r += 2) {
		int32_t a = 0, b = 0;
		line(&a, &b, cop_load4(p), cop_load4(p + 2), w[0], w[1]);
		line(&a, &b, cop_load4(q), cop_load4(q + 2), w[2], w[3]);
		line(&a, &b, cop_load4(r), cop_load4(r + 2), w[4], w[5]);
		*acc++ = a;
		if (n > 1) *acc++ = b;
	}
}

static cop_e_part channel(const void *job, int32_t *acc, int32_t u)
{
	const depth *d = job;
	const int32_t *k = d->call->k, c = u % k[CK_C], band = u / k[CK_C] % d->bands, image = u / k[CK_C] / d->bands, h0 = band * d->rows, left = k[CK_H] - h0;
	const int32_t rows = left < d->rows ? left : d->rows;
	const int8_t *f = (const int8_t *)d->call->buf[3] + 9 * c;
	uint32_t w[6];

	for (int32_t i = 0; i < 3; i++) {
		const int8_t *line = f + 6 - 3 * i;
		w[2 * i] = cop_pair(line[2], line[1]);
		w[2 * i + 1] = cop_pair(line[1], line[0]);
	}
	for (int32_t i = 0; !c && i < (rows + 2) * d->pitch; i++) d->plane[i] = 0;
	spread(d, image, c, h0, rows);
	for (int32_t i = 0; i < rows; i++) windows(acc + i * k[CK_W], d->plane + i * d->pitch, d->pitch, w, k[CK_W]);
	return (cop_e_part){(image * k[CK_H] + h0) * k[CK_W], rows * k[CK_W], c, 1, 1, 0};
}

void cop_qerr_depth_dsp(const cop_call *call)
{
	const int32_t *k = call->k, rows = cop_error_rows(k), bands = (k[CK_H] + rows - 1) / rows;
	int32_t *acc = call->work;
	const depth d = {call, rows, bands, cop_error_pitch(k), (int16_t *)(acc + rows * k[CK_W])};

	make(call, k[CK_N] * bands * k[CK_C], channel, &d, acc);
}
