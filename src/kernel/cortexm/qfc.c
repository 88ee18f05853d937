/* SPDX-License-Identifier: Apache-2.0
 *
 * qfc - int8 convolution with one result a channel (fully connected) for Cortex-M with DSP instructions. The input is widened
 * once; each pair of filters then takes fourteen instructions for 16 products (dsp.h says how a weight word serves two), each
 * four filters of 4 bits thirty for 32, each eight of 2 bits thirty-two for 32.
 */
#include "kernel/cortexm/dsp.h"

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

/* ---- weights of few bits: filters that share halves (dsp.h) ---- */

#if COP_DSP
/* Sums of products of `words` words, a multiple of 4 above 0, with what is left of their halves: of the first filter, of the first two, and so on. Returns the
 * weights after those used. */
#define NESTED(name) __attribute__((naked, noinline)) static const uint32_t *name(__attribute__((unused)) const uint32_t *w, __attribute__((unused)) const uint32_t *x, \
	__attribute__((unused)) int32_t words, __attribute__((unused)) uint32_t *sums)

/* Four words of weights, r4 to r7, and of the input, r8 to r11: 30 instructions of 4 bytes. Sums of a in r2, a + 16 b in r3, a + 16 b + 256 c in r12, of
 * all four in lr. */
#define FOUR(w, x) "smlad lr, " x ", " w ", lr\n bic " w ", " w ", #0xf000f000\n smlad r12, " x ", " w ", r12\n" \
	"uxtb16 " w ", " w "\n smlad r3, " x ", " w ", r3\n and " w ", " w ", #0x000f000f\n smlad r2, " x ", " w ", r2\n"
#define ROUND "ldmia.w r0!, {r4, r5, r6, r7}\n ldmia.w r1!, {r8, r9, r10, r11}\n" FOUR("r4", "r8") FOUR("r5", "r9") FOUR("r6", "r10") FOUR("r7", "r11")

/* As exact_sums goes round. */
NESTED(sum_fours)
{
	__asm__("push {r3-r11, lr}\n add r4, r0, r2, lsl #2\n push {r4}\n"
		"rsb r5, r2, #0\n ubfx r5, r5, #2, #2\n movs r6, #120\n mul r5, r5, r6\n"
		"mov r2, #0\n mov r3, r2\n mov r12, r2\n mov lr, r2\n"
		"add pc, r5\n nop.n\n"
		"1:\n" ROUND ROUND ROUND ROUND
		"ldr r4, [sp]\n cmp r0, r4\n bne.w 1b\n"
		"ldr r4, [sp, #4]\n stmia r4, {r2, r3, r12, lr}\n add sp, #4\n"
		"pop {r3-r11, pc}\n");
}

/* Two words of weights, r4 and r5, and of the input, r6 and r7: 32 instructions of 4 bytes. */
#define LESS(w, x, mask, sum) "bic " w ", " w ", #" mask "\n smlad " sum ", " x ", " w ", " sum "\n"
#define EIGHT(w, x) "smlad lr, " x ", " w ", lr\n" LESS(w, x, "0xc000c000", "r12") LESS(w, x, "0x30003000", "r11") LESS(w, x, "0x0c000c00", "r10") \
	LESS(w, x, "0x03000300", "r9") LESS(w, x, "0x00c000c0", "r8") LESS(w, x, "0x00300030", "r3") LESS(w, x, "0x000c000c", "r2")
#define TWO_WORDS "ldrd r4, r5, [r0], #8\n ldrd r6, r7, [r1], #8\n" EIGHT("r4", "r6") EIGHT("r5", "r7")

/* Eight words in a round, of which the first half is left out where four are over. */
NESTED(sum_eights)
{
	__asm__("push {r3-r11, lr}\n add r4, r0, r2, lsl #2\n push {r4}\n"
		"and r5, r2, #4\n lsls r5, r5, #6\n"
		"mov r2, #0\n mov r3, r2\n mov r8, r2\n mov r9, r2\n mov r10, r2\n mov r11, r2\n mov r12, r2\n mov lr, r2\n"
		"add pc, r5\n nop.n\n"
		"1:\n" TWO_WORDS TWO_WORDS TWO_WORDS TWO_WORDS
		"ldr r4, [sp]\n cmp r0, r4\n bne.w 1b\n"
		"ldr r4, [sp, #4]\n stmia r4, {r2, r3, r8-r12, lr}\n add sp, #4\n"
		"pop {r3-r11, pc}\n");
}

typedef struct few { int32_t bits; const uint32_t *(*sums)(const uint32_t *w, const uint32_t *x, int32_t words, uint32_t *sums); } few;
static const few fours = {4, sum_fours}, eights = {2, sum_eights};
#else
typedef struct few { int32_t bits; } few;
static const few fours = {4}, eights = {2};
#endif

/* Adds to the sums of filters that share halves; with PACK_PARTS part by part, so that differences are exact. */
COP_IN_LINE const uint32_t *add_nested(const few *f, int32_t *s, const uint32_t *w, const uint32_t *x, int32_t words, uint32_t exact)
{
#if COP_DSP
	for (int32_t some; words; words -= some, x += some) {
		uint32_t n[8], before = 0;
		some = exact == PACK_EXACT || words < NESTED_WORDS ? words : NESTED_WORDS;
		w = f->sums(w, x, some, n);
		for (int32_t o = 0, at = 0; at < 16; before = n[o++], at += f->bits) s[o] = cop_wrap_add(s[o], (int32_t)(n[o] - before) >> at);
	}
#else
	(void)exact;
	for (; words; words--, w++, x++)
		for (int32_t half = 0; half < 32; half += 16) {
			int32_t v = (int16_t)(*w >> half), tap = (int16_t)(*x >> half), o = 0;
			for (int32_t left = 16; left > f->bits; left -= f->bits, v >>= f->bits, o++) s[o] = cop_wrap_add(s[o], (v & ((1 << f->bits) - 1)) * tap);
			s[o] = cop_wrap_add(s[o], v * tap);
		}
#endif
	return w;
}

COP_IN_LINE void run_few(const cop_call *c, const few *f)
{
	const int32_t *k = c->k, *b = c->buf[3], *m = c->buf[4];
	const uint32_t *pack = c->pack, *w = pack + 1, more = f->bits == 4 ? 0x00080008u : 0x00020002u;
	const ending e = {k, m, cop_scale_kind(k, b, m), 0};
	int32_t words = (cop_run_words(k[CK_C]) + 3) & ~3, excess = 0, n = 16 / f->bits;
	int8_t *y = c->buf[0];
	uint32_t *x = c->work;

	for (uint32_t *d = cop_expand(x, c->buf[1], k[CK_C], 1); d < x + words; d++) *d = 0;
	for (int32_t i = 0; i < words; i++) excess = cop_dual(x[i], more, excess); /* by so much weights lie too high, but for the last's */
	for (int32_t o = 0; o < k[CK_O]; o += n) {
		int32_t left = k[CK_O] - o, s[8];
		for (int32_t i = 0; i < n; i++) s[i] = i < n - 1 ? -excess : 0;
		w = add_nested(f, s, w, x, words, *pack);
		for (int32_t i = 0; i < n && i < left; i++) y[o + i] = finish(&e, o + i, cop_wrap_add(b[o + i], s[i]));
	}
}

void cop_qfc4_dsp(const cop_call *c) { run_few(c, &fours); }
void cop_qfc2_dsp(const cop_call *c) { run_few(c, &eights); }
