/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a NumPy array: every element that is announced must be readable.
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
	cop_npy a;
	if (cop__npy_parse(&a, &b)) return 0;
	int64_t n = 1;
	double sum = 0;
	for (int i = 0; i < a.rank; i++) n *= a.dim[i];
	for (int64_t i = 0; i < n; i++) sum += cop__npy_at(&a, i);
	if (sum == 12345.678) cop_error_clear(cx); /* the reads must not be optimised away */
	return 0;
}
