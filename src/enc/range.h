/* SPDX-License-Identifier: Apache-2.0
 *
 * range.h - a binary range coder: one bit at a time, of a probability that is told. The same call codes and decodes, so a model is written once
 * for both ways.
 *
 * The arithmetic is that of LZMA (32-bit range, carry through a run of ff), with 16-bit probabilities.
 */
#ifndef COP_ENC_RANGE_H
#define COP_ENC_RANGE_H

#include "core/core.h"

typedef struct cop_range {
	cop_text *out; /* NULL: decoding */
	const uint8_t *p, *end;
	uint64_t low;
	uint32_t range, code, over; /* over: bytes asked for past the end */
	uint32_t pending;           /* ff bytes that a carry may still change, and the one before them */
	uint8_t cache;
	bool begun;
} cop_range;

/* The cheapest bit takes more than 1/24000 of a byte (mix.h): so many elements a byte can stand for, and no more. */
enum { COP_RANGE_MOST = 24000 };

/* Shift of an estimate that has seen n: about 1/(n+2), so that it starts as the mean of what was seen. */
static inline int cop__range_rate(uint32_t n)
{
	return 31 - __builtin_clz((n + 2) * 181 >> 7);
}

void cop__range_encoder(cop_range *r, cop_text *out);
void cop__range_decoder(cop_range *r, const uint8_t *p, size_t len);
void cop__range_end(cop_range *r); /* encoder: writes as few bytes as decide the rest */
void cop__range_shift(cop_range *r);
/* Whether the decoder read further than the encoder wrote. */
static inline bool cop__range_over(const cop_range *r)
{
	return r->over > 4;
}

/* Codes `bit` when encoding; returns the bit. A 1 takes the part of the range below `bound`, which is neither 0 nor all of it. */
static inline int cop__range_at(cop_range *r, uint32_t bound, int bit)
{
	if (!r->out) bit = r->code < bound;
	if (bit) r->range = bound;
	else if (r->out) r->low += bound, r->range -= bound;
	else r->code -= bound, r->range -= bound;
	while (r->range < 1u << 24) cop__range_shift(r);
	return bit;
}
/* The same, p: of a 1, out of 65536, neither 0 nor all. */
static inline int cop__range_code(cop_range *r, uint32_t p, int bit) { return cop__range_at(r, (uint32_t)((uint64_t)r->range * p >> 16), bit); }

/* Encodes n bits, 16 at most, each as likely 0 as 1. */
static inline void cop__range_plain(cop_range *r, uint32_t value, uint32_t n)
{
	r->range >>= n;
	r->low += (uint64_t)r->range * value;
	while (r->range < 1u << 24) cop__range_shift(r);
}

/* A byte of which nothing is known. */
static inline uint8_t cop__range_byte(cop_range *r, uint8_t b)
{
	int v = 0;
	for (int i = 7; i >= 0; i--) v = 2 * v + cop__range_code(r, 32768, b >> i & 1);
	return (uint8_t)v;
}
/* Seven bits a byte, low ones first. */
static inline uint32_t cop__range_var(cop_range *r, uint32_t v)
{
	uint32_t out = 0;
	for (int shift = 0; shift < 35; shift += 7) {
		uint8_t b = cop__range_byte(r, (uint8_t)((v & 127) | (v > 127 ? 128 : 0)));
		out |= (uint32_t)(b & 127) << (shift & 31);
		v >>= 7;
		if (b < 128) break;
	}
	return out;
}

#endif
