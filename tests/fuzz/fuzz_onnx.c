/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an ONNX model, and as a tensor of its tests. What is read must be a graph that goes through all that a graph goes through.
 */
#include "behind.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_ctx *cx;
	cop_graph *g;
	cop_tensor t;
	size_t used;

	if (fuzz_ctx(&cx, &used)) return 0;
	if (!cop__onnx_read(&g, cx, "f.onnx", NULL, p, n, NULL)) {
		fuzz_behind(cx, g, p, n);
		cop_graph_free(g);
	} else if (g || !cop_error_text(cx)[0]) {
		abort();
	}
	cop_error_clear(cx);
	if (!cop__onnx_tensor_read(&t, cx, "t.pb", p, n)) cop_free(cx, t.data);
	else if (!cop_error_text(cx)[0]) abort();
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
