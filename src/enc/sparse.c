/* SPDX-License-Identifier: Apache-2.0
 *
 * sparse - weights of which most are zero: for each row its kept elements, as the gap to the one before and a code, or
 * the number itself.
 *
 *   0         4        8               + 4 n               + 4 (rows + 1)             + entries, padded
 *   +---------+--------+---------------+-------------------+------------------+-------+----------------------------+
 *   | u32 rows| u32 n  | f32 book[n]   | u32 start[rows+1] | u8 gap[entries]  | 0 .. 3| u8 code[entries], 0 .. 3   |
 *   +---------+--------+---------------+-------------------+------------------+-------+ or, n = 0, f32 value[entries]|
 *                       book[0] = 0     start[rows] = entries                          +----------------------------+
 *
 * Entries start[r] to start[r+1] are those of row r. A gap counts the zeros since the last entry, at most 255: more are
 * bridged by an entry of code 0, or value 0. Zeros behind the last kept element take none.
 */
#include "enc/enc.h"

/* Entries of a row, with fillers. */
static int64_t row_entries(const uint8_t *code, int32_t cols)
{
	int64_t n = 0;
	int32_t last = -1;

	for (int32_t i = 0; i < cols; i++)
		if (code[i]) n += 1 + (i - last - 1) / (COP_MAX_GAP + 1), last = i;
	return n;
}

static size_t size_of(int32_t rows, int32_t n, size_t entries)
{
	return 8 + 4 * (size_t)n + 4 * ((size_t)rows + 1) + cop__pad4(entries) + (n ? cop__pad4(entries) : 4 * entries);
}

/* The parts of a blob that is being filled. */
typedef struct parts { uint8_t *start, *gap, *code; } parts;

static parts parts_of(uint8_t *b, int32_t rows, int32_t n, size_t entries)
{
	parts s = {.start = b + 8 + 4 * (size_t)n};
	s.gap = s.start + 4 * ((size_t)rows + 1);
	s.code = s.gap + cop__pad4(entries);
	return s;
}

static uint32_t put_row(parts *s, uint32_t at, const cop_codes *c, const uint8_t *code, int64_t *value)
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

static cop_status put(void **blob, uint32_t *bytes, cop_ctx *cx, const cop_codes *c)
{
	int64_t entries = 0, value = 0;
	uint32_t at = 0;

	if (c->levels && cop__bits_of(c->codebook[0]))
		return cop__error(cx, COP_ARG, "entry 0 of a sparse codebook must be 0");
	for (int32_t r = 0; r < c->rows; r++) entries += row_entries(c->code + (int64_t)r * c->cols, c->cols);
	COP_TRY(cop__blob_alloc(blob, bytes, cx, size_of(c->rows, c->levels, (size_t)entries)));
	uint8_t *b = *blob;
	cop__put32(b, (uint32_t)c->rows);
	cop__put32(b + 4, (uint32_t)c->levels);
	memcpy(b + 8, c->codebook, 4 * (size_t)c->levels);
	parts s = parts_of(b, c->rows, c->levels, (size_t)entries);
	for (int32_t r = 0; r < c->rows; r++) {
		cop__put32(s.start + 4 * (size_t)r, at);
		at = put_row(&s, at, c, c->code + (int64_t)r * c->cols, &value);
	}
	cop__put32(s.start + 4 * (size_t)c->rows, at);
	return COP_OK;
}

/* The head and the length of a blob that nobody has checked. */
static cop_status check_head(cop_ctx *cx, const char *name, const uint8_t *b, size_t bytes, int32_t rows)
{
	uint32_t n = bytes >= 8 ? cop__le32(b + 4) : UINT32_MAX;

	if (n > COP_MAX_LEVELS || cop__le32(b) != (uint32_t)rows)
		return cop__error(cx, COP_FORMAT, "%s: the sparse tensor is cut short or claims other than %d rows and at most "
			"%d levels", name, rows, COP_MAX_LEVELS);
	if (bytes < size_of(rows, (int32_t)n, 0))
		return cop__error(cx, COP_FORMAT, "%s: %zu bytes are too few for the starts of %d rows", name, bytes, rows);
	uint32_t entries = cop__le32(b + 8 + 4 * (size_t)n + 4 * (size_t)rows);
	if (entries > bytes || bytes < size_of(rows, (int32_t)n, entries))
		return cop__error(cx, COP_FORMAT, "%s: %zu bytes are too few for %u entries", name, bytes, entries);
	if (n && cop__le32(b + 8) << 1) return cop__error(cx, COP_FORMAT, "%s: entry 0 of the codebook is not 0", name);
	return COP_OK;
}

/* Entries [from, to) of row r, unchecked. A kept entry with code 0 (or value 0) is a filler. */
static cop_status get_row(cop_codes *c, cop_ctx *cx, const char *name, const cop_sparse_blob *s, int32_t r,
	uint32_t from, uint32_t to)
{
	uint8_t *code = c->code + (int64_t)r * c->cols;
	int64_t pos = -1;

	for (uint32_t e = from; e < to; e++) {
		pos += s->gap[e] + 1;
		if (pos >= c->cols)
			return cop__error(cx, COP_FORMAT, "%s: entry %u of row %d lies at column %lld of %d", name, e, r,
				(long long)pos, c->cols);
		if (c->levels) {
			if (s->code[e] >= c->levels)
				return cop__error(cx, COP_FORMAT, "%s: entry %u has code %u of %d levels", name, e,
					s->code[e], c->levels);
			code[pos] = s->code[e];
		} else if (cop__bits_of(s->value[e])) {
			code[pos] = 1;
			c->value[c->n_value++] = s->value[e];
		}
	}
	return COP_OK;
}

static cop_status get(cop_codes *c, cop_ctx *cx, const char *name, const uint8_t *b, size_t bytes)
{
	uint32_t from = 0;

	COP_TRY(check_head(cx, name, b, bytes, c->rows));
	cop_sparse_blob s = cop_sparse_of(b);
	uint32_t entries = s.start[c->rows];
	c->levels = s.levels;
	memcpy(c->codebook, s.book, 4 * (size_t)s.levels);
	if (!s.levels && !(c->value = cop__alloc(cx, 4 * (size_t)entries + 1))) return COP_NOMEM;
	for (int32_t r = 0; r < c->rows; r++) {
		uint32_t to = s.start[r + 1];
		if ((r == 0 && s.start[0]) || to < from || to > entries)
			return cop__error(cx, COP_FORMAT, "%s: row %d begins at entry %u and ends at %u of %u", name, r,
				from, to, entries);
		COP_TRY(get_row(c, cx, name, &s, r, from, to));
		from = to;
	}
	return COP_OK;
}

static size_t bytes(const void *blob, int32_t rows, int32_t cols)
{
	cop_sparse_blob s = cop_sparse_of(blob);

	(void)cols;
	return size_of(rows, s.levels, s.start[rows]);
}

/* Entries less fillers, and less kept ones whose number is 0 after all. */
static int64_t kept(const void *blob, int32_t rows, int32_t cols)
{
	cop_sparse_blob s = cop_sparse_of(blob);
	int64_t n = 0;

	(void)cols;
	for (uint32_t e = 0; e < s.start[rows]; e++) n += cop__bits_of(s.value ? s.value[e] : s.book[s.code[e]]) != 0;
	return n;
}

const cop_encoding cop_enc_sparse = {
	.layout = "u32 rows, u32 levels, f32 codebook[levels] (entry 0 is 0), u32 start[rows+1], u8 gap[entries] padded to 4, "
		"then u8 code[entries] padded to 4 or, without a codebook, f32 value[entries]. A gap over 255 is bridged by an "
		"entry of value 0",
	.flags = COP_ENC_EXACT | COP_ENC_SKIPS, .put = put, .get = get, .bytes = bytes, .kept = kept};
