/* SPDX-License-Identifier: Apache-2.0
 *
 * apply - the table of passes, and the words "fold_bn fuse batch:n=64" that run them in order.
 * The graph is replaced once all of them have succeeded, and left alone otherwise, unless its user gives it up.
 */
#include "core/need.h"
#include "pass/pass.h"

#define PASS(name) extern const cop_pass cop_pass_##name;
#include "pass/pass.def"
#undef PASS

static const cop_pass *const passes[] = {
#define PASS(name) &cop_pass_##name,
#include "pass/pass.def"
#undef PASS
};

static const cop_row *row(int i) { return i >= 0 && i < LEN(passes) ? &passes[i]->row : NULL; }
const cop_table cop__passes = {"passes", "pass", "graph to graph, for `coppice apply`", row};

const char *cop_pass_name(int i, const char **summary)
{
	const cop_row *r = row(i);

	if (r && summary) *summary = r->summary;
	return r ? r->name : NULL;
}

static cop_status run_one(cop_graph **out, const cop_graph *g, const char *word, size_t len)
{
	union { max_align_t align; char bytes[8192]; } options;
	int i;

	memset(&options, 0, sizeof options);
	COP_TRY(cop__row_read(&i, &options, sizeof options, g->cx, NULL, &cop__passes, word, len));
	return passes[i]->run(out, g, &options);
}

/* keep: stays as it is, to the last pass; every other graph is spent and freed as soon as the next one is there. */
static cop_status run_all(cop_graph **g, const cop_graph *keep, const char *spec)
{
	static const char gap[] = " \t\n";
	cop_graph *next;
	cop_status st = COP_OK;

	for (const char *p = spec + strspn(spec, gap); !st && *p; p += strspn(p, gap)) {
		size_t len = strcspn(p, gap);
		if (*g != keep) cop__spend(*g);
		st = run_one(&next, *g, p, len);
		if (!st && (st = cop_graph_verify(next))) cop_graph_free(next);
		if (*g != keep) cop_graph_free(*g);
		*g = st ? NULL : next;
		p += len;
	}
	return st;
}

cop_status cop_graph_apply(cop_graph **g, const char *spec)
{
	COP_NEED(NULL, g);
	COP_NEED(NULL, *g);
	COP_NEED((*g)->cx, spec);
	cop_graph *now = *g;

	COP_TRY(run_all(&now, *g, spec));
	if (now != *g) cop_graph_free(*g);
	*g = now;
	return COP_OK;
}

cop_status cop_graph_apply_in_place(cop_graph **g, const char *spec)
{
	COP_NEED(NULL, g);
	COP_NEED(NULL, *g);
	COP_NEED((*g)->cx, spec);
	return run_all(g, NULL, spec);
}
