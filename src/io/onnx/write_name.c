/* SPDX-License-Identifier: Apache-2.0
 *
 * write_name - names of values in the file, each of them once. Those of the graph stay as they are, where they are text
 * that ONNX allows and not too long.
 */
#include "io/onnx/write.h"

#include <stdio.h>

enum { LONGEST = 96 }; /* bytes of a name of the graph, so that there is room behind it */

static uint32_t hash_of(const char *s)
{
	uint32_t h = 2166136261u;
	while (*s) h = (h ^ (uint8_t)*s++) * 16777619u;
	return h;
}

static const char **slot(const cop_oxw_names *t, const char *name)
{
	uint32_t at = hash_of(name) & (uint32_t)(t->size - 1);

	while (t->slot[at] && strcmp(t->slot[at], name)) at = (at + 1) & (uint32_t)(t->size - 1);
	return &t->slot[at];
}

static cop_status grow(cop_oxw *w)
{
	cop_oxw_names old = w->names, *t = &w->names;

	t->size = old.size ? 2 * old.size : 256;
	t->slot = cop__arena_get(&t->mem, sizeof *t->slot * (size_t)t->size);
	if (!t->slot) return t->slot = old.slot, t->size = old.size, COP_NOMEM;
	for (int32_t i = 0; i < old.size; i++)
		if (old.slot[i]) *slot(t, old.slot[i]) = old.slot[i];
	return COP_OK;
}

/* Takes `want`, or the first of want.2, want.3 ... that is free; NULL: no memory. */
static const char *take(cop_oxw *w, const char *want)
{
	cop_oxw_names *t = &w->names;
	char name[sizeof(cop_oxw_name)];
	const char *own;

	if (2 * t->used >= t->size && grow(w)) return NULL;
	snprintf(name, sizeof name, "%.*s", (int)sizeof name - 16, want);
	for (int i = 2; *slot(t, name); i++) snprintf(name, sizeof name, "%.*s.%d", (int)sizeof name - 16, want, i);
	if (!(own = cop__arena_str(&t->mem, name, strlen(name)))) return NULL;
	t->used++;
	return *slot(t, own) = own;
}

/* How many bytes the character at s has in UTF-8; 0: it is none. */
static int utf8(const uint8_t *s)
{
	int n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 && s[0] > 0xc1 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 && s[0] < 0xf5 ? 4
		: 0;

	for (int i = 1; i < n; i++)
		if (s[i] >> 6 != 2) return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
		(s[0] == 0xf4 && s[1] > 0x8f)) return 0;
	return n;
}

/* The name as text of at most LONGEST bytes: what is no character becomes '_'. */
static void as_text(char out[LONGEST + 8], const char *name)
{
	int to = 0;

	while (*name && to < LONGEST) {
		int n = utf8((const uint8_t *)name);
		if (n < 1) out[to++] = '_', name++;
		for (; n > 0; n--) out[to++] = *name++;
	}
	out[to] = 0;
}

cop_status cop__oxw_names(cop_oxw *w)
{
	size_t count = (size_t)w->g->n_value + 1;
	char text[LONGEST + 8];

	cop__arena_init(&w->names.mem, w->cx);
	w->names.value = cop__arena_get(&w->names.mem, sizeof *w->names.value * count);
	w->names.kernel = cop__arena_get(&w->names.mem, sizeof *w->names.kernel * count);
	w->names.readers = cop__readers(w->g, &w->names.mem);
	if (!w->names.value || !w->names.kernel || !w->names.readers) return COP_NOMEM;
	for (int named = 1; named >= 0; named--) /* those with a name first */
		for (int32_t v = 1; v <= w->g->n_value; v++) {
			const char *name = w->g->value[v].name;
			if (!name != !named) continue;
			if (name) as_text(text, *name ? name : "_");
			else snprintf(text, sizeof text, "v%d", v);
			if (!(w->names.value[v] = take(w, text))) return COP_NOMEM;
		}
	return COP_OK;
}

void cop__oxw_names_free(cop_oxw *w) { cop__arena_free(&w->names.mem); }

/* A copy; no memory: the failure is kept for the end. */
static cop_oxw_name copy(cop_oxw *w, const char *name)
{
	cop_oxw_name n = {""};

	if (!name) w->graph.status = COP_NOMEM;
	else snprintf(n.s, sizeof n.s, "%s", name);
	return n;
}

cop_oxw_name cop__oxw_label(const cop_oxw *w, cop_vid v)
{
	cop_oxw_name n;

	snprintf(n.s, sizeof n.s, "%s", w->names.value[v]);
	return n;
}

cop_oxw_name cop__oxw_fresh(cop_oxw *w)
{
	char name[16];

	do snprintf(name, sizeof name, "_%d", ++w->next);
	while (w->names.size && *slot(&w->names, name));
	return copy(w, take(w, name));
}

cop_oxw_name cop__oxw_beside(cop_oxw *w, cop_vid v, const char *end)
{
	char name[sizeof(cop_oxw_name)];

	snprintf(name, sizeof name, "%s%s", w->names.value[v], end);
	return copy(w, take(w, name));
}
