/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as .safetensors or .npy.
 */
#include "io/npy.h"
#include "io/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_ctx *cx;
	cop_graph *g;
	cop_tensor t;
	cop_type conv = cop__type(COP_F32, 4, DIMS(2, 1, 1, 2)), one = cop__type(COP_I8, 1, DIMS(1));

	if (cop_ctx_new(&cx, NULL)) return 0;
	if (cop__graph_new(&g, cx, "g")) abort();
	cop__data(g, COP_PARAM, "a.w", &conv, NULL);
	cop__data(g, COP_STATE, "b", &one, NULL);
	if (cop__weights_parse(g, "f", p, n) && !cop_error_text(cx)[0]) abort();
	cop_graph_free(g);
	cop_error_clear(cx);
	if (!cop__npy_bytes(&t, cx, "f", p, n)) cop_free(cx, t.data);
	else if (t.data || !cop_error_text(cx)[0]) abort();
	cop_ctx_free(cx);
	return 0;
}
