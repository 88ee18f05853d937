/* SPDX-License-Identifier: Apache-2.0
 *
 * assemble - puts a training graph together: the model with each formed weight as the expression over its latents, batch statistics, fused;
 * a teacher beside it; the loss; its gradients with respect to latents; updates.
 *
 * What updates write over (`alias`) may be read by nobody after them; the schedule sees to that. The learning rate and the step are
 * STATE "lr" and "step", so that emitted code can set them.
 */
#include "op/axes.h"
#include "op/grad.h"
#include "op/qscale.h"
#include "pass/pass.h"
#include "train/assemble.h"
#include "train/store.h"

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

static cop_status code(const cop_graph *g) { return cop__failed(g->cx); }

/* ---- forward ---- */

/* The student may have the same name. */
static cop_status rename_of(cop_graph *g, const cop_vid *map, const cop_graph *t, cop_vid v, const char *whose)
{
	char name[COP_FOLLOWER];

	if (!v || !t->value[v].name) return COP_OK;
	COP_TRY(cop__follower_name(name, g->cx, whose, t->value[v].name));
	cop__name(g, map[v], "");
	cop__name(g, map[v], name);
	return COP_OK;
}

/* The teacher's nodes on the same inputs; its weights never change. */
static cop_status graft(cop_graph *g, const cop_graph *t, const char *whose)
{
	char name[COP_FOLLOWER];
	cop_vid *map = cop__arena_get(&g->mem, sizeof *map * (size_t)(t->n_value + 1));

	if (!map) return COP_NOMEM;
	for (int32_t i = 0; i < t->n_input; i++) map[t->input[i]] = g->input[i];
	for (int32_t v = 1; v <= t->n_value; v++) {
		const cop_value *x = &t->value[v];
		if (x->role < COP_CONST) continue;
		COP_TRY(cop__follower_name(name, g->cx, whose, x->name));
		if (!(map[v] = cop__data(g, COP_CONST, name, &x->type, NULL)) || cop__share(g, map[v], t, (cop_vid)v)) return code(g);
	}
	for (cop_nid n = 1; n <= (cop_nid)t->n_node; n++) {
		COP_TRY(cop__copy_node(g, t, map, n));
		for (int i = 0; i < COP_MAX_OUT; i++) COP_TRY(rename_of(g, map, t, t->node[n].out[i], whose));
	}
	return COP_OK;
}

/* What policies asked for: nothing in the graph may read it. */
static cop_status more_states(cop_graph *g, const cop_build *b)
{
	for (int32_t i = 0; i < b->n_state; i++) {
		const cop_made_state *s = &b->state[i];
		cop_vid v = cop__find(g, s->name);
		if (!v && !(v = cop__data(g, COP_STATE, s->name, &s->type, s->init))) return code(g);
		if (s->of) g->value[v].of = cop__find(g, s->of);
	}
	return COP_OK;
}

static cop_status forward(cop_graph **out, cop_build *b)
{
	cop_graph *active = NULL;
	char whose[24];

	COP_TRY(cop__express(b));
	cop_status st = cop__pass_to_train(&active, b->formed ? b->formed : b->model);
	if (!st) st = cop__pass_fuse(out, active);
	for (int32_t i = 0; !st && i < b->n_teacher; i++) st = graft(*out, b->teacher[i], cop__teacher_name(whose, i));
	if (!st && b->level.rule->ahead) {
		cop_graph *still = *out;
		st = cop__look_ahead(out, still, b);
		cop_graph_free(still);
	}
	if (!st) st = more_states(*out, b);
	cop_graph_free(active);
	return st;
}

/* ---- the loss ---- */

static cop_vid truth(cop_graph *g, const cop_term *t, cop_vid y)
{
	const char *name = t->loss->labels ? "label" : "target";
	const cop_type *like = cop__t(g, y);
	cop_type type = t->loss->labels ? cop__type(COP_I32, 1, like->dim) : cop__type(COP_F32, like->rank, like->dim);
	cop_vid v = cop__find(g, name);

	return v ? v : cop__input(g, name, &type);
}

/* What a softmax of bytes that v comes from reads, as floats; 0: v comes from none. */
static cop_vid whole_logits(cop_graph *g, cop_vid v)
{
	cop_nid soft = g->value[v].producer;
	COP_ATTR(cop_qsoftmax_attr, a, g, soft);

	if (!soft || g->node[soft].op != OP_qsoftmax) return 0;
	return cop__apply(g, OP_dequantize, &(cop_dequantize_attr){(float)cop__qsoftmax_real(&a), 0}, VIDS(g->node[soft].in[0]));
}

/* What goes into a softmax that v comes from, rounded or not, of floats or of bytes; else v. */
static cop_vid logits(cop_graph *g, cop_vid v)
{
	cop_nid n = g->value[v].producer;

	if (n && g->node[n].op == OP_fakequant) n = g->value[g->node[n].in[0]].producer;
	cop_vid whole = cop__t(g, v)->dtype == COP_I8 ? whole_logits(g, v) : n && g->node[n].op == OP_dequantize ? whole_logits(g, g->node[n].in[0]) : 0;
	return whole ? whole : n && g->node[n].op == OP_softmax ? g->node[n].in[0] : v;
}

/* An answer in bytes as the reals that these stand for. */
static cop_vid real_answer(cop_graph *g, cop_vid y)
{
	const cop_quant *q = &cop__t(g, y)->q;

	if (cop__t(g, y)->dtype != COP_I8) return y;
	if (q->scale) return cop__apply(g, OP_dequantize, &(cop_dequantize_attr){*q->scale, q->zero ? *q->zero : 0}, VIDS(y));
	return cop__error(g->cx, COP_ARG, "training: the output '%s' is in bytes whose scale is not known", g->value[y].name), 0;
}

static cop_vid one_term(cop_graph *g, const cop_build *b, int32_t i)
{
	const cop_term *t = &b->term[i];
	cop_vid y = t->y ? cop__read_as(g, cop__find(g, b->name[t->y])) : g->n_output ? g->output[0] : 0, target = t->target ? cop__find(g, b->name[t->target]) : 0;
	char name[32];

	if (!y || (t->target && !target))
		return cop__error(g->cx, COP_ARG, "loss=%s: the training graph has no value '%s'", t->loss->row.name,
			b->name[y ? t->target : t->y]), 0;
	if (t->loss->labels && cop__t(g, y)->rank != 2)
		return cop__error(g->cx, COP_SHAPE, "loss=%s needs logits [batch, classes] as the first output, got %d dimensions", t->loss->row.name, cop__t(g, y)->rank), 0;
	if (t->loss->logits) y = logits(g, y), target = logits(g, target);
	if (!(y = real_answer(g, y)) || !(y = cop__unskipped(g, y))) return 0;
	cop_vid v = t->loss->build(g, t->options, y, target ? target : truth(g, t, y));
	if (!v || t->weight == 1) return v;
	cop__format(name, sizeof name, "loss.weight%d", i);
	return cop__apply(g, OP_mul, &no_act, VIDS(v, cop__scalar(g, name, t->weight)));
}

static cop_vid loss_of(cop_graph *g, const cop_build *b)
{
	cop_vid sum = 0;

	if (!b->n_term) return cop__error(g->cx, COP_ARG, "training: there is no loss"), 0;
	for (int32_t i = 0; i < b->n_term; i++) {
		cop_vid v = one_term(g, b, i);
		if (!v) return 0;
		sum = sum ? cop__apply(g, OP_add, &no_act, VIDS(sum, v)) : v;
	}
	return sum;
}

/* ---- all of it ---- */

/* 1 where the loss is finite, else 0: x - x is 0 or no number then, and nothing is above -1 but the first. */
static cop_vid is_finite(cop_graph *g, cop_vid loss)
{
	const float below = -1;
	const cop_type one = *cop__t(g, loss);
	cop_vid nothing = cop__apply(g, OP_sub, &no_act, VIDS(loss, loss)), least = nothing ? cop__data(g, COP_CONST, "guard.least", &one, &below) : 0;
	cop_vid both = least ? cop__apply(g, OP_concat, &(cop_concat_attr){0}, VIDS(least, nothing)) : 0;

	return both ? cop__apply(g, OP_argmax, &(cop_argmax_attr){0, 1, 0}, VIDS(both)) : 0;
}

/* The loss whose gradients are wanted, and the one that is told. guard: is that finite? It comes before all gradients, so that no update has to wait for it.
 * 0: nobody asks. */
typedef struct losses { cop_vid loss, said, guard; } losses;

static cop_status make_loss(losses *l, cop_graph *g, const cop_build *b)
{
	l->loss = l->said = loss_of(g, b);
	return l->loss ? COP_OK : code(g);
}

static cop_status make_guard(losses *l, cop_graph *g, const cop_build *b, cop_part part)
{
	if (b->all.guard && part == COP_PART_STEP && !(l->guard = is_finite(g, l->said))) return code(g);
	return COP_OK;
}

/* The graph of one run becomes that of two. */
static cop_status run_twice(cop_zeroth *z, cop_graph **g, cop_wrt *x, losses *l, cop_arena *mem)
{
	cop_vid *w = cop__arena_get(mem, sizeof *w * (size_t)(x->trained + 1)), *map = NULL;

	if (!w) return COP_NOMEM;
	z->w = w, z->loss = l->loss;
	COP_TRY(cop__wrt_leave(x, w, &z->n, *g, z->b));
	if (!x->n && z->b->all.saved > COP_SAVED_EXACT)
		return cop__error(z->b->cx, COP_ARG, "training: %s keeps nothing for a way back, so saved= has nothing to do", z->b->level.rule->row.name);
	cop_status st = cop__zeroth_runs(z, *g, &map, mem);
	if (st) return cop_graph_free(z->g), st;
	for (int i = 0; i < x->n; i++) x->w[i] = x->at[i] = map[x->w[i]];
	*l = (losses){.loss = z->down, .said = z->said};
	cop_graph_free(*g);
	*g = z->g;
	return COP_OK;
}

/* The graph has become another one: what points into it. */
static cop_status now_of(cop_graph *g, const cop_graph *was, cop_vid *map, cop_wrt *x, losses *l, cop_zeroth *z)
{
	for (int i = 0; i < x->n; i++) {
		if (!(x->w[i] = cop__copy_value(g, was, map, x->w[i]))) return code(g);
		x->dw[i] = map[x->dw[i]];
	}
	*l = (losses){map[l->loss], map[l->said], map[l->guard]};
	if (z->g) cop__zeroth_now(z, g, map);
	return COP_OK;
}

/* The same graph, with errors, or with what is kept between its passes, in fewer bytes. */
static cop_status in_fewer_bytes(cop_graph **g, const cop_build *b, cop_nid forward, cop_wrt *x, losses *l, cop_zeroth *z)
{
	for (int stage = 0; stage < 2; stage++) {
		cop_graph *was = *g;
		cop_vid *map;
		if (!(stage ? b->all.saved : b->all.errors)) continue;
		cop_status st = stage ? cop__keep_less(g, was, forward, (enum cop_saved)b->all.saved, &map) : cop__errors_as_bytes(g, was, forward, b->all.rounding, &map);
		if (!st) st = now_of(*g, was, map, x, l, z);
		cop_graph_free(was);
		COP_TRY(st);
	}
	return COP_OK;
}

static cop_status finish(cop_graph **out, cop_graph *g, const cop_build *b, cop_part part, const cop_wrt *x, const losses *l, cop_zeroth *z)
{
	if (part == COP_PART_UPDATE) return cop__updates_alone(out, g, b, x);
	COP_TRY(cop__keep_gradients(g, x, part == COP_PART_STEP ? x->trained : 0));
	if (z->g) COP_TRY(cop__zeroth_move(z, l->guard));
	if (part == COP_PART_STEP) COP_TRY(cop__updates(g, b, x, l->guard));
	COP_TRY(cop__output(g, l->said, "loss"));
	COP_TRY(cop__pass_dce(out, g));
	return more_states(*out, b);
}

cop_status cop__build_graph(cop_graph **out, cop_build *b, cop_part part)
{
	cop_graph *g = NULL;
	cop_arena mem;
	losses l = {0};
	cop_wrt x = {0};
	cop_zeroth z = {.b = b};

	*out = NULL;
	if (part == COP_PART_EXPRESS) return cop__express(b) ? b->cx->code : cop__expressions(out, b);
	if (!b->level.rule) return cop__error(b->cx, COP_ARG, "training: there is no rule of updates");
	const bool zeroth = b->level.rule->zeroth;
	if (zeroth && part != COP_PART_STEP) return cop__error(b->cx, COP_ARG, "training: %s has no gradients apart from its updates", b->level.rule->row.name);
	cop__arena_init(&mem, b->cx);
	cop_status st = forward(&g, b);
	if (!st) st = make_loss(&l, g, b);
	if (!st) st = cop__wrt_find(&x, &mem, g, b);
	if (!st && zeroth) st = run_twice(&z, &g, &x, &l, &mem);
	if (!st) st = make_guard(&l, g, b, part);
	const cop_nid last = st ? 0 : (cop_nid)g->n_node;
	if (!st && x.n) st = cop__differentiate(g, l.loss, x.n, x.at, x.dw);
	if (!st && x.n) st = in_fewer_bytes(&g, b, last, &x, &l, &z);
	if (!st) cop__tell_of_integers(g, &x);
	for (int i = 0; !st && i < x.n; i++) x.guard[i] = x.dw[i] && g->value[x.dw[i]].producer ? g->node[g->value[x.dw[i]].producer].guard : 0;
	if (!st) st = finish(out, g, b, part, &x, &l, &z);
	if (!st) st = cop_graph_verify(*out);
	cop__arena_free(&mem);
	cop_graph_free(g);
	return cop__pass_end(out, st);
}
