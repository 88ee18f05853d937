/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the text of a graph, up to a zero byte; what follows goes round as the contents of its leaves. A graph that is accepted
 * must print to a text that parses to the same text, and, when it is small, go through all that a graph goes through. A .cop has a
 * checksum, which mutations seldom hit: here the same text comes without one.
 */
#include "behind.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* As a file does: contents are checked when they are read. */
static cop_graph *with_contents(cop_ctx *cx, cop_graph *g, const uint8_t *p, size_t size)
{
	cop_text file;
	cop_graph *out = NULL;
	cop_status st = COP_OK;

	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		cop_value *x = &g->value[v];
		size_t bytes = cop_type_bytes(&x->type);
		uint8_t *data = x->role < COP_CONST ? NULL : cop__arena_get(&g->mem, bytes + 64);
		if (x->role < COP_CONST) continue;
		if (!data) st = COP_NOMEM;
		for (size_t i = 0; data && i < bytes && size; i++) data[i] = p[i % size];
		x->data = data;
	}
	cop__text_init(&file, cx);
	if (!st) st = cop__model_write(&file, g, NULL, 0, COP_CODEC_RAW);
	if (!st) st = cop_model_read(&out, cx, file.data, file.len);
	fuzz_refused(cx, st);
	cop__text_free(&file);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *end = memchr(p, 0, n);
	size_t text = end ? (size_t)(end - p) : n, used;
	cop_ctx *cx;
	cop_graph *g, *whole;

	if (fuzz_ctx(&cx, &used)) return 0;
	if (cop__graph_parse(&g, cx, (const char *)p, text)) {
		if (g || !cop_error_text(cx)[0]) abort();
	} else {
		fuzz_round_trip(cx, g);
		if (fuzz_small(g) && (whole = with_contents(cx, g, p + text, n - text))) {
			fuzz_behind(cx, whole, p + text, n - text);
			cop_graph_free(whole);
		}
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
