/* SPDX-License-Identifier: Apache-2.0
 *
 * csv - a table of numbers: x.csv, or a folder with train.csv and perhaps test.csv.
 *
 * The separator is the first of , ; tab in line 1. Line 1 is a header if a field other than its last is not a
 * number. The target is the column named label, class, target or y, else the last, or what the caller names (table.c decides what it
 * is: classes, or reals for regression); all other columns are the sample, unscaled. "Quoted" fields may hold separators, not line ends.
 */
#include "data/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { FIELD = 256, MAX_COLUMNS = 1 << 16 };

typedef struct table {
	const cop_blob *b;
	size_t at;
	int line;
	char sep;
	bool header;
	int32_t columns, rows;
	cop_names name;      /* [columns] fields of line 1 */
	bool *is_target;     /* [columns] */
	int32_t targets;
} table;

static bool at_end(const table *t) { return t->at >= t->b->size; }

static cop_status fail(const table *t, const char *what)
{
	return cop__error(t->b->cx, COP_FORMAT, "%s: line %d, byte %zu: %s", t->b->path, t->line, t->at, what);
}

/* One field, blanks around it cut; *last when it ends its line. */
static cop_status field(char out[FIELD], bool *last, table *t)
{
	const uint8_t *p = t->b->bytes;
	size_t n = 0, end = t->b->size;
	bool quoted = false;

	while (t->at < end && (p[t->at] == ' ' || (p[t->at] == '\t' && t->sep != '\t'))) t->at++;
	if (t->at < end && p[t->at] == '"') quoted = true, t->at++;
	for (; t->at < end; t->at++) {
		uint8_t c = p[t->at];
		if (c == '\n' || (!quoted && c == (uint8_t)t->sep)) break;
		if (!c) return fail(t, "a zero byte, text is expected");
		if (quoted && c == '"') {
			if (t->at + 1 >= end || p[t->at + 1] != '"') {
				quoted = false;
				continue;
			}
			t->at++;
		}
		if (n == FIELD - 1) return fail(t, "a field longer than 255 characters");
		out[n++] = (char)c;
	}
	if (quoted) return fail(t, "a quoted field does not end");
	while (n && (out[n - 1] == ' ' || out[n - 1] == '\r' || out[n - 1] == '\t')) n--;
	out[n] = 0;
	*last = t->at >= end || p[t->at] == '\n';
	if (t->at < end) t->at++;
	t->line += *last;
	return COP_OK;
}

/* Blank lines do not count. */
static void skip_blank(table *t)
{
	while (!at_end(t) && (t->b->bytes[t->at] == '\n' || t->b->bytes[t->at] == '\r'))
		t->line += t->b->bytes[t->at++] == '\n';
}

static bool number(float *v, const char *text)
{
	char *end;
	*v = cop__float_parse(text, &end);
	return end != text && !*end && isfinite(*v);
}

static bool is_label(const char *name)
{
	static const char *const known[] = {"label", "class", "target", "y"};

	for (int i = 0; i < LEN(known); i++)
		if (!strcasecmp(name, known[i])) return true;
	return false;
}

static void find_separator(table *t)
{
	t->sep = ',';
	for (size_t i = 0; i < t->b->size && t->b->bytes[i] != '\n'; i++)
		if (strchr(",;\t", t->b->bytes[i]) && t->b->bytes[i]) {
			t->sep = (char)t->b->bytes[i];
			return;
		}
}

/* Line 1: how many columns there are, and whether it is a header. */
static cop_status first_line(table *t)
{
	char text[FIELD];
	bool last = false, words = false, word = false, named = false;
	float v;

	if (t->b->size >= 3 && !memcmp(t->b->bytes, "\xef\xbb\xbf", 3)) t->at = 3;
	find_separator(t);
	skip_blank(t);
	size_t start = t->at;
	int line = t->line;
	while (!last) {
		words |= word;
		if (t->columns == MAX_COLUMNS) return fail(t, "more than 65536 columns");
		COP_TRY(field(text, &last, t));
		COP_TRY(cop__names_add(&t->name, text));
		word = !number(&v, text);
		named |= is_label(text);
		t->columns++;
	}
	t->header = words || named;
	if (t->header) return COP_OK;
	t->at = start;
	t->line = line;
	return COP_OK;
}

/* ---- which columns are the target ---- */

static cop_status mark(table *t, const char *name)
{
	char *end;
	long k = strtol(name, &end, 10);
	int32_t at = -1;

	for (int32_t i = 0; t->header && at < 0 && i < t->columns; i++)
		if (!strcmp(t->name.at[i], name)) at = i;
	if (at < 0 && end != name && !*end && k >= 1 && k <= t->columns) at = (int32_t)k - 1;
	if (at < 0) return cop__error(t->b->cx, COP_ARG, "%s: has no column '%.60s' to be the target", t->b->path, name);
	t->targets += !t->is_target[at];
	t->is_target[at] = true;
	return COP_OK;
}

static cop_status mark_all(table *t, const char *names)
{
	char name[FIELD];

	for (const char *p = names; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");
		snprintf(name, sizeof name, "%.*s", (int)COP_MIN(n, sizeof name - 1), p);
		COP_TRY(mark(t, name));
		p += n;
	}
	return COP_OK;
}

/* A table that has as many columns as a sample has numbers has no target. */
static cop_status find_targets(table *t, const cop_want *w)
{
	int32_t named = -1;

	if (!(t->is_target = cop__alloc(t->b->cx, (size_t)t->columns * sizeof *t->is_target))) return COP_NOMEM;
	if (w->features ? w->features == t->columns : w->task == COP_TASK_NONE) return COP_OK;
	for (int32_t i = 0; t->header && i < t->columns; i++)
		if (is_label(t->name.at[i])) named = i;
	if (w->target) COP_TRY(mark_all(t, w->target));
	else t->is_target[named >= 0 ? named : t->columns - 1] = true, t->targets = 1;
	if (t->targets < t->columns) return COP_OK;
	return cop__error(t->b->cx, COP_FORMAT, "%s: line 1: has %d column%s, a label and at least one number are expected",
		t->b->path, t->columns, t->columns == 1 ? "" : "s");
}

/* ---- rows ---- */

static void count_rows(table *t)
{
	table c = *t;

	for (skip_blank(&c); !at_end(&c); skip_blank(&c)) {
		while (!at_end(&c) && c.b->bytes[c.at] != '\n') c.at++;
		t->rows++;
		if (t->rows == INT32_MAX) return;
	}
}

static cop_status row(cop_store *s, int32_t i, table *t, cop_names *labels)
{
	char text[FIELD];
	bool last = false;
	int32_t c = 0;
	int line = t->line;
	float *x = s->value + (size_t)i * (size_t)s->each;

	for (; !last; c++) {
		size_t byte = t->at;
		COP_TRY(field(text, &last, t));
		if (c >= t->columns) continue;
		if (t->is_target[c]) COP_TRY(cop__names_add(labels, text));
		else if (!number(x++, text))
			return cop__error(t->b->cx, COP_FORMAT,
			        "%s: line %d, byte %zu: '%.40s' in column %d is not a number", t->b->path, line, byte,
			        text, c + 1);
	}
	if (c != t->columns)
		return cop__error(t->b->cx, COP_FORMAT, "%s: line %d: has %s than the %d columns of the first",
		        t->b->path, line, c < t->columns ? "fewer" : "more", t->columns);
	return COP_OK;
}

static cop_status rows(cop_store *s, cop_names *labels, table *t)
{
	const int32_t width = t->columns - t->targets;

	count_rows(t);
	if (!t->rows) return cop__error(t->b->cx, COP_FORMAT, "%s: has no rows", t->b->path);
	COP_TRY(cop__store_shape(s, 1, &width, true));
	/* a cell takes two bytes at least: what cannot be there is not allocated for */
	if ((size_t)t->rows > t->b->size / ((size_t)t->columns * 2 - 1) + 1)
		return cop__error(t->b->cx, COP_FORMAT, "%s: has rows with fewer than the %d columns of the first",
		        t->b->path, t->columns);
	COP_TRY(cop__store_room(s, t->rows));
	skip_blank(t);
	for (int32_t i = 0; i < t->rows; i++, skip_blank(t)) COP_TRY(row(s, i, t, labels));
	return COP_OK;
}

/* Names of the target columns; where the file has none: y, or y1, y2 ... */
static cop_status target_names(cop_names *out, const table *t)
{
	char made[16];

	for (int32_t i = 0; i < t->columns; i++) {
		if (!t->is_target[i]) continue;
		snprintf(made, sizeof made, t->targets > 1 ? "y%d" : "y", out->count + 1);
		COP_TRY(cop__names_add(out, t->header && *t->name.at[i] ? t->name.at[i] : made));
	}
	return COP_OK;
}

cop_status cop__csv_parse(cop_store *s, const cop_store *like, const cop_want *w, const cop_blob *b)
{
	table t = {.b = b, .line = 1};
	cop_names labels, names;
	cop_status st;

	cop__names_init(&labels, b->cx);
	cop__names_init(&names, b->cx);
	cop__names_init(&t.name, b->cx);
	COP_GO(first_line(&t));
	COP_GO(find_targets(&t, w));
	COP_GO(rows(s, &labels, &t));
	COP_GO(target_names(&names, &t));
	if (w->task != COP_TASK_NONE && t.targets) COP_GO(cop__table_targets(s, like, w->task, &labels, &names, b->path));
done:
	cop__names_free(&labels);
	cop__names_free(&names);
	cop__names_free(&t.name);
	cop__free(b->cx, t.is_target);
	return st;
}

static cop_status load(cop_store **out, const cop_store *like, cop_ctx *cx, const char *path, const cop_want *w)
{
	cop_blob b;

	COP_TRY(cop__store_new(out, cx, cop__base_name(path)));
	COP_TRY(cop__blob_load(&b, cx, path, 0));
	cop_status st = cop__csv_parse(*out, like, w, &b);
	cop__blob_free(&b);
	return st;
}

/* test.csv is read after train.csv, whose classes it shares. */
static cop_status load_part(cop_store **all, cop_ctx *cx, const char *path, const cop_want *w, bool test)
{
	char at[COP_DATA_PATH];
	cop_store *train = NULL;
	cop_status st;

	if (cop__is_file(path, "")) return load(all, NULL, cx, path, w);
	COP_TRY(cop__path(at, cx, path, "train.csv"));
	COP_GO(load(test ? &train : all, NULL, cx, at, w));
	if (!test) return COP_OK;
	COP_GO(cop__path(at, cx, path, "test.csv"));
	COP_GO(load(all, train, cx, at, w));
done:
	cop__store_free(train);
	return st;
}

static cop_status open_csv(cop_store *s, const char *path, const cop_want *w)
{
	bool own = cop__is_file(path, "test.csv"), test = own && w->split & COP_SPLIT_TEST;
	cop_store *all = NULL;
	int32_t *order = NULL, from, count;
	cop_status st;

	if (own && w->split == COP_SPLIT_ALL) return cop__no_all(s->cx, path);
	COP_GO(load_part(&all, s->cx, path, w, test));
	if (!(order = cop__alloc(s->cx, (size_t)all->d.count * sizeof *order))) {
		st = COP_NOMEM;
		goto done;
	}
	if (own) {
		cop__split_shuffle(order, all->d.count);
		cop__split_range(&from, &count, w, all->d.count);
	} else {
		cop__split_mixed(order, &from, &count, w, all->d.count);
	}
	COP_GO(cop__store_pick(s, all, order, from, count));
done:
	cop__free(s->cx, order);
	cop__store_free(all);
	return st;
}

static bool fits(const char *path)
{
	size_t n = strlen(path);
	return cop__is_file(path, "train.csv") ||
	       (n > 4 && !strcasecmp(path + n - 4, ".csv") && cop__is_file(path, ""));
}

const cop_data_row cop_data_csv = {
	.name = "csv", .format = true, .may_be_whole = true, .summary = "x.csv with a column of labels or numbers to predict, or a folder with train.csv and test.csv",
	.licence = "", .fits = fits, .open = open_csv,
};
