/* SPDX-License-Identifier: Apache-2.0
 *
 * range.h - an adaptive binary range coder. One bit at a time with an estimated probability; the estimate is the
 * mean of a fast and a slow one. The same call codes and decodes, so a model is written once for both ways.
 *
 * The arithmetic is that of LZMA (32-bit range, carry through a run of ff), with 16-bit probabilities.
 */
#ifndef COP_IO_RANGE_H
#define COP_IO_RANGE_H

#include "core/core.h"

typedef struct cop_prob {
	uint16_t fast, slow, seen;
} cop_prob; /* probability of a 1, out of 65536 */

typedef struct cop_range {
	cop_text *out; /* NULL: decoding */
	const uint8_t *p, *end;
	uint64_t low;
	uint32_t range, code, over; /* over: bytes asked for past the end */
	uint32_t pending;           /* ff bytes that a carry may still change, and the one before them */
	uint8_t cache, fast, slow;  /* rates: shifts */
	bool begun;
} cop_range;

/* The cheapest bit takes more than 1/8000 of a byte: so many elements a byte can stand for, and no more. */
enum { COP_RANGE_MOST = 8000 };

/* Shift of an estimate that has seen n: about 1/(n+2), so that it starts as the mean of what was seen. */
static inline int cop__range_rate(uint32_t n)
{
	return 31 - __builtin_clz((n + 2) * 181 >> 7);
}
static inline cop_prob cop__prob(uint32_t p, int seen)
{
	return (cop_prob){(uint16_t)p, (uint16_t)p, (uint16_t)seen};
}

void cop__range_encoder(cop_range *r, cop_text *out, int fast, int slow);
void cop__range_decoder(cop_range *r, const uint8_t *p, size_t len, int fast, int slow);
void cop__range_end(cop_range *r); /* encoder: writes as few bytes as decide the rest */
void cop__range_shift(cop_range *r);
/* Whether the decoder read further than the encoder wrote. */
static inline bool cop__range_over(const cop_range *r)
{
	return r->over > 4;
}

/* Codes `bit` when encoding; returns the bit. */
static inline int cop__range_bit(cop_range *r, cop_prob *q, int bit)
{
	uint32_t p = ((uint32_t)q->fast + q->slow) >> 1, bound = (uint32_t)((uint64_t)r->range * p >> 16);

	if (r->out) {
		if (bit) r->range = bound;
		else r->low += bound, r->range -= bound;
	} else {
		bit = r->code < bound;
		if (bit) r->range = bound;
		else r->code -= bound, r->range -= bound;
	}
	int young = cop__range_rate(q->seen), fast = COP_MIN(young, r->fast), slow = COP_MIN(young, r->slow);
	q->seen = (uint16_t)(q->seen + (q->seen < 1000));
	if (bit) {
		q->fast = (uint16_t)(q->fast + ((65535 - q->fast) >> fast));
		q->slow = (uint16_t)(q->slow + ((65535 - q->slow) >> slow));
	} else {
		q->fast = (uint16_t)(q->fast - (q->fast >> fast));
		q->slow = (uint16_t)(q->slow - (q->slow >> slow));
	}
	while (r->range < 1u << 24) cop__range_shift(r);
	return bit;
}

#endif
