/* SPDX-License-Identifier: Apache-2.0
 *
 * memory - offsets in the arena for pieces with known lifetimes. Pieces whose lifetimes meet may not share a byte, but for a
 * result that may lie over the operand its kernel is done with (cop_span.over).
 *
 * Placing them in some order, each at the lowest offset that is free for its whole life, gives a plan; the order
 * decides how good. A few natural orders are tried, as they are and with each piece behind those that lie over it (which
 * want to begin below it); then the pieces that stick out are moved forward in the order until the arena is the largest
 * live set (which no plan can beat) or the tries are used up.
 */
#include "plan/place.h"

#include <stdlib.h>

typedef struct weighed { double weight; int32_t id; } weighed;
/* upper[i]: what lies over piece i, or -1. near_, turn, sorted: scratch. */
typedef struct packer { cop_span *span; int32_t *order, *best, n, *near_, *turn, *upper; weighed *sorted; cop_shelf placed; } packer;

static cop_status make_packer(packer *p, cop_arena *mem, cop_span *span, int32_t n)
{
	size_t bytes = sizeof(int32_t) * (size_t)(n + 1);

	*p = (packer){.span = span, .n = n, .order = cop__arena_get(mem, bytes), .best = cop__arena_get(mem, bytes), .near_ = cop__arena_get(mem, bytes),
		.turn = cop__arena_get(mem, bytes), .upper = cop__arena_get(mem, bytes), .sorted = cop__arena_get(mem, sizeof *p->sorted * (size_t)(n + 1))};
	if (!p->order || !p->best || !p->near_ || !p->turn || !p->upper || !p->sorted) return COP_NOMEM;
	for (int32_t k = 0; k < n; k++) p->upper[k] = -1;
	for (int32_t k = 0; k < n; k++)
		if (span[k].over) p->upper[span[k].over - 1] = k;
	return cop__shelf_make(&p->placed, mem, span, n);
}

static size_t place_all(packer *p)
{
	size_t top = 0;

	cop__shelf_clear(&p->placed);
	for (int32_t k = 0; k < p->n; k++) {
		cop_span *s = &p->span[p->order[k]];
		s->off = cop__shelf_lowest(&p->placed, p->order[k], p->upper[p->order[k]]);
		cop__shelf_put(&p->placed, p->order[k]);
		top = COP_MAX(top, s->off + s->bytes);
	}
	return top;
}

enum { RULES = 5, HEAT = RULES }; /* HEAT serves two memories, below */

static double weight(const cop_span *s, int rule)
{
	double life = s->to - s->from + 1;
	switch (rule) {
	case 0: return (double)s->bytes;
	case 1: return (double)s->bytes * life;
	case 2: return life;
	case 3: return -(double)s->from;
	case HEAT: return s->heat / (double)COP_MAX(1, s->bytes);
	default: return (double)s->to;
	}
}

static int heavier(const void *a, const void *b)
{
	const weighed *x = a, *y = b;
	return x->weight != y->weight ? (x->weight < y->weight) - (x->weight > y->weight) : (x->id > y->id) - (x->id < y->id);
}

/* Heaviest first, equal ones as they come. */
static void sort(packer *p, int rule)
{
	for (int32_t i = 0; i < p->n; i++) p->sorted[i] = (weighed){weight(&p->span[i], rule), i};
	qsort(p->sorted, (size_t)p->n, sizeof *p->sorted, heavier);
	for (int32_t i = 0; i < p->n; i++) p->order[i] = p->sorted[i].id;
}

cop_status cop__live_bytes(size_t *live, cop_ctx *cx, const cop_span *s, int32_t n, int32_t n_step, bool fast_only)
{
	size_t *change = cop__alloc(cx, sizeof *change * (size_t)(n_step + 2)); /* from the step before: sums of unsigned numbers that wrap */

	if (!change) return COP_NOMEM;
	memset(live, 0, sizeof *live * (size_t)(n_step + 1));
	for (int32_t i = 0; i < n; i++) {
		const cop_span *x = s[i].over ? &s[s[i].over - 1] : NULL;
		if ((fast_only && !s[i].fast) || s[i].from > n_step) continue;
		change[s[i].from] += s[i].bytes;
		change[COP_MIN(s[i].to, n_step) + 1] -= s[i].bytes;
		if (x) live[s[i].from] -= x->bytes + s[i].bytes - COP_MAX(x->bytes + COP_MIN(s[i].ahead, s[i].bytes), s[i].bytes);
	}
	size_t now = 0;
	for (int32_t t = 0; t <= n_step; t++) live[t] += now += change[t];
	cop__free(cx, change);
	return COP_OK;
}

/* Puts what lies over a piece before it in the order: a chain of pieces, the last one first. near_ and turn are scratch. */
static void upper_first(packer *p)
{
	int32_t n = 0;

	memcpy(p->near_, p->order, sizeof *p->order * (size_t)p->n);
	memset(p->turn, 0, sizeof *p->turn * (size_t)p->n); /* 1: it has its place */
	for (int32_t k = 0; k < p->n; k++) {
		int32_t from = n;
		for (int32_t i = p->near_[k]; i >= 0 && !p->turn[i]; i = p->upper[i]) {
			p->order[n++] = i;
			p->turn[i] = 1;
		}
		for (int32_t i = from, j = n - 1; i < j; i++, j--) {
			int32_t t = p->order[i];
			p->order[i] = p->order[j];
			p->order[j] = t;
		}
	}
}

static cop_status live_peak(size_t *peak, cop_ctx *cx, const cop_span *s, int32_t n, int32_t n_step)
{
	size_t *live = cop__alloc(cx, sizeof *live * (size_t)(n_step + 1));

	*peak = 0;
	cop_status st = live ? cop__live_bytes(live, cx, s, n, n_step, false) : COP_NOMEM;
	for (int32_t t = 0; !st && t <= n_step; t++) *peak = COP_MAX(*peak, live[t]);
	cop__free(cx, live);
	return st;
}

/* Moves what is at place `from` of the order to an earlier one. */
static void bring_forward(packer *p, int32_t from, uint32_t draw)
{
	int32_t to = from ? (int32_t)(draw % (uint32_t)from) : 0, id = p->order[from];

	for (int32_t k = from; k > to; k--) p->order[k] = p->order[k - 1];
	p->order[to] = id;
}

/* Moves a piece that reaches the top to an earlier place in the order. */
static void nudge(packer *p, size_t top, uint32_t draw)
{
	int32_t hot = 0, count = 0;

	for (int32_t k = 0; k < p->n; k++) {
		const cop_span *s = &p->span[p->order[k]];
		if (s->off + s->bytes == top && draw % (uint32_t)++count == 0) hot = k;
	}
	bring_forward(p, hot, draw / 7);
}

/* Tries go on while there is work left: with many pieces there are fewer of them. A network of some hundred values has all. */
static bool again(const packer *p, int i, int orders)
{
	enum { TRIES = 400, WORK = 150000000 };
	return i == 0 || (i < orders + TRIES && p->placed.steps < WORK);
}

cop_status cop__pack_spans(size_t *arena, size_t *live, cop_ctx *cx, cop_span *span, int32_t n, int32_t n_step)
{
	size_t best = SIZE_MAX;
	cop_arena mem;
	packer p;

	cop__arena_init(&mem, cx);
	cop_status st = make_packer(&p, &mem, span, n);
	if (!st) st = live_peak(live, cx, span, n, n_step);
	for (int i = 0; !st && best > *live && again(&p, i, 2 * RULES); i++) {
		if (i < 2 * RULES) {
			sort(&p, i / 2);
		} else {
			memcpy(p.order, p.best, sizeof *p.order * (size_t)n);
			place_all(&p);
			for (int k = 0; k <= i % 3; k++) nudge(&p, best, cop__rand(1, 2, (uint64_t)(i * 4 + k)));
		}
		if (i % 2) upper_first(&p);
		size_t top = place_all(&p);
		if (top > best || (top == best && i < 2 * RULES)) continue;
		best = top;
		memcpy(p.best, p.order, sizeof *p.order * (size_t)n);
	}
	if (!st) memcpy(p.order, p.best, sizeof *p.order * (size_t)n);
	if (!st) *arena = n ? place_all(&p) : 0;
	cop__arena_free(&mem);
	return st;
}

/* ---- two memories ---- */

/* Into the fast one goes, in the order given, each piece that finds room there for its whole life; their heat. */
static double fill_fast(packer *p, size_t limit)
{
	double heat = 0;

	cop__shelf_clear(&p->placed);
	for (int32_t k = 0; k < p->n; k++) {
		cop_span *s = &p->span[p->order[k]];
		s->off = cop__shelf_lowest(&p->placed, p->order[k], p->upper[p->order[k]]);
		s->fast = s->bytes && s->off + s->bytes <= limit;
		if (!s->fast) continue;
		cop__shelf_put(&p->placed, p->order[k]);
		heat += s->heat;
	}
	return heat;
}

/* Of natural orders, hottest for its size among them, the one that brings most heat; then pieces are moved forward at random. */
static void choose_fast(packer *p, size_t limit)
{
	enum { ORDERS = 2 * (HEAT + 1) };
	size_t bytes = sizeof *p->order * (size_t)p->n;
	double most = -1;

	for (uint32_t i = 0; again(p, (int)i, ORDERS); i++) {
		if (i < ORDERS) {
			sort(p, (int)i / 2);
			if (i % 2) upper_first(p);
		} else {
			memcpy(p->order, p->best, bytes);
			bring_forward(p, (int32_t)(cop__rand(1, 3, 2 * i) % (uint32_t)p->n), cop__rand(1, 3, 2 * i + 1));
		}
		double heat = fill_fast(p, limit);
		if (heat < most || (heat == most && i < ORDERS)) continue;
		most = heat;
		memcpy(p->best, p->order, bytes);
	}
	memcpy(p->order, p->best, bytes);
	fill_fast(p, limit);
}

static size_t top_of_fast(const cop_span *s, int32_t n)
{
	size_t top = 0;

	for (int32_t i = 0; i < n; i++)
		if (s[i].fast) top = COP_MAX(top, s[i].off + s[i].bytes);
	return top;
}

/* A result in one memory cannot lie over an operand in the other. */
static void part_overlaps(cop_span *span, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		if (span[i].over && span[span[i].over - 1].fast != span[i].fast) span[i].over = 0;
}

/* Packs the pieces that are left, as if they were all; at: where each of them is among all. */
static cop_status pack_rest(size_t *arena, cop_ctx *cx, cop_span *span, int32_t n, int32_t n_step, cop_span *rest, int32_t *at)
{
	int32_t count = 0;
	size_t live;

	for (int32_t i = 0; i < n; i++)
		if (!span[i].fast) at[i] = count, rest[count++] = span[i];
	for (int32_t k = 0; k < count; k++)
		if (rest[k].over) rest[k].over = at[rest[k].over - 1] + 1;
	COP_TRY(cop__pack_spans(arena, &live, cx, rest, count, n_step));
	for (int32_t i = 0; i < n; i++)
		if (!span[i].fast) span[i].off = rest[at[i]].off;
	return COP_OK;
}

/* All of a plan that fits. */
static void move_all(size_t *arena, size_t *fast, cop_span *span, int32_t n)
{
	for (int32_t i = 0; i < n; i++) span[i].fast = true;
	*fast = *arena;
	*arena = 0;
}

cop_status cop__pack_two(size_t *arena, size_t *fast, size_t *live, cop_ctx *cx, cop_span *span, int32_t n, int32_t n_step, size_t limit)
{
	cop_arena mem;

	*fast = 0;
	COP_TRY(cop__pack_spans(arena, live, cx, span, n, n_step));
	if (!limit) return COP_OK;
	if (*arena <= limit) return move_all(arena, fast, span, n), COP_OK;
	cop__arena_init(&mem, cx);
	packer p;
	cop_span *rest = cop__arena_get(&mem, sizeof *rest * (size_t)(n + 1));
	cop_status st = rest ? make_packer(&p, &mem, span, n) : COP_NOMEM;
	if (!st) {
		choose_fast(&p, limit);
		*fast = top_of_fast(span, n);
		part_overlaps(span, n);
		st = live_peak(live, cx, span, n, n_step);
	}
	if (!st) st = pack_rest(arena, cx, span, n, n_step, rest, p.near_);
	cop__arena_free(&mem);
	return st;
}
