/* SPDX-License-Identifier: Apache-2.0
 *
 * plan - puts schedule, kernels and addresses together.
 *
 * STATE, and PARAM that some entry writes, get an address in one contiguous block each, shared by the entries by
 * name; what nobody writes is FIXED and read where the graph has it (on a device: flash). The arena is shared: one
 * entry runs at a time.
 */
#include "core/need.h"
#include "kernel/coded.h"
#include "enc/code.h"
#include "plan/plan.h"

enum { PARALLEL_WORK = 30000 }; /* multiply-accumulates or elements below which a second thread costs more than it brings */

static size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }

const cop_var *cop__plan_var(const cop_plan *p, const char *name)
{
	cop_index_at at = {0};

	for (uint32_t i; (i = cop__index_next(&p->names, &at, name));)
		if (!strcmp(p->var[i - 1].name, name)) return &p->var[i - 1];
	return NULL;
}

/* ---- variables: the union of the entries' leaves, by name ---- */

static cop_status add_var(cop_plan *p, const cop_graph *g, cop_vid v, bool written)
{
	const cop_value *x = &g->value[v];
	cop_var *old = (cop_var *)cop__plan_var(p, x->name);

	if (!old) {
		old = &p->var[p->n_var++];
		*old = (cop_var){.name = x->name, .type = x->type, .role = x->role};
		COP_TRY(cop__index_put(&p->names, p->cx, x->name, (uint32_t)p->n_var));
	} else if (!cop__same_shape(&old->type, &x->type) || old->type.dtype != x->type.dtype) {
		return cop__error(p->cx, COP_SHAPE, "'%s' has different shapes in the entries of one plan", x->name);
	} else if (old->type.enc != x->type.enc || old->type.enc_bytes != x->type.enc_bytes) {
		return cop__error(p->cx, COP_SHAPE, "'%s' is encoded in another way in another entry of the plan", x->name);
	}
	if (!old->init && x->data) old->init = x->data, old->held = cop__contents_hold(x->held);
	old->written |= written;
	return COP_OK;
}

static cop_status collect_vars(cop_plan *p)
{
	int32_t most = 0;

	for (int e = 0; e < p->n_entry; e++) most += p->entry[e].g->n_value;
	p->var = cop__arena_get(&p->mem, sizeof *p->var * (size_t)(most + 1));
	if (!p->var) return COP_NOMEM;
	for (int e = 0; e < p->n_entry; e++) {
		const cop_graph *g = p->entry[e].g;
		for (int32_t v = 1; v <= g->n_value; v++) {
			if (g->value[v].role >= COP_CONST) COP_TRY(add_var(p, g, (cop_vid)v, g->value[v].role == COP_STATE)); /* the host may write states */
			if (g->value[v].alias) COP_TRY(add_var(p, g, cop__base(g, (cop_vid)v), true));
		}
	}
	return COP_OK;
}

static cop_status place_vars(cop_plan *p)
{
	bool outline = p->entry[0].g->outline;
	size_t align = (size_t)p->target.align;

	for (int32_t i = 0; i < p->n_var; i++) {
		cop_var *v = &p->var[i];
		size_t bytes = cop_type_bytes(&v->type);
		if (v->type.enc != COP_DENSE && (v->written || !v->init)) /* zeros are no blob */
			return cop__error(p->cx, COP_ARG, "'%s' is encoded (%s): it needs contents, and nothing can write to it", v->name, cop__enc_text(v->type.enc));
		if (!v->written) {
			if (!v->init && !outline && !(v->init = cop__arena_get(&p->mem, bytes + 64))) return COP_NOMEM;
			v->place = (cop_place){COP_SEG_FIXED, 0, v->init};
			p->bytes[COP_SEG_FIXED] += up(bytes, align);
			continue;
		}
		cop_segment seg = v->role == COP_PARAM ? COP_SEG_PARAM : COP_SEG_STATE;
		v->place = (cop_place){seg, p->bytes[seg], NULL};
		p->bytes[seg] += up(bytes, align);
	}
	return COP_OK;
}

/* ---- steps ---- */

static cop_status no_kernel(const cop_plan *p, const cop_graph *g, cop_nid n)
{
	for (int i = 0; i < g->node[n].n_in; i++)
		if (cop__in(g, n, i)->enc != COP_DENSE)
			return cop__fail(g, COP_NOKERNEL, n, "no kernel on target %s reads its input %d as it is encoded (%s)",
				p->target.name, i, cop__enc_text(cop__in(g, n, i)->enc));
	return cop__fail(g, COP_NOKERNEL, n, "no kernel for its number formats on target %s", p->target.name);
}

/* The contents of input 1 that nothing changes; NULL where they are not known. */
static const void *fixed_weight(const cop_plan *p, const cop_graph *g, cop_nid n)
{
	cop_vid v = cop__arg(g, n, 1) ? cop__base(g, cop__arg(g, n, 1)) : 0;
	const cop_var *var = v && g->value[v].role >= COP_CONST ? cop__plan_var(p, g->value[v].name) : NULL;

	return var && !var->written ? g->value[v].data : NULL;
}

/* Is the layer marked (pass/code.c), and are marks looked at? */
static bool is_marked(const cop_plan *p, const cop_graph *g, cop_nid n)
{
	if (!p->target.coded || g->node[n].op != OP_qconv) return false;
	COP_ATTR(cop_qconv_attr, a, g, n);
	return a.coded;
}

static cop_status make_step(cop_plan *p, cop_entry *e, cop_nid n)
{
	cop_graph *g = e->g;
	const cop_op *op = cop__op(g, n);
	cop_step *s = &e->step[e->n_step];
	cop_cost cost = {0};
	char label[96];

	if (op->flags & COP_OP_VIEW) return COP_OK;
	int32_t *word = cop__arena_get(&p->mem, COP_MAX_WORDS * sizeof *word);
	if (!word) return COP_NOMEM;
	*s = (cop_step){.node = n, .word = word, .n_buf = op->n_out + op->max_in,
		/* absent optional inputs are there as NULL */ .n_word = op->words ? op->words(g, n, word) : 0};
	const void *weight = fixed_weight(p, g, n);
	cop_choosing c = {word, p->target.isa, is_marked(p, g, n) ? NULL : weight, 0}; /* coded weights are for dense kernels */
	if (!(s->kernel = cop__select_for(g, n, &c))) return no_kernel(p, g, n);
	s->weight = weight;
	s->sparse_time = c.sparse_time;
	if (op->cost) op->cost(g, n, &cost);
	int64_t work = COP_MAX(cost.mac, COP_MAX(cost.flop, cop_type_count(cop__outt(g, n, 0))));
	s->split = s->kernel->split && work >= PARALLEL_WORK;
	if (s->kernel->work) s->work_bytes = up(s->kernel->work(word), (size_t)p->target.align);
	cop__log(p->cx, COP_LOG_DEBUG, "%s: %s", cop__label(g, n, label), s->kernel->symbol);
	e->n_step++;
	return COP_OK;
}

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

/* Which buffer of a step its kernel reads rearranged, if it does. */
static int packed_buf(const cop_entry *e, const cop_step *st) { return cop__op(e->g, st->node)->n_out + st->kernel->pack_in; }

/* Layers with the same weights have one code. */
static cop_status keep_code(cop_plan *p, const cop_entry *e, cop_step *st, const void *code, size_t size, size_t bytes)
{
	st->code_bytes = size;
	st->image_bytes = bytes;
	for (const cop_step *s = e->step; s < st && !st->code; s++)
		if (s->code_bytes == size && !memcmp(s->code, code, size)) st->code = s->code;
	if (st->code) return COP_OK;
	void *own = cop__arena_get(&p->mem, size);
	if (!own) return COP_NOMEM;
	st->code = memcpy(own, code, size);
	return COP_OK;
}

/* The weight as the kernel reads it, or its copy rearranged. */
static cop_status code_weight(cop_plan *p, cop_entry *e, cop_step *st)
{
	const bool packs = st->kernel->pack;
	const cop_place w = st->buf[packs ? packed_buf(e, st) : cop__op(e->g, st->node)->n_out + 1];
	void *buf[COP_MAX_BUF] = {0}, *image = NULL, *code = NULL;
	cop_status st_ = COP_OK;

	if (!is_marked(p, e->g, st->node) || !st->weight || w.seg != COP_SEG_FIXED) return COP_OK;
	size_t bytes = packs ? st->kernel->pack_bytes(st->word) : cop_type_bytes(cop__in(e->g, st->node, 1)), size = 0;
	if (packs) {
		if (!(image = cop__alloc(p->cx, bytes + 64))) return COP_NOMEM;
		for (int i = 0; i < st->n_buf; i++)
			if (st->buf[i].seg == COP_SEG_FIXED) buf[i] = (void *)(uintptr_t)st->buf[i].data;
		st->kernel->pack(&(cop_call){.buf = buf, .k = st->word, .work = image, .part = 0, .parts = 1});
	}
	st_ = cop__code_image(&code, &size, p->cx, packs ? image : w.data, bytes);
	if (!st_ && size < bytes) st_ = keep_code(p, e, st, code, size, bytes); /* else it stays as it is */
	cop__free(p->cx, image);
	cop__free(p->cx, code);
	return st_;
}

/* Scratch and repacked weights live for one step, or for ever when the weight never changes. */
static cop_status make_scratch(cop_plan *p, cop_entry *e, layout *l, int32_t *work, int32_t *pack)
{
	size_t align = (size_t)p->target.align;

	for (int32_t s = 0; s < e->n_step; s++) {
		cop_step *st = &e->step[s];
		size_t parts = st->split ? (size_t)p->target.threads : 1;
		COP_TRY(code_weight(p, e, st));
		if (st->code) {
			st->work_bytes = COP_MAX(st->work_bytes, up(cop_coded_work(st->code), align));
			pack[s] = new_span(l, st->image_bytes, align, s, s);
		}
		if (st->work_bytes) work[s] = new_span(l, st->work_bytes * parts, align, s, s);
		if (!st->kernel->pack || st->code) continue;
		size_t bytes = up(st->kernel->pack_bytes(st->word), align);
		cop_place w = st->buf[packed_buf(e, st)];
		st->pack_once = w.seg == COP_SEG_FIXED;
		if (st->pack_once) {
			st->pack = (cop_place){COP_SEG_PACK, p->bytes[COP_SEG_PACK], NULL};
			p->bytes[COP_SEG_PACK] += bytes;
		} else {
			pack[s] = new_span(l, bytes, align, s, s);
		}
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
		cop_cost cost = {0};
		if (cop__op(g, st->node)->cost) cop__op(g, st->node)->cost(g, st->node, &cost);
		for (int i = 0; i < d->n_in; i++) {
			if (!d->in[i]) continue;
			const cop_type *t = cop__t(g, d->in[i]);
			double each = (double)COP_MAX(cost.mac, cop_type_count(t)) * cop__dtype_bits(t->dtype) / 8;
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

static cop_status lay_out(cop_plan *p, cop_entry *e)
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

static void use(cop_plan *p, const cop_graph *g, cop_vid v)
{
	cop_vid base = v ? cop__base(g, v) : 0;

	if (base && g->value[base].role >= COP_CONST) ((cop_var *)cop__plan_var(p, g->value[base].name))->used = true;
}

static void find_used(cop_plan *p, const cop_entry *e)
{
	for (int32_t i = 0; i < e->n_step; i++) {
		const cop_step *s = &e->step[i];
		const cop_node *d = &e->g->node[s->node];
		for (int k = 0; k < d->n_in; k++)
			if (!(s->pack_once && k == s->kernel->pack_in) && !(s->code && k == 1)) use(p, e->g, d->in[k]);
		for (int k = 0; k < COP_MAX_OUT; k++) use(p, e->g, d->out[k]);
		use(p, e->g, d->guard);
	}
	for (int32_t i = 0; i < e->g->n_output; i++) use(p, e->g, e->g->output[i]);
}

static cop_status build_entry(cop_plan *p, cop_entry *e)
{
	cop_graph *g = e->g;
	size_t nodes = (size_t)g->n_node + 1;
	cop_nid *order = cop__arena_get(&p->mem, nodes * sizeof *order);

	e->step = cop__arena_get(&p->mem, nodes * sizeof *e->step);
	e->place = cop__arena_get(&p->mem, ((size_t)g->n_value + 1) * sizeof *e->place);
	if (!order || !e->step || !e->place) return COP_NOMEM;
	COP_TRY(cop__schedule(order, g, p->target.late_updates));
	for (int32_t i = 0; i < g->n_node; i++) COP_TRY(make_step(p, e, order[i]));
	COP_TRY(lay_out(p, e));
	find_used(p, e);
	p->bytes[COP_SEG_ARENA] = COP_MAX(p->bytes[COP_SEG_ARENA], e->arena);
	p->bytes[COP_SEG_FAST] = COP_MAX(p->bytes[COP_SEG_FAST], e->fast);
	return COP_OK;
}

static cop_status check_fast(const cop_plan *p)
{
	const cop_target *t = &p->target;

	if (t->fast_ram <= t->fast_most) return COP_OK;
	if (!t->fast_most) return cop__error(p->cx, COP_ARG, "target %s has no second, fast RAM, but %zu bytes of it were requested", t->name, t->fast_ram);
	return cop__error(p->cx, COP_ARG, "target %s has %zu bytes of fast RAM, but %zu were requested", t->name, t->fast_most, t->fast_ram);
}

static cop_status check_budget(const cop_plan *p)
{
	char label[96];
	size_t ram = p->bytes[COP_SEG_ARENA] + p->bytes[COP_SEG_PARAM] + p->bytes[COP_SEG_STATE];
	size_t flash = p->bytes[COP_SEG_FIXED] + p->bytes[COP_SEG_PARAM];

	if (p->target.ram && ram > p->target.ram) /* fast RAM was filled as far as it goes */
		return cop__error(p->cx, COP_BUDGET, "target %s has %zu bytes of RAM, the plan needs %zu (%zu too many): arena %zu, "
			"parameters %zu, state %zu; the arena's peak is at %s",
			p->target.name, p->target.ram, ram, ram - p->target.ram, p->bytes[COP_SEG_ARENA], p->bytes[COP_SEG_PARAM],
				p->bytes[COP_SEG_STATE], cop__plan_peak(p, label));
	if (p->target.flash && flash > p->target.flash)
		return cop__error(p->cx, COP_BUDGET, "target %s has %zu bytes of flash, the weights alone need %zu (%zu too many)",
			p->target.name, p->target.flash, flash, flash - p->target.flash);
	return COP_OK;
}

/* Weights that are encoded in the graph and used as plain numbers. */
static cop_status choose_forms(cop_entry *e, uint32_t isa)
{
	COP_TRY(cop__plan_forms(&e->own, e->g, isa));
	if (e->own) e->g = e->own;
	return COP_OK;
}

cop_status cop_plan_build(cop_plan **out, cop_graph *const *entry, int n_entry, const cop_target *t)
{
	COP_NEED(NULL, out);
	COP_NEED(NULL, entry);
	*out = NULL;
	for (int i = 0; i < n_entry; i++) COP_NEED(COP_CX(entry[0]), entry[i]);
	if (n_entry < 1) return COP_ARG; /* no graph, no context for a sentence */
	COP_NEED(entry[0]->cx, t);
	cop_ctx *cx = entry[0]->cx;
	cop_plan *p = cop__alloc(cx, sizeof *p);
	cop_status st = COP_NOMEM;

	*out = NULL;
	if (!p) return COP_NOMEM;
	p->cx = cx;
	p->target = *t;
	p->n_entry = n_entry;
	p->target.threads = COP_MAX(1, t->threads);
	p->target.align = COP_MAX(4, t->align);
	cop__arena_init(&p->mem, cx);
	if ((p->entry = cop__arena_get(&p->mem, sizeof *p->entry * (size_t)n_entry))) {
		for (int e = 0; e < n_entry; e++) p->entry[e].g = entry[e];
		st = check_fast(p);
		if (!st && n_entry == 1) st = choose_forms(&p->entry[0], t->isa);
		if (!st) st = collect_vars(p);
		if (!st) st = place_vars(p);
		for (int e = 0; !st && e < n_entry; e++) st = build_entry(p, &p->entry[e]);
		if (!st) st = check_budget(p);
	}
	if (!st) return *out = p, COP_OK;
	cop_plan_free(p);
	return st;
}

void cop_plan_free(cop_plan *p)
{
	if (!p) return;
	cop_ctx *cx = p->cx;
	for (int32_t i = 0; i < p->n_var; i++) cop__contents_drop(p->var[i].held);
	for (int e = 0; p->entry && e < p->n_entry; e++) cop_graph_free(p->entry[e].own);
	cop__arena_free(&p->mem);
	cop__index_free(&p->names, cx);
	cop__free(cx, p);
}
