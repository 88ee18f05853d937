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

/* A band of one channel. w: for each line of the filter the pairs (w0,w1) (w1,w2). Some numbers stand twice, where two at a time are read. */
typedef struct band {
	int32_t bias, bias_too, m, zero, factor, zero_too; /* factor: 2^(32 - shift) of the double rounding */
	int32_t step;                /* bytes from one result to the next */
	int8_t *end;                 /* of the row's pairs of results */
	int32_t odd;                 /* has the row one more? */
	int32_t next, y_next;        /* bytes from the end of a row to the next one's begin, from row to row */
	int32_t rows;
	const int16_t *p0, *p1, *p2;
	int8_t *y;
	uint32_t w[6];
} band;

typedef void run_band(const band *b);

/* Rows of n pixels, `step` bytes from one to the next, to int16; d_next and x_next: bytes from the end of a row to the next one's begin. */
#if COP_DSP
/* Four pixels take eleven instructions; compilers make sixteen of them. */
__attribute__((naked, noinline)) static void widen_rows(__attribute__((unused)) int16_t *d, __attribute__((unused)) const int8_t *x, __attribute__((unused)) int32_t n,
	__attribute__((unused)) int32_t step, __attribute__((unused)) int32_t rows, __attribute__((unused)) int32_t d_next, __attribute__((unused)) int32_t x_next)
{
	__asm__("push {r4-r11, lr}\n add r12, sp, #36\n ldm r12, {r9-r11}\n add r12, r3, r3, lsl #1\n"
		"0: subs r4, r2, #4\n blt 2f\n"
		"1: ldrsb.w r5, [r1]\n ldrsb r6, [r1, r3]\n ldrsb.w r7, [r1, r3, lsl #1]\n ldrsb.w r8, [r1, r12]\n add.w r1, r1, r3, lsl #2\n"
		"strh r5, [r0], #2\n strh r6, [r0], #2\n strh r7, [r0], #2\n strh r8, [r0], #2\n subs r4, #4\n bge 1b\n"
		"2: adds r4, #4\n beq 4f\n"
		"3: ldrsb.w r5, [r1]\n add r1, r3\n strh r5, [r0], #2\n subs r4, #1\n bne 3b\n"
		"4: add r0, r10\n add r1, r11\n subs.w r9, r9, #1\n bne 0b\n"
		"pop {r4-r11, pc}\n");
}
#else
static void widen_rows(int16_t *d, const int8_t *x, int32_t n, int32_t step, int32_t rows, int32_t d_next, int32_t x_next)
{
	for (; rows; rows--, d += d_next / 2, x += n * step + x_next) d = cop_widen(d, x, n, step);
}
#endif

#if COP_DSP
/* A line of two windows, pixels in r4 and r5: of stride 1, of stride 2; and of one window. Sums in r6, r7. */
#define LINE1(p, w01, w12) "ldrd r4, r5, [" p "], #4\n smlad r6, r4, " w01 ", r6\n smlabt r6, r5, " w12 ", r6\n" \
	"smlatb r7, r4, " w01 ", r7\n smlad r7, r5, " w12 ", r7\n"
#define LINE2(p, w01, w12) "ldrd r4, r5, [" p "], #4\n smlad r6, r4, " w01 ", r6\n smlabt r6, r5, " w12 ", r6\n" \
	"ldrd r4, r5, [" p "], #4\n smlad r7, r4, " w01 ", r7\n smlabt r7, r5, " w12 ", r7\n"
#define LAST(p, w01, w12, by) "ldrd r4, r5, [" p "], #" by "\n smlad r6, r4, " w01 ", r6\n smlabt r6, r5, " w12 ", r6\n"
#define LAST1(p, w01, w12) LAST(p, w01, w12, "4")
#define LAST2(p, w01, w12) LAST(p, w01, w12, "8")

#define ONCE(s) "ldrd r4, r5, [sp, #8]\n" s(ONCE_)
#define ONCE_(s) "smmlar " s ", " s ", r4, r5\n"
#define TWICE(s) "ldr r4, [sp, #8]\n" s(TWICE_) "ldrd r4, r5, [sp, #16]\n" s(ONCE_)
#define TWICE_(s) "smmulr " s ", " s ", r4\n add " s ", " s ", " s ", asr #31\n"
#define BOTH(f) f("r7") f("r6")
#define ONE(f) f("r6")

/* sp: the struct up to rows. */
#define BAND(line, last, scale) \
	"push {r4-r11, lr}\n ldmia r0!, {r1-r12}\n push {r1-r12}\n mov r4, r0\n ldmia r4!, {r0-r3}\n ldm r4, {r8-r12, lr}\n" \
	"0: ldr r6, [sp, #28]\n cmp r3, r6\n beq 2f\n" \
	"1: ldrd r6, r7, [sp]\n" line("r0", "r8", "r9") line("r1", "r10", "r11") line("r2", "r12", "lr") \
	scale(BOTH) "ssat r7, #8, r7\n ssat r6, #8, r6\n" \
	"ldrd r4, r5, [sp, #24]\n strb r7, [r3, r4]\n strb r6, [r3]\n add r3, r3, r4, lsl #1\n cmp r3, r5\n bne 1b\n" \
	"2: ldr r5, [sp, #32]\n cbz r5, 3f\n" \
	"ldr r6, [sp]\n" last("r0", "r8", "r9") last("r1", "r10", "r11") last("r2", "r12", "lr") \
	scale(ONE) "ssat r6, #8, r6\n ldr r4, [sp, #24]\n strb r6, [r3]\n add r3, r4\n" \
	"3: ldrd r4, r5, [sp, #36]\n add r0, r4\n add r1, r4\n add r2, r4\n ldr r6, [sp, #28]\n add r6, r5\n str r6, [sp, #28]\n" \
	"ldr r7, [sp, #44]\n subs r7, #1\n str r7, [sp, #44]\n bne.w 0b\n" \
	"add sp, #48\n pop {r4-r11, pc}\n"

#define RUN(name, line, last, scale) __attribute__((naked, noinline)) static void name(__attribute__((unused)) const band *b) { __asm__(BAND(line, last, scale)); }
RUN(once1, LINE1, LAST1, ONCE)
RUN(once2, LINE2, LAST2, ONCE)
RUN(twice1, LINE1, LAST1, TWICE)
RUN(twice2, LINE2, LAST2, TWICE)
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

static inline void line_of_filter(uint32_t *to, int32_t a, int32_t b, int32_t e)
{
	to[0] = cop_pair(a, b);
	to[1] = cop_pair(b, e);
}

/* by: 1 or 2 */
static inline void filter(uint32_t *to, const int8_t *w, int32_t four, int32_t by)
{
	if (four) {
		for (int32_t j = 0; j < 3; j++, w += 3, to += 2) line_of_filter(to, cop_dw_nibble(w[0]) * by, cop_dw_nibble(w[1]) * by, cop_dw_nibble(w[2]) * by);
		return;
	}
	line_of_filter(to, w[0] * by, w[1] * by, w[2] * by);
	line_of_filter(to + 2, w[3] * by, w[4] * by, w[5] * by);
	line_of_filter(to + 4, w[6] * by, w[7] * by, w[8] * by);
}

/* The double rounding begins with a doubling, and multipliers of 1 and more with as many as `up` says: weights and biases are
 * doubled instead, so often, where that overflows nothing. */
static int32_t can_double(const int32_t *bias, int32_t n, int32_t often)
{
	const uint32_t most = 1u << (30 - often);
	for (const int32_t *end = bias + n; bias < end; bias++)
		if ((uint32_t)*bias + most >= 2 * most) return 0;
	return 1;
}

/* The code for a band, and how often it wants all doubled; NULL: any_band. A weight that is doubled seven times is an int16 still. */
static run_band *code_of(int32_t *often, const int32_t *k, const int32_t *bias, const int32_t *m)
{
	int32_t kind = cop_scale_kind(k, bias, m), one = !k[QK_TWICE] && k[QK_UP] > 0 && k[QK_UP] <= 7 && k[CK_LO] == -128 && k[CK_HI] == 127;

	*often = kind == COP_TWICE ? 1 : one ? k[QK_UP] : 0;
	if (one) kind = COP_ONCE;
	return *often && !can_double(bias, k[CK_C], *often) ? NULL : by_scale[kind][k[CK_SH] - 1];
}

/* All channels of result rows [oh, oh + rows) of an image x. */
COP_OUT_OF_LINE void run(const cop_call *c, const geometry *g, const int8_t *x, int8_t *y, int32_t oh, int32_t rows, int32_t four)
{
	const int32_t *k = c->k, *bias = c->buf[3], *m = c->buf[4];
	const int8_t *w = c->buf[2];
	int16_t *plane = c->work;
	int32_t h0 = oh * g->s - k[CK_PT], top = h0 < 0 ? 0 : h0, lines = (rows - 1) * g->s + 3, bottom = h0 + lines < k[CK_H] ? h0 + lines : k[CK_H];
	band b = {.zero = k[QK_ZY], .zero_too = k[QK_ZY], .step = g->c_n, .odd = g->ow & 1, .next = (2 * g->pitch - 4 * ((g->ow + 1) >> 1)) * g->s, .y_next = g->ow * g->c_n,
		.rows = rows, .p0 = plane, .p1 = plane + g->pitch, .p2 = plane + 2 * g->pitch};
	int32_t room = g->pitch - k[CK_PL], n = g->w < room ? g->w : room, pairs = (g->ow & ~1) * g->c_n, line = g->w * g->c_n;
	int32_t often;
	run_band *fast = code_of(&often, k, bias, m);
	const int32_t by = fast ? 1 << often : 1;

	int32_t there = bottom - top, d_next = 2 * (g->pitch - n), x_next = line - n * g->c_n;
	int16_t *first = plane + (top - h0) * g->pitch + k[CK_PL];

	x += top * line;
	for (uint32_t *d = c->work, *end = d + lines * (g->pitch >> 1), pair = (uint32_t)(uint16_t)k[QK_ZX] * 0x10001u; d < end; d++) *d = pair; /* pitch is even */
	for (int32_t ch = 0; ch < g->c_n; ch++, y++, x++, w += 9) {
		b.bias = b.bias_too = bias[ch] * by;
		b.m = m[ch];
		if (k[QK_TWICE]) b.factor = (int32_t)(1u << ((32 + m[g->c_n + ch]) & 31));
		b.y = y;
		b.end = y + pairs;
		filter(b.w, w, four, by);
		if (there > 0) widen_rows(first, x, n, g->c_n, there, d_next, x_next);
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
