/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a tar: members lie within them, and the walk ends.
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
	cop_blob e;
	bool more = true;
	size_t at = 0;
	while (!cop__tar_next(&e, &more, &b, &at) && more)
		if (e.bytes < bytes || e.bytes + e.size > bytes + size || at > size) abort();
	return 0;
}
