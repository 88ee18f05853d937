/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a recipe.
 */
#include "compress/compress.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_ctx *cx;
	cop_recipe *r;
	size_t used;

	if (fuzz_ctx(&cx, &used)) return 0;
	if ((r = cop__alloc(cx, sizeof *r)) && cop__recipe_parse(r, cx, (const char *)p, n) && !cop_error_text(cx)[0]) abort();
	cop__free(cx, r);
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
