/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a .cop file (or another one that a model may come in); what is read goes through all that a graph goes through.
 */
#include "behind.h"
#include "io/cop/cop.h"

/* Read from bytes that become the graph's own, as large files are, it must be the same file. */
static void taken(cop_ctx *cx, const uint8_t *p, size_t n, bool good)
{
	cop_graph *g;
	void *own = cop__alloc(cx, n);
	cop_status st;

	if (!own || !cop__is_cop(p, n)) {
		cop__free(cx, own);
		return;
	}
	memcpy(own, p, n);
	st = cop__model_take(&g, cx, "model", own, n);
	if (st != COP_NOMEM && !st != good) abort();
	if (st && (g || !cop_error_text(cx)[0])) abort();
	cop_graph_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_ctx *cx;
	cop_graph *g;
	size_t used;

	if (fuzz_ctx(&cx, &used)) return 0;
	cop_status st = cop_model_read(&g, cx, p, n);
	if (st != COP_NOMEM) taken(cx, p, n, !st);
	if (!st) {
		fuzz_behind(cx, g, p, n);
		cop_graph_free(g);
	} else if (g) {
		abort();
	}
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
