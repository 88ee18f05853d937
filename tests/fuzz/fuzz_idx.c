/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an IDX file: what is taken must lie within them.
 */
#include "data/data.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static cop_ctx *cx;
	cop_blob b;

	if (!cx && cop_ctx_new(&cx, NULL)) abort();
	cop_error_clear(cx);
	cop__blob_view(&b, cx, "fuzz", bytes, size);
	cop_idx a;
	if (!cop__idx_parse(&a, &b) && (a.count < 0 || a.data + a.count != bytes + size)) abort();
	return 0;
}
