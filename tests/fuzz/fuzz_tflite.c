/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a TensorFlow Lite model. One that is read must print to a text that parses.
 */
#include "io/tflite.h"

#include <stdlib.h>

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

	if (cop_ctx_new(&cx, NULL)) return 0;
	if (cop__tflite_read(&g, cx, "f", p, n)) {
		if (g || !cop_error_text(cx)[0]) abort();
	} else {
		cop__text_init(&t, cx);
		if (cop_graph_print(g, into, &t) || cop_graph_parse(&again, cx, t.data, t.len)) abort();
		cop__text_free(&t);
		cop_graph_free(again);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
	return 0;
}
