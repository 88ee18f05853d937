/* SPDX-License-Identifier: Apache-2.0
 *
 * coded - weights as a device has them in flash when it decodes them into RAM just before their step (kernel/coded.h).
 */
#include "enc/code.h"
#include "enc/runs.h"
#include "kernel/gaps.h"
#include "kernel/runs.h"
#include "plan/plan.h"

int cop__packed_buf(const cop_entry *e, const cop_step *st) { return cop__op(e->g, st->node)->n_out + st->kernel->pack_in; }

/* Layers with the same weights have one code. */
static cop_status keep(cop_plan *p, const cop_entry *e, cop_step *st, const void *code, size_t size, size_t bytes)
{
	st->code_bytes = size;
	st->image_bytes = bytes;
	for (const cop_step *s = e->step; s < e->step + e->n_step && !st->code; s++)
		if (s->code && s->code_bytes == size && !memcmp(s->code, code, size)) st->code = s->code;
	if (st->code) return COP_OK;
	void *own = cop__arena_get(&p->mem, size);
	if (!own) return COP_NOMEM;
	st->code = memcpy(own, code, size);
	return COP_OK;
}

void cop__rearrange(void *image, size_t bytes, const cop_step *st, int32_t part, int32_t parts)
{
	void *buf[COP_MAX_BUF] = {0};

	memset(image, 0, bytes);
	for (int i = 0; i < st->n_buf; i++)
		if (st->buf[i].seg == COP_SEG_FIXED) buf[i] = (void *)(uintptr_t)st->buf[i].data;
	st->kernel->pack(&(cop_call){.buf = buf, .k = st->word, .work = image, .part = part, .parts = parts});
}

cop_code cop__mark_of(const cop_plan *p, const cop_graph *g, cop_nid n)
{
	if (!p->target.coded || g->node[n].op != OP_qconv) return COP_CODE_NONE;
	COP_ATTR(cop_qconv_attr, a, g, n);
	return (cop_code)a.coded;
}

/* Of the image, which is rows of single weights or what the kernel reads of dense ones. */
static cop_status code_image(void **code, size_t *size, const cop_plan *p, const cop_step *st, cop_code by, const void *image, size_t bytes)
{
	const int32_t *k = st->word;

	if (by == COP_CODE_TABLES) return cop__code_image(code, size, p->cx, image, bytes);
	if (!st->kernel->gap_unit) return cop__code_runs(code, size, p->cx, image, bytes);
	return cop__code_rows(code, size, p->cx, st->weight, k[CK_O], k[CK_KH] * k[CK_KW] * k[CK_C], st->kernel->gap_unit);
}

/* Where each row of an image of single weights begins, and the last one ends. */
static cop_status find_rows(cop_plan *p, cop_step *st, const uint32_t *image)
{
	uint32_t rows = (uint32_t)st->word[CK_O], *at = cop__arena_get(&p->mem, (rows + 1) * sizeof *at);

	if (!(st->row = at)) return COP_NOMEM;
	for (uint32_t r = 0; r < rows; r++) at[r + 1] = at[r] + 4 * (1 + COP_GAP_WORDS * (image[at[r] / 4] >> 16));
	return COP_OK;
}

cop_status cop__plan_code(cop_plan *p, const cop_entry *e, cop_step *st)
{
	const bool packs = st->kernel->pack;
	const cop_place w = st->buf[packs ? cop__packed_buf(e, st) : cop__op(e->g, st->node)->n_out + 1];
	void *image = NULL, *code = NULL;
	size_t size = 0;

	const cop_code by = cop__mark_of(p, e->g, st->node);
	if (!by || !st->weight || w.seg != COP_SEG_FIXED) return COP_OK;
	size_t bytes = packs ? st->kernel->pack_bytes(st->word) : cop_type_bytes(cop__in(e->g, st->node, 1));
	if (packs && !(image = cop__alloc(p->cx, bytes + 64))) return COP_NOMEM;
	if (packs) cop__rearrange(image, bytes, st, 0, 1);
	cop_status st_ = code_image(&code, &size, p, st, by, packs ? image : w.data, bytes);
	if (!st_ && code && size < bytes) st_ = keep(p, e, st, code, size, bytes); /* else it stays as it is */
	if (!st_ && st->code && by == COP_CODE_ADAPTIVE && st->kernel->rows_in_parts) st_ = find_rows(p, st, image);
	cop__free(p->cx, image);
	cop__free(p->cx, code);
	return st_;
}

/* ---- in parts ---- */

size_t cop__decoded_bytes(const cop_step *st)
{
	size_t room = (st->image_bytes + 3) & ~(size_t)3;
	return cop_coded_runs(st->code) ? room + cop_runs_work(st->code) : room;
}

/* Of the largest part. */
static size_t part_bytes(const cop_step *st, int32_t parts)
{
	const uint32_t rows = (uint32_t)st->word[CK_O];
	size_t most = 0;

	for (int32_t i = 0; i < parts; i++) most = COP_MAX(most, st->row[cop_gap_row_at(rows, i + 1, parts)] - st->row[cop_gap_row_at(rows, i, parts)]);
	return most;
}

size_t cop__streamed_bytes(const cop_step *st, int32_t parts)
{
	cop_step in_parts = *st;
	in_parts.image_bytes = part_bytes(st, parts);
	return cop__decoded_bytes(&in_parts);
}

void cop__plan_stream(cop_step *st, int32_t parts)
{
	st->image_bytes = part_bytes(st, parts);
	st->parts = parts;
}
