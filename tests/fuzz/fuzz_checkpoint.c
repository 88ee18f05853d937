/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes below the first line of a checkpoint; the checksum of the text is made to fit, so that what lies
 * behind it is reached.
 */
#include "io/cop/cop.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_number number[] = {{.name = "epoch"}, {.name = "best"}};
	cop_ctx *cx;
	cop_graph *g;
	cop_text t;
	uint8_t crc[4];
	int found;

	if (n < 2 || cop_ctx_new(&cx, NULL)) return 0;
	size_t text = p[0] < n - 1 ? p[0] : n - 1, blob = n - 1 - text;
	cop__text_init(&t, cx);
	cop__text_add(&t, "coppice 1\nnumber epoch 3\nnumber best 1e-3\ngraph g\ninput x f32[1,2]\nparam w f32[9,9]\nparam s f32[9,9] sparse %d\n", p[1]);
	cop__text_bytes(&t, p + 1, text);
	cop__text_add(&t, "\ny = clip x\noutput y\n");
	cop__text_add(&t, "blobs %d %08x\n", 1, cop__crc32c(t.data, t.len, 0));
	cop__text_bytes(&t, p + 1 + text, blob);
	cop__put32(crc, cop__crc32c(p + 1 + text, blob, 0));
	cop__text_bytes(&t, crc, 4);
	if (!cop__model_read(&g, cx, "f", t.data, t.len, number, 2, &found)) cop_graph_free(g);
	else if (g || !cop_error_text(cx)[0]) abort();
	cop__text_free(&t);
	cop_ctx_free(cx);
	return 0;
}
