/* SPDX-License-Identifier: Apache-2.0
 *
 * bconv - convolution of bits with vectors: a lane of 64 bits belongs to an output, so that no sum runs across lanes. A
 * window is staged as one line of words; where it lies so in the input, it is read there. What a line has beyond its bits
 * is 0 there and in the weights, and does not differ.
 *
 * AVX-512 counts ones itself (VPOPCNTDQ). AVX2 looks halves of bytes up and adds the counts as bytes, for as many words as
 * a byte can hold.
 */
#include "kernel/qvec/qvec.h"

#if defined(QPLAIN) || defined(__AVX512VPOPCNTDQ__) || (defined(__AVX2__) && PAIRS && VW == 8)

#if defined(__AVX512VPOPCNTDQ__) || defined(QPLAIN)
enum { LANES = 8, MOST_P = 4, MOST_V = 4, RUN = 1 << 30 };
#else
enum { LANES = 4, MOST_P = 2, MOST_V = 1, RUN = 31 };
#endif
enum { PANEL_O = 8, PARTS_O = PANEL_O / LANES, BLOCK = 128 }; /* outputs of a panel, vectors of one; pixels that are staged at once */

typedef uint64_t vq __attribute__((vector_size(LANES * 8)));
typedef uint64_t vqu __attribute__((vector_size(LANES * 8), aligned(8), may_alias));
typedef uint64_t wordu __attribute__((aligned(1), may_alias));
typedef int32_t v8 __attribute__((vector_size(32)));
typedef int32_t v8u __attribute__((vector_size(32), aligned(4), may_alias));

/* Adds how many bits differ to counts that `settle` adds up. */
#if defined(QPLAIN)
AI vq differ(vq counts, uint64_t x, vq w)
{
	for (int i = 0; i < LANES; i++) counts[i] += (uint64_t)__builtin_popcountll(x ^ w[i]);
	return counts;
}
AI vq settle(vq total, vq counts) { return total + counts; }
#elif defined(__AVX512VPOPCNTDQ__)
AI vq differ(vq counts, uint64_t x, vq w)
{
	return counts + (vq)_mm512_popcnt_epi64(_mm512_xor_si512(_mm512_set1_epi64((long long)x), (__m512i)w));
}
AI vq settle(vq total, vq counts) { return total + counts; }
#else
AI vq differ(vq counts, uint64_t x, vq w)
{
	const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i half = _mm256_set1_epi8(15);
	__m256i d = _mm256_xor_si256(_mm256_set1_epi64x((long long)x), (__m256i)w);
	__m256i low = _mm256_shuffle_epi8(ones, _mm256_and_si256(d, half));
	__m256i high = _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(d, 4), half));
	return (vq)_mm256_add_epi8((__m256i)counts, _mm256_add_epi8(low, high));
}
AI vq settle(vq total, vq counts) { return total + (vq)_mm256_sad_epu8((__m256i)counts, _mm256_setzero_si256()); }
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

/* Does the input lie as lines do? */
static bool direct(const int32_t *k)
{
	bool all = k[CK_OH] == 1 && k[CK_OW] == 1 && k[CK_KH] == k[CK_H] && k[CK_KW] == k[CK_W] && k[CK_DH] == 1 && k[CK_DW] == 1;
	bool points = k[CK_KH] == 1 && k[CK_KW] == 1 && k[CK_SH] == 1 && k[CK_SW] == 1;
	return k[CK_C] % 64 == 0 && inside(k) && (all || points);
}

/* A border that is not there would not count; the portable kernel knows how. */
bool VN(bconv_fits)(const int32_t *k) { return k[BC_FILL] || inside(k); }
size_t VN(bconv_work)(const int32_t *k) { return direct(k) ? 0 : (size_t)(BLOCK * words_of(k) * 8 + 64); }

/* [panel][word][output of the panel] */
size_t VN(bconv_pack_bytes)(const int32_t *k) { return (size_t)(panels_of(k) * words_of(k) * PANEL_O * 8); }

void VN(bconv_pack)(const cop_call *c)
{
	const int32_t *k = c->k;
	long words = words_of(k), bytes = line_bytes(k), row = row_bytes(k);
	const int32_t np = (int32_t)panels_of(k);

	for (long q = cop_from(c, np, 1); q < cop_to(c, np, 1); q++) {
		uint8_t *to = (uint8_t *)c->work + q * words * PANEL_O * 8;
		memset(to, 0, (size_t)(words * PANEL_O * 8));
		for (long l = 0; l < PANEL_O && q * PANEL_O + l < k[CK_O]; l++) {
			const uint8_t *w = (const uint8_t *)c->buf[2] + (q * PANEL_O + l) * bytes;
			for (long i = 0; i < bytes; i++)
				to[(i / 8 * PANEL_O + l) * 8 + i % 8] = (uint8_t)(w[i] & (i % row == row - 1 ? last_byte(k) : 255));
		}
	}
}

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

static void stage_pixel(uint8_t *to, const int32_t *k, const uint8_t *x, long p)
{
	long row = row_bytes(k), end = line_bytes(k), oh = p / k[CK_OW] % k[CK_OH], ow = p % k[CK_OW];

	x += p / k[CK_OW] / k[CK_OH] * k[CK_H] * k[CK_W] * row;
	for (long i = 0; i < k[CK_KH]; i++)
		stage_row(to + i * k[CK_KW] * row, k, x, (place){oh * k[CK_SH] - k[CK_PT] + i * k[CK_DH], ow * k[CK_SW] - k[CK_PL]});
	for (; end % 8; end++) to[end] = 0;
}

/* ---- sums ---- */

typedef struct layer {
	const int32_t *k, *t; /* t: bounds, or NULL */
	const uint8_t *x;     /* lines */
	const uint64_t *w;
	void *y;
	long words, n;
} layer;

AI vq load_q(const uint64_t *p) { return (vq)*(const vqu *)p; }

/* np pixels by nv panels. */
AI void tile(const int np, const int nv, vq *total, const layer *l, const uint8_t *x, const uint64_t *w)
{
	const long line = l->words * 8, pitch = l->words * PANEL_O;

	for (int i = 0; i < np * nv * PARTS_O; i++) total[i] = (vq){0};
	for (long from = 0; from < l->words; from += RUN) {
		vq counts[MOST_P * MOST_V * PARTS_O];
		UNROLL
		for (int i = 0; i < np * nv * PARTS_O; i++) counts[i] = (vq){0};
		for (long j = from; j < lmin(l->words, from + RUN); j++) {
			UNROLL
			for (int p = 0; p < np; p++) {
				const uint64_t at = *(const wordu *)(x + p * line + j * 8);
				UNROLL
				for (int v = 0; v < nv * PARTS_O; v++) {
					vq *c = &counts[p * nv * PARTS_O + v];
					*c = differ(*c, at, load_q(w + v / PARTS_O * pitch + j * PANEL_O + v % PARTS_O * LANES));
				}
			}
		}
		UNROLL
		for (int i = 0; i < np * nv * PARTS_O; i++) total[i] = settle(total[i], counts[i]);
	}
}

/* The eight sums of a panel. */
AI v8 sums_of(const vq *total, long n)
{
	typedef int32_t part __attribute__((vector_size(LANES * 4)));
	union { part p[PARTS_O]; v8 v; } u;

	UNROLL
	for (int i = 0; i < PARTS_O; i++) u.p[i] = __builtin_convertvector(total[i], part);
	return (int32_t)n - 2 * u.v;
}

AI unsigned ones_of(v8 mask)
{
#if defined(QPLAIN)
	unsigned bits = 0;
	for (int i = 0; i < 8; i++) bits |= (mask[i] & 1u) << i;
	return bits;
#else
	return (unsigned)_mm256_movemask_ps((__m256)mask);
#endif
}

/* The outputs of panel q for pixel p. */
AI void put_panel(const layer *l, long p, long q, v8 d)
{
	long o_n = l->k[CK_O], o = q * PANEL_O, n = lmin(PANEL_O, o_n - o);

	if (l->t) {
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

AI void pixels(const int np, const int nv, const layer *l, long p, long q, const uint8_t *x)
{
	vq total[MOST_P * MOST_V * PARTS_O];

	tile(np, nv, total, l, x, l->w + q * l->words * PANEL_O);
	UNROLL
	for (int i = 0; i < np; i++) {
		UNROLL
		for (int v = 0; v < nv; v++) put_panel(l, p + i, q + v, sums_of(total + (i * nv + v) * PARTS_O, l->n));
	}
}

/* nv panels from the q-th on, for pixels [p, to) whose lines begin at x. */
AI void block(const int nv, const layer *l, long p, long to, long q, const uint8_t *x)
{
	const long line = l->words * 8;

	for (; p + MOST_P <= to; p += MOST_P, x += MOST_P * line) pixels(MOST_P, nv, l, p, q, x);
	for (; p < to; p++, x += line) pixels(1, nv, l, p, q, x);
}

static NOINLINE void many(const layer *l, long p, long to, long q, const uint8_t *x) { block(MOST_V, l, p, to, q, x); }
static NOINLINE void one(const layer *l, long p, long to, long q, const uint8_t *x) { block(1, l, p, to, q, x); }

static const uint8_t *staged(const cop_call *c, const layer *l, long p, long to)
{
	uint8_t *at = c->work;

	if (direct(l->k)) return l->x + p * l->words * 8;
	for (long i = p; i < to; i++, at += l->words * 8) stage_pixel(at, l->k, l->x, i);
	return c->work;
}

/* Parts are pixels, or, where those are few, panels. */
void VN(bconv)(const cop_call *c)
{
	const int32_t *k = c->k, all = k[CK_N] * k[CK_OH] * k[CK_OW], np = (int32_t)panels_of(k);
	const layer l = {.k = k, .t = c->buf[3], .x = c->buf[1], .w = c->pack, .y = c->buf[0], .words = words_of(k), .n = (long)k[CK_KH] * k[CK_KW] * k[CK_C]};
	bool few = all < 32;
	long p = few ? 0 : cop_from(c, all, MOST_P), end = few ? all : cop_to(c, all, MOST_P);
	long first = few ? cop_from(c, np, 1) : 0, last = few ? cop_to(c, np, 1) : np;

	for (; p < end && first < last; p += BLOCK) {
		long to = lmin(end, p + BLOCK), q = first;
		const uint8_t *x = staged(c, &l, p, to);
		for (; q + MOST_V <= last; q += MOST_V) many(&l, p, to, q, x);
		for (; q < last; q++) one(&l, p, to, q, x);
	}
}

#endif
