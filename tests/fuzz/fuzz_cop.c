/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a .cop file: refused with a sentence, or a graph that can be written again.
 */
#include "io/cop.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_ctx *cx;
	cop_graph *g;

	if (cop_ctx_new(&cx, NULL)) return 0;
	if (!cop_model_read(&g, cx, p, n)) {
		cop_text t;
		cop__text_init(&t, cx);
		if (cop__model_write(&t, g, NULL, 0, COP_CODEC_AUTO)) abort();
		cop__text_free(&t);
		cop_graph_free(g);
	} else if (g || !cop_error_text(cx)[0]) {
		abort();
	}
	cop_ctx_free(cx);
	return 0;
}
