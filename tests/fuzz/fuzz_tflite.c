/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a TensorFlow Lite model; what is read goes through all that a graph goes through.
 */
#include "behind.h"
#include "io/tflite/tflite.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_ctx *cx;
	cop_graph *g;
	size_t used;

	if (fuzz_ctx(&cx, &used)) return 0;
	if (!cop__tflite_read(&g, cx, "f", p, n)) {
		fuzz_behind(cx, g, p, n);
		cop_graph_free(g);
	} else if (g || !cop_error_text(cx)[0]) {
		abort();
	}
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
