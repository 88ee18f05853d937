/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_head - what a coded tensor begins with: levels, codebook, f32 values.
 *
 * A coded tensor: u8 flags (1 grid codebook, 2 entry 0 is 0 and left out, 4 f32 values, 5 a codebook for each group of rows; the rest << 3 is the
 * coder's parameter); then u8 levels-1 and the codebook, or the rows of a group (variable length) and their codebooks behind it, or the number of
 * values (variable length) and the values; then the coder's stream. A grid codebook is f32 step, i16 first multiple and the gamma codes of the
 * distances between multiples.
 */
#include "io/cop/codec.h"

#include "io/cop/bits.h"

enum { GRID = 1, ZERO = 2, VALUES = 4, BOOKS = VALUES | GRID };

/* Whether every entry from `first` on is a whole multiple of a step, exactly, in ascending order. */
static bool on_grid(int16_t *k, const float *book, int first, int n, float step)
{
	for (int i = first; i < n; i++) {
		float q = book[i] / step;
		if (!(q > -32000 && q < 32000)) return false;
		k[i] = (int16_t)(q < 0 ? q - 0.5f : q + 0.5f);
		if ((float)k[i] * step != book[i] || (i > first && k[i] <= k[i - 1])) return false;
	}
	return n - first > 2;
}

static bool find_grid(float *step, int16_t *k, const float *book, int first, int n)
{
	float least = 0;

	for (int i = first; i < n; i++) {
		float a = book[i] < 0 ? -book[i] : book[i];
		if (a > 0 && (least == 0 || a < least)) least = a;
	}
	for (int m = 1; least > 0 && m <= 8; m++)
		if (on_grid(k, book, first, n, *step = least / (float)m)) return true;
	return false;
}

/* One for each group of rows. */
static int put_books(cop_text *t, const cop_codes *c)
{
	const uint8_t most = (uint8_t)(c->levels - 1);
	int first = 1;

	for (int32_t b = 0; b < cop__books_n(c); b++) first &= !memcmp(c->books + (size_t)b * (size_t)c->levels, &(float){0}, 4);
	cop__text_bytes(t, &most, 1);
	cop__var_put(t, (uint32_t)c->per);
	for (int32_t b = 0; b < cop__books_n(c); b++) cop__text_bytes(t, c->books + (size_t)b * (size_t)c->levels + first, 4 * (size_t)(c->levels - first));
	return first ? BOOKS | ZERO : BOOKS;
}

static bool get_books(cop_codes *c, cop_ctx *cx, int flags, const uint8_t **p, const uint8_t *end)
{
	const int first = flags & ZERO ? 1 : 0;
	uint32_t per;

	if (*p == end) return false;
	c->levels = *(*p)++ + 1;
	if (!cop__var_get(p, end, &per) || per < 1 || per >= (uint32_t)c->rows) return false;
	c->per = (int32_t)per;
	const size_t each = 4 * (size_t)(c->levels - first), n = (size_t)cop__books_n(c);
	if ((size_t)(end - *p) / 4 < n * each / 4 || !(c->books = cop__alloc(cx, 4 * n * (size_t)c->levels + 4))) return false;
	for (size_t b = 0; b < n; b++, *p += each) memcpy(c->books + b * (size_t)c->levels + first, *p, each);
	return true;
}

static int put_codebook(cop_text *t, const cop_codes *c)
{
	int16_t k[COP_MAX_LEVELS];
	uint32_t zero;
	float step;
	uint8_t b[6] = {(uint8_t)(c->levels - 1)};

	memcpy(&zero, c->codebook, 4);
	int first = zero == 0;
	cop__text_bytes(t, b, 1);
	if (!find_grid(&step, k, c->codebook, first, c->levels)) {
		cop__text_bytes(t, c->codebook + first, 4 * (size_t)(c->levels - first));
		return first ? ZERO : 0;
	}
	memcpy(b, &step, 4);
	b[4] = (uint8_t)k[first];
	b[5] = (uint8_t)((uint16_t)k[first] >> 8);
	cop__text_bytes(t, b, 6);
	cop_bits_out o = {.t = t};
	for (int i = first + 1; i < c->levels; i++) cop__gamma_put(&o, (uint32_t)(k[i] - k[i - 1]));
	cop__bits_flush(&o);
	return GRID | (first ? ZERO : 0);
}

static bool get_grid(cop_codes *c, int first, const uint8_t **p, const uint8_t *end)
{
	float step;

	if (end - *p < 6) return false;
	memcpy(&step, *p, 4);
	int64_t k = (int16_t)((*p)[4] | (*p)[5] << 8);
	cop_bits_in i = {.p = *p + 6, .len = (size_t)(end - *p) - 6};
	for (int l = first; l < c->levels; l++) {
		if (l > first) k += cop__gamma_get(&i);
		if (k > 32767 || cop__bits_over(&i)) return false;
		c->codebook[l] = (float)k * step;
	}
	*p += 6 + (i.used + 7) / 8;
	return true;
}

static bool get_codebook(cop_codes *c, int flags, const uint8_t **p, const uint8_t *end)
{
	int first = flags & ZERO ? 1 : 0;

	if (*p == end) return false;
	c->levels = *(*p)++ + 1;
	if (flags & GRID) return get_grid(c, first, p, end);
	size_t bytes = 4 * (size_t)(c->levels - first);
	if ((size_t)(end - *p) < bytes) return false;
	memcpy(c->codebook + first, *p, bytes);
	*p += bytes;
	return true;
}

static void put_values(cop_text *t, const cop_codes *c)
{
	cop__var_put(t, (uint32_t)c->n_value);
	cop__text_bytes(t, c->value, 4 * (size_t)c->n_value);
}

static cop_status get_values(cop_codes *c, cop_ctx *cx, const char *name, const uint8_t **p, const uint8_t *end)
{
	uint32_t n;

	if (!cop__var_get(p, end, &n) || (size_t)(end - *p) / 4 < n || n > cop__codes_count(c))
		return cop__error(cx, COP_FORMAT, "%s: the kept values are cut short", name);
	if (!(c->value = cop__alloc(cx, 4 * (size_t)n + 1))) return COP_NOMEM;
	memcpy(c->value, *p, 4 * (size_t)n);
	c->n_value = n;
	*p += 4 * (size_t)n;
	return COP_OK;
}

/* What stands before the coder's bytes, and flags for it. */
int cop__head_put(cop_text *t, const cop_codes *c)
{
	if (c->per) return put_books(t, c);
	if (c->levels) return put_codebook(t, c);
	put_values(t, c);
	return VALUES;
}

cop_status cop__head_get(cop_codes *c, cop_ctx *cx, const char *name, int flags, const uint8_t **p, const uint8_t *end)
{
	if ((flags & BOOKS) == VALUES) return get_values(c, cx, name, p, end);
	if ((flags & BOOKS) == BOOKS ? get_books(c, cx, flags, p, end) : get_codebook(c, flags, p, end)) return COP_OK;
	return cop__error(cx, COP_FORMAT, "%s: the codebook is cut short", name);
}
