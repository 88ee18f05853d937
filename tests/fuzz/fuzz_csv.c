/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a table: labels of what is taken lie below the number of classes, targets are finite.
 */
#include "data/data.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static cop_ctx *cx;
	cop_blob b;

	if (!cx && cop_ctx_new(&cx, NULL)) abort();
	cop_error_clear(cx);
	cop__blob_view(&b, cx, "fuzz", bytes, size);
	cop_store *s;
	if (cop__store_new(&s, cx, "fuzz")) abort();
	const cop_want w = {.task = size ? (cop_task)(bytes[size - 1] % 4) : COP_TASK_AUTO, .target = size > 1 && bytes[size - 2] % 4 == 1 ? "1,b" : NULL};
	if (!cop__csv_parse(s, NULL, &w, &b))
		for (int32_t i = 0; i < s->d.count; i++) {
			if (s->d.classes && (s->label[i] < 0 || s->label[i] >= s->d.classes)) abort();
			for (int32_t k = 0; k < s->d.targets; k++)
				if (!isfinite(s->target[i * s->d.targets + k])) abort();
		}
	cop__store_free(s);
	return 0;
}
