/* SPDX-License-Identifier: Apache-2.0
 *
 * names - lists of names: of files, classes and columns.
 */
#include "data/data.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_FILES = 1 << 24 };

void cop__names_init(cop_names *n, cop_ctx *cx)
{
	*n = (cop_names){.cx = cx};
	cop__arena_init(&n->mem, cx);
}

void cop__names_free(cop_names *n)
{
	if (!n->cx) return;
	cop__free(n->cx, n->at);
	cop__arena_free(&n->mem);
	*n = (cop_names){0};
}

cop_status cop__names_add(cop_names *n, const char *text)
{
	if (n->count >= MAX_FILES)
		return cop__error(n->cx, COP_FORMAT, "%s: is more than the %d files that are read", text, MAX_FILES);
	COP_TRY(cop__grow(n->cx, &n->at, &n->cap, n->count, sizeof *n->at));
	char *s = cop__arena_str(&n->mem, text, strlen(text));
	if (!s) return COP_NOMEM;
	n->at[n->count++] = s;
	return COP_OK;
}

static int compare(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

static int compare_numbers(const void *a, const void *b)
{
	long x = strtol(*(const char *const *)a, NULL, 10), y = strtol(*(const char *const *)b, NULL, 10);
	return (x > y) - (x < y);
}

/* "7", "-12"; neither "07" nor "+7", which would be a second name of the same. */
static bool is_number(const char *s)
{
	char again[16];
	char *end;
	long v = strtol(s, &end, 10);

	if (end == s || *end || v > 99999999 || v < -99999999) return false;
	snprintf(again, sizeof again, "%ld", v);
	return !strcmp(s, again);
}

void cop__names_sort(cop_names *n)
{
	if (n->count) qsort(n->at, (size_t)n->count, sizeof *n->at, n->by_number ? compare_numbers : compare);
}

void cop__names_unique(cop_names *n)
{
	int32_t kept = 0;

	for (int32_t i = 0; i < n->count; i++)
		if (!kept || strcmp(n->at[kept - 1], n->at[i])) n->at[kept++] = n->at[i];
	n->count = kept;
}

int32_t cop__names_find(const cop_names *n, const char *text)
{
	char *const *at = n->count && (!n->by_number || is_number(text))
		? bsearch(&text, n->at, (size_t)n->count, sizeof *n->at, n->by_number ? compare_numbers : compare) : NULL;
	return at ? (int32_t)(at - n->at) : -1;
}
