/* SPDX-License-Identifier: Apache-2.0
 *
 * write - a graph as a .cop file (the layout: cop.c), and how long that would be.
 */
#include "core/need.h"
#include "enc/range.h"
#include "graph/about.h"
#include "io/cop/bits.h"
#include "io/cop/container.h"
#include "io/cop/pack.h"

#include <stdio.h>
#include <stdlib.h>

static cop_status to_text(void *ud, const void *bytes, size_t size)
{
	cop__text_bytes(ud, bytes, size);
	return ((cop_text *)ud)->status;
}

static bool stored(const cop_value *v)
{
	return v->role >= COP_CONST && v->data;
}

static cop_status put_blob(cop_rope *out, const cop_value *v, uint32_t index, cop_codec codec)
{
	cop_text *t = &out->text, coded;
	uint8_t b[4];
	size_t at = t->len;

	cop__text_init(&coded, t->cx);
	cop_status st = cop__code(&coded, &codec, t->cx, &v->type, v->data);
	const void *bytes = codec ? (const void *)coded.data : v->data;
	size_t size = codec ? coded.len : cop_type_bytes(&v->type);
	if (!st) {
		cop__var_put(t, index);
		cop__var_put(t, (uint32_t)size);
		b[0] = cop_codec_number[codec];
		cop__text_bytes(t, b, 1);
		st = t->status;
	}
	if (!st) {
		cop__put32(b, cop__crc32c(bytes, size, cop__crc32c(t->data + at, t->len - at, 0)));
		if (codec) cop__text_bytes(t, bytes, size);
		else cop__rope_refer(out, bytes, size);
		cop__text_bytes(t, b, 4);
		cop__log(t->cx, COP_LOG_DEBUG, "'%s': %zu bytes %s, %zu in the file as %s", v->name, cop_type_bytes(&v->type), cop__enc_text(v->type.enc), size, cop__codec_text(codec));
	}
	cop__text_free(&coded);
	return st ? st : t->status;
}

/* All above the blobs. */
static cop_status put_head(cop_text *out, const cop_graph *g, const cop_number *number, int n_number)
{
	size_t start = out->len;
	uint32_t n = 0;

	COP_TRY(cop__not_outline(g, "written"));
	cop__text_add(out, "%s%c\n", COP_MAGIC, cop__about_any(g) ? COP_NEWEST : COP_OLDEST);
	for (int i = 0; i < n_number; i++) {
		if (number[i].text) {
			cop__text_add(out, "text %s %zu\n", number[i].name, number[i].size);
			cop__text_bytes(out, number[i].text, number[i].size);
			cop__text_add(out, "\n");
		} else if (number[i].real) cop__text_add(out, "number %s %.17e\n", number[i].name, number[i].f);
		else cop__text_add(out, "number %s %lld\n", number[i].name, (long long)number[i].i);
	}
	COP_TRY(cop_graph_print(g, to_text, out));
	for (int32_t v = 1; v <= g->n_value; v++) n += stored(&g->value[v]);
	cop__text_add(out, "blobs %u %08x\n", n, cop__crc32c(out->data + start, out->len - start, 0));
	return out->status;
}

static cop_status in_blobs(cop_rope *rope, const cop_graph *g, const cop_number *number, int n_number, cop_codec codec)
{
	uint32_t index = 0;

	COP_TRY(put_head(&rope->text, g, number, n_number));
	for (int32_t v = 1; v <= g->n_value; v++) {
		if (stored(&g->value[v])) COP_TRY(put_blob(rope, &g->value[v], index, codec));
		index += g->value[v].role >= COP_CONST;
	}
	return rope->text.status;
}

/* Appended to `packed`, which stays empty where this form does not suit the graph, or is not shorter than so many bytes. */
static cop_status packed_below(cop_text *packed, const cop_graph *g, size_t bytes)
{
	cop_text head;

	if (!cop__pack_suits(g, bytes)) return COP_OK;
	cop__text_init(&head, g->cx);
	cop_status st = cop_graph_print(g, to_text, &head);
	if (!st) st = cop__pack_write(packed, g, head.data, head.len);
	if (packed->len >= bytes) cop__text_free(packed), cop__text_init(packed, g->cx);
	cop__text_free(&head);
	return st;
}

cop_status cop__model_rope(cop_rope *rope, const cop_graph *g, const cop_number *number, int n_number, cop_codec codec)
{
	cop_text packed;

	COP_TRY(in_blobs(rope, g, number, n_number, codec));
	if (codec != COP_CODEC_AUTO || n_number) return COP_OK;
	cop__text_init(&packed, g->cx);
	cop_status st = packed_below(&packed, g, cop__rope_size(rope));
	if (!st && packed.len) {
		cop__rope_free(rope);
		cop__rope_init(rope, g->cx);
		cop__text_bytes(&rope->text, packed.data, packed.len);
		st = rope->text.status;
	}
	cop__text_free(&packed);
	return st;
}

cop_status cop__model_size_by(size_t *bytes, const cop_graph *g, cop_stored_fn *fn, void *ud)
{
	uint32_t index = 0;
	size_t blobs = 0, n;
	cop_text head;

	cop__text_init(&head, g->cx);
	cop_status st = put_head(&head, g, NULL, 0);
	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		if (stored(&g->value[v]) && !(st = fn(ud, &n, &g->value[v]))) {
			cop__var_put(&head, index);
			cop__var_put(&head, (uint32_t)n);
			blobs += 1 + n + 4; /* the coder, the bytes, their sum */
		}
		index += g->value[v].role >= COP_CONST;
	}
	if (!st) st = head.status;
	*bytes = head.len + blobs;
	cop__text_free(&head);
	cop__text_init(&head, g->cx);
	if (!st) st = packed_below(&head, g, *bytes);
	if (!st && head.len) *bytes = head.len;
	cop__text_free(&head);
	return st;
}

cop_status cop__model_write(cop_text *out, const cop_graph *g, const cop_number *number, int n_number, cop_codec codec)
{
	cop_rope r;

	cop__rope_init(&r, g->cx);
	cop_status st = cop__model_rope(&r, g, number, n_number, codec);
	if (!st) st = cop__rope_write(&r, to_text, out);
	cop__rope_free(&r);
	return st;
}

cop_status cop_model_save(const cop_graph *g, const char *path)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), path);
	cop_rope r;

	cop__rope_init(&r, g->cx);
	cop_status st = cop__model_rope(&r, g, NULL, 0, COP_CODEC_AUTO);
	if (!st) st = cop__rope_save(g->cx, path, &r);
	cop__rope_free(&r);
	return st;
}

cop_status cop_model_write(const cop_graph *g, cop_write_fn *write, void *ud)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), write);
	cop_text t;

	cop__text_init(&t, g->cx);
	cop_status st = cop__model_write(&t, g, NULL, 0, COP_CODEC_AUTO);
	if (!st) st = write(ud, t.data, t.len);
	cop__text_free(&t);
	return st;
}

cop_status cop__model_size(size_t *bytes, const cop_graph *g)
{
	cop_rope r;

	cop__rope_init(&r, g->cx);
	cop_status st = cop__model_rope(&r, g, NULL, 0, COP_CODEC_AUTO);
	*bytes = cop__rope_size(&r);
	cop__rope_free(&r);
	return st;
}
