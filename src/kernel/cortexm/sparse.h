/* SPDX-License-Identifier: Apache-2.0
 *
 * sparse.h - what the kernels for sparse weights of Cortex-M share. Convolutions take four pixels at a time: their windows are staged in scratch side by
 * side, so that what is fetched of a weight serves four results, and are read before these are written.
 */
#ifndef COP_SPARSE_H
#define COP_SPARSE_H

#include "kernel/cortexm/dsp.h"
#include "kernel/gaps.h"

enum { COP_PIXELS = 4, COP_NEAR = 4, COP_NEAR_GROUPS = 2 }; /* near: as far apart as weights and groups of a pair may stand */

/* Planes hold n elements once for each distance d from 1 on, in the order 0, d, 2 d, ..., 1, 1 + d, ...: so i and i + d stand side by side. Where i stands. */
static inline int32_t cop_plane_at(int32_t n, int32_t i, int32_t d)
{
	int32_t part = i % d, longer = n % d;
	return (d - 1) * n + part * (n / d) + (part < longer ? part : longer) + i / d;
}


/* Stages n channels of a tap. Returns where the next tap goes. */
typedef uint32_t *cop_stage(uint32_t *d, const int8_t *const x[COP_PIXELS], int32_t n);

/* The windows of pixels [at, at + COP_PIXELS) of the output, the last one repeated. */
static inline void cop_windows(uint32_t *d, const cop_call *c, int32_t at, int32_t all, cop_stage *stage)
{
	const int32_t *k = c->k;
	const int8_t *image[COP_PIXELS], *x[COP_PIXELS], *padding = (const int8_t *)c->work;
	int32_t h[COP_PIXELS], v[COP_PIXELS];

	for (int32_t p = 0; p < COP_PIXELS; p++) {
		int32_t pixel = at + p < all ? at + p : all - 1, row = pixel / k[CK_OW];
		image[p] = (const int8_t *)c->buf[1] + (size_t)(row / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]);
		h[p] = row % k[CK_OH] * k[CK_SH] - k[CK_PT];
		v[p] = pixel % k[CK_OW] * k[CK_SW] - k[CK_PL];
	}
	for (int32_t kh = 0; kh < k[CK_KH]; kh++)
		for (int32_t kw = 0; kw < k[CK_KW]; kw++) {
			for (int32_t p = 0; p < COP_PIXELS; p++) {
				int32_t r = h[p] + kh * k[CK_DH], s = v[p] + kw * k[CK_DW];
				x[p] = r >= 0 && r < k[CK_H] && s >= 0 && s < k[CK_W] ? image[p] + (size_t)(r * k[CK_W] + s) * (size_t)k[CK_C] : padding;
			}
			d = stage(d, x, k[CK_C]);
		}
}

/* Where the windows lie, behind a pixel of padding. */
static inline uint32_t *cop_staged(const cop_call *c) { return (uint32_t *)(void *)((int8_t *)c->work + ((c->k[CK_C] + 3) & ~3)); }

/* Rows for the results [y, end) of one pixel and those of three more so many bytes behind them, from the windows x. Without m, for one row whose sums go to y, four
 * int32_t. shifts: bytes from a multiplier to its shift; 0: COP_ONCE. Asm reads this. */
typedef struct cop_tile { const void *x; const int32_t *b, *m; int32_t zero; void *y, *end; int32_t behind[COP_PIXELS - 1], shifts; } cop_tile;
/* Returns the words after those used. */
typedef const uint32_t *cop_run_tile(const cop_tile *t, const uint32_t *w);

/* Channels [from, to) of a convolution. */
static inline void cop_sparse_conv(const cop_call *c, int32_t from, int32_t to, cop_stage *stage, cop_run_tile *run)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	int32_t kind = cop_scale_kind(k, b, m), all = k[CK_N] * k[CK_OH] * k[CK_OW], o_n = k[CK_O], s[COP_PIXELS];
	int8_t *y = c->buf[0], *padding = c->work;
	uint32_t *x = cop_staged(c);

	for (int32_t i = 0; i < k[CK_C]; i++) padding[i] = (int8_t)k[QK_ZX];
	for (int32_t at = 0; at < all; at += COP_PIXELS, y += COP_PIXELS * o_n) {
		const uint32_t *w = c->pack;
		cop_windows(x, c, at, all, stage);
		if (kind != COP_SLOW) { /* the last pixel may be there several times */
			int32_t last = (all - at - 1) * o_n, two = 2 * o_n, three = 3 * o_n;
			run(&(cop_tile){x, b + from, m + from, k[QK_ZY], y + from, y + to, {o_n < last ? o_n : last, two < last ? two : last, three < last ? three : last}, kind == COP_TWICE ? 4 * o_n : 0}, w);
			continue;
		}
		for (int32_t o = from; o < to; o++) {
			w = run(&(cop_tile){x, b + o, NULL, 0, s, s, {0, 0, 0}, 0}, w);
			for (int32_t p = 0; p < COP_PIXELS && at + p < all; p++) y[p * o_n + o] = cop_finish(k, m, o, s[p]);
		}
	}
}

#if COP_DSP
/* Of run: before a row's steps, from r0 on, r1 the windows, sums in r10 r11 r12 lr, r2 the number of steps; and after them, where r0 follows them. */
#define COP_TILE_BEGIN "push {r4-r11, lr}\n ldm.w r0, {r2-r11}\n push {r2-r11}\n mov r0, r1\n" /* sp: the struct */ \
	"0: ldrd r1, r3, [sp]\n ldr r10, [r3], #4\n str r3, [sp, #4]\n ldr r2, [r0], #4\n mov r11, r10\n mov r12, r10\n mov lr, r10\n lsrs r2, r2, #16\n beq.w 9f\n"
#define COP_TILE_FOUR(f) f("r10") f("r11") f("r12") f("lr")
#define COP_TILE_SCALE(s) "smmlar " s ", " s ", r5, r4\n"
#define COP_TILE_TWICE(s) "qadd " s ", " s ", " s "\n smmulr " s ", " s ", r5\n add " s ", " s ", " s ", asr #31\n"
#define COP_TILE_CUT(s) "ssat " s ", #8, " s "\n"
#define COP_TILE_END "9: ldrd r3, r4, [sp, #8]\n cbz r3, 8f\n ldr r5, [r3], #4\n str r3, [sp, #8]\n ldr r6, [sp, #36]\n cbnz r6, 6f\n 5:\n" COP_TILE_FOUR(COP_TILE_SCALE) COP_TILE_FOUR(COP_TILE_CUT) \
	"add.w r8, sp, #16\n ldm.w r8, {r3, r5, r6, r7, r8}\n strb r11, [r3, r6]\n strb r12, [r3, r7]\n strb lr, [r3, r8]\n strb r10, [r3], #1\n" \
	"str r3, [sp, #16]\n cmp r3, r5\n bne.w 0b\n b.n 7f\n" \
	"8: ldr r3, [sp, #16]\n stm.w r3, {r10, r11, r12, lr}\n 7: add sp, #40\n pop {r4-r11, pc}\n" \
	"6: subs r3, #4\n ldr r7, [r3, r6]\n" COP_TILE_FOUR(COP_TILE_TWICE) "adds r7, #32\n movs r5, #1\n lsls r5, r7\n b.n 5b\n"
#else
static inline int32_t cop_scaled(int32_t s, const int32_t *m, int32_t shifts, int32_t zero)
{
	return shifts ? zero + cop_scale_double(s, *m, m[shifts / 4]) : cop_scale_add(s, *m, zero);
}

/* Adds the products of the words from w to end with the windows x to four sums. */
typedef void cop_sums(const uint32_t *w, const void *x, const uint32_t *end, int32_t *s);

/* Run, of steps of so many words. */
static inline const uint32_t *cop_run_sums(const cop_tile *t, const uint32_t *w, int32_t words, cop_sums *sums)
{
	int8_t *y = t->y;

	for (int32_t o = 0; o == 0 || y + o < (int8_t *)t->end; o++) {
		const uint32_t *end = w + 1 + words * (int32_t)(*w >> 16);
		int32_t s[COP_PIXELS] = {t->b[o], t->b[o], t->b[o], t->b[o]};
		sums(w + 1, t->x, end, s);
		w = end;
		for (int32_t p = COP_PIXELS - 1; p >= 0; p--) {
			if (t->m) y[(p ? t->behind[p - 1] : 0) + o] = (int8_t)cop_sat8(cop_scaled(s[p], t->m + o, t->shifts, t->zero));
			else ((int32_t *)t->y)[p] = s[p];
		}
	}
	return w;
}
#endif

/* ---- fully connected ---- */

/* Rows for the results [y, end) from what x leads to. Without m, for one row whose sum goes to y, an int32_t. shifts as those of cop_tile. Asm reads this. */
typedef struct cop_rows { const void *x; const int32_t *b, *m; int32_t zero; void *y, *end; int32_t shifts; } cop_rows;
/* Returns the words after those used. */
typedef const uint32_t *cop_run_rows(const cop_rows *r, const uint32_t *w);

static inline void cop_sparse_fc(const cop_call *c, int32_t from, int32_t to, const void *x, cop_run_rows *run)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint32_t *w = c->pack;
	int8_t *y = c->buf[0];

	int32_t kind = cop_scale_kind(k, b, m);
	if (kind != COP_SLOW) {
		run(&(cop_rows){x, b + from, m + from, k[QK_ZY], y + from, y + to, kind == COP_TWICE ? 4 * k[CK_O] : 0}, w);
		return;
	}
	for (int32_t o = from, s; o < to; o++) {
		w = run(&(cop_rows){x, b + o, NULL, 0, &s, &s, 0}, w);
		y[o] = cop_finish(k, m, o, s);
	}
}

#if COP_DSP
/* The sum in r3 becomes the next result, and on to label 0 for the next row, or, after the last one, back to the caller.
 * On the stack: x, b, m, zero, shifts; y and its end are in r11 and r12. Without m the sum itself is left, and all ends. */
#define ROW_END "ldrd r5, r6, [sp, #8]\n cbz r5, 5f\n ldr r7, [r5], #4\n str r5, [sp, #8]\n ldr r4, [sp, #16]\n cbnz r4, 8f\n" \
	"7: smmlar r3, r3, r7, r6\n ssat r3, #8, r3\n strb r3, [r11], #1\n cmp r11, r12\n bne.w 0b\n" \
	"b.n 6f\n 5: str.w r3, [r11]\n 6: add sp, #20\n pop {r4-r11, pc}\n" \
	"8: subs r5, #4\n ldr r4, [r5, r4]\n qadd r3, r3, r3\n smmulr r3, r3, r7\n add r3, r3, r3, asr #31\n adds r4, #32\n movs r7, #1\n lsls r7, r4\n b.n 7b\n"
#else
/* Sum s becomes the next result. */
static inline void cop_end_row(cop_rows *r, int32_t s)
{
	int8_t *y = r->y;

	if (!r->m) {
		*(int32_t *)r->y = s;
		r->y = r->end;
		return;
	}
	*y = (int8_t)cop_sat8(cop_scaled(s, r->m++, r->shifts, r->zero));
	r->y = y + 1;
}
#endif

#endif
