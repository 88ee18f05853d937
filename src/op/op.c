/* SPDX-License-Identifier: Apache-2.0
 *
 * op - the table of operators, and what their rows share.
 */
#include "op/op.h"

#include <stdio.h>

#define OP(name) extern const cop_op cop_op_##name;
#include "op/op.def"
#undef OP

const cop_op *const cop_ops[COP_N_OP] = {
#define OP(name) [OP_##name] = &cop_op_##name,
#include "op/op.def"
#undef OP
};

int cop__op_find(const char *name, size_t len)
{
	for (int i = 1; i < COP_N_OP; i++)
		if (strlen(cop_ops[i]->name) == len && !memcmp(cop_ops[i]->name, name, len)) return i;
	return OP_none;
}

/* Walks "sh:i dim:i6 lo:f"; returns the length of one entry, 0 at the end. */
static int entry(const char *p, char name[24], char *kind, int *words)
{
	int used = 0;

	*words = 1;
	if (sscanf(p, " %23[a-z0-9_]:%c%n", name, kind, &used) < 2) return 0;
	if (p[used] >= '1' && p[used] <= '9') *words = p[used++] - '0';
	return used;
}

int cop__attr_find(const cop_op *op, const char *name, char *kind, int *words)
{
	char have[24];
	int at = 0, used, count;

	for (const char *p = op->attrs; (used = entry(p, have, kind, &count)); p += used, at += count) {
		if (strcmp(have, name)) continue;
		if (words) *words = count;
		return at;
	}
	return -1;
}

int cop__attr_words(const cop_op *op)
{
	char name[24], kind;
	int n = 0, used, count;

	for (const char *p = op->attrs; (used = entry(p, name, &kind, &count)); p += used) n += count;
	return n;
}

cop_status cop__set_out(cop_graph *g, cop_nid n, int i, cop_dtype dtype, int32_t rank, const int32_t *dim)
{
	cop_vid v = g->node[n].out[i];
	if (v) g->value[v].type = cop__type(dtype, rank, dim);
	return COP_OK;
}

cop_status cop__set_out_like(cop_graph *g, cop_nid n, int i, cop_vid like)
{
	const cop_type *t = cop__t(g, like);
	return cop__set_out(g, n, i, t->dtype, t->rank, t->dim);
}

cop_status cop__need(const cop_graph *g, cop_nid n, int i, cop_dtype dtype, int32_t rank)
{
	const cop_type *t = cop__in(g, n, i);

	if (!cop__arg(g, n, i)) return cop__fail(g, COP_ARG, n, "input %d is missing", i);
	if (t->dtype != dtype) return cop__fail(g, COP_ARG, n, "input %d must be %s, got %s", i, cop__dtype_text(dtype), cop__dtype_text(t->dtype));
	if (rank >= 0 && t->rank != rank) return cop__fail(g, COP_SHAPE, n, "input %d must have %d dimensions, got %d", i, rank, t->rank);
	return COP_OK;
}
