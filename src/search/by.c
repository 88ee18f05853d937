/* SPDX-License-Identifier: Apache-2.0
 *
 * by - which design is tried next: a function of the seed and of what was tried. A generation is as large as the
 * population; its parents are the best quarter of all that was tried before it began. What does not fit, or was tried,
 * is drawn again.
 */
#include "search/search.h"

enum { DRAWN = 0xd0a1, BORN = 0xb071, MOST_DRAWS = 200, CHANGED = 10 /* percent of the genes */ };

int32_t cop__best_tried(const cop_searcher *z, int32_t n)
{
	int32_t best = n > 0 ? 0 : -1;

	for (int32_t i = 1; i < n; i++)
		if (z->tried[i].score > z->tried[best].score) best = i;
	return best;
}

static void chance(cop_design *d, const cop_searcher *z, uint64_t index)
{
	cop__design_draw(d, z->a->seed, DRAWN, index);
}

/* How many of the first n are better than i, equals by their order. */
static int32_t rank_of(const cop_searcher *z, int32_t n, int32_t i)
{
	int32_t rank = 0;

	for (int32_t k = 0; k < n; k++)
		rank += z->tried[k].score > z->tried[i].score || (z->tried[k].score == z->tried[i].score && k < i);
	return rank;
}

/* One of the best quarter of the first n. */
static const cop_design *parent(const cop_searcher *z, int32_t n, uint32_t random)
{
	const int32_t quarter = COP_MAX(1, n / 4), rank = (int32_t)(random % (uint32_t)quarter);

	for (int32_t i = 0; i < n; i++)
		if (rank_of(z, n, i) == rank) return &z->tried[i].d;
	return &z->tried[0].d;
}

static uint32_t throw(const cop_searcher *z, uint64_t index, int32_t which)
{
	return cop__rand(z->a->seed, BORN, index * (2 * COP_GENES + 4) + (uint64_t)which);
}

static void change(cop_design *d, const cop_searcher *z, uint64_t index)
{
	const cop_space *s = cop__space(d->space);

	for (int32_t i = 0; i < COP_GENES; i++)
		if (throw(z, index, 4 + 2 * i) % 100 < CHANGED)
			d->gene[i] = (uint8_t)(throw(z, index, 5 + 2 * i) % (uint32_t)cop__gene_choices(s, i));
}

static void mix(cop_design *d, const cop_design *other, const cop_searcher *z, uint64_t index)
{
	for (int32_t i = 0; i < COP_GENES; i++)
		if (throw(z, index, 4 + 2 * i) % 2) d->gene[i] = other->gene[i];
}

static void evolve(cop_design *d, const cop_searcher *z, uint64_t index)
{
	const int32_t n = z->n_tried / z->s->population * z->s->population;

	if (!n) {
		chance(d, z, index);
		return;
	}
	*d = *parent(z, n, throw(z, index, 0));
	if (throw(z, index, 1) % 2) change(d, z, index);
	else mix(d, parent(z, n, throw(z, index, 2)), z, index);
	cop__design_settle(d);
}

static const cop_by bys[] = {
#define BY(name, draw, summary, source) {{name, summary, source, NULL, 0}, draw},
#include "search/by.def"
};
const cop_by *cop__by(int i)
{
	return i >= 0 && i < LEN(bys) ? &bys[i] : NULL;
}
static const cop_row *row_at(int i)
{
	return cop__by(i) ? &bys[i].row : NULL;
}
const cop_table cop__bys = {"ways", "way", "how `search` finds the network that is tried next", row_at};

static bool is_new(const cop_searcher *z, const cop_design *d)
{
	for (int32_t i = 0; i < z->n_tried; i++)
		if (cop__design_same(&z->tried[i].d, d)) return false;
	return true;
}

cop_status cop__next_design(cop_judged_design *j, bool *more, const cop_searcher *z)
{
	*more = true;
	for (int32_t i = 0; i < MOST_DRAWS; i++) {
		const uint64_t index = (uint64_t)z->n_tried * MOST_DRAWS + (uint64_t)i;
		j->d = z->of;
		if (i < MOST_DRAWS / 2) cop__by(z->by)->draw(&j->d, z, index);
		else chance(&j->d, z, index);                           /* its children have all been seen */
		if (i == MOST_DRAWS - 1) cop__design_end(&j->d, false); /* of a space that was chosen it fits */
		if (!is_new(z, &j->d)) continue;
		COP_TRY(cop__design_price(&j->figures, z, &j->d));
		if (cop__price_fits(z, &j->figures)) return COP_OK;
	}
	*more = false;
	return COP_OK;
}
