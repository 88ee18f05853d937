/* SPDX-License-Identifier: Apache-2.0
 *
 * apply - the table of passes, and the words "fold_bn fuse batch:n=64" that run them in order.
 * The graph is replaced once all of them have succeeded, and left alone otherwise.
 */
#include "core/need.h"
#include "pass/pass.h"

#include <stdio.h>

#define PASS(name) extern const cop_pass cop_pass_##name;
#include "pass/pass.def"
#undef PASS

static const cop_pass *const passes[] = {
#define PASS(name) &cop_pass_##name,
#include "pass/pass.def"
#undef PASS
};

const char *cop_pass_name(int i, const char **args, const char **summary)
{
	if (i < 0 || i >= LEN(passes)) return NULL;
	if (args) *args = passes[i]->args;
	if (summary) *summary = passes[i]->summary;
	return passes[i]->name;
}

static const char *known(void *ud, int i)
{
	(void)ud;
	return cop_pass_name(i, NULL, NULL);
}

static const cop_pass *find(cop_ctx *cx, const char *name, size_t len)
{
	cop_hint hint;
	char word[64];

	for (int i = 0; i < LEN(passes); i++)
		if (strlen(passes[i]->name) == len && !memcmp(passes[i]->name, name, len)) return passes[i];
	snprintf(word, sizeof word, "%.*s", (int)len, name);
	cop__error(cx, COP_ARG, "there is no pass '%.60s'; `coppice passes` lists them%s", word, cop__hint(&hint, word, known, NULL));
	return NULL;
}

static cop_status run_one(cop_graph **out, const cop_graph *g, const char *word, size_t len)
{
	const char *colon = memchr(word, ':', len);
	size_t name = colon ? (size_t)(colon - word) : len;
	const cop_pass *p = find(g->cx, word, name);

	if (!p) return COP_ARG;
	cop_args a = {g->cx, p->name, colon ? colon + 1 : word + len, colon ? len - name - 1 : 0};
	COP_TRY(cop__args_check(&a, p->args));
	return p->run(out, g, &a);
}

cop_status cop_graph_apply(cop_graph **g, const char *spec)
{
	COP_NEED(NULL, g);
	COP_NEED(NULL, *g);
	COP_NEED((*g)->cx, spec);
	static const char gap[] = " \t\n";
	cop_graph *now = *g, *next;

	for (const char *p = spec + strspn(spec, gap); *p; p += strspn(p, gap)) {
		size_t len = strcspn(p, gap);
		cop_status st = run_one(&next, now, p, len);
		if (!st && (st = cop_graph_verify(next))) cop_graph_free(next);
		if (now != *g) cop_graph_free(now);
		if (st) return st;
		now = next;
		p += len;
	}
	if (now != *g) {
		cop_graph_free(*g);
		*g = now;
	}
	return COP_OK;
}
