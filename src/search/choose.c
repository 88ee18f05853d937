/* SPDX-License-Identifier: Apache-2.0
 *
 * choose - which space is searched: networks are drawn from each and planned, and the one whose networks that fit
 * compute most is taken, as within a family accuracy grows with what is computed (Lin et al. 2020, arXiv 2007.10319,
 * section 3.1). A space of which hardly anything fits is no good place to look, however much its few networks compute.
 */
#include "search/search.h"

#include <stdio.h>

enum { SPACES = 0x5ea1, LEAST_PART = 20 }; /* a stream of random numbers; one in so many has to fit */

typedef struct nearest {
	cop_design d;
	double excess;
} nearest;

/* Did the caller name it, or none? */
static bool wanted(const cop_searcher *z, int row)
{
	const char *name = cop__space(row)->row.name, *at = z->s->space;
	const size_t n = strlen(name);

	for (; at && *at; at += strcspn(at, ", "), at += strspn(at, ", "))
		if (strcspn(at, ", ") == n && !memcmp(at, name, n)) return true;
	return !z->s->space;
}

bool cop__next_space(cop_design *d, const cop_searcher *z)
{
	const cop_space *s = cop__space(d->space);

	if (s && ++d->shrink < s->shrink.n) return true;
	d->shrink = 0;
	if (s && ++d->scale < s->scale.n) return true;
	d->scale = 0;
	do s = cop__space(++d->space);
	while (s && !wanted(z, d->space));
	return s != NULL;
}

static cop_status check_names(const cop_searcher *z)
{
	size_t n;

	for (const char *at = z->s->space; at && *at; at += n, at += strspn(at, ", ")) {
		n = strcspn(at, ", ");
		if (cop__row_index(&cop__spaces, at, n) < 0) return cop__no_row(z->cx, "search", &cop__spaces, at, n);
	}
	return z->s->space && !*z->s->space ? cop__error(z->cx, COP_ARG, "search: no space is named") : COP_OK;
}

/* One network of the space: the smallest, then drawn ones. */
static cop_status look(cop_search_space *of, nearest *best, const cop_searcher *z, cop_design d, int32_t i)
{
	cop_figures f;

	if (i)
		cop__design_draw(
		        &d, z->a->seed, SPACES, (uint64_t)((d.space * 64 + d.scale * 8 + d.shrink) * 100000 + i));
	else cop__design_end(&d, false);
	COP_TRY(cop__design_price(&f, z, &d));
	const double excess = cop__price_excess(z, &f, NULL, 0);
	of->drawn++;
	if (excess == 0) of->fit++, of->macs += ((double)f.macs - of->macs) / of->fit;
	if (best->excess < 0 || excess < best->excess) *best = (nearest){d, excess};
	return COP_OK;
}

static cop_status draw_all(nearest *best, cop_searcher *z, cop_design d)
{
	const cop_space *s = cop__space(d.space);
	cop_search_space *of = &z->r->space[z->r->n_space++];

	cop__turn_to(z, &d);
	*of = (cop_search_space){.name = s->row.name, .scale = s->scale.at[d.scale], .shrink = s->shrink.at[d.shrink]};
	for (int32_t i = 0; i < z->s->draws && (i == 0 || of->fit); i++) {
		if (cop__stopped(z->cx))
			return cop__error(z->cx, COP_STOPPED, "stopped while networks were drawn from the spaces");
		COP_TRY(look(of, best, z, d, i));
	}
	return COP_OK;
}

/* Do enough of those fit that were drawn by chance? The smallest one always does. */
static bool roomy(const cop_search_space *s)
{
	return s->fit > 1 && (s->fit - 1) * LEAST_PART >= s->drawn - 1;
}

/* Is a the better place to search than b? */
static bool better(const cop_search_space *a, const cop_search_space *b)
{
	const bool enough = roomy(a), other = roomy(b);
	return enough != other ? enough : a->macs > b->macs;
}

/* Says what the nearest network lacks. */
static cop_status none_fits(cop_searcher *z, const nearest *best)
{
	const cop_space *s = cop__space(best->d.space);
	int32_t drawn = 0;
	cop_figures f;
	cop_text t;

	for (int32_t i = 0; i < z->r->n_space; i++) drawn += z->r->space[i].drawn;
	COP_TRY(cop__design_price(&f, z, &best->d));
	z->r->figures = f;
	cop__price_excess(z, &f, z->r->lacks, sizeof z->r->lacks);
	cop__text_init(&t, z->cx);
	cop__design_text(&t, &best->d, &z->train->x, z->train->classes);
	if (!t.status) snprintf(z->r->network, sizeof z->r->network, "%s", t.data);
	cop__text_free(&t);
	return cop__error(z->cx, COP_BUDGET,
	        "search: no network fits, of %d drawn from %d spaces: the nearest, of %s with widths of %d %% and the "
		"first stride times %d, takes %s",
	        drawn, z->r->n_space, s->row.name, s->scale.at[best->d.scale], s->shrink.at[best->d.shrink],
	        z->r->lacks);
}

cop_status cop__choose_space(cop_searcher *z)
{
	nearest best = {.excess = -1};
	int32_t chosen = -1;
	cop_design d = {.space = -1}, of = d;

	COP_TRY(check_names(z));
	while (z->r->n_space < COP_MOST_SPACES && cop__next_space(&d, z)) {
		const cop_search_space *now = &z->r->space[z->r->n_space];
		COP_TRY(draw_all(&best, z, d));
		if (!now->fit || (chosen >= 0 && !better(now, &z->r->space[chosen]))) continue;
		chosen = z->r->n_space - 1;
		of = d;
	}
	cop__turn_to(z, chosen < 0 ? &best.d : &of);
	if (chosen < 0) return none_fits(z, &best);
	z->r->space[chosen].chosen = true;
	return COP_OK;
}
