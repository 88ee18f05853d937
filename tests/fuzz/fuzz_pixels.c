/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a JPEG or PNG.
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
	cop_pixels p;
	if (cop__pixels_parse(&p, &b, size % 2 ? 3 : 0)) return 0;
	if (p.h < 1 || p.w < 1 || (p.channels != 1 && p.channels != 3)) abort();
	cop__pixels_free(cx, &p);
	return 0;
}
