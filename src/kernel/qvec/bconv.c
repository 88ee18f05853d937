/* SPDX-License-Identifier: Apache-2.0
 *
 * bconv - convolution of bits with vectors: a lane of 64 bits belongs to an output, so that no sum runs across lanes. A
 * window is staged as one line of words; where it lies so in the input, it is read there. What a line has beyond its bits
 * is 0 there and in the weights, and does not differ.
 *
 * AVX-512 counts ones itself (VPOPCNTDQ), and of seven words only three are counted: full adders leave ones, twos and
 * fours. The sum bit of an adder is the parity of what it adds, and a parity of differences is the difference of two
 * parities; so lines and weights hold parities in the place of every second word, and adders have to find carries alone.
 * AVX2 looks halves of bytes up, NEON counts the ones of bytes; both add the counts as bytes, for as many words as a byte can hold.
 */
#include "kernel/bits.h"
#include "kernel/qvec/eight.h"

#if defined(QPLAIN) || defined(__AVX512VPOPCNTDQ__) || (PAIRS && ((defined(__AVX2__) && VW == 8) || defined(__aarch64__)))

#if defined(__AVX512VPOPCNTDQ__) || defined(QPLAIN)
#define ADDERS 1
enum { LANES = 8, MOST_P = 4, GROUP = 7 };
#else
#define ADDERS 0
#if defined(__aarch64__)
enum { LANES = 2, MOST_P = 2, RUN = 31 };
#else
enum { LANES = 4, MOST_P = 2, RUN = 31 };
#endif
#endif
enum { PANEL_O = 8, PARTS_O = PANEL_O / LANES, BLOCK = 128 }; /* outputs of a panel, vectors of one; pixels that are staged at once */

typedef uint64_t vq __attribute__((vector_size(LANES * 8)));
typedef uint64_t vqu __attribute__((vector_size(LANES * 8), aligned(8), may_alias));
typedef uint64_t wordu __attribute__((aligned(1), may_alias));

#if defined(QPLAIN)
AI vq ones(vq x)
{
	for (int i = 0; i < LANES; i++) x[i] = (uint64_t)__builtin_popcountll(x[i]);
	return x;
}
AI vq majority(vq a, vq b, vq c) { return (a & b) | ((a | b) & c); }
AI vq parity(vq a, vq b, vq c) { return a ^ b ^ c; }
/* The majority of a, b and what has the parity p with them. */
AI vq carry(vq a, vq b, vq p) { return (a & b) | ((a ^ b) & ~p); }
#elif ADDERS
AI vq ones(vq x) { return (vq)_mm512_popcnt_epi64((__m512i)x); }
AI vq majority(vq a, vq b, vq c) { return (vq)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xe8); }
AI vq parity(vq a, vq b, vq c) { return (vq)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96); }
AI vq carry(vq a, vq b, vq p) { return (vq)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)p, 0xd4); }
#elif defined(__aarch64__)
typedef uint8x16_t counts_t;
AI counts_t no_counts(void) { return vdupq_n_u8(0); }
/* c, and the ones of d by byte. */
AI counts_t counted(counts_t c, vq d) { return vaddq_u8(c, vcntq_u8((uint8x16_t)d)); }
AI vq summed(counts_t c) { return (vq)vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(c))); }
#else
typedef __m256i counts_t;
AI counts_t no_counts(void) { return _mm256_setzero_si256(); }
AI vq summed(counts_t c) { return (vq)_mm256_sad_epu8(c, _mm256_setzero_si256()); }
/* Ones by byte. */
AI __m256i ones_of_bytes(__m256i d)
{
	const __m256i of = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i half = _mm256_set1_epi8(15);
	__m256i low = _mm256_shuffle_epi8(of, _mm256_and_si256(d, half));
	return _mm256_add_epi8(low, _mm256_shuffle_epi8(of, _mm256_and_si256(_mm256_srli_epi16(d, 4), half)));
}
/* c, and the ones of d by byte. */
AI counts_t counted(counts_t c, vq d) { return _mm256_add_epi8(c, ones_of_bytes((__m256i)d)); }
#endif

/* ---- geometry ---- */

static long row_bytes(const int32_t *k) { return (k[CK_C] + 7) / 8; }
static long line_bytes(const int32_t *k) { return (long)k[CK_KH] * k[CK_KW] * row_bytes(k); }
static long words_of(const int32_t *k) { return (line_bytes(k) + 7) / 8; }
static long panels_of(const int32_t *k) { return (k[CK_O] + PANEL_O - 1) / PANEL_O; }
static int last_byte(const int32_t *k) { return k[CK_C] % 8 ? (1 << k[CK_C] % 8) - 1 : 255; }

static bool inside(const int32_t *k)
{
	return !k[CK_PT] && !k[CK_PL] && (k[CK_OH] - 1) * k[CK_SH] + (k[CK_KH] - 1) * k[CK_DH] < k[CK_H] &&
		(k[CK_OW] - 1) * k[CK_SW] + (k[CK_KW] - 1) * k[CK_DW] < k[CK_W];
}

/* A border that is not there would not count; the portable kernel knows how. */
bool VN(bconv_fits)(const int32_t *k) { return k[BC_FILL] || inside(k); }
size_t VN(bconv_work)(const int32_t *k) { return (size_t)(BLOCK * words_of(k) * 8 + 64); }

/* Every group of words of a line, `stride` apart, with parities of three, five and seven in the place of the third, fifth and seventh. */
static void mix(uint64_t *w, long words, long stride)
{
#if ADDERS
	for (long j = 0; j + GROUP <= words; j += GROUP, w += GROUP * stride)
		for (long i = 2; i < GROUP; i += 2) w[i * stride] ^= w[(i - 1) * stride] ^ w[(i - 2) * stride];
#else
	(void)w, (void)words, (void)stride;
#endif
}

/* [panel][word][output of the panel] */
size_t VN(bconv_pack_bytes)(const int32_t *k) { return (size_t)(panels_of(k) * words_of(k) * PANEL_O * 8); }

static void pack(const cop_call *c, const uint8_t *from)
{
	const int32_t *k = c->k;
	long words = words_of(k), bytes = line_bytes(k), row = row_bytes(k);
	const int32_t np = (int32_t)panels_of(k);

	for (long q = cop_from(c, np, 1); q < cop_to(c, np, 1); q++) {
		uint8_t *to = (uint8_t *)c->work + q * words * PANEL_O * 8;
		memset(to, 0, (size_t)(words * PANEL_O * 8));
		for (long l = 0; l < PANEL_O && q * PANEL_O + l < k[CK_O]; l++) {
			const uint8_t *w = from + (q * PANEL_O + l) * bytes;
			for (long i = 0; i < bytes; i++)
				to[(i / 8 * PANEL_O + l) * 8 + i % 8] = (uint8_t)(w[i] & (i % row == row - 1 ? last_byte(k) : 255));
			mix((uint64_t *)(void *)to + l, words, PANEL_O);
		}
	}
}
void VN(bconv_pack)(const cop_call *c) { pack(c, c->buf[2]); }
void VN(qbconv_add_pack)(const cop_call *c) { pack(c, c->buf[3]); }

/* ---- staging ---- */

/* Copies whole words: up to 7 bytes more, over what is written next. */
AI void copy(uint8_t *to, const uint8_t *x, long n)
{
	for (long i = 0; i < n; i += 8) *(wordu *)(to + i) = *(const wordu *)(x + i);
}

typedef struct place { long h, w; } place;

/* The taps of one row of a window, [row] bytes each, from column w on. */
AI void stage_row(uint8_t *to, const int32_t *k, const uint8_t *x, place at)
{
	const long row = row_bytes(k);
	const int last = last_byte(k);
	bool there = at.h >= 0 && at.h < k[CK_H];

	if (LIKELY(there && at.w >= 0 && at.w + k[CK_KW] <= k[CK_W] && k[CK_DW] == 1 && last == 255)) {
		copy(to, x + (at.h * k[CK_W] + at.w) * row, k[CK_KW] * row);
		return;
	}
	for (long j = 0; j < k[CK_KW]; j++, to += row) {
		long w = at.w + j * k[CK_DW];
		if (there && w >= 0 && w < k[CK_W]) copy(to, x + (at.h * k[CK_W] + w) * row, row);
		else memset(to, k[BC_FILL] > 0 ? 255 : 0, (size_t)row);
		to[row - 1] = (uint8_t)(to[row - 1] & last);
	}
}

/* Pixels [p, end), a line each. What is left of the last word of a line is 0: the next line comes later. */
static void stage_pixels(uint8_t *to, const int32_t *k, const uint8_t *x, long p, long end)
{
	const long row = row_bytes(k), taps = k[CK_KW] * row, below = (long)k[CK_DH] * k[CK_W] * row, image = (long)k[CK_H] * k[CK_W] * row;
	const long line = line_bytes(k), words = words_of(k), kh = k[CK_KH];
	const long last_h = k[CK_H] - (kh - 1) * k[CK_DH], last_w = k[CK_W] - k[CK_KW] + 1, sw = k[CK_SW], out_w = k[CK_OW], out_h = k[CK_OH];
	const bool whole = k[CK_DW] == 1 && last_byte(k) == 255;
	long ow = p % out_w, oh = p / out_w % out_h;

	x += p / out_w / out_h * image;
	for (; p < end; p++, to += words * 8) {
		const place at = {oh * k[CK_SH] - k[CK_PT], ow * sw - k[CK_PL]};
		if (LIKELY(whole && at.h >= 0 && at.h < last_h && at.w >= 0 && at.w < last_w))
			for (long i = 0, from = (at.h * k[CK_W] + at.w) * row; i < kh; i++, from += below) copy(to + i * taps, x + from, taps);
		else
			for (long i = 0; i < kh; i++) stage_row(to + i * taps, k, x, (place){at.h + i * k[CK_DH], at.w});
		*(wordu *)(to + line) = 0;
		mix((uint64_t *)(void *)to, words, 1);
		if (++ow == out_w) ow = 0, oh++;
		if (oh == out_h) oh = 0, x += image;
	}
}

/* ---- sums ---- */

typedef struct layer {
	const int32_t *k, *t; /* t: bounds, or NULL */
	const cop_bend *p;    /* of bytes, or NULL; r is added to them */
	const int8_t *r;
	const uint8_t *x;
	const uint64_t *w;
	void *y;
	long words, n;
} layer;

AI vq load_q(const uint64_t *p) { return (vq)*(const vqu *)p; }

AI vq differing(const uint8_t *x, vq w) { return w ^ *(const wordu *)x; }

#if ADDERS
/* In a register: loads would be what the adders wait for. */
AI vq held(vq x)
{
#if !defined(QPLAIN)
	__asm__("" : "+v"(x));
#endif
	return x;
}

/* In how many bits np lines differ from the filters of a panel. */
AI void tile(const int np, vq *total, const layer *l, const uint8_t *x, const uint64_t *w)
{
	const long line = l->words * 8;
	vq one[MOST_P], two[MOST_P], four[MOST_P];
	long j = 0;

	for (int p = 0; p < np; p++) one[p] = two[p] = four[p] = (vq){0};
	for (; j + GROUP <= l->words; j += GROUP, w += GROUP * PANEL_O) {
		vq f[GROUP], d[GROUP];
		UNROLL
		for (int i = 0; i < GROUP; i++) f[i] = held(load_q(w + i * PANEL_O));
		UNROLL
		for (int p = 0; p < np; p++) {
			UNROLL
			for (int i = 0; i < GROUP; i++) d[i] = differing(x + p * line + (j + i) * 8, f[i]);
			vq a = carry(d[0], d[1], d[2]), b = carry(d[2], d[3], d[4]), c = carry(d[4], d[5], d[6]);
			one[p] += ones(d[6]);
			two[p] += ones(parity(a, b, c));
			four[p] += ones(majority(a, b, c));
		}
	}
	for (; j < l->words; j++, w += PANEL_O)
		for (int p = 0; p < np; p++) one[p] += ones(differing(x + p * line + j * 8, load_q(w)));
	for (int p = 0; p < np; p++) total[p] = one[p] + 2 * two[p] + 4 * four[p];
}
#else
AI void tile(const int np, vq *total, const layer *l, const uint8_t *x, const uint64_t *w)
{
	const long line = l->words * 8;

	for (int i = 0; i < np * PARTS_O; i++) total[i] = (vq){0};
	for (long from = 0; from < l->words; from += RUN) {
		counts_t counts[MOST_P * PARTS_O];
		UNROLL
		for (int i = 0; i < np * PARTS_O; i++) counts[i] = no_counts();
		for (long j = from; j < lmin(l->words, from + RUN); j++) {
			UNROLL
			for (int i = 0; i < np * PARTS_O; i++) {
				vq d = differing(x + i / PARTS_O * line + j * 8, load_q(w + j * PANEL_O + i % PARTS_O * LANES));
				counts[i] = counted(counts[i], d);
			}
		}
		UNROLL
		for (int i = 0; i < np * PARTS_O; i++) total[i] += summed(counts[i]);
	}
}
#endif

/* The eight sums of a panel. */
AI v8 sums_of(const vq *total, long n)
{
	typedef int32_t part __attribute__((vector_size(LANES * 4)));
	union { part p[PARTS_O]; v8 v; } u;

	UNROLL
	for (int i = 0; i < PARTS_O; i++) u.p[i] = __builtin_convertvector(total[i], part);
	return (int32_t)n - 2 * u.v;
}

/* What a panel makes bytes of its sums with (kernel/bits.h), each number for eight channels. */
typedef struct bends { v8 mult, add, slope, lift; } bends;

static bends bends_of(const layer *l, long q)
{
	bends b = {{0}, {0}, {0}, {0}};

	for (long i = 0; l->p && i < lmin(PANEL_O, l->k[CK_O] - q * PANEL_O); i++) {
		const cop_bend *p = &l->p[q * PANEL_O + i];
		b.mult[i] = p->mult, b.add[i] = p->add, b.slope[i] = p->slope, b.lift[i] = p->lift;
	}
	return b;
}

/* cop_bent of eight channels whose outputs begin at y. */
AI void put_bytes(int8_t *y, const int8_t *r, const bends *b, const int32_t *k, v8 d)
{
	const v8 zr = (v8){0} + k[QC_ZR], lo = (v8){0} + k[CK_LO], hi = (v8){0} + k[CK_HI];
	v8w far = (v8w)b->mult * (v8w)d + (v8w)b->add;

	if (r) far += (uint32_t)k[QC_RES] * (v8w)(eight_bytes(r) - zr);
	v8 z = (v8)far;
	z = (v8)((v8w)either(z < 0, times_2_15(z, b->slope), z) + (v8w)b->lift) >> k[QC_SHIFT];
	put_eight(y, least(most(z, lo), hi));
}

/* The outputs of panel q for pixel p. */
AI void put_panel(const layer *l, const bends *b, long p, long q, v8 d)
{
	long o_n = l->k[CK_O], o = q * PANEL_O, n = lmin(PANEL_O, o_n - o);

	if (l->p && LIKELY(n == PANEL_O)) {
		put_bytes((int8_t *)l->y + p * o_n + o, l->r ? l->r + p * o_n + o : NULL, b, l->k, d);
	} else if (l->p) {
		for (long i = 0, at = p * o_n + o; i < n; i++, at++) ((int8_t *)l->y)[at] = cop_bent(d[i], l->r ? l->r[at] : l->k[QC_ZR], &l->p[o + i], l->k);
	} else if (l->t) {
		v8 lo = *(const v8u *)(l->t + o), hi = *(const v8u *)(l->t + o_n + o);
		((uint8_t *)l->y)[p * ((o_n + 7) / 8) + q] = (uint8_t)(ones_of((d >= lo) & (d <= hi)) & ((1u << n) - 1));
	} else if (LIKELY(n == PANEL_O)) {
		*(v8u *)((int32_t *)l->y + p * o_n + o) = d;
	} else {
		int32_t some[PANEL_O];
		*(v8u *)some = d;
		memcpy((int32_t *)l->y + p * o_n + o, some, (size_t)n * sizeof *some);
	}
}

AI void pixels(const int np, const layer *l, const bends *b, long p, long q, const uint8_t *x)
{
	vq total[MOST_P * PARTS_O];

	tile(np, total, l, x, l->w + q * l->words * PANEL_O);
	UNROLL
	for (int i = 0; i < np; i++) put_panel(l, b, p + i, q, sums_of(total + i * PARTS_O, l->n));
}

/* Panel q for pixels [p, to), whose lines begin at x. */
static NOINLINE void block(const layer *l, long p, long to, long q, const uint8_t *x)
{
	const long line = l->words * 8;
	const bends b = bends_of(l, q);

	for (; p + MOST_P <= to; p += MOST_P, x += MOST_P * line) pixels(MOST_P, l, &b, p, q, x);
	for (; p < to; p++, x += line) pixels(1, l, &b, p, q, x);
}

/* Parts are pixels, or, where those are few, panels. */
static void all_pixels(const cop_call *c, const layer *l)
{
	const int32_t *k = c->k, all = k[CK_N] * k[CK_OH] * k[CK_OW], np = (int32_t)panels_of(k);
	bool few = all < 32;
	long p = few ? 0 : cop_from(c, all, MOST_P), end = few ? all : cop_to(c, all, MOST_P);
	long first = few ? cop_from(c, np, 1) : 0, last = few ? cop_to(c, np, 1) : np;
	for (; p < end && first < last; p += BLOCK) {
		long to = lmin(end, p + BLOCK);
		stage_pixels(c->work, k, l->x, p, to);
		for (long q = first; q < last; q++) block(l, p, to, q, c->work);
	}
}

#define LAYER(X) .k = c->k, .x = c->buf[X], .w = c->pack, .y = c->buf[0], .words = words_of(c->k), .n = (long)c->k[CK_KH] * c->k[CK_KW] * c->k[CK_C]
void VN(bconv)(const cop_call *c) { all_pixels(c, &(layer){LAYER(1), .t = c->buf[3]}); }
void VN(qbconv)(const cop_call *c) { all_pixels(c, &(layer){LAYER(1), .p = c->buf[3]}); }
void VN(qbconv_add)(const cop_call *c) { all_pixels(c, &(layer){LAYER(2), .p = c->buf[4], .r = c->buf[1]}); }

#endif
