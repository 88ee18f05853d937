/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a CIFAR-10 batch, from any record on.
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
	static const int32_t dim[3] = {32, 32, 3};
	int32_t from = size ? bytes[0] % 4 : 0, n = (int32_t)(size / COP_CIFAR_RECORD);
	cop_store *s;
	if (cop__store_new(&s, cx, "fuzz") || cop__store_shape(s, 3, dim, false) || cop__store_room(s, n)) abort();
	cop__cifar_parse(s, 0, &b, from, n > from ? n - from : n);
	cop__store_free(s);
	return 0;
}
