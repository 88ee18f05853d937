/* SPDX-License-Identifier: Apache-2.0
 *
 * vectors - weights of few different vectors: neighbours of a row, two or four at a time, are an entry of a codebook (product quantisation, Jegou et al. 2011;
 * of weights: Gong et al. 2014, arXiv 1412.6115). The last vector of a row is filled up with zeros.
 *
 *   0         4         8           12                   12 + 4 n width   + stride
 *   +---------+---------+-----------+--------------------+---------------+--   --+--------+
 *   | u32 n   | u32 b   | u32 width | f32 book[n][width] | row 0         | ...   | 0 .. 3 |
 *   +---------+---------+-----------+--------------------+---------------+--   --+--------+
 *                                                         a row: ceil(ceil(cols / width) b / 8) bytes, its first code in the lowest bits
 */
#include "enc/enc.h"

enum { MOST_WIDTH = 4, HEAD = 12, SLOTS = 1024 };

/* The different vectors so far, in the order in which they came; slot: 1 more than an entry, by its hash. */
typedef struct book {
	int32_t width, n;
	uint32_t entry[COP_MAX_LEVELS][MOST_WIDTH];
	uint16_t slot[SLOTS];
} book;

static uint32_t bits_for(int32_t levels) { return levels <= 2 ? 1 : levels <= 4 ? 2 : levels <= 16 ? 4 : 8; }

static size_t stride_of(int32_t width, uint32_t bits, int32_t cols) { return ((size_t)(cols + width - 1) / (size_t)width * bits + 7) / 8; }

static size_t size_of(int32_t n, int32_t width, uint32_t bits, int32_t rows, int32_t cols)
{
	return cop__pad4(HEAD + 4 * (size_t)n * (size_t)width + stride_of(width, bits, cols) * (size_t)rows);
}

/* The entry of a vector, a new one where there is room; -1: there is none. */
static int32_t entry_of(book *b, const uint32_t *v)
{
	const size_t bytes = sizeof *v * (size_t)b->width;
	uint32_t at = 0;

	for (int32_t i = 0; i < b->width; i++) at = (at ^ v[i]) * 2654435761u;
	for (at >>= 22; b->slot[at]; at = (at + 1) % SLOTS)
		if (!memcmp(b->entry[b->slot[at] - 1], v, bytes)) return b->slot[at] - 1;
	if (b->n == COP_MAX_LEVELS) return -1;
	memcpy(b->entry[b->n], v, bytes);
	b->slot[at] = (uint16_t)++b->n;
	return b->n - 1;
}

/* The bits of vector i of a row: zeros of either sign are one. */
static void vector_at(uint32_t *v, const float *row, int32_t i, int32_t width, int32_t cols)
{
	for (int32_t j = 0; j < width; j++) v[j] = i * width + j < cols ? cop__bits_of(row[i * width + j]) : 0;
}

/* b of the whole weight, and a code for each vector; false: there are too many. */
static bool find_vectors(book *b, uint8_t *code, int32_t width, const float *w, int32_t rows, int32_t cols)
{
	uint32_t v[MOST_WIDTH];

	memset(b, 0, sizeof *b);
	b->width = width;
	for (int32_t r = 0; r < rows; r++, w += cols)
		for (int32_t i = 0; i * width < cols; i++) {
			vector_at(v, w, i, width, cols);
			int32_t e = entry_of(b, v);
			if (e < 0) return false;
			*code++ = (uint8_t)e;
		}
	return true;
}

static cop_status put(void **blob, uint32_t *size, cop_ctx *cx, const book *b, const uint8_t *code, int32_t rows, int32_t cols)
{
	const uint32_t bits = bits_for(b->n);
	const size_t stride = stride_of(b->width, bits, cols), entry = 4 * (size_t)b->width;

	COP_TRY(cop__blob_alloc(blob, size, cx, size_of(b->n, b->width, bits, rows, cols)));
	uint8_t *to = *blob, *row = to + HEAD + entry * (size_t)b->n;
	cop__put32(to, (uint32_t)b->n);
	cop__put32(to + 4, bits);
	cop__put32(to + 8, (uint32_t)b->width);
	for (int32_t i = 0; i < b->n; i++) memcpy(to + HEAD + entry * (size_t)i, b->entry[i], entry);
	for (int32_t r = 0; r < rows; r++, row += stride)
		for (int32_t i = 0; i * b->width < cols; i++) {
			size_t at = (size_t)i * bits;
			row[at / 8] = (uint8_t)(row[at / 8] | *code++ << at % 8);
		}
	return COP_OK;
}

/* With vectors of two or of four, whichever is shorter. */
static cop_status encode(void **blob, uint32_t *size, cop_ctx *cx, const float *w, int32_t rows, int32_t cols)
{
	book *b = cop__alloc(cx, sizeof *b);
	uint8_t *code = cop__alloc(cx, (size_t)rows * ((size_t)cols / 2 + 1));
	cop_status st = b && code ? COP_OK : COP_NOMEM;
	int32_t best = 0;
	size_t least = SIZE_MAX;

	for (int32_t width = 2; !st && width <= MOST_WIDTH; width *= 2) {
		if (!find_vectors(b, code, width, w, rows, cols)) continue;
		size_t n = size_of(b->n, width, bits_for(b->n), rows, cols);
		if (n < least) least = n, best = width;
	}
	if (!st && !best) st = cop__error(cx, COP_ARG, "a codebook has at most %d vectors, the tensor has more", COP_MAX_LEVELS);
	if (!st && find_vectors(b, code, best, w, rows, cols)) st = put(blob, size, cx, b, code, rows, cols);
	cop__free(cx, code);
	cop__free(cx, b);
	return st;
}

static cop_status check(cop_ctx *cx, const char *name, const void *blob, size_t bytes, int32_t rows, int32_t cols)
{
	const uint8_t *b = blob;
	const bool head = bytes >= HEAD;
	const uint32_t n = head ? cop__le32(b) : 0, bits = head ? cop__le32(b + 4) : 0, width = head ? cop__le32(b + 8) : 0;

	if (n < 1 || n > COP_MAX_LEVELS || (bits != 1 && bits != 2 && bits != 4 && bits != 8) || n > 1u << bits || (width != 2 && width != 4))
		return cop__error(cx, COP_FORMAT, "%s: the codebook claims %u vectors of %u, with codes of %u bits", name, n, width, bits);
	if (bytes != size_of((int32_t)n, (int32_t)width, bits, rows, cols))
		return cop__error(cx, COP_FORMAT, "%s: %zu bytes are not the vectors form of %d x %d numbers", name, bytes, rows, cols);
	cop_vectors_blob v = cop_vectors_of(blob, cols);
	for (int32_t r = 0; r < rows; r++)
		for (int32_t i = 0; i * v.width < cols; i++)
			if (cop_palette_code(&v.code, r, i) >= v.code.levels)
				return cop__error(cx, COP_FORMAT, "%s: row %d has code %d of %d vectors", name, r, cop_palette_code(&v.code, r, i), v.code.levels);
	return COP_OK;
}

static void decode(float *w, const void *blob, int32_t rows, int32_t cols)
{
	cop_vectors_blob v = cop_vectors_of(blob, cols);

	for (int32_t r = 0; r < rows; r++)
		for (int32_t i = 0; i < cols; i++) *w++ = cop_vectors_at(&v, r, i);
}

static size_t bytes(const void *blob, int32_t rows, int32_t cols)
{
	if (!blob) return 0; /* the codebook decides */
	cop_vectors_blob v = cop_vectors_of(blob, cols);
	return size_of(v.code.levels, v.width, (uint32_t)v.code.bits, rows, cols);
}

static int64_t kept(const void *blob, int32_t rows, int32_t cols)
{
	cop_vectors_blob v = cop_vectors_of(blob, cols);
	int64_t n = 0;

	for (int32_t r = 0; r < rows; r++)
		for (int32_t i = 0; i < cols; i++) n += cop__bits_of(cop_vectors_at(&v, r, i)) != 0;
	return n;
}

const cop_encoding cop_enc_vectors = {
	.layout = "u32 vectors, u32 bits (1, 2, 4, 8), u32 width (2, 4), f32 codebook[vectors][width], codes packed from the low bits up, each row from a new byte",
	.flags = COP_ENC_EXACT, .encode = encode, .check = check, .decode = decode, .bytes = bytes, .kept = kept};
