/* SPDX-License-Identifier: Apache-2.0
 *
 * judge - how good a design is.
 */
#include "search/search.h"

static const cop_judge judges[] = {
#define JUDGE(name, function, shares, scores, summary, source)                                                         \
	{{name, summary, source, NULL, 0}, shares, scores, cop__judge_##function},
#include "search/judge.def"
};
const cop_judge *cop__judge(int i)
{
	return i >= 0 && i < LEN(judges) ? &judges[i] : NULL;
}
static const cop_row *row_at(int i)
{
	return cop__judge(i) ? &judges[i].row : NULL;
}
const cop_table cop__judges = {"judges", "judge", "how `search` judges a network", row_at};

static cop_status score(cop_judged_design *j, const cop_searcher *z, const cop_graph *g)
{
	cop_dataset some = *z->valid;
	cop_score s;

	if (z->s->limit && some.count > z->s->limit) some.count = z->s->limit;
	COP_TRY(cop_eval(&s, g, &some, 100, z->a->threads));
	j->score = j->accuracy = s.accuracy;
	return COP_OK;
}

cop_status cop__judge_train(cop_judged_design *j, const cop_searcher *z)
{
	cop_train_args a = *z->a;
	cop_graph *g;

	a.epochs = z->s->epochs;
	a.checkpoint = NULL;
	a.resume = false;
	a.keep = COP_KEEP_LAST;
	a.progress = NULL;
	COP_TRY(cop__design_graph(&g, z, &j->d));
	cop_status st = cop_train(g, z->train, NULL, &a);
	if (st == COP_DIVERGED) cop_error_clear(z->cx), j->score = j->accuracy = 0, st = COP_OK;
	else if (!st) st = score(j, z, g);
	cop_graph_free(g);
	return st;
}

cop_status cop__judge_shared(cop_judged_design *j, const cop_searcher *z)
{
	cop_graph *g;

	COP_TRY(cop__shared_take(&g, z, &j->d));
	cop_status st = score(j, z, g);
	cop_graph_free(g);
	return st;
}

cop_status cop__judge_macs(cop_judged_design *j, const cop_searcher *z)
{
	(void)z;
	j->score = (float)j->figures.macs;
	return COP_OK;
}
