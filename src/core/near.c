/* SPDX-License-Identifier: Apache-2.0
 *
 * near - the known word that a mistyped one was meant to be: the one that the fewest letters make of it, inserted, left out, changed,
 * or swapped with their neighbour (the distance of Damerau 1964, each letter touched once).
 */
#include "core/core.h"

#include <ctype.h>
#include <stdio.h>

enum { MOST = 64 };

static int letter(const char *s, int i) { return tolower((unsigned char)s[i]); }

/* Letters to touch; MOST for words that are too long to be compared. */
static int distance(const char *a, const char *b)
{
	int n = (int)strnlen(a, MOST), m = (int)strnlen(b, MOST), row[3][MOST + 1];
	int *two = row[0], *above = row[1], *at = row[2];

	if (n == MOST || m == MOST) return MOST;
	for (int j = 0; j <= m; j++) above[j] = j;
	for (int i = 1; i <= n; i++) {
		at[0] = i;
		for (int j = 1; j <= m; j++) {
			at[j] = COP_MIN(COP_MIN(above[j], at[j - 1]) + 1, above[j - 1] + (letter(a, i - 1) != letter(b, j - 1)));
			if (i > 1 && j > 1 && letter(a, i - 1) == letter(b, j - 2) && letter(a, i - 2) == letter(b, j - 1)) at[j] = COP_MIN(at[j], two[j - 2] + 1);
		}
		int *old = two;
		two = above, above = at, at = old;
	}
	return above[m];
}

int cop_nearest(const char *word, cop_word_fn *known, void *ud)
{
	const char *name;
	int n = (int)strnlen(word, MOST), least = (n + 2) / 3 + 1, best = -1;

	for (int i = 0; (name = known(ud, i)); i++) {
		int d = distance(word, name);
		if (d < least && d < COP_MAX(n, (int)strlen(name))) least = d, best = i;
	}
	return best;
}

const char *cop__hint(cop_hint *h, const char *word, cop_word_fn *known, void *ud)
{
	int i = cop_nearest(word, known, ud);

	h->text[0] = 0;
	if (i >= 0) snprintf(h->text, sizeof h->text, "; did you mean '%s'?", known(ud, i));
	return h->text;
}

typedef struct list { const char *text; char word[MOST]; } list;

/* Word i of "a b:f c|d". */
static const char *listed(void *ud, int i)
{
	list *l = ud;
	const char *p = l->text + strspn(l->text, " |");

	for (; *p && i; i--) p += strcspn(p, " |"), p += strspn(p, " |");
	if (!*p) return NULL;
	snprintf(l->word, sizeof l->word, "%.*s", (int)strcspn(p, " |:"), p);
	return l->word;
}

const char *cop__hint_in(cop_hint *h, const char *word, size_t len, const char *words)
{
	list l = {.text = words};
	char text[MOST];

	snprintf(text, sizeof text, "%.*s", (int)COP_MIN(len, sizeof text), word);
	return cop__hint(h, text, listed, &l);
}
