/* SPDX-License-Identifier: Apache-2.0
 *
 * table - the target columns of a table: classes, or numbers for regression. Several columns are a regression. One is, too, where it holds
 * reals, or whole numbers of which more than 20 differ with fewer than 10 rows to each (a price, not a digit). Everything else is
 * classes: their names are the texts of the column, sorted, whole numbers as numbers. The note says which it was.
 */
#include "data/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FEW = 20, ROWS_EACH = 10 };

static bool real(double *v, const char *text)
{
	char *end;
	*v = cop__real_parse(text, &end);
	return end != text && !*end && isfinite(*v);
}

/* "7", "7.0", "-3": a whole number that can name a class. */
static bool whole(const char *text)
{
	double v;
	return real(&v, text) && v == floor(v) && fabs(v) < 1e8;
}

/* The different texts, sorted; whole numbers in one spelling. */
static cop_status different(cop_names *out, cop_ctx *cx, const cop_names *labels)
{
	char text[32];
	bool numbers = labels->count > 0;

	cop__names_init(out, cx);
	for (int32_t i = 0; numbers && i < labels->count; i++) numbers = whole(labels->at[i]);
	for (int32_t i = 0; i < labels->count; i++) {
		cop__format(text, sizeof text, "%.0f", numbers ? cop__real_parse(labels->at[i], NULL) : 0);
		COP_TRY(cop__names_add(out, numbers ? text : labels->at[i]));
	}
	out->by_number = numbers;
	cop__names_sort(out);
	cop__names_unique(out);
	return COP_OK;
}

/* Why the only target column is a regression, or NULL. */
static const char *why_regression(const cop_names *labels, int32_t classes)
{
	bool whole_all = true;
	double v;

	for (int32_t i = 0; i < labels->count; i++) {
		if (!real(&v, labels->at[i])) return NULL;
		whole_all = whole_all && whole(labels->at[i]);
	}
	if (!whole_all) return "holds reals";
	return classes > FEW && labels->count < classes * ROWS_EACH ? "holds many different numbers" : NULL;
}

static cop_status set_targets(cop_store *s, const cop_names *labels, const cop_names *names, const char *path)
{
	double v;

	COP_TRY(cop__store_targets(s, names));
	for (int32_t i = 0; i < labels->count; i++) {
		if (!real(&v, labels->at[i]) || fabs(v) > 3e38)
			return cop__error(s->cx, COP_FORMAT, "%s: '%.40s' of row %d is no number, which the target '%.60s' of a regression must be", path, labels->at[i],
				i / names->count + 1, names->at[i % names->count]);
		s->target[i] = (float)v;
	}
	return COP_OK;
}

static cop_status set_classes(cop_store *s, const cop_names *classes, const cop_names *labels, const char *path)
{
	char text[32];

	if (classes->count > COP_DATA_CLASSES)
		return cop__error(s->cx, COP_FORMAT,
			"%s: has %d different labels, at most %d are read (is the label the right column?)", path, classes->count,
			COP_DATA_CLASSES);
	COP_TRY(cop__store_classes(s, classes));
	for (int32_t i = 0; i < labels->count; i++) {
		bool number = classes->by_number && whole(labels->at[i]);
		if (number) cop__format(text, sizeof text, "%.0f", cop__real_parse(labels->at[i], NULL));
		if ((s->label[i] = cop__names_find(&s->classes, number ? text : labels->at[i])) < 0)
			return cop__error(s->cx, COP_FORMAT, "%s: label '%.40s' of row %d is not among the %d known", path, labels->at[i], i + 1, classes->count);
	}
	return COP_OK;
}

cop_status cop__table_targets(cop_store *s, const cop_store *like, cop_task task, const cop_names *labels, const cop_names *names, const char *path)
{
	cop_names classes = {0};
	const char *why = NULL;
	cop_status st = COP_OK;

	if (task == COP_TASK_CLASS && names->count > 1) return cop__error(s->cx, COP_ARG, "%s: %d target columns; classes are in one", path, names->count);
	if (!like) COP_GO(different(&classes, s->cx, labels));
	if (task == COP_TASK_AUTO && names->count == 1 && !like) why = why_regression(labels, classes.count);
	bool regress = task == COP_TASK_REGRESS || (task != COP_TASK_CLASS && (names->count > 1 || (like ? like->d.targets > 0 : why != NULL)));
	if (why) cop__store_say(s, "%s: column '%s' %s, so this is regression (--task class makes classes of it)", s->name, names->at[0], why);
	COP_GO(regress ? set_targets(s, labels, names, path) : set_classes(s, like ? &like->classes : &classes, labels, path));
done:
	cop__names_free(&classes);
	return st;
}
