/* SPDX-License-Identifier: Apache-2.0
 *
 * options PAGE - prints a page of the documentation with the tables of methods in it as they are now; with a second argument fails unless the
 * page is that already. A table NAME stands between the lines "<!-- table NAME -->" and "<!-- end -->".
 */
#include "core/options.h"

#include <stdio.h>

#define TABLE(symbol) extern const cop_table symbol;
#include "compress/tables.def"
#undef TABLE
static const cop_table *const tables[] = {
#define TABLE(symbol) &symbol,
#include "compress/tables.def"
#undef TABLE
};

static void put_row(cop_text *t, const cop_row *r)
{
	cop__text_add(t, strchr(r->name, ' ') ? "\n**%s**: %s" : "\n**`%s`**: %s", r->name, r->summary);
	cop__text_add(t, r->source ? " (%s).\n" : ".\n", r->source);
	if (!r->options) return;
	cop__text_add(t, "\n");
	cop__options_page(t, r->options);
}

static bool put_table(cop_text *t, const char *name, size_t len)
{
	for (int i = 0; i < LEN(tables); i++) {
		if (strlen(tables[i]->name) != len || memcmp(tables[i]->name, name, len)) continue;
		for (int k = 0; tables[i]->row(k); k++) put_row(t, tables[i]->row(k));
		return true;
	}
	return false;
}

/* The page, line by line; what is between the marks is written anew. */
static bool put_page(cop_text *t, const char *page)
{
	static const char begin[] = "<!-- table ", end[] = "<!-- end -->\n";

	for (const char *p = page; *p;) {
		size_t len = strcspn(p, "\n") + 1;
		cop__text_bytes(t, p, len);
		bool marked = !strncmp(p, begin, sizeof begin - 1);
		const char *name = p + sizeof begin - 1;
		p += len;
		if (!marked) continue;
		if (!put_table(t, name, strcspn(name, " ")) || !(p = strstr(p, end))) return false;
		cop__text_add(t, "\n");
	}
	return true;
}

int main(int argc, char **argv)
{
	cop_ctx *cx;
	cop_text page;
	void *old;
	size_t size;

	if (argc < 2 || cop_ctx_new(&cx, NULL)) return 2;
	if (cop_file_read(&old, &size, cx, argv[1], 0)) return fprintf(stderr, "%s\n", cop_error_text(cx)), 2;
	cop__text_init(&page, cx);
	if (!put_page(&page, old) || page.status) return fprintf(stderr, "%s: a mark names no table, or has no end\n", argv[1]), 2;
	bool same = size == page.len && !memcmp(old, page.data, size);
	if (argc < 3) fwrite(page.data, 1, page.len, stdout);
	else if (!same) fprintf(stderr, "%s is out of date: cop_options %s >new && mv new %s\n", argv[1], argv[1], argv[1]);
	cop_free(cx, old);
	cop__text_free(&page);
	cop_ctx_free(cx);
	return argc >= 3 && !same;
}
