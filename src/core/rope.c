/* SPDX-License-Identifier: Apache-2.0
 *
 * rope - a file that is put together from text and from bytes that lie elsewhere, without a copy of those.
 */
#include "core/core.h"

enum { SHORT = 4096 }; /* bytes that are copied after all: fewer pieces, fewer writes */

void cop__rope_init(cop_rope *r, cop_ctx *cx)
{
	*r = (cop_rope){0};
	cop__text_init(&r->text, cx);
}

void cop__rope_refer(cop_rope *r, const void *bytes, size_t size)
{
	if (size < SHORT) {
		cop__text_bytes(&r->text, bytes, size);
		return;
	}
	if (!r->text.status) r->text.status = cop__grow(r->text.cx, &r->part, &r->cap, r->n, sizeof *r->part);
	if (r->text.status) return;
	r->part[r->n++] = (cop_rope_part){r->text.len, bytes, size};
	r->size += size;
}

size_t cop__rope_size(const cop_rope *r) { return r->text.len + r->size; }

cop_status cop__rope_write(const cop_rope *r, cop_write_fn *write, void *ud)
{
	size_t at = 0;

	COP_TRY(r->text.status);
	for (int32_t i = 0; i < r->n; at = r->part[i++].at) {
		if (r->part[i].at > at) COP_TRY(write(ud, r->text.data + at, r->part[i].at - at));
		COP_TRY(write(ud, r->part[i].bytes, r->part[i].size));
	}
	return r->text.len > at ? write(ud, r->text.data + at, r->text.len - at) : COP_OK;
}

void cop__rope_free(cop_rope *r)
{
	cop__free(r->text.cx, r->part);
	cop__text_free(&r->text);
	cop__rope_init(r, r->text.cx);
}
