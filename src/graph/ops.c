/* SPDX-License-Identifier: Apache-2.0
 *
 * ops - the table of operators, and their attributes by name.
 */
#include "graph/ops.h"

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
