/* SPDX-License-Identifier: Apache-2.0
 *
 * codes - from numbers to codes and back.
 */
#include "enc/codes.h"

#include <stdlib.h>

cop_status cop__codes_alloc(cop_codes *c, cop_ctx *cx, int32_t rows, int32_t cols)
{
	*c = (cop_codes){.rows = rows, .cols = cols};
	c->code = cop__alloc(cx, (size_t)cop__codes_count(c) + 1);
	return c->code ? COP_OK : COP_NOMEM;
}

void cop__codes_free(cop_codes *c, cop_ctx *cx)
{
	cop__free(cx, c->code);
	cop__free(cx, c->value);
	cop__free(cx, c->books);
	*c = (cop_codes){0};
}

/* Ascending as numbers; by bits, so that NaN has a place too. */
static uint32_t order(uint32_t u)
{
	return u >> 31 ? ~u : u | 0x80000000u;
}

/* A table of the different values, open addressing. */
enum { SLOTS = 1024 };
typedef struct levels {
	uint32_t key[SLOTS];
	uint8_t used[SLOTS], code[SLOTS];
	int n;
} levels;

static int slot_of(const levels *l, uint32_t u)
{
	uint32_t i = (u * 2654435761u) >> 22;
	while (l->used[i] && l->key[i] != u) i = (i + 1) % SLOTS;
	return (int)i;
}

static int by_order(const void *a, const void *b)
{
	uint32_t x, y;
	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	return (order(x) > order(y)) - (order(x) < order(y));
}

/* Fills the codebook; false when there are too many different values. */
static bool find_levels(levels *l, cop_codes *c, const float *w)
{
	int64_t count = cop__codes_count(c);

	memset(l, 0, sizeof *l);
	for (int64_t i = 0; i < count; i++) {
		uint32_t u = cop__bits_of(w[i]);
		if (!u) continue;
		int s = slot_of(l, u);
		if (l->used[s]) continue;
		if (++l->n == COP_MAX_LEVELS) return false;
		l->used[s] = 1;
		l->key[s] = u;
		memcpy(&c->codebook[l->n], &u, 4);
	}
	qsort(c->codebook + 1, (size_t)l->n, sizeof *c->codebook, by_order);
	c->codebook[0] = 0;
	c->levels = l->n + 1;
	for (int i = 1; i < c->levels; i++) l->code[slot_of(l, cop__bits_of(c->codebook[i]))] = (uint8_t)i;
	return true;
}

static cop_status keep_values(cop_codes *c, cop_ctx *cx, const float *w)
{
	int64_t count = cop__codes_count(c), n = 0;

	c->levels = 0;
	for (int64_t i = 0; i < count; i++) n += c->code[i] = cop__bits_of(w[i]) != 0;
	if (!(c->value = cop__alloc(cx, sizeof *c->value * (size_t)n + 1))) return COP_NOMEM;
	for (int64_t i = 0; i < count; i++)
		if (c->code[i]) c->value[c->n_value++] = w[i];
	return COP_OK;
}

cop_status cop__codes_of_dense(cop_codes *out, cop_ctx *cx, const float *w, int32_t rows, int32_t cols)
{
	levels *l = cop__alloc(cx, sizeof *l);
	cop_status st = l ? cop__codes_alloc(out, cx, rows, cols) : COP_NOMEM;

	if (!st && find_levels(l, out, w)) {
		for (int64_t i = 0; i < cop__codes_count(out); i++) {
			uint32_t u = cop__bits_of(w[i]);
			out->code[i] = u ? l->code[slot_of(l, u)] : 0;
		}
	} else if (!st && (st = keep_values(out, cx, w))) {
		cop__codes_free(out, cx);
	}
	cop__free(cx, l);
	return st;
}

cop_status cop__grouped_codes(cop_codes *out, cop_ctx *cx, const float *w, int32_t rows, int32_t cols, int32_t per)
{
	COP_TRY(cop__codes_alloc(out, cx, rows, cols));
	out->per = per;
	const int32_t n = cop__books_n(out);
	float (*book)[COP_MAX_LEVELS] = cop__alloc(cx, sizeof *book * (size_t)n);
	cop_status st = book ? COP_OK : COP_NOMEM;
	int32_t most = 1;

	for (int32_t b = 0; !st && most && b < n; b++) {
		const int64_t at = (int64_t)b * per * cols;
		cop_codes c;
		if ((st = cop__codes_of_dense(&c, cx, w + at, COP_MIN(per, rows - b * per), cols))) break;
		memcpy(out->code + at, c.code, (size_t)cop__codes_count(&c));
		memcpy(book[b], c.codebook, sizeof c.codebook);
		most = c.levels ? COP_MAX(most, c.levels) : 0;
		cop__codes_free(&c, cx);
	}
	out->levels = most;
	if (!st && !(out->books = cop__alloc(cx, sizeof *out->books * (size_t)n * (size_t)(most + 1)))) st = COP_NOMEM;
	for (int32_t b = 0; !st && b < n; b++) memcpy(out->books + (size_t)b * (size_t)most, book[b], sizeof **book * (size_t)most);
	cop__free(cx, book);
	if (st) cop__codes_free(out, cx);
	return st;
}

void cop__dense_of_codes(float *w, const cop_codes *c)
{
	int64_t at = 0;

	for (int32_t r = 0; r < c->rows; r++) {
		const float *book = cop__book_of(c, r);
		const uint8_t *code = c->code + (int64_t)r * c->cols;
		for (int32_t i = 0; i < c->cols; i++) {
			if (c->levels) *w++ = book[code[i]];
			else *w++ = code[i] ? c->value[at++] : 0;
		}
	}
}
