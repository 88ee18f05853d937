/* SPDX-License-Identifier: Apache-2.0
 *
 * teachers - see teachers.h.
 */
#include "train/policy/teachers.h"
#include "data/data.h"
#include "train/build_record.h"
#include "train/identity.h"

#include <math.h>

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

/* ---- is it right? ---- */

enum { LOOKED_AT = 200 };

/* Every `step`-th sample of a data set that is fitted to the network already. */
typedef struct thinned { cop_dataset *of; int32_t step; } thinned;

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const thinned *t = ud;
	return t->of->get(t->of->ud, i * t->step, x, label);
}

typedef struct exam { const cop_graph *network; thinned of; cop_dataset d; } exam;

static bool knows(const cop_graph *g, int32_t classes)
{
	const cop_type *y = g->n_output ? cop__t(g, g->output[0]) : NULL;
	return y && y->rank && y->dim[y->rank - 1] == classes;
}

static void doubt(const cop_graph *teacher, const cop_score *s, int32_t classes)
{
	if (s->accuracy >= fmaxf(0.5f, 1.2f / (float)classes)) return;
	cop__log(teacher->cx, COP_LOG_WARN, "the teacher '%s' is right on only %ld of %d training samples; does it get them scaled as it was trained on? What it is to get is "
		"stored in its file by: coppice apply NET --mean ... --std ... -o NEW.cop", teacher->name, lroundf(s->accuracy * (float)s->count), (int)s->count);
}

/* What a teacher says of samples that it has never seen so would be learnt without a word. Other outputs than the classes are refused later. */
static cop_status examine(void *ud, const cop_graph *teacher)
{
	exam *e = ud;
	cop_score score;
	cop_graph *view;

	if (!knows(teacher, e->d.classes)) return COP_OK;
	COP_TRY(cop__teacher_view(&view, teacher, e->network));
	view->samples = (cop_samples){0}; /* they are as the network takes them */
	cop_status st = cop_eval(&score, view, &e->d, 20, 1);
	if (!st) doubt(teacher, &score, e->d.classes);
	cop_graph_free(view);
	return st;
}

cop_status cop__examine_teachers(const char *files, const cop_graph *network, cop_dataset *d)
{
	const int32_t step = COP_MAX(1, d->count / LOOKED_AT);
	exam e = {.network = network, .of = {d, step}, .d = *d};

	e.d.get = get, e.d.ud = &e.of, e.d.free = NULL;
	e.d.count = COP_MIN(LOOKED_AT, d->count);
	return d->classes ? cop__each_teacher(network->cx, files, examine, &e) : COP_OK;
}
