/* SPDX-License-Identifier: Apache-2.0
 *
 * choose - classes of a data set that are put together or left out, by their names, once its samples are read.
 */
#include "data/data.h"

#include <stdio.h>

/* Ends the word at *at where sep stands, moves *at behind it, and gives the word without blanks around it. NULL: no more. */
static char *next_word(char **at, char sep)
{
	char *w = *at, *end;

	if (!w) return NULL;
	*at = strchr(w, sep);
	if (*at) *(*at)++ = 0;
	w += strspn(w, " \t");
	for (end = w + strlen(w); end > w && (end[-1] == ' ' || end[-1] == '\t');) *--end = 0;
	return w;
}

const char *cop__class_of(char room[16], const cop_dataset *d, int32_t k)
{
	snprintf(room, 16, "%d", k);
	return d->class_name ? d->class_name[k] : room;
}

typedef struct known { const cop_dataset *d; char room[16]; } known;

static const char *known_class(void *ud, int i)
{
	known *k = ud;
	return i < k->d->classes ? cop__class_of(k->room, k->d, i) : NULL;
}

static cop_status find_class(int32_t *out, cop_ctx *cx, const cop_dataset *d, const char *word)
{
	known k = {d, ""};
	cop_hint hint;

	for (*out = 0; *out < d->classes; ++*out)
		if (!strcmp(known_class(&k, *out), word)) return COP_OK;
	return cop__error(cx, COP_ARG, "data set '%s' has no class '%s'%s", d->name, word, cop__hint(&hint, word, known_class, &k));
}

static cop_status need_classes(cop_ctx *cx, const cop_dataset *d)
{
	return d->classes ? COP_OK : cop__error(cx, COP_ARG, "data set '%s' has no classes to choose from", d->name);
}

static char *copied(cop_ctx *cx, const char *text)
{
	char *s = cop__alloc(cx, strlen(text) + 1);
	return s ? strcpy(s, text) : NULL;
}

cop_status cop__class_marks(bool *mark, cop_ctx *cx, const cop_dataset *d, const char *words)
{
	char *text = copied(cx, words), *at = text;
	cop_status st = text ? need_classes(cx, d) : COP_NOMEM;
	int32_t k;

	for (char *w; !st && (w = next_word(&at, ','));)
		if (!(st = find_class(&k, cx, d, w))) mark[k] = true;
	cop__free(cx, text);
	return st;
}

/* ---- what becomes of each class ---- */

typedef struct choice {
	cop_store *s;
	cop_names names; /* the new classes */
	int32_t *to;     /* [old classes] the new number of each; -1: not decided, or left out */
} choice;

static cop_status begin(choice *c, cop_store *s)
{
	COP_TRY(need_classes(s->cx, &s->d));
	*c = (choice){.s = s, .to = cop__alloc(s->cx, sizeof *c->to * (size_t)s->d.classes)};
	cop__names_init(&c->names, s->cx);
	for (int32_t k = 0; c->to && k < s->d.classes; k++) c->to[k] = -1;
	return c->to ? COP_OK : COP_NOMEM;
}

/* A class of its own for old class k. */
static cop_status keep(choice *c, int32_t k)
{
	char room[16];

	c->to[k] = c->names.count;
	return cop__names_add(&c->names, cop__class_of(room, &c->s->d, k));
}

/* One group's classes, from "cat,dog"; *rest becomes its number where one of them is '*'. */
static cop_status fill_group(choice *c, int32_t *rest, char *members, const char *name)
{
	cop_ctx *cx = c->s->cx;
	int32_t k, group = c->names.count - 1;

	for (char *w; (w = next_word(&members, ','));) {
		if (!strcmp(w, "*") && *rest >= 0) return cop__error(cx, COP_ARG, "group '%s': '*' takes all classes that are left, and a group before it has them", name);
		if (!strcmp(w, "*")) {
			*rest = group;
			continue;
		}
		COP_TRY(find_class(&k, cx, &c->s->d, w));
		if (c->to[k] >= 0) return cop__error(cx, COP_ARG, "group '%s': class '%s' is in a group already", name, w);
		c->to[k] = group;
	}
	return COP_OK;
}

static cop_status group(choice *c, char *text)
{
	int32_t rest = -1;

	for (char *w; (w = next_word(&text, ';'));) {
		char *members = strchr(w, '='), *name = next_word(&w, '=');
		if (!members || !*name) return cop__error(c->s->cx, COP_ARG, "group '%s': NAME=CLASS,CLASS... is expected, with ';' between groups", name);
		for (int32_t i = 0; i < c->names.count; i++)
			if (!strcmp(c->names.at[i], name)) return cop__error(c->s->cx, COP_ARG, "group '%s' is given twice", name);
		COP_TRY(cop__names_add(&c->names, name));
		COP_TRY(fill_group(c, &rest, members + 1, name));
	}
	for (int32_t k = 0; k < c->s->d.classes; k++)
		if (c->to[k] < 0 && rest >= 0) c->to[k] = rest;
		else if (c->to[k] < 0) COP_TRY(keep(c, k));
	return COP_OK;
}

/* The chosen classes in their old order. */
static cop_status only(choice *c, const char *words)
{
	bool *mark = cop__alloc(c->s->cx, sizeof *mark * (size_t)c->s->d.classes);
	cop_status st = mark ? cop__class_marks(mark, c->s->cx, &c->s->d, words) : COP_NOMEM;

	for (int32_t k = 0; !st && k < c->s->d.classes; k++)
		if (mark[k]) st = keep(c, k);
	cop__free(c->s->cx, mark);
	return st;
}

/* ---- the samples ---- */

static void move(cop_store *s, int32_t to, int32_t from)
{
	const size_t each = (size_t)s->each, a = (size_t)to * each, b = (size_t)from * each;

	if (s->code) memmove(s->code + a, s->code + b, each);
	else memmove(s->value + a, s->value + b, each * sizeof *s->value);
}

/* All samples are made before the first is moved: which sample it is follows from its place. */
static cop_status apply(choice *c)
{
	cop_store *s = c->s;
	int32_t n = 0;

	for (int32_t i = 0; i < s->d.count; i++) COP_TRY(cop__store_fill(s, i));
	s->make = NULL;
	for (int32_t i = 0; i < s->d.count; i++) {
		int32_t k = s->label[i] >= 0 ? c->to[s->label[i]] : -1;
		if (k < 0) continue;
		move(s, n, i);
		s->label[n++] = k;
	}
	s->d.count = n;
	return cop__store_classes(s, &c->names);
}

static cop_status end(choice *c, cop_status st)
{
	if (!st) st = apply(c);
	cop__names_free(&c->names);
	cop__free(c->s->cx, c->to);
	return st;
}

cop_status cop__store_group(cop_store *s, const char *groups)
{
	choice c;
	char *text;

	COP_TRY(begin(&c, s));
	text = copied(s->cx, groups);
	cop_status st = text ? group(&c, text) : COP_NOMEM;
	cop__free(s->cx, text);
	return end(&c, st);
}

cop_status cop__store_only(cop_store *s, const char *classes)
{
	choice c;

	COP_TRY(begin(&c, s));
	return end(&c, only(&c, classes));
}
