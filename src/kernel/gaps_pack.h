/* SPDX-License-Identifier: Apache-2.0
 *
 * gaps_pack.h - how rows of gaps.h are put together. Runs where the plan is made; not shipped to devices.
 */
#ifndef COP_GAPS_PACK_H
#define COP_GAPS_PACK_H

#include "kernel/gaps.h"

typedef struct cop_form {
	int32_t of, unit;                                   /* weights of an element: 1 or COP_GROUP; bytes of its staged input */
	int32_t (*place)(int32_t n, int32_t i, int32_t j);  /* where i and j of a row's n elements stand side by side, in units; -1: nowhere. NULL: no pairs */
	int32_t pairs_cost, singles_cost;                   /* of a step, in any unit; 0: all elements go into pairs */
	int32_t head;                                       /* words before a row: the number of its steps, and a kernel's own */
} cop_form;

/* A row while it is counted and, if there is somewhere to put them, its steps are written. */
typedef struct cop_form_row {
	const cop_form *f;
	const int8_t *w;
	int32_t n, alone;            /* elements; single ones to put into pairs, with zeros */
	int32_t pairs, singles, end; /* so far; end: from where the next gap counts */
	uint8_t *pair_to, *single_to;
} cop_form_row;

static inline int32_t cop_form_words(const cop_form *f) { return f->of == 1 ? COP_GAP_WORDS : COP_GROUP_WORDS; }
static inline int32_t cop_form_pairs(const cop_form *f) { return f->of == 1 ? COP_GAP_PAIRS : COP_GROUP_PAIRS; }
static inline int32_t cop_form_singles(const cop_form *f) { return f->of == 1 ? COP_GAP_STEP : COP_GROUPS; }
static inline int32_t cop_steps_of(int32_t n, int32_t whole) { return (n + whole - 1) / whole; }

/* The weights of an element; -1: zeros. */
static inline void cop_form_bytes(uint8_t *to, const cop_form_row *r, int32_t element)
{
	for (int32_t i = 0; i < r->f->of; i++) to[i] = element < 0 ? 0 : (uint8_t)r->w[element * r->f->of + i];
}

/* Elements i and j, whose inputs begin at unit `at`. */
static inline void cop_put_pair(cop_form_row *r, int32_t at, int32_t i, int32_t j)
{
	int32_t whole = cop_form_pairs(r->f), number = r->pairs++, p = number % whole, byte = at * r->f->unit, one = r->f->of == 1;

	if (!r->pair_to) return;
	uint8_t *step = r->pair_to + number / whole * cop_form_words(r->f) * 4;
	uint8_t *weights = step + (one ? p / 2 * 8 + p % 2 : 4 + 8 * p), *where = step + (one ? p / 2 * 8 + 4 + p % 2 * 2 : 2 * p);
	cop_form_bytes(weights, r, i);
	cop_form_bytes(weights + (one ? 2 : COP_GROUP), r, j);
	where[0] = (uint8_t)byte;
	where[1] = (uint8_t)(byte >> 8);
}

static inline void cop_put_single(cop_form_row *r, int32_t gap, int32_t i)
{
	int32_t whole = cop_form_singles(r->f), number = r->singles++, s = number % whole, one = r->f->of == 1;

	if (!r->single_to) return;
	uint8_t *step = r->single_to + number / whole * cop_form_words(r->f) * 4;
	cop_form_bytes(step + (one ? 2 * s : COP_GROUP * (1 + s)), r, i);
	step[one ? 2 * s + 1 : s] = (uint8_t)(gap * r->f->unit);
}

static inline void cop_put_alone(cop_form_row *r, int32_t i)
{
	int32_t most = 255 / r->f->unit, behind = r->f->of > 1;
	int32_t after = r->f->place && i + 1 < r->n ? r->f->place(r->n, i, i + 1) : -1, before = r->f->place && i ? r->f->place(r->n, i - 1, i) : -1;

	if (r->alone && (after >= 0 || before >= 0)) {
		r->alone--;
		if (after >= 0) cop_put_pair(r, after, i, -1);
		else cop_put_pair(r, before, -1, i);
		return;
	}
	for (; i - r->end > most; r->end += most + behind) cop_put_single(r, most, -1);
	cop_put_single(r, i - r->end, i);
	r->end = i + behind;
}

/* The first element from i on that is not zero, or n. */
static inline int32_t cop_form_next(const cop_form_row *r, int32_t i)
{
	for (; i < r->n; i++)
		for (int32_t j = 0; j < r->f->of; j++)
			if (r->w[i * r->f->of + j]) return i;
	return i;
}

static inline void cop_form_walk(cop_form_row *r)
{
	for (int32_t i = cop_form_next(r, 0), j; i < r->n; i = j) {
		j = cop_form_next(r, i + 1);
		int32_t at = r->f->place && j < r->n ? r->f->place(r->n, i, j) : -1;
		if (at < 0) cop_put_alone(r, i);
		else cop_put_pair(r, at, i, j), j = cop_form_next(r, j + 1);
	}
}

/* Counts a row of n weights. As many of its single elements stand in pairs as take the least time. */
static inline cop_form_row cop_form_count(const cop_form *f, const int8_t *w, int32_t n)
{
	const cop_form_row none = {f, w, n / f->of, 0, 0, 0, 0, NULL, NULL};
	cop_form_row r = none;
	int32_t best = 0;
	int64_t least = INT64_MAX;

	cop_form_walk(&r);
	for (int32_t alone = 0; f->place && alone <= r.singles; alone++) {
		int64_t cost = (int64_t)cop_steps_of(r.pairs + alone, cop_form_pairs(f)) * f->pairs_cost + (int64_t)cop_steps_of(r.singles - alone, cop_form_singles(f)) * f->singles_cost;
		if (cost < least || !f->singles_cost) least = cost, best = alone;
	}
	if (best) {
		r = none;
		r.alone = best;
		cop_form_walk(&r);
	}
	r.alone = best;
	r.pairs = cop_steps_of(r.pairs, cop_form_pairs(f));
	r.singles = cop_steps_of(r.singles, cop_form_singles(f));
	return r;
}

/* All steps of rows x n weights; *cost, if given: what they take. */
static inline int64_t cop_form_steps(const cop_form *f, const int8_t *w, int32_t rows, int32_t n, int64_t *cost)
{
	int64_t steps = 0;

	if (cost) *cost = 0;
	for (int32_t r = 0; r < rows; r++) {
		cop_form_row row = cop_form_count(f, w + (int64_t)r * n, n);
		steps += row.pairs + row.singles;
		if (cost) *cost += (int64_t)row.pairs * f->pairs_cost + (int64_t)row.singles * f->singles_cost;
	}
	return steps;
}

static inline size_t cop_form_size(const cop_form *f, int32_t rows, int64_t steps)
{
	return (size_t)rows * (size_t)f->head * 4 + (size_t)steps * (size_t)cop_form_words(f) * 4;
}

static inline void cop_form_pack(const cop_form *f, void *pack, const int8_t *w, int32_t rows, int32_t n)
{
	uint8_t *to = pack;

	for (int32_t i = 0; i < rows; i++, w += n) {
		cop_form_row r = cop_form_count(f, w, n);
		int32_t step = cop_form_words(f) * 4, pairs = r.pairs, all = pairs + r.singles;
		*(uint32_t *)(void *)to = (uint32_t)pairs | (uint32_t)all << 16;
		to += 4 * f->head;
		for (int32_t j = 0; j < all * step; j++) to[j] = 0;
		r = (cop_form_row){f, w, n / f->of, r.alone, 0, 0, 0, to, to + pairs * step};
		cop_form_walk(&r);
		to += all * step;
	}
}

#endif
