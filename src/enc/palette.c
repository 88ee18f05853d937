/* SPDX-License-Identifier: Apache-2.0
 *
 * palette - weights of few different numbers: a codebook, and one code of 1, 2, 4 or 8 bits for each element.
 *
 *   0         4        5         8                      8 + 4 n books   + stride
 *   +---------+--------+---------+----------------------+---------------+---------------+--   --+--------+
 *   | u32 n   | u8 b   | u24 per | f32 book[books][n]   | row 0         | row 1         | ...   | 0 .. 3 |
 *   +---------+--------+---------+----------------------+---------------+---------------+--   --+--------+
 *                                                        a row: ceil(cols b / 8) bytes, its first code in the lowest bits
 *
 * per: rows that share a codebook, so that there are ceil(rows / per) of them; 0: one for all rows.
 */
#include "enc/enc.h"

static uint32_t bits_for(int32_t levels) { return levels <= 2 ? 1 : levels <= 4 ? 2 : levels <= 16 ? 4 : 8; }

enum { MOST_PER = (1 << 24) - 1 };

static size_t size_of(int64_t levels, uint32_t bits, int32_t rows, int32_t cols)
{
	return 8 + 4 * (size_t)levels + (((size_t)cols * bits + 7) / 8) * (size_t)rows;
}

static int64_t all_levels(const cop_codes *c) { return (int64_t)cop__books_n(c) * c->levels; }

static cop_status put(void **blob, uint32_t *bytes, cop_ctx *cx, const cop_codes *c)
{
	uint32_t bits = bits_for(c->levels);
	size_t stride = ((size_t)c->cols * bits + 7) / 8;

	if (!c->levels)
		return cop__error(cx, COP_ARG, "a palette has at most %d values, the tensor has more", COP_MAX_LEVELS);
	COP_TRY(cop__blob_alloc(blob, bytes, cx, cop__pad4(size_of(all_levels(c), bits, c->rows, c->cols))));
	uint8_t *b = *blob, *row = b + 8 + 4 * all_levels(c);
	const uint8_t *code = c->code;
	cop__put32(b, (uint32_t)c->levels);
	cop__put32(b + 4, bits | (uint32_t)c->per << 8);
	memcpy(b + 8, cop__book_of(c, 0), 4 * (size_t)all_levels(c));
	for (int32_t r = 0; r < c->rows; r++, row += stride)
		for (int32_t i = 0; i < c->cols; i++) {
			size_t at = (size_t)i * bits;
			row[at / 8] = (uint8_t)(row[at / 8] | *code++ << at % 8);
		}
	return COP_OK;
}

/* ---- of numbers ---- */

enum { TRIES = 32, SLOTS = 1024 };
/* How many rows may share a codebook: a group ends where a row has values that those before it have not. few: all rows share one. */
typedef struct groups { int32_t per[TRIES], n; bool few; } groups;

/* Is u new among n values? Then it is put there, where there is room. slot: 1 more than a value's place. */
static bool is_new(uint32_t *value, uint16_t *slot, int *n, uint32_t u)
{
	uint32_t at = u * 2654435761u >> 22;

	while (slot[at] && value[slot[at] - 1] != u) at = (at + 1) % SLOTS;
	if (slot[at]) return false;
	if (*n < COP_MAX_LEVELS) value[*n] = u, slot[at] = (uint16_t)(*n + 1);
	++*n;
	return true;
}

static void find_groups(groups *g, const float *w, int32_t rows, int32_t cols)
{
	uint32_t value[COP_MAX_LEVELS] = {0};
	uint16_t slot[SLOTS] = {0};
	int n = 1; /* 0 is the first */

	slot[0] = 1;
	*g = (groups){.few = true};
	for (int32_t r = 0; r < rows && g->few; r++) {
		int before = n;
		for (int32_t i = 0; i < cols && n <= COP_MAX_LEVELS; i++) (void)is_new(value, slot, &n, cop__bits_of(*w++));
		if (r && n > before && g->n < TRIES && r <= MOST_PER) g->per[g->n++] = r;
		g->few = n <= COP_MAX_LEVELS;
	}
}

/* Does an entry of the codebooks of groups stand for that many numbers in the mean, zeros aside? Else numbers are not shared, there are few of them in a row. */
static bool shared(const cop_codes *c)
{
	enum { SHARE = 8 };
	int64_t kept = 0;

	for (int64_t i = 0; c->per && i < cop__codes_count(c); i++) kept += c->code[i] != 0;
	return !c->per || SHARE * (all_levels(c) - cop__books_n(c)) <= kept;
}

/* Takes c in the place of best if that makes a shorter blob. */
static void shorter(cop_codes *best, cop_codes *c, size_t *least, cop_ctx *cx)
{
	size_t n = c->levels ? size_of(all_levels(c), bits_for(c->levels), c->rows, c->cols) : SIZE_MAX;

	if (n >= *least || !shared(c)) {
		cop__codes_free(c, cx);
		return;
	}
	cop__codes_free(best, cx);
	*best = *c;
	*least = n;
}

static cop_status encode(void **blob, uint32_t *bytes, cop_ctx *cx, const float *w, int32_t rows, int32_t cols)
{
	size_t least = SIZE_MAX;
	cop_codes best = {0}, c;
	cop_status st = COP_OK;
	groups g;

	find_groups(&g, w, rows, cols);
	if (g.few && !(st = cop__codes_of_dense(&c, cx, w, rows, cols))) shorter(&best, &c, &least, cx);
	for (int32_t i = 0; i < g.n && !st; i++)
		if (!(st = cop__grouped_codes(&c, cx, w, rows, cols, g.per[i]))) shorter(&best, &c, &least, cx);
	if (!st) st = put(blob, bytes, cx, &best);
	cop__codes_free(&best, cx);
	return st;
}

/* ---- of blobs ---- */

/* The head of a blob that nobody has checked, and whether all is there that it tells of. */
static cop_status check_head(cop_ctx *cx, const char *name, const uint8_t *b, size_t bytes, int32_t rows, int32_t cols)
{
	const uint32_t n = bytes >= 8 ? cop__le32(b) : 0, bits = n ? b[4] : 0, per = n ? cop__le32(b + 4) >> 8 : 0;
	const cop_codes c = {.rows = rows, .cols = cols, .levels = (int32_t)n, .per = (int32_t)per};

	if (n < 1 || n > COP_MAX_LEVELS || (bits != 1 && bits != 2 && bits != 4 && bits != 8) || n > 1u << bits)
		return cop__error(cx, COP_FORMAT, "%s: the palette claims %u levels of %u bits", name, n, bits);
	if (per && (per >= (uint32_t)rows || n - 1 > (uint64_t)per * (uint32_t)cols))
		return cop__error(cx, COP_FORMAT, "%s: the palette claims %u levels for every %u of %d rows", name, n, per, rows);
	if (bytes < size_of(all_levels(&c), bits, rows, cols))
		return cop__error(cx, COP_FORMAT, "%s: the palette is %zu bytes long, too short for %d x %d codes", name, bytes,
			rows, cols);
	return COP_OK;
}

static cop_status take_book(cop_codes *c, cop_ctx *cx, const cop_palette_blob *p)
{
	c->levels = p->levels;
	if (p->per < c->rows) {
		c->per = p->per;
		if (!(c->books = cop__alloc(cx, 4 * (size_t)all_levels(c)))) return COP_NOMEM;
	}
	memcpy(c->per ? c->books : c->codebook, p->book, 4 * (size_t)all_levels(c));
	return COP_OK;
}

static cop_status get(cop_codes *c, cop_ctx *cx, const char *name, const uint8_t *b, size_t bytes)
{
	COP_TRY(check_head(cx, name, b, bytes, c->rows, c->cols));
	cop_palette_blob p = cop_palette_of(b, c->rows, c->cols);
	uint8_t *code = c->code;
	COP_TRY(take_book(c, cx, &p));
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
	cop_palette_blob p = cop_palette_of(blob, rows, cols);
	const cop_codes c = {.rows = rows, .levels = p.levels, .per = p.per < rows ? p.per : 0};
	return cop__pad4(size_of(all_levels(&c), (uint32_t)p.bits, rows, cols));
}

static int64_t kept(const void *blob, int32_t rows, int32_t cols)
{
	cop_palette_blob p = cop_palette_of(blob, rows, cols);
	int64_t n = 0;

	for (int32_t r = 0; r < rows; r++)
		for (int32_t i = 0; i < cols; i++) n += cop__bits_of(cop_palette_book(&p, r)[cop_palette_code(&p, r, i)]) != 0;
	return n;
}

const cop_encoding cop_enc_palette = {
	.layout = "u32 levels, u8 bits (1, 2, 4, 8), u24 rows that share a codebook (0: all), f32 codebook[levels] for each such group, codes packed from the low bits up, "
		"each row from a new byte",
	.flags = COP_ENC_EXACT, .encode = encode, .put = put, .get = get, .bytes = bytes, .kept = kept};
