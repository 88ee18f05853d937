/* SPDX-License-Identifier: Apache-2.0
 *
 * enc - the in-memory encodings. The kernels trust a blob; so whatever comes from outside goes through
 * cop__codes_of_blob, which checks every count, gap and code. Storage in files is codec.c.
 */
#include "enc/enc.h"

#include <stdlib.h>

cop_status cop__codes_alloc(cop_codes *c, cop_ctx *cx, int32_t rows, int32_t cols)
{
	*c = (cop_codes){.rows = rows, .cols = cols};
	c->code = cop__alloc(cx, (size_t)cop__codes_count(c) + 1);
	return c->code ? COP_OK : COP_NOMEM;
}

void cop__codes_free(cop_codes *c, cop_ctx *cx)
{
	cop__free(cx, c->code);
	cop__free(cx, c->value);
	*c = (cop_codes){0};
}

/* ---- dense ---- */

static uint32_t bits_of(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u << 1 ? u : 0; /* -0 is 0 */
}

/* Ascending as numbers; by bits, so that NaN has a place too. */
static uint32_t order(uint32_t u)
{
	return u >> 31 ? ~u : u | 0x80000000u;
}

/* A table of the different values, open addressing. */
enum { SLOTS = 1024 };
typedef struct levels {
	uint32_t key[SLOTS];
	uint8_t used[SLOTS], code[SLOTS];
	int n;
} levels;

static int slot_of(const levels *l, uint32_t u)
{
	uint32_t i = (u * 2654435761u) >> 22;
	while (l->used[i] && l->key[i] != u) i = (i + 1) % SLOTS;
	return (int)i;
}

static int by_order(const void *a, const void *b)
{
	uint32_t x, y;
	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	return (order(x) > order(y)) - (order(x) < order(y));
}

/* Fills the codebook; false when there are too many different values. */
static bool find_levels(levels *l, cop_codes *c, const float *w)
{
	int64_t count = cop__codes_count(c);

	memset(l, 0, sizeof *l);
	for (int64_t i = 0; i < count; i++) {
		uint32_t u = bits_of(w[i]);
		if (!u) continue;
		int s = slot_of(l, u);
		if (l->used[s]) continue;
		if (++l->n == COP_MAX_LEVELS) return false;
		l->used[s] = 1;
		l->key[s] = u;
		memcpy(&c->codebook[l->n], &u, 4);
	}
	qsort(c->codebook + 1, (size_t)l->n, sizeof *c->codebook, by_order);
	c->codebook[0] = 0;
	c->levels = l->n + 1;
	for (int i = 1; i < c->levels; i++) l->code[slot_of(l, bits_of(c->codebook[i]))] = (uint8_t)i;
	return true;
}

static cop_status keep_values(cop_codes *c, cop_ctx *cx, const float *w)
{
	int64_t count = cop__codes_count(c), n = 0;

	c->levels = 0;
	for (int64_t i = 0; i < count; i++) n += c->code[i] = bits_of(w[i]) != 0;
	if (!(c->value = cop__alloc(cx, sizeof *c->value * (size_t)n + 1))) return COP_NOMEM;
	for (int64_t i = 0; i < count; i++)
		if (c->code[i]) c->value[c->n_value++] = w[i];
	return COP_OK;
}

cop_status cop__codes_of_dense(cop_codes *out, cop_ctx *cx, const float *w, int32_t rows, int32_t cols)
{
	levels *l = cop__alloc(cx, sizeof *l);
	cop_status st = l ? cop__codes_alloc(out, cx, rows, cols) : COP_NOMEM;

	if (!st && find_levels(l, out, w)) {
		for (int64_t i = 0; i < cop__codes_count(out); i++) {
			uint32_t u = bits_of(w[i]);
			out->code[i] = u ? l->code[slot_of(l, u)] : 0;
		}
	} else if (!st && (st = keep_values(out, cx, w))) {
		cop__codes_free(out, cx);
	}
	cop__free(cx, l);
	return st;
}

void cop__dense_of_codes(float *w, const cop_codes *c)
{
	int64_t count = cop__codes_count(c), at = 0;

	for (int64_t i = 0; i < count; i++) {
		if (c->levels) w[i] = c->codebook[c->code[i]];
		else w[i] = c->code[i] ? c->value[at++] : 0;
	}
}

/* ---- PALETTE: u32 levels, u32 bits, f32 codebook[levels], packed codes ---- */

static uint32_t palette_bits(int32_t n)
{
	return n <= 2 ? 1 : n <= 4 ? 2 : n <= 16 ? 4 : 8;
}

static cop_status put_palette(void **blob, uint32_t *bytes, cop_ctx *cx, const cop_codes *c)
{
	uint32_t bits = palette_bits(c->levels);
	size_t stride = ((size_t)c->cols * bits + 7) / 8, size = 8 + 4 * (size_t)c->levels + stride * (size_t)c->rows;

	if (!c->levels)
		return cop__error(cx, COP_ARG, "a palette has at most %d values, the tensor has more", COP_MAX_LEVELS);
	size = (size + 3) & ~(size_t)3;
	if (size > INT32_MAX) return cop__error(cx, COP_ARG, "an encoded tensor is at most 2 GiB long");
	uint8_t *b = cop__alloc(cx, size);
	if (!b) return COP_NOMEM;
	cop__put32(b, (uint32_t)c->levels);
	cop__put32(b + 4, bits);
	memcpy(b + 8, c->codebook, 4 * (size_t)c->levels);
	uint8_t *row = b + 8 + 4 * (size_t)c->levels;
	const uint8_t *code = c->code;
	for (int32_t r = 0; r < c->rows; r++, row += stride)
		for (int32_t i = 0; i < c->cols; i++) {
			size_t at = (size_t)i * bits;
			row[at / 8] = (uint8_t)(row[at / 8] | *code++ << at % 8);
		}
	*blob = b;
	*bytes = (uint32_t)size;
	return COP_OK;
}

static cop_status get_palette(cop_codes *c, cop_ctx *cx, const char *name, const uint8_t *b, size_t bytes)
{
	uint32_t n = bytes >= 8 ? cop__le32(b) : 0, bits = n ? cop__le32(b + 4) : 0;
	size_t stride = ((size_t)c->cols * bits + 7) / 8;

	if (n < 1 || n > COP_MAX_LEVELS || (bits != 1 && bits != 2 && bits != 4 && bits != 8) || n > 1u << bits)
		return cop__error(cx, COP_FORMAT, "%s: the palette claims %u levels of %u bits", name, n, bits);
	if (bytes < 8 + 4 * (size_t)n + stride * (size_t)c->rows)
		return cop__error(cx, COP_FORMAT, "%s: the palette is %zu bytes long, too short for %d x %d codes",
		        name, bytes, c->rows, c->cols);
	c->levels = (int32_t)n;
	memcpy(c->codebook, b + 8, 4 * (size_t)n);
	const uint8_t *row = b + 8 + 4 * (size_t)n;
	uint8_t *code = c->code;
	for (int32_t r = 0; r < c->rows; r++, row += stride)
		for (int32_t i = 0; i < c->cols; i++) {
			size_t at = (size_t)i * bits;
			uint32_t v = row[at / 8] >> at % 8 & ((1u << bits) - 1);
			if (v >= n)
				return cop__error(cx, COP_FORMAT, "%s: row %d has code %u of %u levels", name, r, v, n);
			*code++ = (uint8_t)v;
		}
	return COP_OK;
}

/* ---- SPARSE: u32 rows, u32 levels, f32 codebook, u32 start[rows+1], gaps, codes or values ---- */

static size_t pad4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* Entries of a row, with fillers; zeros after the last kept element take none. */
static int64_t row_entries(const uint8_t *code, int32_t cols)
{
	int64_t n = 0;
	int32_t last = -1;

	for (int32_t i = 0; i < cols; i++)
		if (code[i]) n += 1 + (i - last - 1) / (COP_MAX_GAP + 1), last = i;
	return n;
}

typedef struct sparse {
	uint8_t *start, *gap, *code;
} sparse; /* the parts within a blob; code: codes or f32 values */

static sparse sparse_parts(uint8_t *b, int32_t rows, int32_t n, size_t entries)
{
	sparse s = {.start = b + 8 + 4 * (size_t)n};
	s.gap = s.start + 4 * ((size_t)rows + 1);
	s.code = s.gap + pad4(entries);
	return s;
}

static size_t sparse_bytes(int32_t rows, int32_t n, size_t entries)
{
	return 8 + 4 * (size_t)n + 4 * ((size_t)rows + 1) + pad4(entries) + (n ? pad4(entries) : 4 * entries);
}

static uint32_t put_row(sparse *s, uint32_t at, const cop_codes *c, const uint8_t *code, int64_t *value)
{
	int32_t last = -1;

	for (int32_t i = 0; i < c->cols; i++) {
		if (!code[i]) continue;
		for (; i - last - 1 > COP_MAX_GAP; last += COP_MAX_GAP + 1)
			s->gap[at++] = COP_MAX_GAP; /* code or value stays 0 */
		s->gap[at] = (uint8_t)(i - last - 1);
		if (c->levels) s->code[at] = code[i];
		else memcpy(s->code + 4 * (size_t)at, &c->value[(*value)++], 4);
		at++;
		last = i;
	}
	return at;
}

static cop_status put_sparse(void **blob, uint32_t *bytes, cop_ctx *cx, const cop_codes *c)
{
	int64_t entries = 0, value = 0;
	uint32_t at = 0;

	for (int32_t r = 0; r < c->rows; r++) entries += row_entries(c->code + (int64_t)r * c->cols, c->cols);
	size_t size = sparse_bytes(c->rows, c->levels, (size_t)entries);
	if (c->levels && bits_of(c->codebook[0]))
		return cop__error(cx, COP_ARG, "entry 0 of a sparse codebook must be 0");
	if (size > INT32_MAX) return cop__error(cx, COP_ARG, "an encoded tensor is at most 2 GiB long");
	uint8_t *b = cop__alloc(cx, size);
	if (!b) return COP_NOMEM;
	cop__put32(b, (uint32_t)c->rows);
	cop__put32(b + 4, (uint32_t)c->levels);
	memcpy(b + 8, c->codebook, 4 * (size_t)c->levels);
	sparse s = sparse_parts(b, c->rows, c->levels, (size_t)entries);
	for (int32_t r = 0; r < c->rows; r++) {
		cop__put32(s.start + 4 * (size_t)r, at);
		at = put_row(&s, at, c, c->code + (int64_t)r * c->cols, &value);
	}
	cop__put32(s.start + 4 * (size_t)c->rows, at);
	*blob = b;
	*bytes = (uint32_t)size;
	return COP_OK;
}

/* One row of an unchecked blob. A kept entry with code 0 (or value 0) is a filler. */
static cop_status get_row(
        cop_codes *c, cop_ctx *cx, const char *name, const sparse *s, int32_t r, uint32_t from, uint32_t to)
{
	uint8_t *code = c->code + (int64_t)r * c->cols;
	int64_t pos = -1;

	for (uint32_t e = from; e < to; e++) {
		float v = 0;
		pos += s->gap[e] + 1;
		if (pos >= c->cols)
			return cop__error(cx, COP_FORMAT, "%s: entry %u of row %d lies at column %lld of %d", name, e,
			        r, (long long)pos, c->cols);
		if (c->levels) {
			if (s->code[e] >= c->levels)
				return cop__error(cx, COP_FORMAT, "%s: entry %u has code %u of %d levels", name, e,
				        s->code[e], c->levels);
			code[pos] = s->code[e];
			continue;
		}
		memcpy(&v, s->code + 4 * (size_t)e, 4);
		if (!bits_of(v)) continue;
		code[pos] = 1;
		c->value[c->n_value++] = v;
	}
	return COP_OK;
}

static cop_status get_sparse(cop_codes *c, cop_ctx *cx, const char *name, const uint8_t *b, size_t bytes)
{
	uint32_t n = bytes >= 8 ? cop__le32(b + 4) : UINT32_MAX, from = 0;

	if (n > COP_MAX_LEVELS || cop__le32(b) != (uint32_t)c->rows)
		return cop__error(cx, COP_FORMAT,
		        "%s: the sparse tensor is cut short or claims other than %d rows and at most %d levels", name,
		        c->rows, COP_MAX_LEVELS);
	if (bytes < sparse_bytes(c->rows, (int32_t)n, 0))
		return cop__error(
		        cx, COP_FORMAT, "%s: %zu bytes are too few for the starts of %d rows", name, bytes, c->rows);
	c->levels = (int32_t)n;
	memcpy(c->codebook, b + 8, 4 * (size_t)n);
	if (n && bits_of(c->codebook[0]))
		return cop__error(cx, COP_FORMAT, "%s: entry 0 of the codebook is not 0", name);
	sparse s = sparse_parts((uint8_t *)(uintptr_t)b, c->rows, (int32_t)n, 0);
	uint32_t entries = cop__le32(s.start + 4 * (size_t)c->rows);
	if (entries > bytes || bytes < sparse_bytes(c->rows, (int32_t)n, entries))
		return cop__error(cx, COP_FORMAT, "%s: %zu bytes are too few for %u entries", name, bytes, entries);
	s = sparse_parts((uint8_t *)(uintptr_t)b, c->rows, (int32_t)n, entries);
	if (!n && !(c->value = cop__alloc(cx, 4 * (size_t)entries + 1))) return COP_NOMEM;
	for (int32_t r = 0; r < c->rows; r++) {
		uint32_t to = cop__le32(s.start + 4 * (size_t)(r + 1));
		if ((r == 0 && cop__le32(s.start)) || to < from || to > entries)
			return cop__error(cx, COP_FORMAT, "%s: row %d begins at entry %u and ends at %u of %u", name, r,
			        from, to, entries);
		COP_TRY(get_row(c, cx, name, &s, r, from, to));
		from = to;
	}
	return COP_OK;
}

/* ---- either ---- */

cop_status cop__codes_of_blob(cop_codes *out, cop_ctx *cx, const char *name, cop_enc enc, const void *blob,
        size_t bytes, int32_t rows, int32_t cols)
{
	cop_status st = cop__codes_alloc(out, cx, rows, cols);

	if (!st) st = (enc == COP_PALETTE ? get_palette : get_sparse)(out, cx, name, blob, bytes);
	if (st) cop__codes_free(out, cx);
	return st;
}

cop_status cop__blob_of_codes(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const cop_codes *c)
{
	*blob = NULL;
	*bytes = 0;
	return (enc == COP_PALETTE ? put_palette : put_sparse)(blob, bytes, cx, c);
}

cop_status cop__encode(
        void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const float *w, int32_t rows, int32_t cols)
{
	cop_codes c;

	*blob = NULL;
	COP_TRY(cop__codes_of_dense(&c, cx, w, rows, cols));
	cop_status st = cop__blob_of_codes(blob, bytes, cx, enc, &c);
	cop__codes_free(&c, cx);
	return st;
}

static cop_status from_codes(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const float *codebook, int32_t n,
        const uint8_t *codes, int32_t rows, int32_t cols)
{
	cop_codes c = {.rows = rows, .cols = cols, .levels = n, .code = (uint8_t *)(uintptr_t)codes};

	*blob = NULL;
	if (n < 1 || n > COP_MAX_LEVELS)
		return cop__error(cx, COP_ARG, "a codebook has 1 to %d levels, not %d", COP_MAX_LEVELS, n);
	for (int64_t i = 0; i < cop__codes_count(&c); i++)
		if (codes[i] >= n)
			return cop__error(
			        cx, COP_ARG, "element %lld has code %d of %d levels", (long long)i, codes[i], n);
	memcpy(c.codebook, codebook, sizeof *codebook * (size_t)n);
	return cop__blob_of_codes(blob, bytes, cx, enc, &c);
}

cop_status cop__encode_palette(void **blob, uint32_t *bytes, cop_ctx *cx, const float *codebook, int32_t n,
        const uint8_t *codes, int32_t rows, int32_t cols)
{
	return from_codes(blob, bytes, cx, COP_PALETTE, codebook, n, codes, rows, cols);
}

cop_status cop__encode_sparse(void **blob, uint32_t *bytes, cop_ctx *cx, const float *codebook, int32_t n,
        const uint8_t *codes, int32_t rows, int32_t cols)
{
	return from_codes(blob, bytes, cx, COP_SPARSE, codebook, n, codes, rows, cols);
}

cop_status cop__decode(float *w, cop_ctx *cx, const char *name, const cop_type *t, const void *data)
{
	cop_codes c;
	int32_t rows, cols;

	if (t->dtype != COP_F32)
		return cop__error(cx, COP_ARG, "%s is %s, f32 was expected", name, cop__dtype_text(t->dtype));
	if (t->enc == COP_DENSE) {
		memcpy(w, data, cop_type_bytes(t));
		return COP_OK;
	}
	if (cop__narrow(t->enc)) return cop__narrow_decode(w, cx, name, t, data);
	cop__matrix_of(t, &rows, &cols);
	COP_TRY(cop__codes_of_blob(&c, cx, name, t->enc, data, t->enc_bytes, rows, cols));
	cop__dense_of_codes(w, &c);
	cop__codes_free(&c, cx);
	return COP_OK;
}

cop_status cop__blob_check(cop_ctx *cx, const char *name, const cop_type *t, const void *blob)
{
	cop_codes c;
	int32_t rows, cols;

	if (cop__narrow(t->enc)) return cop__narrow_check(cx, name, t, blob);
	cop__matrix_of(t, &rows, &cols);
	COP_TRY(cop__codes_of_blob(&c, cx, name, t->enc, blob, t->enc_bytes, rows, cols));
	cop__codes_free(&c, cx);
	return COP_OK;
}
