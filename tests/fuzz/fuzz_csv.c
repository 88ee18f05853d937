/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a table with labels: labels of what is taken lie below the number of classes.
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
	cop_store *s;
	cop_names names;
	cop__names_init(&names, cx);
	if (cop__store_new(&s, cx, "fuzz")) abort();
	if (!cop__csv_parse(s, &names, &b))
		for (int32_t i = 0; i < s->d.count; i++)
			if (s->label[i] < 0 || s->label[i] >= s->d.classes) abort();
	cop__store_free(s);
	cop__names_free(&names);
	return 0;
}
