/* SPDX-License-Identifier: Apache-2.0
 *
 * codes.h - every encoding seen alike, as the coders of files store it: one code for each element, and what the codes
 * stand for.
 */
#ifndef COP_CODES_H
#define COP_CODES_H

#include "graph/graph.h"

enum { COP_MAX_LEVELS = 256, COP_MAX_GAP = 255 };

/* One code for each element, row by row. levels 0: too many different values; code is 1 for a kept element and value
 * lists those in order. per: rows that share a codebook, where groups of rows have one each, in books[rows / per, rounded up][levels]; 0: all share one. */
typedef struct cop_codes {
	int32_t rows, cols, levels;
	float codebook[COP_MAX_LEVELS];
	int32_t per;
	float *books;
	uint8_t *code; /* [rows*cols]; in a SPARSE tensor 0 is the zero */
	float *value;
	int64_t n_value;
} cop_codes;

static inline const float *cop__book_of(const cop_codes *c, int32_t row) { return c->per ? c->books + (int64_t)(row / c->per) * c->levels : c->codebook; }
static inline int32_t cop__books_n(const cop_codes *c) { return c->per ? (c->rows - 1) / c->per + 1 : 1; }
static inline int64_t cop__codes_count(const cop_codes *c) { return (int64_t)c->rows * c->cols; }
cop_status cop__codes_alloc(cop_codes *c, cop_ctx *cx, int32_t rows, int32_t cols);
void cop__codes_free(cop_codes *c, cop_ctx *cx);
/* From dense values: entry 0 is the zero, the others ascend. Zeros of either sign become +0. */
cop_status cop__codes_of_dense(cop_codes *out, cop_ctx *cx, const float *w, int32_t rows, int32_t cols);
/* The same with a codebook for every `per` rows; entries that a group has no use for are 0. levels 0: some group has too many values. */
cop_status cop__grouped_codes(cop_codes *out, cop_ctx *cx, const float *w, int32_t rows, int32_t cols, int32_t per);
void cop__dense_of_codes(float *w, const cop_codes *c);
/* The bits of a number; those of +0 for a zero of either sign. */
static inline uint32_t cop__bits_of(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u << 1 ? u : 0;
}

#endif
