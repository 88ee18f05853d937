/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a TensorFlow Lite model. One that is read must print to a text that parses.
 */
#include "fuzz.h"
#include "io/tflite.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cop_status into(void *ud, const void *bytes, size_t size)
{
	cop__text_bytes(ud, bytes, size);
	return ((cop_text *)ud)->status;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_ctx *cx;
	cop_graph *g, *again;
	cop_text t;
	size_t used;

	if (fuzz_ctx(&cx, &used)) return 0;
	if (cop__tflite_read(&g, cx, "f", p, n)) {
		if (g || !cop_error_text(cx)[0]) abort();
	} else {
		cop__text_init(&t, cx);
		cop_status st = cop_graph_print(g, into, &t);
		if (!st) st = cop_graph_parse(&again, cx, t.data, t.len);
		if (st && st != COP_NOMEM) abort();
		cop__text_free(&t);
		if (!st) cop_graph_free(again);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
