/* SPDX-License-Identifier: Apache-2.0
 *
 * filters.h - how the dense kernels for Cortex-M have their weights: two filters in the halves of each 16 bits, so that one multiplication is of both.
 * Packed where the plan is made; weights that change, on the device before each call (pack8.c).
 */
#ifndef COP_FILTERS_H
#define COP_FILTERS_H

#include "kernel/cortexm/dsp.h"

typedef int32_t weight_of(const void *w, int32_t i);

/* Words of a window, rounded up to what the kernel's inner loop takes: 2, fully connected 4. */
static inline int32_t window_words(const int32_t *k, int32_t whole) { return (k[CK_KH] * cop_run_words(k[CK_KW] * (k[CK_C] / k[CK_G])) + whole - 1) & -whole; }

/* The tap of a run that half `half` of word `word` holds, or -1. */
static inline int32_t tap_of(int32_t run, int32_t word, int32_t half)
{
	int32_t four = word / 2 * 4, odd = word % 2, rest = run - four;

	if (rest == 2 && !odd) return four + half;
	return odd + 2 * half < rest ? four + odd + 2 * half : -1;
}

/* o_n: of a group */
typedef struct filters { const void *w; weight_of *get; int32_t o_n, kh, kw, c_n, c_run, run; } filters;

/* Of filter o of a group that begins with filter `first`. */
static inline int32_t weight_at(const filters *f, int32_t first, int32_t o, int32_t line, int32_t tap)
{
	if (o >= f->o_n || tap < 0) return 0;
	return f->get(f->w, (((first + o) * f->kh + line) * f->kw + tap / f->c_n) * f->c_run + tap % f->c_n);
}

/* How every second filter's sum can be taken from differences. */
static inline uint32_t exactness(const filters *f, int32_t to)
{
	uint32_t kind = PACK_EXACT;

	for (int32_t o = 0; o < to; o++) {
		int64_t most = 0;
		for (int32_t i = 0; o % f->o_n % 2 && i < f->kh * f->run; i++) {
			int32_t w = weight_at(f, o, 0, i / f->run, i % f->run);
			if (w == -128) return 0;
			most += w < 0 ? -w : w;
		}
		if (most > 65535) kind = PACK_PARTS; /* times 128: beyond 23 bits and a sign */
	}
	return kind;
}

/* Filters o and o + 1 of a group. */
static inline uint32_t *pack_pair(uint32_t *to, const filters *f, int32_t first, int32_t o, bool add)
{
	int32_t words = cop_run_words(f->run);

	for (int32_t i = 0; i < f->kh * words; i++) {
		uint32_t word = 0;
		for (int32_t half = 0; half < 2; half++) {
			int32_t tap = tap_of(f->run, i % words, half), a = weight_at(f, first, o, i / words, tap), b = weight_at(f, first, o + 1, i / words, tap);
			word |= ((uint32_t)(b * 256 + (add ? a : a & 255)) & 0xffff) << (16 * half);
		}
		*to++ = word;
	}
	return to;
}

/* Weights as they are in bytes, `each` of them. */
static inline filters filters_of(const cop_call *c, weight_of *get, int32_t each)
{
	const int32_t *k = c->k, c_n = k[CK_C] / k[CK_G];
	return (filters){c->buf[2], get, k[CK_O] / k[CK_G], k[CK_KH], k[CK_KW], c_n, (c_n + each - 1) & -each, k[CK_KW] * c_n};
}

static inline void pack_dense(const cop_call *c, filters f, int32_t whole)
{
	const int32_t *k = c->k;
	uint32_t *to = c->work, kind = exactness(&f, k[CK_O]);
	int32_t rest = window_words(k, whole) - f.kh * cop_run_words(f.run);

	*to++ = kind;
	for (int32_t first = 0; first < k[CK_O]; first += f.o_n)
		for (int32_t o = 0; o < f.o_n; o += 2) {
			to = pack_pair(to, &f, first, o, kind);
			for (int32_t i = 0; i < rest; i++) *to++ = 0;
		}
}

#endif
