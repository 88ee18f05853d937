/* SPDX-License-Identifier: Apache-2.0
 *
 * search - the call: a space is chosen, designs are tried, and the best few are trained (finish.c).
 */
#include "core/need.h"
#include "search/search.h"

#include "plan/plan.h"
#include "train/policy.h"

/* ---- what is asked for ---- */

static cop_status check_data(const cop_searcher *z)
{
	const cop_dataset *d = z->train;

	if (d->classes < 2 || (z->valid && z->valid->classes < 2))
		return cop__error(z->cx, COP_ARG,
		        "search: '%s' has no classes: networks are searched for data whose samples belong to classes",
		        d->classes < 2 ? d->name : z->valid->name);
	if (d->count < 1) return cop__error(z->cx, COP_ARG, "search: '%s' is empty", d->name);
	if (d->x.rank != 3 && d->x.rank != 2)
		return cop__error(z->cx, COP_SHAPE,
		        "search: samples of '%s' are neither pictures (height, width, channels) nor sequences (steps, "
			"numbers); for rows of a table there is no space",
		        d->name);
	if (!z->valid && cop__judge(z->judge)->scores)
		return cop__error(z->cx, COP_ARG,
		        "search: the judge %s needs a validation set: give one, or a judge that looks at untrained "
			"networks",
		        cop__judge(z->judge)->row.name);
	return COP_OK;
}

static cop_status row_of(int *row, const cop_searcher *z, const cop_table *t, const char *name)
{
	*row = name ? cop__row_index(t, name, strlen(name)) : 0;
	return *row < 0 ? cop__no_row(z->cx, "search", t, name, strlen(name)) : COP_OK;
}

/* A limit that was not given is what the target has. */
static cop_status set_limits(cop_search_args *s, const cop_searcher *z)
{
	const cop_target *t = &z->t;

	if (t->ram && s->ram > t->ram)
		return cop__error(z->cx, COP_ARG, "search: %zu bytes of RAM are allowed, but %s has only %zu", s->ram,
		        t->name, t->ram);
	if (t->flash && s->flash > t->flash)
		return cop__error(z->cx, COP_ARG, "search: %zu bytes of flash are allowed, but %s has only %zu",
		        s->flash, t->name, t->flash);
	if (s->instructions && !cop__has_prices(t))
		return cop__error(z->cx, COP_ARG,
		        "search: there are no prices of kernels in instructions for %s: limit the MACs instead",
		        t->name);
	if (s->macs < 0 || s->instructions < 0)
		return cop__error(z->cx, COP_ARG, "search: limits must not be negative");
	if (!s->ram && t->ram > COP_STACK) s->ram = t->ram - COP_STACK;
	if (!s->flash) s->flash = t->flash;
	return COP_OK;
}

static cop_status set_numbers(cop_search_args *s, const cop_searcher *z)
{
	if (s->finalists < 0 || s->finalists > COP_MOST_FINALISTS)
		return cop__error(z->cx, COP_ARG, "search: %d finalists were asked for; there may be 1 to %d", s->finalists,
		        COP_MOST_FINALISTS);
	if (s->draws < 0 || s->tries < 0 || s->population < 0 || s->epochs < 0 || s->limit < 0 || s->draws > 100000 ||
	        s->tries > 100000)
		return cop__error(z->cx, COP_ARG,
		        "search: draws, tries, population, epochs and limit must not be negative, draws and tries not "
			"above 100000");
	if (s->finalists > 1 && !z->valid)
		return cop__error(z->cx, COP_ARG, "search: %d finalists are compared on a validation set, and there is none: give one, or leave finalists out", s->finalists);
	if (s->keep_shared && !cop__judge(z->judge)->shares)
		return cop__error(z->cx, COP_ARG, "search: only the judge shared has shared weights to begin with");
	if (!s->draws) s->draws = 50;
	if (!s->tries) s->tries = 40;
	if (!s->finalists) s->finalists = z->valid ? 3 : 1;
	if (!s->population) s->population = COP_MAX(2, s->tries / 4);
	if (!s->epochs) s->epochs = cop__judge(z->judge)->shares ? 20 : 1;
	return COP_OK;
}

static cop_status settle(cop_search_args *s, cop_searcher *z)
{
	if (!s->target) s->target = "host";
	COP_TRY(cop_target_find(&z->t, z->cx, s->target));
	COP_TRY(set_limits(s, z));
	COP_TRY(row_of(&z->judge, z, &cop__judges, s->judge));
	COP_TRY(row_of(&z->by, z, &cop__bys, s->by));
	COP_TRY(set_numbers(s, z));
	z->t.ram = z->t.flash = 0;
	return check_data(z);
}

/* ---- designs ---- */

static void tell(const cop_searcher *z, int32_t i)
{
	const cop_judged_design *j = &z->tried[i];
	const cop_tried t = {.number = i + 1,
	        .score = j->score,
	        .accuracy = j->accuracy,
	        .figures = j->figures,
	        .best = cop__best_tried(z, i + 1) == i};

	if (z->s->tried) z->s->tried(z->s->ud, &t);
}

static cop_status try_one(cop_searcher *z, bool *more)
{
	cop_judged_design j = {.accuracy = -1};

	if (cop__stopped(z->cx)) return COP_STOPPED;
	COP_TRY(cop__next_design(&j, more, z));
	if (!*more) return COP_OK;
	COP_TRY(cop__judge(z->judge)->judge(&j, z));
	COP_TRY(cop__grow(z->cx, &z->tried, &z->cap_tried, z->n_tried, sizeof *z->tried));
	z->tried[z->n_tried++] = j;
	tell(z, z->n_tried - 1);
	return cop__search_save(z, z->n_tried == z->s->tries);
}

/* A training that was stopped leaves its own checkpoint; what was tried is to be kept, too. */
static cop_status try_all(cop_searcher *z)
{
	bool more = true;
	cop_status st = COP_OK;

	for (int32_t i = 0; i < z->n_tried; i++) tell(z, i);
	while (!st && more && z->n_tried < z->s->tries) st = try_one(z, &more);
	if (st == COP_STOPPED) {
		cop_error_clear(z->cx); /* no network can be read behind a failure, and saving reads one */
		COP_TRY(cop__search_save(z, true));
		st = cop__error(z->cx, COP_STOPPED, "stopped behind design %d of %d", z->n_tried, z->s->tries);
	}
	if (!st && !more)
		cop__log(z->cx, COP_LOG_INFO, "search: after %d designs no other one that fits was found", z->n_tried);
	return st;
}

static cop_status work(cop_graph **out, cop_searcher *z)
{
	bool chosen;

	COP_TRY(cop__search_begin(z));
	COP_TRY(cop__search_load(z, &chosen));
	if (!chosen) COP_TRY(cop__choose_space(z));
	if (!chosen) COP_TRY(cop__search_save(z, true));
	if (cop__judge(z->judge)->shares) COP_TRY(cop__shared_train(z));
	COP_TRY(try_all(z));
	if (!z->n_tried) /* the space comes from a checkpoint that is not ours */
		return cop__error(z->cx, COP_BUDGET, "search: no network of the space %s fits, although %s says that some do",
		        cop__space(z->of.space)->row.name, z->given->checkpoint);
	return cop__search_finish(out, z);
}

cop_status cop_search(cop_graph **out, cop_ctx *cx, const cop_search_args *args, cop_dataset *train, cop_dataset *valid,
        const cop_train_args *training, cop_search_result *result)
{
	COP_NEED(cx, out);
	*out = NULL;
	COP_NEED(cx, args);
	COP_NEED(cx, train);
	COP_NEED(cx, training);
	enum { FEW = 8 };
	cop_search_result *r = cop__alloc(cx, sizeof *r);
	cop_search_args s = *args;
	cop_train_args a = *training;
	cop_searcher z = {
	        .cx = cx, .s = &s, .given = training, .a = &a, .train = train, .valid = valid, .few = *train, .r = r};

	if (!r) return COP_NOMEM;
	r->accuracy[0] = r->accuracy[1] = r->judged = -1;
	z.few.count = COP_MIN(FEW, train->count);
	cop_status st = settle(&s, &z);
	if (!st) st = work(out, &z);
	if (result) *result = *r;
	if (st) cop_graph_free(*out), *out = NULL;
	cop_graph_free(z.shared);
	cop__text_free(&z.run);
	cop__free(cx, z.tried);
	cop__free(cx, r);
	return st;
}
