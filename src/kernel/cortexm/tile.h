/* SPDX-License-Identifier: Apache-2.0
 *
 * tile.h - three windows of an int8 convolution times all filters, for Cortex-M with DSP instructions.
 *
 * Windows lie in scratch widened to int16, one word (two taps) of each in turn. Each pair of filters runs over them: six sums in registers. Three
 * pixels and two filters is what the register file holds; seventeen instructions do 24 products (dsp.h says how a weight word serves two filters). Of
 * weights of 4 bits (few.h) fifteen and a half do 24, or ten do 18; of 2 bits 54 do 96.
 */
#ifndef COP_TILE_H
#define COP_TILE_H

#include "kernel/cortexm/few.h"

enum { TILE = 3 };

#if COP_DSP
#pragma GCC diagnostic ignored "-Woverlength-strings" /* the text of an assembler routine is one */
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

/* Weights of few bits (few.h). minus: in both halves, by how much less they are than what is stored; 1 << down words of a window meet one of them; group: filters that
 * lie in a word, if not four. sums: of a tile with such groups or, in C, of `words` words of each window with one of them, which are added to s; it returns the weights after those used. */
#if COP_DSP
typedef const uint32_t *few_sums(const pairs *p, const uint32_t *w, const int32_t *less);
#else
typedef const uint32_t *few_sums(const uint32_t *w, const uint32_t *x, int32_t words, const int32_t *less, int32_t *s);
#endif
typedef struct few { uint32_t minus; int32_t down, group; few_sums *sums; } few;

/* A group of the layer. words: of a window, rounded up to even; o_n: filters; y: the first result; step: from a pixel's
 * results to the next one's; group: filters that lie together, two or three, but four of them in the first `fours` groups, which is also what follows less: find_excess of a
 * tile; all: of its pairs what no tile changes. */
typedef struct layer { const few *few; const int32_t *k, *b, *m; const uint32_t *w; uint32_t exact; int32_t scale, words, o_n, group; int8_t *y; int32_t step, less[TILE + 1]; pairs all; } layer;

#if COP_DSP

/* Two words of weights: 17 instructions of 4 bytes. Sums of a in r8 r9 r10, of 256 b + a in r11 r12 lr. */
#define WORD(w) "ldmia.w r0!, {r4, r5, r6}\n sxtb16 r2, " w "\n" \
	"smlad r8, r4, r2, r8\n smlad r9, r5, r2, r9\n smlad r10, r6, r2, r10\n" \
	"smlad r11, r4, " w ", r11\n smlad r12, r5, " w ", r12\n smlad lr, r6, " w ", lr\n"
#define STEP "ldrd r3, r7, [r1], #8\n" WORD("r3") WORD("r7")
enum { UNROLL = 8, STEP_BYTES = 17 * 4 };

/* A word of windows with d of four filters, of which r3 or r7 has the weights; two of them 11 instructions of 4 bytes. Sums of 16 d in r8 r9 r10. */
#define LAST(w) "ldmia.w r0!, {r4, r5, r6}\n and " w ", " w ", #0x00f000f0\n smlad r8, r4, " w ", r8\n smlad r9, r5, " w ", r9\n smlad r10, r6, " w ", r10\n"
#define LASTS "ldrd r3, r7, [r1], #8\n" LAST("r3") LAST("r7")
/* The same with what is left of the weights: 10 instructions of 4 bytes. Sums of t0 in r8 r9 r10, of t1 in r11 r12 lr; r7: 0x78787878. */
#define FIRSTS "ldr.w r3, [r1], #4\n ldmia.w r0!, {r4, r5, r6}\n and r2, r7, r3, ror #5\n" \
	"smladx r11, r4, r2, r11\n smladx r12, r5, r2, r12\n smladx lr, r6, r2, lr\n bic r3, r3, #0x0f000f00\n" \
	"smlad r8, r4, r3, r8\n smlad r9, r5, r3, r9\n smlad r10, r6, r3, r10\n"
enum { UNROLL_FOURS = 16 };

/* A word of 2 bits, four of windows: 21 instructions of 4 bytes. Sums in r8 r9 r10; r7: 0xc003c003. */
#define QUARTER(w) "ldmia.w r0!, {r4, r5, r6}\n and.w r2, r7, " w "\n smlad r8, r4, r2, r8\n smlad r9, r5, r2, r9\n smlad r10, r6, r2, r10\n"
#define TWOS "ldr.w r3, [r1], #4\n" QUARTER("r3") QUARTER("r3, ror #4") QUARTER("r3, ror #8") QUARTER("r3, ror #12")
#define MOVE(t, a) "sub r2, " t ", " a "\n sbfx r2, r2, #0, #14\n add " a ", " a ", r2\n"
enum { TWOS_BYTES = 21 * 4 };

#define SIX(f, a, b) f("r8", a) f("r9", a) f("r10", a) f("r11", b) f("r12", b) f("lr", b)
#define ONCE(s, m) "smmlar " s ", " s ", " m ", r2\n"
#define TWICE(s, m) "qadd " s ", " s ", " s "\n smmulr " s ", " s ", " m "\n add " s ", " s ", " s ", asr #31\n"
#define SATURATE(s, m) "ssat " s ", #8, " s "\n"

/* sp: the struct. The sums of a pair in r8 r9 r10 and r11 r12 lr to int8; SLOW: to 4. The first pixel's results are written last. */
#define SCALE \
	"ldrd r2, r0, [sp, #20]\n ldr r3, [sp, #16]\n ldrd r4, r5, [r3], #8\n str r3, [sp, #16]\n" \
	"subs r0, #1\n bne.w 3f\n" /* COP_ONCE goes on */ \
	SIX(ONCE, "r4", "r5") \
	"2: ldrd r6, r7, [sp, #28]\n ldrd r3, r0, [sp, #36]\n" SIX(SATURATE, , )
#define OTHER_SCALES \
	"3: bmi.w 4f\n ldr r6, [sp, #44]\n add r3, r6\n ldrd r6, r7, [r3]\n" \
	SIX(TWICE, "r4", "r5") \
	"movs r4, #1\n adds r6, #32\n lsl r6, r4, r6\n adds r7, #32\n lsl r7, r4, r7\n" \
	SIX(ONCE, "r6", "r7") \
	"b.w 2b\n"
#define WRITE(p, q, r) "strb " r ", [r3, r7]\n strb " q ", [r3, r6]\n strb " p ", [r3], #1\n"

/* first: the sums before the first product; last: the sums of a pair from those, with r4 and r5 its biases. */
#define RUN_PAIRS(first, round, last) \
	"push {r2, r4-r11, lr}\n ldm r0, {r2-r12, lr}\n push {r2-r12, lr}\n" /* sp: the struct, then less */ \
	"0: ldrd r0, r2, [sp]\n" first \
	"add pc, r2\n nop.n\n" \
	"1:\n" round \
	"ldr r2, [sp, #8]\n cmp r0, r2\n bne.w 1b\n" \
	"ldr r3, [sp, #12]\n ldrd r4, r5, [r3], #8\n str r3, [sp, #12]\n" last SCALE \
	WRITE("r8", "r9", "r10") WRITE("r11", "r12", "lr") \
	"str r3, [sp, #36]\n cmp r3, r0\n bne.w 0b\n" \
	"b 5f\n" OTHER_SCALES \
	"4: ldr r3, [sp, #36]\n stm r3, {r8-r12, lr}\n" \
	"5: mov r0, r1\n add sp, #52\n pop {r4-r11, pc}\n"

#define RUN(name) __attribute__((naked, noinline)) static const uint32_t *name(__attribute__((unused)) const pairs *p, __attribute__((unused)) const uint32_t *w, \
	__attribute__((unused)) const int32_t *less)

/* All return the weights after those used. less: find_excess, where weights have few bits. */
RUN(run_pairs)
{
	__asm__(RUN_PAIRS("ldr r3, [sp, #12]\n ldr r8, [r3]\n mov r9, r8\n mov r10, r8\n mov r11, r8\n mov r12, r8\n mov lr, r8\n", ".rept 8\n" STEP ".endr\n",
		"sub r11, r8\n sub r12, r9\n sub lr, r10\n add r11, r5, r11, asr #8\n add r12, r5, r12, asr #8\n add lr, r5, lr, asr #8\n"));
}

#define NONE "mov r8, #0\n mov r9, r8\n mov r10, r8\n mov r11, r8\n mov r12, r8\n mov lr, r8\n"
#define TWO_SUMS(t, a, less) "sub " t ", " a "\n add r2, r5, " t ", asr #14\n add " t ", " less ", " a "\n add " t ", r4\n mov " a ", r2\n"

RUN(few_twos)
{
	__asm__(RUN_PAIRS(NONE "movw r7, #0xc003\n movt r7, #0xc003\n", TWOS TWOS MOVE("r8", "r11") MOVE("r9", "r12") MOVE("r10", "lr"),
		"ldr r2, [sp, #48]\n ldm r2, {r3, r6, r7}\n" TWO_SUMS("r8", "r11", "r3") TWO_SUMS("r9", "r12", "r6") TWO_SUMS("r10", "lr", "r7")));
}

/* Of a pixel: a's sum in t0's place, b's in t1's, c's at `at`. r4 r5 r6: the biases. Of four filters, d's 12 bytes further, where t2 at `at` is taken off first. */
#define THREE_SUMS(t0, t1, at) "asr r2, " t1 ", #11\n sub r3, " t0 ", r2\n sbfx r3, r3, #0, #12\n add r2, r3\n sub " t0 ", r2\n sub " t1 ", " t1 ", r2, lsl #11\n" \
	"add r3, r6, " t0 ", asr #12\n str r3, [sp, #48 + " at "]\n add " t0 ", r4, r2\n add " t1 ", r5, " t1 ", asr #3\n"
#define FOUR_SUMS(t0, t1, at) "ldr r3, [sp, #48 + " at "]\n add r2, r7, r3, asr #4\n str r2, [sp, #60 + " at "]\n sub " t0 ", r3\n" THREE_SUMS(t0, t1, at)

/* Behind the struct: six sums, of which half of a group the results are next (4 or 3: of its first, of so many; 0: of its second, or 1 where it has no d), its weights, how many
 * groups of four are left, and what t2, t0 and t1 begin with. skip: of both loops. */
RUN(few_fours)
{
	__asm__("push {r2, r4-r11, lr}\n sub sp, #72\n ldm r0, {r2-r12, lr}\n push {r2-r12, lr}\n"
		"ldr r0, [sp, #120]\n ldm r0, {r3, r4, r5, r6}\n str r6, [sp, #80]\n add r0, sp, #84\n"
		"lsls r8, r3, #4\n lsls r9, r4, #4\n lsls r10, r5, #4\n stm r0!, {r8, r9, r10}\n"
		"add r8, r3\n add r9, r4\n add r10, r5\n movw r2, #2056\n mul r11, r3, r2\n mul r12, r4, r2\n mul lr, r5, r2\n stm r0, {r8-r12, lr}\n"
		"0: str r1, [sp, #76]\n ldr r5, [sp, #80]\n subs r5, #1\n str r5, [sp, #80]\n bmi.w 7f\n"
		"movs r6, #4\n str r6, [sp, #72]\n add r2, sp, #84\n ldm r2, {r8, r9, r10}\n"
		"ldr r0, [sp]\n ldrh.w r2, [sp, #4]\n add pc, r2\n nop.n\n"
		"1:\n .rept 8\n" LASTS ".endr\n"
		"ldr r2, [sp, #8]\n cmp r0, r2\n bne.w 1b\n"
		"add r2, sp, #48\n stm r2, {r8, r9, r10}\n ldr r1, [sp, #76]\n"
		"6: add r2, sp, #96\n ldm r2, {r8-r12, lr}\n mov r7, #0x78787878\n"
		"ldr r0, [sp]\n ldrh.w r2, [sp, #6]\n add pc, r2\n nop.n\n"
		"1:\n .rept 16\n" FIRSTS ".endr\n"
		"ldr r2, [sp, #8]\n cmp r0, r2\n bne.w 1b\n"
		"ldr r0, [sp, #12]\n ldr r3, [sp, #72]\n ldm r0, {r4, r5, r6}\n add r2, r0, r3, lsl #2\n str r2, [sp, #12]\n cmp r3, #3\n beq.w 9f\n"
		"ldr r7, [r0, #12]\n" FOUR_SUMS("r8", "r11", "0") FOUR_SUMS("r9", "r12", "4") FOUR_SUMS("r10", "lr", "8")
		"8:\n" SCALE WRITE("r8", "r9", "r10") "ldr r2, [sp, #72]\n cmp r2, #1\n beq.w 1f\n"
		WRITE("r11", "r12", "lr") "str r3, [sp, #36]\n cmp r2, #0\n beq.w 10f\n"
		"rsbs r2, r2, #4\n str r2, [sp, #72]\n add r2, sp, #48\n ldm r2, {r8-r12, lr}\n beq.w 8b\n"
		"ldrd r2, r0, [sp, #20]\n cmp r0, #1\n bne.w 8b\n" /* c alone, COP_ONCE */
		"ldr r4, [sp, #16]\n ldr r5, [r4], #4\n str r4, [sp, #16]\n ldrd r6, r7, [sp, #28]\n ldr r0, [sp, #40]\n"
		ONCE("r8", "r5") ONCE("r9", "r5") ONCE("r10", "r5") SATURATE("r8", ) SATURATE("r9", ) SATURATE("r10", ) WRITE("r8", "r9", "r10")
		"str r3, [sp, #36]\n cmp r3, r0\n bne.w 0b\n b.w 5f\n"
		"1: str r3, [sp, #36]\n ldr r2, [sp, #16]\n subs r2, #4\n str r2, [sp, #16]\n"
		"10: cmp r3, r0\n bne.w 0b\n b.w 5f\n"
		"7: movs r6, #3\n str r6, [sp, #72]\n b.w 6b\n"
		"9:\n" THREE_SUMS("r8", "r11", "0") THREE_SUMS("r9", "r12", "4") THREE_SUMS("r10", "lr", "8") "b.w 8b\n"
		OTHER_SCALES
		"4: ldr r3, [sp, #36]\n stm r3!, {r8-r12, lr}\n add r2, sp, #48\n ldm r2, {r8-r12, lr}\n stm r3, {r8-r12, lr}\n"
		"5: mov r0, r1\n add sp, #124\n pop {r4-r11, pc}\n");
}

/* How much of a round is left out for `words` words, in bytes of code; of fours in the upper half that of the second loop. */
static int32_t skip_of(const layer *l, int32_t words)
{
	if (l->exact < PACK_FEW) return (-(words >> 1) & (UNROLL - 1)) * STEP_BYTES;
	return l->few->group == 3 ? (-words & (UNROLL_FOURS - 1)) * (22 | 40 << 16) : (words >> 2 & 1) * TWOS_BYTES;
}

/* Over `words` words from x on. */
static pairs pairs_of(const layer *l, const uint32_t *x, int32_t words)
{
	return (pairs){x, skip_of(l, words), x + TILE * words, l->b, l->m, l->k[QK_ZY], l->scale, l->step, 2 * l->step, NULL, NULL, 4 * l->k[CK_O] - 8};
}

/* The sums of one pair or group, whose biases lie in b. */
static const uint32_t *fast(const layer *l, const uint32_t *w, const uint32_t *x, int32_t words, const int32_t *less, const int32_t *b, int32_t *s)
{
	pairs p = pairs_of(l, x, words);

	p.b = b;
	p.scale = COP_SLOW;
	p.y = s;
	return l->exact >= PACK_FEW ? l->few->sums(&p, w, less) : run_pairs(&p, w, NULL);
}
#endif

/* The sum of each window times `minus`: by that sums of weights of few bits are too large. words: a multiple of 4, not 0 */
#if COP_DSP
__attribute__((naked, noinline)) static void find_excess(__attribute__((unused)) int32_t *less, __attribute__((unused)) uint32_t minus, __attribute__((unused)) const uint32_t *x,
	__attribute__((unused)) int32_t words)
{
	__asm__("push {r4-r8}\n mov r4, #0\n mov r5, r4\n mov r6, r4\n"
		"1:\n .rept 4\n ldmia.w r2!, {r7, r8, r12}\n smlad r4, r7, r1, r4\n smlad r5, r8, r1, r5\n smlad r6, r12, r1, r6\n .endr\n"
		"subs r3, #4\n bne.n 1b\n stm r0, {r4, r5, r6}\n pop {r4-r8}\n bx lr\n");
}
#else
static void find_excess(int32_t *less, uint32_t minus, const uint32_t *x, int32_t words)
{
	for (int32_t i = 0; i < TILE; i++) less[i] = 0;
	for (; words; words--)
		for (int32_t i = 0; i < TILE; i++) less[i] = cop_dual(*x++, minus, less[i]);
}

static const uint32_t *few_fours(const uint32_t *w, const uint32_t *x, int32_t words, const int32_t *less, int32_t *s)
{
	for (int32_t i = 0; i < TILE; i++) {
		int32_t t[3];
		cop_begin_fours(t, less[i]);
		for (int32_t j = 0; j < words; j++) cop_add_fours(t, w[j], x[TILE * j + i]);
		cop_end_fours(t, s + i, TILE);
	}
	return w + words;
}

static const uint32_t *few_twos(const uint32_t *w, const uint32_t *x, int32_t words, const int32_t *less, int32_t *s)
{
	for (int32_t i = 0; i < TILE; i++) {
		int32_t t[2] = {0, 0};
		for (int32_t j = 0; j < words; j += 4) {
			t[0] = cop_add_twos(t[0], w[j / 4], x + TILE * j + i, TILE);
			if ((words - j) / 4 & 1) cop_move_twos(t);
		}
		cop_end_twos(t, less[i], s + i, TILE);
	}
	return w + words / 4;
}
#endif

static const few nibbles = {0xfff8fff8u, 0, 3, few_fours}, twos = {0xfffefffeu, 2, 2, few_twos};

/* Sums that may be too large as a whole, part by part. */
COP_OUT_OF_LINE const uint32_t *parts(const layer *l, const uint32_t *w, const uint32_t *x, int32_t n_sum, int32_t *s)
{
	const int32_t of_few = l->exact >= PACK_FEW, most = of_few ? FEW_WORDS : PART_WORDS;

	for (int32_t left = l->words, n; left; left -= n, x += TILE * n) {
		int32_t less[TILE + 1];
		n = left < most ? left : most;
		if (of_few) find_excess(less, l->few->minus, x, n);
#if COP_DSP
		int32_t zero[FEW_GROUP] = {0, 0, 0, 0}, t[FEW_GROUP * TILE];
		less[TILE] = n_sum == FEW_GROUP * TILE;
		w = fast(l, w, x, n, less, zero, t);
		for (int32_t i = 0; i < n_sum; i++) s[i] = cop_wrap_add(s[i], t[i]);
#else
		(void)n_sum;
		w = l->few->sums(w, x, n, less, s);
#endif
	}
	return w;
}

/* Sums of n filters, a pair or a group, from o on, over TILE windows: a's in s[0..2], b's in s[3..5]. Returns the weights after those used. */
COP_OUT_OF_LINE const uint32_t *sums(const layer *l, const uint32_t *w, const uint32_t *x, int32_t o, int32_t n, int32_t *s)
{
	int32_t b[FEW_GROUP];

	for (int32_t i = 0; i < FEW_GROUP; i++) b[i] = o + i < l->o_n ? l->b[o + i] : 0;
#if COP_DSP
	const int32_t less[TILE + 1] = {l->less[0], l->less[1], l->less[2], n == FEW_GROUP};
	if (l->exact == PACK_EXACT || l->exact == PACK_FEW) return fast(l, w, x, l->words, less, b, s);
#endif
	for (int32_t i = 0; i < FEW_GROUP * TILE; i++) s[i] = b[i / TILE];
#if COP_DSP
	if (l->exact) return parts(l, w, x, n * TILE, s);
#else
	if (l->exact == PACK_FEW) return l->few->sums(w, x, l->words, l->less, s);
	if (l->exact > PACK_FEW) return parts(l, w, x, n * TILE, s);
#endif
	for (int32_t j = 0; j < l->words; j++, w++)
		for (int32_t i = 0; i < TILE; i++) cop_two_filters(*w, *x++, l->exact != 0, &s[i], &s[TILE + i]);
	return w;
}

/* Of filters from o on, one by one. */
COP_OUT_OF_LINE void any_tile(const layer *l, const uint32_t *w, const uint32_t *x, int32_t o, int8_t *y, int32_t n)
{
	int32_t s[FEW_GROUP * TILE];

	for (int32_t group; o < l->o_n; o += group, y += group) {
		group = o < FEW_GROUP * l->less[TILE] ? FEW_GROUP : l->group;
		w = sums(l, w, x, o, group, s);
		for (int32_t i = 0; i < n; i++)
			for (int32_t j = 0; j < group && o + j < l->o_n; j++) y[i * l->step + j] = cop_finish(l->k, l->m, o + j, s[j * TILE + i]);
	}
}

/* The results of n pixels (1 to TILE) at y from the windows x. */
static void tile(layer *l, const uint32_t *x, int8_t *y, int32_t n)
{
	const uint32_t *w = l->w;
	int32_t o = 0;

	if (l->exact == PACK_FEW) find_excess(l->less, l->few->minus, x, l->words);
#if COP_DSP
	o = l->o_n - (l->o_n - FEW_GROUP * l->less[TILE]) % l->group;
	if ((l->exact == PACK_EXACT || l->exact == PACK_FEW) && l->scale && o) { /* a short tile's last pixels are rubbish; the first one's results overwrite them */
		pairs *p = &l->all;
		p->y = y;
		p->y_end = y += o;
		if (n < TILE) p->y1 = n > 1 ? l->step : 0, p->y2 = 0;
		w = l->exact == PACK_FEW ? l->few->sums(p, w, l->less) : run_pairs(p, w, NULL);
	} else o = 0;
#endif
	if (o < l->o_n) any_tile(l, w, x, o, y, n);
}

/* The windows take `words` words, and as many more, which are 0, as the kernel's inner loop wants. */
static layer begin(const cop_call *c, int32_t words, const few *f)
{
	const uint32_t *pack = c->pack;
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	layer l; /* not cleared first: a firmware may have no memset */

	l.few = f;
	l.k = k;
	l.b = b;
	l.m = m;
	l.w = pack + 1;
	l.exact = *pack & 255;
	l.less[TILE] = (int32_t)(*pack >> 8);
	l.group = l.exact >= PACK_FEW ? f->group : 2;
	l.scale = cop_scale_kind(k, b, m);
	l.words = l.exact >= PACK_FEW ? (words + 3) & ~3 : (words + 1) & ~1;
	l.o_n = k[CK_O] / k[CK_G];
	l.y = c->buf[0];
	l.step = k[CK_O];
#if COP_DSP
	l.all = pairs_of(&l, c->work, l.words);
#endif
	for (uint32_t *x = c->work, i = (uint32_t)(TILE * words); i < (uint32_t)(TILE * l.words); i++) x[i] = 0;
	return l;
}

#endif
