/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_range - context-adaptive storage. For each element: is it kept? and if so, which level? Both as bits of
 * the range coder. Whether it is kept is judged by how full its column has been so far, how full its row, and
 * its neighbour: a dead input or output costs next to nothing. No tables.
 *
 * parameter: bit 0: column by column; bit 1: slower estimates. Both are tried (small tensors) and the best kept.
 * Stream: u16 share of kept elements, the range coder's bytes.
 */
#include "io/cop/codec.h"

#include "io/cop/range.h"

enum { CLASSES = 32, FULLNESS = 5, BY_COLUMN = 1, SLOW = 2, TRY_UP_TO = 1 << 21 };

typedef struct model {
	cop_prob kept[CLASSES][FULLNESS][2];
	cop_prob level[COP_MAX_LEVELS];
	uint32_t share;    /* of kept elements in the tensor, out of 65536 */
	int top, bits;     /* the largest symbol of the level tree and its bits; top < 0: none */
	uint16_t column[]; /* share of kept ones in each column so far */
} model;

static int rates(int parameter, int *slow)
{
	*slow = parameter & SLOW ? 8 : 7;
	return parameter & SLOW ? 5 : 4;
}

/* Half octaves: a share and its class, and the share in the middle of a class. */
static int class_of(uint32_t share)
{
	int top = 31 - __builtin_clz(share | 2);
	return 2 * top + (int)(share >> (top - 1) & 1);
}
static uint32_t middle(int class)
{
	return class < 2 ? 1 : (uint32_t)(5 + 2 * (class & 1)) << (class / 2) >> 2;
}

static int fullness(uint32_t row, uint32_t share)
{
	return row * 2 < share ? 0 : row * 5 < share * 4 ? 1 : row * 4 < share * 5 ? 2 : row < share * 2 ? 3 : 4;
}

static model *new_model(cop_ctx *cx, const cop_codes *c, uint32_t share, int32_t columns)
{
	model *m = cop__alloc(cx, sizeof *m + sizeof *m->column * (size_t)columns);

	if (!m) return NULL;
	m->share = COP_MAX(share, 96u);
	m->top = c->levels ? c->levels - 2 : 0;
	while (m->top > 0 && m->top >> m->bits) m->bits++;
	for (int k = 0; k < CLASSES; k++)
		for (int f = 0; f < 2 * FULLNESS; f++)
			m->kept[k][f / 2][f % 2] = cop__prob(COP_MIN(COP_MAX(middle(k), 96u), 65000u), 6);
	for (int i = 0; i < COP_MAX_LEVELS; i++) m->level[i] = cop__prob(32768, 0);
	for (int32_t i = 0; i < columns; i++) m->column[i] = (uint16_t)COP_MIN(m->share, 65000u);
	return m;
}

/* The tree has a leaf for each symbol up to `top`; a branch beyond it is not taken and costs nothing. */
static int code_level(cop_range *r, model *m, int symbol)
{
	int node = 1, from = 0;

	for (int i = m->bits - 1; i >= 0; i--) {
		int bit = from + (1 << i) > m->top ? 0 : cop__range_bit(r, &m->level[node], symbol >> i & 1);
		node = 2 * node + bit;
		from += bit << i;
	}
	return from;
}

static uint16_t follow(uint32_t share, bool kept, int rate)
{
	return (uint16_t)(kept ? share + ((65535 - share) >> rate) : share - (share >> rate));
}

/* Both ways: encoding reads the codes, decoding writes them; a decoder stops at the end of a row once the bytes are
 * used up. */
static void walk(cop_range *r, model *m, cop_codes *c, bool by_column)
{
	int32_t outer = by_column ? c->cols : c->rows, inner = by_column ? c->rows : c->cols;
	int64_t so = by_column ? 1 : c->cols, si = by_column ? c->cols : 1;

	for (int32_t a = 0; a < outer && !cop__range_over(r); a++) {
		uint32_t row = m->share;
		int before = 0, rate = COP_MIN(cop__range_rate((uint32_t)a + 2), 6);
		for (int32_t b = 0; b < inner; b++) {
			uint8_t *code = &c->code[a * so + b * si];
			cop_prob *q = &m->kept[class_of(m->column[b])][fullness(row, m->share)][before];
			before = cop__range_bit(r, q, *code != 0);
			if (before && m->top >= 0) *code = (uint8_t)(1 + code_level(r, m, *code - 1));
			m->column[b] = follow(m->column[b], before, rate);
			row = follow(row, before, 5);
		}
	}
}

static cop_status encode(cop_text *out, cop_ctx *cx, cop_codes *c, uint32_t share, int parameter)
{
	bool by_column = parameter & BY_COLUMN;
	model *m = new_model(cx, c, share, by_column ? c->rows : c->cols);
	cop_range r;
	int slow, fast = rates(parameter, &slow);
	uint8_t b[2] = {(uint8_t)share, (uint8_t)(share >> 8)};

	if (!m) return COP_NOMEM;
	cop__text_bytes(out, b, 2);
	cop__range_encoder(&r, out, fast, slow);
	walk(&r, m, c, by_column);
	cop__range_end(&r);
	cop__free(cx, m);
	return out->status;
}

cop_status cop__range_put(cop_text *out, int *parameter, cop_ctx *cx, const cop_codes *c)
{
	int64_t count = cop__codes_count(c), kept = 0;
	int tries = count > TRY_UP_TO ? 1 : 4;
	cop_codes view = *c; /* walk writes back what it read */
	cop_text best, t;
	cop_status st = COP_OK;

	for (int64_t i = 0; i < count; i++) kept += c->code[i] != 0;
	uint32_t share = (uint32_t)(kept * 65535 / count);
	cop__text_init(&best, cx);
	for (int k = 0; k < tries && !st; k++) {
		cop__text_init(&t, cx);
		st = encode(&t, cx, &view, share, k);
		if (!st && (!best.data || t.len < best.len)) {
			cop__text_free(&best);
			best = t;
			*parameter = k;
		} else {
			cop__text_free(&t);
		}
	}
	if (!st) cop__text_bytes(out, best.data, best.len);
	cop__text_free(&best);
	return st ? st : out->status;
}

cop_status cop__range_get(cop_codes *c, cop_ctx *cx, const char *name, int parameter, const uint8_t *p, size_t len)
{
	bool by_column = parameter & BY_COLUMN;
	cop_range r;
	int slow, fast = rates(parameter, &slow);

	if (len < 2 || parameter > 3) return cop__error(cx, COP_FORMAT, "%s: the stored stream is cut short", name);
	model *m = new_model(cx, c, p[0] | (uint32_t)p[1] << 8, by_column ? c->rows : c->cols);
	if (!m) return COP_NOMEM;
	memset(c->code, 0, (size_t)cop__codes_count(c));
	cop__range_decoder(&r, p + 2, len - 2, fast, slow);
	walk(&r, m, c, by_column);
	cop__free(cx, m);
	if (cop__range_over(&r))
		return cop__error(cx, COP_FORMAT, "%s: the stored stream ends after %zu bytes, too early", name, len);
	return COP_OK;
}
