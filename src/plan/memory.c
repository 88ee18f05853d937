/* SPDX-License-Identifier: Apache-2.0
 *
 * memory - offsets in the arena for pieces with known lifetimes. Pieces whose lifetimes meet may not share a byte, but for a
 * result that may lie over the operand its kernel is done with (cop_span.over).
 *
 * Placing them in some order, each at the lowest offset that is free for its whole life, gives a plan; the order
 * decides how good. A few natural orders are tried, as they are and with each piece behind those that lie over it (which
 * want to begin below it); then the pieces that stick out are moved forward in the order until the arena is the largest live set (which no plan can beat) or the tries are used up.
 */
#include "plan/plan.h"

#include <stdlib.h>

typedef struct packer { cop_span *span; int32_t *order, *best, n, *near_, *upper; } packer;

static bool meet(const cop_span *a, const cop_span *b) { return a->from <= b->to && b->from <= a->to; }

/* Bytes from the start of a that b may not begin in, when b lies above it. */
static size_t height(const packer *p, int32_t a, int32_t b)
{
	return p->span[a].over == b + 1 ? COP_MIN(p->span[a].ahead, p->span[a].bytes) : p->span[a].bytes;
}

/* Lowest offset for span i among those already placed (order[0..placed)). near_ is scratch, kept sorted by offset. */
static size_t lowest(const packer *p, int32_t i, int32_t placed)
{
	const cop_span *s = &p->span[i];
	int32_t n = 0;
	size_t at = 0;

	for (int32_t k = 0; k < placed; k++) {
		const cop_span *o = &p->span[p->order[k]];
		if (!o->bytes || !meet(s, o)) continue;
		int32_t j = n++;
		while (j > 0 && p->span[p->near_[j - 1]].off > o->off) p->near_[j] = p->near_[j - 1], j--;
		p->near_[j] = p->order[k];
	}
	for (int32_t k = 0; k < n; k++) {
		const cop_span *o = &p->span[p->near_[k]];
		size_t next = o->off + height(p, p->near_[k], i);
		if (o->off >= at + height(p, i, p->near_[k]) || next <= at) continue;
		at = next;
		k = -1; /* one that was clear above may now be in the way: heights differ by who lies below */
	}
	return at;
}

static size_t place_all(packer *p)
{
	size_t top = 0;

	for (int32_t k = 0; k < p->n; k++) {
		cop_span *s = &p->span[p->order[k]];
		s->off = lowest(p, p->order[k], k);
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

/* Stable insertion sort, heaviest first: orders are a few hundred long. */
static void sort(packer *p, int rule)
{
	for (int32_t i = 0; i < p->n; i++) {
		int32_t j = i;
		double w = weight(&p->span[i], rule);
		while (j > 0 && weight(&p->span[p->order[j - 1]], rule) < w) p->order[j] = p->order[j - 1], j--;
		p->order[j] = i;
	}
}

size_t cop__live_bytes(const cop_span *s, int32_t n, int32_t t, bool fast_only)
{
	size_t live = 0;

	for (int32_t i = 0; i < n; i++) {
		const cop_span *x = s[i].over ? &s[s[i].over - 1] : NULL;
		if (t < s[i].from || t > s[i].to || (fast_only && !s[i].fast)) continue;
		live += s[i].bytes;
		if (x && s[i].from == t) live -= x->bytes + s[i].bytes - COP_MAX(x->bytes + COP_MIN(s[i].ahead, s[i].bytes), s[i].bytes);
	}
	return live;
}

/* Puts what lies over a piece before it in the order. order and best are of size n; near_ is scratch. */
static void upper_first(packer *p)
{
	int32_t n = 0;

	memcpy(p->near_, p->order, sizeof *p->order * (size_t)p->n);
	for (int32_t k = 0; k < p->n; k++) p->upper[k] = -1;
	for (int32_t k = 0; k < p->n; k++)
		if (p->span[k].over) p->upper[p->span[k].over - 1] = k;
	for (int32_t k = 0; k < p->n; k++) { /* a chain of pieces, the last one first */
		int32_t from = n;
		for (int32_t i = p->near_[k]; i >= 0 && p->upper[i] != -2;) {
			int32_t next = p->upper[i];
			p->order[n++] = i;
			p->upper[i] = -2;
			i = next;
		}
		for (int32_t i = from, j = n - 1; i < j; i++, j--) {
			int32_t t = p->order[i];
			p->order[i] = p->order[j];
			p->order[j] = t;
		}
	}
}

static size_t live_peak(const cop_span *s, int32_t n, int32_t n_step)
{
	size_t peak = 0;

	for (int32_t t = 0; t <= n_step; t++) peak = COP_MAX(peak, cop__live_bytes(s, n, t, false));
	return peak;
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

cop_status cop__pack_spans(size_t *arena, size_t *live, cop_ctx *cx, cop_span *span, int32_t n, int32_t n_step)
{
	enum { TRIES = 400 };
	cop_arena mem;

	cop__arena_init(&mem, cx);
	size_t bytes = sizeof(int32_t) * (size_t)(n + 1);
	packer p = {span, cop__arena_get(&mem, bytes), cop__arena_get(&mem, bytes), n, cop__arena_get(&mem, bytes), cop__arena_get(&mem, bytes)};
	if (!p.order || !p.best || !p.near_ || !p.upper) return cop__arena_free(&mem), COP_NOMEM;
	*live = live_peak(span, n, n_step);
	size_t best = SIZE_MAX;
	for (int i = 0; i < 2 * RULES + TRIES && best > *live; i++) {
		if (i < 2 * RULES) {
			sort(&p, i / 2);
		} else {
			memcpy(p.order, p.best, bytes);
			place_all(&p);
			for (int k = 0; k <= i % 3; k++) nudge(&p, best, cop__rand(1, 2, (uint64_t)(i * 4 + k)));
		}
		if (i % 2) upper_first(&p);
		size_t top = place_all(&p);
		if (top > best || (top == best && i < 2 * RULES)) continue;
		best = top;
		memcpy(p.best, p.order, bytes);
	}
	memcpy(p.order, p.best, bytes);
	*arena = n ? place_all(&p) : 0;
	cop__arena_free(&mem);
	return COP_OK;
}

/* ---- two memories ---- */

/* Into the fast one goes, in the order given, each piece that finds room there for its whole life; their heat. The order is left in `upper`. */
static double fill_fast(packer *p, size_t limit)
{
	int32_t placed = 0;
	double heat = 0;

	memcpy(p->upper, p->order, sizeof *p->order * (size_t)p->n);
	for (int32_t k = 0; k < p->n; k++) {
		cop_span *s = &p->span[p->upper[k]];
		s->off = lowest(p, p->upper[k], placed);
		s->fast = s->bytes && s->off + s->bytes <= limit;
		if (!s->fast) continue;
		p->order[placed++] = p->upper[k];
		heat += s->heat;
	}
	return heat;
}

/* Of natural orders, hottest for its size among them, the one that brings most heat; then pieces are moved forward at random. */
static void choose_fast(packer *p, size_t limit)
{
	enum { ORDERS = 2 * (HEAT + 1), TRIES = 400 };
	size_t bytes = sizeof *p->order * (size_t)p->n;
	double most = -1;

	for (uint32_t i = 0; i < ORDERS + TRIES; i++) {
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
		memcpy(p->best, p->upper, bytes);
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
	size_t bytes = sizeof(int32_t) * (size_t)(n + 1);
	packer p = {span, cop__arena_get(&mem, bytes), cop__arena_get(&mem, bytes), n, cop__arena_get(&mem, bytes), cop__arena_get(&mem, bytes)};
	cop_span *rest = cop__arena_get(&mem, sizeof *rest * (size_t)(n + 1));
	cop_status st = p.order && p.best && p.near_ && p.upper && rest ? COP_OK : COP_NOMEM;
	if (!st) {
		choose_fast(&p, limit);
		*fast = top_of_fast(span, n);
		part_overlaps(span, n);
		*live = live_peak(span, n, n_step);
		st = pack_rest(arena, cx, span, n, n_step, rest, p.upper);
	}
	cop__arena_free(&mem);
	return st;
}
