/* SPDX-License-Identifier: Apache-2.0
 *
 * bits.h - bits (first bit highest) and variable-length numbers, written to a text buffer and read from bytes
 * that may end anywhere: past the end come zeros, and `cop__bits_over` tells.
 */
#ifndef COP_IO_BITS_H
#define COP_IO_BITS_H

#include "core/core.h"

typedef struct cop_bits_out {
	cop_text *t;
	uint32_t acc;
	int n;
} cop_bits_out;

static inline void cop__bits_put(cop_bits_out *o, uint32_t v, int n) /* n <= 16 */
{
	o->acc = o->acc << n | v;
	for (o->n += n; o->n >= 8; o->n -= 8) {
		uint8_t b = (uint8_t)(o->acc >> (o->n - 8));
		cop__text_bytes(o->t, &b, 1);
	}
}
static inline void cop__bits_flush(cop_bits_out *o)
{
	if (o->n) cop__bits_put(o, 0, 8 - o->n);
}

typedef struct cop_bits_in {
	const uint8_t *p;
	size_t len, at;
	uint64_t acc, used;
	int n;
} cop_bits_in;

static inline uint32_t cop__bits_peek(cop_bits_in *i, int n) /* n <= 32 */
{
	while (i->n < n) {
		i->acc = i->acc << 8 | (i->at < i->len ? i->p[i->at] : 0);
		i->at++;
		i->n += 8;
	}
	return (uint32_t)(i->acc >> (i->n - n) & ((1ull << n) - 1));
}
static inline void cop__bits_skip(cop_bits_in *i, int n)
{
	i->n -= n, i->used += (uint64_t)n;
}
static inline uint32_t cop__bits_get(cop_bits_in *i, int n)
{
	uint32_t v = cop__bits_peek(i, n);
	cop__bits_skip(i, n);
	return v;
}
static inline bool cop__bits_over(const cop_bits_in *i)
{
	return i->used > (uint64_t)i->len * 8;
}

/* Elias gamma: v >= 1 as (bits-1) zeros and then its bits. */
static inline void cop__gamma_put(cop_bits_out *o, uint32_t v)
{
	int n = 32 - __builtin_clz(v);
	for (int i = 1; i < n; i++) cop__bits_put(o, 0, 1);
	for (int i = n - 1; i >= 0; i--) cop__bits_put(o, v >> i & 1, 1);
}
static inline uint32_t cop__gamma_get(cop_bits_in *i) /* 0 if it is longer than 31 bits */
{
	int n = 0;
	while (n < 31 && !cop__bits_get(i, 1)) n++;
	if (n == 31) return 0;
	return 1u << n | (n ? cop__bits_get(i, n) : 0);
}

/* Seven bits a byte, low ones first; the high bit says that more follow. */
static inline void cop__var_put(cop_text *t, uint32_t v)
{
	uint8_t b;
	for (; v >= 128; v >>= 7) b = (uint8_t)(v | 128), cop__text_bytes(t, &b, 1);
	b = (uint8_t)v;
	cop__text_bytes(t, &b, 1);
}
static inline bool cop__var_get(const uint8_t **p, const uint8_t *end, uint32_t *v)
{
	*v = 0;
	for (int shift = 0; *p < end && shift < 35; shift += 7) {
		uint8_t b = *(*p)++;
		if (shift == 28 && b > 15) return false;
		*v |= (uint32_t)(b & 127) << shift;
		if (b < 128) return true;
	}
	return false;
}

#endif
