/* SPDX-License-Identifier: Apache-2.0
 *
 * palette - weights of few different numbers: a codebook, and one code of 1, 2, 4 or 8 bits for each element.
 *
 *   0         4        8               8 + 4 n         + stride
 *   +---------+--------+---------------+---------------+---------------+--   --+--------+
 *   | u32 n   | u32 b  | f32 book[n]   | row 0         | row 1         | ...   | 0 .. 3 |
 *   +---------+--------+---------------+---------------+---------------+--   --+--------+
 *                                       a row: ceil(cols b / 8) bytes, its first code in the lowest bits
 */
#include "enc/enc.h"

static uint32_t bits_for(int32_t levels) { return levels <= 2 ? 1 : levels <= 4 ? 2 : levels <= 16 ? 4 : 8; }

static size_t size_of(int32_t levels, uint32_t bits, int32_t rows, int32_t cols)
{
	return 8 + 4 * (size_t)levels + (((size_t)cols * bits + 7) / 8) * (size_t)rows;
}

static cop_status put(void **blob, uint32_t *bytes, cop_ctx *cx, const cop_codes *c)
{
	uint32_t bits = bits_for(c->levels);
	size_t stride = ((size_t)c->cols * bits + 7) / 8;

	if (!c->levels)
		return cop__error(cx, COP_ARG, "a palette has at most %d values, the tensor has more", COP_MAX_LEVELS);
	COP_TRY(cop__blob_alloc(blob, bytes, cx, cop__pad4(size_of(c->levels, bits, c->rows, c->cols))));
	uint8_t *b = *blob, *row = b + 8 + 4 * (size_t)c->levels;
	const uint8_t *code = c->code;
	cop__put32(b, (uint32_t)c->levels);
	cop__put32(b + 4, bits);
	memcpy(b + 8, c->codebook, 4 * (size_t)c->levels);
	for (int32_t r = 0; r < c->rows; r++, row += stride)
		for (int32_t i = 0; i < c->cols; i++) {
			size_t at = (size_t)i * bits;
			row[at / 8] = (uint8_t)(row[at / 8] | *code++ << at % 8);
		}
	return COP_OK;
}

/* The head of a blob that nobody has checked, and whether all is there that it tells of. */
static cop_status check_head(cop_ctx *cx, const char *name, const uint8_t *b, size_t bytes, int32_t rows, int32_t cols)
{
	uint32_t n = bytes >= 8 ? cop__le32(b) : 0, bits = n ? cop__le32(b + 4) : 0;

	if (n < 1 || n > COP_MAX_LEVELS || (bits != 1 && bits != 2 && bits != 4 && bits != 8) || n > 1u << bits)
		return cop__error(cx, COP_FORMAT, "%s: the palette claims %u levels of %u bits", name, n, bits);
	if (bytes < size_of((int32_t)n, bits, rows, cols))
		return cop__error(cx, COP_FORMAT, "%s: the palette is %zu bytes long, too short for %d x %d codes", name, bytes,
			rows, cols);
	return COP_OK;
}

static cop_status get(cop_codes *c, cop_ctx *cx, const char *name, const uint8_t *b, size_t bytes)
{
	COP_TRY(check_head(cx, name, b, bytes, c->rows, c->cols));
	cop_palette_blob p = cop_palette_of(b, c->cols);
	uint8_t *code = c->code;
	c->levels = p.levels;
	memcpy(c->codebook, p.book, 4 * (size_t)p.levels);
	for (int32_t r = 0; r < c->rows; r++)
		for (int32_t i = 0; i < c->cols; i++) {
			int32_t v = cop_palette_code(&p, r, i);
			if (v >= p.levels)
				return cop__error(cx, COP_FORMAT, "%s: row %d has code %d of %d levels", name, r, v, p.levels);
			*code++ = (uint8_t)v;
		}
	return COP_OK;
}

static size_t bytes(const void *blob, int32_t rows, int32_t cols)
{
	cop_palette_blob p = cop_palette_of(blob, cols);
	return cop__pad4(size_of(p.levels, (uint32_t)p.bits, rows, cols));
}

static int64_t kept(const void *blob, int32_t rows, int32_t cols)
{
	cop_palette_blob p = cop_palette_of(blob, cols);
	int64_t n = 0;

	for (int32_t r = 0; r < rows; r++)
		for (int32_t i = 0; i < cols; i++) n += cop__bits_of(p.book[cop_palette_code(&p, r, i)]) != 0;
	return n;
}

const cop_encoding cop_enc_palette = {
	.layout = "u32 levels, u32 bits (1, 2, 4, 8), f32 codebook[levels], codes packed from the low bits up, "
		"each row from a new byte",
	.flags = COP_ENC_EXACT, .put = put, .get = get, .bytes = bytes, .kept = kept};
