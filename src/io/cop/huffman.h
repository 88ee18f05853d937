/* SPDX-License-Identifier: Apache-2.0
 *
 * huffman.h - canonical Huffman codes over at most 256 symbols. Only the lengths are stored.
 * A stream of one symbol takes no bits at all.
 */
#ifndef COP_IO_HUFFMAN_H
#define COP_IO_HUFFMAN_H

#include "io/cop/bits.h"

enum { COP_HUFF_BITS = 12, COP_HUFF_SYMBOLS = 256 }; /* longest code word: the decoder looks it up in one step */

typedef struct cop_huff {
	uint8_t len[COP_HUFF_SYMBOLS]; /* 0: the symbol does not occur */
	uint16_t code[COP_HUFF_SYMBOLS];
	uint16_t look[1 << COP_HUFF_BITS]; /* symbol << 4 | length, by the next bits; for the decoder */
	int n, only;                       /* symbols; the only one there is, or -1 */
} cop_huff;

/* Lengths and codes from how often each of n symbols occurs. */
void cop__huff_build(cop_huff *h, const uint32_t *freq, int n);
int cop__huff_table_bits(const cop_huff *h);
void cop__huff_put_table(cop_bits_out *o, const cop_huff *h);
/* Reads a table of n symbols and prepares decoding; false unless it is a whole prefix code. */
bool cop__huff_get_table(cop_huff *h, cop_bits_in *i, int n);

static inline int cop__huff_bits(const cop_huff *h, int symbol)
{
	return h->only >= 0 ? 0 : h->len[symbol];
}
static inline void cop__huff_put(cop_bits_out *o, const cop_huff *h, int symbol)
{
	if (h->only < 0) cop__bits_put(o, h->code[symbol], h->len[symbol]);
}
static inline int cop__huff_get(cop_bits_in *i, const cop_huff *h)
{
	if (h->only >= 0) return h->only;
	uint16_t e = h->look[cop__bits_peek(i, COP_HUFF_BITS)];
	cop__bits_skip(i, e & 15);
	return e >> 4;
}

#endif
