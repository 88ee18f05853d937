/* SPDX-License-Identifier: Apache-2.0
 *
 * huffman - canonical Huffman codes (Huffman 1952; numbered by length, then symbol). The table in a file holds
 * one length a symbol, each told by how it differs from the one before: neighbours are mostly alike.
 *
 *   0 the same   10 one more   110 one less   111 + 4 bits: that length
 */
#include "io/cop/huffman.h"

/* The index of the rarest node that is still a root, other than `not`. */
static int rarest(const uint64_t *weight, const int *parent, int n, int not )
{
	int best = -1;

	for (int i = 0; i < n; i++)
		if (weight[i] && parent[i] < 0 && i != not &&(best < 0 || weight[i] < weight[best])) best = i;
	return best;
}

/* Lengths of the unlimited code; returns the longest. */
static int tree(uint8_t *len, const uint64_t *freq, int n)
{
	uint64_t weight[2 * COP_HUFF_SYMBOLS];
	int parent[2 * COP_HUFF_SYMBOLS], nodes = n, longest = 0;

	memcpy(weight, freq, sizeof *freq * (size_t)n);
	for (int i = 0; i < 2 * COP_HUFF_SYMBOLS; i++) parent[i] = -1;
	for (;;) {
		int a = rarest(weight, parent, nodes, -1), b = a < 0 ? -1 : rarest(weight, parent, nodes, a);
		if (b < 0) break;
		parent[a] = parent[b] = nodes;
		weight[nodes++] = weight[a] + weight[b];
	}
	for (int i = 0; i < n; i++) {
		int d = 0;
		for (int p = parent[i]; p >= 0; p = parent[p]) d++;
		len[i] = (uint8_t)COP_MIN(d, 255);
		longest = COP_MAX(longest, d);
	}
	return longest;
}

static void number(cop_huff *h)
{
	uint16_t code = 0;

	for (int l = 1; l <= COP_HUFF_BITS; l++, code = (uint16_t)(code << 1))
		for (int i = 0; i < h->n; i++)
			if (h->len[i] == l) h->code[i] = code++;
}

/* Too long a code is shortened by making the frequencies more alike; the loss is far below a percent. */
void cop__huff_build(cop_huff *h, const uint32_t *freq, int n)
{
	uint64_t f[COP_HUFF_SYMBOLS];
	int used = 0;

	memset(h, 0, sizeof *h);
	h->n = n;
	h->only = -1;
	for (int i = 0; i < n; i++) {
		f[i] = freq[i];
		if (f[i]) h->only = i, used++;
	}
	if (used < 2) {
		h->only = COP_MAX(h->only, 0);
		h->len[h->only] = 1;
		return;
	}
	h->only = -1;
	while (tree(h->len, f, n) > COP_HUFF_BITS)
		for (int i = 0; i < n; i++) f[i] = f[i] ? f[i] / 2 + 1 : 0;
	number(h);
}

enum { FIRST_LENGTH = 4 };

static int step_bits(int from, int to)
{
	return to == from ? 1 : to == from + 1 ? 2 : to == from - 1 ? 3 : 7;
}

int cop__huff_table_bits(const cop_huff *h)
{
	int bits = 0, last = FIRST_LENGTH;

	for (int i = 0; i < h->n; last = h->len[i++]) bits += step_bits(last, h->len[i]);
	return bits;
}

void cop__huff_put_table(cop_bits_out *o, const cop_huff *h)
{
	int last = FIRST_LENGTH;

	for (int i = 0; i < h->n; last = h->len[i++]) {
		switch (step_bits(last, h->len[i])) {
		case 1:
			cop__bits_put(o, 0, 1);
			break;
		case 2:
			cop__bits_put(o, 2, 2);
			break;
		case 3:
			cop__bits_put(o, 6, 3);
			break;
		default:
			cop__bits_put(o, 7u << 4 | h->len[i], 7);
		}
	}
}

static bool get_lengths(cop_huff *h, cop_bits_in *i)
{
	int last = FIRST_LENGTH;

	for (int s = 0; s < h->n; s++) {
		if (!cop__bits_get(i, 1)) last += 0;
		else if (!cop__bits_get(i, 1)) last++;
		else if (!cop__bits_get(i, 1)) last--;
		else last = (int)cop__bits_get(i, 4);
		if (last < 0 || last > COP_HUFF_BITS || cop__bits_over(i)) return false;
		h->len[s] = (uint8_t)last;
	}
	return true;
}

bool cop__huff_get_table(cop_huff *h, cop_bits_in *i, int n)
{
	uint32_t room = 0;
	int used = 0;

	memset(h, 0, sizeof *h);
	h->n = n;
	h->only = -1;
	if (n < 1 || n > COP_HUFF_SYMBOLS || !get_lengths(h, i)) return false;
	for (int s = 0; s < n; s++) {
		if (!h->len[s]) continue;
		room += 1u << (COP_HUFF_BITS - h->len[s]);
		h->only = s;
		used++;
	}
	if (used == 1) return h->len[h->only] == 1;
	h->only = -1;
	if (room != 1u << COP_HUFF_BITS) return false; /* also when there is no symbol at all */
	number(h);
	for (int s = 0; s < n; s++) {
		int spare = COP_HUFF_BITS - h->len[s];
		if (!h->len[s]) continue;
		for (uint32_t k = 0; k < 1u << spare; k++)
			h->look[((uint32_t)h->code[s] << spare) + k] = (uint16_t)(s << 4 | h->len[s]);
	}
	return true;
}
