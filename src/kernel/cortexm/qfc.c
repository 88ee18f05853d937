/* SPDX-License-Identifier: Apache-2.0
 *
 * qfc - int8 convolution with one result a channel (fully connected) for Cortex-M with DSP instructions. The input is widened
 * once; each pair of filters then takes fourteen instructions for 16 products (dsp.h says how a weight word serves two), each
 * four filters of 4 bits 27 for 32, each pair of 2 bits 43 for 64.
 */
#include "kernel/cortexm/few.h"

#if COP_DSP
/* Four words of weights, r4 to r7, and of the input, r8 to r11: 14 instructions of 4 bytes. Sums in r12 and lr. */
#define WORD(w, x) "sxtb16 r3, " w "\n smlad lr, " x ", " w ", lr\n smlad r12, " x ", r3, r12\n"
#define STEP "ldmia.w r0!, {r4, r5, r6, r7}\n ldmia.w r1!, {r8, r9, r10, r11}\n" WORD("r4", "r8") WORD("r5", "r9") WORD("r6", "r10") WORD("r7", "r11")

/* The sums *a and *b go on over `words` words, a multiple of 4 above 0: four steps in a round, of which the first is begun where the
 * rest is a multiple of 16. lr holds that of 256 b + a. Returns the weights after those used. */
__attribute__((naked, noinline)) static const uint32_t *exact_sums(__attribute__((unused)) const uint32_t *w, __attribute__((unused)) const uint32_t *x,
	__attribute__((unused)) int32_t words, __attribute__((unused)) int32_t *sums)
{
	__asm__("push {r3-r11, lr}\n ldr r12, [r3]\n mov lr, r12\n"
		"add r4, r1, r2, lsl #2\n rsb r3, r2, #0\n ubfx r3, r3, #2, #2\n movs r2, #56\n mul r3, r3, r2\n mov r2, r4\n"
		"add pc, r3\n nop.n\n"
		"1:\n" STEP STEP STEP STEP
		"cmp r1, r2\n bne.w 1b\n"
		"ldr r3, [sp]\n ldr r4, [r3, #4]\n sub lr, lr, r12\n add r4, r4, lr, asr #8\n strd r12, r4, [r3]\n"
		"pop {r3-r11, pc}\n");
}
#endif

/* The same, any weights. */
COP_OUT_OF_LINE const uint32_t *any_sums(const uint32_t *w, const uint32_t *x, int32_t words, uint32_t exact, int32_t *s)
{
#if COP_DSP
	if (exact) {
		for (; words > PART_WORDS; words -= PART_WORDS, x += PART_WORDS) w = exact_sums(w, x, PART_WORDS, s);
		return exact_sums(w, x, words, s);
	}
#endif
	for (; words; words--) cop_two_filters(*w++, *x++, exact != 0, &s[0], &s[1]);
	return w;
}

/* How sums become results. down: by how many bits more than 32 a single rounding shifts (files of TFLite); 0: as `kind`. */
typedef struct ending { const int32_t *k, *m; int32_t kind, down; } ending;

/* The sum of output channel o as int8. */
static inline int8_t finish(const ending *e, int32_t o, int32_t acc)
{
	if (e->kind == COP_ONCE) return (int8_t)cop_sat8(cop_scale_add(acc, e->m[o], e->k[QK_ZY]));
	return cop_finish(e->k, e->m, o, acc);
}

#if COP_DSP
/* The results of pairs of filters from y on to y_end, all of whose sums are exact. Returns the weights after theirs. */
COP_OUT_OF_LINE const uint32_t *run_pairs(const ending *e, const int32_t *b, const uint32_t *w, const uint32_t *x, int32_t words, int8_t *y, const int8_t *y_end)
{
	const int32_t *m = e->m, zero = e->k[QK_ZY], down = e->down, half = down ? 1 << (down - 1) : 0;

	for (; y != y_end; b += 2, m += 2, y += 2) {
		int32_t s[2] = {b[0], b[1]};
		w = exact_sums(w, x, words, s);
		y[0] = (int8_t)cop_sat8(down ? cop_scale_down(s[0], m[0], down, half, zero) : cop_scale_add(s[0], m[0], zero));
		y[1] = (int8_t)cop_sat8(down ? cop_scale_down(s[1], m[1], down, half, zero) : cop_scale_add(s[1], m[1], zero));
	}
	return w;
}
#endif

void cop_qfc_dsp(const cop_call *c)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint32_t *pack = c->pack, *w = pack + 1, exact = *pack;
	const ending e = {k, m, cop_scale_kind(k, b, m), k[QK_TWICE] || k[CK_LO] != -128 || k[CK_HI] != 127 ? 0 : -k[QK_UP]};
	int32_t o_n = k[CK_O], words = (cop_run_words(k[CK_C]) + 3) & ~3, o = 0;
	int8_t *y = c->buf[0];
	uint32_t *x = c->work;

	for (uint32_t *d = cop_expand(x, c->buf[1], k[CK_C], 1); d < x + words; d++) *d = 0;
#if COP_DSP
	if (exact == PACK_EXACT && (e.kind == COP_ONCE || e.down > 0)) {
		o = o_n & ~1;
		w = run_pairs(&e, b, w, x, words, y, y + o);
	}
#endif
	for (; o < o_n; o++) {
		int32_t s[2] = {b[o], o + 1 < o_n ? b[o + 1] : 0};
		w = any_sums(w, x, words, exact, s);
		y[o] = finish(&e, o, s[0]);
		if (++o == o_n) break;
		y[o] = finish(&e, o, s[1]);
	}
}

/* ---- weights of few bits (few.h) ---- */

#if COP_DSP
#define SUMS(name) __attribute__((naked, noinline)) static const uint32_t *name(__attribute__((unused)) const uint32_t *w, __attribute__((unused)) const uint32_t *x, \
	__attribute__((unused)) int32_t words, __attribute__((unused)) int32_t *t)

/* r6: 0x78787878. Sums t0 in r12, t1 in lr, t2 in r2. */
#define FOUR(w, x) "and r3, r6, " w ", ror #5\n smladx lr, " x ", r3, lr\n and r3, " w ", #0x00f000f0\n smlad r2, " x ", r3, r2\n" \
	"bic " w ", " w ", #0x0f000f00\n smlad r12, " x ", " w ", r12\n"
#define FOURS "ldmia.w r1!, {r8, r9, r10, r11}\n ldrd r4, r5, [r0], #8\n" FOUR("r4", "r8") FOUR("r5", "r9") "ldrd r4, r5, [r0], #8\n" FOUR("r4", "r10") FOUR("r5", "r11")

/* The sums t go on over `words` words, a multiple of 4 above 0: four steps of 27 instructions in a round, as in exact_sums. Returns the weights after those used. */
SUMS(sum_fours)
{
	__asm__("push {r3-r11, lr}\n add r4, r1, r2, lsl #2\n push {r4}\n"
		"rsb r5, r2, #0\n ubfx r5, r5, #2, #2\n movs r4, #108\n mul r5, r5, r4\n"
		"ldm r3, {r2, r3, r4}\n mov r12, r2\n mov lr, r3\n mov r2, r4\n mov r6, #0x78787878\n"
		"add pc, r5\n nop.n\n"
		"1:\n" FOURS FOURS FOURS FOURS
		"ldr r3, [sp]\n cmp r1, r3\n bne.w 1b\n"
		"ldr r3, [sp, #4]\n stmia r3!, {r12, lr}\n str r2, [r3]\n add sp, #4\n"
		"pop {r3-r11, pc}\n");
}

/* r7: 0xc003c003; four words of the input. Sums in r12, of what is a's in lr. */
#define TWO(w, x) "and.w r3, r7, " w "\n smlad r12, " x ", r3, r12\n"
#define TWOS(w) "ldmia.w r1!, {r8, r9, r10, r11}\n" TWO(w, "r8") TWO(w ", ror #4", "r9") TWO(w ", ror #8", "r10") TWO(w ", ror #12", "r11")
#define BLOCK(v, w) TWOS(v) TWOS(w) "sub r3, r12, lr\n sbfx r3, r3, #0, #14\n add lr, r3\n"

/* The same for a multiple of 8 words: two blocks in a round, the first of which may be left out. */
SUMS(sum_twos)
{
	__asm__("push {r3-r11, lr}\n add r2, r1, r2, lsl #2\n movw r7, #0xc003\n movt r7, #0xc003\n"
		"ldrd r12, lr, [r3]\n sub r4, r2, r1\n lsls r4, r4, #26\n bmi.n 2f\n"
		"1: ldmia.w r0!, {r4, r5}\n" BLOCK("r4", "r5")
		"2: ldmia.w r0!, {r4, r5}\n" BLOCK("r4", "r5")
		"cmp r1, r2\n bne.w 1b\n"
		"ldr r3, [sp]\n strd r12, lr, [r3]\n"
		"pop {r3-r11, pc}\n");
}
#else
static const uint32_t *sum_fours(const uint32_t *w, const uint32_t *x, int32_t words, int32_t *t)
{
	for (const uint32_t *end = w + words; w < end; ) cop_add_fours(t, *w++, *x++);
	return w;
}

static const uint32_t *sum_twos(const uint32_t *w, const uint32_t *x, int32_t words, int32_t *t)
{
	for (; words; words -= FEW_BLOCK, w += 2, x += FEW_BLOCK) {
		t[0] = cop_add_twos(cop_add_twos(t[0], w[0], x, 1), w[1], x + 4, 1);
		cop_move_twos(t);
	}
	return w;
}
#endif

/* The input in words, as many as are a multiple of `whole`. */
static int32_t widen(const cop_call *c, int32_t whole)
{
	int32_t n = c->k[CK_C], words = (cop_run_words(n) + whole - 1) & -whole;
	uint32_t *x = c->work;

	for (uint32_t *d = cop_expand(x, c->buf[1], n, 1); d < x + words; d++) *d = 0;
	return words;
}

/* -8 or -2 times the sum of a part of the input. */
static int32_t excess(const uint32_t *x, int32_t words, uint32_t minus)
{
	int32_t less = 0;
	for (const uint32_t *end = x + words; x < end; x += 4) less = cop_dual(x[3], minus, cop_dual(x[2], minus, cop_dual(x[1], minus, cop_dual(x[0], minus, less))));
	return less;
}

/* Adds the products of a group's filters to s. less: excess of these words */
typedef const uint32_t *add_sums(int32_t *s, const uint32_t *w, const uint32_t *x, int32_t words, int32_t less);

COP_IN_LINE const uint32_t *add_fours(int32_t *s, const uint32_t *w, const uint32_t *x, int32_t words, int32_t less)
{
	int32_t t[3];
	cop_begin_fours(t, less);
	w = sum_fours(w, x, words, t);
	cop_end_fours(t, s, 1);
	return w;
}

COP_IN_LINE const uint32_t *add_twos(int32_t *s, const uint32_t *w, const uint32_t *x, int32_t words, int32_t less)
{
	int32_t t[2] = {0, 0};
	w = sum_twos(w, x, words, t);
	cop_end_twos(t, less, s, 1);
	return w;
}

typedef struct input { const uint32_t *x; int32_t words, part, less; uint32_t minus; } input; /* part: words whose sums are exact; less: of all words */

/* Filters from o to the last, in groups of n of which that may have less. A part's excess is found for each group again: few layers have more than one part. */
COP_IN_LINE void run_groups(const ending *e, const int32_t *b, const uint32_t *w, const input *in, int32_t o, int32_t n, add_sums *add, int8_t *y)
{
	const int32_t o_n = e->k[CK_O];

	for (; o < o_n; o += n) {
		int32_t s[FEW_GROUP];
		for (int32_t i = 0; i < n; i++) s[i] = o + i < o_n ? b[o + i] : 0;
		for (int32_t at = 0, some; at < in->words; at += some) {
			some = in->words - at < in->part ? in->words - at : in->part;
			w = add(s, w, in->x + at, some, some == in->words ? in->less : excess(in->x + at, some, in->minus));
		}
		for (int32_t i = 0; i < n && o + i < o_n; i++) y[o + i] = finish(e, o + i, s[i]);
	}
}

#if COP_DSP
#define RESULT(i) y[i] = (int8_t)cop_sat8(cop_scale_add(s[i], m[i], zero))

/* Whole groups from y to y_end in one part, scaled ONCE. Returns the weights after theirs. */
COP_IN_LINE const uint32_t *run_whole(const ending *e, const int32_t *b, const uint32_t *w, const input *in, int32_t n, add_sums *add, int8_t *y, const int8_t *y_end)
{
	const int32_t *m = e->m, zero = e->k[QK_ZY], words = in->words, less = in->less;
	const uint32_t *x = in->x;

	for (; y != y_end; b += n, m += n, y += n) {
		int32_t s[FEW_GROUP] = {b[0], b[1], 0, 0};
		if (n > 2) s[2] = b[2], s[3] = b[3];
		w = add(s, w, x, words, less);
		RESULT(0);
		RESULT(1);
		if (n == 2) continue;
		RESULT(2);
		RESULT(3);
	}
	return w;
}
#endif

COP_IN_LINE void run_few(const cop_call *c, int32_t words, int32_t n, uint32_t minus, add_sums *add)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint32_t *pack = c->pack, *w = pack + 1;
	const ending e = {k, m, cop_scale_kind(k, b, m), 0};
	const input in = {c->work, words, (*pack & 255) == PACK_FEW ? words : FEW_WORDS & -FEW_BLOCK, excess(c->work, words, minus), minus};
	int8_t *y = c->buf[0];
	int32_t o = 0;

#if COP_DSP
	if (in.part == words && e.kind == COP_ONCE) {
		o = k[CK_O] & -n;
		w = run_whole(&e, b, w, &in, n, add, y, y + o);
	}
#endif
	run_groups(&e, b, w, &in, o, n, add, y);
}

void cop_qfc4_dsp(const cop_call *c) { run_few(c, widen(c, 4), FEW_GROUP, 0xfff8fff8u, add_fours); }
void cop_qfc2_dsp(const cop_call *c) { run_few(c, widen(c, FEW_BLOCK), 2, 0xfffefffeu, add_twos); }
