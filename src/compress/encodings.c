/* SPDX-License-Identifier: Apache-2.0
 *
 * encodings - see encodings.h.
 */
#include "compress/encodings.h"

void cop__encodings_begin(cop_encodings *e, cop_ctx *cx) { *e = (cop_encodings){.cx = cx}; }

void cop__encodings_free(cop_encodings *e)
{
	for (int32_t i = 0; i < e->n_form; i++) cop__free(e->cx, e->form[i].blob);
	cop__free(e->cx, e->form);
	cop__free(e->cx, e->size);
}

/* Of all that decides the result: what follows, the shape, and every number. */
static void key_of(uint8_t key[32], int32_t how, const cop_type *t, const void *data)
{
	uint8_t both[64];
	int32_t head[4 + COP_MAX_DIM] = {how, (int32_t)t->dtype, (int32_t)t->enc, t->rank};

	memcpy(head + 4, t->dim, sizeof *t->dim * (size_t)t->rank);
	cop__sha256(both, head, sizeof head);
	cop__sha256(both + 32, data, cop_type_bytes(t));
	cop__sha256(key, both, sizeof both);
}

/* ---- bytes in a file ---- */

/* No coder makes less of it, and no encoding but vectors and palettes of groups: one palette does not hold it, and sparse rows of few zeros are longer. */
static bool plain(const cop_type *t, const void *data) { return t->dtype == COP_F32 && t->enc == COP_DENSE && cop__all_differ(data, cop_type_count(t)); }

static cop_status stored(size_t *bytes, cop_encodings *e, const cop_type *t, const void *data, cop_codec codec)
{
	uint8_t key[32];
	cop_text out;

	key_of(key, (int32_t)codec, t, data);
	for (int32_t i = 0; i < e->n_size; i++)
		if (!memcmp(e->size[i].key, key, sizeof key)) return *bytes = e->size[i].bytes, COP_OK;
	cop__text_init(&out, e->cx);
	cop_status st = cop__store(&out, &codec, e->cx, t, data);
	*bytes = out.len;
	cop__text_free(&out);
	if (!st) st = cop__grow(e->cx, &e->size, &e->cap_size, e->n_size, sizeof *e->size);
	if (st) return st;
	e->size[e->n_size].bytes = *bytes;
	memcpy(e->size[e->n_size++].key, key, sizeof key);
	return COP_OK;
}

cop_status cop__encodings_stored(void *ud, size_t *bytes, const cop_value *x)
{
	if (plain(&x->type, x->data)) return *bytes = cop_type_bytes(&x->type), COP_OK;
	return stored(bytes, ud, &x->type, x->data, COP_CODEC_AUTO);
}

/* ---- the smallest encoding ---- */

typedef struct choice { cop_type type; void *blob; size_t bytes; } choice; /* blob: freed with the choice; NULL: the weight as it is */

/* Takes encoding enc where it is smaller in the file. The coders make the same of a tensor however it lies in memory: then the
 * memory decides. */
static cop_status consider(choice *c, cop_encodings *e, const cop_value *x, cop_enc enc, cop_codec codec)
{
	cop_type t = x->type;
	void *blob = NULL;
	int32_t rows, cols;
	size_t n;

	t.enc = enc;
	cop__matrix_of(&x->type, &rows, &cols);
	cop_status st = cop__encode(&blob, &t.enc_bytes, e->cx, enc, x->data, rows, cols);
	if (st && st != COP_NOMEM) return cop_error_clear(e->cx), COP_OK; /* too many values for a palette: not an error here */
	if (!st) st = stored(&n, e, &t, blob, codec);
	if (!st && (n < c->bytes || (n == c->bytes && cop_type_bytes(&t) < cop_type_bytes(&c->type)))) {
		cop__free(e->cx, c->blob);
		*c = (choice){t, blob, n};
	} else {
		cop__free(e->cx, blob);
	}
	return st;
}

/* A place for one more form: the older of two of that name makes room. */
static cop_status place_for(cop_known_form **out, cop_encodings *e, uint32_t name)
{
	int32_t first = -1, same = 0;

	for (int32_t i = e->n_form - 1; i >= 0; i--)
		if (e->form[i].name == name) first = i, same++;
	if (same >= 2) {
		cop__free(e->cx, e->form[first].blob);
		memmove(e->form + first, e->form + first + 1, sizeof *e->form * (size_t)(e->n_form - first - 1)); /* the order is the age */
		e->n_form--;
	}
	COP_TRY(cop__grow(e->cx, &e->form, &e->cap_form, e->n_form, sizeof *e->form));
	*out = &e->form[e->n_form];
	return COP_OK;
}

static cop_status try_all(cop_smallest *out, cop_encodings *e, const cop_value *x, uint32_t among, cop_codec codec, const uint8_t key[32])
{
	choice c = {x->type, NULL, 0};
	cop_known_form *f;
	cop_status st = stored(&c.bytes, e, &x->type, x->data, codec);

	e->tried++;
	for (cop_enc enc = COP_DENSE + 1; !st && enc < COP_N_ENC; enc++)
		if (among >> enc & 1) st = consider(&c, e, x, enc, codec);
	if (!st) st = place_for(&f, e, cop__hash_text(x->name));
	if (st) return cop__free(e->cx, c.blob), st;
	*f = (cop_known_form){.name = cop__hash_text(x->name), .type = c.type, .blob = c.blob};
	memcpy(f->key, key, sizeof f->key);
	e->n_form++;
	*out = (cop_smallest){c.type, c.blob};
	return COP_OK;
}

/* COP_NOMEM is the only failure. */
static cop_status holds(bool *few, cop_enc enc, cop_ctx *cx, const cop_value *x)
{
	int32_t rows, cols;
	uint32_t bytes;
	void *blob;

	cop__matrix_of(&x->type, &rows, &cols);
	cop_status st = cop__encode(&blob, &bytes, cx, enc, x->data, rows, cols);
	*few |= !st;
	cop__free(cx, blob);
	if (st == COP_NOMEM) return st;
	if (st) cop_error_clear(cx);
	return COP_OK;
}

cop_status cop__smallest(cop_smallest *out, cop_encodings *e, const cop_value *x, uint32_t among, cop_codec codec)
{
	uint8_t key[32];

	*out = (cop_smallest){x->type, NULL};
	if (plain(&x->type, x->data)) {
		bool few = false;
		if (among >> COP_VECTORS & 1) COP_TRY(holds(&few, COP_VECTORS, e->cx, x));
		if (among >> COP_PALETTE & 1) COP_TRY(holds(&few, COP_PALETTE, e->cx, x));
		if (!few) return COP_OK;
	}
	key_of(key, (int32_t)(among << 8 | codec), &x->type, x->data);
	for (int32_t i = 0; i < e->n_form; i++) {
		if (memcmp(e->form[i].key, key, sizeof key)) continue;
		if (e->form[i].blob) *out = (cop_smallest){e->form[i].type, e->form[i].blob};
		return COP_OK;
	}
	return try_all(out, e, x, among, codec, key);
}
