/* SPDX-License-Identifier: Apache-2.0
 *
 * place - see place.h.
 */
#include "plan/place.h"

cop_status cop__shelf_make(cop_shelf *s, cop_arena *mem, const cop_span *span, int32_t n)
{
	size_t runs = (size_t)n / (COP_RUN / 2) + 2; /* a run that is full is cut in halves */

	*s = (cop_shelf){.span = span, .n = n, .run = cop__arena_get(mem, sizeof *s->run * runs),
		.order = cop__arena_get(mem, 4 * runs), .of = cop__arena_get(mem, 4 * ((size_t)n + 1))};
	if (!s->run || !s->order || !s->of) return COP_NOMEM;
	cop__shelf_clear(s);
	return COP_OK;
}

void cop__shelf_clear(cop_shelf *s)
{
	s->n_run = 0;
	for (int32_t i = 0; i < s->n; i++) s->of[i] = -1;
}

static bool before(const cop_span *a, const cop_span *b) { return a->off != b->off ? a->off < b->off : a->from < b->from; }

static void take_in(cop_run *r, const cop_span *x)
{
	r->first_from = COP_MIN(r->first_from, x->from), r->last_from = COP_MAX(r->last_from, x->from);
	r->first_to = COP_MIN(r->first_to, x->to), r->last_to = COP_MAX(r->last_to, x->to);
	r->top = COP_MAX(r->top, x->off + x->bytes);
	r->known = false;
}

static void look_over(const cop_shelf *s, cop_run *r)
{
	r->first_from = r->first_to = INT32_MAX, r->last_from = r->last_to = -1;
	r->top = 0;
	for (int32_t k = 0; k < r->n; k++) take_in(r, &s->span[r->id[k]]);
}

static size_t gap_of(cop_shelf *s, cop_run *r)
{
	size_t top = SIZE_MAX;

	if (r->known) return r->gap;
	r->gap = 0, r->known = true;
	s->steps += r->n;
	for (int32_t k = 0; k < r->n; k++) {
		const cop_span *x = &s->span[r->id[k]];
		if (x->off > top) r->gap = COP_MAX(r->gap, x->off - top);
		top = k ? COP_MAX(top, x->off + x->bytes) : x->off + x->bytes;
	}
	return r->gap;
}

/* The place in the order of the last run that begins no later than x; 0 where all begin later. */
static int32_t run_for(const cop_shelf *s, const cop_span *x)
{
	int32_t lo = 0, hi = s->n_run;

	while (hi - lo > 1) {
		int32_t mid = (lo + hi) / 2;
		if (before(x, &s->span[s->run[s->order[mid]].id[0]])) hi = mid;
		else lo = mid;
	}
	return lo;
}

/* The upper half of the run at place k of the order becomes one of its own. */
static void cut_run(cop_shelf *s, int32_t k)
{
	cop_run *low = &s->run[s->order[k]], *high = &s->run[s->n_run];

	high->n = low->n - low->n / 2;
	low->n -= high->n;
	memcpy(high->id, low->id + low->n, sizeof *low->id * (size_t)high->n);
	for (int32_t j = 0; j < high->n; j++) s->of[high->id[j]] = s->n_run;
	memmove(s->order + k + 2, s->order + k + 1, sizeof *s->order * (size_t)(s->n_run - k - 1));
	s->order[k + 1] = s->n_run++;
	look_over(s, low);
	look_over(s, high);
}

void cop__shelf_put(cop_shelf *s, int32_t i)
{
	const cop_span *x = &s->span[i];

	if (!x->bytes) return;
	if (!s->n_run) {
		s->run[0].n = 0, s->order[s->n_run++] = 0;
		look_over(s, &s->run[0]);
	}
	int32_t k = run_for(s, x);
	if (s->run[s->order[k]].n == COP_RUN) {
		cut_run(s, k);
		k = run_for(s, x);
	}
	cop_run *r = &s->run[s->order[k]];
	int32_t at = r->n;
	while (at > 0 && before(x, &s->span[r->id[at - 1]])) r->id[at] = r->id[at - 1], at--;
	r->id[at] = i;
	r->n++;
	s->of[i] = s->order[k];
	take_in(r, x);
}

/* ---- finding room ---- */

static bool meet(const cop_span *a, const cop_span *b) { return a->from <= b->to && b->from <= a->to; }

/* Raises *at above the pieces of the run that are in the way; false: there is room below the next one. */
static bool climb(cop_shelf *s, const cop_run *r, const cop_span *x, size_t *at, int32_t skip, int32_t skip2)
{
	for (int32_t k = 0; k < r->n; k++) {
		const cop_span *o = &s->span[r->id[k]];
		s->steps++;
		if (o->off >= *at + x->bytes) return false;
		if (r->id[k] != skip && r->id[k] != skip2 && meet(x, o)) *at = COP_MAX(*at, o->off + o->bytes);
	}
	return true;
}

/* From `at` on the lowest offset that is free of all but the two pieces to skip. */
static size_t free_of_plain(cop_shelf *s, const cop_span *x, size_t at, int32_t skip, int32_t skip2)
{
	int32_t apart = skip >= 0 ? s->of[skip] : -1, apart2 = skip2 >= 0 ? s->of[skip2] : -1;

	for (int32_t k = 0; k < s->n_run; k++) {
		cop_run *r = &s->run[s->order[k]];
		s->steps++;
		if (s->span[r->id[0]].off >= at + x->bytes) break;
		if (r->top <= at || x->to < r->first_from || x->from > r->last_to) continue;
		bool whole = s->order[k] != apart && s->order[k] != apart2 && x->from <= r->first_to && x->to >= r->last_from;
		if (whole && gap_of(s, r) < x->bytes) at = COP_MAX(at, r->top);
		else if (!climb(s, r, x, &at, skip, skip2)) break;
	}
	return at;
}

/* Above o, of which `under` bytes may not be covered, when x, `over` bytes of which may not be, would touch it at `at`. */
static size_t above(const cop_span *o, size_t at, size_t over, size_t under)
{
	return o->off >= at + over || o->off + under <= at ? at : o->off + under;
}

size_t cop__shelf_lowest(cop_shelf *s, int32_t i, int32_t upper)
{
	const cop_span *x = &s->span[i];
	int32_t lower = x->over - 1;
	size_t at = 0, was;

	if (!x->bytes) return 0;
	bool on = lower >= 0 && s->of[lower] >= 0 && meet(x, &s->span[lower]), under = upper >= 0 && s->of[upper] >= 0 && meet(x, &s->span[upper]);
	do { /* what lies over what is no matter of order: a piece that was clear may be in the way of a higher place */
		was = at;
		at = free_of_plain(s, x, at, on ? lower : -1, under ? upper : -1);
		if (on) at = above(&s->span[lower], at, COP_MIN(x->ahead, x->bytes), s->span[lower].bytes);
		if (under) at = above(&s->span[upper], at, x->bytes, COP_MIN(s->span[upper].ahead, s->span[upper].bytes));
	} while (at != was);
	return at;
}
