/* SPDX-License-Identifier: Apache-2.0
 *
 * widths - how wide each pool becomes, so that the network has so many multiply-accumulates. First the channels are ranked, then widths are
 * rounded: of what the ranking leaves, the nearest multiple that the kernels like. What rounding has left of the budget goes to single pools.
 */
#include "compress/slim/slim.h"

#include <math.h>
#include <stdlib.h>

int64_t cop__macs_of(const cop_graph *g)
{
	int64_t sum = 0;

	for (int32_t n = 1; n <= g->n_node; n++) {
		cop_cost c = {0};
		if (cop__op(g, (cop_nid)n)->cost) cop__op(g, (cop_nid)n)->cost(g, (cop_nid)n, &c);
		sum += c.mac;
	}
	return sum;
}

int32_t cop__lanes_of(uint32_t isa)
{
	if (isa & COP_ISA_AVX512) return 16;
	if (isa & COP_ISA_AVX2) return 8;
	return isa & (COP_ISA_NEON | COP_ISA_DSP) ? 4 : 1;
}

static int32_t least_of(const cop_pool *q, const cop_slim_options *o) { return COP_MAX(1, (int32_t)ceilf(o->least * (float)q->n)); }

/* What is narrower than one multiple: of half of it, and so on, down to 4. A pool that is whole stays. */
static int32_t rounded(int32_t width, int32_t n, int32_t round)
{
	if (width == n) return n;
	while (width < round && round > 4 && round % 2 == 0) round /= 2;
	int32_t to = COP_MAX((width + round / 2) / round, 1) * round;
	return to > n ? COP_MAX(width, n / round * round) : to;
}

/* The next width that is rounded so. */
static int32_t wider(int32_t width, int32_t n, int32_t round)
{
	int32_t to = width + 1;

	while (to < n && rounded(to, n, round) != to) to++;
	return to;
}

static void set_width(cop_pools *p, int32_t i, int32_t width)
{
	const cop_pool *q = &p->pool[i];

	p->width[i] = width;
	for (int32_t k = 0; k < q->n; k++) p->drop[p->rank[q->first + k].group] = k >= width;
}

/* Keeps what scores at least `at` (GLOBAL), or that part of each pool (LAYER). */
static void set_widths(cop_pools *p, const cop_slim_options *o, int32_t round, double at)
{
	for (int32_t i = 0; i < p->n_pool; i++) {
		const cop_pool *q = &p->pool[i];
		int32_t n = 0;
		if (o->scope == COP_SLIM_LAYER) n = (int32_t)(at * q->n + 0.5);
		else while (n < q->n && (double)p->rank[q->first + n].score >= at) n++;
		set_width(p, i, rounded(COP_MAX(n, least_of(q, o)), q->n, round));
	}
}

static cop_status count(int64_t *macs, const cop_pools *p)
{
	cop_graph *cut;

	COP_TRY(cop__pass_slice_groups(&cut, &p->groups, p->drop));
	*macs = cop__macs_of(cut);
	cop_graph_free(cut);
	return COP_OK;
}

static int largest_first(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x < y) - (x > y);
}

/* The thresholds that differ, from the one that keeps least on. */
static cop_status thresholds(double **at, int32_t *n, cop_pools *p, const cop_slim_options *o)
{
	enum { PARTS = 256 };
	*n = o->scope == COP_SLIM_LAYER ? PARTS : p->n_rank;
	if (!(*at = cop__arena_get(&p->groups.mem, sizeof **at * ((size_t)*n + 1)))) return COP_NOMEM;
	for (int32_t i = 0; i < *n; i++) (*at)[i] = o->scope == COP_SLIM_LAYER ? (i + 1.0) / PARTS : (double)p->rank[i].score;
	if (o->scope == COP_SLIM_GLOBAL) qsort(*at, (size_t)*n, sizeof **at, largest_first);
	return COP_OK;
}

/* How much a pool wants its next channels: by the best of them, or where each layer keeps the same part, by how little it has. */
static double wants(const cop_pools *p, const cop_slim_options *o, int32_t i)
{
	const cop_pool *q = &p->pool[i];
	return o->scope == COP_SLIM_LAYER ? 1 - (double)p->width[i] / q->n : (double)p->rank[q->first + p->width[i]].score;
}

/* One pool after the other gets its next width, as long as that fits; one that does not is left alone. */
static cop_status fill(cop_pools *p, const cop_slim_options *o, int32_t round, int64_t macs, int64_t *got)
{
	bool *done = cop__arena_get(&p->groups.mem, (size_t)p->n_pool + 1);

	if (!done) return COP_NOMEM;
	for (;;) {
		int32_t best = -1;
		int64_t m;
		for (int32_t i = 0; i < p->n_pool; i++)
			if (!done[i] && p->width[i] < p->pool[i].n && (best < 0 || wants(p, o, i) > wants(p, o, best))) best = i;
		if (best < 0) return COP_OK;
		const int32_t was = p->width[best];
		set_width(p, best, wider(was, p->pool[best].n, round));
		COP_TRY(count(&m, p));
		if (m <= macs) *got = m;
		else set_width(p, best, was), done[best] = true;
	}
}

cop_status cop__pools_cut(cop_pools *p, const cop_slim_options *o, int32_t round, int64_t macs, int64_t *got)
{
	double *at;
	int32_t n, low = 0, high;

	COP_TRY(thresholds(&at, &n, p, o));
	set_widths(p, o, round, at[0]);
	COP_TRY(count(got, p));
	if (*got > macs)
		return cop__error(p->groups.g->cx, COP_ARG,
			"slim: at the least width of its layers '%s' has %lld multiply-accumulates, and %lld are "
			"asked; give a smaller least, or less to remove",
			p->groups.g->name, (long long)*got, (long long)macs);
	for (high = n; high - low > 1;) { /* low fits, high does not */
		int32_t mid = low + (high - low) / 2;
		int64_t m;
		set_widths(p, o, round, at[mid]);
		COP_TRY(count(&m, p));
		if (m <= macs) low = mid;
		else high = mid;
	}
	set_widths(p, o, round, at[low]);
	COP_TRY(count(got, p));
	return round > 1 ? fill(p, o, round, macs, got) : COP_OK;
}
