/* SPDX-License-Identifier: Apache-2.0
 *
 * codec - choosing a coder for a tensor, and what both coders share: levels, codebook, f32 values.
 *
 * A coded tensor: its head (codec_head.c), then the coder's stream. Each tensor is read back once before it is written; whatever a coder cannot
 * give back exactly (a -0, a blob with spare bytes) is stored as it is.
 */
#include "io/cop/codec.h"

#include "enc/range.h"
#include "io/cop/bits.h"
#include "io/cop/whole.h"

enum { PARAMETER = 3 }; /* where it begins in the flags */

const char *cop__codec_text(cop_codec c)
{
	static const char *const text[] = {"raw", "huffman", "range", "?", "auto"};
	return (int)c < LEN(text) ? text[c] : "?";
}

bool cop__stored_enough(int64_t elements, size_t len)
{
	return elements <= 65536 + (int64_t)COP_MIN(len, (size_t)1 << 40) * COP_RANGE_MOST;
}

/* ---- one tensor under one coder ---- */

static cop_status code(cop_text *out, cop_codec codec, cop_ctx *cx, const cop_codes *c)
{
	size_t at = out->len;
	int flags, parameter = 0;
	uint8_t b = 0;

	cop__text_bytes(out, &b, 1);
	flags = cop__head_put(out, c);
	COP_TRY((codec == COP_CODEC_HUFFMAN ? cop__huffman_put : cop__range_put)(out, &parameter, cx, c));
	if (out->status) return out->status;
	out->data[at] = (char)(flags | parameter << PARAMETER);
	return COP_OK;
}

/* The head of a tensor under the range coder, as a text of its own: what `code` writes before the coder's bytes. */
static cop_status head_of(cop_text *out, cop_ctx *cx, const cop_codes *c, const cop_range_how *h)
{
	uint8_t b = 0;
	int flags;

	(void)cx;
	cop__text_bytes(out, &b, 1);
	flags = cop__head_put(out, c);
	cop__range_put_how(out, h);
	if (out->status) return out->status;
	out->data[0] = (char)(flags | h->parameter << PARAMETER);
	return COP_OK;
}

/* Values that are listed: one for each element that is kept. */
static cop_status all_valued(const cop_codes *c, cop_ctx *cx, const char *name)
{
	int64_t kept = 0;

	if (c->levels) return COP_OK;
	for (int64_t i = 0; i < cop__codes_count(c); i++) kept += c->code[i];
	if (kept == c->n_value) return COP_OK;
	return cop__error(cx, COP_FORMAT, "%s: %lld elements are kept, but %lld values stored", name, (long long)kept, (long long)c->n_value);
}

static cop_status uncode(cop_codes *c, cop_codec codec, cop_ctx *cx, const char *name, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	if (!len) return cop__error(cx, COP_FORMAT, "%s: nothing is stored", name);
	int flags = *p++;
	COP_TRY(cop__head_get(c, cx, name, flags, &p, end));
	COP_TRY((codec == COP_CODEC_HUFFMAN ? cop__huffman_get : cop__range_get)(c, cx, name, flags >> PARAMETER, p, (size_t)(end - p)));
	return all_valued(c, cx, name);
}

/* Has a coder something to gain? */
static bool codable(const cop_type *t, const void *data)
{
	if (t->dtype != COP_F32) return cop__is_whole(t) && cop__whole_codable(t, data);
	return t->enc == COP_DENSE ? !cop__all_differ(data, cop_type_count(t)) : cop__enc_has_codes(t->enc);
}

static cop_status from_codes(void *data, cop_ctx *cx, const char *name, const cop_type *t, const cop_codes *c)
{
	uint32_t bytes = 0;
	void *blob = NULL;

	if (c->per && t->enc != COP_PALETTE) return cop__error(cx, COP_FORMAT, "%s: a palette alone has codebooks for groups of rows", name);
	if (cop__is_whole(t)) return cop__whole_of_codes(data, cx, name, t, c);
	if (t->enc == COP_DENSE) return cop__dense_of_codes(data, c), COP_OK;
	cop_status st = cop__blob_of_codes(&blob, &bytes, cx, t->enc, c);
	if (!st && bytes != t->enc_bytes) st = cop__error(cx, COP_FORMAT, "%s: holds %u bytes, its type says %u", name, bytes, t->enc_bytes);
	if (!st) memcpy(data, blob, bytes);
	cop__free(cx, blob);
	return st;
}

cop_status cop__restore(void *data, cop_ctx *cx, const char *name, const cop_type *t, uint32_t codec, const uint8_t *p, size_t len)
{
	cop_codes c;
	int32_t rows, cols;

	if (codec == COP_CODEC_RAW) {
		if (len != cop_type_bytes(t))
			return cop__error(cx, COP_FORMAT, "%s: %zu bytes are stored, its type takes %zu", name, len,
			        cop_type_bytes(t));
		memcpy(data, p, len);
		return t->enc == COP_DENSE ? COP_OK : cop__blob_check(cx, name, t, data);
	}
	if (codec >= COP_N_CODEC || (t->dtype != COP_F32 && !cop__is_whole(t)) || (t->enc != COP_DENSE && !cop__enc_has_codes(t->enc)))
		return cop__error(cx, COP_FORMAT, "%s: stored under unknown coder %u", name, codec);
	cop__matrix_of(t, &rows, &cols);
	if (!cop__stored_enough((int64_t)rows * cols, len))
		return cop__error(cx, COP_FORMAT, "%s: %zu bytes cannot stand for %d x %d elements", name, len, rows, cols);
	COP_TRY(cop__codes_alloc(&c, cx, rows, cols));
	cop_status st = uncode(&c, (cop_codec)codec, cx, name, p, len);
	if (!st) st = from_codes(data, cx, name, t, &c);
	cop__codes_free(&c, cx);
	return st;
}

/* ---- choosing ---- */

/* Whether the coder gives the tensor back; COP_NOMEM is the only failure. */
static cop_status gives_back(bool *same, cop_ctx *cx, const cop_type *t, const void *data, cop_codec codec, const cop_text *s)
{
	cop_ctx quiet = *cx; /* what cannot be read back is no failure: another coder takes it */
	size_t bytes = cop_type_bytes(t);
	void *again = cop__alloc(cx, bytes + 1);

	if (!again) return COP_NOMEM;
	quiet.log = NULL;
	cop_status st = cop__restore(again, &quiet, "?", t, codec, (const uint8_t *)s->data, s->len);
	*same = !st && !memcmp(again, data, bytes);
	cop__free(cx, again);
	return st == COP_NOMEM ? cop__error(cx, st, "%s", quiet.text) : COP_OK;
}

/* A tensor of many different values and few zeros: coding it is a waste of time. */
static bool hopeless(const cop_codes *c)
{
	return !c->levels && c->n_value * 20 > cop__codes_count(c) * 19;
}

bool cop__all_differ(const float *w, int64_t count)
{
	uint32_t seen[4 * COP_MAX_LEVELS] = {0};
	int64_t zeros = 0;
	int levels = 0;

	for (int64_t i = 0; i < count; i++) {
		uint32_t u = cop__bits_of(w[i]);
		zeros += !u;
		if (!u || levels == COP_MAX_LEVELS) continue;
		uint32_t s = u * 2654435761u >> 22;
		while (seen[s] && seen[s] != u) s = (s + 1) % LEN(seen);
		if (!seen[s]) seen[s] = u, levels++;
	}
	return levels == COP_MAX_LEVELS && (count - zeros) * 20 > count * 19;
}

static cop_status codes_of(cop_codes *c, cop_ctx *cx, const cop_type *t, const void *data)
{
	int32_t rows, cols;

	cop__matrix_of(t, &rows, &cols);
	if (cop__is_whole(t)) return cop__codes_of_whole(c, cx, t, data, rows, cols);
	if (t->enc == COP_DENSE) return cop__codes_of_dense(c, cx, data, rows, cols);
	return cop__codes_of_blob(c, cx, "?", t->enc, data, t->enc_bytes, rows, cols);
}

static cop_status best_of(cop_text *best, cop_codec *codec, cop_ctx *cx, const cop_type *t, const void *data, const cop_codes *c)
{
	cop_codec want = *codec;

	*codec = COP_CODEC_RAW;
	for (cop_codec k = COP_CODEC_HUFFMAN; k < COP_N_CODEC; k++) {
		cop_text s;
		if (want != k && want != COP_CODEC_AUTO) continue;
		cop__text_init(&s, cx);
		cop_status st = code(&s, k, cx, c);
		bool same = false, better = want == k || s.len < (*codec ? best->len : cop_type_bytes(t));
		if (!st && better) st = gives_back(&same, cx, t, data, k, &s);
		if (!st && same) {
			cop__text_free(best);
			*best = s;
			*codec = k;
		} else {
			cop__text_free(&s);
		}
		COP_TRY(st);
	}
	return COP_OK;
}

cop_status cop__code(cop_text *out, cop_codec *codec, cop_ctx *cx, const cop_type *t, const void *data)
{
	cop_codes c;

	if (*codec == COP_CODEC_RAW || !codable(t, data))
		return *codec = COP_CODEC_RAW, COP_OK;
	COP_TRY(codes_of(&c, cx, t, data));
	cop_text best;
	cop__text_init(&best, cx);
	cop_status st = COP_OK;
	if (hopeless(&c)) *codec = COP_CODEC_RAW;
	else st = best_of(&best, codec, cx, t, data, &c);
	cop__codes_free(&c, cx);
	if (!st && *codec) cop__text_bytes(out, best.data, best.len);
	cop__text_free(&best);
	return st ? st : out->status;
}

cop_status cop__store(cop_text *out, cop_codec *codec, cop_ctx *cx, const cop_type *t, const void *data)
{
	COP_TRY(cop__code(out, codec, cx, t, data));
	if (!*codec) cop__text_bytes(out, data, cop_type_bytes(t));
	return out->status;
}

/* ---- within a stream ----
 * One bit: coded? Then the length of the head (variable length), the head as above, its bytes as they are, and the elements; or else the bytes. */

static cop_status code_within(cop_range *r, cop_ctx *cx, cop_codes *c)
{
	cop_range_how h;
	cop_text head;

	COP_TRY(cop__range_choose(&h, cx, c));
	cop__text_init(&head, cx);
	cop_status st = head_of(&head, cx, c, &h);
	if (!st) {
		cop__range_code(r, 32768, 1);
		cop__range_var(r, (uint32_t)head.len);
		for (size_t i = 0; i < head.len; i++) cop__range_byte(r, (uint8_t)head.data[i]);
		st = cop__range_walk(r, cx, c, &h);
	}
	cop__text_free(&head);
	return st;
}

cop_status cop__code_into(cop_range *r, cop_ctx *cx, const cop_type *t, const void *data)
{
	cop_codec codec = COP_CODEC_RANGE; /* whether it gives the tensor back */
	cop_codes c;
	cop_text s;

	cop__text_init(&s, cx);
	cop_status st = cop__code(&s, &codec, cx, t, data);
	bool coded = codec && s.len < cop_type_bytes(t);
	cop__text_free(&s);
	if (!st && !coded) {
		cop__range_code(r, 32768, 0);
		for (size_t i = 0; i < cop_type_bytes(t); i++) cop__range_byte(r, ((const uint8_t *)data)[i]);
	}
	if (st || !coded) return st;
	COP_TRY(codes_of(&c, cx, t, data));
	st = code_within(r, cx, &c);
	cop__codes_free(&c, cx);
	return st;
}

/* The head as `uncode` reads it. */
static cop_status head_within(cop_codes *c, cop_range_how *h, cop_ctx *cx, const char *name, cop_range *r)
{
	uint32_t n = cop__range_var(r, 0);

	if (n < 1 || (int64_t)n > 16 * cop__codes_count(c) + 2048) return cop__error(cx, COP_FORMAT, "%s: the head of %u bytes is longer than it can be", name, n);
	uint8_t *head = cop__alloc(cx, n);
	if (!head) return COP_NOMEM;
	for (uint32_t i = 0; i < n; i++) head[i] = cop__range_byte(r, 0);
	const uint8_t *p = head + 1, *end = head + n;
	cop_status st = cop__head_get(c, cx, name, head[0], &p, end);
	if (!st && (!cop__range_get_how(h, head[0] >> PARAMETER, &p, end) || p != end)) st = cop__error(cx, COP_FORMAT, "%s: the head of the stream is cut short", name);
	cop__free(cx, head);
	return st;
}

static cop_status uncode_within(cop_codes *c, cop_ctx *cx, const char *name, cop_range *r)
{
	cop_range_how h;

	memset(c->code, 0, (size_t)cop__codes_count(c));
	COP_TRY(head_within(c, &h, cx, name, r));
	COP_TRY(cop__range_walk(r, cx, c, &h));
	if (cop__range_over(r)) return cop__error(cx, COP_FORMAT, "%s: the stream ends too early", name);
	return all_valued(c, cx, name);
}

cop_status cop__restore_from(void *data, cop_ctx *cx, const char *name, const cop_type *t, cop_range *r)
{
	cop_codes c;
	int32_t rows, cols;

	if (!cop__range_code(r, 32768, 0)) {
		for (size_t i = 0; i < cop_type_bytes(t) && !cop__range_over(r); i++) ((uint8_t *)data)[i] = cop__range_byte(r, 0);
		if (cop__range_over(r)) return cop__error(cx, COP_FORMAT, "%s: the stream ends too early", name);
		return t->enc == COP_DENSE ? COP_OK : cop__blob_check(cx, name, t, data);
	}
	if ((t->dtype != COP_F32 && !cop__is_whole(t)) || (t->enc != COP_DENSE && !cop__enc_has_codes(t->enc))) return cop__error(cx, COP_FORMAT, "%s: it can't be coded so", name);
	cop__matrix_of(t, &rows, &cols);
	COP_TRY(cop__codes_alloc(&c, cx, rows, cols));
	cop_status st = uncode_within(&c, cx, name, r);
	if (!st) st = from_codes(data, cx, name, t, &c);
	cop__codes_free(&c, cx);
	return st;
}
