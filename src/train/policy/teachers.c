/* SPDX-License-Identifier: Apache-2.0
 *
 * teachers - see teachers.h.
 */
#include "train/policy/teachers.h"
#include "train/identity.h"

/* The teacher whose file is named at *at, which moves on to the next; NULL: there are no more. */
static cop_status next(cop_graph **teacher, cop_ctx *cx, const char **at)
{
	char path[COP_TEACHER_PATHS];
	size_t len;

	*teacher = NULL;
	*at += strspn(*at, "|");
	if (!(len = strcspn(*at, "|"))) return COP_OK;
	memcpy(path, *at, len);
	path[len] = 0;
	*at += len;
	return cop_model_import(teacher, cx, path, NULL);
}

cop_status cop__each_teacher(cop_ctx *cx, const char *files, cop_teacher_fn *fn, void *ud)
{
	cop_graph *teacher;

	for (;;) {
		COP_TRY(next(&teacher, cx, &files));
		if (!teacher) return COP_OK;
		cop_status st = fn(ud, teacher);
		cop_graph_free(teacher);
		COP_TRY(st);
	}
}

float cop__number_of_teachers(const char *files)
{
	int n = 0;

	for (const char *p = files; *(p += strspn(p, "|")); p += strcspn(p, "|")) n++;
	return (float)n;
}

static cop_status add(void *text, const cop_graph *teacher) { return cop__identity_graph(text, "teacher", teacher); }

cop_status cop__identity_teachers(cop_text *t, const char *files) { return cop__each_teacher(t->cx, files, add, t); }
