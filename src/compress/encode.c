/* SPDX-License-Identifier: Apache-2.0
 *
 * encode - gives each weight the encoding that is smallest in the file: dense, a palette, or sparse rows. From here
 * on the kernels read the encoded form, in RAM and flash too.
 */
#include "compress/compress.h"
#include "io/cop/codec.h"
#include "pass/pass.h"

#include <stdio.h>

static cop_codec codec_of(const cop_stage *s)
{
	if (!strcmp(s->codec, "huffman")) return COP_CODEC_HUFFMAN;
	if (!strcmp(s->codec, "range")) return COP_CODEC_RANGE;
	return !strcmp(s->codec, "raw") ? COP_CODEC_RAW : COP_CODEC_AUTO;
}

static cop_status stored(size_t *bytes, cop_ctx *cx, const cop_type *t, const void *data, cop_codec codec)
{
	cop_text out;
	cop__text_init(&out, cx);
	cop_status st = cop__store(&out, &codec, cx, t, data);
	*bytes = out.len;
	cop__text_free(&out);
	return st;
}

typedef struct choice { cop_type type; void *blob; size_t bytes; } choice; /* blob: freed with the choice; NULL: the weight as it is */

/* Takes encoding e where it is smaller in the file. The coders make the same of a tensor however it lies in memory: then the
 * memory decides. */
static cop_status consider(choice *c, cop_ctx *cx, const cop_value *x, cop_enc e, cop_codec codec)
{
	cop_type t = x->type;
	void *blob = NULL;
	int32_t rows, cols;
	size_t n;

	t.enc = e;
	cop__matrix_of(&x->type, &rows, &cols);
	cop_status st = cop__encode(&blob, &t.enc_bytes, cx, e, x->data, rows, cols);
	if (st && st != COP_NOMEM) return cop_error_clear(cx), COP_OK; /* too many values for a palette: not an error here */
	if (!st) st = stored(&n, cx, &t, blob, codec);
	if (!st && (n < c->bytes || (n == c->bytes && cop_type_bytes(&t) < cop_type_bytes(&c->type)))) {
		cop__free(cx, c->blob);
		*c = (choice){t, blob, n};
	} else {
		cop__free(cx, blob);
	}
	return st;
}

/* Only products read encoded weights; a weight that anything else reads stays dense. */
static bool readers_can(cop_enc e, const cop_graph *g, cop_vid v)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int j = 0; j < g->node[n].n_in; j++)
			if (g->node[n].in[j] == v && !cop__enc_reads(e, g, n, j)) return false;
	return true;
}

/* The smallest encoding of one weight becomes a value of `out`. */
static cop_status best(cop_graph *out, const cop_graph *g, cop_vid v, cop_vid *id, cop_codec codec)
{
	const cop_value *x = &g->value[v];
	choice c = {x->type, NULL, 0};
	cop_status st = stored(&c.bytes, g->cx, &x->type, x->data, codec);

	for (cop_enc e = COP_DENSE + 1; !st && e < COP_N_ENC; e++)
		if ((cop__enc(e)->flags & COP_ENC_EXACT) && readers_can(e, g, v)) st = consider(&c, g->cx, x, e, codec);
	if (!st) {
		*id = cop__data(out, COP_PARAM, x->name, &c.type, c.blob);
		if (*id && !c.blob && cop__share(out, *id, g, v)) *id = 0;
		st = *id ? COP_OK : g->cx->code ? g->cx->code : COP_NOMEM;
	}
	cop__free(g->cx, c.blob);
	return st;
}

static cop_status encode(cop_graph **out, const cop_graph *g, const cop_stage *s)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t v = 1; !st && v <= g->n_value; v++)
		if (cop__compressible(g, (cop_vid)v, s->layers) && g->value[v].data) st = best(*out, g, (cop_vid)v, &map[v], codec_of(s));
	for (int32_t i = 1; !st && i <= g->n_node; i++) st = cop__copy_node(*out, g, map, (cop_nid)i);
	if (!st) st = cop__copy_end(*out, g, map); /* masks and momentum have no reader and stay behind */
	return cop__pass_end(out, st);
}

cop_status cop__stage_encode(cop_graph **gp, const cop_stage *s, const cop_workshop *w)
{
	cop_graph *folded = NULL, *out = NULL;

	(void)w;
	cop_status st = cop__pass_fold_bn(&folded, *gp);
	if (!st) st = encode(&out, folded, s);
	cop_graph_free(folded);
	if (st) return st;
	cop_graph_free(*gp);
	*gp = out;
	return COP_OK;
}
