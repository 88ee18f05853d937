/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_huffman - the storage of Deep Compression (Han, Mao, Dally 2016): for each kept element its distance to
 * the one before, counted over the whole tensor, and its code, both under canonical Huffman codes. A distance
 * over 2^b is bridged by fillers, entries of code 0 at the largest distance; b is chosen to take the fewest
 * bits. A tensor with few zeros is a stream of codes alone.
 *
 * parameter 0: codes alone; else b. Stream: number of entries (variable length; distances only), table of the
 * codes, table of the distances, then the entries.
 */
#include "io/cop/codec.h"

#include "io/cop/huffman.h"

/* f32 values: the codes are 0 (filler) and 1. */
static int symbols(const cop_codes *c)
{
	return c->levels ? c->levels : 2;
}

int64_t cop__relative_entries(const uint8_t *mask, int64_t count, int bits)
{
	int64_t n = 0, last = -1;

	for (int64_t i = 0; i < count; i++)
		if (mask[i]) n += 1 + ((i - last - 1) >> bits), last = i;
	return n;
}

typedef struct tables {
	cop_huff code, gap;
	int64_t entries;
} tables;

/* The codes for gap width b (0: none); returns the bits of the whole stream. */
static uint64_t measure(tables *t, const cop_codes *c, int b)
{
	uint32_t code[COP_HUFF_SYMBOLS] = {0}, gap[COP_HUFF_SYMBOLS] = {0};
	int64_t last = -1, count = cop__codes_count(c);
	uint64_t bits = 0;

	for (int64_t i = 0; i < count; i++) {
		if (b && !c->code[i]) continue;
		code[c->code[i]]++;
		if (!b) continue;
		uint32_t fillers = (uint32_t)((i - last - 1) >> b);
		gap[(1 << b) - 1] += fillers;
		code[0] += fillers;
		gap[(i - last - 1) & ((1 << b) - 1)]++;
		last = i;
	}
	cop__huff_build(&t->code, code, symbols(c));
	cop__huff_build(&t->gap, gap, 1 << b);
	t->entries = 0;
	for (int s = 0; s < t->code.n; s++)
		t->entries += code[s], bits += (uint64_t)code[s] * (uint64_t)cop__huff_bits(&t->code, s);
	for (int s = 0; b && s < t->gap.n; s++) bits += (uint64_t)gap[s] * (uint64_t)cop__huff_bits(&t->gap, s);
	return bits + (uint64_t)cop__huff_table_bits(&t->code) + (b ? 24 + (uint64_t)cop__huff_table_bits(&t->gap) : 0);
}

static void put_entries(cop_bits_out *o, const tables *t, const cop_codes *c, int b)
{
	int64_t last = -1, count = cop__codes_count(c);

	for (int64_t i = 0; i < count; i++) {
		if (b && !c->code[i]) continue;
		for (; b && (i - last - 1) >> b; last += 1 << b) {
			cop__huff_put(o, &t->gap, (1 << b) - 1);
			cop__huff_put(o, &t->code, 0);
		}
		if (b) cop__huff_put(o, &t->gap, (int)(i - last - 1));
		cop__huff_put(o, &t->code, c->code[i]);
		last = i;
	}
}

cop_status cop__huffman_put(cop_text *out, int *parameter, cop_ctx *cx, const cop_codes *c)
{
	tables *t = cop__alloc(cx, sizeof *t);
	uint64_t least = UINT64_MAX;

	if (!t) return COP_NOMEM;
	for (int b = 0; b <= 8; b++) {
		uint64_t bits = measure(t, c, b);
		if (bits < least) least = bits, *parameter = b;
	}
	measure(t, c, *parameter);
	if (*parameter) cop__var_put(out, (uint32_t)t->entries);
	cop_bits_out o = {.t = out};
	cop__huff_put_table(&o, &t->code);
	if (*parameter) cop__huff_put_table(&o, &t->gap);
	put_entries(&o, t, c, *parameter);
	cop__bits_flush(&o);
	cop__free(cx, t);
	return out->status;
}

/* Entries until the tensor or the stream ends. */
static cop_status get_entries(
        cop_codes *c, cop_ctx *cx, const char *name, const tables *t, cop_bits_in *i, int b, uint32_t entries)
{
	int64_t pos = -1, count = cop__codes_count(c);

	for (uint32_t e = 0; e < entries; e++) {
		pos += b ? cop__huff_get(i, &t->gap) + 1 : 1;
		if (pos >= count)
			return cop__error(cx, COP_FORMAT, "%s: entry %u lies behind the last of %lld elements", name, e,
			        (long long)count);
		c->code[pos] = (uint8_t)cop__huff_get(i, &t->code);
	}
	if (cop__bits_over(i))
		return cop__error(cx, COP_FORMAT, "%s: the code stream ends after %zu bytes, before its last entry",
		        name, i->len);
	return COP_OK;
}

cop_status cop__huffman_get(cop_codes *c, cop_ctx *cx, const char *name, int b, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	uint32_t entries = (uint32_t)cop__codes_count(c);

	if (b > 8 || (b && !cop__var_get(&p, end, &entries)))
		return cop__error(cx, COP_FORMAT, "%s: the number of entries is cut short", name);
	tables *t = cop__alloc(cx, sizeof *t);
	if (!t) return COP_NOMEM;
	cop_bits_in i = {.p = p, .len = (size_t)(end - p)};
	cop_status st = COP_OK;
	if (!cop__huff_get_table(&t->code, &i, symbols(c)) || (b && !cop__huff_get_table(&t->gap, &i, 1 << b)))
		st = cop__error(cx, COP_FORMAT, "%s: a table of code lengths is no prefix code", name);
	if (!st) st = get_entries(c, cx, name, t, &i, b, entries);
	cop__free(cx, t);
	return st;
}
