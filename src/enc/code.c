/* SPDX-License-Identifier: Apache-2.0
 *
 * code - an image of a weight, as its kernel reads it, to the form that kernel/coded.h describes. Frequencies are
 * rounded so that the code is shortest, and symbols are coded from the last to the first, since a decoder undoes what
 * was done last.
 */
#include "kernel/coded.h"
#include "enc/code.h"

#include <math.h>

enum { LEAST_LOG = 5 };
static const double WORTH = 0.995;

/* Symbols of an image, how often each comes, and their frequencies in a table of 2^log entries; both from `first`
 * on. */
typedef struct symbols { int8_t *at; uint32_t n; bool pairs; int first, span;
	uint32_t times[CODED_SYMBOLS], frequency[CODED_SYMBOLS]; int log; } symbols;

/* ---- symbols ---- */

static void read_symbols(symbols *s, const uint8_t *image, bool pairs)
{
	s->pairs = pairs;
	for (uint32_t i = 0; i < s->n; i++) s->at[i] = (int8_t)cop__symbol_at(image, i, pairs); /* 128 as -128: the same half */
}

static void count(symbols *s)
{
	int least = 127, most = -128;

	memset(s->times, 0, sizeof s->times);
	for (uint32_t i = 0; i < s->n; i++) least = COP_MIN(least, s->at[i]), most = COP_MAX(most, s->at[i]);
	for (uint32_t i = 0; i < s->n; i++) s->times[s->at[i] - least]++;
	s->first = least;
	s->span = most - least + 1;
}

/* What one entry more (or less, by: -1) of a symbol saves in bits. */
static double gain(const symbols *s, int i, int by)
{
	return s->times[i] * log2(1 + (double)by / (double)s->frequency[i]);
}

static void move(symbols *s, int by)
{
	int best = -1;
	double most = 0;

	for (int i = 0; i < s->span; i++) {
		if (!s->times[i] || (by < 0 && s->frequency[i] == 1)) continue;
		double g = gain(s, i, by);
		if (best < 0 || g > most) best = i, most = g;
	}
	s->frequency[best] += (uint32_t)by;
}

static void share_out(symbols *s, int log)
{
	uint32_t size = 1u << log, sum = 0;

	s->log = log;
	for (int i = 0; i < s->span; i++) {
		double part = (double)s->times[i] * (double)size / (double)s->n;
		s->frequency[i] = s->times[i] ? (uint32_t)COP_MAX(1, part + 0.5) : 0;
		sum += s->frequency[i];
	}
	for (; sum < size; sum++) move(s, 1);
	for (; sum > size; sum--) move(s, -1);
}

static size_t head_bytes(const symbols *s)
{
	size_t n = sizeof(cop_coded_head);

	for (int i = 0; i < s->span; i++) n += s->frequency[i] < 255 ? 1 : 3;
	return (n + 1) & ~(size_t)1;
}

static double bits(const symbols *s)
{
	double sum = s->log;

	for (int i = 0; i < s->span; i++)
		if (s->times[i]) sum += s->times[i] * (s->log - log2(s->frequency[i]));
	return sum;
}

static int kinds(const symbols *s)
{
	int n = 0;

	for (int i = 0; i < s->span; i++) n += s->times[i] > 0;
	return n;
}

/* Of both readings and all sizes of the table, the shortest; a larger table, which is scratch in RAM, has to be worth
 * it. */
static void choose(symbols *s, const uint8_t *image)
{
	double least = 0;
	int log = 0;
	bool pairs = false;

	for (int k = 1; k >= 0; k--) { /* pairs are decoded faster */
		if (k && s->n % 2) continue;
		read_symbols(s, image, k);
		count(s);
		for (int l = LEAST_LOG; l <= CODED_LOG; l++) {
			if (kinds(s) > 1 << l) continue;
			share_out(s, l);
			double size = bits(s) + 8 * (double)head_bytes(s);
			if (!log || size < WORTH * least) log = l, pairs = k, least = size;
		}
	}
	read_symbols(s, image, pairs);
	count(s);
	share_out(s, log);
}

/* ---- the code ---- */

typedef struct coder { uint16_t *next; uint32_t start[CODED_SYMBOLS], state, log; } coder;

/* next[start of a symbol + k]: the entry that is the symbol's k-th, as the decoder finds them. */
static void number_entries(coder *c, const symbols *s, uint16_t *symbol_of)
{
	uint32_t size = 1u << s->log, at = 0, sum = 0, seen[CODED_SYMBOLS] = {0};

	for (int i = 0; i < s->span; i++) {
		c->start[i] = sum;
		sum += s->frequency[i];
		for (uint32_t f = s->frequency[i]; f; f--, at = cop_coded_after(at, size)) symbol_of[at] = (uint16_t)i;
	}
	for (uint32_t e = 0; e < size; e++) c->next[c->start[symbol_of[e]] + seen[symbol_of[e]]++] = (uint16_t)e;
	c->log = (uint32_t)s->log;
	c->state = 0;
}

/* Returns the bits that the decoder will read after this symbol: their number << 16 | they. */
static uint32_t step_back(coder *c, const symbols *s, int8_t symbol)
{
	uint32_t i = (uint32_t)(symbol - s->first), f = s->frequency[i], x = c->state + (1u << c->log), n = 0;

	while (x >> n >= 2 * f) n++;
	c->state = c->next[c->start[i] + (x >> n) - f];
	return n << 16 | (x & ((1u << n) - 1));
}

typedef struct writer { uint8_t *to; size_t at; } writer; /* at: in bits */

static void put(writer *w, uint32_t value, uint32_t n)
{
	for (; n; n--, value >>= 1, w->at++) w->to[w->at / 8] |= (uint8_t)((value & 1) << w->at % 8);
}

static uint8_t *put_head(uint8_t *to, const symbols *s)
{
	const cop_coded_head h = {s->n | (s->pairs ? CODED_PAIRS : 0), (uint8_t)s->log, (int8_t)s->first, (uint16_t)s->span};
	uint8_t *p = to + sizeof h;

	memcpy(to, &h, sizeof h);
	for (int i = 0; i < s->span; i++) {
		uint32_t f = s->frequency[i];
		*p++ = (uint8_t)COP_MIN(f, 255u);
		if (f >= 255) *p++ = (uint8_t)f, *p++ = (uint8_t)(f >> 8);
	}
	return to + head_bytes(s);
}

static cop_status encode(void **out, size_t *size, cop_ctx *cx, const symbols *s)
{
	uint16_t next[1 << CODED_LOG], symbol_of[1 << CODED_LOG];
	uint32_t *taken = cop__alloc(cx, sizeof *taken * ((size_t)s->n + 1));
	coder c = {.next = next};
	size_t sum = (size_t)s->log;

	if (!taken) return COP_NOMEM;
	number_entries(&c, s, symbol_of);
	for (uint32_t i = s->n; i--;) sum += (taken[i] = step_back(&c, s, s->at[i])) >> 16;
	*size = (head_bytes(s) + (sum + 15) / 16 * 2 + 4 + 3) & ~(size_t)3;
	uint8_t *to = *out = cop__alloc(cx, *size);
	if (to) {
		writer w = {put_head(to, s), 0};
		put(&w, c.state, c.log);
		for (uint32_t i = 0; i < s->n; i++) put(&w, taken[i] & 0xffff, taken[i] >> 16);
	}
	cop__free(cx, taken);
	return to ? COP_OK : COP_NOMEM;
}

cop_status cop__code_image(void **out, size_t *size, cop_ctx *cx, const void *image, size_t bytes)
{
	symbols s = {.at = cop__alloc(cx, bytes + 1), .n = (uint32_t)bytes};

	*out = NULL;
	*size = 0;
	if (!s.at) return COP_NOMEM;
	cop_status st = bytes && bytes < CODED_MOST ? COP_OK : cop__error(cx, COP_ARG, "%zu bytes can't be coded", bytes);
	if (!st) choose(&s, image);
	if (!st) st = encode(out, size, cx, &s);
	cop__free(cx, s.at);
	return st;
}
