/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule - an order of the nodes. The rules:
 *   1. a node comes after the producers of its inputs and of its guard;
 *   2. every other reader of a value comes before the node that overwrites it. Leaving this out still
 *      "trains": only gradient checks see it;
 *   3. a node that allocates no more than it frees runs as soon as it can. Updates are such nodes, so each follows
 *      its gradient and the gradient's memory is free again (unless `late`).
 *   4. where the last few readers of a value are all ready, and together take no more than it frees, they run as well: what a backward pass keeps of a
 *      value, some channels and a bit of each number, is made when the value is no longer needed (in half of the orders that are tried).
 * Of a few orders made by these rules, the one with the smallest live peak is taken; for a small graph a search then finds
 * the lowest there is.
 */
#include "plan/plan.h"

/* The smallest number first; of those that have run since, pop knows nothing. */
typedef struct cop_heap { int32_t *at, n; } cop_heap;

static void push(cop_heap *h, int32_t x)
{
	int32_t k = h->n++;

	for (; k && h->at[(k - 1) / 2] > x; k = (k - 1) / 2) h->at[k] = h->at[(k - 1) / 2];
	h->at[k] = x;
}

static int32_t pop(cop_heap *h)
{
	int32_t least = h->at[0], x = h->at[--h->n], k = 0;

	for (int32_t c; (c = 2 * k + 1) < h->n; k = c) {
		c += c + 1 < h->n && h->at[c + 1] < h->at[c];
		if (h->at[c] >= x) break;
		h->at[k] = h->at[c];
	}
	h->at[k] = x;
	return least;
}

typedef struct state {
	const cop_graph *g;
	int32_t *waits;      /* [n_node+1] predecessors not yet scheduled */
	int32_t *uses;       /* [n_value+1] readers of the base value not yet scheduled, outputs counting one */
	bool *done;
	int32_t *edge, *edge_at; /* successors of n: edge[edge_at[n] .. edge_at[n+1]) */
	cop_vid *base;       /* [n_value+1] */
	int32_t *reader, *reader_at; /* nodes that read base value b: reader[reader_at[b] .. reader_at[b+1]) */
	int32_t *left;       /* [n_value+1] how many of them have not run */
	bool together;       /* rule 4 */
	cop_heap ready, free_; /* nodes that wait for nothing; those of them that grow by nothing */
	bool *queued, *freed;/* [n_node+1] was put in ready, in free_ */
} state;

cop_vid cop__base(const cop_graph *g, cop_vid v)
{
	for (;;) {
		const cop_value *x = &g->value[v];
		if (x->alias) v = x->alias;
		else if (x->producer && (cop__op(g, x->producer)->flags & COP_OP_VIEW) && g->node[x->producer].out[0] == v) v = g->node[x->producer].in[0];
		else return v;
	}
}

/* The value that v is when only views are followed: an alias is new contents, a view is not. */
static void find_viewed(cop_vid *viewed, cop_vid *base, const cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		bool view = x->producer && !x->alias && (cop__op(g, x->producer)->flags & COP_OP_VIEW);
		cop_vid in = view ? g->node[x->producer].in[0] : 0;
		viewed[v] = view ? viewed[in] : (cop_vid)v; /* a view comes after what it shows */
		base[v] = view ? base[in] : cop__base(g, (cop_vid)v);
	}
}

typedef void put_edge(void *ud, cop_nid from, cop_nid to);

/* Calls put for each node that reads a value that is overwritten: it comes before the writer. writer[viewed value]: who overwrites it. */
static void each_reader(const cop_graph *g, const cop_vid *viewed, const cop_nid *writer, put_edge *put, void *ud)
{
	for (int32_t n = 1; n <= g->n_node; n++) {
		const cop_node *d = &g->node[n];
		cop_nid seen[COP_MAX_IN + 1];
		int n_seen = 0;
		for (int i = 0; i <= d->n_in; i++) {
			cop_vid v = i < d->n_in ? d->in[i] : d->guard;
			cop_nid w = v ? writer[viewed[v]] : 0;
			bool twice = !w || w == (cop_nid)n;
			for (int k = 0; k < n_seen; k++) twice |= seen[k] == w;
			if (twice) continue;
			seen[n_seen++] = w;
			put(ud, (cop_nid)n, w);
		}
	}
}

static void each_edge(const cop_graph *g, const cop_vid *viewed, const cop_nid *writer, put_edge *put, void *ud)
{
	for (int32_t n = 1; n <= g->n_node; n++) {
		const cop_node *d = &g->node[n];
		for (int i = 0; i < d->n_in; i++)
			if (d->in[i] && g->value[d->in[i]].producer) put(ud, g->value[d->in[i]].producer, (cop_nid)n);
		if (d->guard && g->value[d->guard].producer) put(ud, g->value[d->guard].producer, (cop_nid)n);
	}
	each_reader(g, viewed, writer, put, ud);
}

static void count_edge(void *ud, cop_nid from, cop_nid to)
{
	state *s = ud;
	s->edge_at[from + 1]++;
	s->waits[to]++;
}

static void store_edge(void *ud, cop_nid from, cop_nid to)
{
	state *s = ud;
	s->edge[s->edge_at[from]++] = (int32_t)to;
}

static bool in_arena(const cop_graph *g, cop_vid v) { return v && (g->value[v].role == COP_TEMP || g->value[v].role == COP_INPUT); }

static cop_status room(state *s, cop_arena *mem, const cop_graph *g)
{
	size_t nodes = (size_t)g->n_node + 3, values = (size_t)g->n_value + 1;

	*s = (state){.g = g, .waits = cop__arena_get(mem, nodes * 4), .uses = cop__arena_get(mem, values * 4), .done = cop__arena_get(mem, nodes),
		.edge_at = cop__arena_get(mem, nodes * 4), .base = cop__arena_get(mem, values * 4),
		.left = cop__arena_get(mem, values * 4),
		.ready = {cop__arena_get(mem, nodes * 4), 0}, .free_ = {cop__arena_get(mem, nodes * 4), 0},
		.queued = cop__arena_get(mem, nodes), .freed = cop__arena_get(mem, nodes)};
	return s->waits && s->uses && s->done && s->edge_at && s->base && s->left && s->ready.at && s->free_.at &&
		s->queued && s->freed ? COP_OK : COP_NOMEM;
}

/* Is the i-th input the first that lies in its memory? */
static bool first_of(const state *s, const cop_node *d, int i)
{
	for (int j = 0; j < i; j++)
		if (s->base[d->in[j]] == s->base[d->in[i]]) return false;
	return true;
}

/* Each node once for each base value that it reads. */
static cop_status list_readers(state *s, cop_arena *mem)
{
	const cop_graph *g = s->g;
	int32_t all = 0, at = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) all += g->node[n].n_in;
	s->reader_at = cop__arena_get(mem, ((size_t)g->n_value + 2) * 4);
	s->reader = cop__arena_get(mem, ((size_t)all + 1) * 4);
	if (!s->reader_at || !s->reader) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++)
			if (first_of(s, &g->node[n], i)) s->reader_at[s->base[g->node[n].in[i]]]++;
	for (int32_t v = 0; v <= g->n_value + 1; v++) at += s->reader_at[v], s->reader_at[v] = at; /* ends, which storing moves to starts */
	for (cop_nid n = (cop_nid)g->n_node; n; n--)
		for (int i = 0; i < g->node[n].n_in; i++)
			if (first_of(s, &g->node[n], i)) s->reader[--s->reader_at[s->base[g->node[n].in[i]]]] = (int32_t)n;
	return COP_OK;
}

static cop_status init(state *s, cop_arena *mem, const cop_graph *g)
{
	size_t values = (size_t)g->n_value + 1;
	cop_vid *viewed = cop__arena_get(mem, values * 4);
	cop_nid *writer = cop__arena_get(mem, values * 4);

	COP_TRY(room(s, mem, g));
	if (!viewed || !writer) return COP_NOMEM;
	find_viewed(viewed, s->base, g);
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].alias) writer[viewed[g->value[v].alias]] = g->value[v].producer;
	each_edge(g, viewed, writer, count_edge, s);
	for (int32_t n = 1; n <= g->n_node + 1; n++) s->edge_at[n] += s->edge_at[n - 1];
	s->edge = cop__arena_get(mem, (size_t)s->edge_at[g->n_node + 1] * 4 + 4);
	if (!s->edge) return COP_NOMEM;
	each_edge(g, viewed, writer, store_edge, s);
	for (int32_t n = g->n_node + 1; n > 0; n--) s->edge_at[n] = s->edge_at[n - 1]; /* storing moved each start to its end */
	return list_readers(s, mem);
}

static void reset(state *s)
{
	const cop_graph *g = s->g;

	memset(s->done, 0, (size_t)g->n_node + 1);
	memset(s->waits, 0, ((size_t)g->n_node + 1) * 4);
	memset(s->uses, 0, ((size_t)g->n_value + 1) * 4);
	for (int32_t n = 1; n <= g->n_node; n++) {
		for (int32_t e = s->edge_at[n]; e < s->edge_at[n + 1]; e++) s->waits[s->edge[e]]++;
		for (int i = 0; i < g->node[n].n_in; i++) s->uses[s->base[g->node[n].in[i]]]++;
	}
	for (int32_t i = 0; i < g->n_output; i++) s->uses[s->base[g->output[i]]]++;
}

/* Bytes that running n now adds to the arena (negative: frees). */
static int64_t growth(const state *s, cop_nid n)
{
	const cop_graph *g = s->g;
	const cop_node *d = &g->node[n];
	int64_t bytes = 0;

	for (int i = 0; i < COP_MAX_OUT; i++)
		if (d->out[i] && s->base[d->out[i]] == d->out[i] && s->uses[d->out[i]]) bytes += (int64_t)cop_type_bytes(cop__t(g, d->out[i]));
	for (int i = 0; i < d->n_in; i++) {
		cop_vid b = s->base[d->in[i]];
		int same = 0;
		bool first = true;
		for (int j = 0; j < d->n_in; j++) {
			if (s->base[d->in[j]] != b) continue;
			same++;
			first &= j >= i;
		}
		if (first && in_arena(g, b) && s->uses[b] == same) bytes -= (int64_t)cop_type_bytes(cop__t(g, b));
	}
	return bytes;
}

static void run(state *s, cop_nid n)
{
	s->done[n] = true;
	for (int i = 0; i < s->g->node[n].n_in; i++) s->uses[s->base[s->g->node[n].in[i]]]--;
	for (int32_t e = s->edge_at[n]; e < s->edge_at[n + 1]; e++) s->waits[s->edge[e]]--;
}

/* A node that waits for nothing and frees as much as it takes. What a node frees only grows until it runs. */
static void consider(state *s, cop_nid n)
{
	if (s->done[n] || s->waits[n] || s->freed[n] || growth(s, n) > 0) return;
	s->freed[n] = true;
	push(&s->free_, (int32_t)n);
}

/* The readers of b that are left, when they are few: bytes by which they grow together, or 1 if one of them still waits. */
static int64_t growth_together(const state *s, cop_vid b)
{
	int64_t bytes = in_arena(s->g, b) ? -(int64_t)cop_type_bytes(cop__t(s->g, b)) : 0;

	for (int32_t i = s->reader_at[b]; i < s->reader_at[b + 1]; i++) {
		const cop_nid n = (cop_nid)s->reader[i];
		if (s->done[n]) continue;
		if (s->waits[n]) return 1;
		bytes += growth(s, n);
	}
	return bytes;
}

enum { MOST_TOGETHER = 4 };
static void consider_all(state *s, cop_vid b)
{
	if (!s->together || s->left[b] < 2 || s->left[b] > MOST_TOGETHER || growth_together(s, b) > 0) return;
	for (int32_t i = s->reader_at[b]; i < s->reader_at[b + 1]; i++) {
		const cop_nid n = (cop_nid)s->reader[i];
		if (s->done[n] || s->freed[n]) continue;
		s->freed[n] = true;
		push(&s->free_, (int32_t)n);
	}
}

static void may_run(state *s, cop_nid n)
{
	if (s->waits[n] || s->queued[n]) return;
	s->queued[n] = true;
	push(&s->ready, (int32_t)n);
	consider(s, n);
	for (int i = 0; i < s->g->node[n].n_in; i++)
		if (s->base[s->g->node[n].in[i]]) consider_all(s, s->base[s->g->node[n].in[i]]);
}

static void begin(state *s)
{
	const cop_graph *g = s->g;

	reset(s);
	s->ready.n = s->free_.n = 0;
	memset(s->queued, 0, (size_t)g->n_node + 1);
	memset(s->freed, 0, (size_t)g->n_node + 1);
	for (int32_t v = 0; v <= g->n_value; v++) s->left[v] = s->reader_at[v + 1] - s->reader_at[v];
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		may_run(s, n);
}

/* The one that has not run. */
static cop_nid last_reader(const state *s, cop_vid b)
{
	int32_t i = s->reader_at[b];

	while (s->done[s->reader[i]]) i++;
	return (cop_nid)s->reader[i];
}

/* Runs n and finds out who may run now, and who frees now: the last reader of a value. */
static void advance(state *s, cop_nid n)
{
	const cop_node *d = &s->g->node[n];

	run(s, n);
	for (int i = 0; i < d->n_in; i++) {
		cop_vid b = s->base[d->in[i]];
		if (!b || !first_of(s, d, i)) continue;
		if (--s->left[b] == 1) consider(s, last_reader(s, b));
		else consider_all(s, b);
	}
	for (int32_t e = s->edge_at[n]; e < s->edge_at[n + 1]; e++) may_run(s, (cop_nid)s->edge[e]);
}

/* The next node: one that frees, if eager; else the first ready one, or of the first `window` the one that grows least. */
static cop_nid pick(state *s, bool eager, int window)
{
	int32_t seen[4], n_seen = 0;
	cop_nid best = 0;
	int64_t least = 0;

	while (eager && s->free_.n) {
		cop_nid n = (cop_nid)pop(&s->free_);
		if (!s->done[n]) return n;
	}
	while (s->ready.n && n_seen < COP_MIN(window, LEN(seen))) {
		cop_nid n = (cop_nid)pop(&s->ready);
		if (s->done[n]) continue;
		int64_t more = window > 1 ? growth(s, n) : 0;
		if (!best || more < least) best = n, least = more;
		seen[n_seen++] = (int32_t)n;
	}
	for (int k = 0; k < n_seen; k++)
		if (seen[k] != (int32_t)best) push(&s->ready, seen[k]);
	return best;
}

static void undo(state *s, cop_nid n)
{
	s->done[n] = false;
	for (int i = 0; i < s->g->node[n].n_in; i++) s->uses[s->base[s->g->node[n].in[i]]]++;
	for (int32_t e = s->edge_at[n]; e < s->edge_at[n + 1]; e++) s->waits[s->edge[e]]++;
}

/* Bytes of the arena while n runs, when `live` are in use before and `more` is its growth. */
static int64_t during(const state *s, cop_nid n, int64_t live, int64_t more)
{
	const cop_node *d = &s->g->node[n];
	int64_t outs = 0;

	if (cop__op(s->g, n)->flags & COP_OP_INPLACE && more <= 0) return live;
	for (int k = 0; k < COP_MAX_OUT; k++)
		if (d->out[k] && s->base[d->out[k]] == d->out[k]) outs += (int64_t)cop_type_bytes(cop__t(s->g, d->out[k]));
	return live + outs;
}

static cop_status make_order(state *s, cop_nid *order, int64_t *peak, bool eager, int window)
{
	int64_t live = 0;

	begin(s);
	*peak = 0;
	for (int32_t i = 0; i < s->g->n_node; i++) {
		cop_nid n = pick(s, eager, window), stuck = 1;
		while (!n && s->done[stuck]) stuck++;
		if (!n) return cop__fail(s->g, COP_ARG, stuck, "waits for itself: a value is overwritten before all its readers can run");
		const int64_t more = growth(s, n), now = during(s, n, live, more);
		*peak = COP_MAX(*peak, now);
		live += more;
		advance(s, n);
		order[i] = n;
	}
	return COP_OK;
}

/* ---- exact search, for graphs of at most 64 nodes: what is live depends on the set of nodes that have run alone ---- */

enum { SET_NODES = 64, SEEN = 1 << 14, MOST_SETS = 20000 };

typedef struct search {
	state *s;
	uint64_t set, seen_set[SEEN]; /* nodes that have run; sets that were reached, by hash */
	int64_t seen_peak[SEEN], best;
	cop_nid order[SET_NODES], *found;
	int32_t sets;
} search;

/* Was this set reached with as low a peak before? A full hash forgets. */
static bool seen(search *x, int64_t peak)
{
	size_t at = (size_t)(x->set * 0x9e3779b97f4a7c15u >> 50);

	if (x->seen_set[at] == x->set && x->seen_peak[at] <= peak) return true;
	x->seen_set[at] = x->set;
	x->seen_peak[at] = peak;
	return false;
}

static void explore(search *x, int32_t depth, int64_t live, int64_t peak)
{
	const cop_graph *g = x->s->g;

	if (depth == g->n_node) {
		x->best = peak;
		memcpy(x->found, x->order, sizeof *x->order * (size_t)depth);
		return;
	}
	if (++x->sets > MOST_SETS || seen(x, peak)) return;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (x->s->done[n] || x->s->waits[n]) continue;
		const int64_t more = growth(x->s, n), now = during(x->s, n, live, more), top = COP_MAX(peak, now);
		if (top >= x->best) continue;
		run(x->s, n);
		x->set |= (uint64_t)1 << (n - 1);
		x->order[depth] = n;
		explore(x, depth + 1, live + more, top);
		undo(x->s, n);
		x->set &= ~((uint64_t)1 << (n - 1));
	}
}

/* Replaces an order of this peak by one with the lowest, if the search ends in time; by a lower one at least. */
static cop_status improve(cop_nid *order, state *s, int64_t peak)
{
	if (s->g->n_node > SET_NODES) return COP_OK;
	search *x = cop__alloc(s->g->cx, sizeof *x);
	if (!x) return COP_NOMEM;
	*x = (search){.s = s, .best = peak, .found = order};
	reset(s);
	explore(x, 0, 0, 0);
	cop__free(s->g->cx, x);
	return COP_OK;
}

cop_status cop__schedule(cop_nid *order, const cop_graph *g, bool late)
{
	static const struct { int window; bool together; } way[] = {{1, false}, {2, false}, {4, false}, {1, true}, {2, true}, {4, true}};
	cop_arena mem;
	state s;
	int64_t best = 0, peak;
	size_t bytes = (size_t)(g->n_node + 1) * sizeof *order;

	cop__arena_init(&mem, g->cx);
	cop_status st = init(&s, &mem, g);
	cop_nid *trial = st ? NULL : cop__arena_get(&mem, bytes);
	if (!st && !trial) st = COP_NOMEM;
	for (int i = 0; !st && i < (late ? 1 : LEN(way)); i++) {
		s.together = way[i].together;
		st = make_order(&s, trial, &peak, !late, way[i].window);
		if (st || (i && peak >= best)) continue;
		best = peak;
		memcpy(order, trial, bytes);
	}
	if (!st && !late) st = improve(order, &s, best);
	cop__arena_free(&mem);
	return st;
}
