/* SPDX-License-Identifier: Apache-2.0
 *
 * qdwconv - int8 depthwise convolution 3x3, stride 1 or 2, for Cortex-M with DSP instructions.
 *
 * Channel by channel: its plane (or a band of rows of it) is widened to int16 in scratch, with its padding, so that a filter's six
 * pairs of weights stay in registers while two results at a time take twelve multiplications. A result may lie on its own
 * channel's input, which has been read: in place when the plane is one band, stride 1 or 2.
 */
#include "kernel/cortexm/planes.h"

typedef struct geometry { int32_t s, c_n, w, ow, pitch, rows; } geometry; /* rows: of results in a band */

/* A band of one channel. w: for each line of the filter the pairs (w0,w1) (w1,w2). */
typedef struct band {
	int32_t bias, m, factor, zero;  /* factor: 2^(32 - shift) of the double rounding */
	int32_t step;                   /* bytes from one result to the next; 0 while the last of an odd number is made */
	int8_t *end;                    /* of the row's pairs of results */
	int32_t c_n, odd, next, y_next; /* next, y_next: bytes from the end of a row to the next one's begin, from row to row */
	int32_t rows;
	const int16_t *p0, *p1, *p2;
	int8_t *y;
	uint32_t w[6];
} band;

typedef void run_band(const band *b);

#if COP_DSP
/* A line of two windows, pixels in r4 and r5: of stride 1, of stride 2. Sums in r6, r7. */
#define LINE1(p, w01, w12) "ldrd r4, r5, [" p "], #4\n smlad r6, r4, " w01 ", r6\n smlabt r6, r5, " w12 ", r6\n" \
	"smlatb r7, r4, " w01 ", r7\n smlad r7, r5, " w12 ", r7\n"
#define LINE2(p, w01, w12) "ldrd r4, r5, [" p "], #4\n smlad r6, r4, " w01 ", r6\n smlabt r6, r5, " w12 ", r6\n" \
	"ldrd r4, r5, [" p "], #4\n smlad r7, r4, " w01 ", r7\n smlabt r7, r5, " w12 ", r7\n"

#define ONCE "ldr r4, [sp, #4]\n ldr r5, [sp, #12]\n smmlar r7, r7, r4, r5\n smmlar r6, r6, r4, r5\n"
#define TWICE "ldr r4, [sp, #4]\n qadd r6, r6, r6\n qadd r7, r7, r7\n smmulr r6, r6, r4\n smmulr r7, r7, r4\n ldrd r4, r5, [sp, #8]\n" \
	"add r6, r6, r6, asr #31\n add r7, r7, r7, asr #31\n smmlar r6, r6, r4, r5\n smmlar r7, r7, r4, r5\n"

/* sp: the struct up to rows. */
#define BAND(line, scale) \
	"push {r4-r11, lr}\n ldmia r0!, {r1-r11}\n push {r1-r11}\n mov r4, r0\n ldmia r4!, {r0-r3}\n ldm r4, {r8-r12, lr}\n" \
	"0: ldr r6, [sp, #20]\n cmp r3, r6\n beq 2f\n" \
	"1: ldr r6, [sp]\n mov r7, r6\n" line("r0", "r8", "r9") line("r1", "r10", "r11") line("r2", "r12", "lr") \
	scale "ssat r7, #8, r7\n ssat r6, #8, r6\n" \
	"ldrd r4, r5, [sp, #16]\n strb r7, [r3, r4]\n strb r6, [r3]\n add r3, r3, r4, lsl #1\n cmp r3, r5\n bne 1b\n" \
	"2: ldrd r4, r5, [sp, #24]\n cbz r5, 4f\n ldr r6, [sp, #16]\n cbz r6, 3f\n movs r6, #0\n str r6, [sp, #16]\n b 1b\n" \
	"3: str r4, [sp, #16]\n add r3, r4\n" \
	"4: ldrd r4, r5, [sp, #32]\n add r0, r4\n add r1, r4\n add r2, r4\n ldr r6, [sp, #20]\n add r6, r5\n str r6, [sp, #20]\n" \
	"ldr r7, [sp, #40]\n subs r7, #1\n str r7, [sp, #40]\n bne 0b\n" \
	"add sp, #44\n pop {r4-r11, pc}\n"

#define RUN(name, line, scale) __attribute__((naked, noinline)) static void name(__attribute__((unused)) const band *b) { __asm__(BAND(line, scale)); }
RUN(once1, LINE1, ONCE)
RUN(once2, LINE2, ONCE)
RUN(twice1, LINE1, TWICE)
RUN(twice2, LINE2, TWICE)
static run_band *const by_scale[][2] = {[COP_ONCE] = {once1, once2}, [COP_TWICE] = {twice1, twice2}};
#else
static run_band *const by_scale[COP_TWICE + 1][2];
#endif

/* Any rounding. */
COP_OUT_OF_LINE void any_band(const cop_call *c, const geometry *g, const band *b, int32_t ch)
{
	for (int32_t r = 0; r < b->rows; r++)
		for (int32_t i = 0; i < g->ow; i++) {
			const int16_t *p = b->p0 + (r * g->pitch + i) * g->s;
			int32_t acc = b->bias;
			for (int32_t j = 0; j < 3; j++, p += g->pitch)
				acc += p[0] * (int16_t)b->w[2 * j] + p[1] * (int16_t)b->w[2 * j + 1] + p[2] * ((int32_t)b->w[2 * j + 1] >> 16);
			b->y[(r * g->ow + i) * g->c_n] = cop_finish(c->k, c->buf[4], ch, acc);
		}
}

static void filter(uint32_t *to, const int8_t *w, int32_t four)
{
	for (int32_t j = 0; j < 3; j++, w += 3) {
		int32_t a = w[0], b = w[1], e = w[2];
		if (four) a = cop_dw_nibble(a), b = cop_dw_nibble(b), e = cop_dw_nibble(e);
		*to++ = cop_pair(a, b);
		*to++ = cop_pair(b, e);
	}
}

/* All channels of result rows [oh, oh + rows) of an image x. */
COP_OUT_OF_LINE void run(const cop_call *c, const geometry *g, const int8_t *x, int8_t *y, int32_t oh, int32_t rows, int32_t four)
{
	const int32_t *k = c->k, *bias = c->buf[3], *m = c->buf[4];
	const int8_t *w = c->buf[2];
	int16_t *plane = c->work;
	int32_t h0 = oh * g->s - k[CK_PT], top = h0 < 0 ? 0 : h0, lines = (rows - 1) * g->s + 3, bottom = h0 + lines < k[CK_H] ? h0 + lines : k[CK_H];
	band b = {.zero = k[QK_ZY], .step = g->c_n, .c_n = g->c_n, .odd = g->ow & 1, .next = (2 * g->pitch - 4 * ((g->ow + 1) >> 1)) * g->s, .y_next = g->ow * g->c_n,
		.rows = rows, .p0 = plane, .p1 = plane + g->pitch, .p2 = plane + 2 * g->pitch};
	int32_t room = g->pitch - k[CK_PL], n = g->w < room ? g->w : room, pairs = (g->ow & ~1) * g->c_n;
	run_band *fast = by_scale[cop_scale_kind(k, bias, m)][g->s - 1];

	for (int32_t i = 0; i < lines * g->pitch; i++) plane[i] = (int16_t)k[QK_ZX];
	for (int32_t ch = 0; ch < g->c_n; ch++, y++, x++, w += 9) {
		b.bias = bias[ch];
		b.m = m[ch];
		if (k[QK_TWICE]) b.factor = (int32_t)(1u << ((32 + m[g->c_n + ch]) & 31));
		b.y = y;
		b.end = y + pairs;
		filter(b.w, w, four);
		for (int32_t h = top; h < bottom; h++) cop_widen(plane + (h - h0) * g->pitch + k[CK_PL], x + h * g->w * g->c_n, n, g->c_n);
		if (fast) fast(&b);
		else any_band(c, g, &b, ch);
	}
}

COP_OUT_OF_LINE void depthwise(const cop_call *c, int32_t four)
{
	const int32_t *k = c->k;
	geometry g = {k[CK_SH], k[CK_C], k[CK_W], k[CK_OW], cop_dw_pitch(k), cop_dw_rows(k)};
	int32_t image = k[CK_H] * g.w * g.c_n, result = k[CK_OH] * g.ow * g.c_n;
	int8_t *y = c->buf[0];
	const int8_t *x = cop_dw_input(c);

	for (int32_t i = 0; i < k[CK_N]; i++, x += image, y += result)
		for (int32_t oh = 0; oh < k[CK_OH]; oh += g.rows)
			run(c, &g, x, y + oh * g.ow * g.c_n, oh, k[CK_OH] - oh < g.rows ? k[CK_OH] - oh : g.rows, four);
}

void cop_qdwconv_dsp(const cop_call *c) { depthwise(c, 0); }
void cop_qdwconv4_dsp(const cop_call *c) { depthwise(c, 1); }
