/* SPDX-License-Identifier: Apache-2.0
 *
 * keep - of an emitted training: the table of what is kept in flash, and the two calls that write and load it (kernel/keep.h). That is every parameter, and
 * what else training changes and inference reads: running means.
 */
#include "emit/emit.h"

#include <stdio.h>
#include <stdlib.h>

static bool kept(const cop_emission *e, int32_t i)
{
	const cop_var *v = &e->plan->var[i];
	const int bits = cop__dtype_bits(v->type.dtype);

	if (!v->written || !v->used || v->type.enc != COP_DENSE || (bits != 8 && bits != 32)) return false;
	return v->place.seg == COP_SEG_PARAM || (v->place.seg == COP_SEG_STATE && cop__find(e->graph[COP_EMIT_INFER], v->name));
}

bool cop__emit_keeps(const cop_emission *e)
{
	for (int32_t i = 0; e->graph[COP_EMIT_TRAIN] && i < e->plan->n_var; i++)
		if (kept(e, i)) return true;
	return false;
}

typedef struct entry { uint32_t hash; int32_t var; } entry;

static int by_hash(const void *a, const void *b)
{
	const entry *x = a, *y = b;
	return (x->hash > y->hash) - (x->hash < y->hash);
}

static void put_entry(cop_text *o, const cop_emission *e, entry at)
{
	const cop_var *v = &e->plan->var[at.var];
	char plain[96];

	cop__text_add(o, "\t{0x%08xu, %lldu, %du, %s.b + %zu, ", at.hash, (long long)cop_type_count(&v->type), cop__dtype_bits(v->type.dtype) / 8,
		v->place.seg == COP_SEG_PARAM ? "parameters" : "state", v->place.off);
	if (cop__emit_has_image(e, at.var)) cop__text_add(o, "w%d.u", at.var);
	else cop__text_add(o, "0");
	cop__text_add(o, "}, /* %s */\n", cop__emit_plain(plain, v->name));
}

cop_status cop__emit_keep(cop_text *o, const cop_emission *e)
{
	entry *all = cop__alloc(e->cx, sizeof *all * (size_t)(e->plan->n_var + 1));
	int n = 0;

	if (!all) return COP_NOMEM;
	for (int32_t i = 0; i < e->plan->n_var; i++)
		if (kept(e, i)) all[n++] = (entry){cop__hash_text(e->plan->var[i].name), i};
	qsort(all, (size_t)n, sizeof *all, by_hash);
	cop__text_add(o, "\nstatic const cop_kept kept[%d] = {\n", n);
	for (int i = 0; i < n; i++) put_entry(o, e, all[i]);
	cop__text_add(o, "};\nint cop_keep_write_%08x(const cop_flash *f, const cop_kept *part, uint32_t n);\nint cop_keep_load_%08x(const cop_flash *f, const cop_kept *part, uint32_t n);\n",
		cop__emit_version(), cop__emit_version());
	cop__text_add(o, "int %s_keep(const cop_flash *f) { return cop_keep_write_%08x(f, kept, %d); }\n", e->name, cop__emit_version(), n);
	cop__text_add(o, "int %s_restore(const cop_flash *f) { return cop_keep_load_%08x(f, kept, %d); }\n\n", e->name, cop__emit_version(), n);
	cop__free(e->cx, all);
	return o->status;
}

void cop__emit_keep_header(cop_text *o, const cop_emission *e)
{
	size_t bytes = 0, n = 0;

	for (int32_t i = 0; i < e->plan->n_var; i++)
		if (kept(e, i)) bytes += cop_type_bytes(&e->plan->var[i].type), n++;
	cop__text_add(o, "\n/* Keeps what was learnt in one of two slots of flash, as the difference from what it was at first, and loads the last one that is whole: cop_keep.h says what\n"
		" * your flash has to offer. 0: done. Call %s_restore after %s_init. A record takes %s_KEEP_BYTES at most. */\n#define %s_KEEP_BYTES %zu\n"
		"int %s_keep(const cop_flash *flash);\nint %s_restore(const cop_flash *flash);\n", e->name, e->name, e->upper, e->upper, (size_t)cop_keep_most((uint32_t)bytes, (uint32_t)n), e->name, e->name);
}
