/* SPDX-License-Identifier: Apache-2.0
 *
 * csv - a table of numbers with a label column: x.csv, or a folder with train.csv and perhaps test.csv.
 *
 * The separator is the first of , ; tab in line 1. Line 1 is a header if a field other than its last is not a
 * number. The label is the column named label, class, target or y, else the last. Labels that are all whole
 * numbers 0..65535 are taken as they are; others are names, numbered in sorted order. "Quoted" fields may hold
 * separators, not line ends. x is [columns - 1], unscaled.
 */
#include "data/data.h"

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
	int32_t columns, label, rows;
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
	*v = strtof(text, &end);
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

/* Line 1: how many columns, whether it is a header, where the label is. */
static cop_status first_line(table *t)
{
	char text[FIELD];
	bool last = false, words = false, word = false;
	int32_t named = -1;
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
		word = !number(&v, text);
		if (is_label(text)) named = t->columns;
		t->columns++;
	}
	if (t->columns < 2)
		return cop__error(t->b->cx, COP_FORMAT,
		        "%s: line %d: has %d column, a label and at least one number are expected", t->b->path, line,
		        t->columns);
	t->header = words || named >= 0;
	t->label = named >= 0 ? named : t->columns - 1;
	if (!t->header) {
		t->at = start;
		t->line = line;
	}
	return COP_OK;
}

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
	float *x = s->value + (size_t)i * s->each;

	for (; !last; c++) {
		size_t byte = t->at;
		COP_TRY(field(text, &last, t));
		if (c >= t->columns) continue;
		if (c == t->label) COP_TRY(cop__names_add(labels, text));
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

static bool whole(int32_t *v, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 0 || n >= COP_DATA_CLASSES) return false;
	*v = (int32_t)n;
	return true;
}

static cop_status named_labels(cop_store *s, cop_names *classes, const cop_names *labels, const cop_blob *b)
{
	if (!classes->count) {
		for (int32_t i = 0; i < labels->count; i++) COP_TRY(cop__names_add(classes, labels->at[i]));
		cop__names_sort(classes);
		cop__names_unique(classes);
	}
	if (classes->count > COP_DATA_CLASSES)
		return cop__error(b->cx, COP_FORMAT,
		        "%s: has %d different labels, at most %d are read (is the label the right column?)", b->path,
		        classes->count, COP_DATA_CLASSES);
	for (int32_t i = 0; i < labels->count; i++)
		if ((s->label[i] = cop__names_find(classes, labels->at[i])) < 0)
			return cop__error(b->cx, COP_FORMAT, "%s: label '%.40s' of row %d is not among the %d known",
			        b->path, labels->at[i], i + 1, classes->count);
	s->d.classes = classes->count;
	return COP_OK;
}

static cop_status number_labels(cop_store *s, cop_names *classes, const cop_names *labels, const cop_blob *b)
{
	int32_t top = -1;
	bool all = !classes->count;

	for (int32_t i = 0; i < labels->count && all; i++) {
		all = whole(&s->label[i], labels->at[i]);
		top = COP_MAX(top, s->label[i]);
	}
	if (!all) return named_labels(s, classes, labels, b);
	s->d.classes = top + 1;
	return COP_OK;
}

cop_status cop__csv_parse(cop_store *s, cop_names *classes, const cop_blob *b)
{
	table t = {.b = b, .line = 1};
	cop_names labels;
	cop_status st;

	COP_TRY(first_line(&t));
	count_rows(&t);
	if (!t.rows) return cop__error(b->cx, COP_FORMAT, "%s: has no rows", b->path);
	const int32_t width = t.columns - 1;
	COP_TRY(cop__store_shape(s, 1, &width, true));
	/* a cell takes two bytes at least: what cannot be there is not allocated for */
	if ((size_t)t.rows > b->size / ((size_t)t.columns * 2 - 1) + 1)
		return cop__error(b->cx, COP_FORMAT, "%s: has rows with fewer than the %d columns of the first",
		        b->path, t.columns);
	COP_TRY(cop__store_room(s, t.rows));
	cop__names_init(&labels, b->cx);
	skip_blank(&t);
	for (int32_t i = 0; i < t.rows; i++, skip_blank(&t)) COP_GO(row(s, i, &t, &labels));
	COP_GO(number_labels(s, classes, &labels, b));
done:
	cop__names_free(&labels);
	return st;
}

static cop_status load(cop_store **out, cop_names *classes, cop_ctx *cx, const char *path)
{
	cop_blob b;

	COP_TRY(cop__store_new(out, cx, path));
	COP_TRY(cop__blob_load(&b, cx, path, 0));
	cop_status st = cop__csv_parse(*out, classes, &b);
	cop__blob_free(&b);
	return st;
}

/* test.csv is read after train.csv, whose classes it shares. */
static cop_status load_part(cop_store **all, int32_t *classes, cop_ctx *cx, const char *path, bool test)
{
	char at[COP_DATA_PATH];
	cop_names names;
	cop_status st;

	cop__names_init(&names, cx);
	if (cop__is_file(path, "")) COP_GO(load(all, &names, cx, path));
	else {
		COP_GO(cop__path(at, cx, path, "train.csv"));
		COP_GO(load(all, &names, cx, at));
	}
	*classes = (*all)->d.classes;
	if (!test) goto done;
	cop__store_free(*all);
	*all = NULL;
	COP_GO(cop__path(at, cx, path, "test.csv"));
	COP_GO(load(all, &names, cx, at));
	*classes = COP_MAX(*classes, (*all)->d.classes);
done:
	cop__names_free(&names);
	return st;
}

static cop_status open_csv(cop_store *s, const char *path, const cop_want *w)
{
	bool own = cop__is_file(path, "test.csv"), test = own && w->split & COP_SPLIT_TEST;
	cop_store *all = NULL;
	int32_t *order = NULL, from, count, classes;
	cop_status st;

	COP_GO(load_part(&all, &classes, s->cx, path, test));
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
	s->d.classes = classes;
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
	.name = "csv", .format = true, .summary = "x.csv with a label column, or a folder with train.csv and test.csv",
	.licence = "", .fits = fits, .open = open_csv,
};
