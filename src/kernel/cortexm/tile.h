/* SPDX-License-Identifier: Apache-2.0
 *
 * tile.h - three windows of an int8 convolution times all filters, for Cortex-M with DSP instructions.
 *
 * Windows lie in scratch widened to int16, one word (two taps) of each in turn. Each pair of filters runs over them: six sums in registers. Three
 * pixels and two filters is what the register file holds; seventeen instructions do 24 products (dsp.h says how a weight word serves two filters), or
 * eighteen and a half where weights of 4 or 2 bits are taken apart.
 */
#ifndef COP_TILE_H
#define COP_TILE_H

#include "kernel/cortexm/dsp.h"

enum { TILE = 3 };

#if COP_DSP
/* Pairs of filters from y to y_end: x the windows, end what follows them, skip bytes of code not to run in a pair's first round; b, m
 * of the first filter, shifts bytes from behind a pair's multipliers to its shifts; y1, y2 from the first pixel's results to the others'. When
 * the scale is SLOW, y gets the six sums of one pair. */
typedef struct pairs {
	const uint32_t *x;
	int32_t skip;
	const uint32_t *end;
	const int32_t *b, *m;
	int32_t zero, scale, y1, y2;
	void *y, *y_end;
	int32_t shifts;
} pairs;
#else
typedef struct pairs { int32_t none; } pairs;
#endif

/* Weights of few bits (PACK_FEW). minus: in both halves, by how much less they are; 1 << down words of a window meet one of them; both: are b's too large as
 * well? sums: of a tile with pairs of filters or, in C, of four words of each window with one pair; it returns the weights after those used. */
#if COP_DSP
typedef const uint32_t *few_sums(const pairs *p, const uint32_t *w, const int32_t *less);
#else
typedef const uint32_t *few_sums(const uint32_t *w, const uint32_t *x, int32_t *s);
#endif
typedef struct few { uint32_t minus; int32_t down, both; few_sums *sums; } few;

/* A group of the layer, or some of its filters. words: of a window, rounded up to even; o_n: filters; y: the first result; step: from a pixel's
 * results to the next one's; less: find_excess of a tile; all: of its pairs what no tile changes. */
typedef struct layer { const few *few; const int32_t *k, *b, *m; const uint32_t *w; uint32_t exact; int32_t scale, words, o_n; int8_t *y; int32_t step, less[TILE]; pairs all; } layer;

#if COP_DSP

/* Two words of weights: 17 instructions of 4 bytes. Sums of a in r8 r9 r10, of 256 b + a in r11 r12 lr. */
#define WORD(w) "ldmia.w r0!, {r4, r5, r6}\n sxtb16 r2, " w "\n" \
	"smlad r8, r4, r2, r8\n smlad r9, r5, r2, r9\n smlad r10, r6, r2, r10\n" \
	"smlad r11, r4, " w ", r11\n smlad r12, r5, " w ", r12\n smlad lr, r6, " w ", lr\n"
#define STEP "ldrd r3, r7, [r1], #8\n" WORD("r3") WORD("r7")
enum { UNROLL = 8, STEP_BYTES = 17 * 4 };

/* Two words of nibbles, four of windows: 37 instructions of 4 bytes. Sums of a + 8 in r8 r9 r10, of 16 b + a + 8 in r11 r12 lr. */
#define HALF(w) "ldmia.w r0!, {r4, r5, r6}\n sxtb16 r2, " w "\n" \
	"smlad r11, r4, r2, r11\n smlad r12, r5, r2, r12\n smlad lr, r6, r2, lr\n and r2, r2, #0x000f000f\n" \
	"smlad r8, r4, r2, r8\n smlad r9, r5, r2, r9\n smlad r10, r6, r2, r10\n"
#define FOURS "ldrd r3, r7, [r1], #8\n" HALF("r3") HALF("r3, ror #8") HALF("r7") HALF("r7, ror #8")
enum { UNROLL_FOURS = 4, FOURS_BYTES = 37 * 4 };

/* A word of 2 bits, four of windows: as many instructions. r7: 0x000f000f. Sums of a + 2 in r8 r9 r10, of 4 (b + 2) + a + 2 in r11 r12 lr. */
#define QUARTER(w) "ldmia.w r0!, {r4, r5, r6}\n and.w r2, r7, " w "\n" \
	"smlad r11, r4, r2, r11\n smlad r12, r5, r2, r12\n smlad lr, r6, r2, lr\n and.w r2, r2, #0x00030003\n" \
	"smlad r8, r4, r2, r8\n smlad r9, r5, r2, r9\n smlad r10, r6, r2, r10\n"
#define TWOS "ldr.w r3, [r1], #4\n" QUARTER("r3") QUARTER("r3, ror #4") QUARTER("r3, ror #8") QUARTER("r3, ror #12")

#define SIX(f, a, b) f("r8", a) f("r9", a) f("r10", a) f("r11", b) f("r12", b) f("lr", b)
#define ONCE(s, m) "smmlar " s ", " s ", " m ", r2\n"
#define TWICE(s, m) "qadd " s ", " s ", " s "\n smmulr " s ", " s ", " m "\n add " s ", " s ", " s ", asr #31\n"
#define SATURATE(s, m) "ssat " s ", #8, " s "\n"

/* first: the sums before the first product; b's are what r11 r12 lr have more than a's, in units of 2^unit. */
#define ALIKE "mov r11, r8\n mov r12, r9\n mov lr, r10\n"
#define EXCESS "ldr r4, [r3]\n ldr r3, [sp, #48]\n ldm r3, {r8, r9, r10}\n"
#define BIAS "add r8, r4\n add r9, r4\n add r10, r4\n"
#define RUN_PAIRS(first, times, step, unit) \
	"push {r2, r4-r11, lr}\n ldm r0, {r2-r12, lr}\n push {r2-r12, lr}\n" /* sp: the struct, then less */ \
	"0: ldrd r0, r2, [sp]\n ldr r3, [sp, #12]\n" first \
	"add pc, r2\n nop.n\n" \
	"1:\n .rept " times "\n" step ".endr\n" \
	"ldr r2, [sp, #8]\n cmp r0, r2\n bne.w 1b\n" \
	"ldr r3, [sp, #12]\n ldr r4, [r3, #4]\n adds r3, #8\n str r3, [sp, #12]\n" \
	"sub r11, r8\n sub r12, r9\n sub lr, r10\n" \
	"add r11, r4, r11, asr #" unit "\n add r12, r4, r12, asr #" unit "\n add lr, r4, lr, asr #" unit "\n" \
	"ldrd r2, r0, [sp, #20]\n ldr r3, [sp, #16]\n ldrd r4, r5, [r3], #8\n str r3, [sp, #16]\n" \
	"subs r0, #1\n bne.w 3f\n" /* COP_ONCE goes on */ \
	SIX(ONCE, "r4", "r5") \
	"2: ldrd r6, r7, [sp, #28]\n ldrd r3, r0, [sp, #36]\n" SIX(SATURATE, , ) \
	"strb r10, [r3, r7]\n strb r9, [r3, r6]\n strb r8, [r3], #1\n" /* the first pixel last */ \
	"strb lr, [r3, r7]\n strb r12, [r3, r6]\n strb r11, [r3], #1\n" \
	"str r3, [sp, #36]\n cmp r3, r0\n bne.w 0b\n" \
	"b 5f\n" \
	"3: bmi.w 4f\n ldr r6, [sp, #44]\n add r3, r6\n ldrd r6, r7, [r3]\n" \
	SIX(TWICE, "r4", "r5") \
	"movs r4, #1\n adds r6, #32\n lsl r6, r4, r6\n adds r7, #32\n lsl r7, r4, r7\n" \
	SIX(ONCE, "r6", "r7") \
	"b.w 2b\n" \
	"4: ldr r3, [sp, #36]\n stm r3, {r8-r12, lr}\n" \
	"5: mov r0, r1\n add sp, #52\n pop {r4-r11, pc}\n"

/* All return the weights after those used. less: what the three sums of a begin with besides the bias, where weights have few bits; those of 2 bits of b, too. */
__attribute__((naked, noinline)) static const uint32_t *run_pairs(__attribute__((unused)) const pairs *p, __attribute__((unused)) const uint32_t *w,
	__attribute__((unused)) const int32_t *less)
{
	__asm__(RUN_PAIRS("ldr r8, [r3]\n mov r9, r8\n mov r10, r8\n" ALIKE, "8", STEP, "8"));
}

__attribute__((naked, noinline)) static const uint32_t *few_nibbles(__attribute__((unused)) const pairs *p, __attribute__((unused)) const uint32_t *w,
	__attribute__((unused)) const int32_t *less)
{
	__asm__(RUN_PAIRS(EXCESS BIAS ALIKE, "4", FOURS, "4"));
}

__attribute__((naked, noinline)) static const uint32_t *few_twos(__attribute__((unused)) const pairs *p, __attribute__((unused)) const uint32_t *w,
	__attribute__((unused)) const int32_t *less)
{
	__asm__(RUN_PAIRS(EXCESS "lsl r11, r8, #2\n lsl r12, r9, #2\n lsl lr, r10, #2\n" BIAS "add r11, r8\n add r12, r9\n add lr, r10\n mov r7, #0x000f000f\n",
		"4", TWOS, "2"));
}

/* Over `words` words from x on. */
static pairs pairs_of(const layer *l, const uint32_t *x, int32_t words)
{
	int32_t skip = l->exact == PACK_FEW ? (-(words >> 2) & (UNROLL_FOURS - 1)) * FOURS_BYTES : (-(words >> 1) & (UNROLL - 1)) * STEP_BYTES;
	return (pairs){x, skip, x + TILE * words, l->b, l->m, l->k[QK_ZY], l->scale, l->step, 2 * l->step, NULL, NULL, 4 * l->k[CK_O] - 8};
}

/* The sums of one pair, whose biases lie in b. */
static const uint32_t *fast(const layer *l, const uint32_t *w, const uint32_t *x, int32_t words, const int32_t *b, int32_t *s)
{
	pairs p = pairs_of(l, x, words);

	p.b = b;
	p.scale = COP_SLOW;
	p.y = s;
	return l->exact == PACK_FEW ? l->few->sums(&p, w, l->less) : run_pairs(&p, w, NULL);
}

/* The same, part by part: the whole sums may be too large to be taken from differences. */
COP_OUT_OF_LINE const uint32_t *parts(const layer *l, const uint32_t *w, const uint32_t *x, int32_t *s)
{
	int32_t zero[2] = {0, 0}, t[2 * TILE];

	for (int32_t left = l->words, n; left; left -= n, x += TILE * n) {
		n = left < PART_WORDS ? left : PART_WORDS;
		w = fast(l, w, x, n, zero, t);
		for (int32_t i = 0; i < 2 * TILE; i++) s[i] = cop_wrap_add(s[i], t[i]);
	}
	return w;
}
#endif

/* The sum of each window times `minus`: by that sums of weights of few bits are too large. */
COP_OUT_OF_LINE void find_excess(int32_t *less, uint32_t minus, const uint32_t *x, int32_t words)
{
	int32_t a = 0, b = 0, c = 0;

	for (; words; words--, x += TILE) {
		a = cop_dual(x[0], minus, a);
		b = cop_dual(x[1], minus, b);
		c = cop_dual(x[2], minus, c);
	}
	less[0] = a, less[1] = b, less[2] = c;
}

#if !COP_DSP
/* Those of a word of each window: of a, and of b in units of 2^unit, which is what `both` has more. */
static void add_word(uint32_t a, uint32_t both, int32_t unit, const uint32_t *x, int32_t *s)
{
	for (int32_t i = 0; i < TILE; i++) {
		int32_t v = cop_dual(a, x[i], 0);
		s[i] = cop_wrap_add(s[i], v);
		s[TILE + i] = cop_wrap_add(s[TILE + i], cop_wrap_add(cop_dual(both, x[i], 0), -v) >> unit);
	}
}

static const uint32_t *few_nibbles(const uint32_t *w, const uint32_t *x, int32_t *s)
{
	for (int32_t i = 0; i < 2; i++, w++, x += 2 * TILE) {
		add_word(cop_even(*w) & 0x000f000fu, cop_even(*w), 4, x, s);
		add_word(cop_odd(*w) & 0x000f000fu, cop_odd(*w), 4, x + TILE, s);
	}
	return w;
}

static const uint32_t *few_twos(const uint32_t *w, const uint32_t *x, int32_t *s)
{
	for (int32_t i = 0; i < 16; i += 4, x += TILE) add_word(*w >> i & 0x00030003u, *w >> i & 0x000f000fu, 2, x, s);
	return w + 1;
}
#endif

static const few nibbles = {0xfff8fff8u, 1, 0, few_nibbles}, twos = {0xfffefffeu, 2, 1, few_twos};

/* Sums of filters o and o + 1 (if there) over TILE windows: a's in s[0..2], b's in s[3..5]. Returns the weights after those used. */
COP_OUT_OF_LINE const uint32_t *sums(const layer *l, const uint32_t *w, const uint32_t *x, int32_t o, int32_t *s)
{
	int32_t b[2] = {l->b[o], o + 1 < l->o_n ? l->b[o + 1] : 0};

#if COP_DSP
	if (l->exact == PACK_EXACT || l->exact == PACK_FEW) return fast(l, w, x, l->words, b, s);
#endif
	for (int32_t i = 0; i < 2 * TILE; i++) s[i] = b[i / TILE];
#if COP_DSP
	if (l->exact) return parts(l, w, x, s);
#else
	if (l->exact == PACK_FEW) {
		for (int32_t j = 0; j < l->words; j += 4, x += 4 * TILE) w = l->few->sums(w, x, s);
		for (int32_t i = 0; i < (1 + l->few->both) * TILE; i++) s[i] = cop_wrap_add(s[i], l->less[i % TILE]);
		return w;
	}
#endif
	for (int32_t j = 0; j < l->words; j++, w++)
		for (int32_t i = 0; i < TILE; i++) cop_two_filters(*w, *x++, l->exact != 0, &s[i], &s[TILE + i]);
	return w;
}

/* The results of n pixels (1 to TILE) at y from the windows x. */
static void tile(layer *l, const uint32_t *x, int8_t *y, int32_t n)
{
	const uint32_t *w = l->w;
	int32_t o = 0, s[2 * TILE];

	if (l->exact == PACK_FEW) find_excess(l->less, l->few->minus, x, l->words);
#if COP_DSP
	if ((l->exact == PACK_EXACT || l->exact == PACK_FEW) && l->scale && l->o_n > 1) { /* a short tile's last pixels are rubbish; the first one's results overwrite them */
		pairs *p = &l->all;
		o = l->o_n & ~1;
		p->y = y;
		p->y_end = y += o;
		if (n < TILE) p->y1 = n > 1 ? l->step : 0, p->y2 = 0;
		w = l->exact == PACK_FEW ? l->few->sums(p, w, l->less) : run_pairs(p, w, NULL);
	}
#endif
	for (; o < l->o_n; o += 2, y += 2) {
		w = sums(l, w, x, o, s);
		for (int32_t i = 0; i < n; i++) {
			y[i * l->step] = cop_finish(l->k, l->m, o, s[i]);
			if (o + 1 < l->o_n) y[i * l->step + 1] = cop_finish(l->k, l->m, o + 1, s[TILE + i]);
		}
	}
}

/* The windows take `words` words, and as many more, which are 0, as the kernel's inner loop wants. */
static layer begin(const cop_call *c, int32_t words, const few *f)
{
	const uint32_t *pack = c->pack;
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	int32_t o_n = k[CK_G] > 1 ? k[CK_O] / k[CK_G] : k[CK_O], from = cop_filter_at(o_n, c->part, c->parts);
	layer l; /* not cleared first: a firmware may have no memset */

	l.few = f;
	l.k = k;
	l.b = b + from;
	l.m = m + from;
	l.w = pack + 1;
	l.exact = *pack;
	l.scale = cop_scale_kind(k, b, m);
	l.words = l.exact == PACK_FEW ? (words + 3) & ~3 : (words + 1) & ~1;
	l.o_n = cop_filter_at(o_n, c->part + 1, c->parts) - from;
	l.y = (int8_t *)c->buf[0] + from;
	l.step = k[CK_O];
#if COP_DSP
	l.all = pairs_of(&l, c->work, l.words);
#endif
	for (uint32_t *x = c->work, i = (uint32_t)(TILE * words); i < (uint32_t)(TILE * l.words); i++) x[i] = 0;
	return l;
}

#endif
