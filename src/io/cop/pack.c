/* SPDX-License-Identifier: Apache-2.0
 *
 * pack - the packed form of a .cop file:
 *
 *   coppice 3                     and the end of the line
 *   u32 CRC32C of all that follows
 *   bytes of the range coder: the length of the graph's text (variable length), the text (words.c), then for each constant, parameter and state in
 *   the order of the text one bit, whether it is stored, and the tensor (codec.c)
 *
 * A tensor that is not stored is zero.
 */
#include "io/cop/pack.h"

#include "enc/range.h"
#include "graph/about.h"
#include "io/cop/words.h"

#include <stdio.h>

static const char magic[] = "coppice 3\n";
enum { MAGIC = sizeof magic - 1, BEGIN = MAGIC + 4, LONGEST_TEXT = 1 << 20 };

bool cop__is_packed(const uint8_t *p, size_t size) { return size > BEGIN && !memcmp(p, magic, MAGIC); }

bool cop__pack_suits(const cop_graph *g, size_t bytes)
{
	bool any = false;

	for (int32_t v = 1; v <= g->n_value; v++) any |= g->value[v].role >= COP_CONST && cop__enc_has_codes(g->value[v].type.enc) && g->value[v].type.enc != COP_DENSE;
	return any && bytes <= COP_PACK_UP_TO;
}

static cop_status put_all(cop_range *r, const cop_graph *g, const char *head, size_t size)
{
	cop_words *w;

	cop__range_var(r, (uint32_t)size);
	COP_TRY(cop__words_new(&w, g->cx));
	for (size_t i = 0; i < size; i++) cop__words_byte(r, w, (uint8_t)head[i]);
	cop__free(g->cx, w);
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role < COP_CONST) continue;
		cop__range_code(r, 32768, x->data != NULL);
		if (x->data) COP_TRY(cop__code_into(r, g->cx, &x->type, x->data));
	}
	return COP_OK;
}

cop_status cop__pack_write(cop_text *out, const cop_graph *g, const char *head, size_t size)
{
	size_t at = out->len;
	uint8_t crc[4] = {0};
	cop_range r;

	cop__text_bytes(out, magic, MAGIC);
	cop__text_bytes(out, crc, 4);
	cop__range_encoder(&r, out);
	COP_TRY(put_all(&r, g, head, size));
	cop__range_end(&r);
	if (out->status) return out->status;
	cop__put32((uint8_t *)out->data + at + MAGIC, cop__crc32c(out->data + at + BEGIN, out->len - at - BEGIN, 0));
	return COP_OK;
}

/* ---- reading ---- */

static cop_status get_text(cop_graph **g, cop_ctx *cx, const char *file, cop_range *r)
{
	uint32_t size = cop__range_var(r, 0);
	cop_words *w;

	if (!size || size > LONGEST_TEXT) return cop__error(cx, COP_FORMAT, "%s: a text of %u bytes is told of, at most %d are read", file, size, LONGEST_TEXT);
	char *text = cop__alloc(cx, size + 1);
	cop_status st = text ? cop__words_new(&w, cx) : COP_NOMEM;
	for (uint32_t i = 0; !st && i < size && !cop__range_over(r); i++) text[i] = (char)cop__words_byte(r, w, 0);
	if (!st) cop__free(cx, w);
	if (!st && cop__range_over(r)) st = cop__error(cx, COP_FORMAT, "%s: the file is cut short in its text", file);
	if (!st && (st = cop__graph_parse(g, cx, text, size))) cop__error_in(cx, file);
	cop__free(cx, text);
	return st;
}

static cop_status get_tensors(cop_graph *g, const char *file, cop_range *r, int64_t elements)
{
	char where[200];

	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role < COP_CONST) continue;
		snprintf(where, sizeof where, "%.100s: '%.60s'", file, x->name);
		bool there = cop__range_code(r, 32768, 0);
		if (!there && x->type.enc != COP_DENSE) return cop__error(g->cx, COP_FORMAT, "%s is %s, but not stored", where, cop__enc_text(x->type.enc));
		if (!there) continue;
		if (cop_type_bytes(&x->type) > INT32_MAX || (elements -= cop_type_count(&x->type)) < 0) return cop__error(g->cx, COP_FORMAT, "%s: so short a file cannot hold a tensor of %lld elements", where, (long long)cop_type_count(&x->type));
		void *data = cop__own(g, (cop_vid)v);
		if (!data) return COP_NOMEM;
		COP_TRY(cop__restore_from(data, g->cx, where, &x->type, r));
	}
	return COP_OK;
}

cop_status cop__pack_read(cop_graph **out, cop_ctx *cx, const char *file, const uint8_t *p, size_t size)
{
	cop_range r;
	cop_graph *g = NULL;

	*out = NULL;
	if (cop__crc32c(p + BEGIN, size - BEGIN, 0) != cop__le32(p + MAGIC)) return cop__error(cx, COP_FORMAT, "%s, byte %d: the checksum of what follows does not match", file, MAGIC);
	cop__range_decoder(&r, p + BEGIN, size - BEGIN);
	cop_status st = get_text(&g, cx, file, &r);
	if (!st) st = get_tensors(g, file, &r, 65536 + (int64_t)COP_MIN(size, (size_t)1 << 30) * COP_RANGE_MOST);
	if (!st && cop__range_over(&r)) st = cop__error(cx, COP_FORMAT, "%s: the file is cut short", file);
	if (!st && r.p != r.end) st = cop__error(cx, COP_FORMAT, "%s, byte %zu: the file goes on behind the last tensor", file, (size_t)(r.p - p));
	if (st) cop_graph_free(g), g = NULL;
	*out = g;
	return st;
}
