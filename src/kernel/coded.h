/* SPDX-License-Identifier: Apache-2.0
 *
 * coded.h - weights of bytes as a device has them in flash when they are coded, and how they are decoded before a layer
 * runs. The code is a table of asymmetric numeral systems (tANS: Duda 2013, arXiv 1311.2540), with the frequencies of
 * this weight alone.
 *
 *   u32 count            symbols of the image; with CODED_PAIRS an even number, two of which make a half (below)
 *   u8  log              the table has 2^log entries, CODED_LOG at most
 *   i8  first            the least symbol
 *   u16 n                frequencies that follow, of first, first + 1, ..., 256 at most
 *   u8  frequency[n]     they add up to 2^log; 255: the next two bytes are the frequency
 *   u8  0 or 1 of them   to an even place
 *   u16 bits[]           the first state, log bits, then what each symbol takes; from the low bits up. Two halves more than are needed
 *
 * A state is an entry of the table: a symbol, and what the next state is: base + the next `bits` bits.
 *
 * Pairs: kernels for Arm's DSP instructions want two weights a and b as one int16, 256 b + a (cortexm/dsp.h), whose
 * upper byte depends on the sign of a. So a and b are what is coded, and the halves are put together here.
 */
#ifndef COP_CODED_H
#define COP_CODED_H

#include "kernel/kernel.h"

enum { CODED_LOG = 10, CODED_SYMBOLS = 256, CODED_MOST = 1 << 27, CODED_PAIRS = 1 << 30 };

typedef struct cop_coded_head { uint32_t count; uint8_t log; int8_t first; uint16_t n; } cop_coded_head;

/* Bytes of scratch that decoding needs. */
static inline size_t cop_coded_work(const cop_coded_head *h)
{
	return ((size_t)4 << h->log) + (2 * (size_t)h->n + 3) / 4 * 4;
}

/* Writes the image that `code` holds to `to`; both lie at whole words. */
void cop_uncode(const void *code, void *to, void *work);
void cop_uncode_dsp(const void *code, void *to, void *work); /* for Cortex-M with DSP instructions; the same bytes */

/* An entry: bits | symbol << 8 | base << 16. at: the next bit. */
typedef struct cop_coded_read { const uint32_t *entry; const uint16_t *bits; uint32_t at, state; } cop_coded_read;

/* The next n bits, 16 at most. */
static inline uint32_t cop_coded_take(cop_coded_read *r, uint32_t n)
{
	const uint16_t *p = r->bits + (r->at >> 4);
	uint32_t v = (p[0] | (uint32_t)p[1] << 16) >> (r->at & 15);

	r->at += n;
	return v & ((1u << n) - 1);
}

/* The place of the highest bit that is set. */
static inline uint32_t cop_coded_top(uint32_t k)
{
#if defined(__GNUC__)
	return 31 - (uint32_t)__builtin_clz(k);
#else
	uint32_t top = 0;
	while (k >> top > 1) top++;
	return top;
#endif
}

/* Entries in steps that reach every one of them, as in Collet's FSE. */
static inline uint32_t cop_coded_after(uint32_t at, uint32_t size)
{
	return (at + (size >> 1) + (size >> 3) + 3) & (size - 1);
}

/* Symbols over the table, as many entries each as their frequency says, in steps that reach every entry (as in Collet's
 * FSE); then the k-th entry of a symbol, counted from its frequency on, says by its size how many bits bring the state
 * back into the table. */
static inline cop_coded_read cop_coded_begin(const void *code, void *work)
{
	const cop_coded_head *h = (const cop_coded_head *)code;
	const uint8_t *p = (const uint8_t *)(h + 1);
	uint32_t *entry = (uint32_t *)work, size = 1u << h->log, at = 0;
	uint16_t *next = (uint16_t *)(entry + size);

	for (uint32_t i = 0; i < h->n; i++) {
		uint32_t f = *p++;
		if (f == 255) f = p[0] | (uint32_t)p[1] << 8, p += 2;
		next[i] = (uint16_t)f;
		for (; f; f--, at = cop_coded_after(at, size)) entry[at] = i;
	}
	for (uint32_t i = 0; i < size; i++) {
		uint32_t s = entry[i], k = next[s]++, bits = h->log - cop_coded_top(k);
		entry[i] = bits | ((s + (uint32_t)h->first) & 255) << 8 | ((k << bits) - size) << 16;
	}
	p += (uintptr_t)p & 1;
	cop_coded_read r = {entry, (const uint16_t *)(const void *)p, 0, 0};
	r.state = cop_coded_take(&r, h->log);
	return r;
}

static inline int32_t cop_coded_next(cop_coded_read *r)
{
	uint32_t e = r->entry[r->state];

	r->state = (e >> 16) + cop_coded_take(r, e & 255);
	return (int8_t)(e >> 8);
}

static inline void cop_coded_all(const void *code, void *to, void *work)
{
	cop_coded_read r = cop_coded_begin(code, work);
	uint32_t n = ((const cop_coded_head *)code)->count;
	int8_t *y = (int8_t *)to;
	int16_t *half = (int16_t *)to;

	for (; n && n < CODED_PAIRS; n--) *y++ = (int8_t)cop_coded_next(&r);
	for (n &= CODED_PAIRS - 1; n; n -= 2) {
		int32_t a = cop_coded_next(&r);
		*half++ = (int16_t)(256 * cop_coded_next(&r) + a);
	}
}

#endif
