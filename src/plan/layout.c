/* SPDX-License-Identifier: Apache-2.0
 *
 * layout - which pieces of the arena an entry needs, from which step to which: values, scratch, weights that are rearranged or decoded
 * before their step. memory.c finds their offsets.
 */
#include "kernel/runs.h"
#include "plan/plan.h"

enum { PART_CHANNELS = 16 }; /* of a layer that is computed in parts: to read its input again takes about as long as four channels */
static const double OFTEN = 1.5;

static size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* Values whose bytes lie in the arena have a span; `slot` maps them (through views and in-place reuse) to it. */
typedef struct layout { int32_t *slot, *last; cop_span *span; int32_t n; bool *output; /* [base] memory of an output */ } layout;

static bool is_temp(const cop_graph *g, cop_vid v) { return v && cop__base(g, v) == v && g->value[v].role == COP_TEMP; }

/* May output 0 of the step's node lie on its input 0, which ends here? */
static bool inplace(const cop_graph *g, const layout *l, int32_t at, cop_nid n)
{
	const cop_node *d = &g->node[n];
	cop_vid in = d->in[0] ? cop__base(g, d->in[0]) : 0, out = d->out[0];

	if (!(cop__op(g, n)->flags & COP_OP_INPLACE) || !is_temp(g, out) || !is_temp(g, in) || l->output[in]) return false;
	if (cop_type_bytes(cop__t(g, in)) != cop_type_bytes(cop__t(g, out)) || l->last[in] != at) return false;
	for (int i = 1; i < d->n_in; i++)
		if (d->in[i] && cop__base(g, d->in[i]) == in) return false;
	return true;
}

/* May output 0 lie over input 0, which ends here? Several parts at once keep no order. */
static bool overlaps(const cop_plan *p, const cop_graph *g, const layout *l, int32_t at, const cop_step *s)
{
	const cop_node *d = &g->node[s->node];
	cop_vid in = d->in[0] ? cop__base(g, d->in[0]) : 0;

	if (!s->kernel->ahead || (s->split && p->target.threads > 1) || !in || !l->slot[in] || !is_temp(g, d->out[0])) return false;
	if (l->last[in] != at || l->span[l->slot[in]].to != at || l->output[in]) return false;
	for (int i = 1; i < d->n_in; i++)
		if (d->in[i] && cop__base(g, d->in[i]) == in) return false;
	return true;
}

static int32_t new_span(layout *l, size_t bytes, size_t align, int32_t from, int32_t to)
{
	l->span[++l->n] = (cop_span){.bytes = up(bytes, align), .from = from, .to = to};
	return l->n;
}

static void find_last_uses(const cop_entry *e, layout *l)
{
	const cop_graph *g = e->g;

	for (int32_t s = 0; s < e->n_step; s++) {
		const cop_node *d = &g->node[e->step[s].node];
		for (int i = 0; i < COP_MAX_OUT; i++)
			if (d->out[i]) l->last[cop__base(g, d->out[i])] = s;
		for (int i = 0; i < d->n_in; i++)
			if (d->in[i]) l->last[cop__base(g, d->in[i])] = s;
		if (d->guard) l->last[cop__base(g, d->guard)] = s;
	}
	for (int32_t i = 0; i < g->n_output; i++) l->last[cop__base(g, g->output[i])] = e->n_step, l->output[cop__base(g, g->output[i])] = true;
}

static void make_spans(const cop_plan *p, cop_entry *e, layout *l)
{
	const cop_graph *g = e->g;
	size_t align = (size_t)p->target.align;

	for (int32_t i = 0; i < g->n_input; i++) {
		cop_vid v = g->input[i];
		l->slot[v] = new_span(l, cop_type_bytes(cop__t(g, v)), align, 0, l->last[v]);
	}
	for (int32_t s = 0; s < e->n_step; s++) {
		const cop_step *step = &e->step[s];
		const cop_node *d = &g->node[step->node];
		bool reuse = inplace(g, l, s, step->node);
		for (int i = 0; i < COP_MAX_OUT; i++) {
			cop_vid v = d->out[i];
			if (!is_temp(g, v)) continue;
			if (!i && reuse) {
				l->slot[v] = l->slot[cop__base(g, d->in[0])];
				l->span[l->slot[v]].to = COP_MAX(s, l->last[v]);
				continue;
			}
			l->slot[v] = new_span(l, cop_type_bytes(cop__t(g, v)), align, s, COP_MAX(s, l->last[v]));
			if (!i && overlaps(p, g, l, s, step)) {
				l->span[l->slot[v]].over = l->slot[cop__base(g, d->in[0])];
				l->span[l->slot[v]].ahead = up(step->kernel->ahead(step->word), align);
			}
		}
	}
}

static double macs_of(const cop_entry *e, int32_t s)
{
	const cop_op *op = cop__op(e->g, e->step[s].node);
	cop_cost cost = {0};

	if (op->cost) op->cost(e->g, e->step[s].node, &cost);
	return (double)cost.mac;
}

/* The result of node n, if it lies over its input; else NULL. */
static cop_span *over_input(const cop_graph *g, const layout *l, cop_nid n)
{
	cop_vid y = g->node[n].out[0];
	cop_span *s = is_temp(g, y) ? &l->span[l->slot[y]] : NULL;

	return s && s->over ? s : NULL;
}

/* Bytes that the two take more if they lie apart. */
static size_t apart_bytes(const layout *l, const cop_span *s)
{
	const cop_span *x = s ? &l->span[s->over] : NULL;
	return x ? x->bytes + s->bytes - COP_MAX(x->bytes + COP_MIN(s->ahead, s->bytes), s->bytes) : 0;
}

/* How often a weight is multiplied, on the average. */
static double mean_use(const cop_entry *e)
{
	double macs = 0, weights = 0;

	for (int32_t s = 0; s < e->n_step; s++) {
		cop_vid w = e->step[s].weight ? cop__arg(e->g, e->step[s].node, 1) : 0;
		if (!w) continue;
		macs += macs_of(e, s);
		weights += (double)cop_type_count(cop__t(e->g, w));
	}
	return weights > 0 ? macs / weights : 0;
}

/* Weights of 4 bits that are used more often than most are a larger part of the network's time than of its flash. */
static bool roomy(const cop_entry *e, int32_t s, double use)
{
	return e->step[s].kernel->roomy && macs_of(e, s) > OFTEN * use * (double)cop_type_count(cop__in(e->g, e->step[s].node, 1));
}

/* Rows are decoded in as few parts as take no more RAM than `most`; else in as many as there may be, and then that is what others may take. Each part of a convolution reads its input
 * again. */
static void stream_step(const cop_plan *p, const cop_entry *e, layout *l, int32_t s, size_t live, size_t *most, int32_t *pack)
{
	cop_step *st = &e->step[s];
	cop_span *over = over_input(e->g, l, st->node);
	const bool one_pixel = st->word[CK_KH] * st->word[CK_KW] * st->word[CK_OH] * st->word[CK_OW] == 1;
	const int32_t channels = one_pixel ? 1 : PART_CHANNELS;
	int32_t parts = 1;
	size_t apart = 0;

	while (live + cop__streamed_bytes(st, parts) + apart > *most && (parts + 1) * channels <= st->word[CK_O]) parts++, apart = apart_bytes(l, over);
	cop__plan_stream(st, parts);
	if (over && parts > 1) over->over = 0;
	pack[s] = new_span(l, cop__decoded_bytes(st), (size_t)p->target.align, s, s);
	*most = COP_MAX(*most, live + apart + l->span[pack[s]].bytes);
}

/* Where a device decodes rows, no more RAM is in use than at the fullest step, if that can be. */
static cop_status stream_rows(cop_plan *p, cop_entry *e, layout *l, int32_t *pack)
{
	size_t most = 0, *live = cop__alloc(p->cx, sizeof *live * (size_t)(e->n_step + 1));
	cop_status st = live ? cop__live_bytes(live, p->cx, l->span + 1, l->n, e->n_step, false) : COP_NOMEM;

	for (int32_t s = 0; !st && s < e->n_step; s++) most = COP_MAX(most, live[s]);
	for (int32_t s = 0; !st && s < e->n_step; s++)
		if (e->step[s].row) stream_step(p, e, l, s, live[s], &most, pack);
	cop__free(p->cx, live);
	return st;
}

/* Scratch and rearranged weights live for one step, or for ever when the weight never changes. */
static cop_status make_scratch(cop_plan *p, cop_entry *e, layout *l, int32_t *work, int32_t *pack)
{
	size_t align = (size_t)p->target.align;
	const double use = mean_use(e);

	for (int32_t s = 0; s < e->n_step; s++) {
		cop_step *st = &e->step[s];
		if (roomy(e, s, use)) st->word[COP_ROOMY] = 1;
		size_t parts = st->split ? (size_t)p->target.threads : 1;
		COP_TRY(cop__plan_code(p, e, st));
		if (st->code && !cop_coded_runs(st->code)) st->work_bytes = COP_MAX(st->work_bytes, up(cop_coded_work(st->code), align));
		if (st->work_bytes) work[s] = new_span(l, st->work_bytes * parts, align, s, s);
		st->pack_once = st->kernel->pack && !st->code && st->buf[cop__packed_buf(e, st)].seg == COP_SEG_FIXED;
		if (st->code && !st->row) pack[s] = new_span(l, cop__decoded_bytes(st), align, s, s);
		else if (st->kernel->pack && !st->pack_once && !st->code) pack[s] = new_span(l, st->kernel->pack_bytes(st->word), align, s, s);
	}
	COP_TRY(stream_rows(p, e, l, pack));
	for (int32_t s = 0; s < e->n_step; s++) {
		cop_step *st = &e->step[s];
		if (!st->pack_once) continue;
		st->pack = (cop_place){COP_SEG_PACK, p->bytes[COP_SEG_PACK], NULL};
		p->bytes[COP_SEG_PACK] += up(st->kernel->pack_bytes(st->word), align);
	}
	return COP_OK;
}

static cop_place leaf_place(const cop_plan *p, const cop_graph *g, cop_vid base)
{
	const cop_value *x = &g->value[base];
	return x->role >= COP_CONST ? cop__plan_var(p, x->name)->place : (cop_place){0};
}

/* Bytes that are touched in one run. A multiply-accumulate reads an element of each operand; where a kernel has scratch, of that, into
 * which the first operand is copied, and likewise of a weight that is repacked. A result is written once. */
static void add_heat(const cop_entry *e, layout *l, const int32_t *work, const int32_t *pack)
{
	const cop_graph *g = e->g;

	for (int32_t s = 0; s < e->n_step; s++) {
		const cop_step *st = &e->step[s];
		const cop_node *d = &g->node[st->node];
		const double mac = macs_of(e, s);
		for (int i = 0; i < d->n_in; i++) {
			if (!d->in[i]) continue;
			const cop_type *t = cop__t(g, d->in[i]);
			int bits = t->dtype == COP_BIT ? 32 : cop__dtype_bits(t->dtype); /* of bits 32 at a time */
			double each = t->dtype == COP_BIT ? mac : COP_MAX(mac, (double)cop_type_count(t));
			each *= bits / 8.0;
			int32_t copy = i == 0 && work[s] ? work[s] : pack[s] && i == st->kernel->pack_in ? pack[s] : 0, own = l->slot[cop__base(g, d->in[i])];
			l->span[own].heat += copy ? (double)cop_type_bytes(t) : each; /* span 0, of what is not in the arena, is none */
			l->span[copy].heat += each;
		}
		for (int i = 0; i < COP_MAX_OUT; i++)
			if (d->out[i]) l->span[l->slot[cop__base(g, d->out[i])]].heat += (double)cop_type_bytes(cop__t(g, d->out[i]));
	}
}

static cop_place in_arena(const cop_span *s) { return (cop_place){s->fast ? COP_SEG_FAST : COP_SEG_ARENA, s->off, NULL}; }

static void fill_places(const cop_plan *p, cop_entry *e, const layout *l)
{
	const cop_graph *g = e->g;

	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_vid b = cop__base(g, (cop_vid)v);
		if (l->slot && l->slot[b]) e->place[v] = in_arena(&l->span[l->slot[b]]);
		else e->place[v] = leaf_place(p, g, b);
	}
	for (int32_t s = 0; s < e->n_step; s++) {
		cop_step *st = &e->step[s];
		const cop_node *d = &g->node[st->node];
		int n_out = cop__op(g, st->node)->n_out;
		for (int i = 0; i < st->n_buf; i++) st->buf[i] = e->place[i < n_out ? d->out[i] : d->in[i - n_out]];
		if (d->guard) st->guard = e->place[d->guard];
	}
}

static cop_status tell_live(cop_entry *e, cop_ctx *cx, const layout *l, bool fast)
{
	size_t *live = cop__alloc(cx, sizeof *live * (size_t)(e->n_step + 1));
	cop_status st = live ? cop__live_bytes(live, cx, l->span + 1, l->n, e->n_step, fast) : COP_NOMEM;

	for (int32_t s = 0; !st && s < e->n_step; s++) *(fast ? &e->step[s].fast : &e->step[s].live) = live[s];
	cop__free(cx, live);
	return st;
}

cop_status cop__lay_out(cop_plan *p, cop_entry *e)
{
	cop_arena mem;
	const cop_graph *g = e->g;
	size_t values = (size_t)g->n_value + 1, steps = (size_t)e->n_step + 1;

	cop__arena_init(&mem, p->cx);
	layout l = {.slot = cop__arena_get(&mem, values * 4), .last = cop__arena_get(&mem, values * 4),
		.output = cop__arena_get(&mem, values), .span = cop__arena_get(&p->mem, (values + 2 * steps) * sizeof(cop_span))};
	int32_t *work = cop__arena_get(&mem, steps * 4), *pack = cop__arena_get(&mem, steps * 4);
	cop_status st = l.slot && l.last && l.output && l.span && work && pack ? COP_OK : COP_NOMEM;
	if (!st) {
		find_last_uses(e, &l);
		make_spans(p, e, &l);
		fill_places(p, e, &(layout){.slot = NULL, .span = NULL}); /* FIXED or not decides what is packed once */
		st = make_scratch(p, e, &l, work, pack);
	}
	if (!st) {
		add_heat(e, &l, work, pack);
		st = cop__pack_two(&e->arena, &e->fast, &e->live, p->cx, l.span + 1, l.n, e->n_step, p->target.fast_ram);
	}
	if (!st) fill_places(p, e, &l);
	for (int32_t s = 0; !st && s < e->n_step; s++) {
		if (work[s]) e->step[s].work = in_arena(&l.span[work[s]]);
		if (!pack[s]) continue;
		e->step[s].pack = in_arena(&l.span[pack[s]]);
		if (!e->step[s].kernel->pack) e->step[s].buf[cop__op(g, e->step[s].node)->n_out + 1] = e->step[s].pack; /* decoded weights */
	}
	if (!st) st = tell_live(e, p->cx, &l, false);
	if (!st) st = tell_live(e, p->cx, &l, true);
	e->span = l.span + 1;
	e->n_span = l.n;
	cop__arena_free(&mem);
	return st;
}
