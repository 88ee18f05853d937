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

static double weight(const cop_span *s, int rule)
{
	double life = s->to - s->from + 1;
	switch (rule) {
	case 0: return (double)s->bytes;
	case 1: return (double)s->bytes * life;
	case 2: return life;
	case 3: return -(double)s->from;
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

size_t cop__live_bytes(const cop_span *s, int32_t n, int32_t t)
{
	size_t live = 0;

	for (int32_t i = 0; i < n; i++) {
		const cop_span *x = s[i].over ? &s[s[i].over - 1] : NULL;
		if (t < s[i].from || t > s[i].to) continue;
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

	for (int32_t t = 0; t <= n_step; t++) peak = COP_MAX(peak, cop__live_bytes(s, n, t));
	return peak;
}

/* Moves a piece that reaches the top to an earlier place in the order. */
static void nudge(packer *p, size_t top, uint32_t draw)
{
	int32_t hot = 0, count = 0;

	for (int32_t k = 0; k < p->n; k++) {
		const cop_span *s = &p->span[p->order[k]];
		if (s->off + s->bytes == top && draw % (uint32_t)++count == 0) hot = k;
	}
	int32_t to = hot ? (int32_t)(draw / 7 % (uint32_t)hot) : 0, id = p->order[hot];
	for (int32_t k = hot; k > to; k--) p->order[k] = p->order[k - 1];
	p->order[to] = id;
}

cop_status cop__pack_spans(size_t *arena, size_t *live, cop_ctx *cx, cop_span *span, int32_t n, int32_t n_step)
{
	enum { RULES = 5, TRIES = 400 };
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
