/* SPDX-License-Identifier: Apache-2.0
 *
 * plan - puts schedule, kernels and addresses together.
 *
 * STATE, and PARAM that some entry writes, get an address in one contiguous block each, shared by the entries by
 * name; what nobody writes is FIXED and read where the graph has it (on a device: flash). The arena is shared: one
 * entry runs at a time.
 */
#include "core/need.h"
#include "plan/plan.h"

enum { PARALLEL_WORK = 30000 }; /* multiply-accumulates or elements below which a second thread costs more than it brings */

static size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }

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
	const cop_code mark = cop__mark_of(p, g, n);
	cop_choosing c = {word, p->target.isa, mark == COP_CODE_TABLES ? NULL : weight, 0, mark == COP_CODE_ADAPTIVE}; /* tables are for dense kernels */
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
	COP_TRY(cop__lay_out(p, e));
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
