/* SPDX-License-Identifier: Apache-2.0
 *
 * enc - the table of encodings, and what is done with any of them. How they are stored in files is io/cop's.
 */
#include "enc/enc.h"

static const cop_encoding *const encodings[] = {
#define ENC(NAME, name) [COP_##NAME] = &cop_enc_##name,
	ENC(DENSE, dense)
#include "enc/enc.def"
#undef ENC
};

const cop_encoding *cop__enc(cop_enc e) { return e >= 0 && e < LEN(encodings) ? encodings[e] : NULL; }

cop_status cop__blob_alloc(void **blob, uint32_t *bytes, cop_ctx *cx, size_t size)
{
	*blob = NULL;
	*bytes = 0;
	if (size > INT32_MAX) return cop__error(cx, COP_ARG, "an encoded tensor is at most 2 GiB long");
	if (!(*blob = cop__alloc(cx, size))) return COP_NOMEM;
	*bytes = (uint32_t)size;
	return COP_OK;
}

/* ---- through codes ---- */

cop_status cop__codes_of_blob(cop_codes *out, cop_ctx *cx, const char *name, cop_enc enc, const void *blob, size_t bytes,
	int32_t rows, int32_t cols)
{
	cop_status st = cop__codes_alloc(out, cx, rows, cols);

	if (!st) st = cop__enc(enc)->get(out, cx, name, blob, bytes);
	if (st) cop__codes_free(out, cx);
	return st;
}

cop_status cop__blob_of_codes(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const cop_codes *c)
{
	*blob = NULL;
	*bytes = 0;
	return cop__enc(enc)->put(blob, bytes, cx, c);
}

cop_status cop__encode_codes(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const float *codebook, int32_t n,
	const uint8_t *codes, int32_t rows, int32_t cols)
{
	cop_codes c = {.rows = rows, .cols = cols, .levels = n, .code = (uint8_t *)(uintptr_t)codes};

	*blob = NULL;
	if (n < 1 || n > COP_MAX_LEVELS)
		return cop__error(cx, COP_ARG, "a codebook has 1 to %d levels, not %d", COP_MAX_LEVELS, n);
	for (int64_t i = 0; i < cop__codes_count(&c); i++)
		if (codes[i] >= n)
			return cop__error(cx, COP_ARG, "element %lld has code %d of %d levels", (long long)i, codes[i], n);
	memcpy(c.codebook, codebook, sizeof *codebook * (size_t)n);
	return cop__blob_of_codes(blob, bytes, cx, enc, &c);
}

/* ---- any ---- */

cop_status cop__encode(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const float *w,
	int32_t rows, int32_t cols)
{
	const cop_encoding *e = cop__enc(enc);
	cop_codes c;

	*blob = NULL;
	if (e->encode) return e->encode(blob, bytes, cx, w, rows, cols);
	COP_TRY(cop__codes_of_dense(&c, cx, w, rows, cols));
	cop_status st = e->put(blob, bytes, cx, &c);
	cop__codes_free(&c, cx);
	return st;
}

/* Of an encoding without codes: its length follows from rows and columns alone, or its row checks it. */
static cop_status check_plain(cop_ctx *cx, const char *name, const cop_type *t, const void *blob,
	int32_t rows, int32_t cols)
{
	const cop_encoding *e = cop__enc(t->enc);
	const size_t want = e->bytes(NULL, rows, cols);

	if (want && cop_type_bytes(t) != want)
		return cop__error(cx, COP_FORMAT, "%s: %zu bytes are not the %s form of %d x %d numbers", name,
			cop_type_bytes(t), cop__enc_text(t->enc), rows, cols);
	return e->check ? e->check(cx, name, blob, cop_type_bytes(t), rows, cols) : COP_OK;
}

/* The rows and columns of a type whose encoding is known. */
static cop_status matrix(cop_ctx *cx, const char *name, const cop_type *t, int32_t *rows, int32_t *cols)
{
	if (t->dtype != COP_F32 || !cop__enc(t->enc))
		return cop__error(cx, COP_ARG, "%s is %s, f32 was expected", name, cop__dtype_text(t->dtype));
	cop__matrix_of(t, rows, cols);
	return COP_OK;
}

cop_status cop__decode(float *w, cop_ctx *cx, const char *name, const cop_type *t, const void *data)
{
	cop_codes c;
	int32_t rows, cols;

	COP_TRY(matrix(cx, name, t, &rows, &cols));
	if (!cop__enc_has_codes(t->enc)) {
		COP_TRY(check_plain(cx, name, t, data, rows, cols));
		cop__enc(t->enc)->decode(w, data, rows, cols);
		return COP_OK;
	}
	COP_TRY(cop__codes_of_blob(&c, cx, name, t->enc, data, t->enc_bytes, rows, cols));
	cop__dense_of_codes(w, &c);
	cop__codes_free(&c, cx);
	return COP_OK;
}

cop_status cop__blob_check(cop_ctx *cx, const char *name, const cop_type *t, const void *blob)
{
	cop_codes c;
	int32_t rows, cols;

	COP_TRY(matrix(cx, name, t, &rows, &cols));
	if (!cop__enc_has_codes(t->enc)) return check_plain(cx, name, t, blob, rows, cols);
	COP_TRY(cop__codes_of_blob(&c, cx, name, t->enc, blob, t->enc_bytes, rows, cols));
	cop__codes_free(&c, cx);
	return COP_OK;
}

int64_t cop__enc_kept(const cop_type *t, const void *data)
{
	int32_t rows, cols;

	cop__matrix_of(t, &rows, &cols);
	return cop__enc(t->enc)->kept(data, rows, cols);
}

bool cop__enc_reads(cop_enc e, const cop_graph *g, cop_nid n, int i)
{
	const cop_node *d = &g->node[n];
	char kind;

	if (e == COP_DENSE) return true;
	if (i != 1 || (d->op != OP_conv && d->op != OP_fc)) return false;
	if (d->op == OP_fc || (cop__enc(e)->flags & COP_ENC_GROUPS)) return true;
	return d->attr[cop__attr_find(cop__op(g, n), "groups", &kind, NULL)] == 1;
}
