/* SPDX-License-Identifier: Apache-2.0
 *
 * finish - the designs that were judged best are trained in full, quantised and planned once more. The best of them is
 * what the search gives back.
 */
#include "search/search.h"

#include <stdio.h>

typedef struct ended { /* a finalist; g NULL: its training diverged */
	int32_t at; /* in z->tried */
	cop_graph *g;
	float accuracy[2];
	cop_figures figures;
	double excess;
	char lacks[200];
} ended;

static cop_status accuracy(float *out, const cop_searcher *z, const cop_graph *g)
{
	cop_score s = {.accuracy = -1};

	if (z->valid) COP_TRY(cop_eval(&s, g, z->valid, 100, z->a->threads));
	*out = s.accuracy;
	return COP_OK;
}

/* Each training has a checkpoint of its own, so a search that was stopped finds those that are done. */
static cop_status train(ended *e, cop_searcher *z, int32_t stage)
{
	const cop_design *d = &z->tried[e->at].d;
	char path[1024];
	const cop_train_args a = cop__search_training(z, stage, path);
	cop_graph *g = NULL;

	cop_status st = z->s->keep_shared ? cop__shared_take(&g, z, d) : cop__design_graph(&g, z, d);
	if (!st) st = cop_train(g, z->train, z->valid, &a);
	if (!st) st = accuracy(&e->accuracy[0], z, g);
	if (!st) st = cop__search_deploy(&e->g, z, g, true);
	cop_graph_free(g);
	if (!st) st = accuracy(&e->accuracy[1], z, e->g);
	if (!st) st = cop_measure(&e->figures, e->g, &z->t);
	if (!st) cop_graph_accuracy_set(e->g, e->accuracy[1]);
	if (!st) e->excess = cop__price_excess(z, &e->figures, e->lacks, sizeof e->lacks);
	return st;
}

/* What fits before what does not; then by accuracy, the first of equals. */
static bool better(const ended *a, const ended *b)
{
	if (!a->g || !b->g) return a->g != NULL;
	if (a->excess > 0 || b->excess > 0) return a->excess < b->excess;
	return a->accuracy[1] > b->accuracy[1];
}

/* The designs with the best scores, the first of equals first. Returns how many there are. */
static int32_t finalists(int32_t at[COP_MOST_FINALISTS], const cop_searcher *z)
{
	const int32_t n = COP_MIN(z->s->finalists, z->n_tried);

	for (int32_t k = 0; k < n; k++) {
		at[k] = -1;
		for (int32_t i = 0; i < z->n_tried; i++) {
			bool taken = false;
			for (int32_t j = 0; j < k; j++) taken = taken || at[j] == i;
			if (!taken && (at[k] < 0 || z->tried[i].score > z->tried[at[k]].score)) at[k] = i;
		}
	}
	return n;
}

static void tell(cop_searcher *z, const ended *e, bool best)
{
	cop_finalist *f = &z->r->finalist[z->r->n_finalist++];

	*f = (cop_finalist){e->at + 1, {e->accuracy[0], e->accuracy[1]}, best};
	if (z->s->finished) z->s->finished(z->s->ud, f);
}

static cop_status describe(cop_searcher *z, const ended *e)
{
	const cop_judged_design *j = &z->tried[e->at];
	cop_search_result *r = z->r;
	cop_text t;

	cop__text_init(&t, z->cx);
	cop__design_text(&t, &j->d, &z->train->x, z->train->classes);
	if (!t.status) snprintf(r->network, sizeof r->network, "%s", t.data);
	cop_status st = t.status;
	cop__text_free(&t);
	r->n_tried = z->n_tried;
	r->best = e->at + 1;
	r->score = j->score;
	r->judged = j->accuracy;
	r->accuracy[0] = e->accuracy[0], r->accuracy[1] = e->accuracy[1];
	r->figures = e->figures;
	memcpy(r->lacks, e->lacks, sizeof r->lacks);
	return st;
}

cop_status cop__search_finish(cop_graph **out, cop_searcher *z)
{
	int32_t at[COP_MOST_FINALISTS] = {0};
	const int32_t n = finalists(at, z);
	ended best = {.at = at[0]};
	cop_status st = COP_OK;

	for (int32_t k = 0; !st && k < n; k++) {
		ended e = {.at = at[k], .accuracy = {-1, -1}};
		st = train(&e, z, k + 1);
		if (st == COP_DIVERGED && (best.g || k + 1 < n)) cop_error_clear(z->cx), st = COP_OK;
		const bool first = !st && better(&e, &best);
		if (!st) tell(z, &e, first);
		cop_graph *left = first ? best.g : e.g;
		if (first) best = e;
		cop_graph_free(left);
	}
	if (!st) st = describe(z, &best);
	if (st) cop_graph_free(best.g);
	else *out = best.g;
	return st;
}
